"""Builds the kernels in C along with the package. Without a compiler the package works as well, and costs more."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("detectors/native")
LIBRARY = FOLDER / "_kernels.abi3.so"
FLAGS = ("-O3", "-fPIC", "-fopenmp-simd", "-Wall", "-Wextra", "-DPy_LIMITED_API=0x030B0000")
LINKED = ("-bundle", "-undefined", "dynamic_lookup") if sys.platform == "darwin" else ("-shared",)


class Kernels(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles them next to their sources, for an installation that is edited as for a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; a wheel that has them is for this kind of machine, and for any Python from 3.11 on."""
        root = Path(self.root)
        reason = build(root)
        if reason:
            self.app.display_warning(
                f"The kernels in C were left out, detection will cost more CPU: {reason}"
            )
            return
        build_data["artifacts"].append(str(LIBRARY))
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"


def build(root: Path) -> str | None:
    """Compile the kernels; why it was not possible, or None."""
    library = root / LIBRARY
    library.unlink(missing_ok=True)
    compiler = shlex.split(os.environ.get("CC", "cc"))
    include = f"-I{sysconfig.get_paths()['include']}"
    sources = sorted(str(path) for path in (root / FOLDER).glob("*.c"))
    made = library.with_suffix(".new")
    command = [*compiler, *FLAGS, *LINKED, include, *sources, "-o", str(made), "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode:
        made.unlink(missing_ok=True)
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{compiler[0]} failed"
    made.replace(library)
    return None
