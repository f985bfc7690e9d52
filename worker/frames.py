"""What a watch's process and its supervisor say to each other: JSON, each message behind its length."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict
from typing import Any

from contracts.findings import DefectEdge, Edge, Finding, Measurement, Peak, Severity

Message = dict[str, Any]

_LENGTH = 4  # bytes, big-endian
MOST_BYTES = 16 * 1024 * 1024  # a longer message is a broken one


def pack(message: Message) -> bytes:
    """One message as it travels."""
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return len(body).to_bytes(_LENGTH, "big") + body


class Unpacker:
    """Cuts what was received into messages; a length beyond all reason is a ValueError."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes."""
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= _LENGTH:
            size = int.from_bytes(self._buffer[:_LENGTH], "big")
            if size > MOST_BYTES:
                raise ValueError(f"A message of {size} bytes was announced.")
            if len(self._buffer) < _LENGTH + size:
                break
            messages.append(json.loads(bytes(self._buffer[_LENGTH : _LENGTH + size])))
            del self._buffer[: _LENGTH + size]
        return messages


def receive(connection: socket.socket, unpacker: Unpacker) -> Message | None:
    """Wait for one message; None when the other side has gone."""
    while True:
        try:
            data = connection.recv(1 << 16)
        except ConnectionError:
            return None
        if not data:
            return None
        messages = unpacker.feed(data)
        if messages:
            return messages[0]


def plain(finding: Finding) -> Message:
    """A finding as plain data; what is at its default is left out."""
    if isinstance(finding, Measurement):
        kind = "measurement"
        skip: dict[str, Any] = {"track": None, "channel": None, "final": False}
    else:
        kind = "edge"
        skip = {"track": None, "channel": None, "suppressed_by": None, "detail": None, "confidence": 1.0}
    data = {k: v for k, v in asdict(finding).items() if k != "until_ns" and (k not in skip or v != skip[k])}
    return {"type": kind, **data}


def finding(data: Message) -> Finding:
    """What `plain` made; raises KeyError, TypeError or ValueError when it is anything else."""
    fields = {k: v for k, v in data.items() if k != "type"}
    if data["type"] == "measurement":
        return Measurement(**fields)
    return edge(fields)


def edge(fields: Message) -> DefectEdge:
    """A defect's edge out of plain data."""
    return DefectEdge(
        **{
            "track": None,
            **{k: v for k, v in fields.items() if k != "type"},
            "edge": Edge(fields["edge"]),
            "severity": Severity(fields["severity"]),
            "peak": Peak(**fields["peak"]),
        }
    )
