"""A playlist's text as data. The m3u8 library reads the tags we use; values are judged here.

What packagers get wrong without harm (a missing or empty number, a negative sequence, an unknown playlist type)
is put right and listed in `faults`; what cannot be followed raises SourceUndecodable with cause `invalid`.
Tags we have no use for (parts and hints of low-latency HLS, date ranges, I-frame playlists) are ignored, so a
low-latency playlist reads as its whole segments. Source: RFC 8216, 4.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

import m3u8.parser

from contracts.errors import SourceUndecodable
from worker.ingest.hls.tags import MAX_DURATION_S, MAX_SEQUENCE, Reader, size, whole

MAX_SEGMENTS = 100_000  # three days of segments of 3 s
NS = 1_000_000_000

_BEGINNING = re.compile(r"(?:#(?!EXT)[^\r\n]*[\r\n]\s*){0,20}#EXTM3U")  # after a few comments at most
_LIBRARY_ERRORS = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`length` bytes from `offset` of a resource."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Key:
    """How segments are encrypted (EXT-X-KEY). `iv` is None when it follows from the media sequence."""

    method: str
    url: str | None = field(default=None, repr=False)
    iv: bytes | None = field(default=None, repr=False)
    format: str = "identity"


@dataclass(frozen=True, slots=True)
class Map:
    """Where the initialization section is (EXT-X-MAP), and the key that held where the tag stands."""

    url: str = field(repr=False)
    range: ByteRange | None = None
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One media segment of a media playlist. `discontinuity_sequence` counts its clock."""

    sequence: int
    url: str = field(repr=False)
    duration_ns: int
    range: ByteRange | None = None
    discontinuity: bool = False
    discontinuity_sequence: int = 0
    program_date_time: datetime | None = None
    gap: bool = False
    key: Key | None = None
    map: Map | None = None


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """The segments of one rendition, as of now. `numbered` is False without EXT-X-MEDIA-SEQUENCE."""

    entries: tuple[Entry, ...]
    target_s: float
    media_sequence: int
    ended: bool
    numbered: bool = True
    faults: tuple[str, ...] = ()

    @property
    def duration_ns(self) -> int:
        """All listed media."""
        return sum(entry.duration_ns for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Variant:
    """One EXT-X-STREAM-INF. `audio` names a group of EXT-X-MEDIA."""

    url: str = field(repr=False)
    bandwidth: int = 0
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    codecs: str = ""
    audio: str | None = None


@dataclass(frozen=True, slots=True)
class AudioMedia:
    """One EXT-X-MEDIA of type AUDIO. Without `url` its sound is in the variant itself."""

    group: str
    name: str
    url: str | None = field(default=None, repr=False)
    language: str | None = None
    default: bool = False
    autoselect: bool = False


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    """What a stream is offered as."""

    variants: tuple[Variant, ...]
    audio: tuple[AudioMedia, ...] = ()
    faults: tuple[str, ...] = ()


Playlist = MediaPlaylist | MultivariantPlaylist


def parse(text: str, base: str, resolve: Callable[[str, str], str] = urljoin) -> Playlist:
    """Read a playlist. `resolve(base, reference)` makes its references absolute.

    Raises SourceUndecodable, cause `wrong_content` when it is no playlist at all, `invalid` when it is damaged.
    """
    text = text.lstrip("\ufeff \t\r\n")
    if not _BEGINNING.match(text):
        start = " ".join(text[:60].split())
        raise SourceUndecodable(
            f'This is no HLS playlist: it begins "{start}" instead of #EXTM3U.', cause="wrong_content"
        )
    reader = Reader()
    try:
        data = m3u8.parser.parse(text, custom_tags_parser=reader)
        reader.note_lost(text, len(data["playlists"]) + len(data["segments"]))
        if data["playlists"] or (data["media"] and not data["segments"]):
            return _multivariant(data, base, resolve, reader)
        return _media(data, base, resolve, reader)
    except SourceUndecodable:
        raise
    except _LIBRARY_ERRORS as error:
        raise SourceUndecodable(f"The playlist is damaged ({error}).", cause="invalid") from error


def _multivariant(
    data: Mapping[str, Any], base: str, resolve: Callable[[str, str], str], reader: Reader
) -> MultivariantPlaylist:
    variants = []
    for item in data["playlists"]:
        info = item["stream_info"]
        width, height = size(info.get("resolution"))
        rate = float(info.get("frame_rate") or 0)
        variants.append(
            Variant(
                resolve(base, item["uri"]),
                whole(str(info.get("bandwidth") or 0)),
                width,
                height,
                rate if 0 <= rate < 1000 else 0.0,
                info.get("codecs") or "",
                info.get("audio"),
            )
        )
    audio = tuple(
        AudioMedia(
            item.get("group_id", ""),
            item.get("name", ""),
            resolve(base, item["uri"]) if item.get("uri") else None,
            item.get("language"),
            item.get("default") == "YES",
            item.get("autoselect") == "YES",
        )
        for item in data["media"]
        if item.get("type") == "AUDIO"
    )
    if not variants:
        raise SourceUndecodable("The multivariant playlist names no variant.", cause="invalid")
    return MultivariantPlaylist(tuple(variants), audio, tuple(reader.faults))


def _media(
    data: Mapping[str, Any], base: str, resolve: Callable[[str, str], str], reader: Reader
) -> MediaPlaylist:
    segments = [item for item in data["segments"] if "uri" in item]  # a last EXTINF may lack its URI
    if len(segments) > MAX_SEGMENTS:
        raise SourceUndecodable(f"The playlist lists more than {MAX_SEGMENTS} segments.", cause="too_large")
    longest = max((item.get("duration", -1.0) for item in segments), default=0.0)
    target = reader.target_s if reader.target_s and reader.target_s <= MAX_DURATION_S else None
    if target is None:
        if not segments:
            raise SourceUndecodable("The playlist has no target duration and no segment.", cause="invalid")
        reader.faults.append("no usable EXT-X-TARGETDURATION")
        target = math.ceil(longest) if longest > 0 else 6.0
    first = reader.sequence or 0
    clock = reader.discontinuity_sequence or 0
    entries: list[Entry] = []
    due: datetime | None = None
    for sequence, item in enumerate(segments, first + reader.skipped):
        clock += bool(item["discontinuity"])
        seconds = item.get("duration", -1.0)
        duration_ns = round((seconds if seconds >= 0 else target) * NS)
        url = resolve(base, item["uri"])
        date = item.get("program_date_time") or (None if item["discontinuity"] else due)
        before = entries[-1] if entries else None
        entries.append(
            Entry(
                sequence,
                url,
                duration_ns,
                _range(item.get("byterange"), before.range if before and before.url == url else None),
                bool(item["discontinuity"]),
                clock,
                date,
                bool(item.get("gap_tag")),
                _key(item.get("key"), base, resolve),
                _map(item.get("init_section"), base, resolve),
            )
        )
        due = _after(date, duration_ns)
    return MediaPlaylist(
        tuple(entries),
        float(target),
        first,
        bool(data["is_endlist"]),
        numbered=reader.sequence is not None,
        faults=tuple(reader.faults),
    )


def _after(date: datetime | None, duration_ns: int) -> datetime | None:
    try:
        return date + timedelta(microseconds=duration_ns / 1000) if date else None
    except OverflowError:
        return None


def _range(text: str | None, before: ByteRange | None) -> ByteRange | None:
    if not text:
        return None
    length, _, offset = text.strip().strip('"').partition("@")
    start = _decimal(offset) if offset else (before.offset + before.length if before else 0)
    return ByteRange(start, _decimal(length))


def _decimal(text: str) -> int:
    value = int(text)
    if not 0 <= value <= MAX_SEQUENCE:
        raise ValueError(f"a byte range of {text[:20]}")
    return value


def _key(item: Mapping[str, str] | None, base: str, resolve: Callable[[str, str], str]) -> Key | None:
    if not item or item.get("method", "NONE").upper() == "NONE":
        return None
    iv = item.get("iv")
    if iv and not re.fullmatch(r"0[xX][0-9a-fA-F]{1,32}", iv):
        raise ValueError("an EXT-X-KEY with an IV that is not 128 bits in hexadecimal")
    return Key(
        item["method"].upper(),
        resolve(base, item["uri"]) if item.get("uri") else None,
        bytes.fromhex(iv[2:].rjust(32, "0")) if iv else None,
        item.get("keyformat") or "identity",
    )


def _map(item: Mapping[str, Any] | None, base: str, resolve: Callable[[str, str], str]) -> Map | None:
    if not item:
        return None
    if not item.get("URI"):
        raise SourceUndecodable("An EXT-X-MAP has no URI.", cause="invalid")
    return Map(
        resolve(base, item["URI"]), _range(item.get("BYTERANGE"), None), _key(item["under"], base, resolve)
    )
