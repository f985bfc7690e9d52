"""Whatever a stream does, every real detector keeps its contract within the host."""

from __future__ import annotations

import warnings
from collections import defaultdict

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts.findings import DefectEdge, Edge
from contracts.profile import Profile
from detectors.catalogue import bind, load
from detectors.events import Break, Damage, Event, Fetch, Format, Recall, Source, Tick
from detectors.frame import Block, Frame
from worker.pipeline import Pipeline

SECOND = 1_000_000_000
SEATS = bind(load(), Profile())

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "picture",
                "flat",
                "black",
                "sound",
                "quiet",
                "tick",
                "break",
                "damage",
                "format",
                "recall",
                "fetch",
                "blind",
            ]
        ),
        st.integers(1, 30),
        st.integers(0, 2**31),
    ),
    max_size=40,
)


def stream(actions: list[tuple[str, int, int]]) -> list[Event]:
    """Events whose times go forward on each track, as ingest promises."""
    at = {"video:0": 0, "audio:0": 0}
    out: list[Event] = []
    for kind, count, seed in actions:
        rng = np.random.default_rng(seed)
        now = max(at.values())
        if kind in ("picture", "flat", "black"):
            for _ in range(count):
                luma = {"flat": 120, "black": 16}.get(kind, 0) * np.ones((18, 32), np.uint8)
                if kind == "picture":
                    luma = rng.integers(0, 256, (18, 32)).astype(np.uint8)
                half = np.full((9, 16), int(rng.integers(0, 256)), np.uint8)
                out.append(
                    Frame(
                        "video:0",
                        at["video:0"],
                        SECOND // 25,
                        luma,
                        (half, half),
                        joins=bool(rng.integers(9)),
                    )
                )
                at["video:0"] += SECOND // 25
        elif kind in ("sound", "quiet"):
            for _ in range(count):
                size = int(rng.integers(1, 4801))
                scale = 0.0 if kind == "quiet" else 10 ** rng.uniform(-6, 1)
                samples = (rng.normal(size=(2, size)) * scale).astype(np.float32)
                out.append(
                    Block("audio:0", at["audio:0"], size * SECOND // 48_000, samples, 48_000, ("L", "R"),
                          joins=bool(rng.integers(9)))
                )  # fmt: skip
                at["audio:0"] += size * SECOND // 48_000
        elif kind == "tick":
            out.append(Tick(now))
        elif kind == "break":
            track = ("video:0", "audio:0")[seed % 2]
            which = ("jump", "gap", "overlap", "wrap", "signalled")[seed % 5]
            out.append(Break(at[track], track, which, seed))  # type: ignore[arg-type]
            at[track] += seed if which == "gap" else 0
        elif kind == "damage":
            out.append(Damage(now, ("video:0", "audio:0")[seed % 2], count, "x"))
        elif kind == "format":
            out.append(Format(now, "video:0", "video", "h264", width=32 * count, height=18, fps=25.0))
        elif kind == "recall":
            known = Format(now, "video:0", "video", "h264", width=32 * count, height=18, fps=25.0)
            out.append(Recall(now, "video:0", count * SECOND // 25, known))
        elif kind == "fetch":
            out.append(
                Fetch(now, None, "segment", "u", count, 404, 0, 0.1, "http_404", SECOND, bool(seed % 2))
            )
        else:
            code = ("source_stalled", "source_unreachable", None)[seed % 3]
            out.append(Source(now, code, "why"))  # type: ignore[arg-type]
    return out


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ACTIONS)
@example([("sound", 15, 64)])  # a hole where blocks are of several lengths
@example(
    [("picture", 1, 0), ("break", 1, 0), ("break", 1, 5)]
)  # a step in the track that is behind the other
def test_no_detector_breaks_and_edges_alternate(actions: list[tuple[str, int, int]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline = Pipeline(SEATS)
        events = stream(actions)
        found = [f for e in events for f in pipeline.push(e)]
        found += pipeline.finish(max((e.at_ns for e in events), default=0))
    assert [c.fault for c in pipeline.coverage() if c.fault] == []
    by_key: dict[object, list[DefectEdge]] = defaultdict(list)
    for finding in found:
        if isinstance(finding, DefectEdge):
            assert finding.at_ns <= finding.certain_at_ns
            assert np.isfinite(finding.peak.value)
            by_key[finding.key].append(finding)
        else:
            assert not np.isnan(finding.value)
    for edges in by_key.values():
        bounds = [e.edge for e in edges if e.edge is not Edge.UPDATED]
        assert bounds == [(Edge.OPENED, Edge.CLOSED)[i % 2] for i in range(len(bounds))]
    still = {key for key, edges in by_key.items() if edges[-1].edge is not Edge.CLOSED}
    assert {e.key for e in pipeline.open_defects} == still
    assert 0 <= pipeline.watched_ns <= sum(e.duration_ns for e in events if isinstance(e, Frame | Block)) + 1
    assert pipeline.blind_ns >= 0
