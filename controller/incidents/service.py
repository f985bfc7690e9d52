"""Reads what was found. What it means was decided when it was accepted."""

from __future__ import annotations

from datetime import datetime, timedelta

from controller.context import Fleet
from controller.incidents.schemas import (
    CoverageList,
    CoverageOut,
    DefectList,
    DefectOut,
    MeasurementsOut,
    SeriesOut,
)
from controller.problems import invalid
from controller.streams.service import get
from store.series import STEPS

_LONGEST = timedelta(days=8)


async def all_open(fleet: Fleet) -> DefectList:
    """Every open defect."""
    found = await fleet.defects.open()
    return DefectList(open=[DefectOut.of(d) for part in found.values() for d in part], closed=[])


async def of_stream(fleet: Fleet, stream_id: str, limit: int) -> DefectList:
    """What is open on a stream and what was closed lately. Raises Problem 404."""
    await get(fleet, stream_id)
    found = await fleet.defects.open([stream_id])
    closed = await fleet.defects.closed(stream_id, limit=limit)
    return DefectList(
        open=[DefectOut.of(d) for d in found.get(stream_id, ())], closed=[DefectOut.of(d) for d in closed]
    )


async def measurements(
    fleet: Fleet, stream_id: str, start: datetime, end: datetime, step_s: int, name: str | None
) -> MeasurementsOut:
    """The series of a stream between two moments. Raises Problem."""
    if step_s not in STEPS:
        raise invalid(f"A step is {' or '.join(map(str, STEPS))} seconds.")
    if not timedelta(0) < end - start <= _LONGEST:
        raise invalid("`start` is before `end`, by eight days at most.")
    await get(fleet, stream_id)
    assigned = [state.assignment.id for state in await fleet.assignments.of_stream(stream_id)]
    found = await fleet.series.read(assigned, start, end, step_s=step_s)
    series = []
    for assignment, by_name in sorted(found.items()):
        for key, samples in sorted(by_name.items()):
            measured, track, channel = [*key.split("|", 2), "", ""][:3]
            if name is not None and measured != name:
                continue
            series.append(
                SeriesOut(
                    name=measured,
                    track=track or None,
                    channel=channel or None,
                    assignment=assignment,
                    at=[s.at for s in samples],
                    low=[s.point.low for s in samples],
                    high=[s.point.high for s in samples],
                    mean=[s.point.mean for s in samples],
                    count=[s.point.count for s in samples],
                )
            )
    return MeasurementsOut(stream=stream_id, step_s=step_s, series=series)


async def coverage(fleet: Fleet, stream_id: str) -> CoverageList:
    """How much of a stream each detector watched. Raises Problem 404."""
    await get(fleet, stream_id)
    rows = (await fleet.coverage.of([stream_id])).get(stream_id, [])
    out = []
    for row in rows:
        both = row.watched_s + row.blind_s
        out.append(
            CoverageOut(
                detector=row.detector,
                watched_s=row.watched_s,
                degraded_s=row.degraded_s,
                blind_s=row.blind_s,
                share=row.watched_s / both if both else None,
            )
        )
    return CoverageList(stream=stream_id, coverage=out)
