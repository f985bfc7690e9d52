"""The FFmpeg command lines that a user would write instead, as far as the build at hand has the filters."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from benchmarks.children import output

ALWAYS = ("blackdetect", "freezedetect")  # cheap, and need every picture
PICTURE = (*ALWAYS, "blockdetect", "blurdetect", "signalstats", "idet", "cropdetect")
SOUND = ("silencedetect", "ebur128=peak=true", "astats")
LIKE = (ALWAYS, ("silencedetect", "ebur128=peak=true"))


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """One binary, and which of the filters it lacks."""

    path: str
    version: str
    lacks: list[str] = field(default_factory=list)

    def decode(self, file: Path) -> list[str]:
        """Picture and sound decoded, nothing else: FFmpeg's own floor."""
        return [*self._read(file), "-f", "null", "-"]

    def plain(self, file: Path) -> list[str]:
        """Every filter on every picture, as written without a second thought."""
        return [*self._read(file), "-vf", self._chain(PICTURE), "-af", self._chain(SOUND), "-f", "null", "-"]

    def tuned(self, file: Path, *, half: bool) -> list[str]:
        """Black and freeze on every picture, the rest on five a second, at full or half width and height."""
        size = ",scale=iw/2:ih/2:flags=area" if half else ""
        rest = tuple(name for name in PICTURE if name not in ALWAYS)
        graph = f"[0:v]split[a][b];[a]{self._chain(ALWAYS)}[all];[b]fps=5{size},{self._chain(rest)}[some]"
        maps = ["-map", "[all]", "-map", "[some]", "-map", "0:a"]
        return [
            *self._read(file),
            "-filter_complex",
            graph,
            *maps,
            "-af",
            self._chain(SOUND),
            "-f",
            "null",
            "-",
        ]

    def like(self, file: Path) -> list[str]:
        """Black, freeze, silence, loudness and true peak alone."""
        return [
            *self._read(file),
            "-vf",
            self._chain(LIKE[0]),
            "-af",
            self._chain(LIKE[1]),
            "-f",
            "null",
            "-",
        ]

    def _read(self, file: Path) -> list[str]:
        one = ["-threads", "1", "-filter_threads", "1", "-filter_complex_threads", "1"]
        return [self.path, "-hide_banner", "-nostdin", "-nostats", *one, "-i", str(file)]

    def _chain(self, names: tuple[str, ...]) -> str:
        return ",".join(name for name in names if name.partition("=")[0] not in self.lacks) or "null"


def find() -> Ffmpeg | None:
    """The system's FFmpeg, else the one that the package imageio-ffmpeg brings, else None."""
    path = shutil.which("ffmpeg")
    if path is None and find_spec("imageio_ffmpeg") is not None:
        path = str(import_module("imageio_ffmpeg").get_ffmpeg_exe())
    if path is None:
        return None
    version = re.search(r"version (\S+)", output([path, "-hide_banner", "-version"]))
    have = set(
        re.findall(r"^ [A-Z.|]{2,3} +(\w+) ", output([path, "-hide_banner", "-filters"]), re.MULTILINE)
    )
    wanted = [name.partition("=")[0] for name in (*PICTURE, *SOUND)]
    return Ffmpeg(path, version[1] if version else "unknown", [name for name in wanted if name not in have])
