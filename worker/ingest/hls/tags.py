"""The tags of a playlist that are read with tolerance, called by the m3u8 library line by line.

What packagers get wrong without harm is put right and listed in `Reader.faults`. Source: RFC 8216, 4.2 and 4.3.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

MAX_DURATION_S = 3600.0  # of one segment; more is a slip of units
MAX_SEQUENCE = 2**63 - 1

_ATTRIBUTE = re.compile(r'([A-Za-z0-9-]+)\s*=\s*("[^"]*"|[^,]*)')
_READ_BY_LIBRARY = frozenset(
    {"#EXT-X-KEY", "#EXT-X-MEDIA", "#EXT-X-STREAM-INF", "#EXT-X-ENDLIST", "#EXT-X-GAP"}
)


class Reader:
    """Called by the library for each tag: reads the simple ones with tolerance, hides those without use."""

    def __init__(self) -> None:
        self.target_s: float | None = None
        self.sequence: int | None = None
        self.discontinuity_sequence: int | None = None
        self.skipped = 0
        self.faults: list[str] = []

    def __call__(self, line: str, lineno: int, data: dict[str, Any], state: dict[str, Any]) -> bool:
        tag, _, value = line.partition(":")
        tag, value = tag.strip(), value.strip()
        if tag in _READ_BY_LIBRARY:
            return False
        elif tag == "#EXTINF":
            state.setdefault("segment", {})["duration"] = self._duration(value, lineno)
            state["expect_segment"] = True
        elif tag == "#EXT-X-BYTERANGE":
            state.setdefault("segment", {})["byterange"] = value
        elif tag == "#EXT-X-DISCONTINUITY":
            state["discontinuity"] = True
        elif tag == "#EXT-X-MAP":
            state["current_segment_map"] = {**attributes(value), "under": state.get("current_key")}
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            state["program_date_time"] = self._date(value)
        else:
            self._header(tag, value)
        return True

    def note_lost(self, text: str, understood: int) -> None:
        """Count addresses that stand without the tag that must come before them; players ignore them too."""
        named = sum(1 for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
        if named > understood:
            self.faults.append(f"{named - understood} addresses without EXTINF")

    def _header(self, tag: str, value: str) -> None:
        if tag == "#EXT-X-TARGETDURATION":
            self.target_s = self._number(tag, value)
        elif tag == "#EXT-X-MEDIA-SEQUENCE":
            number = self._number(tag, value)
            self.sequence = None if number is None else int(number)
        elif tag == "#EXT-X-DISCONTINUITY-SEQUENCE":
            self.discontinuity_sequence = int(self._number(tag, value) or 0)
        elif tag == "#EXT-X-SKIP":
            self.skipped = whole(attributes(value).get("SKIPPED-SEGMENTS"))

    def _number(self, tag: str, value: str) -> float | None:
        try:
            number = float(value) if len(value) < 19 or "." in value else int(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or abs(number) > MAX_SEQUENCE:
            self.faults.append(f"{tag[1:]} is {value[:20]!r}")
            return None
        if number < 0:
            self.faults.append(f"{tag[1:]} is negative")
            return 0
        return number

    def _duration(self, value: str, lineno: int) -> float:
        number = value.partition(",")[0].strip()
        try:
            duration = float(number)
        except ValueError:
            duration = math.nan
        if 0 <= duration <= MAX_DURATION_S:
            return duration
        self.faults.append(f"EXTINF on line {lineno} is {number[:20]!r}")
        return -1.0  # filled in with the target duration

    def _date(self, value: str) -> datetime | None:
        try:
            date = datetime.fromisoformat(value)
            return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
        except (ValueError, OverflowError):
            self.faults.append(f"EXT-X-PROGRAM-DATE-TIME is {value[:40]!r}")
            return None


def attributes(text: str) -> dict[str, str]:
    """An attribute list (RFC 8216, 4.2) by upper-case name, without quotes."""
    return {name.upper(): value.strip().strip('"') for name, value in _ATTRIBUTE.findall(text)}


def whole(text: str | None, default: int = 0) -> int:
    """A decimal number that is not negative; `default` when it is none."""
    try:
        return min(max(0, int(float(text or default))), MAX_SEQUENCE)
    except (ValueError, OverflowError):
        return default


def size(text: str | None) -> tuple[int, int]:
    """(width, height) of a RESOLUTION; zeros when it is none."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", (text or "").strip().lower(), re.ASCII)
    return (int(match[1]), int(match[2])) if match else (0, 0)
