"""Stretches of a block in which a condition does not change."""

from collections.abc import Iterator, Sequence
from itertools import groupby


def runs(holds: Sequence[bool], at_ns: int, end_ns: int) -> Iterator[tuple[int, int, int, int, bool]]:
    """(start ns, end ns, first step, step after the last, condition) of each stretch of the block's equal steps."""
    held = sum(holds)
    if held in (0, len(holds)):
        yield at_ns, end_ns, 0, len(holds), held > 0
        return
    first, length_ns = 0, end_ns - at_ns
    for hold, run in groupby(holds):
        last = first + sum(1 for _ in run)
        yield (
            at_ns + length_ns * first // len(holds),
            at_ns + length_ns * last // len(holds),
            first,
            last,
            hold,
        )
        first = last
