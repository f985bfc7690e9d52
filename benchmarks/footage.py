"""Files as they were found: those with real defects, and those that detectors mistake for broken. Nothing is injected.

The manifest says in words what is wrong with a file. A real defect counts as told when one of the findings that its
words lead to is raised, or, where the words are about the file itself, when its analysis ends with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.cases import Work, watch
from benchmarks.matching import counts
from benchmarks.sources import corpus, rows

UNREADABLE = "unreadable"  # not a defect: the report says `partial` or `failed`, and why
LEADS_TO: tuple[tuple[str, frozenset[str]], ...] = (
    (r"damaged|invalid|debris|packet errors", frozenset({"decode_error", "block_corruption", UNREADABLE})),
    (
        r"lost (IDR|P)",
        frozenset({"timestamp_drift", "decode_error", "block_corruption", "stutter", "freeze"}),
    ),
    (
        r"track lengths|audio time|audio starts",
        frozenset({"sound_missing", "picture_missing", "timestamp_drift"}),
    ),
    (r"only .* of .* s", frozenset({"sound_missing", "decode_error", UNREADABLE})),
    (
        r"malformed|truncated|no moov|broken|longer than file|zero dim|garbage",
        frozenset({UNREADABLE, "decode_error"}),
    ),
    (r"hum", frozenset({"hum"})),
    (r"nois", frozenset({"picture_noise", "audio_noise"})),
    (r"standards mismatch", frozenset({"format_change"})),
    (r"TEI|CC errors|sync-byte", frozenset({"decode_error", UNREADABLE})),
)
HARD = re.compile(
    r"near-static|static|night|dark|low light|slides|screencast|screen content|talking head|applause|vinyl|crackle"
    r"|fade|billboard|B/W|almost silent|large black|black borders|line art|1 fps|cartoon|CG animation",
    re.IGNORECASE,
)
CLEAN_KINDS = frozenset({"natural", "animation", "screen", "audio"})


@dataclass(frozen=True, slots=True)
class Footage:
    """One file, and what was raised."""

    name: str
    kind: Literal["real", "hard"]
    words: str
    status: str  # of the execution
    raised: list[str]  # "black 4.0–8.0 s warning"
    told: bool | None = None  # of a real defect: whether it was; None where the words lead nowhere


def chosen() -> list[dict[str, str]]:
    """The manifest's rows that are watched as they are."""
    found = []
    for row in rows(corpus()):
        real = row["known_defects"].startswith("REAL")
        about = f"{row['content']} {row['known_defects']} {row['note']}"
        hard = row["kind"] in CLEAN_KINDS and row["decode"] == "ok" and HARD.search(about)
        if real or hard:
            found.append(row)
    return found


def run_footage(row: Mapping[str, str], work: Work) -> Footage:
    """Watch one file."""
    folder = corpus()
    assert folder is not None
    report = watch(folder / row["file"])[1]
    alarms = [d for d in report.defects if counts(d)]
    raised = [f"{d.defect} {d.start_s:.1f}–{d.end_s:.1f} s {d.severity.value}" for d in alarms]
    words = row["known_defects"]
    if not words.startswith("REAL"):
        return Footage(
            row["file"], "hard", f"{row['content']} {words}".strip(), report.execution.status, raised
        )
    names = {d.defect for d in alarms} | ({UNREADABLE} if report.execution.status != "complete" else set())
    wanted = frozenset().union(*(who for what, who in LEADS_TO if re.search(what, words)))
    told = bool(names & wanted) if wanted else None
    return Footage(row["file"], "real", words.removeprefix("REAL: "), report.execution.status, raised, told)
