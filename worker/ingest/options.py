"""What an input may be told: time-outs, request headers, which rendition. The same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class VariantPolicy(StrEnum):
    """Which variants of a multivariant playlist to watch."""

    HIGHEST = "highest"
    LOWEST = "lowest"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to reach an input, and how long to wait for it. Durations in seconds of wall time."""

    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    headers: Mapping[str, str] = field(default_factory=dict)
    user_agent: str = "glitchwatch"
    bearer: str | None = None
    carry_query: bool = False  # hand the master's query (an access token) on to what it names
    variants: VariantPolicy = VariantPolicy.HIGHEST
    rendition: str | None = None  # the one variant of this name (`rendition_word`), where there is one
    audio_language: str | None = None  # which alternate audio; None is the default rendition
    live_start_targets: int = 3  # how many target durations behind the live edge to begin
    max_segment_bytes: int = 64 * 1024 * 1024
    max_playlist_bytes: int = 4 * 1024 * 1024
    retries: int = 2  # further tries of one request
    backoff_first_s: float = 0.5
    backoff_most_s: float = 15.0

    def request_headers(self) -> dict[str, str]:
        """All headers of a request, the user agent and bearer token included."""
        headers = {"User-Agent": self.user_agent, **self.headers}
        if self.bearer:
            headers["Authorization"] = f"Bearer {self.bearer}"
        return headers
