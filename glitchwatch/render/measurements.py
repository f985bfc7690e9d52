"""Every measurement over time, as CSV or Parquet: what thresholds are chosen from.

Rows are written as they come, so that a long watch needs no memory for them; the file appears under its name when
it is whole.
"""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from contracts.errors import ConfigError
from contracts.findings import Measurement
from glitchwatch.render.csv_ import text
from glitchwatch.render.files import naming, replacing
from glitchwatch.render.words import clean

BATCH = 50_000  # rows of one Parquet row group, and held in memory at most
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


class _Sink(Protocol):
    def write(self, one: Row) -> None: ...

    def close(self) -> None: ...


class MeasurementFile:
    """A file of measurements, open for as long as the `with` block; kept only when that ends well.

    The suffix decides: `.csv` or `.parquet`. Raises ConfigError for another suffix, when the Parquet extra is not
    installed, and when the file cannot be written: the first two before anything is done.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._parquet: Any = None
        suffix = self._path.suffix.lower()
        if suffix == ".parquet":
            self._parquet = _pyarrow(self._path)
        elif suffix != ".csv":
            raise ConfigError(
                f"Cannot tell the format of {self._path}.", "Let its name end in .csv or .parquet."
            )
        self._stack = ExitStack()
        self._sink: _Sink | None = None

    def __enter__(self) -> MeasurementFile:
        with ExitStack() as stack:
            beside = stack.enter_context(replacing(self._path))
            with naming(self._path):
                self._sink = _ParquetSink(beside, self._parquet) if self._parquet else _CsvSink(beside)
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


def _pyarrow(path: Path) -> Any:
    """The Parquet module of pyarrow, or the advice how to get it."""
    try:
        importlib.import_module("pyarrow")
        return importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigError(
            f"Cannot write {path}: Parquet needs pyarrow, which is not installed.",
            "Install the extra glitchwatch[parquet], or let the name end in .csv.",
        ) from error


class _CsvSink:
    """Rows as CSV; seconds to the microsecond."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", errors="replace", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(HEADER)

    def write(self, one: Row) -> None:
        words = (text(one.unit), text(one.track), text(one.channel), text(one.input))
        self._writer.writerow((f"{one.at_s:.6f}", text(one.name), repr(float(one.value)), *words))

    def close(self) -> None:
        self._file.close()


class _ParquetSink:
    """Rows as Parquet; names are dictionary-coded, as they repeat."""

    def __init__(self, path: Path, parquet: Any) -> None:
        self._arrow = importlib.import_module("pyarrow")
        word = self._arrow.string()
        types = (self._arrow.float64(), word, self._arrow.float64(), word, word, word, word)
        self._schema = self._arrow.schema(list(zip(HEADER, types, strict=True)))
        self._writer = parquet.ParquetWriter(str(path), self._schema, compression="zstd")
        self._rows: list[Row] = []

    def write(self, one: Row) -> None:
        self._rows.append(one)
        if len(self._rows) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = [
            [clean(cell) if isinstance(cell, str) else cell for cell in column]
            for column in zip(*self._rows, strict=True)
        ]
        self._writer.write_table(self._arrow.table(columns, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._writer.close()
