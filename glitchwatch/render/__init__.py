"""What people and other programs read of a finished report: one module a format.

`junit`, `csv_`, `ebu_qc` and `html` each have `render(reports, extras) -> str`; `table` and `progress` speak to a
terminal; `measurements` writes numbers over time; `files` puts text where it belongs, whole or not at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

Curve = Sequence[tuple[float, float]]  # (media seconds, value), in order of time


@dataclass(frozen=True, slots=True)
class Extras:
    """What one report's rendering may show beyond the document itself.

    `series` holds curves by measurement name; a name may be followed by a blank and a track
    (`"loudness_momentary audio:1"`). `thumbnails` holds JPEG bytes by the defect's index in the report.
    `written_at` is the wall clock of writing, UTC; None reads the machine's clock where a format demands one.
    """

    series: Mapping[str, Curve] = field(default_factory=dict)
    thumbnails: Mapping[int, bytes] = field(default_factory=dict)
    written_at: datetime | None = None


AnyExtras = Extras | Sequence[Extras] | None  # one for the only report, or one for each in the same order


def extras_of(extras: AnyExtras, index: int) -> Extras:
    """The extras of report `index`; empty where none were given."""
    if extras is None:
        return Extras()
    if isinstance(extras, Extras):
        return extras if index == 0 else Extras(written_at=extras.written_at)
    return extras[index] if index < len(extras) else Extras()
