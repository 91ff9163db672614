"""What a createCall asks for, and how a call answers getCall."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from onhook.acs.errors import ApiError, invalid_body
from onhook.acs.identifiers import communication_user, normalise, phone_number
from onhook.acs.models import CallConnectionProperties, CreateCallRequest, PhoneNumberIdentifierModel
from onhook.acs.requests import Asked
from onhook.calls.call import Call
from onhook.calls.directory import Resource
from onhook.calls.record import CallRecord

MAX_TARGETS = 100


@dataclass(frozen=True, slots=True)
class Sources:
    """What the core may not have: the clock and randomness."""

    now: Callable[[], float]
    """Unix seconds, never running backwards."""
    guid: Callable[[], str]
    seed: Callable[[], str]
    """32 random hexadecimal digits."""


def one_phone(request: CreateCallRequest) -> str:
    """The number to call. Raises ApiError: 400 for no or too many targets, 501 for what is not built."""
    if not 1 <= len(request.targets) <= MAX_TARGETS:
        raise invalid_body(
            f"targets: expected 1 to {MAX_TARGETS}, got {len(request.targets)}", target="$.targets"
        )
    targets = [normalise(target, f"$.targets[{n}]") for n, target in enumerate(request.targets)]
    if len(targets) > 1:
        raise _not_built("a call to several targets at once", "$.targets")
    if targets[0].phone_number is None:
        raise _not_built(f"a call to {targets[0].raw_id}, which is no phone number", "$.targets[0]")
    return targets[0].phone_number.value


def _not_built(what: str, where: str) -> ApiError:
    return ApiError(501, "NotImplemented", f"Onhook cannot place {what} yet; see COVERAGE.md", target=where)


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
        source_display_name=request.source_display_name or "",
        seed=sources.seed(),
        started_at=sources.now(),
    )


def properties(call: Call) -> CallConnectionProperties:
    """The answer to createCall and getCall; `source` is the application's own identity (assumed)."""
    record = call.record
    return CallConnectionProperties(
        call_connection_id=record.id,
        server_call_id=record.server_call_id,
        targets=[phone_number(record.target)],
        call_connection_state=call.connection_state,
        callback_uri=record.callback_uri,
        source_caller_id_number=PhoneNumberIdentifierModel(value=record.source) if record.source else None,
        source_display_name=record.source_display_name or None,
        source=communication_user(record.source_user),
        correlation_id=record.correlation_id,
    )
