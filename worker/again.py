"""Media that a watch shows once more, because the watch before had seen it: it counts in coverage once."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.frame import Block, Frame
from worker.pipeline import Pipeline

SAME_NS = 1_000_000  # two moments that are nearer are one


class Again:
    """What of a watch's media was counted before it."""

    def __init__(self, covered_ns: Mapping[str, int]) -> None:
        """`covered_ns`: up to where coverage was told, by track and as a whole (no name)."""
        self._covered_ns = dict(covered_ns)
        self._watched_ns: dict[str, int] = {}

    def see(self, event: Frame | Block, pipeline: Pipeline) -> None:
        """Note what `pipeline`, which was just shown `event`, has watched so far; holes are no part of it."""
        if not self._covered_ns:
            return
        for name in (event.track, ""):
            if name in self._covered_ns:
                if event.end_ns <= self._covered_ns[name] + SAME_NS:
                    self._watched_ns[name] = pipeline.watched_of(name or None)
                else:
                    del self._covered_ns[name]

    def milliseconds(self, track: str | None) -> int:
        """So much of a track, or of the input, was counted by others."""
        return self._watched_ns.get(track or "", 0) // 1_000_000
