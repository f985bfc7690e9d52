"""Timelines and curves as inline SVG."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from contracts.report import Defect, Report
from glitchwatch.render import Curve, words
from glitchwatch.render.markup import Element, add, node

MAX_BARS = 3000  # defects drawn in one timeline
MAX_LANES = 40  # (track, defect) pairs with a lane of their own; the rest share one
MAX_CURVES = 4  # curves in one chart
MAX_POINTS = 1200  # points of one curve, the highest and lowest of each stretch kept

DRAWABLE = 1e12  # a value beyond is a hole in its curve

WIDTH, LABEL, LANE, RIGHT = 1000, 190, 22, 30
BAR_HEIGHT = {"critical": 16, "error": 13, "warning": 9, "info": 6}
CHART_HEIGHT = 220
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


def span_s(report: Report, curves: Iterable[Curve] = ()) -> float:
    """The media seconds that charts of this report run over."""
    ends = [report.input.duration_s or 0.0, report.execution.watched_s + report.execution.blind_s]
    ends += [d.end_s for d in report.defects]
    ends += [curve[-1][0] for curve in curves if curve]
    return max([end for end in ends if math.isfinite(end)] + [1e-3])


def ticks(span: float, most: int = 10) -> list[float]:
    """Round times from 0 to `span`, `most` and a few at most."""
    step = next((s for s in STEPS_S if span / s <= most), 0.0) or 86400.0 * math.ceil(span / 86400 / most)
    return [index * step for index in range(int(span / step) + 1)]


def _x(at_s: float, span: float) -> float:
    inside = min(max(at_s if math.isfinite(at_s) else 0.0, 0.0), span)
    return LABEL + inside / span * (WIDTH - LABEL - RIGHT)


def _picture(height: float, label: str) -> Element:
    svg = node("svg", viewBox=f"0 0 {WIDTH} {height:g}", role="group", aria_label=label)
    add(svg, "title", label)
    return svg


def _time_axis(svg: Element, span: float, top: float, bottom: float) -> None:
    for at_s in ticks(span):
        x = f"{_x(at_s, span):.1f}"
        add(svg, "line", class_="grid", x1=x, x2=x, y1=top, y2=bottom)
        text = words.clock(at_s) if span < 5 else words.clock(at_s)[:-4]
        add(svg, "text", text, x=x, y=bottom + 17, text_anchor="middle")


def timeline(defects: Sequence[tuple[int, Defect]], span: float, anchor: str) -> Element:
    """Every defect as a bar: a lane for each kind on each track; `anchor` begins the ids of the rows linked to."""
    lanes: dict[tuple[str, str], list[tuple[int, Defect]]] = {}
    for index, defect in defects[:MAX_BARS]:
        lane = (words.where(defect.track), words.line(defect.defect))
        lanes.setdefault(lane, []).append((index, defect))
    ordered = sorted(lanes, key=lambda lane: (lane[0] != "input", not lane[0].startswith("video"), lane))
    if len(ordered) > MAX_LANES:
        rest = [bar for lane in ordered[MAX_LANES:] for bar in lanes[lane]]
        ordered = [*ordered[:MAX_LANES], ("", "all others")]
        lanes["", "all others"] = rest
    tracks = list(dict.fromkeys(track for track, _ in ordered))
    height = len(ordered) * LANE + len(tracks) * 20 + 26
    svg = _picture(height, f"Timeline of {words.plural(len(defects), 'defect')}")
    bottom = height - 22
    _time_axis(svg, span, 4, bottom)
    y, current = 0.0, None
    for track, name in ordered:
        if track != current:
            current = track
            add(svg, "text", track or "other", x=0, y=f"{y + 15:g}")
            y += 20
        add(svg, "rect", class_="lane", x=LABEL, y=f"{y + 2:g}", width=WIDTH - LABEL - RIGHT, height=LANE - 4)
        short = name if len(name) <= 26 else name[:25] + "…"
        add(svg, "text", short, class_="name", x=12, y=f"{y + 15:g}")
        for index, defect in lanes[track, name]:
            svg.append(_bar(defect, span, y + LANE / 2, f"#{anchor}-{index}"))
        y += LANE
    return svg


def _bar(defect: Defect, span: float, middle: float, target: str) -> Element:
    start, end = _x(defect.start_s, span), _x(defect.end_s, span)
    height = BAR_HEIGHT[defect.severity.value]
    said = (
        f"{defect.severity.value}: {words.line(defect.defect)} on {words.where(defect.track, defect.channel)}, "
        f"{words.clock(defect.start_s)} – {'still open' if defect.open else words.clock(defect.end_s)}, "
        f"{words.peak(defect)}"
    )
    if defect.suppressed_by:
        said += f", because of {words.line(defect.suppressed_by)}"
    link = node("a", href=target, aria_label=said)
    kind = "aside" if defect.suppressed_by else "bar"
    bar = add(
        link, "rect", class_=f"{kind} {defect.severity.value}", x=f"{min(start, WIDTH - RIGHT - 3):.1f}",
        y=f"{middle - height / 2:g}", width=f"{max(end - start, 3.0):.1f}", height=height, rx=2,
    )  # fmt: skip
    add(bar, "title", said)
    return link


def thin(curve: Curve, most: int = MAX_POINTS) -> list[tuple[float, float]]:
    """`curve` with at most `most` points: of each stretch its lowest and its highest, so that no peak is lost."""
    if len(curve) <= most:
        return list(curve)
    stretch = math.ceil(len(curve) / max(1, most // 2))
    kept: list[tuple[float, float]] = []
    for start in range(0, len(curve), stretch):
        part = [p for p in curve[start : start + stretch] if math.isfinite(p[1])] or [curve[start]]
        kept += sorted({min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])})
    return kept


def curves(
    series: Mapping[str, Curve],
    span: float,
    label: str,
    *,
    floor: float | None = None,
    level: tuple[str, float] | None = None,
    shaded: Sequence[Defect] = (),
) -> Element | None:
    """Up to `MAX_CURVES` curves over one axis of time.

    `floor` cuts the axis below, `level` is a dashed line with a name, `shaded` defects lie behind.
    None when no point is a finite number.
    """
    shown = {name: thin(curve) for name, curve in list(series.items())[:MAX_CURVES]}
    values = [v for curve in shown.values() for at, v in curve if _drawable(v) and math.isfinite(at)]
    if not values:
        return None
    if level is not None and _drawable(level[1]):
        values.append(level[1])
    low, high = min(values), max(values)
    if floor is not None:
        low, high = max(low, floor), max(high, floor + 1)
    step = max(_step((high - low) / 5), max(abs(low), abs(high)) * 1e-9)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    if high <= low:
        high = low + step
    bottom = CHART_HEIGHT - 24
    svg = _picture(CHART_HEIGHT, label)
    for defect in shaded[:MAX_BARS]:
        start, end = _x(defect.start_s, span), _x(defect.end_s, span)
        rect = add(
            svg, "rect", class_=f"bar shade {defect.severity.value}", x=f"{start:.1f}", y=6,
            width=f"{max(end - start, 2.0):.1f}", height=bottom - 6,
        )  # fmt: skip
        add(rect, "title", f"{defect.severity.value}: {words.line(defect.defect)}, {words.peak(defect)}")
    _time_axis(svg, span, 6, bottom)

    def y_of(value: float) -> float:
        return bottom - (min(max(value, low), high) - low) / (high - low) * (bottom - 6)

    for index in range(round((high - low) / step) + 1):
        value = low + index * step
        y = f"{y_of(value):.1f}"
        add(svg, "line", class_="grid", x1=LABEL, x2=WIDTH - RIGHT, y1=y, y2=y)
        add(
            svg,
            "text",
            words.number(round(value, 10)),
            x=LABEL - 8,
            y=f"{y_of(value) + 4:.1f}",
            text_anchor="end",
        )
    if level is not None and _drawable(level[1]):
        y = f"{y_of(level[1]):.1f}"
        dashed = add(svg, "line", class_="mean", x1=LABEL, x2=WIDTH - RIGHT, y1=y, y2=y)
        add(dashed, "title", level[0])
    for index, (name, curve) in enumerate(shown.items()):
        path = _path(curve, span, y_of)
        add(add(svg, "path", class_=f"curve k{index}", d=path), "title", name)
    return svg


def _drawable(value: float) -> bool:
    return abs(value) <= DRAWABLE  # false for NaN too


def _step(rough: float) -> float:
    if rough < 1e-12:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)


def _path(curve: Curve, span: float, y_of: Callable[[float], float]) -> str:
    parts, pen = [], "M"
    for at_s, value in curve:
        if not (math.isfinite(at_s) and _drawable(value)):
            pen = "M"  # a hole: nothing was measured, or silence without end
            continue
        parts.append(f"{pen}{_x(at_s, span):.1f} {y_of(value):.1f}")
        pen = "L"
    return "".join(parts)
