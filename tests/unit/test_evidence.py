from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from contracts.errors import ConfigError
from contracts.findings import DefectEdge, Edge, Peak, Severity
from detectors.frame import Frame
from tests.unit.render.reports import defect, report
from worker.evidence import Evidence, thumbnail


def frame(
    width: int = 1280, height: int = 720, code: tuple[int, int, int] = (126, 128, 128), *,
    depth: int = 8, full: bool = False, divide: tuple[int, int] | None = (2, 2), at_s: float = 4.0,
) -> Frame:  # fmt: skip
    """One flat colour; `code` is in 8-bit code values."""
    kind: Any = np.uint8 if depth == 8 else np.uint16
    y, cb, cr = (c << (depth - 8) for c in code)
    chroma = None
    if divide:
        shape = (-(-height // divide[1]), -(-width // divide[0]))
        chroma = (np.full(shape, cb, kind), np.full(shape, cr, kind))
    return Frame(
        "video:0", int(at_s * 1e9), 40_000_000, np.full((height, width), y, kind), chroma, depth, full
    )


def decoded(jpeg: bytes) -> npt.NDArray[Any]:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


def colour(of: Frame) -> list[int]:
    """Mean (red, green, blue)."""
    return [round(float(c)) for c in decoded(thumbnail(of)).mean(axis=(0, 1))[::-1]]


# 8-bit code values of 100 % colours: BT.709 for 720 lines, BT.601 for 576.
RED_709, GREEN_709, BLUE_709 = (63, 102, 240), (173, 42, 26), (32, 240, 118)
RED_601 = (81, 90, 240)


@pytest.mark.parametrize(
    ("of", "rgb"),
    [
        (frame(code=(16, 128, 128)), [0, 0, 0]),
        (frame(code=(235, 128, 128)), [255, 255, 255]),
        (frame(code=(126, 128, 128)), [128, 128, 128]),
        (frame(code=(0, 128, 128), full=True), [0, 0, 0]),
        (frame(code=(255, 128, 128), full=True), [255, 255, 255]),
        (frame(code=(100, 128, 128), full=True), [100, 100, 100]),
        (frame(code=RED_709), [255, 0, 0]),
        (frame(code=GREEN_709), [0, 255, 0]),
        (frame(code=BLUE_709), [0, 0, 255]),
        (frame(720, 576, RED_601), [255, 0, 0]),
        (frame(code=RED_709, depth=10), [255, 0, 0]),
        (frame(code=RED_709, depth=12, divide=(1, 1)), [255, 0, 0]),
        (frame(code=RED_709, depth=16, divide=(2, 1)), [255, 0, 0]),
        (frame(code=(126, 0, 0), divide=None), [128, 128, 128]),
        (frame(code=(126, 0, 0), divide=None, depth=10), [128, 128, 128]),
    ],
)
def test_colours_range_and_depth_come_out_right(of: Frame, rgb: list[int]) -> None:
    assert np.abs(np.array(colour(of)) - rgb).max() <= 4


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((1920, 1080), (320, 180)),
        ((1279, 719), (320, 180)),
        ((321, 181), (320, 180)),
        ((175, 143), (175, 143)),
        ((1080, 1920), (320, 569)),
        ((1, 1), (1, 1)),
        ((3, 5), (3, 5)),
        ((4000, 2), (320, 1)),
    ],
)
def test_size_keeps_proportions_and_never_grows(size: tuple[int, int], made: tuple[int, int]) -> None:
    picture = decoded(thumbnail(frame(*size)))
    assert (picture.shape[1], picture.shape[0]) == made


def test_planes_with_padding_and_interleaved_chroma_are_read_right() -> None:
    luma = np.full((180, 512), 255, np.uint8)
    luma[:, :320] = 63
    both = np.empty((90, 160, 2), np.uint8)
    both[..., 0], both[..., 1] = 102, 240
    whole = Frame("video:0", 0, 1, luma[:, :320], (both[..., 0], both[..., 1]))
    blue, green, red = decoded(thumbnail(whole)).mean(axis=(0, 1))
    assert red > 200
    assert max(blue, green) < 60


def test_a_thumbnail_shows_where_things_are() -> None:
    of = frame(code=(16, 128, 128))
    of.luma[:360, :640] = 235
    picture = decoded(thumbnail(of))[..., 0]
    assert picture[:80, :150].min() > 240
    assert picture[100:, 170:].max() < 15


def test_making_one_leaves_the_frame_as_it_was() -> None:
    of = frame(code=RED_709, depth=10)
    before = of.luma.copy()
    thumbnail(of)
    assert np.array_equal(of.luma, before)


def edge(name: str = "black", at_s: float = 4.0, kind: Edge = Edge.OPENED, **changes: Any) -> DefectEdge:
    fields: dict[str, Any] = {
        "edge": kind, "defect": name, "detector": name, "track": "video:0", "at_ns": int(at_s * 1e9),
        "certain_at_ns": int((at_s + 2) * 1e9), "severity": Severity.ERROR, "peak": Peak("x", 1.0, "ratio"),
        "threshold": 0.5,
    }  # fmt: skip
    return DefectEdge(**(fields | changes))


def test_each_defect_gets_its_own_picture() -> None:
    kept = Evidence()
    kept.on_edge(edge(), frame(code=(16, 128, 128), at_s=6.0))
    kept.on_edge(edge("silence", 5.0, track="audio:0", channel="L"), frame(at_s=7.0))
    kept.on_edge(edge(at_s=20.0), frame(code=(235, 128, 128), at_s=22.0))
    found = kept.thumbnails(
        report(
            defects=[
                defect("freeze"),
                defect("black", 20.0, 24.0),
                defect("black", 4.0004, 8.0),
                defect("silence", 5.0, 9.0, track="audio:0", channel="L"),
                defect("silence", 5.0, 9.0, track="audio:0", channel="R"),
            ]
        )
    )
    assert sorted(found) == [1, 2, 3]
    assert decoded(found[1]).mean() > 250
    assert decoded(found[2]).mean() < 5


def test_only_an_opening_that_nothing_explains_is_kept() -> None:
    kept = Evidence()
    kept.on_edge(edge(kind=Edge.CLOSED), frame())
    kept.on_edge(edge(kind=Edge.UPDATED), frame())
    kept.on_edge(edge(suppressed_by="source_stalled"), frame())
    kept.on_edge(edge(), None)
    assert kept.shots == ()
    assert kept.dropped == 0


def test_one_defect_does_not_take_the_room_of_the_others() -> None:
    kept = Evidence(most=5, most_each=3)
    for n in range(10):
        kept.on_edge(edge(at_s=n), frame(64, 64))
    kept.on_edge(edge("freeze", 11), frame(64, 64))
    kept.on_edge(edge("blur", 12), frame(64, 64))
    kept.on_edge(edge("flash", 13), frame(64, 64))
    assert [shot.key[0] for shot in kept.shots] == ["black", "black", "black", "freeze", "blur"]
    assert kept.dropped == 8


def test_saving_writes_the_files_and_the_report_tells_their_paths(tmp_path: Path) -> None:
    kept = Evidence()
    kept.on_edge(edge("../bl\0ack"), frame(at_s=6.0))
    before = report(defects=[defect("freeze"), defect("../bl\0ack")])
    folder = tmp_path / "new" / "evidence"
    after = kept.save(folder, before)
    (item,) = after.defects[1].evidence
    assert after.defects[0].evidence == []
    assert before.defects[1].evidence == []
    assert Path(item.path).parent == folder
    assert Path(item.path).read_bytes() == kept.shots[0].jpeg
    assert (item.kind, item.at_s) == ("frame", 6.0)
    assert kept.save(folder, before) == after
    assert len(list(folder.iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Cannot write evidence into"):
        Evidence().save(tmp_path / "file" / "evidence", report())
