"""Where an address that libav opens really leads: every hop is asked about before libav may speak to it.

libav looks names up and follows redirects by itself, and would fetch whatever a playlist names. So redirects are
followed here, and it is told to follow none; a playlist goes to our own client. It looks the last name up once more: a
name whose answer changes in between is not caught. Nor is a redirect inside RTSP.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urljoin, urlsplit

from contracts.clock import Clock
from contracts.errors import SourceUnreachable
from contracts.urls import redact
from worker.ingest.hls.net import Client, Guard, NetFault
from worker.ingest.native import PlaylistFound
from worker.ingest.options import IngestOptions

MAX_REDIRECTS = 5
_LOOKED_AT = 64  # bytes of an answer that tell a playlist


@dataclass(frozen=True, slots=True)
class Reach:
    """`allow(url)` is asked at every hop and `allow_address(ip)` for each address; both raise SourceForbidden."""

    options: IngestOptions
    clock: Clock
    allow: Callable[[str], None]
    allow_address: Callable[[str], None]

    def settle(self, url: str) -> str:
        """The address at the end of all redirects.

        Raises SourceForbidden, SourceUnreachable, and PlaylistFound.
        """
        self.allow(url)
        parts = urlsplit(url)
        if parts.scheme.lower() not in ("http", "https"):
            if parts.hostname:
                self._look_up(parts.hostname, url)
            return url
        guard = Guard(self.clock, threading.Event(), allow_address=self.allow_address)
        guard.begin(self.options.open_timeout_s + self.options.read_timeout_s)
        client = Client(guard, connect_s=self.options.open_timeout_s, wait_s=self.options.read_timeout_s)
        try:
            return self._follow(client, url)
        except NetFault as error:
            raise SourceUnreachable(f"{redact(url)}: {error}.", cause=error.cause) from error
        except (OSError, HTTPException, ValueError) as error:
            raise SourceUnreachable(
                f"{redact(url)}: the connection failed ({error}).", cause="closed"
            ) from error
        finally:
            client.close()

    def _follow(self, client: Client, url: str) -> str:
        first = urlsplit(url).hostname
        for _ in range(MAX_REDIRECTS + 1):
            self.allow(url)
            headers = dict(self.options.request_headers())
            if urlsplit(url).hostname != first:
                headers.pop("Authorization", None)
            with client.get(url, headers) as answer:
                if answer.location is not None:
                    url = urljoin(url, answer.location)
                    continue
                begins = next(answer.pieces(_LOOKED_AT), b"") if 200 <= answer.status < 300 else b""
            if begins.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"#EXTM3U"):
                raise PlaylistFound(url)
            return url
        raise SourceUnreachable(f"{redact(url)}: more than {MAX_REDIRECTS} redirects.", cause="redirects")

    def _look_up(self, host: str, url: str) -> None:
        try:
            found = socket.getaddrinfo(host, None)
        except (OSError, UnicodeError) as error:
            raise SourceUnreachable(
                f"{redact(url)}: the name {host} is not known ({error}).", cause="dns"
            ) from error
        for *_, address in found:
            self.allow_address(str(address[0]))
