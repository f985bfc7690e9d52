"""Media segments in fragmented MP4 (ISO/IEC 14496-12): one movie fragment and its samples.

Written here rather than by a muxer, so that a segment can be empty, begin at any time and follow from its
samples alone.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from glitchwatch.origin.encode import nal_units

_SYNC = 0x02000000  # sample_depends_on = 2: none
_DELTA = 0x01010000  # depends on others, and is no sync sample


@dataclass(frozen=True, slots=True)
class Sample:
    """A coded unit with its length in ticks of the track."""

    data: bytes
    duration: int
    key: bool = True


def media_segment(sequence: int, decode_time: int, samples: Sequence[Sample]) -> bytes:
    """`styp`, `moof` and `mdat` of track 1; `decode_time` in ticks of the track. No samples is allowed."""
    tfhd = _box(b"tfhd", struct.pack(">II", 0x020000, 1))  # default-base-is-moof, track 1
    tfdt = _box(b"tfdt", struct.pack(">IQ", 0x01000000, decode_time))
    rows = b"".join(struct.pack(">III", s.duration, len(s.data), _SYNC if s.key else _DELTA) for s in samples)

    def moof(offset: int) -> bytes:
        trun = b""
        if samples:  # data offset, and each sample's duration, size and flags
            trun = _box(b"trun", struct.pack(">IIi", 0x000701, len(samples), offset) + rows)
        mfhd = _box(b"mfhd", struct.pack(">II", 0, sequence))
        return _box(b"moof", mfhd + _box(b"traf", tfhd + tfdt + trun))

    styp = _box(b"styp", b"msdh" + struct.pack(">I", 0) + b"msdhmsix")
    head = moof(len(moof(0)) + 8)
    return styp + head + _box(b"mdat", b"".join(s.data for s in samples))


def length_prefixed(annex_b: bytes) -> bytes:
    """A picture as MP4 stores it: each NAL unit behind its length."""
    return b"".join(struct.pack(">I", len(nal)) + nal for nal in nal_units(annex_b))


def _box(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) + 8) + name + payload
