"""What programme is made of: clips of a corpus of real footage where one lies beside the checkout, and made ones.

The corpus is the folder `../shared/corpus` beside the checkout, or what GLITCHWATCH_CORPUS names. Its MANIFEST.csv
tells what each file shows. Used are `dev` rows (never `train`: what learned from footage is not judged by it) that
decode, hold at least a second, and are natural footage, animation, screens or sound. Files with a real defect or a
deliberate one (bars, tone, silence, black) are left out; `benchmarks.footage` watches those as they are. Traits of
the footage itself excuse a detector that sees them: film grain is noise, and a gauzy gradient is banding.
"""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USES = ("dev",)
MADE = "made:"

KINDS = ("natural", "animation", "screen")
BROKEN = re.compile(
    r"REAL|green background|colour bars|slate|variable frame|irregular frame|digital silence|long silence"
    r"|silent audio|ends early|shorter|1 fps|static picture|multi-track|starts with black|fade"
    r"|distort|low colour depth|Dirac",
    re.IGNORECASE,
)
SOUND_BROKEN = re.compile(
    r"REAL|silence|\btone\b|full-scale square|silent|shorter audio|faulty|glitch", re.IGNORECASE
)
# What footage may show by nature, and who may say so: such findings are neither hits nor false alarms.
EXCUSES: tuple[tuple[str, frozenset[str]], ...] = (
    (r"grain|low light noise|noisy|HDR AV1|dark, rain", frozenset({"picture_noise", "audio_noise"})),
    (r"flicker", frozenset({"flicker", "flash"})),
    (r"defocus|blurred|motion blur", frozenset({"blur"})),
    (r"blockiness|heavier compression", frozenset({"blockiness"})),
    (r"border|letterbox", frozenset({"black_bars"})),
    (r"banding|dither|low contrast", frozenset({"banding"})),
    (r"B/W|silent B/W", frozenset({"chroma_loss"})),
    (r"bear behind fence", frozenset({"levels"})),  # highlights above code 246 on up to 3.5 % of the picture
    (r"hum-like|hum\b|60 Hz", frozenset({"hum"})),
    (r"above 0 dBFS", frozenset({"clipping", "true_peak"})),
)
# What the manifest does not tell and a look at the spectrum does: 60 Hz and odd harmonics, 50 dB above what is beside.
FOUND = {"dev/debian-forensics-samples/movie-hello.mp4": frozenset({"hum"})}
STILL = re.compile(
    r"near-static|static|still-like|slides|screencast|screen content|toy figures|conference|empty meeting",
    re.IGNORECASE,
)
LEAST_WIDTH = 320


@dataclass(frozen=True, slots=True)
class Source:
    """One clip of pictures or sound; without a path it is made (see `benchmarks.programme`)."""

    name: str
    path: Path | None
    kind: str
    fps: float = 25.0
    seconds: float = 60.0
    width: int = 640
    moving: bool = True  # something moves all the time
    active: bool = True  # there is sound all the time
    excused: frozenset[str] = frozenset()

    def fits(self, defect: str) -> bool:
        """Whether `defect`, injected into it, would be a change."""
        return defect not in self.excused


MADE_PICTURES = (
    Source(MADE + "landscape", None, "made"),
    Source(MADE + "landscape2", None, "made"),
    Source(MADE + "still", None, "made", moving=False),
    Source(MADE + "slow_pan", None, "made", moving=False),
    Source(MADE + "titles", None, "made", moving=False),
    Source(MADE + "credits", None, "made", moving=False),
    Source(MADE + "near_static", None, "made", moving=False, excused=frozenset({"picture_noise"})),
    Source(MADE + "night", None, "made", moving=False, excused=frozenset({"picture_noise", "banding"})),
    Source(MADE + "on_twos", None, "made", moving=False),
)
MADE_SOUNDS = (
    Source(MADE + "speech_music", None, "made"),
    Source(MADE + "speech_music2", None, "made"),
    Source(MADE + "quiet_dialogue", None, "made", active=False),
    Source(MADE + "fading_music", None, "made", active=False),
)


def corpus() -> Path | None:
    """The corpus folder, where there is one."""
    named = os.environ.get("GLITCHWATCH_CORPUS")
    folder = Path(named) if named else ROOT.parent / "shared" / "corpus"
    return folder if (folder / "MANIFEST.csv").is_file() else None


def pictures(folder: Path | None) -> list[Source]:
    """All picture sources."""
    found = []
    for row in _good(folder):
        words = f"{row['content']} {row['known_defects']} {row['note']}"
        if row["kind"] not in KINDS or row["width"] == "" or int(row["width"]) < LEAST_WIDTH:
            continue
        if row["field_order"] not in ("", "progressive") or BROKEN.search(words):
            continue
        if not 10 <= float(row["fps"]) <= 61:  # slide shows, and time bases that pass for a rate
            continue
        if re.search(r"black=(?!0\.[0-9])|freeze=", row["measured"]):
            continue
        assert folder is not None
        found.append(
            Source(
                name=row["file"],
                path=folder / row["file"],
                kind=row["kind"],
                fps=float(row["fps"]),
                seconds=float(row["duration_s"]),
                width=int(row["width"]),
                moving=STILL.search(words) is None,
                excused=_excused(words),
            )
        )
    return found + list(MADE_PICTURES)


def sounds(folder: Path | None) -> list[Source]:
    """All sound sources."""
    found = []
    for row in _good(folder):
        words = f"{row['content']} {row['known_defects']} {row['note']}"
        measured = row["measured"]
        silent = _measured(measured, r"sil([\d.]+)", 0.0)
        if not row["audio_codec"] or row["kind"] not in (*KINDS, "audio") or "audio=" not in measured:
            continue
        if SOUND_BROKEN.search(words) or silent > 0.35 or _measured(measured, r"rms(-?[\d.]+)", 0.0) < -50:
            continue
        assert folder is not None
        excused = _excused(words) | {"mono"}  # much was recorded so, and the manifest does not tell
        if _measured(measured, r"peak(-?[\d.]+)", -99.0) >= -0.3:
            excused |= {"clipping", "true_peak"}
        if re.search(r"h[56]0:", measured):
            excused |= {"hum"}
        excused |= FOUND.get(row["file"], frozenset())
        if _measured(measured, r"corr(-?[\d.]+)", 1.0) < 0.2:
            excused |= {"phase_reversal"}
        found.append(
            Source(
                name=row["file"],
                path=folder / row["file"],
                kind=row["kind"],
                seconds=float(row["duration_s"]),
                active=silent < 0.05 and "zero" not in measured,
                excused=excused,
            )
        )
    return found + list(MADE_SOUNDS)


def rows(folder: Path | None) -> list[dict[str, str]]:
    """The manifest's rows that scoring may use."""
    if folder is None:
        return []
    with (folder / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    return [row for row in found if row["use"] in USES and (folder / row["file"]).is_file()]


def _good(folder: Path | None) -> list[dict[str, str]]:
    return [row for row in rows(folder) if row["decode"] == "ok" and float(row["duration_s"] or 0) >= 1.0]


def _excused(words: str) -> frozenset[str]:
    return frozenset().union(*(who for what, who in EXCUSES if re.search(what, words, re.IGNORECASE)))


def _measured(text: str, pattern: str, otherwise: float) -> float:
    match = re.search(pattern, text)
    return float(match[1]) if match else otherwise
