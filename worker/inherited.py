"""What a new lease takes over from the store: defects that are open, and those closed after the place was kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from contracts.findings import DefectEdge, Edge, Peak
from contracts.fleet import EdgeBody, OpenDefect
from detectors.events import BLIND_CODES
from worker.frames import Message

SAME_CLOCK = timedelta(seconds=1)


def opened_edge(body: EdgeBody, *, known: bool) -> DefectEdge:
    """The opening edge of a defect as the store keeps it; at 0 where its media time means nothing here."""
    at_ns = body.start_ns if known else 0
    return DefectEdge(
        Edge.OPENED, body.defect, body.detector, body.track, at_ns, at_ns, body.severity,
        Peak(body.peak_name, body.peak_value, body.peak_unit), body.threshold, body.confidence,
        body.channel, body.suppressed_by, body.detail,
    )  # fmt: skip


def with_closed(place: Message, closed: Sequence[OpenDefect], still: Sequence[OpenDefect] = ()) -> Message:
    """A place that also knows what was `closed` after it was kept, so that media seen again says nothing twice.

    Media times mean the same only on one timeline: a defect counts whose wall clock at media time 0 is the place's.
    What saw again since is no longer blind, unless it is `still`, for another reason.
    """
    if not place.get("zero_at"):
        return place
    zero = datetime.fromisoformat(place["zero_at"])
    said = place.get("said") or {}
    ended = {tuple(row[:3]): row for row in said.get("ended", [])}
    blind, reading = list(place.get("blind") or []), dict(place.get("reading") or {})
    lost = {defect.body.track for defect in still if defect.body.defect in BLIND_CODES}
    for defect in closed:
        body = defect.body
        off = body.at - timedelta(microseconds=body.at_ns // 1000) - zero
        row = [body.defect, body.track, body.channel, body.at_ns, body.certain_at_ns, body.start_ns]
        if abs(off) <= SAME_CLOCK and body.defect in BLIND_CODES and body.track not in lost:
            seeing = [b for b in blind if b[0] != body.track or b[3] > body.at_ns]
            if len(seeing) < len(blind):
                reading.pop("quiet_s", None)
            blind = seeing
        known = ended.get(tuple(row[:3]))
        if abs(off) <= SAME_CLOCK and (known is None or known[4] < row[4]):
            ended[tuple(row[:3])] = row
    return {
        **place,
        "said": {**said, "ended": list(ended.values())},
        **({"blind": blind} if "blind" in place else {}),
        **({"reading": reading} if place.get("reading") else {}),
    }
