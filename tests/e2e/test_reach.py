"""Addresses that libav opens: where they lead is asked at every hop, before anything is fetched there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.addresses import AddressPolicy
from contracts.clock import SystemClock
from contracts.errors import SourceForbidden, SourceUnreachable
from detectors.frame import Frame
from tests.e2e import hostile_origin as hostile
from tests.e2e.hostile_origin import HostileOrigin
from tests.media import clip
from worker.ingest.native import PlaylistFound
from worker.ingest.opening import AnyReading
from worker.ingest.options import IngestOptions
from worker.ingest.reach import Reach

OPTIONS = IngestOptions(open_timeout_s=3, read_timeout_s=3)
PRIVATE = AddressPolicy(allow_private=True)


@pytest.fixture
def server() -> Iterator[HostileOrigin]:
    with HostileOrigin() as origin:
        yield origin


def reach(policy: AddressPolicy = PRIVATE) -> Reach:
    return Reach(OPTIONS, SystemClock(), policy.check_url, policy.check_address)


def frames(url: str, *, live: bool = False) -> int:
    reading = AnyReading(
        url, OPTIONS, SystemClock(), live=live, allow=PRIVATE.check_url, allow_address=PRIVATE.check_address
    )
    try:
        return sum(isinstance(event, Frame) for event in reading.events())
    finally:
        reading.close()


@pytest.mark.parametrize("live", [False, True])
def test_redirects_are_followed_to_media(server: HostileOrigin, tmp_path: Path, live: bool) -> None:
    server.put("/clip.mp4", clip(tmp_path / "clip.mp4").read_bytes(), "video/mp4")
    server.put("/a", b"", always=hostile.redirect("/b"))
    server.put("/b", b"", always=hostile.redirect(server.url("/clip.mp4")))
    assert frames(server.url("/a"), live=live) == 50


@pytest.mark.parametrize(
    "to",
    ["http://169.254.169.254/latest/meta-data/", "http://metadata.google.internal/", "file:///etc/passwd"],
)
def test_a_redirect_to_where_nobody_may_go_is_refused(server: HostileOrigin, to: str) -> None:
    server.put("/a", b"", always=hostile.redirect(to))
    with pytest.raises(SourceForbidden):
        frames(server.url("/a"))


def test_a_playlist_behind_a_redirect_is_none_of_libavs_business(server: HostileOrigin) -> None:
    server.put("/live.m3u8", b"#EXTM3U\n#EXTINF:2,\nhttp://169.254.169.254/x.ts\n")
    server.put("/a", b"", always=hostile.redirect("/live.m3u8"))
    with pytest.raises(PlaylistFound):
        reach().settle(server.url("/a"))


def test_a_name_that_resolves_to_a_closed_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, *rest: object, **more: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    for url in ("http://origin.example/a.mp4", "rtmp://origin.example/live/a", "rtsp://origin.example/a"):
        with pytest.raises(SourceForbidden):
            reach().settle(url)


def test_an_address_that_redirects_for_ever_is_unreachable(server: HostileOrigin) -> None:
    server.put("/a", b"", always=hostile.redirect("/a"))
    with pytest.raises(SourceUnreachable, match="redirects"):
        reach().settle(server.url("/a"))
    assert server.asked("/a") == 6


def test_private_addresses_stay_closed_where_settings_say_so(server: HostileOrigin) -> None:
    with pytest.raises(SourceForbidden):
        reach(AddressPolicy()).settle(server.url("/a"))
    assert server.asked("/a") == 0
