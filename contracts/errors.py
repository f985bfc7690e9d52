"""Every error we raise on purpose.

GlitchwatchError            code (bounded set, a metric label), retryable, explain() -> what to look at next
├── ConfigError             wrong before we started: exit 2
├── IngestError             the stream's fault: becomes *blind*, never a traceback
│   ├── SourceUnreachable   no answer, or a refusal: retried with back-off and jitter
│   ├── SourceStalled       bytes stopped: retried
│   ├── SourceUndecodable   bytes flow, pictures and sound do not
│   └── SourceForbidden     our own policy refused the address
├── LeaseLost               not ours any more: stop quietly, publish nothing
├── SinkError               we saw it and could not tell: buffer, count, retry
└── DetectorFault           our bug: quarantine that detector, keep the group
"""

from typing import ClassVar


class GlitchwatchError(Exception):
    """An error that finishes its sentence: what happened, and what to look at next."""

    code: ClassVar[str] = "glitchwatch"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def explain(self) -> str:
        """The message and, where there is one, what to try next."""
        return f"{self} {self.hint}".strip()


class ConfigError(GlitchwatchError):
    """Wrong before we started (exit status 2)."""

    code = "config"


class IngestError(GlitchwatchError):
    """The stream's fault; `cause` is one word of a bounded set (`dns`, `http_404`, `timeout` ...)."""

    code = "source_undecodable"

    def __init__(self, message: str, hint: str = "", *, cause: str = "unknown") -> None:
        super().__init__(message, hint)
        self.cause = cause


class SourceUnreachable(IngestError):
    """Nothing there answers, or it refuses."""

    code = "source_unreachable"
    retryable = True


class SourceStalled(IngestError):
    """It answered once, and the bytes stopped."""

    code = "source_stalled"
    retryable = True


class SourceUndecodable(IngestError):
    """Bytes arrive, and no picture or sound comes out of them."""

    code = "source_undecodable"
    retryable = True


class SourceForbidden(IngestError):
    """Our policy refused the address; asking again changes nothing."""

    code = "source_forbidden"


class LeaseLost(GlitchwatchError):
    """Another worker holds the lease now."""

    code = "lease_lost"


class SinkError(GlitchwatchError):
    """A finding could not be delivered."""

    code = "sink"
    retryable = True


class DetectorFault(GlitchwatchError):
    """A detector broke its contract."""

    code = "detector_fault"


class UndeclaredFeature(DetectorFault):
    """A detector read a feature that is not in its `needs`."""

    code = "undeclared_feature"
