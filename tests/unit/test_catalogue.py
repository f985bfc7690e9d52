"""What a detector must bring, asked of every one of them; and that bringing it takes two files."""

import ast
import importlib
import json
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from contracts.errors import ConfigError
from contracts.profile import DetectorChoice, Mode, Profile
from detectors.catalogue import AnyDetector, bind, causes_first, load
from detectors.detector import Detector, Scope
from detectors.frame import Frame
from detectors.picture.black import Black
from glitchwatch.catalogue_docs import (
    COSTS,
    FAMILIES,
    HEADINGS,
    catalogue_json,
    generated,
    manual_page,
    page,
    take_costs,
)
from tests.injection import Fault
from tests.run import edges

ROOT = Path(__file__).parents[2]
ALL = load()
EACH = pytest.mark.parametrize("name", sorted(ALL))

# Defects that the host itself says, which may explain a detector's.
OF_THE_HOST = {"source_unreachable", "source_stalled", "source_undecodable", "source_forbidden"}

UNIT_IN_NAME = re.compile(
    r"_(s|ms|us|ns|seconds|minutes|hz|khz|db|dbfs|dbtp|lu|lufs|fps|px|bits?|ratio|share|percent|count|codes?"
    r"|degrees|kbps|mbps|bytes|frames|pictures|samples|lines|blocks|channels|segments|packets|times)$"
)
UNIT_IN_TEXT = re.compile(
    r"\b(seconds?|s|ms|milliseconds|microseconds|Hz|kHz|dB|dBFS|dBTP|LU|LUFS|codes?|8-bit|share|ratio|percent|pixels?"
    r"|samples?|lines|pictures|frames|blocks|channels|segments|packets|times|number of|how many|correlation|cd/m²"
    r"|bits?|bytes|degrees|per second|a second|standard deviations?|median absolute deviations|probability"
    r"|fraction|factor|score|index|octaves?|harmonics"
    r"|0\.\.1|−1\.\.1|-1\.\.1|of full scale|of range|of the range)(?![\w])|%"
)


def test_file_of(name: str) -> Path:
    return ROOT / "tests/unit/detectors" / ALL[name].family() / f"test_{name}.py"


test_file_of.__test__ = False  # type: ignore[attr-defined]  # a helper, whatever its name begins with


def test_there_are_detectors() -> None:
    assert ALL, "the catalogue is empty, so every test over it would pass"


@EACH
def test_lives_in_a_known_family_under_its_own_id(name: str) -> None:
    detector = ALL[name]
    assert detector.family() in FAMILIES
    assert detector.__module__ == f"detectors.{detector.family()}.{name}"
    assert detector.id == name
    assert isinstance(detector.scope, Scope)
    assert detector.kinds, "it handles no kind of event"


@EACH
def test_its_manual_page_has_the_four_headings(name: str) -> None:
    sections = manual_page(ALL[name].manual())
    assert sections["Summary"]
    assert [h for h in HEADINGS if not sections.get(h)] == []


@EACH
def test_has_a_test_file_with_a_golden_case_and_its_fault(name: str) -> None:
    path = test_file_of(name)
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing"
    functions = [
        n.name for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.FunctionDef)
    ]
    assert any(f.startswith("test_golden") for f in functions), "no golden case: a test named test_golden..."
    module = importlib.import_module(f"tests.unit.detectors.{ALL[name].family()}.test_{name}")
    fault, reason = getattr(module, "FAULT", None), getattr(module, "NOT_INJECTABLE", "")
    assert isinstance(fault, Fault) or len(reason) > 20, "neither FAULT nor NOT_INJECTABLE = 'the reason'"


@EACH
def test_every_parameter_says_what_it_is_and_in_which_unit(name: str) -> None:
    silent = [n for n, f in ALL[name].Params.model_fields.items() if not (f.description or "").strip()]
    assert silent == []
    assert [n for n, f in ALL[name].Params.model_fields.items() if not says_unit(n, f)] == []


def says_unit(name: str, field: FieldInfo) -> bool:
    """Whether a reader knows the unit; yes-or-no switches, words and lists of words have none."""
    if not any(number in str(field.annotation) for number in ("int", "float")):
        return True
    return bool(UNIT_IN_NAME.search(name) or UNIT_IN_TEXT.search(field.description or ""))


@EACH
def test_every_parameter_has_a_default_and_the_defaults_validate(name: str) -> None:
    params = ALL[name].Params
    assert [n for n, f in params.model_fields.items() if f.is_required()] == []
    assert params.model_validate(params().model_dump()) == params()


@EACH
def test_every_number_has_a_range(name: str) -> None:
    properties = ALL[name].Params.model_json_schema().get("properties", {})
    limits = {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "enum"}
    assert [
        n for n, p in properties.items() if p.get("type") in {"integer", "number"} and not limits & set(p)
    ] == []


@EACH
def test_a_misspelt_parameter_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        ALL[name].Params.model_validate({"no_such_parameter": 1})


@EACH
def test_what_it_says_explains_it_exists(name: str) -> None:
    assert set(ALL[name].suppressed_by) <= set(ALL) | OF_THE_HOST


def test_detectors_that_explain_each_other_in_a_ring_are_refused() -> None:
    params = ALL[min(ALL)].Params
    ring: dict[str, AnyDetector] = {
        name: type(
            name, (Detector,), {"id": name, "scope": Scope.VIDEO, "suppressed_by": (cause,), "Params": params}
        )
        for name, cause in (("egg", "hen"), ("hen", "nest"), ("nest", "egg"))
    }
    with pytest.raises(ConfigError, match="egg -> hen -> nest -> egg"):
        causes_first(ring)
    assert list(causes_first({name: ring[name] for name in ("egg", "hen")})) == ["hen", "egg"]


def test_the_page_says_what_explains_what() -> None:
    table = page(ALL).split("## What explains what", 1)[1].split("\n## ", 1)[0]
    assert "| `black` |" in table
    row = next(line for line in table.splitlines() if line.startswith("| `black` |"))
    assert "`freeze`" in row


def test_the_host_can_seat_all_of_them() -> None:
    assert {seat.detector.id for seat in bind(ALL, Profile(), ALL)} == set(ALL)


def test_a_detector_on_trial_runs_only_where_it_is_named() -> None:
    class OnTrial(Black):
        id = "on_trial"
        trial = True

    known: dict[str, AnyDetector] = {"on_trial": OnTrial, "black": Black}
    by_name = Profile(detectors={"on_trial": DetectorChoice()})

    def seated(profile: Profile, *only: str) -> dict[str, Mode]:
        return {seat.detector.id: seat.mode for seat in bind(known, profile, only)}

    assert seated(Profile()) == {"black": Mode.CHECK}
    assert seated(by_name) == {"black": Mode.CHECK, "on_trial": Mode.CHECK}
    assert seated(Profile(), "on_trial") == {"on_trial": Mode.CHECK}


@pytest.mark.parametrize("path", ["detectors/catalogue.json", "docs/detectors.md"])
def test_generated_files_are_up_to_date(path: str) -> None:
    file = ROOT / path
    assert file.is_file(), "run `make docs`"
    assert file.read_text("utf-8") == generated(ROOT)[file], "run `make docs`"


def test_the_generated_texts_do_not_depend_on_the_order_of_loading() -> None:
    backwards = dict(reversed(list(ALL.items())))
    assert catalogue_json(backwards) == catalogue_json(ALL)
    assert page(backwards) == page(ALL)


def test_scores_appear_beside_the_detector_they_are_of() -> None:
    name = min(ALL)
    text = page(
        ALL, {"seed": 4, "detectors": {name: [{"level": "plain", "recall": 0.98765, "precision": None}]}}
    )
    section = text.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    assert "Scores below: seed 4." in text
    assert "| level | recall | precision |" in section
    assert "| plain | 0.988 | – |" in section


def test_only_costs_of_the_published_raster_are_kept(tmp_path: Path) -> None:
    for folder in ("docs", "build"):
        (tmp_path / folder).mkdir()
    for name, cost in (("1080p30", 2.5), ("360p30", 0.5)):
        measured = {"raster": name, "detectors_cpu_ms_per_s": {"black": cost}}
        bench = {"about": "here", "quick": False, "rasters": [measured]}
        (tmp_path / "build/bench.json").write_text(json.dumps(bench), "utf-8")
        take_costs(tmp_path)
    assert json.loads((tmp_path / COSTS).read_text("utf-8"))["cpu_ms_per_s"] == {"black": 2.5}


def test_a_manual_page_is_read_heading_by_heading() -> None:
    text = (
        "Too dark.\n\n**Measures** `x`,\nin dB.\n\nDefect: when\n  it lasts\nBlind to  nights\nSource\n  EBU\n"
        "Sourcery is no heading."
    )
    assert manual_page(text) == {
        "Summary": "Too dark.",
        "Measures": "`x`, in dB.",
        "Defect": "when it lasts",
        "Blind to": "nights",
        "Source": "EBU Sourcery is no heading.",
    }


def example() -> str:
    """The detector that CONTRIBUTING.md shows."""
    block = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL)
    assert block is not None
    return textwrap.dedent(" " * 3 + block[1].lstrip())


def flat(code: int, start_s: float, end_s: float) -> list[Frame]:
    """Pictures at 25 a second whose both chroma planes are `code`."""
    plane = np.full((90, 160), code, np.uint8)
    return [
        Frame("video:0", round(i * 4e7), 40_000_000, np.full((180, 320), 90, np.uint8), (plane, plane))
        for i in range(round(start_s * 25), round(end_s * 25))
    ]


def test_adding_a_detector_takes_one_file_and_its_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = tmp_path / "extra_detectors" / "picture"
    family.mkdir(parents=True)
    (family.parent / "__init__.py").touch()
    (family / "__init__.py").touch()
    (family / "magenta.py").write_text(example(), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))

    found = load("extra_detectors")
    assert list(found) == ["magenta"]
    profile = Profile(
        detectors={"magenta": DetectorChoice.model_validate({"mode": "report", "min_seconds": 0.5})}
    )
    (seat,) = bind(found, profile)
    assert seat.mode is Mode.REPORT
    stream = [*flat(128, 0, 1), *flat(200, 1, 3), *flat(128, 3, 4)]
    assert edges(seat.detector(seat.params, "video:0"), stream) == [("opened", 1.0), ("closed", 3.0)]
    assert "## magenta" in page(found)
    for module in [m for m in sys.modules if m.startswith("extra_detectors")]:
        monkeypatch.delitem(sys.modules, module)
