import math
import re
from html.parser import HTMLParser

from contracts.findings import Severity
from contracts.report import Report
from glitchwatch.render import Extras, charts, html
from tests.unit.render.reports import defect, failed_report, report, rich_report

VOID = {"meta", "img", "link", "br", "hr", "input"}
FETCHING = {"src", "srcset", "poster", "action", "formaction", "data", "xlink:href", "background", "ping"}


class Page(HTMLParser):
    """What a browser would see: tags, ids, links, text; and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def having(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(*reports: Report, extras: Extras | None = None) -> Page:
    return Page(html.render(reports, extras))


def loud() -> Extras:
    momentary = [(n / 10, -math.inf if 100 < n < 200 else -20 - n % 7) for n in range(600)]
    return Extras(
        series={"loudness_momentary": momentary, "loudness_short_term": [(1.0, -21.0), (2.0, -22.0)]},
        thumbnails={0: b"\xff\xd8jpeg", 8: b"\xff\xd8other", 99: b"no such defect"},
    )


def fetched(seen: Page) -> list[str]:
    links = [href for href in seen.having("href") if not href.startswith("#")]
    return links + [
        value
        for name in FETCHING
        for value in seen.having(name)
        if not value.startswith("data:image/jpeg;base64,")
    ]


def test_it_fetches_nothing_and_runs_nothing() -> None:
    text = html.render([rich_report(), report(), failed_report()], [loud(), Extras(), Extras()])
    seen = Page(text)
    assert fetched(seen) == []
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {tag for tag, _ in seen.tags}
    assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_it_shows_verdict_defects_evidence_curves_and_coverage() -> None:
    seen = page(rich_report(), extras=loud())
    for said in (
        "FAIL: 5 defects at error or above; blind for 2.5 s", "channel_silence", "audio:0 R", "still open",
        "because of black", "recorded only", "quarantined: model gave NaN", "integrated −18.2 LUFS", "Loudness, LUFS",
    ):  # fmt: skip
        assert said in seen.text
    assert len(seen.all("img")) == 2
    assert all(image["alt"] for image in seen.all("img"))
    assert len([p for p in seen.all("path") if p["class"].startswith("curve")]) == 2
    assert len([r for r in seen.all("rect") if r["class"].startswith(("bar ", "aside "))]) == 9


def test_every_link_leads_to_one_row() -> None:
    seen = page(rich_report(), rich_report(), extras=loud())
    ids = seen.having("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in seen.having("href")} <= set(ids)


def test_what_is_not_in_lufs_has_a_chart_of_its_own_and_what_explains_a_defect_goes_first() -> None:
    curve = [(0.0, 1.0), (9.0, 2.0)]
    names = ["loudness_jump audio:0", "level audio:0", "dark_coverage video:0", "loudness_momentary audio:0"]
    seen = page(report(defects=[defect()]), extras=Extras(series=dict.fromkeys(names, curve)))
    regions = [d["aria-label"] for d in seen.all("div") if d.get("role") == "region"]
    assert [name for name in regions if name.endswith("over time")] == [
        "Loudness audio:0 over time",
        "dark_coverage video:0 over time",
        "loudness_jump audio:0 over time",
        "level audio:0 over time",
    ]
    assert "2 other measurements over time" in seen.text


def test_silence_is_a_hole_in_the_curve_and_not_a_number() -> None:
    seen = page(report(), extras=loud())
    momentary = next(p["d"] for p in seen.all("path") if p["class"] == "curve k0")
    assert momentary.count("M") == 2
    assert not re.search(r"nan|inf", momentary)


def test_no_defect_and_no_detector_are_said() -> None:
    assert "None found in what was watched." in page(report()).text
    assert "No detector ran." in page(failed_report()).text
    assert "No input was analysed." in page().text


def test_a_thousand_defects_are_all_there() -> None:
    many = [defect(f"d{n % 90}", n, n + 0.5, severity=list(Severity)[n % 4]) for n in range(1000)]
    seen = page(report(defects=many))
    assert len([i for i in seen.having("id") if i.startswith("r0-")]) == 1000
    assert len([r for r in seen.all("rect") if r["class"].startswith("bar ")]) == 1000
    assert "all others" in seen.text


def test_beyond_its_limits_it_keeps_the_worst_and_says_so() -> None:
    many = [defect("blur", n, n + 1, severity=Severity.WARNING) for n in range(charts.MAX_BARS + 10)]
    seen = page(
        report(defects=[*many, defect("freeze_last")]),
        extras=Extras(thumbnails=dict.fromkeys(range(500), b"x")),
    )
    assert f"The {html.MAX_ROWS} most severe of {len(many) + 1} are listed." in seen.text
    assert f"The {charts.MAX_BARS} most severe of {len(many) + 1} are drawn." in seen.text
    assert f"r0-{len(many)}" in seen.having("id")
    assert len(seen.all("img")) == html.MAX_SHOTS
    assert f"{html.MAX_SHOTS} of 500 pictures are shown." in seen.text


def test_markup_in_names_is_text() -> None:
    evil = "<script>alert(1)</script>\"'&"
    odd = report(
        input=report().input.model_copy(update={"url": evil, "container": evil}),
        defects=[defect(evil, detail=evil, channel=evil, track=evil, suppressed_by=evil)],
    )
    seen = page(odd, extras=Extras(series={evil: [(0.0, 1.0), (1.0, 2.0)]}, thumbnails={0: b"x"}))
    assert not seen.all("script")
    assert evil in seen.text


def test_thinning_keeps_the_peaks_and_the_order() -> None:
    curve = [(n / 10, float(n % 10)) for n in range(50_000)]
    curve[31_415] = (3141.5, 99.0)
    curve[27_182] = (2718.2, -99.0)
    thinned = charts.thin(curve)
    assert len(thinned) <= charts.MAX_POINTS + 2
    assert (3141.5, 99.0) in thinned
    assert (2718.2, -99.0) in thinned
    assert thinned == sorted(thinned)


def test_ticks_are_few_and_begin_at_nought() -> None:
    for span in (0.05, 0.4, 3, 12, 59, 3600, 90_000, 3e7):
        marks = charts.ticks(span)
        assert marks[0] == 0
        assert len(marks) <= 11
        assert marks[-1] <= span
