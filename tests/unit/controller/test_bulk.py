import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.problems import Problem
from controller.streams.bulk import CSV, JSON, M3U, MOST_ROWS, Ramp, rows

M3U_LIST = """#EXTM3U url-tvg="x"
#EXTINF:-1 tvg-id="news.de" tvg-logo="http://a/b.png" group-title="News, Germany",News HD
#EXTVLCOPT:http-user-agent=Player/1
http://origin.example/news.m3u8?token=a,b

#EXTINF:-1,Sport
https://origin.example/sport.m3u8
http://origin.example/bare.m3u8
"""


def values(kind: str, text: str) -> list[dict[str, object]]:
    return [row.values for row in rows(kind, text.encode())]


def test_csv_has_labels_and_headers_by_column() -> None:
    text = "external_id,name,url,label:country,header:X-Key,enabled\na,A,http://o.example/a,de,k,no\nb,,http://o.example/b,,,\n"
    assert values("text/csv; charset=utf-8", "\ufeff" + text) == [
        {
            "external_id": "a",
            "name": "A",
            "url": "http://o.example/a",
            "labels": {"country": "de"},
            "headers": {"X-Key": "k"},
            "enabled": False,
        },
        {"external_id": "b", "url": "http://o.example/b"},
    ]


def test_a_wrong_csv_row_fails_alone() -> None:
    found = rows(CSV, b"url,enabled\nhttp://a,perhaps\nhttp://b,yes\nhttp://c,yes,more\n")
    assert [row.wrong is None for row in found] == [False, True, False]


def test_m3u_gives_name_external_id_label_and_user_agent() -> None:
    assert values(M3U[0], M3U_LIST) == [
        {
            "name": "News HD",
            "external_id": "news.de",
            "labels": {"group": "news-germany"},
            "user_agent": "Player/1",
            "url": "http://origin.example/news.m3u8?token=a,b",
        },
        {"name": "Sport", "url": "https://origin.example/sport.m3u8"},
        {"url": "http://origin.example/bare.m3u8"},
    ]


def test_json_is_a_list_or_holds_one() -> None:
    assert values(JSON, '[{"url": "http://a"}]') == values(JSON, '{"streams": [{"url": "http://a"}]}')
    assert rows(JSON, b"[1]")[0].wrong == "A stream is an object."


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/html", b"x", 415),
        ("", b"x", 415),
        (JSON, b"{", 422),
        (JSON, b'{"a": 1}', 422),
        (JSON, b"[]", 422),
        (CSV, b"name\na\n", 422),
        (CSV, b"url,strange\na,b\n", 422),
        (CSV, b"\xff\xfe", 422),
        (M3U[0], b"http://a\n", 422),
        (M3U[0], b"#EXTM3U\n#EXT-X-TARGETDURATION:6\na.ts\n", 422),
        (JSON, b"[" + b"{}," * MOST_ROWS + b"{}]", 413),
    ],
)
def test_what_is_no_list_is_said_to_be_none(kind: str, body: bytes, status: int) -> None:
    with pytest.raises(Problem) as problem:
        rows(kind, body)
    assert problem.value.status == status


@given(st.sampled_from([JSON, CSV, M3U[0]]), st.binary(max_size=200))
def test_no_body_makes_it_fail_otherwise(kind: str, body: bytes) -> None:
    prefix = {JSON: b"[", CSV: b"url\n", M3U[0]: b"#EXTM3U\n"}[kind]
    for text in (body, prefix + body):
        with contextlib.suppress(Problem):
            assert rows(kind, text)


def test_a_ramp_spreads_the_streams_of_one_origin_and_not_of_another() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ramp = Ramp(now, 2.0)
    assert [
        ramp.next("http://a/1"),
        ramp.next("http://a/2"),
        ramp.next("http://b/1"),
        ramp.next("http://a:80/3"),
    ] == [
        now,
        now + timedelta(seconds=0.5),
        now,
        now + timedelta(seconds=1.0),
    ]
