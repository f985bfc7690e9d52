"""Format change: a track goes on as something else."""

import pytest

from contracts.findings import Severity
from detectors.events import Format, Recall
from detectors.transport.format_change import DETECTOR, FormatChange
from tests.unit.detectors.transport.moments import SECOND, audio, bounds, edges_of, ticked, video

NOT_INJECTABLE = "a coded clip has one format from end to end; only an origin can change it within a stream"


def change(track: str = "video:0") -> FormatChange:
    return DETECTOR(DETECTOR.Params(), track)


def test_golden_another_raster() -> None:
    found = edges_of(change(), ticked(video(0), video(4, 640, 360)))
    assert bounds(found) == [("opened", 4.0), ("closed", 4.0)]
    assert found[0].severity is Severity.WARNING
    assert found[0].detail == "h264 1280x720 became h264 640x360"
    assert found[0].peak.value == 1.0


@pytest.mark.parametrize("then", [audio(3, 44_100), audio(3, channels=("M",)), audio(3, channels=("R", "L"))])
def test_sound_changes_too(then: Format) -> None:
    assert bounds(edges_of(change("audio:0"), ticked(audio(0), then))) == [("opened", 3.0), ("closed", 3.0)]


def test_another_codec() -> None:
    found = edges_of(change(), ticked(video(0), video(2, codec="hevc")))
    assert found[0].detail == "h264 1280x720 became hevc 1280x720"


def test_the_first_format_and_the_same_again_are_no_change() -> None:
    assert edges_of(change(), ticked(video(0), video(3), video(6))) == []


def test_there_and_back_within_half_a_second_is_one_defect() -> None:
    found = edges_of(change(), ticked(video(0), video(4, 640, 360), video(4.3)))
    assert bounds(found) == [("opened", 4.0), ("closed", 4.3)]
    assert found[-1].peak.value == 2.0


def test_there_and_back_after_an_advert_is_two() -> None:
    found = edges_of(change(), ticked(video(0), video(3, 640, 360), video(8)))
    assert bounds(found) == [("opened", 3.0), ("closed", 3.0), ("opened", 8.0), ("closed", 8.0)]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ([video(10, 640, 360)], [("opened", 10.0), ("closed", 10.0)]),
        ([video(10)], []),
        ([video(4, 640, 360)], []),  # from before that place, and it had been told
    ],
)
def test_what_another_process_saw_last_is_what_it_was_before(
    shown: list[Format], expected: list[tuple[str, float]]
) -> None:
    watching = change()
    assert list(watching.recall(Recall(10 * SECOND, "video:0", 0, video(0)))) == []
    assert bounds(edges_of(watching, ticked(*shown, until_s=12))) == expected
