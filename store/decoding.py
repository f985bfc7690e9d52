"""From what the store holds to the contracts' words."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import TypeAdapter

from contracts.fleet import EdgeBody, FleetEvent, OpenDefect, SourceBody

_BODY: TypeAdapter[EdgeBody | SourceBody] = TypeAdapter(EdgeBody | SourceBody)


def open_defect(text: bytes) -> OpenDefect:
    """A defect as the scripts keep it: JSON with its edges' JSON inside, untouched."""
    found = json.loads(text)
    assignment = found["assignment"]
    return OpenDefect(
        id=found["id"],
        stream=assignment.partition("/")[0],
        assignment=assignment,
        epoch=int(found["epoch"]),
        state=found["state"],
        first=EdgeBody.model_validate_json(found["first"]),
        body=EdgeBody.model_validate_json(found["body"]),
        closed_because=found.get("because"),
    )


def event(event_id: bytes, fields: Mapping[bytes, bytes]) -> FleetEvent:
    """An entry of the findings stream."""
    what = fields[b"what"].decode()
    return FleetEvent(
        event_id=event_id.decode(),
        finding_id=fields[b"finding"].decode(),
        stream=fields[b"stream"].decode(),
        assignment=fields[b"assignment"].decode(),
        what=what,  # type: ignore[arg-type]  # the scripts write the words of FleetEvent.what only
        defect_id=fields[b"defect"].decode() or None,
        body=_BODY.validate_json(fields[b"body"]),
        because=fields[b"because"].decode() or None,
    )
