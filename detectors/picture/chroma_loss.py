"""Chroma loss: the colour goes, or one cast lies over all, in a stream that had colour.

Measures  `chroma_deviation`, 8-bit code values: standard deviation of the flatter one of Cb and Cr, once a second.
Defect    `chroma_loss`, error: within a shot, Cb or Cr or both go flat at once while the picture's light and shade
          stay, for `min_seconds`; dated at the first such picture, closed when colour is back. Both planes far from
          neutral and flat (green, as decoders show lost planes), or one without any life beside one with it, are
          a defect from the first picture on.
Blind to  Colour that goes at a cut or slowly (black-and-white inserts, fades of colour are programme), a stream
          without colour from its beginning, loss while the picture is nearly colourless or in movement so fast that
          other pictures might have come, swapped planes. In the dark, where all pictures are alike by their light, it
          has to be seen that their pattern and contrast go on.
Source    Practice of broadcast monitoring; EBU QC lists loss of chroma. The telling of faults from inserts by what
          happens within a shot is our own.
"""

from collections.abc import Iterator

from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Params
from detectors.events import Break
from detectors.frame import PictureView
from detectors.hold import Hold
from detectors.picture_features import CHROMA_SPREAD, LUMA_SPREAD, Spread
from detectors.shots import PATCHES, Scene
from detectors.unhurried import NEARLY, UnhurriedDetector

NEUTRAL = 128.0
LOST_OFFSET = 90.0  # from neutral: no picture of the world is all there
LIT_CODES = 6.0  # standard deviation of luma from which there is light and shade
BACK, BACK_CODES = 1.8, 2.0  # times what was left of a plane, and standard deviation: colour is back
LITTLE = 0.8  # standard deviation below which it does not matter how little is left
HALVED = 0.5  # of a plane's deviation is left from one look to the next: perhaps it went
DEAD, ALIVE = 0.25, 3.0  # standard deviations of one plane without life beside one with it
LIGHT = 12.0  # 8-bit code values that mean luma may change by meanwhile, else other pictures have come
OTHER = 1.1  # times the luma's deviation, from one look to the next, and more than before: of another picture
KEPT = 0.6  # of the luma's deviation is left, else it is a fade


def _ratio(one: float, other: float) -> float:
    return max(one, other) / max(min(one, other), 1e-6)


class ChromaLossParams(Params):
    """What counts as lost colour."""

    max_deviation: float = Field(
        default=2.5, ge=0, le=64, description="standard deviation of a flat chroma plane, 8-bit code values"
    )
    min_drop: float = Field(
        default=4.0, ge=1, le=100, description="times that the deviation was greater just before"
    )
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")


class ChromaLoss(UnhurriedDetector[ChromaLossParams]):
    """See the module's docstring."""

    id = "chroma_loss"
    needs = (CHROMA_SPREAD, LUMA_SPREAD, PATCHES)
    suppressed_by = ("black", "solid_color", "color_bars", "picture_missing", "blockiness")
    Params = ChromaLossParams

    def __init__(self, params: ChromaLossParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="chroma_deviation",
            unit="code values",
            threshold=params.max_deviation,
            open_ns=round(params.min_seconds * 1e9),
            close_ns=300_000_000,
            severity=Severity.ERROR,
            worst="min",
        )
        self._scenes = Scene(), Scene()  # of Cb and Cr: their deviation
        self._luma = Scene()
        self._flat: dict[
            int, float
        ] = {}  # the planes that went flat (0 is Cb, 1 is Cr), and what was left of them
        self._dropped: dict[int, tuple[int, float]] = {}  # planes that faded at once: when, and what was left
        self._before: tuple[Spread, Spread] | None = None
        self._second = -1

    @property
    def ready(self) -> bool:
        """Whether there is a past to compare with."""
        return self._luma.known or bool(self._flat)

    @property
    def is_calm(self) -> bool:
        """Whether both planes have the colour that they had."""
        return self._hold.since_ns is None and not self._flat and not self._dropped

    def may_matter(self, view: PictureView) -> bool:
        """Whether a plane is nearly flat, or much flatter than it was."""
        planes, before = view[CHROMA_SPREAD], self._before
        if planes is None:
            return False
        if NEARLY * min(plane.deviation for plane in planes) <= self.params.max_deviation or before is None:
            return True
        pairs = zip(planes, before, strict=True)
        return any(NEARLY * now.deviation <= HALVED * was.deviation for now, was in pairs)

    def let_pass(self, view: PictureView, following: PictureView) -> None:
        """It is taken to have the colour and the contrast of the next one."""
        planes, luma = following[CHROMA_SPREAD], following[LUMA_SPREAD]
        if planes is not None and luma.deviation >= LIT_CODES:
            self._add(view, planes, luma)

    def _add(self, view: PictureView, planes: tuple[Spread, Spread], luma: Spread) -> None:
        self._luma.add(view.at_ns, view[PATCHES], luma.deviation)
        for scene, plane in zip(self._scenes, planes, strict=True):
            scene.add_like(self._luma, plane.deviation)

    def look(self, view: PictureView) -> Iterator[Finding]:
        """Compare the spread of chroma with that of a moment ago."""
        planes, luma = view[CHROMA_SPREAD], view[LUMA_SPREAD]
        if planes is None:
            return
        least = min(p.deviation for p in planes)
        second = view.at_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            yield Measurement("chroma_deviation", least, "code values", view.at_ns, self.track)
        if luma.deviation < LIT_CODES:  # black, fog, a flat field: nothing can be told
            self._forget()
            if not self._flat:
                yield from self._hold.update(view.at_ns, False, least, end_ns=view.end_ns)
            return
        self._add(view, planes, luma)
        since = view.at_ns
        if self._flat:
            self._follow(planes)
        else:
            self._note_drops(view.at_ns, planes)
            self._flat, since = self._went_flat(view.at_ns, planes)
            if not self._flat:
                self._flat = self._lost(planes)
                since = min((self._dropped.get(n, (since, 0.0))[0] for n in self._flat), default=since)
        yield from self._hold.update(since, bool(self._flat), least, end_ns=view.end_ns)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock: pictures before and after say nothing about each other."""
        if event.kind in ("jump", "signalled"):
            self._forget()
        yield from super().broke(event)

    def _follow(self, planes: tuple[Spread, Spread]) -> None:
        """Whether the planes are still flat: a coder takes its time to forget their colour."""
        for index, left in self._flat.items():
            deviation = planes[index].deviation
            if deviation > max(BACK * left, BACK_CODES):
                self._flat = {}
                return
            self._flat[index] = min(left, deviation)

    def _note_drops(self, at_ns: int, planes: tuple[Spread, Spread]) -> None:
        """Since when a plane of little colour has had hardly any: whether it was lost is seen only later."""
        for index, plane in enumerate(planes):
            dropped = self._dropped.get(index)
            before = 0.0 if self._before is None else self._before[index].deviation
            if dropped is not None and plane.deviation > BACK * dropped[1]:
                del self._dropped[index]
            elif (
                dropped is None
                and before > DEAD
                and plane.deviation <= HALVED * before
                and self._is_steady(at_ns)
            ):
                self._dropped[index] = at_ns, plane.deviation
        self._before = planes

    def _is_steady(self, at_ns: int) -> bool:
        """Whether light and shade went on as they were when a plane fell."""
        usual = OTHER
        for before, now in self._luma.steps():
            step = _ratio(before.value, now.value)
            if now.at_ns == at_ns:
                return step <= usual and self._luma.steady_at(at_ns, LIGHT)
            usual = max(usual, step)
        return False

    def _went_flat(self, at_ns: int, planes: tuple[Spread, Spread]) -> tuple[dict[int, float], int]:
        """Which planes lost their colour in this scene, and since when."""
        if min(plane.deviation for plane in planes) > self.params.max_deviation:
            return {}, at_ns  # most pictures
        if any(luma.value < KEPT * before.value for before, luma in self._luma.pairs()):
            return {}, at_ns  # the picture itself fades
        flat, since = {}, []
        for index, (scene, plane) in enumerate(zip(self._scenes, planes, strict=True)):
            if plane.deviation > self.params.max_deviation:
                continue
            floor = self.params.min_drop * max(plane.deviation, LITTLE)
            before = max((past.value for past, _ in scene.pairs()), default=0.0)
            fell = scene.fell() if before >= floor else None
            if fell is not None and all(map(self._is_steady, scene.falling(fell))):
                flat[index] = plane.deviation
                since.append(fell)
        return flat, min(since, default=at_ns)

    def _lost(self, planes: tuple[Spread, Spread]) -> dict[int, float]:
        """The planes that no scene of the world has: one alone without any life, or both at their end."""
        least, most = sorted((plane.deviation, index) for index, plane in enumerate(planes))
        if least[0] <= DEAD and most[0] >= ALIVE:
            return {least[1]: least[0]}
        at_end = most[0] <= self.params.max_deviation and all(
            abs(p.mean - NEUTRAL) >= LOST_OFFSET for p in planes
        )
        return {index: plane.deviation for index, plane in enumerate(planes)} if at_end else {}

    def _forget(self) -> None:
        for scene in (*self._scenes, self._luma):
            scene.forget()
        self._dropped, self._before = {}, None


DETECTOR = ChromaLoss
