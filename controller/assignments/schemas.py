"""Who watches what, as the API shows it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from contracts.fleet import WatchStatus
from controller.streams.schemas import State
from controller.wire import Moment


class AssignmentOut(BaseModel):
    """One rendition of a stream by one detector group, and who holds it."""

    id: str = Field(description="stream/rendition/group")
    rendition: str
    group: str
    revision: str
    worker: str | None
    epoch: int | None = Field(description="the last one granted; grows with each lease")
    state: State


class AssignmentList(BaseModel):
    """The assignments of some streams."""

    assignments: list[AssignmentOut]
    next: str | None = Field(description="pass as `after` for the next page; null at the end")


class WorkerOut(BaseModel):
    """One worker as it described itself last."""

    worker: str
    group: str
    version: str
    host: str
    started_at: Moment
    alive: bool
    heard_s_ago: float
    capacity: int
    held: int
    headroom: int
    cpu: float | None = Field(description="share of its quota, 0..1")
    memory: float | None = Field(description="share of its limit, 0..1")
    lag_s: float | None
    draining: bool


class WorkerList(BaseModel):
    """Workers heard of within ten minutes."""

    workers: list[WorkerOut]


class TurnOut(BaseModel):
    """One line of an assignment's lease history."""

    at: Moment
    what: str = Field(examples=["claimed"])
    worker: str
    epoch: int


class ExplainedAssignment(BaseModel):
    """Everything the store knows about one assignment."""

    assignment: AssignmentOut
    status: WatchStatus | None = Field(description="what its holder said last: fetches, decoder, cause")
    history: list[TurnOut]


class Explanation(BaseModel):
    """Why a stream is in the state that it is in."""

    stream: str
    state: State
    why: list[str] = Field(
        examples=[["Blind since 2026-01-31T12:00:00.000Z: http_503 from the origin."]],
        description="sentences, the worst first",
    )
    open_defects: tuple[str, ...]
    last_closed: list[str] = Field(description="defects closed lately, newest first")
    workers_alive: dict[str, int] = Field(description="by group")
    assignments: list[ExplainedAssignment]
