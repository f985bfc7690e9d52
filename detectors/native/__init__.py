"""The inner loops of detection in C: `kernels`, or None where the package was built without a compiler.

Whoever uses one of them has the same in numpy and OpenCV beside it, which says what it means; the two must agree. What
arguments a kernel takes is said above it in its source; what does not fit raises TypeError or ValueError.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

__all__ = ["fits", "kernels"]

kernels: Any
try:
    kernels = importlib.import_module("detectors.native._kernels")
except ModuleNotFoundError:
    kernels = None


def fits(plane: np.ndarray[Any, Any]) -> bool:
    """Whether the samples of a line lie side by side, as the kernels want them: those of NV12's chroma do not."""
    return bool(plane.strides[-1] == plane.itemsize)
