"""One HTML file to read, keep and send: it fetches nothing, runs no script, and escapes whatever came from outside.

Limits, said on the page where they bite: `MAX_ROWS` defects in the table, `charts.MAX_BARS` in the timeline,
`MAX_SHOTS` thumbnails of `MAX_SHOT_BYTES` together, `MAX_CHARTS` charts.
"""

import base64
from collections.abc import Mapping, Sequence

from contracts.report import Defect, Report
from glitchwatch.render import AnyExtras, Curve, Extras, charts, extras_of, words
from glitchwatch.render.html_style import STYLE
from glitchwatch.render.markup import Element, add, html, node

MAX_ROWS = 2000
MAX_SHOTS = 200
MAX_SHOT_BYTES = 16_000_000
MAX_CHARTS = 24
LOUDNESS = ("loudness_momentary", "loudness_short_term")  # share one chart
LOUD = "Loudness"  # the heading of that chart
LOUDNESS_FLOOR = -60.0  # LUFS: quieter is drawn here

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def render(reports: Sequence[Report], extras: AnyExtras = None) -> str:
    """The reports as one self-contained HTML page."""
    root = node("html", lang="en")
    head = add(root, "head")
    add(head, "meta", charset="utf-8")
    add(head, "meta", http_equiv="Content-Security-Policy", content=POLICY)
    add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    add(head, "meta", name="referrer", content="no-referrer")
    add(head, "title", _title(reports))
    add(head, "style", STYLE)
    body = add(root, "body")
    add(add(body, "header"), "h1", "Glitchwatch report")
    main = add(body, "main")
    if not reports:
        add(main, "p", "No input was analysed.")
    for index, report in enumerate(reports):
        main.append(_section(report, extras_of(extras, index), index))
    versions = ", ".join(
        dict.fromkeys(f"{words.line(r.tool.name)} {words.line(r.tool.version)}" for r in reports)
    )
    written = extras_of(extras, 0).written_at
    on = f", written {written:%Y-%m-%d %H:%M:%S %Z}" if written else ""
    times = "Times are media seconds from the first presented sample."
    add(add(body, "footer"), "p", f"{versions}{on}. {times}" if versions else times)
    return html(root)


def _title(reports: Sequence[Report]) -> str:
    if len(reports) == 1:
        return f"{words.verdict(reports[0]).text} – {words.line(reports[0].input.url)}"
    return f"Glitchwatch: {words.plural(len(reports), 'input')}"


def _section(report: Report, extras: Extras, number: int) -> Element:
    anchor = f"r{number}"
    section = node("section", class_="report", aria_labelledby=anchor)
    add(section, "h2", words.line(report.input.url) or "input", id=anchor)
    said = words.verdict(report)
    add(section, "p", said.text, class_=f"verdict {said.level}")
    _tiles(section, report)
    _facts(section, report)
    span = charts.span_s(report, extras.series.values())
    if report.defects:
        _timeline(section, report, span, anchor)
    _shots(section, report, extras, anchor)
    _defects(section, report, anchor)
    _measurements(section, report)
    _charts(section, report, extras.series, span)
    _coverage(section, report)
    return section


def _tiles(section: Element, report: Report) -> None:
    tiles = add(section, "ul", class_="tiles", aria_label="Defects by severity")
    for severity, count in words.counts(report.defects).items():
        tile = add(tiles, "li", class_=severity.value if count else f"{severity.value} none")
        add(tile, "b", str(count))
        add(tile, "span", severity.value)
    suppressed = sum(d.suppressed_by is not None for d in report.defects)
    if suppressed:
        tile = add(tiles, "li")
        add(tile, "b", str(suppressed))
        add(tile, "span", "suppressed")


def _facts(section: Element, report: Report) -> None:
    facts = add(section, "dl")

    def fact(name: str, value: str, class_: str | None = None) -> None:
        add(facts, "dt", name)
        add(facts, "dd", value, class_=class_)

    source, run = report.input, report.execution
    if source.container:
        fact("container", words.line(source.container))
    if source.duration_s is not None:
        fact("duration", words.clock(source.duration_s))
    if source.started_at is not None:
        fact("first sample", f"{source.started_at:%Y-%m-%d %H:%M:%S} UTC")
    for track in source.tracks:
        fact(words.line(track.id), words.track_line(track))
    fact("profile", f"{words.line(report.profile.name)} ({words.line(report.profile.digest)[:19]})")
    fact("seen", words.seen(report), "unseen" if run.blind_s > 0 or run.watched_s <= 0 else None)


def _heading(section: Element, text: str) -> None:
    add(section, "h3", text)


def _scroll(section: Element, label: str) -> Element:
    return add(section, "div", class_="scroll", tabindex="0", role="region", aria_label=label)


def _timeline(section: Element, report: Report, span: float, anchor: str) -> None:
    _heading(section, "Timeline")
    ranked = sorted(
        enumerate(report.defects),
        key=lambda d: (d[1].suppressed_by is not None, -d[1].severity.rank, d[1].start_s),
    )
    drawn = sorted(ranked[: charts.MAX_BARS], key=lambda d: d[1].start_s)
    _scroll(section, "Timeline of defects").append(charts.timeline(drawn, span, anchor))
    note = "A higher bar is more severe; a dashed one is the consequence of another defect."
    if len(ranked) > len(drawn):
        note += f" The {len(drawn)} most severe of {len(ranked)} are drawn."
    add(section, "p", note, class_="note")


def _shots(section: Element, report: Report, extras: Extras, anchor: str) -> None:
    wanted = [i for i in sorted(extras.thumbnails) if 0 <= i < len(report.defects)]
    if not wanted:
        return
    _heading(section, "Evidence")
    shots = add(section, "div", class_="shots")
    size, shown = 0, 0
    for index in wanted[:MAX_SHOTS]:
        jpeg, defect = extras.thumbnails[index], report.defects[index]
        size += len(jpeg)
        if size > MAX_SHOT_BYTES:
            break
        figure = add(shots, "figure")
        said = f"{words.line(defect.defect)} at {words.clock(defect.start_s)}"
        data = base64.b64encode(jpeg).decode("ascii")
        add(figure, "img", src=f"data:image/jpeg;base64,{data}", alt=f"Picture during {said}", loading="lazy")
        caption = add(figure, "figcaption")
        add(caption, "a", said, href=f"#{anchor}-{index}")
        shown += 1
    if shown < len(wanted):
        add(section, "p", f"{shown} of {len(wanted)} pictures are shown.", class_="note")


def _charts(section: Element, report: Report, series: Mapping[str, Curve], span: float) -> None:
    """Loudness and what explains a defect in the open; the other curves folded away."""
    groups: dict[str, dict[str, Curve]] = {}
    for name, curve in series.items():
        kind, _, track = words.line(name).partition(" ")
        group = f"{LOUD} {track}".strip() if kind in LOUDNESS else words.line(name)
        groups.setdefault(group, {})[words.line(name)] = curve
    explained = {words.line(defect.peak.name) for defect in report.defects}
    in_front = [group for group in groups if group.partition(" ")[0] in (LOUD, *explained)]
    in_front.sort(key=lambda group: group.partition(" ")[0] != LOUD)
    others = [group for group in groups if group not in in_front]
    for group in in_front[:MAX_CHARTS]:
        _chart(section, report, group, groups[group], span)
    rest = others[: max(0, MAX_CHARTS - len(in_front))]
    if rest:
        folded = add(section, "details")
        add(folded, "summary", f"{words.plural(len(rest), 'other measurement')} over time")
        for group in rest:
            _chart(folded, report, group, groups[group], span)
    if len(groups) > MAX_CHARTS:
        add(section, "p", f"{MAX_CHARTS} of {len(groups)} charts are shown.", class_="note")


def _chart(parent: Element, report: Report, group: str, series: Mapping[str, Curve], span: float) -> None:
    loud = group.partition(" ")[0] == LOUD
    level = _integrated(report, group.partition(" ")[2]) if loud else None
    floor = LOUDNESS_FLOOR if loud else None
    svg = charts.curves(series, span, f"{group} over time", floor=floor, level=level)
    if svg is None:
        return
    _heading(parent, f"{group}, LUFS" if loud else group)
    _scroll(parent, f"{group} over time").append(svg)
    names = [(name, f"curve k{index}") for index, name in enumerate(list(series)[: charts.MAX_CURVES])]
    if level is not None:
        names.append((level[0], "mean"))
    if [name for name, _ in names] != [group]:
        _legend(parent, names)


def _legend(block: Element, names: Sequence[tuple[str, str]]) -> None:
    legend = add(block, "ul", class_="legend")
    for name, style in names:
        entry = add(legend, "li")
        mark = add(entry, "svg", viewBox="0 0 22 8", aria_hidden="true")
        add(mark, "line", class_=style, x1=0, x2=22, y1=4, y2=4)
        add(entry, "span", name)


def _integrated(report: Report, track: str) -> tuple[str, float] | None:
    for m in report.measurements:
        if m.name == "loudness_integrated" and (not track or m.track == track):
            return f"integrated {words.quantity(m.value, m.unit)}", m.value
    return None


def _table(section: Element, label: str, columns: Sequence[tuple[str, bool]]) -> Element:
    table = add(_scroll(section, label), "table")
    header = add(add(table, "thead"), "tr")
    for name, numeric in columns:
        add(header, "th", name, scope="col", class_="n" if numeric else None)
    return add(table, "tbody")


def _defects(section: Element, report: Report, anchor: str) -> None:
    _heading(section, "Defects")
    if not report.defects:
        add(section, "p", "None found in what was watched.")
        return
    names = (("severity", False), ("defect", False), ("where", False), ("from", False), ("to", False))
    rows = _table(section, "Defects", (*names, ("length", True), ("peak", False), ("limit", True)))
    indexed = list(enumerate(report.defects))
    if len(indexed) > MAX_ROWS:
        worst = sorted(indexed, key=lambda d: (d[1].suppressed_by is not None, -d[1].severity.rank, d[0]))
        indexed = sorted(worst[:MAX_ROWS], key=lambda d: d[0])
    for index, defect in indexed:
        rows.append(_row(defect, f"{anchor}-{index}"))
    if len(report.defects) > MAX_ROWS:
        add(section, "p", f"The {MAX_ROWS} most severe of {len(report.defects)} are listed.", class_="note")


def _row(defect: Defect, ident: str) -> Element:
    row = node("tr", id=ident, class_="suppressed" if defect.suppressed_by else None)
    add(add(row, "td"), "span", defect.severity.value, class_=f"badge {defect.severity.value}")
    name = add(row, "td", words.line(defect.defect))
    if defect.suppressed_by:
        add(name, "small", f"because of {words.line(defect.suppressed_by)}")
    if defect.mode == "report":
        add(name, "small", "recorded only")
    if defect.detail:
        add(name, "small", words.line(defect.detail))
    if defect.confidence < 1:
        add(name, "small", f"confidence {words.number(defect.confidence)}")
    add(row, "td", words.where(defect.track, defect.channel))
    add(row, "td", words.clock(defect.start_s), class_="t")
    add(row, "td", "still open" if defect.open else words.clock(defect.end_s), class_="t")
    add(row, "td", words.length(defect.end_s - defect.start_s), class_="n")
    add(row, "td", words.peak(defect))
    add(row, "td", words.quantity(defect.threshold, defect.peak.unit), class_="n")
    return row


def _measurements(section: Element, report: Report) -> None:
    if not report.measurements:
        return
    _heading(section, "Measurements")
    rows = _table(section, "Measurements", (("measurement", False), ("where", False), ("value", True)))
    for m in report.measurements[:MAX_ROWS]:
        row = add(rows, "tr")
        add(row, "td", words.line(m.name))
        add(row, "td", words.where(m.track, m.channel))
        add(row, "td", words.quantity(m.value, m.unit), class_="n")


def _coverage(section: Element, report: Report) -> None:
    _heading(section, "Coverage")
    if not report.coverage:
        add(section, "p", "No detector ran.", class_="unseen")
        return
    numbers = (("watched", True), ("blind", True), ("not yet", True), ("CPU, ms a second", True))
    rows = _table(section, "Coverage", (("detector", False), ("where", False), ("state", False), *numbers))
    for item in report.coverage[:MAX_ROWS]:
        row = add(rows, "tr")
        add(row, "td", words.line(item.detector))
        add(row, "td", words.where(item.track))
        relied = item.fault is None and words.judged(item) and item.blind_s <= 0
        add(row, "td", words.coverage_state(item), class_=None if relied else "unseen")
        for seconds in (item.watched_s, item.blind_s, item.not_yet_s):
            add(row, "td", words.length(seconds) if seconds else "–", class_="n")
        add(row, "td", words.number(round(item.cpu_ms_per_s, 2)), class_="n")
