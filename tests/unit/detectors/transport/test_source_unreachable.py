"""Source unreachable: blindness with its cause, as long as it really lasted."""

from typing import Final

from contracts.findings import Severity
from detectors.transport.source_unreachable import DETECTOR, SourceUnreachable
from tests.unit.detectors.transport.moments import SECOND, blind, bounds, edges_of, ticked

NOT_INJECTABLE = "only an origin can withhold itself; the origin's faults and the demo do"
CODE: Final = "source_unreachable"
OTHER: Final = "source_stalled"
REASON = "refused: nothing listens there"


def source() -> SourceUnreachable:
    return DETECTOR(DETECTOR.Params(), None)


def test_golden_from_the_loss_of_sight_to_its_return() -> None:
    lost = [blind(4 + i, CODE, REASON) for i in range(6)]  # told about once a second
    found = edges_of(source(), ticked(blind(0, None), *lost, blind(9.5, None)))
    assert bounds(found) == [("opened", 4.0), ("closed", 9.5)]
    assert found[0].severity is Severity.CRITICAL
    assert found[0].detail == found[1].detail == REASON
    assert found[1].peak.value == 5.5
    assert found[0].track is None


def test_a_source_that_is_there_is_silent() -> None:
    assert edges_of(source(), ticked(blind(0, None), blind(3, None))) == []


def test_another_cause_is_another_detectors() -> None:
    assert edges_of(source(), ticked(blind(2, OTHER, "why"), blind(5, None))) == []


def test_a_cause_that_changes_ends_this_one() -> None:
    found = edges_of(source(), ticked(blind(2, CODE, REASON), blind(5, OTHER, "why"), blind(8, None)))
    assert bounds(found) == [("opened", 2.0), ("closed", 5.0)]


def test_tracks_are_lost_apart() -> None:
    lost = [
        blind(2, CODE, REASON, "video:0"),
        blind(3, CODE, REASON, "audio:0"),
        blind(4, None, "", "video:0"),
    ]
    found = edges_of(source(), ticked(*lost))
    assert [(f.edge.value, f.track, f.at_ns // SECOND) for f in found] == [
        ("opened", "video:0", 2),
        ("opened", "audio:0", 3),
        ("closed", "video:0", 4),
    ]


def test_it_stays_open_to_the_end() -> None:
    assert bounds(edges_of(source(), ticked(blind(2, CODE, REASON)))) == [("opened", 2.0)]


def test_an_address_that_our_policy_refuses_is_unreachable_too() -> None:
    found = edges_of(source(), ticked(blind(2, "source_forbidden", "loopback"), blind(5, None)))
    assert bounds(found) == [("opened", 2.0), ("closed", 5.0)]


def test_what_another_process_had_found_has_its_beginning() -> None:
    first = edges_of(source(), ticked(blind(4, CODE, REASON)))[0]
    taking = source()
    taking.adopt(first)
    found = edges_of(taking, ticked(blind(9, CODE, REASON), blind(12, None), blind(20, CODE, REASON)))
    assert bounds(found) == [("opened", 4.0), ("closed", 12.0), ("opened", 20.0)]
