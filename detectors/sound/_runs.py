"""Stretches of a block in which a condition does not change."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt


def runs(holds: npt.NDArray[np.bool_], at_ns: int, end_ns: int) -> Iterator[tuple[int, int, int, int, bool]]:
    """(start ns, end ns, first step, step after the last, condition) of each stretch of the block's equal steps."""
    held = int(np.count_nonzero(holds))
    if held in (0, len(holds)):
        yield at_ns, end_ns, 0, len(holds), held > 0
        return
    cuts = [0, *(np.flatnonzero(holds[1:] != holds[:-1]) + 1).tolist(), len(holds)]
    for first, last in pairwise(cuts):
        start = at_ns + (end_ns - at_ns) * first // len(holds)
        yield start, at_ns + (end_ns - at_ns) * last // len(holds), first, last, bool(holds[first])
