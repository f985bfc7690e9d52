"""Findings in: one call takes a batch, and refuses what a later lease has outdated or what is known already."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum

from contracts.fleet import (
    CoverageBody,
    EdgeBody,
    FindingEnvelope,
    Point,
    SeriesBody,
    SourceBody,
)
from store.connect import SyncClient
from store.scripts import Script

MOST_AT_ONCE = 500
MOST_FINDINGS = 200_000  # on the findings stream, consumed or not; beyond it edges are refused, never dropped
SLOTS = {60: 120, 600: 144}  # step in s -> slots kept of each assignment: 2 hours, a day
PACKED = struct.Struct("<4f")  # low, high, mean, count


class Verdict(IntEnum):
    """What became of one finding."""

    ACCEPTED = 1
    DUPLICATE = 2  # it was accepted before: drop it
    FENCED = 3  # the lease is another's, or was given back: drop it, and stop that watch
    FULL = 4  # nobody consumes: keep it and all later ones of its assignment, offer them again in order


class Outlet:
    """Where a worker's findings leave to. Raises StoreUnavailable; then offer the same batch again.

    Findings of one assignment are offered in the order of their sequence: what is not larger than the last
    one accepted counts as known. When a connection failed, offer again what was accepted in the five seconds
    before, too: a store that lost its last second takes it, any other says that it is known.
    """

    def __init__(self, client: SyncClient, *, most: int = MOST_FINDINGS) -> None:
        self._most = most
        self._accept = Script(client, "accept")

    def accept(self, worker: str, findings: Sequence[FindingEnvelope]) -> list[Verdict]:
        """One verdict for each of at most MOST_AT_ONCE findings, in one round trip."""
        if not findings:
            return []
        if len(findings) > MOST_AT_ONCE:
            raise ValueError(f"{len(findings)} findings in one call; at most {MOST_AT_ONCE}")
        arguments: list[str | int | bytes] = [worker, self._most]
        for finding in findings:
            kind, extra = _extra(finding)
            arguments += (finding.assignment, finding.epoch, finding.sequence, kind, len(extra), *extra)
        return [Verdict(code) for code in self._accept(*arguments)]


def defect_key(rendition: str, body: EdgeBody) -> str:
    """`rendition|track|defect|channel`: at most one defect of a stream is open for each."""
    return "|".join((rendition, body.track or "", body.defect, body.channel or ""))


def _extra(finding: FindingEnvelope) -> tuple[str, list[str | int | bytes]]:
    body = finding.body
    match body:
        case EdgeBody():
            rendition = finding.assignment.split("/")[1]
            return "edge", [
                defect_key(rendition, body),
                body.edge.value,
                body.model_dump_json(exclude_none=True),
            ]
        case SourceBody():
            return "source", ["blind" if body.blind else "healthy", body.model_dump_json(exclude_none=True)]
        case SeriesBody():
            if body.step_s not in SLOTS:
                raise ValueError(f"No series has steps of {body.step_s} s; known: {sorted(SLOTS)}")
            points: list[str | int | bytes] = []
            for name, point in body.points.items():
                points += (name, _pack(point))
            if not points:
                raise ValueError("A slot without points")
            return "series", [body.step_s, body.slot * body.step_s * 1000, SLOTS[body.step_s], *points]
        case CoverageBody():
            return "coverage", [part for name, added in body.added.items() for part in (name, *added)]


def _pack(point: Point) -> bytes:
    return PACKED.pack(point.low, point.high, point.mean, float(point.count))
