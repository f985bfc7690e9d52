"""The small pictures of faults: of every kind of injector, within their bytes, the same each time."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.pictures import FOLDER, MOST_BYTES, draw
from detectors.catalogue import load
from glitchwatch.catalogue_docs import page
from tests.injection import Fault

ROOT = Path(__file__).parents[3]
FAULTS = {
    "turns_grey": Fault("x", (1.0, 2.0), picture=lambda p, m: (np.full_like(p[0], 126), p[1], p[2])),
    "left_out": Fault("x", (1.0, 2.0), picture=lambda p, m: None),
    "noise": Fault(
        "x",
        (1.0, 2.0),
        picture=lambda p, m: (m.rng.integers(16, 235, p[0].shape).astype(np.uint8), p[1], p[2]),
    ),
    "quiet": Fault("x", (1.0, 2.0), sound=lambda s, m: s * np.float32(0)),
    "no_sound": Fault("x", (1.0, 2.0), sound=lambda s, m: None),
}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_kind_of_fault_is_drawn_small_and_alike(name: str) -> None:
    drawn = draw(name, FAULTS[name])
    assert drawn is not None
    suffix, data = drawn
    assert suffix == ("png" if FAULTS[name].picture else "svg")
    assert len(data) <= MOST_BYTES
    assert draw(name, FAULTS[name]) == drawn


def test_the_fault_is_below_and_the_programme_above() -> None:
    drawn = draw("turns_grey", FAULTS["turns_grey"])
    assert drawn is not None
    image = cv2.imdecode(np.frombuffer(drawn[1], np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    half = image.shape[0] // 2
    inside = (slice(8, half - 8), slice(8, image.shape[1] // 4 - 8))
    assert image[:half][inside].std() > 2 * image[half:][inside].std()


def test_a_fault_of_clocks_has_no_picture() -> None:
    assert draw("clock", Fault("x", (1.0, 2.0), clock_s=(0.5, 1.0))) is None


def test_the_pictures_in_the_docs_are_of_detectors_and_small() -> None:
    paths = list((ROOT / FOLDER).iterdir())
    assert {path.stem for path in paths} <= set(load())
    assert [path.name for path in paths if path.stat().st_size > MOST_BYTES] == []


def test_the_page_shows_pictures_and_costs_where_there_are_any() -> None:
    detectors = {"black": load()["black"]}
    text = page(detectors, None, {"of": "1080p30", "cpu_ms_per_s": {"black": 0.123}}, {"black": "black.png"})
    assert (
        "![black: above four moments as it was, below with the fault at its grossest](faults/black.png)"
        in text
    )
    assert "**Costs** 0.123 ms of CPU a second of 1080p30." in text
    assert "![" not in page(detectors)
    assert "**Costs**" not in page(detectors)
