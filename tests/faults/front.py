"""What stands in front of a good origin and spoils what it says: one misbehaviour at a time, and none in the end."""

from __future__ import annotations

import random
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Mode = Literal["good", "gone", "stalled", "garbage", "page", "trickle"]
GARBAGE = random.Random(1).randbytes(4000)


class Front:
    """An HTTP server that passes on what `origin` answers, or does as `mode` says."""

    def __init__(self, origin: str) -> None:
        self.mode: Mode = "good"
        self.ended = threading.Event()
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                front.answer(self, origin + self.path)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, handler: BaseHTTPRequestHandler, url: str) -> None:
        """One answer, spoilt or not."""
        match self.mode:
            case "gone":
                handler.close_connection = True
            case "stalled":
                self._while("stalled", 60.0)
            case "garbage":
                self._reply(handler, 200, "application/vnd.apple.mpegurl", GARBAGE)
            case "page":
                self._reply(handler, 200, "text/html", b"<!DOCTYPE html><html><body>Sorry!</body></html>")
            case "trickle":
                status, kind, body = _fetch(url)
                handler.send_response(status)
                handler.send_header("Content-Type", kind)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                for byte in body:
                    try:
                        handler.wfile.write(bytes([byte]))
                    except OSError:
                        return
                    if not self._while("trickle", 0.5):
                        return
            case "good":
                self._reply(handler, *_fetch(url))

    def _while(self, mode: Mode, seconds: float) -> bool:
        """Wait, but not longer than `mode` lasts; whether it still does."""
        return all(self.mode == mode and not self.ended.wait(0.05) for _ in range(round(seconds / 0.05)))

    @staticmethod
    def _reply(handler: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        try:
            handler.wfile.write(body)
        except OSError:
            handler.close_connection = True

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _fetch(url: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, "text/plain", error.read()
