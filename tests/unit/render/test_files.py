import csv
import gzip
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ConfigError
from contracts.findings import Measurement
from glitchwatch.render import measurements
from glitchwatch.render.files import write_bytes, write_text
from glitchwatch.render.measurements import MeasurementFile, Row, row, write


def test_a_document_replaces_the_one_before_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("before")
    write_text(target, "ä–\n")
    assert target.read_bytes() == "ä–\n".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
    assert stat.S_IMODE(target.stat().st_mode) & 0o400


def test_a_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_text("-", "ä\r\n")
    assert capfdbinary.readouterr().out == "ä\r\n".encode()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "latest.json"
    link.symlink_to(tmp_path / "real" / "a.json")
    write_text(link, "x")
    assert link.is_symlink()
    assert (tmp_path / "real" / "a.json").read_text() == "x"


def test_what_is_no_file_is_written_to_and_not_replaced() -> None:
    write_text(os.devnull, "x")
    assert not Path(os.devnull).is_file()


def test_a_surrogate_of_a_file_name_is_written_as_something(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "caf\udce9")
    assert (tmp_path / "a").read_text() == "caf?"


def _missing(tmp_path: Path) -> Path:
    return tmp_path / "no" / "report.json"


def _folder(tmp_path: Path) -> Path:
    return tmp_path


def _below_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "report.json"


def _nul(tmp_path: Path) -> Path:
    return tmp_path / "a\0b"


@pytest.mark.parametrize(
    ("where", "advice"),
    [
        (_missing, "mkdir -p"),
        (_folder, "It is a folder"),
        (_below_a_file, "is a file"),
        (_nul, "another name"),
    ],
)
def test_a_refusal_names_the_path_and_what_to_do(
    tmp_path: Path, where: Callable[[Path], Path], advice: str
) -> None:
    path = where(tmp_path)
    with pytest.raises(ConfigError) as caught:
        write_text(path, "x")
    assert advice in caught.value.explain()
    assert path.name.replace("\0", "\\x00") in caught.value.explain()


def test_a_forbidden_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError, match="permission denied") as caught:
        write_bytes(tmp_path / "a", b"x")
    assert "You may not write in" in caught.value.hint


ROWS = [
    row(Measurement("loudness_momentary", -23.25, "LUFS", 1_500_000_000, "audio:0"), "a.mp4"),
    Row(2.0, "level", float("-inf"), "dBFS", "audio:0", "R", "=b.mp4"),
]


def test_measurements_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "m.CSV"
    write(path, ROWS)
    with path.open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert tuple(found[0]) == measurements.HEADER
    assert found[0] == {
        "at_s": "1.500000", "name": "loudness_momentary", "value": "-23.25", "unit": "LUFS", "track": "audio:0",
        "channel": "", "input": "a.mp4",
    }  # fmt: skip
    assert float(found[1]["value"]) == float("-inf")
    assert found[1]["input"] == "'=b.mp4"


def test_measurements_of_a_broken_run_are_not_kept(tmp_path: Path) -> None:
    def broken() -> Iterator[Row]:
        yield ROWS[0]
        raise KeyError

    with pytest.raises(KeyError):
        write(tmp_path / "m.csv", broken())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_open_takes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not open"):
        MeasurementFile(tmp_path / "m.csv").write(ROWS[0])


def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"m\.xls"):
        MeasurementFile(tmp_path / "m.xls")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_told_for_measurements_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        write(tmp_path / "no" / "m.csv", ROWS)


def test_measurements_can_be_compressed(tmp_path: Path) -> None:
    write(tmp_path / "m.csv.gz", ROWS)
    write(tmp_path / "m.csv", ROWS)
    assert gzip.decompress((tmp_path / "m.csv.gz").read_bytes()) == (tmp_path / "m.csv").read_bytes()
