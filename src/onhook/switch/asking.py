"""What applications ask for, and how a call answers them."""

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from onhook.acs.errors import NOT_VALID_IN_STATE, ApiError, invalid_body, shown
from onhook.acs.identifiers import ACS_USER_PREFIXES, communication_user, identify, normalise
from onhook.acs.models import (
    AnswerCallRequest,
    CallConnectionProperties,
    ConnectRequest,
    CreateCallRequest,
    PhoneNumberIdentifierModel,
)
from onhook.acs.requests import Asked
from onhook.calls.call import Call, State
from onhook.calls.directory import Directory, Resource
from onhook.calls.features.feature import CALL_NOT_ESTABLISHED
from onhook.calls.features.streams import Streams, check_media_options
from onhook.calls.legs import Telephone
from onhook.calls.record import CallRecord, Connection, MediaOptions, called_first
from onhook.calls.user_leg import UserLeg

MAX_TARGETS = 100
STORE_RETRY_SECONDS = 2
MAX_LEGS = 350
"""Parties of one call, those gone included (documented service limit of participants)."""


def new_secret() -> str:
    return secrets.token_hex(32)


@dataclass(frozen=True, slots=True)
class Sources:
    """What the core may not have: the clock and randomness."""

    now: Callable[[], float]
    """Unix seconds, never running backwards."""
    guid: Callable[[], str]
    seed: Callable[[], str]
    """32 random hexadecimal digits."""
    secret: Callable[[], str] = new_secret
    """64 random hexadecimal digits, fit for keys."""
    draw: Callable[[int], int] = secrets.randbelow
    """A random whole number from 0 to below the one given."""


def parties(request: CreateCallRequest) -> list[str]:
    """Numbers and raw ids of users to call, each once.

    Raises ApiError: 400 for no or too many targets, 501 for kinds of targets that are not built.
    """
    if not 1 <= len(request.targets) <= MAX_TARGETS:
        raise invalid_body(
            f"targets: expected 1 to {MAX_TARGETS}, got {len(request.targets)}", target="$.targets"
        )
    found: list[str] = []
    for number, target in enumerate(request.targets):
        known = normalise(target, f"$.targets[{number}]")
        if known.phone_number is not None:
            party = known.phone_number.value
        elif known.communication_user is not None:
            party = known.communication_user.id
        else:
            raise _not_built(f"a call to {known.raw_id}, neither phone number nor ACS user", number)
        if party not in found:
            found.append(party)
    return found


def _not_built(what: str, number: int) -> ApiError:
    return ApiError(
        501,
        "NotImplemented",
        f"Onhook cannot place {what} yet; see COVERAGE.md",
        target=f"$.targets[{number}]",
    )


def call_full() -> ApiError:
    return ApiError(400, NOT_VALID_IN_STATE, f"{MAX_LEGS} parties were in this call: its limit")


def movable(source: Call, into: Call, raw_ids: list[str]) -> list[Telephone]:
    """The telephones of `source` that are to go on in another call; who is not in it is left out.

    Raises ApiError where one of them cannot be moved, and then none is.
    """
    if source is into:
        raise invalid_body("fromCall is this very call.", target="$.fromCall")
    if source.state is not State.CONNECTED:
        state = source.connection_state.value
        raise ApiError(400, CALL_NOT_ESTABLISHED, f"fromCall is {state}, not connected.", target="$.fromCall")
    found: list[Telephone] = []
    for number, raw_id in enumerate(raw_ids):
        leg, where = source.find_participant(raw_id), f"$.targetParticipants[{number}]"
        if isinstance(leg, UserLeg):
            raise ApiError(
                501, "NotImplemented", f"{shown(raw_id)}: Onhook moves telephones only.", target=where
            )
        if leg is not None and leg.media is None:
            raise ApiError(
                400, NOT_VALID_IN_STATE, f"the media of {shown(raw_id)} does not pass here.", target=where
            )
        if leg is not None:
            found.append(leg)
    if len(into.legs) + len(found) > MAX_LEGS:
        raise call_full()
    return found


def is_user(party: str) -> bool:
    return party.startswith(("8:", "28:"))


def resource_of(directory: Directory, user: str, asking: Resource) -> Resource:
    """Whose subscribers hear of a call for `user`: its raw id names them (assumed: else those who ask)."""
    for prefix in ACS_USER_PREFIXES:
        if user.startswith(prefix):
            wanted = user.removeprefix(prefix).partition("_")[0].lower()
            return next((each for each in directory.resources if each.id.lower() == wanted), asking)
    return asking


def leg_seed(seed: str, number: int) -> str:
    """The seed of a call's leg number `number`, of which the first is the call's own."""
    return hashlib.sha256(f"{seed}/{number}".encode()).hexdigest()[:32] if number else seed


def media_options(request: CreateCallRequest | AnswerCallRequest | ConnectRequest) -> MediaOptions:
    """What is kept for the connection that `request` makes. Raises ApiError where it cannot be used."""
    speech = request.call_intelligence_options
    options = MediaOptions(
        speech_endpoint=(speech.cognitive_services_endpoint or "") if speech else "",
        streaming=request.media_streaming_options,
        transcription=request.transcription_options,
    )
    check_media_options(options)
    return options


def new_record(
    resource: Resource, request: CreateCallRequest, asked: Asked, target: str, sources: Sources
) -> CallRecord:
    caller = request.source_caller_id_number
    server_call = b64encode(f"onhook:conv/{sources.guid()}".encode()).decode()
    own = request.source.id if request.source else f"8:acs:{resource.id}_{sources.guid()}"
    return CallRecord(
        id=sources.guid(),
        server_call_id=server_call,
        correlation_id=sources.guid(),
        resource=resource.name,
        direction="outbound",
        source=caller.value if caller else "",
        source_user=own,
        target=target,
        callback_uri=request.callback_uri,
        api_version=asked.api_version,
        operation_context=request.operation_context or "",
        media_options=media_options(request),
        source_display_name=request.source_display_name or "",
        seed=sources.seed(),
        secret=sources.secret(),
        started_at=sources.now(),
    )


def arrived_record(
    sources: Sources, *, resource: str, caller: str, display_name: str, number: str, trunk: str
) -> CallRecord:
    """The record of a call that came in; `resource` is empty where nobody owns the number."""
    return CallRecord(
        id=sources.guid(),
        server_call_id=b64encode(f"onhook:conv/{sources.guid()}".encode()).decode(),
        correlation_id=sources.guid(),
        resource=resource,
        direction="inbound",
        source=caller,
        source_display_name=display_name,
        target=number,
        callback_uri="",
        api_version="",
        trunk=trunk,
        seed=sources.seed(),
        secret=sources.secret(),
        started_at=sources.now(),
    )


def properties(call: Call, connection: Connection) -> CallConnectionProperties:
    """The answer to createCall, answerCall, connect and getCall.

    `source` is who calls: for whoever answers it the caller, else the application itself (assumed).
    """
    record = call.record
    begun = [plan.party for plan in record.legs if called_first(plan)] or [record.target]
    answering = connection.begun_by == "answer"
    caller = (record.source or "4:anonymous") if record.direction == "inbound" else record.source_user
    options = connection.media_options
    streams = call.feature(Streams) if options.streaming or options.transcription else None
    number = record.source if record.source.startswith("+") else ""
    return CallConnectionProperties(
        call_connection_id=connection.id,
        server_call_id=record.server_call_id,
        targets=[identify(party) for party in begun],
        call_connection_state=call.connection_state,
        callback_uri=connection.callback_uri,
        source_caller_id_number=PhoneNumberIdentifierModel(value=number) if number else None,
        source_display_name=record.source_display_name or None,
        source=identify(caller) if answering else communication_user(connection.user),
        correlation_id=record.correlation_id,
        media_streaming_subscription=streams.media_streaming(connection) if streams else None,
        transcription_subscription=streams.transcription(connection) if streams else None,
        answered_for=PhoneNumberIdentifierModel(value=record.target)
        if answering and record.direction == "inbound" and record.target.startswith("+")
        else None,
    )


def store_failed(why: str) -> ApiError:
    return ApiError(
        503,
        "StoreFailed",
        f"Nothing was done: {why}. Requests are taken again when the store works.",
        target="store",
        retry_after_seconds=STORE_RETRY_SECONDS,
    )
