"""`glitchwatch check` as a user runs it: exit statuses, documents, and never a traceback."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from contracts.report import Report
from tests.media import Audio, Video, clip, write
from tests.patterns import BLACK, flat, panning
from tests.sounds import speech

ROOT = Path(__file__).parents[2]


class Ran:
    """What a run left: its exit status and what it wrote."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def report(self) -> Report:
        return Report.model_validate_json(self.out)


def command(arguments: Sequence[str | Path], program: str = "glitchwatch.cli") -> list[str]:
    return [sys.executable, "-m", program, *map(str, arguments)]


def run(*arguments: str | Path) -> Ran:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command(arguments),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Traceback" not in done.stdout, done.stdout
    return Ran(done)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("check")


@pytest.fixture(scope="module")
def good(folder: Path) -> Path:
    path = folder / "good clip [1].mp4"
    write(path, video=Video(panning(4)), audio=Audio(speech(4)))
    return path


@pytest.fixture(scope="module")
def dark(folder: Path) -> Path:
    path = folder / "dark.mp4"
    shown = [*panning(2), *[flat(BLACK)] * 75, *panning(2)]
    write(path, video=Video(shown), audio=Audio(speech(7)))
    return path


@pytest.fixture(scope="module")
def cut(folder: Path) -> Path:
    whole = clip(folder / "whole.mp4", 4.0, movflags="faststart")
    path = folder / "cut.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return path


def test_nothing_wrong_is_zero(good: Path) -> None:
    ran = run("check", good, "--json", "-")
    assert ran.status == 0, ran.out
    report = ran.report()
    assert report.exit_status == 0
    assert report.execution.status == "complete"
    assert report.defects == []
    assert report.input.duration_s == pytest.approx(4.0, abs=0.05)
    assert report.execution.watched_s == pytest.approx(4.0, abs=0.05)
    assert report.execution.blind_s == 0
    assert [t.id for t in report.input.tracks] == ["video:0", "audio:0"]
    assert report.profile.name == "default"
    assert report.profile.digest.startswith("sha256:")
    assert {c.detector for c in report.coverage} >= {"black", "freeze", "silence"}
    assert ran.err == ""


def test_a_defect_is_one_and_is_described(dark: Path) -> None:
    ran = run("check", dark, "--json", "-")
    assert ran.status == 1
    counted = [d for d in ran.report().defects if d.counts]
    (black,) = [d for d in counted if d.defect == "black"]
    assert (black.start_s, black.end_s) == pytest.approx((2.0, 5.0), abs=0.05)
    assert black.track == "video:0"
    assert not black.open
    assert counted == [black]


def test_the_document_has_exactly_the_promised_fields(dark: Path) -> None:
    document = json.loads(run("check", dark, "--json", "-").out)
    assert document["schema"] == "glitchwatch.report/1"
    assert set(document) == {
        "schema",
        "tool",
        "input",
        "profile",
        "execution",
        "defects",
        "measurements",
        "coverage",
    }
    assert set(document["execution"]) == {"status", "reason", "watched_s", "blind_s", "wall_s", "cpu_s"}
    assert {"url", "started_at", "container", "duration_s", "tracks"} <= set(document["input"])
    defect = document["defects"][0]
    assert {"defect", "detector", "family", "track", "start_s", "end_s", "open", "severity"} <= set(defect)
    assert set(defect["peak"]) == {"name", "value", "unit"}
    assert document["input"]["started_at"] is None
    assert "sample_rate_hz" not in document["input"]["tracks"][0]


def test_twice_the_same_input_is_twice_the_same_verdict(dark: Path) -> None:
    def verdict() -> Any:
        document = json.loads(run("check", dark, "--json", "-").out)
        return [document[part] for part in ("input", "profile", "defects", "measurements")]

    assert verdict() == verdict()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.mp4", None),
        ("empty.mp4", b""),
        ("text.mp4", b"This is a text.\n" * 100),
        ("text.txt", b"This is a text.\n" * 100),
        ("page.html", b"<html><body>no</body></html>" * 100),
        ("random.bin", bytes(range(256)) * 500),
    ],
)
def test_what_cannot_be_analysed_is_three_and_still_a_document(
    folder: Path, name: str, content: bytes | None
) -> None:
    path = folder / name
    if content is not None:
        path.write_bytes(content)
    ran = run("check", path, "--json", "-")
    assert ran.status == 3
    report = ran.report()
    assert report.execution.status == "failed"
    assert name in (report.execution.reason or "")


def test_a_folder_is_three(folder: Path) -> None:
    ran = run("check", folder, "--json", "-")
    assert ran.status == 3
    assert "directory" in (ran.report().execution.reason or "")


def test_a_truncated_file_is_partial_and_three(cut: Path) -> None:
    ran = run("check", cut, "--json", "-")
    assert ran.status == 3
    report = ran.report()
    assert report.execution.status == "partial"
    assert "truncated" in (report.execution.reason or "")
    assert report.execution.watched_s > 0.5


def test_several_inputs_are_a_line_each_and_the_gravest_wins(good: Path, dark: Path, cut: Path) -> None:
    ran = run("check", good, dark, cut, good, "--json", "-")
    lines = [Report.model_validate_json(line) for line in ran.out.splitlines()]
    assert [Path(r.input.url).name for r in lines] == [good.name, dark.name, cut.name, good.name]
    assert [r.exit_status for r in lines] == [0, 1, 3, 0]
    assert ran.status == 3
    assert run("check", good, dark, "--json", "-").status == 1


def test_usage_wins_over_everything(dark: Path, cut: Path) -> None:
    assert run("check", dark, cut, "--only", "blak").status == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["check"], "INPUT"),
        (["check", "x.mp4", "--no-such-flag"], "--no-such-flag"),
        (["check", "x.mp4", "--only", ""], "--only"),
        (["check", "x.mp4", "--only", "blak"], "blak"),
        (["check", "x.mp4", "--timeout", "0"], "--timeout"),
        (["check", "x.mp4", "--timeout", "soon"], "--timeout"),
        (["check", "x.mp4", "--header", "no colon"], "--header"),
        (["check", "x.mp4", "--variant", "middle"], "--variant"),
        (["check", "x.mp4", "--profile", "/is/not/here.toml"], "here.toml"),
        (["chek", "x.mp4"], "chek"),
        (["watch", "http://127.0.0.1:9/", "--for", "soon"], "soon"),
    ],
)
def test_wrong_usage_is_two_and_names_the_word(arguments: list[str], word: str) -> None:
    ran = run(*arguments)
    assert ran.status == 2
    assert word in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("detectors = 3", "detectors"),
        ("[detectors.blak]", "blak"),
        ("[detectors.black]\nmin_second = 3", "min_second"),
        ("[detectors.black]\nmin_seconds = -3", "min_seconds"),
        ("[detectors.black]\nmin_seconds = 'long'", "min_seconds"),
        ("[detectors.black]\nmode = 'loud'", "mode"),
        ("surprise = 1", "surprise"),
        ("[[[", "TOML"),
    ],
)
def test_a_wrong_profile_is_two_and_names_the_place(tmp_path: Path, good: Path, text: str, word: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    ran = run("check", good, "--profile", path)
    assert ran.status == 2
    assert word in ran.err
    assert ran.out == ""


def test_a_profile_that_is_not_text_is_two(tmp_path: Path, good: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    assert run("check", good, "--profile", path).status == 2


def test_a_profile_sets_parameters_and_modes(tmp_path: Path, dark: Path) -> None:
    path = tmp_path / "patient.toml"
    path.write_text("[detectors.black]\nmin_seconds = 3.5\n")
    assert run("check", dark, "--profile", path, "--only", "black").status == 0
    path.write_text('name = "only recorded"\n[detectors.black]\nmode = "report"\n')
    ran = run("check", dark, "--profile", path, "--only", "black", "--json", "-")
    report = ran.report()
    assert ran.status == 0
    assert report.profile.name == "only recorded"
    assert [(d.defect, d.mode) for d in report.defects] == [("black", "report")]
    path.write_text('[detectors.black]\nmode = "off"\n')
    assert "black" not in {
        c.detector for c in run("check", dark, "--profile", path, "--json", "-").report().coverage
    }


def test_only_runs_those_named(dark: Path) -> None:
    ran = run("check", dark, "--only", "silence, freeze", "--json", "-")
    assert {c.detector for c in ran.report().coverage} == {"silence", "freeze"}
    assert ran.status == 0


def test_a_pipe_gets_a_table_without_colour_or_progress(dark: Path) -> None:
    ran = run("check", dark)
    assert ran.status == 1
    assert "black" in ran.out
    assert "\x1b" not in ran.out
    assert "\r" not in ran.out
    assert ran.err == ""


def test_documents_are_written_beside_the_table(tmp_path: Path, dark: Path, good: Path) -> None:
    names = {
        "--json": "r.jsonl",
        "--junit": "r.xml",
        "--csv": "r.csv",
        "--html": "r.html",
        "--ebu-qc": "q.xml",
    }
    flags = [word for flag, name in names.items() for word in (flag, str(tmp_path / name))]
    ran = run(
        "check", dark, good, *flags, "--evidence", tmp_path / "shots", "--measurements", tmp_path / "m.csv"
    )
    assert ran.status == 1
    assert all((tmp_path / name).stat().st_size > 200 for name in names.values())
    first, second = (tmp_path / "r.jsonl").read_text().splitlines()
    (black,) = [d for d in Report.model_validate_json(first).defects if d.defect == "black"]
    assert Path(black.evidence[0].path).read_bytes().startswith(b"\xff\xd8")
    assert 2.0 <= black.evidence[0].at_s <= 5.0
    assert Report.model_validate_json(second).defects == []
    assert "dark_coverage" in (tmp_path / "m.csv").read_text()


def test_a_place_that_cannot_be_written_is_two(good: Path, tmp_path: Path) -> None:
    ran = run("check", good, "--json", tmp_path / "no" / "such" / "folder" / "r.json")
    assert ran.status == 2
    assert "r.json" in ran.err


# --- addresses ---------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def mute() -> Iterator[int]:
    """A server that accepts and never says a word."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield int(server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for one in held:
                one.close()


@contextlib.contextmanager
def answering(status: int, kind: str, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def lost(ran: Ran) -> Report:
    """The report of an address that could not be analysed: status 3, blindness as a defect, nothing healthy."""
    assert ran.status == 3
    report = ran.report()
    assert report.execution.status == "failed"
    assert report.execution.reason
    assert [d.defect for d in report.defects if d.defect.startswith("source_")]
    assert report.execution.watched_s == 0
    return report


@pytest.mark.parametrize("suffix", ["a.mp4", "a.m3u8"])
def test_a_closed_port_is_unreachable(suffix: str) -> None:
    report = lost(run("check", f"http://127.0.0.1:{closed_port()}/{suffix}", "--json", "-", "--timeout", "1"))
    assert report.defects[0].defect == "source_unreachable"


@pytest.mark.parametrize("suffix", ["a.mp4", "a.m3u8"])
def test_an_address_that_hangs_is_given_up(suffix: str) -> None:
    with mute() as port:
        lost(run("check", f"http://127.0.0.1:{port}/{suffix}", "--json", "-", "--timeout", "0.5"))


@pytest.mark.parametrize(
    ("suffix", "status"), [("live", 200), ("a.mp4", 200), ("a.m3u8", 200), ("a.mp4", 404), ("a.m3u8", 404)]
)
def test_a_web_page_is_no_stream(suffix: str, status: int) -> None:
    page = b"<!doctype html><html><head><title>Portal</title></head><body>Please log in.</body></html>" * 30
    with answering(status, "text/html", page) as address:
        report = lost(run("check", f"{address}/{suffix}", "--json", "-", "--timeout", "2"))
    if status == 404:
        assert report.defects[0].defect == "source_unreachable"
        assert "404" in (report.execution.reason or "")


def test_a_host_without_a_name_is_unreachable() -> None:
    report = lost(run("check", "http://no-such-host.invalid/a.mp4", "--json", "-", "--timeout", "2"))
    assert report.defects[0].defect == "source_unreachable"


def test_a_scheme_nobody_knows() -> None:
    ran = run("check", "gopher9://127.0.0.1/x", "--json", "-", "--timeout", "1")
    assert ran.status == 3


def test_secrets_of_an_address_are_never_shown() -> None:
    address = f"http://anna:pa55word@127.0.0.1:{closed_port()}/a.mp4?token=hush-hush"
    for flags in ([], ["--json", "-"]):
        ran = run("check", address, "--timeout", "1", *flags)
        assert "pa55word" not in ran.out + ran.err
        assert "hush-hush" not in ran.out + ran.err


def test_a_file_over_http(tmp_path: Path) -> None:
    data = clip(tmp_path / "index-first.mp4", 4.0, movflags="faststart").read_bytes()
    with answering(200, "video/mp4", data) as address:
        ran = run("check", f"{address}/good.mp4?token=abc", "--json", "-")
    assert ran.status == 0, ran.out
    assert ran.report().input.url.endswith("good.mp4?token=***")
    assert ran.report().execution.watched_s == pytest.approx(4.0, abs=0.05)


# --- the process -------------------------------------------------------------------------------------------


def inside(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command line after `code` ran in its process."""
    words = ["glitchwatch", *map(str, arguments)]
    program = (
        f"import os, signal, sys\n{code}\nfrom glitchwatch import cli\nsys.argv = {words!r}\ncli.main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


INTERRUPTED = """
from worker.watch import Watch
take, seen = Watch._take, []
def counted(self, event):
    seen.append(event)
    if len(seen) in {at}:
        os.kill(os.getpid(), signal.{signal})
    take(self, event)
Watch._take = counted
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_ctrl_c_ends_with_the_verdict_so_far(dark: Path, good: Path, name: str) -> None:
    code = INTERRUPTED.format(at=(180,), signal=name)
    done = inside(code, "check", dark, good, "--json", "-")
    assert done.stderr == ""
    report = Report.model_validate_json(done.stdout)  # the second input is not begun
    assert done.returncode == 3
    assert report.execution.status == "partial"
    assert "Stopped" in (report.execution.reason or "")
    assert 2 < report.execution.watched_s < 6


def test_a_second_ctrl_c_ends_at_once(dark: Path) -> None:
    code = "from worker.pipeline import Pipeline\nfinish = Pipeline.finish\n"
    code += "def slow(self, at):\n    os.kill(os.getpid(), signal.SIGINT)\n    return finish(self, at)\n"
    code += "Pipeline.finish = slow\n" + INTERRUPTED.format(at=(100,), signal="SIGINT")
    done = inside(code, "check", dark, "--json", "-")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_check_loads_no_store_and_no_web_framework(good: Path) -> None:
    code = (
        "import sys\n"
        "from glitchwatch import cli\n"
        f"sys.argv = ['glitchwatch', 'check', {str(good)!r}]\n"
        "try:\n    cli.main()\n"
        "except SystemExit as done:\n"
        "    heavy = {'redis', 'rq', 'fastapi', 'uvicorn', 'boto3', 'scipy', 'torch'} & set(sys.modules)\n"
        "    print('loaded', sorted(heavy), 'status', done.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100, check=True
    )
    assert "loaded [] status 0" in done.stdout


def test_a_broken_detector_spoils_no_document(good: Path) -> None:
    code = (
        "from detectors.picture.black import Black\n"
        "def broken(self, view):\n    raise ZeroDivisionError('one over nothing')\n"
        "Black.picture = broken\n"
    )
    done = inside(code, "check", good, "--json", "-")
    report = Report.model_validate_json(done.stdout)
    assert [c.fault for c in report.coverage if c.fault] == ["ZeroDivisionError: one over nothing"]
    (fault,) = report.defects
    assert (fault.defect, fault.family, fault.channel) == ("detector_fault", "monitoring", "black")
    assert report.execution.watched_s == pytest.approx(4.0, abs=0.05)


def test_a_reader_that_leaves_early_is_no_error(dark: Path) -> None:
    words = " ".join(f"'{word}'" for word in command(["check", dark, dark, "--json", "-"]))
    done = subprocess.run(
        ["bash", "-c", f"{words} | head -c 10 > /dev/null"],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
