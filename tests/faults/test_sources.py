"""Sources that misbehave: blind with a cause within their time-outs, and healthy again without anybody's help."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from contracts.fleet import FleetEvent, SourceBody
from tests.faults.fleet import SLACK, Fleet, channel, fleet, measured, until
from tests.faults.front import Front, Mode

pytestmark = [pytest.mark.faults, pytest.mark.slow]

EXPECTED: dict[Mode, set[str]] = {
    "gone": {"source_unreachable"},
    "stalled": {"source_stalled", "source_unreachable"},
    "garbage": {"source_undecodable", "source_unreachable"},
    "page": {"source_undecodable", "source_unreachable"},
    "trickle": {"source_stalled", "source_unreachable"},
}
READ_TIMEOUT_S, TARGET_S = 2.0, 2.0


def sight(made: Fleet, name: str) -> list[FleetEvent]:
    return [
        e
        for e in made.events()
        if e.stream == made.streams[name] and e.what in ("blind", "healthy") and e.body.track is None
    ]


def test_every_misbehaviour_blinds_with_its_cause_and_heals_by_itself(tmp_path: Path) -> None:
    names: dict[str, Mode] = {"a" * n: mode for n, mode in enumerate(EXPECTED, 1)}
    with fleet(tmp_path, *map(channel, names)) as made:
        worker = made.worker()
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(made.origin.url("a")))
        fronts = {name: Front(origin) for name in names}
        try:
            made.onboard(
                read_timeout_s=READ_TIMEOUT_S,
                url=lambda name: fronts[name].url + urlsplit(made.origin.url(name)).path,
            )
            until(lambda: made.decoding(worker, len(names)), 60, "pictures of all")
            for name, front in fronts.items():
                front.mode = names[name]
            # Blind after max(3 target durations, the read time-out) without media, and what was fetched before.
            within_s = (3 * TARGET_S + READ_TIMEOUT_S + 6) * SLACK
            blinded = lambda: all([e.what for e in sight(made, name)][-1:] == ["blind"] for name in names)  # noqa: E731
            _, took = until(blinded, within_s, "blindness of all")
            measured("every source spoilt -> all blind", took)
            for name, mode in names.items():
                body = sight(made, name)[-1].body
                assert isinstance(body, SourceBody)
                assert body.blind in EXPECTED[mode], (mode, body)
                assert body.reason, mode
            for front in fronts.values():
                front.mode = "good"
            healed = lambda: all([e.what for e in sight(made, name)][-1:] == ["healthy"] for name in names)  # noqa: E731
            _, took = until(healed, 40 * SLACK, "sight of all")
            measured("every source good again -> all healthy", took)
            seen = lambda: all(made.coverage(name).get("black", (0, 0, 0))[2] > 0 for name in names)  # noqa: E731
            until(seen, 15 * SLACK, "blind seconds in the coverage of all")
            assert not worker.words("watch_ended")  # none of it ended a process
        finally:
            for front in fronts.values():
                front.close()
