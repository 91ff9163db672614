"""The operations that are built: what each asks of the switchboard, and how far its behaviour is known."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import msgspec

from onhook.acs.errors import invalid_body
from onhook.acs.identifiers import normalise
from onhook.acs.models import CreateCallRequest, GetParticipantsResponse
from onhook.acs.requests import Asked
from onhook.acs.wire import Model
from onhook.calls.directory import Resource
from onhook.server.switchboard import Switchboard

MAX_TARGETS = 350
"""Participants of one call (documented service limit)."""


class Request(NamedTuple):
    """One authenticated, validated request. `ids` are the path's parameters, decoded, in order."""

    resource: Resource
    ids: tuple[str, ...]
    body: Model | None
    asked: Asked
    query: str = ""
    """What stands behind the question mark, percent-encoded as it came."""


Handler: TypeAlias = Callable[[Any, Request], Model | None]
"""First comes whom the API asks: of Call Automation, the switchboard."""


class Built(NamedTuple):
    handler: Handler
    basis: str


def create_call(switchboard: Switchboard, request: Request) -> Model:
    body = request.body
    if not isinstance(body, CreateCallRequest):
        raise TypeError(f"createCall was given {type(body).__name__}")
    if not body.targets:
        raise invalid_body("targets is empty: name whom to call, at least one.", target="$.targets")
    if len(body.targets) > MAX_TARGETS:
        raise invalid_body(
            f"targets has {len(body.targets)} entries; a call takes {MAX_TARGETS} at most.",
            target="$.targets",
        )
    targets = [normalise(target, f"$.targets[{number}]") for number, target in enumerate(body.targets)]
    return switchboard.create_call(
        request.resource, msgspec.structs.replace(body, targets=targets), request.asked
    )


def get_call(switchboard: Switchboard, request: Request) -> Model:
    return switchboard.get_call(request.resource, request.ids[0])


def hang_up(switchboard: Switchboard, request: Request) -> None:
    switchboard.hang_up(request.resource, request.ids[0], request.asked, everyone=False)


def terminate(switchboard: Switchboard, request: Request) -> None:
    switchboard.hang_up(request.resource, request.ids[0], request.asked, everyone=True)


def get_participants(switchboard: Switchboard, request: Request) -> Model:
    """All in one page: nextLink is never needed while a call is kept below the service's limit."""
    return GetParticipantsResponse(value=switchboard.get_participants(request.resource, request.ids[0]))


def get_participant(switchboard: Switchboard, request: Request) -> Model:
    call_connection_id, raw_id = request.ids
    return switchboard.get_participant(request.resource, call_connection_id, raw_id)


BUILT: dict[str, Built] = {
    "createCall": Built(
        create_call,
        "body, 201 and answer validated; events documented; one phone number as target so far",
    ),
    "getCall": Built(get_call, "answer validated; 404/8522 documented, its error body assumed"),
    "hangUp": Built(hang_up, "204 validated; CallDisconnected 200/7000 documented"),
    "terminate": Built(terminate, "204 validated; CallDisconnected 200/7000 validated"),
    "getParticipants": Built(get_participants, "answer validated; one page, paging assumed unnecessary"),
    "getParticipant": Built(
        get_participant, "answer and both encodings of the raw id validated; 404 documented"
    ),
}
"""Name in acs/operations.py -> how it is done. COVERAGE.md is made from this."""
