"""The API as its users meet it: a controller process on a real store; what a worker would do is done here."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.findings import Edge, Severity
from contracts.fleet import (
    Body,
    CoverageBody,
    EdgeBody,
    FindingEnvelope,
    Grant,
    Point,
    SeriesBody,
    WatchStatus,
    WorkerInfo,
)
from glitchwatch import embedded, processes
from store.connect import open_sync
from store.leases import Held, Leases
from store.outlet import Outlet, Verdict

SECRET = "hush-hush"
ORIGIN = "https://origin.example"


@dataclass(slots=True)
class Api:
    base: str
    key: str
    store: str
    folder: Path

    def client(self, key: str | None = None) -> httpx.Client:
        return httpx.Client(
            base_url=self.base,
            timeout=10,
            headers={"Authorization": f"Bearer {self.key if key is None else key}"},
        )


def start_controller(environ: dict[str, str], log: Path) -> tuple[Any, list[str]]:
    with log.open("a") as file:
        process = processes.spawn(
            "controller.main",
            [],
            stderr=file.fileno(),
            environ={**os.environ, "CONTROLLER_PORT": "0", **environ},
        )
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Listening"):
            return process, lines
    raise AssertionError(f"the controller ended: {log.read_text()}")


def end(process: Any, number: signal.Signals = signal.SIGTERM, seconds: float = 15.0) -> int:
    """Its exit status; the pipe is closed with it."""
    with process:
        if process.poll() is None:
            process.send_signal(number)
        return int(process.wait(seconds))


def address(lines: list[str]) -> str:
    return lines[-1].split()[2]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    store = embedded.start(folder / "store", environ={"PATH": os.environ["PATH"]})
    environ = {"REDIS_URL": store.url, "CONTROLLER_RECONCILE_S": "0.3", "CONTROLLER_ORIGIN_STARTS_PER_S": "2"}
    process, lines = start_controller(environ, folder / "log")
    try:
        yield Api(address(lines), lines[0].split()[-1], store.url, folder)
    finally:
        status = end(process)
        store.stop()
    assert status == 0


@pytest.fixture
def http(api: Api) -> Iterator[httpx.Client]:
    with api.client() as client:
        yield client


def until(look: Callable[[], Any], seconds: float = 15.0) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def onboard(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = http.post("/v1/streams", json={"url": f"{ORIGIN}/a.m3u8", **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


class FakeWorker:
    """Holds leases and says things, as a worker would."""

    def __init__(self, api: Api, name: str = "w1") -> None:
        self.name = name
        client = open_sync(api.store, timeout_s=3)
        self.leases, self.outlet = Leases(client), Outlet(client)
        self.sequence = 0

    def claim(self, stream: str) -> Grant:
        return next(
            g for g in self.leases.claim(self.name, "all", 500) if g.lease.assignment.stream == stream
        )

    def say(self, grant: Grant, *bodies: Body) -> None:
        envelopes = []
        for body in bodies:
            self.sequence += 1
            envelopes.append(
                FindingEnvelope(
                    assignment=grant.lease.assignment.id,
                    epoch=grant.lease.epoch,
                    sequence=self.sequence,
                    body=body,
                )
            )
        assert set(self.outlet.accept(self.name, envelopes)) == {Verdict.ACCEPTED}

    def renew(self, grant: Grant, status: WatchStatus | None = None) -> None:
        assignment = grant.lease.assignment
        info = WorkerInfo(
            worker=self.name,
            group="all",
            version="0",
            host="here",
            started_at=datetime.now(UTC),
            capacity=9,
            held=1,
        )
        self.leases.renew(info, [Held(assignment.id, grant.lease.epoch, assignment.revision, status=status)])


def black(edge: Edge, start: datetime, at: datetime) -> EdgeBody:
    return EdgeBody(
        edge=edge, defect="black", detector="black", family="picture", track="video:0", start_ns=0,
        at_ns=int((at - start).total_seconds() * 1e9), certain_at_ns=0, started_at=start, at=at,
        severity=Severity.CRITICAL, peak_name="dark_coverage", peak_value=1.0, peak_unit="ratio", threshold=0.98,
    )  # fmt: skip


# --- who may ask, and how errors look -------------------------------------------------------------------------


def test_every_address_but_health_and_documentation_asks_for_a_key(api: Api) -> None:
    with httpx.Client(base_url=api.base, timeout=10) as nobody:
        paths = nobody.get("/openapi.json").json()["paths"]
        assert len(paths) > 20
        for path, methods in paths.items():
            for method in methods:
                if path in {"/healthz", "/readyz"}:
                    continue
                answer = nobody.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["www-authenticate"].startswith("Bearer")
        assert nobody.get("/healthz").status_code == nobody.get("/readyz").status_code == 200
    with api.client("gw_wrong") as stranger:
        assert stranger.get("/v1/streams").status_code == 401


def test_the_key_is_printed_once_and_kept_as_a_hash(api: Api) -> None:
    process, lines = start_controller({"REDIS_URL": api.store}, api.folder / "second.log")
    try:
        assert not any("gw_" in line for line in lines)
        with httpx.Client(
            base_url=address(lines), headers={"Authorization": f"Bearer {api.key}"}, timeout=10
        ) as other:
            assert other.get("/v1/streams").status_code == 200
    finally:
        end(process)
    client = open_sync(api.store, timeout_s=3)
    assert api.key.encode() not in str(client.hgetall("gw:apikey")).encode()


def test_every_error_is_a_problem(http: httpx.Client) -> None:
    cases = [
        (http.get("/v1/nothing"), 404),
        (http.put("/v1/streams"), 405),
        (http.get("/v1/streams/none"), 404),
        (http.post("/v1/streams", content="{", headers={"Content-Type": "application/json"}), 422),
        (http.post("/v1/streams/bulk", content="x", headers={"Content-Type": "text/html"}), 415),
        (http.post("/v1/streams", content=b" " * (2 * 1024 * 1024)), 413),
        (http.get("/v1/streams", params={"limit": "0"}), 422),
        (http.get("/v1/events", headers={"Last-Event-ID": "x"}), 400),
        (http.get("/v1/probes/" + "0" * 24), 404),
    ]
    for answer, status in cases:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert {"type", "title", "status", "detail", "instance"} <= set(body)
        assert body["status"] == status


def test_a_misspelt_setting_ends_the_controller_with_status_2(api: Api) -> None:
    environ = {**os.environ, "REDIS_URL": api.store, "CONTROLLER_PROT": "1"}
    with (
        Path(os.devnull).open("w") as nowhere,
        processes.spawn("controller.main", [], stderr=nowhere.fileno(), environ=environ) as process,
    ):
        assert process.wait(30) == 2


# --- streams --------------------------------------------------------------------------------------------------


def test_a_stream_from_onboarding_to_its_end(http: httpx.Client) -> None:
    stream = onboard(http, name="A", labels={"case": "life"}, external_id="life-1")
    path = f"/v1/streams/{stream['id']}"
    assert stream["state"] == "unassigned"
    read = http.get(path)
    assert read.headers["etag"] == '"1"'
    changed = http.patch(path, json={"name": "B"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["name"], changed.headers["etag"]) == (200, "B", '"2"')
    assert http.patch(path, json={"name": "C"}, headers={"If-Match": '"1"'}).status_code == 412
    assert http.post(f"{path}/disable").json()["state"] == "disabled"
    assert http.get(f"{path}/assignments").json()["assignments"] == []
    assert http.post(f"{path}/enable").json()["state"] == "unassigned"
    assert len(http.get(f"{path}/assignments").json()["assignments"]) == 1
    assert http.post("/v1/streams", json={"url": ORIGIN, "external_id": "life-1"}).status_code == 409
    assert http.delete(path, headers={"If-Match": '"1"'}).status_code == 412
    assert http.delete(path).status_code == 204
    assert http.get(path).status_code == 404


def test_secrets_never_come_out(http: httpx.Client, api: Api) -> None:
    stream = onboard(
        http,
        url=f"https://user:{SECRET}@origin.example/a.m3u8?token={SECRET}",
        bearer=SECRET,
        headers={"X-Key": SECRET},
    )
    path = f"/v1/streams/{stream['id']}"
    told = [
        http.get(p).text for p in (path, "/v1/streams", f"{path}/explain", f"{path}/assignments", "/metrics")
    ]
    told.append(http.patch(path, json={"bearer": f"{SECRET}\r\n"}).text)
    told.append(http.patch(path, json={"url": f"ftp://user:{SECRET}@x/?{SECRET}"}).text)
    told.append(http.post("/v1/probes", json={"url": f"{ORIGIN}/a?token={SECRET}", "bearer": SECRET}).text)
    told.append(json.dumps(stream))
    told.append((api.folder / "log").read_text())
    assert not any(SECRET in text for text in told)
    client = open_sync(api.store, timeout_s=3)
    assert SECRET in str(client.hget("gw:stream", stream["id"]))  # the worker needs it


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://169.254.169.254/a", "http://127.0.0.1/a", "http://10.0.0.1/a"]
)
def test_addresses_are_refused_at_every_door(http: httpx.Client, url: str) -> None:
    answers = [http.post(f"/v1/{door}", json={"url": url}) for door in ("streams", "probes", "analyses")]
    assert {a.status_code for a in answers} == {422}
    assert {a.json()["type"].rpartition(":")[2] for a in answers} == {"address-refused"}
    listed = http.post("/v1/streams/bulk", json=[{"url": url}]).json()
    assert (listed["failed"], listed["created"]) == (1, 0)


def test_the_same_creation_twice_is_done_once(http: httpx.Client) -> None:
    headers = {"Idempotency-Key": "one-key"}
    body = {"name": "once", "url": f"{ORIGIN}/once", "labels": {"case": "once"}}
    first, second = (http.post("/v1/streams", json=body, headers=headers) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert http.post("/v1/streams", json={**body, "name": "other"}, headers=headers).status_code == 422
    assert len(http.get("/v1/streams", params={"label": "case=once"}).json()["streams"]) == 1


def test_a_thousand_in_one_call_page_by_page_and_unchanged_the_second_time(http: httpx.Client) -> None:
    listed = [
        {"external_id": f"bulk-{n}", "url": f"https://o{n % 50}.example/{n}.m3u8", "labels": {"case": "bulk"}}
        for n in range(1000)
    ]
    dry = http.post("/v1/streams/bulk", params={"dry_run": True}, json=listed, timeout=60).json()
    assert (dry["dry_run"], dry["created"], dry["failed"]) == (True, 0, 0)
    headers = {"Idempotency-Key": "thousand"}
    done = http.post("/v1/streams/bulk", json=listed, headers=headers, timeout=60).json()
    assert (done["created"], done["failed"]) == (1000, 0)
    assert http.post("/v1/streams/bulk", json=listed, headers=headers, timeout=60).json() == done
    again = http.post("/v1/streams/bulk", json=listed, timeout=60).json()
    assert (again["created"], again["unchanged"]) == (0, 1000)
    starts = sorted(
        datetime.fromisoformat(r["starts_at"]) for r in done["rows"] if int(r["external_id"][5:]) % 50 == 0
    )
    assert [round((b - a).total_seconds(), 2) for a, b in pairwise(starts)] == [0.5] * 19
    seen: list[str] = []
    after = ""
    while True:
        page = http.get("/v1/streams", params={"label": "case=bulk", "limit": 300, "after": after}).json()
        seen += [s["external_id"] for s in page["streams"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert sorted(seen) == sorted(str(entry["external_id"]) for entry in listed)
    waiting = http.get("/v1/streams", params={"label": "case=bulk", "state": "waiting", "limit": 5}).json()
    assert {s["state"] for s in waiting["streams"]} == {"waiting"}
    off = [{**entry, "enabled": False} for entry in listed]
    assert http.post("/v1/streams/bulk", json=off, timeout=60).json()["updated"] == 1000


def test_csv_and_m3u_fail_row_by_row(http: httpx.Client) -> None:
    csv = "external_id,url,profile\nrow-a,https://o.example/a,\nrow-b,nonsense,\nrow-c,https://o.example/c,none\nrow-a,https://o.example/d,\n"
    found = http.post("/v1/streams/bulk", content=csv, headers={"Content-Type": "text/csv"}).json()
    assert [row["outcome"] for row in found["rows"]] == ["created", "error", "error", "error"]
    assert all(row["errors"] for row in found["rows"][1:])
    m3u = '#EXTM3U\n#EXTINF:-1 tvg-id="row-a",Renamed\nhttps://o.example/a\n'
    again = http.post("/v1/streams/bulk", content=m3u, headers={"Content-Type": "audio/x-mpegurl"}).json()
    assert again["updated"] == 1
    assert http.get(f"/v1/streams/{again['rows'][0]['id']}").json()["name"] == "Renamed"


def test_off_air_hours_withdraw_assignments_and_give_them_back(http: httpx.Client) -> None:
    now = datetime.now(UTC)
    window = {
        "zone": "UTC",
        "start": f"{now - timedelta(minutes=5):%H:%M}",
        "end": f"{now + timedelta(hours=1):%H:%M}",
    }
    stream = onboard(http, off_air=[window])
    path = f"/v1/streams/{stream['id']}"
    assert stream["state"] == "off_air"
    assert http.get(f"{path}/assignments").json()["assignments"] == []
    assert "off air" in http.get(f"{path}/explain").json()["why"][0]
    http.patch(path, json={"off_air": []})
    assert len(http.get(f"{path}/assignments").json()["assignments"]) == 1
    assert http.patch(path, json={"off_air": [{**window, "zone": "Mars/Olympus"}]}).status_code == 422


# --- profiles and groups --------------------------------------------------------------------------------------


def test_profiles_are_checked_versioned_and_kept_while_used(http: httpx.Client) -> None:
    path = "/v1/profiles/strict"
    wrong = http.put(path, json={"detectors": {"black": {"min_seconds": -1}, "blak": {}}})
    assert {e["pointer"] for e in wrong.json()["errors"]} == {
        "/detectors/black/min_seconds",
        "/detectors/blak",
    }
    assert http.put(path, json={"detectors": {"black": {"min_seconds": 4}}}).status_code == 201
    assert http.put(path, json={"detectors": {}}, headers={"If-Match": '"1"'}).headers["etag"] == '"2"'
    assert http.put(path, json={"detectors": {}}, headers={"If-Match": '"1"'}).status_code == 412
    assert http.get(path, params={"version": 1}).json()["detectors"]["black"]["min_seconds"] == 4
    stream = onboard(http, profile="strict")
    before = http.get(f"/v1/streams/{stream['id']}/assignments").json()["assignments"][0]["revision"]
    http.put(path, json={"detectors": {"black": {"mode": "off"}}})
    assert http.get(f"/v1/streams/{stream['id']}/assignments").json()["assignments"][0]["revision"] != before
    assert http.delete(path).status_code == 409
    http.delete(f"/v1/streams/{stream['id']}")
    assert http.delete(path).status_code == 204
    assert http.post("/v1/streams", json={"url": ORIGIN, "profile": "strict"}).status_code == 422


def test_groups_cut_every_stream_anew(http: httpx.Client) -> None:
    stream = onboard(http)
    before = http.get("/v1/groups")
    cut = {"groups": [{"name": "picture", "families": ["picture"]}, {"name": "sound", "families": ["sound"]}]}
    try:
        assert (
            http.put("/v1/groups", json=cut, headers={"If-Match": before.headers["etag"]}).status_code == 200
        )
        found = http.get(f"/v1/streams/{stream['id']}/assignments").json()["assignments"]
        assert {a["group"] for a in found} == {"picture", "sound"}
        twice = {"groups": [{"name": "a", "families": ["picture"]}, {"name": "b", "detectors": ["black"]}]}
        assert http.put("/v1/groups", json=twice).status_code == 422
    finally:
        assert http.put("/v1/groups", json={"groups": [{"name": "all"}]}).status_code == 200


# --- what was found -------------------------------------------------------------------------------------------


def test_a_defect_from_a_workers_word_to_stopped_watching(http: httpx.Client, api: Api) -> None:
    stream = onboard(http, name="found")["id"]
    path = f"/v1/streams/{stream}"
    worker = FakeWorker(api)
    grant = worker.claim(stream)
    began = datetime.now(UTC).replace(microsecond=250_000)
    events: list[dict[str, Any]] = []
    ids: list[str] = []
    ready, enough = threading.Event(), threading.Event()

    def listen() -> None:
        with api.client() as mine, mine.stream("GET", "/v1/events", params={"stream": stream}) as lines:
            assert lines.headers["content-type"].startswith("text/event-stream")
            for line in lines.iter_lines():
                ready.set()
                if line.startswith("id: "):
                    ids.append(line[4:])
                if line.startswith("data: "):
                    events.append(json.loads(line[6:]))
                    if len(events) == 2:
                        enough.set()
                        return

    threading.Thread(target=listen, daemon=True).start()
    assert ready.wait(10)
    worker.say(grant, black(Edge.OPENED, began, began))
    (defect,) = http.get(f"{path}/defects").json()["open"]
    assert (defect["defect"], defect["state"], defect["ended_at"]) == ("black", "open", None)
    assert defect["started_at"] == began.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert http.get(path).json()["open_defects"] == ["black"]
    assert [s["id"] for s in http.get("/v1/streams", params={"defect": "black"}).json()["streams"]] == [
        stream
    ]
    http.post(f"{path}/disable")
    found = http.get(f"{path}/defects").json()
    assert found["open"] == []
    assert found["closed"][0]["closed_because"] == "stopped_watching"
    assert enough.wait(10)
    assert [e["what"] for e in events] == ["opened", "closed"]
    assert events[1]["because"] == "stopped_watching"
    assert events[0]["at"].endswith("Z")

    opened = next(i for i, e in zip(ids[-2:], events, strict=True) if e["what"] == "opened")
    with api.client() as mine, mine.stream("GET", "/v1/events", headers={"Last-Event-ID": opened}) as lines:
        again = next(json.loads(line[6:]) for line in lines.iter_lines() if line.startswith("data: "))
    assert again["what"] == "closed"  # resumed behind the first, without gap or repeat
    assert again["id"] == events[1]["id"]

    backlog = "glitchwatch_findings_backlog 0.0"
    assert until(lambda: backlog in http.get("/metrics").text)  # consumed and acknowledged by the controller


def test_deleting_says_stopped_watching(http: httpx.Client, api: Api) -> None:
    stream = onboard(http)["id"]
    worker = FakeWorker(api, "w2")
    grant = worker.claim(stream)
    with api.client() as mine, mine.stream("GET", "/v1/events", params={"stream": stream}) as lines:
        text = lines.iter_lines()
        next(text)
        now = datetime.now(UTC)
        worker.say(grant, black(Edge.OPENED, now, now))
        http.delete(f"/v1/streams/{stream}")
        said: list[tuple[str, str | None]] = []
        for line in text:
            if line.startswith("data: "):
                event = json.loads(line[6:])
                said.append((event["what"], event.get("because")))
                if len(said) == 2:
                    break
    assert said == [("opened", None), ("closed", "stopped_watching")]


def test_measurements_and_coverage_are_read_back(http: httpx.Client, api: Api) -> None:
    stream = onboard(http)["id"]
    worker = FakeWorker(api, "w3")
    grant = worker.claim(stream)
    slot = int(time.time()) // 60 - 1
    worker.say(
        grant,
        SeriesBody(step_s=60, slot=slot, points={"dark_coverage|video:0|": Point(0.25, 0.75, 0.5, 100)}),
        CoverageBody(added={"black": (9000, 1000, 1000)}),
    )
    (series,) = http.get(f"/v1/streams/{stream}/measurements").json()["series"]
    assert (series["name"], series["track"], series["mean"], series["count"]) == (
        "dark_coverage",
        "video:0",
        [0.5],
        [100],
    )
    assert datetime.fromisoformat(series["at"][0]).timestamp() == slot * 60
    assert http.get(f"/v1/streams/{stream}/measurements", params={"name": "other"}).json()["series"] == []
    assert http.get(f"/v1/streams/{stream}/measurements", params={"step": 7}).status_code == 422
    (row,) = http.get(f"/v1/streams/{stream}/coverage").json()["coverage"]
    assert row == {"detector": "black", "watched_s": 9.0, "degraded_s": 1.0, "blind_s": 1.0, "share": 0.9}


def test_explain_says_why(http: httpx.Client, api: Api) -> None:
    stream = onboard(http)["id"]
    path = f"/v1/streams/{stream}"
    assert "no worker" in " ".join(http.get(f"{path}/explain").json()["why"])
    worker = FakeWorker(api, "w4")
    grant = worker.claim(stream)
    status = WatchStatus(
        state="blind", since=datetime.now(UTC), cause="http_503", reason="Source unreachable: origin answered 503.",
        fetches=("GET /a.m3u8 503",), decoder=("no frame",), restarts=2,
    )  # fmt: skip
    worker.renew(grant, status)
    told = http.get(f"{path}/explain").json()
    assert told["state"] == "blind"
    assert "http_503" in told["why"][0]
    assert "503" in told["assignments"][0]["status"]["fetches"][0]
    assert told["assignments"][0]["history"][0]["what"] == "claimed"
    assert [s["id"] for s in http.get("/v1/streams", params={"state": "blind"}).json()["streams"]] == [stream]
    assert "w4" in {w["worker"] for w in http.get("/v1/workers").json()["workers"] if w["alive"]}


# --- when the store goes away ---------------------------------------------------------------------------------


def test_an_outage_of_the_store_is_said_and_survived(tmp_path: Path) -> None:
    path = {"PATH": os.environ["PATH"]}
    store = embedded.start(tmp_path / "s", environ=path)
    process, lines = start_controller({"REDIS_URL": store.url}, tmp_path / "log")
    try:
        key = {"Authorization": f"Bearer {lines[0].split()[-1]}"}
        with httpx.Client(base_url=address(lines), timeout=10, headers=key) as http:
            stream = onboard(http)["id"]
            store.kill()
            for answer in (
                http.get("/readyz"),
                http.get("/v1/streams"),
                http.post("/v1/streams", json={"url": ORIGIN}),
            ):
                assert answer.status_code == 503, answer.text
                assert answer.headers["content-type"] == "application/problem+json"
                assert "retry-after" in answer.headers
            assert http.get("/healthz").status_code == 200
            address_before, store = store.url, embedded.start(tmp_path / "s", environ=path)
            assert store.url == address_before
            assert until(lambda: http.get("/readyz").status_code == 200)
            assert http.get(f"/v1/streams/{stream}").json()["state"] == "unassigned"
            worker = FakeWorker(Api("", "", store.url, tmp_path))
            now = datetime.now(UTC)
            worker.say(worker.claim(stream), black(Edge.OPENED, now, now))
            assert until(lambda: 'findings_handled_total{what="opened"} 1.0' in http.get("/metrics").text)
    finally:
        end(process)
        store.stop()


# --- a whole machine ------------------------------------------------------------------------------------------


def alive(pids: set[int]) -> set[int]:
    """Those that still run; one that ended and was not waited for does not."""
    found = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in {"Z", "X"}:
            found.add(pid)
    return found


def below(pid: int) -> set[int]:
    """All processes below `pid`."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, grew = {pid}, True
    while grew:
        more = {child for child, parent in parents.items() if parent in found} - found
        grew = bool(more)
        found |= more
    return found - {pid}


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_up_watches_a_live_channel_probes_and_analyses_and_leaves_no_orphan(
    tmp_path: Path, number: signal.Signals
) -> None:
    from glitchwatch.origin.channel import ChannelSpec
    from glitchwatch.origin.faults import KINDS, Fault, Schedule
    from glitchwatch.origin.server import Origin

    environ = {k: v for k, v in os.environ.items() if k != "REDIS_URL"}
    process = processes.spawn(
        "glitchwatch.cli",
        ["up", "--data", str(tmp_path / "data"), "--port", "0", "--workers", "1"],
        environ=environ,
    )
    try:
        assert process.stdout is not None
        key, base = "", ""
        for line in process.stdout:
            if line.startswith("API key"):
                key = line.split()[-1]
            if line.startswith("API  "):
                base = line.split()[1].removesuffix("/v1")
                break
        assert key
        spec = ChannelSpec("a", width=160, height=90, segment_s=1, preroll=6)
        with (
            Origin([(spec, Schedule([Fault(KINDS["black"], 14.0, 18.0)]))]) as origin,
            httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=10) as http,
        ):
            stream = onboard(http, url=origin.url("a"))["id"]
            probe = http.post("/v1/probes", json={"url": origin.url("a")}).json()["id"]
            probed = until(lambda: done(http.get(f"/v1/probes/{probe}").json()), 60)
            assert {t["kind"] for t in probed["result"]["tracks"]} == {"video", "audio"}, probed
            assert probed["result"]["first_frame_jpeg"]
            job = http.post("/v1/analyses", json={"url": origin.url("a"), "for_s": 2}).json()["id"]
            analysed = until(lambda: done(http.get(f"/v1/analyses/{job}").json()), 60)
            assert analysed["report"]["execution"]["watched_s"] > 0, analysed
            closed = until(lambda: http.get(f"/v1/streams/{stream}/defects").json()["closed"], 90)
            assert [d["defect"] for d in closed] == ["black"]
        children = below(process.pid)
        assert len(children) >= 5
        process.send_signal(number)
        process.wait(40)
        until(lambda: not alive(children), 30)
        if number is signal.SIGINT:
            assert process.returncode == 0
    finally:
        end(process, signal.SIGKILL)


def done(work: dict[str, Any]) -> dict[str, Any] | None:
    assert work["state"] not in {"failed", "cancelled"}, work
    return work if work["state"] == "done" else None
