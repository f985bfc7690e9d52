"""Black bars: the active picture shrank within its raster to a letterbox, pillarbox or window box.

Measures  `active_area`, ratio: share of the raster within the bars, once a second where it can be told.
Defect    `black_bars`, warning: within a shot, what was seen is at once between bars (cut off or squeezed) at both
          sides, or above and below, wider than those that the stream had by `min_bar` of that side at least, for
          `min_seconds`; dated at the first such picture. Bars that come with a cut, a dissolve or a zoom may be the
          programme's own (a film in its own shape, archive pictures): a finding of severity info. Logos and
          subtitles within the bars do not hide them. Bars that stay for `adopt_seconds` are the stream's own shape
          from then on, and so is at once a picture that grew.
Blind to  Bars from the very beginning (a film in its own shape), a bar on one side only, bars that are not black, or
          that leave a lit line at the edge of the raster. Where the picture is dark along the bars (night, titles,
          credits, fades) nothing is concluded until it is lit, but that bars go on which were seen to come.
          Bars that a fault brings within a second of a cut, or in very fast movement, pass for the programme's own.
Source    EBU QC active picture area; ITU-R BT.1868, AFD of SMPTE ST 2016-1 for the usual shapes. The telling of faults
          from programme by what goes on within a shot is our own.
"""

from collections import deque
from collections.abc import Iterator

from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.active_area import SEEN, WHOLE, Seen, Shape, came_at_once, still_barred
from detectors.detector import Params
from detectors.events import Break, Format
from detectors.frame import PictureView
from detectors.hold import Hold
from detectors.unhurried import UnhurriedDetector

LEARN_NS = 1_000_000_000
GROWN_NS = 1_000_000_000
PAST_NS = 900_000_000  # of pictures, to tell whether a shot goes on


class BlackBarsParams(Params):
    """What counts as another shape."""

    min_bar: float = Field(
        default=0.02, ge=0, le=0.5, description="ratio of the height or width that each bar takes more, 0..1"
    )
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")
    adopt_seconds: float = Field(
        default=300.0, ge=1, le=86_400, description="seconds after which bars are the stream's own shape"
    )


class BlackBars(UnhurriedDetector[BlackBarsParams]):
    """See the module's docstring."""

    id = "black_bars"
    needs = (SEEN, WHOLE)
    suppressed_by = ("black", "solid_color", "color_bars", "picture_missing")
    Params = BlackBarsParams

    def __init__(self, params: BlackBarsParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="active_area",
            unit="ratio",
            threshold=1.0,
            open_ns=round(params.min_seconds * 1e9),
            close_ns=400_000_000,
            severity=Severity.WARNING,
            worst="min",
        )
        self._past: deque[tuple[int, Seen]] = deque(maxlen=5)
        self._own: Shape | None = None
        self._came = Shape(0.0, 0.0)  # the first one that was smaller
        self._other: tuple[int, Shape] | None = None  # since when another shape has been seen, and which
        self._second = -1

    @property
    def ready(self) -> bool:
        """Whether the stream's own shape is known."""
        return self._own is not None

    @property
    def is_calm(self) -> bool:
        """Whether the stream's own shape is known and has been seen lately."""
        return self._own is not None and self._other is None and self._hold.since_ns is None

    def may_matter(self, view: PictureView) -> bool:
        """Whether another shape is seen, or none."""
        seen = view[SEEN]
        return seen is None or self._own is None or self._differs(seen.shape, self._own)

    def look(self, view: PictureView) -> Iterator[Finding]:
        """Compare the bars with the stream's own."""
        seen = view[SEEN]
        if seen is None:  # too dark to tell by itself
            if self._own is None or self._hold.since_ns is None:
                return
            if still_barred(view[WHOLE]._replace(shape=self._came), self._own):
                yield from self._hold.update(view.at_ns, True, self._came.area, end_ns=view.end_ns)
            return
        shape = seen.shape
        second = view.at_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            yield Measurement("active_area", shape.area, "ratio", view.at_ns, self.track)
        if self._own is None:
            self._learn(view.end_ns, view.at_ns, shape, LEARN_NS)
            self._past.append((view.at_ns, seen))
            return
        more = max(shape.above - self._own.above, shape.beside - self._own.beside)
        shrunk = more >= self.params.min_bar
        if not shrunk and self._differs(shape, self._own):
            self._learn(view.end_ns, view.at_ns, shape, GROWN_NS)
        elif shrunk:
            self._learn(view.end_ns, view.at_ns, shape, round(self.params.adopt_seconds * 1e9))
            shrunk = self._own is not shape
        else:
            self._other = None
        if shrunk and self._hold.since_ns is None:
            self._came = shape
            self._hold.severity = Severity.WARNING if self._is_fault(view.at_ns, seen) else Severity.INFO
        elif shrunk and not self._hold.is_open and self._differs(shape, self._came):
            self._hold.severity = Severity.INFO  # they grow: a zoom, a wipe
        self._past.append((view.at_ns, seen))
        yield from self._hold.update(view.at_ns, shrunk, shape.area, end_ns=view.end_ns)

    def _is_fault(self, at_ns: int, seen: Seen) -> bool:
        """Whether bars came over what was seen, and not with something else."""
        past = [one for then_ns, one in self._past if at_ns - then_ns <= PAST_NS]
        if self._own is None or not past or any(self._differs(one.shape, self._own) for one in past):
            return False
        return came_at_once(past, seen, self._own)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Pictures were lost; the stream's shape is the same."""
        self._other = None
        if event.kind in ("jump", "signalled"):
            self._past.clear()
        yield from super().broke(event)

    def format(self, event: Format) -> Iterator[Finding]:
        """Another raster may hold another shape."""
        if event.kind == "video":
            yield from self._hold.reset(event.at_ns)
            self._own = self._other = None
        yield from super().format(event)

    def _differs(self, one: Shape, other: Shape) -> bool:
        return max(abs(a - b) for a, b in zip(one, other, strict=True)) >= self.params.min_bar

    def _learn(self, end_ns: int, at_ns: int, shape: Shape, needed_ns: int) -> None:
        if self._other is None or self._differs(shape, self._other[1]):
            self._other = at_ns, shape
        if end_ns - self._other[0] >= needed_ns:
            self._own, self._other = shape, None


DETECTOR = BlackBars
