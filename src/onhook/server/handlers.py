"""The operations that are built: what each asks of the switchboard, and how far its behaviour is known."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from onhook.acs.errors import ApiError, invalid_body, shown
from onhook.acs.identifiers import normalise
from onhook.acs.models import (
    AnswerCallRequest,
    CallLocator,
    CallRejectReason,
    CommunicationIdentifierModelKind,
    ConnectRequest,
    CreateCallRequest,
    GetParticipantsResponse,
    RedirectCallRequest,
    RejectCallRequest,
    StartCallRecordingRequest,
)
from onhook.acs.requests import Asked
from onhook.acs.wire import Model
from onhook.calls.directory import Resource
from onhook.server.switchboard import Switchboard
from onhook.switch.asking import MAX_TARGETS

REDIRECTABLE = {
    CommunicationIdentifierModelKind.PHONE_NUMBER,
    CommunicationIdentifierModelKind.COMMUNICATION_USER,
}


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


M = TypeVar("M", bound=Model)


def _body(request: Request, model: type[M]) -> M:
    """The body as what the operation's table says it is; anything else is a defect of ours."""
    if not isinstance(request.body, model):
        raise TypeError(f"{request.asked.operation} was given {type(request.body).__name__}")
    return request.body


def create_call(switchboard: Switchboard, request: Request) -> Model:
    body = _body(request, CreateCallRequest)
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


def answer_call(switchboard: Switchboard, request: Request) -> Model:
    body = _body(request, AnswerCallRequest)
    _need_context(body.incoming_call_context)
    return switchboard.answer_call(request.resource, body, request.asked)


def reject_call(switchboard: Switchboard, request: Request) -> None:
    """Without a reason the call is declined: `none` is the specification's default."""
    body = _body(request, RejectCallRequest)
    _need_context(body.incoming_call_context)
    reason = body.call_reject_reason or CallRejectReason.NONE
    switchboard.reject_call(request.resource, body.incoming_call_context, reason, request.asked)


def redirect_call(switchboard: Switchboard, request: Request) -> None:
    """To a phone number or an ACS user: there is nobody else here to redirect to."""
    body = _body(request, RedirectCallRequest)
    _need_context(body.incoming_call_context)
    target = normalise(body.target, "$.target")
    if target.kind not in REDIRECTABLE:
        raise invalid_body(
            f"target {shown(target.raw_id or '')} is neither a phone number nor an ACS user; Onhook"
            " redirects to those only.",
            target="$.target",
        )
    switchboard.redirect_call(request.resource, body.incoming_call_context, target, request.asked)


def connect_call(switchboard: Switchboard, request: Request) -> Model:
    body = _body(request, ConnectRequest)
    server_call_id = _server_call_id(body.call_locator)
    return switchboard.connect_call(request.resource, server_call_id, body, request.asked)


def _need_context(context: str) -> None:
    if not context:
        raise invalid_body(
            "incomingCallContext is empty: pass on the one of the IncomingCall event.",
            target="$.incomingCallContext",
        )


def _server_call_id(locator: CallLocator) -> str:
    """Whichever `kind` says: the id that is there decides, as SDKs of other languages leave `kind` out."""
    given = {
        "serverCallId": locator.server_call_id,
        "groupCallId": locator.group_call_id,
        "roomId": locator.room_id,
    }
    named = [name for name, value in given.items() if value]
    if len(named) != 1:
        said = " and ".join(named) or "none"
        raise invalid_body(
            f"callLocator names one of serverCallId, groupCallId and roomId; here: {said}.",
            target="$.callLocator",
        )
    if not locator.server_call_id:
        raise ApiError(
            501,
            "NotImplemented",
            f"Onhook finds calls by serverCallId; it has no {named[0].removesuffix('Id')} yet.",
            target=f"$.callLocator.{named[0]}",
        )
    return locator.server_call_id


def get_call(switchboard: Switchboard, request: Request) -> Model:
    return switchboard.get_call(request.resource, request.ids[0])


def hang_up(switchboard: Switchboard, request: Request) -> None:
    switchboard.hang_up(request.resource, request.ids[0], request.asked, everyone=False)


def terminate(switchboard: Switchboard, request: Request) -> None:
    switchboard.hang_up(request.resource, request.ids[0], request.asked, everyone=True)


def operate(switchboard: Switchboard, request: Request) -> Model | None:
    """Any operation on an open call: what is asked stands in its body, its feature knows the rest."""
    return switchboard.operate(request.resource, request.ids[0], request.body, request.asked)


def start_recording(switchboard: Switchboard, request: Request) -> Model:
    """Exactly one of callLocator and callConnectionId says what to record (specification)."""
    body = _body(request, StartCallRecordingRequest)
    named = [
        name
        for name, given in (("callLocator", body.call_locator), ("callConnectionId", body.call_connection_id))
        if given
    ]
    if len(named) != 1:
        said = " and ".join(named) or "none"
        raise invalid_body(f"Give one of callLocator and callConnectionId; here: {said}.", target="$")
    if body.call_locator is not None:
        _server_call_id(body.call_locator)
    return switchboard.start_recording(request.resource, body, request.asked)


def get_recording(switchboard: Switchboard, request: Request) -> Model:
    return switchboard.get_recording(request.resource, request.ids[0], request.asked)


def change_recording(switchboard: Switchboard, request: Request) -> None:
    """Stop, pause and resume: which one, the operation's name says."""
    switchboard.change_recording(request.resource, request.ids[0], request.asked)


def get_participants(switchboard: Switchboard, request: Request) -> Model:
    """All in one page: nextLink is never needed while a call is kept below the service's limit."""
    return GetParticipantsResponse(value=switchboard.get_participants(request.resource, request.ids[0]))


def get_participant(switchboard: Switchboard, request: Request) -> Model:
    call_connection_id, raw_id = request.ids
    return switchboard.get_participant(request.resource, call_connection_id, raw_id)


BUILT: dict[str, Built] = {
    "createCall": Built(
        create_call,
        "body, 201 and answer validated; events documented; phones and ACS users, several at once (the first"
        " that answers connects the call) assumed",
    ),
    "answerCall": Built(
        answer_call,
        "body, 200 and answer validated; events documented; subcodes of refused contexts assumed",
    ),
    "redirectCall": Built(
        redirect_call, "body and 204 validated; the second IncomingCall documented; refusals assumed"
    ),
    "rejectCall": Built(
        reject_call, "body and 204 validated; SIP 603, 486, 403 by reason assumed; refusals assumed"
    ),
    "connect": Built(connect_call, "body, 200 and answer validated; by serverCallId only; events documented"),
    "getCall": Built(get_call, "answer validated; 404/8522 documented, its error body assumed"),
    "hangUp": Built(
        hang_up,
        "204 validated; own leg only; CallDisconnected 200/7000 documented, what is left of it assumed",
    ),
    "terminate": Built(terminate, "204 validated; CallDisconnected 200/7000 validated"),
    "play": Built(
        operate,
        "body, 202, PlayStarted, PlayCompleted and PlayFailed validated; waiting and 412/8583 documented;"
        " what is told when the call ends assumed",
    ),
    "recognize": Built(
        operate,
        "body and 202 validated; results, failures and timeouts documented; 400/8532 in RecognizeCompleted as"
        " the later pages say; the stop tone is not in the result, assumed",
    ),
    "cancelAllMediaOperations": Built(
        operate, "202 validated; PlayCanceled and RecognizeCanceled documented"
    ),
    "startContinuousDtmfRecognition": Built(
        operate, "body and 200 validated; 412/8583 documented; sequence from 1 assumed"
    ),
    "stopContinuousDtmfRecognition": Built(
        operate, "body and 200 validated; refusal where none runs assumed"
    ),
    "sendDtmfTones": Built(
        operate, "body, 202 and answer validated; telephones only and 18 tones documented"
    ),
    "addParticipant": Built(
        operate,
        "body, 202 and answer validated; events documented; the default ring time and refusals assumed",
    ),
    "removeParticipant": Built(
        operate, "body and 202 validated; events documented; who is not in the call told by event assumed"
    ),
    "cancelAddParticipant": Built(
        operate,
        "body, 202 and CancelAddParticipantSucceeded validated; codes of failures assumed",
    ),
    "transferToParticipant": Built(
        operate,
        "body, 202 and answer validated; events, transferee and 60 s documented; when a transfer counts as"
        " accepted, and refusals, assumed",
    ),
    "moveParticipants": Built(
        operate,
        "body, 202 and answer validated; events documented; telephones only; what becomes of the other call"
        " assumed",
    ),
    "mute": Built(operate, "body, 200 and isMuted at once validated; refusals assumed"),
    "hold": Built(operate, "body and 200 validated; music in a loop, and what HoldFailed undoes, assumed"),
    "unhold": Built(operate, "body and 200 validated"),
    "startMediaStreaming": Built(
        operate, "body, 202 and events validated; 405/8522 documented; refusal of a second start assumed"
    ),
    "stopMediaStreaming": Built(operate, "body, 202 and events validated; refusal where none runs assumed"),
    "startTranscription": Built(
        operate, "body, 202 and events validated; 405/8522 documented; refusal of a second start assumed"
    ),
    "stopTranscription": Built(operate, "body, 202 and events validated; refusal where none runs assumed"),
    "updateTranscription": Built(
        operate, "body, 202 and events validated; 400/8523 for a bare language documented"
    ),
    "startRecording": Built(
        start_recording,
        "bodies, answer and RecordingStateChanged validated; 400/8559 documented; without a format mp3, as"
        " there is no video",
    ),
    "getRecordingProperties": Built(
        get_recording, "answer validated; both spellings of the kind, by version, validated; 404 documented"
    ),
    "stopRecording": Built(
        change_recording, "204 validated; RecordingStateChanged inactive at once, and 404 after it, assumed"
    ),
    "pauseRecording": Built(change_recording, "202 validated; pausing twice assumed to change nothing"),
    "resumeRecording": Built(change_recording, "202 validated; resuming twice assumed to change nothing"),
    "getParticipants": Built(get_participants, "answer validated; one page, paging assumed unnecessary"),
    "getParticipant": Built(
        get_participant, "answer and both encodings of the raw id validated; 404 documented"
    ),
}
"""Name in acs/operations.py -> how it is done. COVERAGE.md is made from this."""
