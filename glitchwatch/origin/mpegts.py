"""Media segments as MPEG transport streams (ISO/IEC 13818-1): one programme, H.264 and AAC in ADTS."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from glitchwatch.origin.encode import VIDEO_HZ, Unit

PMT_PID, VIDEO_PID, AUDIO_PID = 0x1000, 0x100, 0x101
WRAP = 1 << 33  # a time stamp has 33 bits
_PACKET = 188
_ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


@dataclass(frozen=True, slots=True)
class Access:
    """One access unit with its time stamp in 90 kHz ticks, not yet wrapped."""

    pid: int
    pts: int
    data: bytes
    key: bool = True


@dataclass(slots=True)
class TsMuxer:
    """Keeps the continuity counters from one segment to the next."""

    delay: int = VIDEO_HZ // 2  # how far the programme clock is behind the time stamps
    _counters: dict[int, int] = field(default_factory=dict)

    def segment(self, units: Sequence[Access]) -> bytes:
        """Tables first, then the units in order of time; the programme clock rides on the picture's packets."""
        pat = struct.pack(">HBBBHH", 1, 0xC1, 0, 0, 1, 0xE000 | PMT_PID)
        streams = struct.pack(">BHHBHH", 0x1B, 0xE000 | VIDEO_PID, 0xF000, 0x0F, 0xE000 | AUDIO_PID, 0xF000)
        pmt = struct.pack(">HBBBHH", 1, 0xC1, 0, 0, 0xE000 | VIDEO_PID, 0xF000) + streams
        out = [self._section(0, 0x00, pat), self._section(PMT_PID, 0x02, pmt)]
        for unit in sorted(units, key=lambda u: (u.pts, u.pid)):
            out.extend(self._pes(unit))
        return b"".join(out)

    def _section(self, pid: int, table: int, body: bytes) -> bytes:
        section = struct.pack(">BH", table, 0xB000 | (len(body) + 4)) + body
        section += struct.pack(">I", crc32_mpeg(section))
        return self._header(pid, start=True, payload_only=True) + (b"\0" + section).ljust(
            _PACKET - 4, b"\xff"
        )

    def _pes(self, unit: Access) -> list[bytes]:
        video = unit.pid == VIDEO_PID
        length = 0 if video else len(unit.data) + 8
        payload = struct.pack(">IHBBB", 0x1E0 if video else 0x1C0, length, 0x80, 0x80, 5)
        payload += _stamp(unit.pts) + unit.data
        out = []
        first = True
        while payload:
            field_ = b""
            if first and video:
                field_ = bytes([0x50 if unit.key else 0x10]) + _clock(unit.pts - self.delay)
            stuffing = max(0, _PACKET - 4 - (len(field_) + 1 if field_ else 0) - len(payload))
            if field_:
                field_ += b"\xff" * stuffing
            elif stuffing > 1:  # its length byte takes one, its flags another
                field_ = b"\0" + b"\xff" * (stuffing - 2)
            packed = bytes([len(field_)]) + field_ if field_ or stuffing else b""
            take = _PACKET - 4 - len(packed)
            out.append(self._header(unit.pid, start=first, payload_only=not packed) + packed + payload[:take])
            payload, first = payload[take:], False
        return out

    def _header(self, pid: int, *, start: bool, payload_only: bool) -> bytes:
        counter = self._counters.get(pid, 0)
        self._counters[pid] = (counter + 1) & 15
        return struct.pack(
            ">BHB", 0x47, (0x4000 if start else 0) | pid, (0x10 if payload_only else 0x30) | counter
        )


def adts(unit: Unit, rate_hz: int) -> bytes:
    """An AAC-LC stereo frame behind its ADTS header."""
    size = len(unit.data) + 7
    bits = (0xFFF1 << 40) | (1 << 38) | (_ADTS_RATES.index(rate_hz) << 34) | (2 << 30)
    bits |= (size << 13) | (0x7FF << 2)
    return bits.to_bytes(7, "big") + unit.data


def _stamp(pts: int) -> bytes:
    pts %= WRAP
    parts = (0x21 | (pts >> 29) & 0x0E, (pts >> 14) & 0xFFFE | 1, (pts << 1) & 0xFFFE | 1)
    return struct.pack(">BHH", *parts)


def _clock(base: int) -> bytes:
    return (((base % WRAP) << 15) | 0x7E00).to_bytes(6, "big")


def crc32_mpeg(data: bytes) -> int:
    """CRC-32 of a section (ISO/IEC 13818-1 annex A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = ((crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc
