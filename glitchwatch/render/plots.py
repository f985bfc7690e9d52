"""Measurements against their thresholds, with defects shaded: a page with inline SVG, or a PNG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from contracts.report import Defect, Report
from glitchwatch.render import Curve, charts, words
from glitchwatch.render.html import POLICY
from glitchwatch.render.html_style import STYLE
from glitchwatch.render.markup import add, html, node

MAX_CHARTS = 12
INKS = ((178, 111, 31), (30, 64, 213), (60, 124, 28), (176, 63, 122))  # BGR, as the page's curves
SHADES = {
    "critical": (200, 190, 235),
    "error": (200, 210, 250),
    "warning": (200, 235, 252),
    "info": (245, 230, 210),
}
PNG_CHART, PNG_TOP = 260, 34  # pixels


@dataclass(frozen=True, slots=True)
class Chart:
    """One measurement over time; `curves` by track, `level` is its threshold where there is one."""

    name: str
    curves: Mapping[str, Curve]
    level: float | None
    defects: Sequence[Defect]


def page(title: str, drawn: Sequence[Chart], report: Report) -> str:
    """One self-contained HTML page."""
    span = charts.span_s(report, [curve for chart in drawn for curve in chart.curves.values()])
    root = node("html", lang="en")
    head = add(root, "head")
    add(head, "meta", charset="utf-8")
    add(head, "meta", http_equiv="Content-Security-Policy", content=POLICY)
    add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    add(head, "title", title)
    add(head, "style", STYLE)
    body = add(root, "body")
    add(add(body, "header"), "h1", title)
    section = add(add(body, "main"), "section", class_="report")
    for chart in drawn[:MAX_CHARTS]:
        add(section, "h3", _heading(chart))
        level = None if chart.level is None else (f"threshold {chart.level:.4g}", chart.level)
        svg = charts.curves(chart.curves, span, f"{chart.name} over time", level=level, shaded=chart.defects)
        if svg is None:
            add(section, "p", "No finite value.", class_="note")
            continue
        add(section, "div", class_="scroll").append(svg)
        legend = add(section, "ul", class_="legend")
        for index, name in enumerate(list(chart.curves)[: charts.MAX_CURVES]):
            key = add(legend, "li")
            add(
                add(key, "svg", viewBox="0 0 22 8", aria_hidden="true"),
                "path",
                class_=f"curve k{index}",
                d="M0 4H22",
            )
            add(key, "span", name)
    if len(drawn) > MAX_CHARTS:
        add(section, "p", f"{len(drawn) - MAX_CHARTS} more measurements are not drawn.", class_="note")
    add(section, "p", "Dashed: the threshold. Shaded: defects. Times are media seconds.", class_="note")
    return html(root)


def _heading(chart: Chart) -> str:
    return chart.name if chart.level is None else f"{chart.name} (threshold {chart.level:.4g})"


def png(title: str, drawn: Sequence[Chart], report: Report) -> bytes:
    """The same as one picture."""
    shown = drawn[:MAX_CHARTS]
    span = charts.span_s(report)
    canvas = np.full((PNG_TOP + PNG_CHART * len(shown), charts.WIDTH, 3), 255, np.uint8)
    _words(canvas, title, 12, 22, 0.5)
    for index, chart in enumerate(shown):
        top = PNG_TOP + index * PNG_CHART
        _draw(canvas[top : top + PNG_CHART], chart, span)
    done, data = cv2.imencode(".png", canvas)
    if not done:
        raise RuntimeError("OpenCV could not write a PNG.")
    return data.tobytes()


def _draw(area: npt.NDArray[np.uint8], chart: Chart, span: float) -> None:
    curves = {name: charts.thin(curve) for name, curve in list(chart.curves.items())[: charts.MAX_CURVES]}
    values = [v for curve in curves.values() for _, v in curve if math.isfinite(v)]
    values += [chart.level] if chart.level is not None and values else []
    left, right, top, bottom = 80, charts.WIDTH - 20, 28, PNG_CHART - 24
    _words(area, _heading(chart), left, 18, 0.42)
    if not values:
        return
    low, high = min(values), max(values)
    high += 1.0 if high == low else 0.0

    def place(at_s: float, value: float) -> tuple[int, int]:
        x = left + min(max(at_s, 0.0), span) / span * (right - left)
        return round(x), round(bottom - (value - low) / (high - low) * (bottom - top))

    for defect in chart.defects:
        a, b = place(defect.start_s, high), place(defect.end_s, low)
        cv2.rectangle(area, a, (max(b[0], a[0] + 2), b[1]), SHADES[defect.severity.value], cv2.FILLED)
    for at_s in charts.ticks(span):
        x = place(at_s, low)[0]
        cv2.line(area, (x, top), (x, bottom), (228, 222, 217), 1)
        _words(area, words.clock(at_s)[2:-4] if span >= 5 else f"{at_s:g}", x - 16, bottom + 16, 0.36)
    for value in (low, high) if chart.level is None else (low, chart.level, high):
        y = place(0, value)[1]
        cv2.line(area, (left, y), (right, y), (60, 60, 60) if value == chart.level else (228, 222, 217), 1)
        _words(area, f"{value:.4g}", 6, y + 4, 0.36)
    for index, curve in enumerate(curves.values()):
        line = np.array([place(at, v) for at, v in curve if math.isfinite(v)], np.int32)
        cv2.polylines(area, [line.reshape(-1, 1, 2)], isClosed=False, color=INKS[index], lineType=cv2.LINE_AA)


def _words(area: npt.NDArray[np.uint8], text: str, x: int, y: int, size: float) -> None:
    plain = text.replace("–", "-").encode("ascii", "replace").decode()
    cv2.putText(area, plain, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (60, 50, 40), 1, cv2.LINE_AA)
