"""Every measurement over time, as CSV, plain or compressed: what thresholds are chosen from.

Rows are written as they come, so that a long watch needs no memory for them; the file appears under its name when
it is whole.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TextIO, cast

from contracts.errors import ConfigError
from contracts.findings import Measurement
from glitchwatch.render.csv_ import text
from glitchwatch.render.files import naming, replacing

HEADER = ("at_s", "name", "value", "unit", "track", "channel", "input")


class Row(NamedTuple):
    """One measurement: `at_s` is media seconds, `input` the redacted URL it was taken from."""

    at_s: float
    name: str
    value: float
    unit: str
    track: str | None = None
    channel: str | None = None
    input: str = ""


def row(measured: Measurement, source: str = "") -> Row:
    """The row of a finding."""
    return Row(
        measured.at_ns / 1e9,
        measured.name,
        measured.value,
        measured.unit,
        measured.track,
        measured.channel,
        source,
    )


class MeasurementFile:
    """A file of measurements, open for as long as the `with` block; kept only when that ends well.

    The suffix decides: `.csv` or `.csv.gz`. Raises ConfigError for another one, before anything is done, and when the
    file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        if not self._path.name.lower().endswith((".csv", ".csv.gz")):
            raise ConfigError(
                f"Cannot tell the format of {self._path}.", "Let its name end in .csv or .csv.gz."
            )
        self._stack = ExitStack()
        self._sink: _CsvSink | None = None

    def __enter__(self) -> MeasurementFile:
        with ExitStack() as stack:
            beside = stack.enter_context(replacing(self._path))
            with naming(self._path):
                self._sink = _CsvSink(beside, packed=self._path.suffix.lower() == ".gz")
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def _finish(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool:
        sink, self._sink = self._sink, None
        if sink is not None:
            with naming(self._path):
                sink.close()
        return False

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    def write(self, one: Row) -> None:
        """Add one row."""
        if self._sink is None:
            raise ValueError("the file is not open")
        with naming(self._path):
            self._sink.write(one)


def write(path: str | Path, rows: Iterable[Row]) -> None:
    """Write `rows` to `path` as its suffix says. Raises ConfigError as `MeasurementFile` does."""
    with MeasurementFile(path) as file:
        for one in rows:
            file.write(one)


class _CsvSink:
    """Rows as CSV; seconds to the microsecond."""

    def __init__(self, path: Path, *, packed: bool) -> None:
        opened = gzip.open if packed else open
        self._file = cast(TextIO, opened(path, "wt", encoding="utf-8", errors="replace", newline=""))
        self._writer = csv.writer(self._file)
        self._writer.writerow(HEADER)

    def write(self, one: Row) -> None:
        words = (text(one.unit), text(one.track), text(one.channel), text(one.input))
        self._writer.writerow((f"{one.at_s:.6f}", text(one.name), repr(float(one.value)), *words))

    def close(self) -> None:
        self._file.close()
