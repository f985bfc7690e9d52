"""Run one detector over events, as the pipeline would."""

from collections.abc import Iterable
from typing import Any

from contracts.findings import DefectEdge, Finding, Measurement
from detectors.detector import Detector
from detectors.events import Event
from detectors.frame import Block, Frame, PictureView, SoundView, slot_of


def findings(detector: Detector[Any], events: Iterable[Event]) -> list[Finding]:
    """Everything `detector` says, with one lent previous frame or block."""
    allowed = frozenset(type(detector).needs)
    out: list[Finding] = []
    previous: dict[type, Any] = {}
    rate = type(detector).rate_hz
    slot, last_ns = -1, 0
    for event in events:
        if isinstance(event, Frame | Block):
            before = previous.get(type(event))
            event.previous = before
            if isinstance(event, Frame):
                before_slot, slot = slot, slot_of(event.at_ns, rate) if rate else slot + 1
                if slot != before_slot:
                    out.extend(detector.picture(PictureView(event, allowed)))
            else:
                out.extend(detector.sound(SoundView(event, allowed)))
            event.previous = None
            previous[type(event)] = event
            last_ns = event.end_ns
        else:
            name = {"Break": "broke"}.get(type(event).__name__, type(event).__name__.lower())
            out.extend(getattr(detector, name)(event))
            last_ns = max(last_ns, event.at_ns)
    out.extend(detector.finish(last_ns))
    return out


def edges(detector: Detector[Any], events: Iterable[Event]) -> list[tuple[str, float]]:
    """(`opened` or `closed`, seconds) of every edge."""
    return [(f.edge.value, f.at_ns / 1e9) for f in findings(detector, events) if isinstance(f, DefectEdge)]


def measured(detector: Detector[Any], events: Iterable[Event], name: str) -> list[float]:
    """Every value of the measurement `name`."""
    return [f.value for f in findings(detector, events) if isinstance(f, Measurement) and f.name == name]
