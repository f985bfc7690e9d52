"""Channels over HTTP: published at their time, broken in delivery as planned, and gone at once when closed."""

import io
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import m3u8
import pytest
from rich.console import Console

from glitchwatch.demo import run_demo
from glitchwatch.origin.channel import ChannelSpec
from glitchwatch.origin.faults import KINDS, Fault, Schedule
from glitchwatch.origin.server import Origin

TINY = {"width": 160, "height": 90, "segment_s": 1, "preroll": 6}


def opened(*faults: Fault, **spec: object) -> Origin:
    return Origin([(ChannelSpec("a", **(TINY | spec)), Schedule(faults))])  # type: ignore[arg-type]


def at(origin: Origin, name: str) -> str:
    return origin.url("a").replace("master.m3u8", name)


def playlist(origin: Origin) -> "m3u8.M3U8":
    return m3u8.loads(httpx.get(at(origin, "picture.m3u8"), timeout=5).text)


def wait_until(origin: Origin, media_s: float) -> None:
    channel = origin.channels["a"]
    deadline = time.monotonic() + 30
    while channel.media_now_s() < media_s:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_everything_a_playlist_names_can_be_fetched() -> None:
    with opened() as origin, httpx.Client(timeout=5) as client:
        master = client.get(origin.url("a"))
        assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
        assert master.headers["access-control-allow-origin"] == "*"
        for uri in ("picture.m3u8", "sound.m3u8"):
            media = m3u8.loads(client.get(at(origin, uri)).text)
            assert len(media.segments) == 6
            for name in {s.uri for s in media.segments} | {s.init_section.uri for s in media.segments}:
                answer = client.get(at(origin, name))
                assert answer.status_code == 200
                assert answer.headers["content-type"] == "video/mp4"
                assert int(answer.headers["content-length"]) == len(answer.content) > 500
        assert client.get(at(origin, "picture-999999.m4s")).status_code == 404
        assert client.get(origin.url("a").replace("/a/", "/b/")).status_code == 404
        head = client.head(at(origin, "picture.m3u8"))
        assert head.content == b""
        assert origin.first_segment("a") is not None


def test_the_playlist_follows_the_wall_clock() -> None:
    with opened() as origin:
        first = playlist(origin).media_sequence
        assert first <= 1
        wait_until(origin, 8.5)
        deadline = time.monotonic() + 20
        while playlist(origin).media_sequence < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # Nothing is published before its last picture is due.
        made = origin.channels["a"].made
        assert made * 1.0 <= origin.channels["a"].media_now_s() + 1e-6


def test_a_lost_segment_is_not_found_and_its_sound_is() -> None:
    with opened(Fault(KINDS["segment_lost"], 2.0, 3.0)) as origin:
        answers = [httpx.get(at(origin, f"picture-{n:06d}.m4s"), timeout=5).status_code for n in (1, 2, 3)]
        assert answers == [200, 404, 200]
        assert httpx.get(at(origin, "sound-000002.m4s"), timeout=5).status_code == 200
        (truth,) = origin.truth("a")
        assert (truth.start - origin.channels["a"].epoch).total_seconds() == 2.0


@pytest.mark.parametrize("kind", ["origin_away", "origin_resets"])
def test_the_origin_goes_away_and_comes_back(kind: str) -> None:
    with opened(Fault(KINDS[kind], 7.0, 11.0)) as origin:
        wait_until(origin, 7.1)
        if kind == "origin_away":
            assert httpx.get(at(origin, "picture.m3u8"), timeout=5).status_code == 503
        else:
            with pytest.raises(httpx.HTTPError):
                httpx.get(at(origin, "picture.m3u8"), timeout=5)
        wait_until(origin, 11.1)
        assert httpx.get(at(origin, "picture.m3u8"), timeout=5).status_code == 200


def test_a_stalled_playlist_stands_still_and_then_catches_up() -> None:
    with opened(Fault(KINDS["playlist_stall"], 7.0, 9.5)) as origin:
        wait_until(origin, 7.1)
        stalled = httpx.get(at(origin, "picture.m3u8"), timeout=5).text
        wait_until(origin, 9.2)
        assert httpx.get(at(origin, "picture.m3u8"), timeout=5).text == stalled
        wait_until(origin, 9.6)
        deadline = time.monotonic() + 30  # a busy machine makes media late
        while playlist(origin).media_sequence <= m3u8.loads(stalled).media_sequence:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_slow_segment_comes_whole_and_late() -> None:
    with opened(Fault(KINDS["segment_slow"], 2.0, 3.0)) as origin:
        answer = httpx.get(at(origin, "picture-000002.m4s"), timeout=20)
        assert answer.elapsed.total_seconds() > 1.0
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_closing_ends_every_thread_even_while_a_client_waits() -> None:
    before = set(threading.enumerate())
    with opened(Fault(KINDS["segment_slow"], 2.0, 3.0), fps=25) as origin:
        kept = httpx.Client(timeout=5)
        kept.get(at(origin, "picture.m3u8"))  # a connection that stays open
        waiting = threading.Thread(target=lambda: _try(at(origin, "picture-000002.m4s")))
        waiting.start()
    waiting.join(timeout=10)
    kept.close()
    assert not waiting.is_alive()
    assert set(threading.enumerate()) <= before


def _try(url: str) -> None:
    try:
        httpx.get(url, timeout=20)
    except httpx.HTTPError:
        return  # it was hung up on


@pytest.mark.slow
def test_the_demo_finds_everything_it_injects_and_nothing_else() -> None:
    out = io.StringIO()
    status = run_demo(12, 40.0, False, Console(file=out, width=200), channels=2)
    assert status == 0, out.getvalue()
    assert "invented 0: good" in out.getvalue()


def test_a_child_ends_with_its_parent() -> None:
    code = (
        "from glitchwatch.processes import spawn\n"
        "child = spawn('http.server', ['0', '--bind', '127.0.0.1'])\n"
        "print(child.pid, flush=True)\n"
        "child.stdout.readline()\n"
        "input()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-u", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate(timeout=10)
    deadline = time.monotonic() + 20
    while _alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except FileNotFoundError:
        return False
