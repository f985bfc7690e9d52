"""What a worker answers when asked how it does."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from contracts import metrics
from worker.health import HealthServer, exposition, health
from worker.supervisor import Snapshot, WatchView

WATCH = WatchView(
    "s/highest/all", 5, "running", 99, 250, 0.4, 0.2, 0.1, 0, None, 1, 10, 9,
    {"black": (10_000, 2_000, 500, 4.0, None), "freeze": (9_000, 0, 0, 1.0, "ValueError: x")},
)  # fmt: skip


def test_a_worker_whose_watches_decode_is_well() -> None:
    well, body = health(Snapshot(100.0, (WATCH,)), 101.0, 100.5)
    assert well
    assert body["decoding"] == 1


@pytest.mark.parametrize(
    ("snapshot", "beats_s", "words"),
    [
        (Snapshot(100.0, (replace(WATCH, frame_age_s=40.0),)), 119.0, "decode nothing"),
        (Snapshot(100.0, (WATCH,)), 105.0, "renewed"),
        (Snapshot(90.0, (WATCH,)), 119.0, "stands still"),
    ],
)
def test_what_makes_it_ill_is_said(snapshot: Snapshot, beats_s: float, words: str) -> None:
    at_s = 120.0 if words != "decode nothing" else 105.0
    well, body = health(snapshot, at_s, min(beats_s, at_s))
    assert not well
    assert any(words in why for why in body["why"])


def test_a_blind_source_is_not_the_workers_illness() -> None:
    blind = replace(WATCH, frame_age_s=400.0, blind="source_unreachable")
    assert health(Snapshot(100.0, (blind,)), 101.0, 101.0)[0]


def test_every_metric_is_exposed_with_its_type_and_labels() -> None:
    text = exposition(Snapshot(100.0, (WATCH,), counters={"accepted": 3}))
    for metric in metrics.WORKER:
        assert f"# TYPE {metric.name} {metric.type}" in text
    assert 'glitchwatch_watched_seconds_total{detector="black"} 10\n' in text
    assert 'glitchwatch_detector_faults{detector="freeze"} 1\n' in text
    assert 'glitchwatch_findings_total{verdict="accepted"} 3\n' in text
    assert "glitchwatch_frames_total 250\n" in text


def test_it_answers_over_http() -> None:
    now = {"s": 101.0}
    server = HealthServer(
        "127.0.0.1", 0, lambda: Snapshot(100.0, (WATCH,)), lambda: now["s"], lambda: now["s"]
    )
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5) as answer:
            assert json.load(answer)["status"] == "well"
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as answer:
            assert b"glitchwatch_frames_total 250" in answer.read()
        now["s"] = 200.0
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5)
        assert refused.value.code == 503
        refused.value.close()
    finally:
        server.close()
