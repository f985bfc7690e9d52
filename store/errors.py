"""What the store may answer instead of doing what was asked."""

from __future__ import annotations

from contracts.errors import GlitchwatchError, SinkError


class StoreUnavailable(SinkError):
    """No answer in time, or one that says "not now"; whether a change was made is unknown. Asking again is safe."""

    code = "store_unavailable"


class StoreRefusal(GlitchwatchError):
    """The store answered: no."""

    code = "store_refusal"


class NotThere(StoreRefusal):
    """There is nothing of that id."""

    code = "not_there"


class AlreadyThere(StoreRefusal):
    """There is something of that id already."""

    code = "already_there"


class RevisionConflict(StoreRefusal):
    """Somebody else changed it since it was read."""

    code = "revision_conflict"


class ExternalIdTaken(StoreRefusal):
    """Another stream has that external id."""

    code = "external_id_taken"


class StoreFull(StoreRefusal):
    """A limit was met."""

    code = "store_full"


class TooLarge(StoreRefusal):
    """One value is larger than its bound."""

    code = "too_large"
