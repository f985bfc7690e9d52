"""The same clips through FFmpeg's own detectors: blackdetect, freezedetect, silencedetect, with their thresholds.

Only the least length is ours (that of the detector's parameters): their defaults of two seconds are ours too.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from contracts.findings import Severity
from contracts.report import Defect, PeakValue
from detectors.catalogue import load

FILTERS = {
    "black": ("-vf", "blackdetect=d={}", r"black_start:([\d.]+) black_end:([\d.]+)"),
    "freeze": ("-vf", "freezedetect=d={}", r"freeze_start: ([\d.]+)(?:.*?freeze_end: ([\d.]+))?"),
    "silence": ("-af", "silencedetect=d={}", r"silence_start: (-?[\d.]+)(?:.*?silence_end: ([\d.]+))?"),
}
TIMEOUT_S = 600


def watch(ffmpeg: str, path: Path, names: Sequence[str]) -> list[Defect]:
    """What FFmpeg says about a file. Raises RuntimeError when it does not read it."""
    chains: dict[str, list[str]] = {"-vf": [], "-af": []}
    for name in names:
        option, chain, _ = FILTERS[name]
        chains[option].append(chain.format(_least_s(name)))
    command = [ffmpeg, "-hide_banner", "-nostdin", "-nostats", "-threads", "1", "-i", str(path)]
    for option, wanted in chains.items():
        command += [option, ",".join(wanted)] if wanted else [f"-{option[1]}n"]
    done = subprocess.run(
        [*command, "-f", "null", "-"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{ffmpeg} could not read {path}: {done.stderr[-300:]}")
    return [defect for name in names for defect in said(name, done.stderr)]


def said(name: str, words: str) -> list[Defect]:
    """The defects in what it printed; one without an end lasts to the end of the file."""
    out = []
    for start, end in re.findall(FILTERS[name][2], words, re.DOTALL):
        start_s = max(0.0, float(start))
        out.append(
            Defect(
                defect=name, detector=name, family="ffmpeg", track=None, start_s=start_s,
                end_s=float(end) if end else _length_s(words), open=not end, severity=Severity.ERROR, confidence=1.0,
                peak=PeakValue(name="none", value=0.0, unit="ratio"), threshold=0.0,
            )
        )  # fmt: skip
    return out


def _least_s(name: str) -> float:
    return float(getattr(load()[name].Params(), "min_seconds", 2.0))


def _length_s(words: str) -> float:
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", words)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0
