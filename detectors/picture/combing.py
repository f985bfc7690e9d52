"""Combing: fields of different moments woven into one picture, as a comb at every moving edge; or in the wrong order.

Measures  `combed_share`, ratio: of the samples that move, the share where lines stand out to one side and the other
          by turns, less the share where neighbours in the same line do, as noise and fine texture: that of the
          middlemost band, highest of each second. In an interlaced stream `field_order_ratio`, ratio: how many times
          farther the field that the stream says is first is from the last field before than the other one is, where
          something moves: about 0.5, and 2 where the order is wrong.
Defect    `combing`, warning: of what moves, `min_share` or more is combed, in four or more of the last ten pictures
          looked at in which something moves, and over `min_seconds`. So film brought to 60 fields a second, of which
          two pictures in five are combed (3:2 pulldown), is found too. Dated from the first such picture to the last;
          what stands still in between shows nothing, and parts nothing; what moves without a comb parts it after 1.5 s,
          where less than a twentieth of the samples does, after 5 s. Five pictures a second are looked at, on sixteen
          bands of lines of the full raster. An interlaced stream whose fields move back and forth as it says they are
          to be shown: eight looks in a row, 1.15 times in the middle one. Its detail names the two orders.
Blind to  Combing where nothing moves, which nobody sees, and where so little does, as of somebody who talks and is
          otherwise at rest, that it is told late or not at all; combs that were scaled after weaving; swapped fields
          without weaving. Wrong order where the stream does not say that it is interlaced, in movement so fast that
          any two fields are alike, and a change of what the stream says that comes without a new segment or
          connection. Strong noise smeared along the lines may pass for a comb; beside `picture_noise` it is not
          told. A stream that says of itself that it is interlaced combs by nature, and receivers deinterlace it: of it,
          the order of fields alone is judged.
Source    Practice: the comb, or zipper, by which deinterlacers tell woven fields.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from statistics import median  # of so few values, quicker than an array's
from typing import Any, NamedTuple

import cv2
import numpy as np
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors import native
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView
from detectors.hold import Hold
from detectors.picture._fields import BANDS, LINES, MOVED, ORDER, TELLING, Reversed, bands, corners

SECOND_NS = 1_000_000_000
SHARP = 14  # 8-bit code values by which a line differs from both of its neighbours: a comb's tooth
UNLIKE = 0.25  # of the differences between the two lines of either field shorten a tooth
LEAST_WIDE = 4  # samples: so many neighbours are compared
LEAST_TEETH = 0.01  # share of what moves: with fewer there is no comb, whatever the texture
LEAST_MOVING = 0.001  # share of the samples: with less movement there is nothing to see
WINDOW = 10  # telling looks: two seconds, if it moves all the time
LEAST_COMBED, COMBED_SHARE = 4, 0.35  # of the looks within it: 3:2 pulldown combs two in five
SLACK_NS = 200_000_000  # between two looks
FAINT = 0.25  # of the single teeth that the combed pictures have: the beginning of it, while little moves
OVER_NS, OVER_LOOKS = 1_500_000_000, 4  # without a comb where much moves, after which it has ended,
MUCH, HARDLY_NS = 0.05, 5 * SECOND_NS  # share of the samples; and where less does
FORGET_NS = 10 * SECOND_NS  # and where nothing moves
KEPT = 64  # looks, longer than it takes to be sure


class Comb(NamedTuple):
    """What moves in a picture, and how much of it is a comb."""

    moves: float  # share of the samples
    combed: float  # share of those that move: lines that stand out by turns
    single: float  # share of those that move: lines that stand out, as also thin horizontal lines do


NOTHING = Comb(0.0, 0.0, 0.0)


def _combed(frame: Frame) -> Comb:
    before = frame.previous
    if frame.interlaced or before is None or before.luma.shape != frame.luma.shape:
        return NOTHING
    if frame.height < BANDS * LINES or frame.width < LEAST_WIDE:
        return NOTHING
    if native.kernels is not None:
        return _of_bands(frame, before)
    now, past = bands(frame), bands(before)
    inner = now[:, 1:-2]  # lines with one above and two below
    changed = cv2.absdiff(_flat(inner), _flat(past[:, 1:-2]))
    moving = cv2.threshold(changed, MOVED - 1, 255, cv2.THRESH_BINARY)[1]
    moves = cv2.countNonZero(moving) / moving.size
    if moves < LEAST_MOVING:
        return Comb(moves, 0.0, 0.0)
    teeth, lines = _teeth([_flat(now[:, k : LINES - 3 + k]) for k in range(4)])
    moved = _counts(moving)
    lively = moved >= LEAST_MOVING * moving.size / BANDS
    single = cv2.countNonZero(cv2.bitwise_and(lines, moving)) / max(1, int(moved.sum()))
    combed = _counts(cv2.bitwise_and(teeth, moving))
    if not lively.any() or median((combed[lively] / moved[lively]).tolist()) < LEAST_TEETH:
        return Comb(moves, 0.0, single)
    grain, _ = _teeth([_flat(inner[:, :, k : inner.shape[2] - 3 + k]) for k in range(4)])
    combed -= _counts(cv2.bitwise_and(grain, _flat(moving.reshape(inner.shape)[:, :, 1:-2])))
    return Comb(moves, median((np.maximum(combed[lively], 0) / moved[lively]).tolist()), single)


def _of_bands(frame: Frame, before: Frame) -> Comb:
    """The same by the kernel."""
    tops, lefts, wide = corners(frame.height, frame.width)
    counts, size = np.empty((BANDS, 4), np.float32), BANDS * (LINES - 3) * wide

    def count(*, grain: bool) -> Any:
        native.kernels.comb(
            frame.luma, before.luma, tops, lefts, wide, frame.depth - 8, MOVED, SHARP, int(grain), counts
        )
        return counts.T

    moved, single, teeth, _ = count(grain=False)
    total = float(moved.sum())
    if total < LEAST_MOVING * size:
        return Comb(total / size, 0.0, 0.0)
    thin = float(single.sum()) / total
    lively = moved >= LEAST_MOVING * size / BANDS
    if not lively.any() or median((teeth[lively] / moved[lively]).tolist()) < LEAST_TEETH:
        return Comb(total / size, 0.0, thin)
    moved, _, teeth, grain = count(grain=True)
    combed = np.maximum(teeth[lively] - grain[lively], 0) / moved[lively]
    return Comb(total / size, median(combed.tolist()), thin)


def _flat(bands: Any) -> Any:
    return np.ascontiguousarray(bands).reshape(-1, bands.shape[-1])


def _counts(mask: Any) -> Any:
    """(BANDS,) of the samples that are set, to 255."""
    return cv2.reduce(mask.reshape(BANDS, -1), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel() / np.float32(255)


def _teeth(rows: Sequence[Any]) -> tuple[Any, Any]:
    """255 where the middle two of four neighbours stand out to opposite sides; and where the second of them does.

    In a comb, lines of one field are alike: so much as they differ, the tooth is shorter. In noise they are not.
    """
    first, second, third, fourth = rows
    rises = cv2.subtract(second, cv2.max(first, third))
    falls = cv2.subtract(cv2.min(first, third), second)
    up = cv2.min(rises, cv2.subtract(cv2.min(second, fourth), third))
    down = cv2.min(falls, cv2.subtract(third, cv2.max(second, fourth)))
    unlike = cv2.addWeighted(cv2.absdiff(first, third), UNLIKE, cv2.absdiff(second, fourth), UNLIKE, 0)
    return _sharp(cv2.subtract(cv2.max(up, down), unlike)), _sharp(cv2.max(rises, falls))


def _sharp(plane: Any) -> Any:
    return cv2.threshold(plane, SHARP - 1, 255, cv2.THRESH_BINARY)[1]


COMBED: Feature[Frame, Comb] = Feature("combed", _combed, rate_hz=SAMPLED_HZ)


class CombingParams(Params):
    """How much of what moves is combed, and for how long."""

    min_share: float = Field(default=0.05, ge=0.01, le=1, description="ratio of the samples that move, 0..1")
    min_seconds: float = Field(default=1.0, ge=0.2, le=3600, description="seconds of media time")


class _Look(NamedTuple):
    """A picture in which something moves; `clean` where enough does to say that there is no comb."""

    at_ns: int
    end_ns: int
    combed: bool
    clean: bool
    single: float
    moves: float


class Combing(Detector[CombingParams]):
    """See the module's docstring."""

    id = "combing"
    scope = Scope.VIDEO
    rate_hz = SAMPLED_HZ
    needs = (COMBED, ORDER)
    suppressed_by = ("black", "solid_color", "picture_missing", "picture_noise")
    Params = CombingParams

    def __init__(self, params: CombingParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="combed_share",
            unit="ratio",
            threshold=params.min_share,
            open_ns=0,
            severity=Severity.WARNING,
        )
        self._looks: deque[_Look] = deque(maxlen=KEPT)
        self._last: _Look | None = None  # combed
        self._second, self._most = -1, 0.0
        self._reversed = Reversed(self)

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Where it moves, is it combed? Where the stream has fields, are they in order?"""
        now, comb = view.at_ns, view[COMBED]
        yield from self._reversed.picture(view)
        self._most = max(self._most, comb.combed)
        if comb.moves >= LEAST_MOVING:  # which an interlaced one never does
            yield from self._reversed.forget(now)
            combed = comb.combed >= self.params.min_share
            clean = not combed and comb.moves >= TELLING
            look = _Look(now, view.end_ns, combed, clean, comb.single, comb.moves)
            self._looks.append(look)
            if look.combed:
                self._last = look
                yield from self._judge(look, comb.combed)
        if self._hold.is_open and self._is_over(now):
            yield from self._close(view.end_ns)
        second = now // SECOND_NS
        if second != self._second:
            self._second = second
            yield Measurement("combed_share", self._most, "ratio", now, self.track)
            self._most = 0.0

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock."""
        if event.kind in ("jump", "signalled"):
            yield from self._reversed.forget(event.at_ns)
            if self._hold.is_open:
                yield from self._close(event.at_ns)
            self._looks.clear()

    def finish(self, at_ns: int) -> Iterator[Finding]:
        """What has not combed for a while has ended, though nothing has moved since to show it."""
        if self._hold.is_open and self._last is not None and at_ns - self._last.at_ns >= OVER_NS:
            yield from self._close(at_ns)

    def _judge(self, look: _Look, share: float) -> Iterator[Finding]:
        if self._hold.is_open:
            yield from self._hold.update(look.at_ns, True, share, end_ns=look.end_ns)
            return
        telling = [
            one for one in self._looks if (one.combed or one.clean) and look.at_ns - one.at_ns < FORGET_NS
        ][-WINDOW:]
        combed = [one for one in telling if one.combed]
        lasted = look.end_ns + SLACK_NS - combed[0].at_ns
        if (
            len(combed) < max(LEAST_COMBED, COMBED_SHARE * len(telling))
            or lasted < self.params.min_seconds * 1e9
        ):
            return
        yield from self._hold.update(self._beginning(combed), True, share, end_ns=look.end_ns)

    def _beginning(self, combed: Sequence[_Look]) -> int:
        """The first of the pictures that comb, the faint ones before those that made us sure included."""
        faint = FAINT * float(np.median([one.single for one in combed]))
        begin, clean = self._back(combed[0].at_ns, faint, strict=False)
        if clean < OVER_LOOKS:  # thin lines stood out all the time
            begin, _ = self._back(combed[0].at_ns, faint, strict=True)
        return begin

    def _back(self, begin: int, faint: float, *, strict: bool) -> tuple[int, int]:
        """(the first look with faint teeth, clean ones right before it); `strict`: not where enough moves to tell."""
        clean = 0
        for one in reversed(self._looks):
            if one.combed or (one.single >= faint and not (strict and one.clean)):
                begin, clean = min(begin, one.at_ns), 0
            else:
                clean += one.clean
            if clean >= OVER_LOOKS or begin - one.at_ns >= FORGET_NS:
                break
        return begin, clean

    def _is_over(self, now: int) -> bool:
        if self._last is None:
            return False
        since = self._last.at_ns
        clean = [one for one in self._looks if one.clean and one.at_ns > since]
        quiet = now - since
        if quiet >= FORGET_NS:
            return True
        much = sum(one.moves >= MUCH for one in clean) >= OVER_LOOKS
        return len(clean) >= OVER_LOOKS and quiet >= (OVER_NS if much else HARDLY_NS)

    def _close(self, certain_ns: int) -> Iterator[Finding]:
        """Dated at the first clean picture, or soon after the last combed one where nothing moved then."""
        assert self._last is not None
        last = self._last
        later = [one.at_ns for one in self._looks if one.at_ns > last.at_ns]
        end = min([last.at_ns + SLACK_NS, *later[:1]])
        self._looks.clear()
        yield from self._hold.update(end, False, 0.0, end_ns=certain_ns)


DETECTOR = Combing
