"""A line-up: several channels of different make, each with faults drawn from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from glitchwatch.origin.channel import ChannelSpec
from glitchwatch.origin.faults import (
    ALL_KINDS,
    KINDS,
    PICTURE_KINDS,
    SOUND_KINDS,
    Fault,
    Layer,
    Schedule,
    draw,
)

# Name, raster, and whether picture and sound come in one MPEG-TS segment or apart in fragmented MP4.
# Two and two show the same programme, which then is made once; their faults are their own.
MAKES = (
    ("news", 480, 270, True),
    ("music", 480, 270, False),
    ("sport", 320, 180, False),
    ("film", 320, 180, True),
    ("kids", 320, 180, True),
    ("city", 320, 180, False),
)
SEGMENT_S = 2
PREROLL = 4
_READY_S = 4.0  # in which what is there at once is made, all channels beside each other
_FIRST_S = 14.0
_SETTLED_S = 30.0  # of long runs: by then every watch has learned the pace of its playlists
_DEMO_LONGEST_S = 5.0
_DEMO_EVERY_S = 2.0
# A jump in loudness is one against the last 20 s of the channel: early and beside an overload it would be none.
DEMO_KINDS = (
    *(kind for kind in (*PICTURE_KINDS, *SOUND_KINDS) if kind != "loudness"),
    "sound_missing",
    "clock_jump",
    "resolution_change",
    "segment_lost",
)
# What a channel can have that leaves its delivery whole: every second of it can be watched. A jump in loudness is one
# against more of the past than a watch that has just taken over has seen.
MEDIA_KINDS = tuple(
    name
    for name, kind in KINDS.items()
    if kind.layer in (Layer.PICTURE, Layer.SOUND, Layer.STREAM) and name != "loudness"
)
# Delivery breaks in ways of its own where the origin itself is broken.
SEGMENT_KINDS = (*MEDIA_KINDS, "segment_lost", "segment_slow")
PLANS = {"demo": DEMO_KINDS, "media": MEDIA_KINDS, "segments": SEGMENT_KINDS, "all": ALL_KINDS}


@dataclass(frozen=True, slots=True)
class LineUp:
    """`count` channels; faults of `plan` (a key of PLANS) follow from `seed`, none ends after `last_s`."""

    seed: int
    count: int = len(MAKES)
    plan: str = "demo"
    lasts_s: float = float("inf")  # media seconds of each channel
    last_s: float = float("inf")
    listed: int = 12  # segments in each playlist: nothing is lost by an outage that is shorter

    def channels(self) -> list[tuple[ChannelSpec, Schedule]]:
        """What an Origin is made from. Segments of different channels are due at different moments."""
        out = []
        for index, (name, width, height, muxed) in enumerate(MAKES[: self.count]):
            spec = ChannelSpec(
                name,
                seed=self.seed + index // 2,
                width=width,
                height=height,
                muxed=muxed,
                segment_s=SEGMENT_S,
                preroll=PREROLL,
                listed=self.listed,
                kept=self.listed + 6,
                phase_s=_READY_S + index * SEGMENT_S / len(MAKES),
                lasts_s=self.lasts_s,
            )
            faults = self._demo(index, spec) if self.plan == "demo" else self._drawn(index, spec)
            out.append((spec, Schedule(takewhile(lambda f: f.end_s <= self.last_s, faults), remember=20_000)))
        return out

    def _drawn(self, index: int, spec: ChannelSpec) -> Iterator[Fault]:
        return draw(
            self.seed + index,
            PLANS[self.plan],
            fps=spec.fps,
            segment_s=spec.segment_s,
            first_s=_SETTLED_S + index,
            gap_s=(8.0, 14.0),
            programme=spec.programme(),
        )

    def _demo(self, index: int, spec: ChannelSpec) -> Iterator[Fault]:
        """Every kind is dealt to one channel after another, so that all of them are seen within a minute."""
        for turn, kinds in enumerate(_dealt(self.seed, self.count)):
            first_s = _FIRST_S + (turn * self.count + index) * _DEMO_EVERY_S
            yield next(
                draw(
                    self.seed + 100 * turn + index,
                    [kinds[index]],
                    fps=spec.fps,
                    segment_s=spec.segment_s,
                    first_s=first_s,
                    longest_s=_DEMO_LONGEST_S,
                    programme=spec.programme(),
                )
            )


def _dealt(seed: int, count: int) -> Iterator[Sequence[str]]:
    """A kind for each of `count` channels, again and again; all come once before any comes again."""
    rng = random.Random(seed)
    deck: list[str] = []
    while True:
        while len(deck) < count:
            more = list(DEMO_KINDS)
            rng.shuffle(more)
            deck += more
        yield deck[:count]
        del deck[:count]
