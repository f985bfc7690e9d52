"""What transport detectors are shown: events, with the clock's ticks between them."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.findings import DefectEdge
from detectors.events import BlindCode, Event, Fetch, Format, Source, Tick
from tests.run import findings

SECOND = 1_000_000_000


def ticked(*events: Event, until_s: float = 10.0) -> list[Event]:
    """`events` with ticks of 100 ms up to `until_s`."""
    ticks: list[Event] = [Tick(i * SECOND // 10) for i in range(1, round(10 * until_s) + 1)]
    return sorted([*events, *ticks], key=lambda e: e.at_ns)


def edges_of(detector: object, events: Iterable[Event]) -> list[DefectEdge]:
    """Every edge that `detector` says."""
    return [f for f in findings(detector, events) if isinstance(f, DefectEdge)]  # type: ignore[arg-type]


def bounds(found: Iterable[DefectEdge]) -> list[tuple[str, float]]:
    """(edge, seconds), without updates."""
    return [(f.edge.value, f.at_ns / SECOND) for f in found if f.edge.value != "updated"]


def segment(number: int, *, cause: str | None = None, given_up: bool = False, seconds: float = 2.0) -> Fetch:
    """Segment `number` of a playlist whose segments last `seconds`."""
    return Fetch(
        round(number * seconds * SECOND), None, "segment", f"http://127.0.0.1/{number}.ts", number,
        404 if cause else 200, 0 if cause else 9000, 0.1, cause, round(seconds * SECOND), given_up,
    )  # fmt: skip


def blind(at_s: float, code: BlindCode | None, reason: str = "", track: str | None = None) -> Source:
    """The source at one moment."""
    return Source(round(at_s * SECOND), code, reason, track)


def video(at_s: float, width: int = 1280, height: int = 720, codec: str = "h264") -> Format:
    """A picture format."""
    return Format(round(at_s * SECOND), "video:0", "video", codec, width=width, height=height, fps=25.0)


def audio(at_s: float, rate_hz: int = 48_000, channels: tuple[str, ...] = ("L", "R")) -> Format:
    """A sound format."""
    return Format(round(at_s * SECOND), "audio:0", "audio", "aac", rate_hz=rate_hz, channels=channels)
