"""Streams as the API takes and shows them. What is secret goes in and never comes out."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from contracts.fleet import Label, OffAir, RenditionPolicy, Stream, StreamSource, StreamSpec, Word
from contracts.urls import HIDDEN, redact
from controller.streams.schedule import unknown_zones
from controller.wire import Moment

State = Literal[
    "disabled", "off_air", "waiting", "unassigned", "starting", "watching", "degraded", "backing_off", "blind"
]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
HeaderValue = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]

_EXAMPLE: dict[str, Any] = {
    "name": "News HD",
    "url": "https://origin.example/news/master.m3u8",
    "external_id": "news-hd",
    "labels": {"country": "de", "tier": "1"},
    "bearer": "a-token-that-is-never-shown-again",
    "off_air": [{"zone": "Europe/Berlin", "days": ["mon", "tue"], "start": "02:00", "end": "05:30"}],
}


class SourceIn(BaseModel):
    """Where media comes from: the same for streams, probes and analyses."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(
        min_length=1,
        max_length=4096,
        repr=False,
        description="http, https, rtmp, rtsp, udp, rtp or tcp. Query values and credentials are write-only.",
        examples=["https://origin.example/news/master.m3u8"],
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, max_length=16, repr=False, description="request headers; values are write-only"
    )
    header_refs: dict[HeaderName, Annotated[str, Field(max_length=400)]] = Field(
        default_factory=dict,
        max_length=16,
        description="headers whose values stand elsewhere, by name of the secret",
    )
    bearer: HeaderValue | None = Field(None, repr=False, description="bearer token, write-only")
    user_agent: HeaderValue | None = Field(None, description="user agent to send")
    carry_query: bool = Field(False, description="send the playlist's query with its segments too")
    open_timeout_s: float = Field(10.0, gt=0, le=120, description="seconds without an answer")
    read_timeout_s: float = Field(10.0, gt=0, le=120, description="seconds without a byte")

    def source(self) -> StreamSource:
        """The same as the store keeps it: tokens and user agent are headers like others."""
        headers = dict(self.headers)
        if self.bearer is not None:
            headers = _without(headers, "authorization") | {"Authorization": f"Bearer {self.bearer}"}
        if self.user_agent is not None:
            headers = _without(headers, "user-agent") | {"User-Agent": self.user_agent}
        return StreamSource(
            url=self.url,
            headers=headers,
            header_refs=self.header_refs,
            carry_query=self.carry_query,
            open_timeout_s=self.open_timeout_s,
            read_timeout_s=self.read_timeout_s,
        )


class StreamIn(SourceIn):
    """A stream to be onboarded, or to take the place of one."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    name: str | None = Field(
        None, min_length=1, max_length=200, description="default: the external id or the host"
    )
    external_id: str | None = Field(None, min_length=1, max_length=200, description="your own key; unique")
    enabled: bool = True
    profile: Word = "default"
    renditions: tuple[Word, ...] = Field(
        (), max_length=32, description="names of renditions, as a probe found them"
    )
    policy: RenditionPolicy = RenditionPolicy()
    labels: dict[Word, Label] = Field(default_factory=dict, max_length=16)
    off_air: tuple[OffAir, ...] = Field((), max_length=32)

    @field_validator("off_air")
    @classmethod
    def _zones(cls, value: tuple[OffAir, ...]) -> tuple[OffAir, ...]:
        if unknown_zones(value):
            raise ValueError("A time zone is a name of the IANA database, such as Europe/Berlin")
        return value

    def spec(self) -> StreamSpec:
        """The same in the store's words."""
        return StreamSpec(
            name=self.name or self.external_id or _host(self.url),
            source=self.source(),
            external_id=self.external_id,
            enabled=self.enabled,
            profile=self.profile,
            renditions=self.renditions,
            policy=self.policy,
            labels=self.labels,
            off_air=self.off_air,
        )


class StreamOut(BaseModel):
    """A stream as it is shown: `***` stands for what is secret."""

    id: str
    revision: int = Field(description="grows with each change; the ETag")
    name: str
    external_id: str | None
    url: str = Field(examples=["https://origin.example/news/master.m3u8?token=***"])
    headers: dict[str, str] = Field(examples=[{"Authorization": HIDDEN}])
    header_refs: dict[str, str]
    carry_query: bool
    open_timeout_s: float
    read_timeout_s: float
    enabled: bool
    profile: str
    renditions: tuple[str, ...]
    policy: RenditionPolicy
    labels: dict[str, str]
    off_air: tuple[OffAir, ...]
    created_at: Moment
    starts_at: Moment | None = Field(description="when a ramp-up lets it begin")
    state: State
    open_defects: tuple[str, ...] = Field(
        description="names of the defects that are open", examples=[["black"]]
    )

    @classmethod
    def of(cls, stream: Stream, state: State, open_defects: tuple[str, ...]) -> StreamOut:
        """`stream` without its secrets."""
        return cls(
            **shown(stream.spec),
            created_at=stream.created_at,
            id=stream.id,
            revision=stream.revision,
            state=state,
            open_defects=open_defects,
        )


class StreamPage(BaseModel):
    """Some streams, and where the next ones begin."""

    streams: list[StreamOut]
    next: str | None = Field(description="pass as `after` for the next page; null at the end")
    total: int = Field(description="streams in all, whatever the filter")


class BulkRow(BaseModel):
    """What became of one row."""

    row: int
    outcome: Literal["created", "updated", "unchanged", "valid", "error"]
    id: str | None = None
    external_id: str | None = None
    errors: list[str] = []
    starts_at: Moment | None = None


class BulkResult(BaseModel):
    """What became of a list."""

    dry_run: bool
    created: int
    updated: int
    unchanged: int
    failed: int
    rows: list[BulkRow]


def shown(spec: StreamSpec) -> dict[str, Any]:
    """The fields of a stream that may be shown, secrets as `***`."""
    fields = spec.model_dump(exclude={"source"})
    source = spec.source.model_dump(exclude={"url", "headers"})
    return {
        **fields,
        **source,
        "url": redact(spec.source.url),
        "headers": dict.fromkeys(spec.source.headers, HIDDEN),
    }


def _without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() != name}


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "stream"
    except ValueError:
        return "stream"
