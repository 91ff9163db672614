"""Runs calls: what applications ask of them, as the server's switchboard.

How calls are fed and what becomes of their effects is in floor.py.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial

import msgspec

from onhook.acs.errors import NOT_VALID_IN_STATE, ApiError, call_not_found, invalid_body
from onhook.acs.identifiers import Identifier
from onhook.acs.incoming_context import context_of_ended_call, context_used, open_context
from onhook.acs.models import (
    AnswerCallRequest,
    CallConnectionProperties,
    CallParticipant,
    CallRejectReason,
    ConnectRequest,
    CreateCallRequest,
    MoveParticipantsRequest,
    StartCallRecordingRequest,
)
from onhook.acs.operations import OPERATIONS
from onhook.acs.requests import Asked, Reply
from onhook.acs.wire import Model
from onhook.calls.call import Call, State, leg_id
from onhook.calls.directory import Resource
from onhook.calls.features.feature import Operation, Wanted
from onhook.calls.features.moves import wanted_by
from onhook.calls.features.recordings import Recordings, recording_not_found
from onhook.calls.inputs import Target
from onhook.calls.legs import Telephone
from onhook.calls.record import CallRecord, Connection, LegPlan
from onhook.calls.routing import Chosen, NotRouted, choose_trunk
from onhook.calls.user_leg import UserLeg
from onhook.effects import Effect
from onhook.facts import ApiRequested, LegMovedOut
from onhook.store.batch import KeptReply, StoreFailed
from onhook.switch.asking import (
    MAX_LEGS,
    call_full,
    is_user,
    leg_seed,
    media_options,
    movable,
    new_record,
    parties,
    properties,
    resource_of,
    store_failed,
)
from onhook.switch.floor import Floor
from onhook.switch.world import Limits

__all__ = ["Limits", "Switch"]

MAX_DETAIL_CHARACTERS = 200
"""What a fact says of a createCall."""
ACCEPTED = {operation.name: operation.success[0] for operation in OPERATIONS}
"""The status of each operation's success."""
USED = frozenset({"answered", "rejected", "redirected"})
"""Outcomes after which a context is used up, not merely late."""


def _refuses_nothing(_number: str, _trunk: str) -> NotRouted | None:
    return None


class Switch(Floor):
    provoked_refusal: Callable[[str, str], NotRouted | None] = staticmethod(_refuses_nothing)
    """Asked of each number with the trunk that it would take: what the lab lets routing say instead."""

    # What the application asks (server.Switchboard)

    def create_call(
        self, resource: Resource, request: CreateCallRequest, asked: Asked
    ) -> CallConnectionProperties:
        """Place a call to one telephone; the outcome follows as an event. Raises ApiError.

        While the store fails, or no RTP port is left, nothing is begun: 503 with Retry-After, and no call
        that could have an ending. These two are not ACS behaviour but this machine's own limits.
        """
        if self._journal.failure:
            raise store_failed(self._journal.failure)
        called = parties(request)
        if len(self.calls) >= self.limits.max_calls:
            raise ApiError(
                429, "8530", f"{self.limits.max_calls} calls are open, the limit", retry_after_seconds=5
            )
        record = new_record(resource, request, asked, called[0], self._sources)
        call = self._new_call(record)
        created = self._request_fact(
            asked, 201, f"to {', '.join(called)} from {record.source or 'nobody'}"[:MAX_DETAIL_CHARACTERS]
        )
        if len(called) == 1 and not is_user(called[0]):
            routed = self._route(resource, called[0], record.source, Counter())
            if isinstance(routed, Chosen):
                record.local = self._network.via_address(routed.trunk.destination)
                record.media = self._open_media(leg_id(record))
            begin = partial(call.place, routed, created)
        else:
            begin = partial(call.invite, self._targets(resource, record, called), created)
        self._enter(call)
        if not self._unsaved:
            self._journal.then(self._unsaved.clear)
        self._unsaved[record.id] = call, asked.repeatability_id
        self._guard(call, begin)
        self._journal.add_record(record)
        return properties(call, call.connections[0])

    def _route(self, resource: Resource, number: str, caller: str, more: Counter[str]) -> Chosen | NotRouted:
        """The trunk for a number; `more` counts legs by trunk that are placed in this very request."""
        routed = choose_trunk(
            self.directory,
            resource,
            number,
            caller,
            self._on_trunk + more,
            draw=self._sources.draw,
            offline=self.trunks.offline,
            resting=self.trunks.resting,
            too_fast=self.trunks.too_fast,
        )
        trunk = routed.trunk.name if isinstance(routed, Chosen) else ""
        if (provoked := self.provoked_refusal(number, trunk)) is not None:
            return provoked
        if not isinstance(routed, Chosen):
            return routed
        if routed.route.direct_routing:  # the limit is one of bought numbers (documented: service limits)
            return self._begun(routed)
        limit, now = self.limits.max_calls_per_number, self._from_number[caller] + more.total()
        if now >= limit:
            return NotRouted(
                "caller-id-full",
                f"{caller} has {now} outbound calls, the limit of sip.max_calls_per_number ({limit})",
            )
        return self._begun(routed)

    def _begun(self, routed: Chosen) -> Chosen:
        self.trunks.begin(routed.trunk.name)
        return routed

    def _targets(self, resource: Resource, record: CallRecord, called: list[str]) -> tuple[Target, ...]:
        """A plan for each party. Raises ApiError if media runs out, with nothing left open."""
        targets: list[Target] = []
        more: Counter[str] = Counter()
        try:
            for number, party in enumerate(called, 1):
                target = self._target(resource, record, party, number, more)
                targets.append(target)
                if isinstance(target.routed, Chosen):
                    more[target.routed.trunk.name] += 1
        except ApiError:
            for target in targets:
                self._media.close(target.plan.id)
            raise
        return tuple(targets)

    def _target(
        self, resource: Resource, record: CallRecord, party: str, number: int, more: Counter[str]
    ) -> Target:
        seed = leg_seed(record.seed, number)
        plan = LegPlan(id=seed[:12], party=party, seed=seed)
        if is_user(party):
            owner = resource_of(self.directory, party, resource).name
            return Target(msgspec.structs.replace(plan, resource=owner))
        routed = self._route(resource, party, record.source, more)
        if isinstance(routed, NotRouted):
            return Target(plan, routed)
        local = self._network.via_address(routed.trunk.destination)
        return Target(msgspec.structs.replace(plan, local=local, media=self._open_media(plan.id)), routed)

    def answer_call(
        self, resource: Resource, request: AnswerCallRequest, asked: Asked
    ) -> CallConnectionProperties:
        """A new connection, bound to the party that rings; the outcome follows as an event."""
        call, leg = self._ringing(resource, request.incoming_call_context)
        record, rings = call.record, leg.rings_as
        answered_by = request.answered_by.id if request.answered_by else ""
        user = leg.party if is_user(leg.party) else answered_by or self._new_user(resource)
        first = record.direction == "inbound" and not call.connections
        connection = Connection(
            id=record.id if first else self._sources.guid(),
            leg=leg.id,
            resource=resource.name,
            begun_by="answer",
            user=user,
            callback_uri=request.callback_uri,
            api_version=asked.api_version,
            operation_context=request.operation_context or "",
            media_options=media_options(request),
        )
        caller = call.legs.caller
        waiting = caller is not None and not caller.answered
        media = self._open_media(caller.id) if caller and waiting else ("", 0)
        fact = self._request_fact(asked, 200, "", leg=rings, connection=connection.id)
        self._add(call, connection, partial(call.answer, fact, connection, media))
        return properties(call, connection)

    def _new_user(self, resource: Resource) -> str:
        return f"8:acs:{resource.id}_{self._sources.guid()}"

    def _add(self, call: Call, connection: Connection, act: Callable[[], list[Effect]]) -> None:
        if connection.id != call.record.id:
            self._by_connection[connection.id] = call
        self._guard(call, act)
        self._journal.add_record(call.record)

    def reject_call(
        self, resource: Resource, incoming_call_context: str, reason: CallRejectReason, asked: Asked
    ) -> None:
        """The party that rings does not take the call; its caller is told so."""
        call, leg = self._ringing(resource, incoming_call_context)
        fact = self._request_fact(asked, 204, reason.value, leg=leg.rings_as)
        self._guard(call, partial(call.reject, fact))

    def redirect_call(
        self, resource: Resource, incoming_call_context: str, target: Identifier, asked: Asked
    ) -> None:
        """Another party rings instead. Raises ApiError, and rings on, where `target` cannot be reached."""
        call, leg = self._ringing(resource, incoming_call_context)
        record, caller = call.record, call.legs.caller
        party = target.phone_number.value if target.phone_number else target.raw_id or ""
        if len(call.legs) >= MAX_LEGS:
            raise call_full()
        passes = caller is not None and not caller.answered
        if passes and not is_user(party) and caller and not caller.offer:
            raise ApiError(
                400, NOT_VALID_IN_STATE, "The caller's INVITE had no session description to pass on."
            )
        seed = leg_seed(record.seed, len(record.legs) + 1)
        plan = LegPlan(id=seed[:12], party=party, seed=seed, instead_of=leg.id)
        made = self._redirected(resource, record, plan, passes=passes)
        fact = self._request_fact(asked, 204, target.raw_id or party, leg=leg.rings_as)
        self._guard(call, partial(call.redirect, fact, made))
        self._journal.add_record(record)

    def _redirected(self, resource: Resource, record: CallRecord, plan: LegPlan, *, passes: bool) -> Target:
        replace = msgspec.structs.replace
        if is_user(plan.party):
            owner = resource_of(self.directory, plan.party, resource).name
            return Target(replace(plan, resource=owner))
        routed = self._route(resource, plan.party, record.source, Counter())
        if isinstance(routed, NotRouted) and record.direction == "inbound":
            # The caller's number may not be shown on this route; the number that it called may (assumed).
            plan = replace(plan, caller=record.target)
            routed = self._route(resource, plan.party, record.target, Counter())
        if isinstance(routed, NotRouted):
            raise invalid_body(f"target cannot be called: {routed.detail}", target="$.target")
        media = ("", 0) if passes else self._open_media(plan.id)
        local = self._network.via_address(routed.trunk.destination)
        return Target(replace(plan, local=local, media=media), routed)

    def _ringing(self, resource: Resource, context: str) -> tuple[Call, UserLeg]:
        """Who rings under a context. Raises ApiError as acs/incoming_context.py says."""
        named = open_context(self.context_key, context, resource.id, self._sources.now())
        call = self.calls.get(named.call_id)
        leg = call.legs.ringing_as(named.leg_id) if call else None
        if call is None or leg is None:
            raise context_of_ended_call()
        if leg.outcome in USED:
            raise context_used(leg.outcome)
        if not leg.rings or call.state not in {State.CONNECTING, State.CONNECTED}:
            raise context_of_ended_call()
        return call, leg

    def connect_call(
        self, resource: Resource, server_call_id: str, request: ConnectRequest, asked: Asked
    ) -> CallConnectionProperties:
        """A further connection, with an identity of its own, to an open call of the resource."""
        call = self._by_server_call.get(server_call_id)
        owners = {each.resource for each in call.connections} if call else set[str]()
        if call is None or resource.name not in owners:
            raise call_not_found(server_call_id)
        if call.state is not State.CONNECTED:
            raise ApiError(400, "8501", "The call is not established: nobody has answered it yet.")
        if len(call.legs) >= MAX_LEGS:
            raise call_full()
        guid = self._sources.guid()
        connection = Connection(
            id=guid,
            leg=guid,
            resource=resource.name,
            begun_by="connect",
            user=self._new_user(resource),
            callback_uri=request.callback_uri,
            api_version=asked.api_version,
            operation_context=request.operation_context or "",
            media_options=media_options(request),
        )
        fact = self._request_fact(asked, 200, "", leg=guid, connection=guid)
        self._add(call, connection, partial(call.join, fact, connection))
        return properties(call, connection)

    def get_call(self, resource: Resource, call_connection_id: str) -> CallConnectionProperties:
        return properties(*self._find(resource, call_connection_id))

    def hang_up(self, resource: Resource, call_connection_id: str, asked: Asked, *, everyone: bool) -> None:
        """For everyone, or for the application that asks; then the call goes on if enough are left."""
        call, connection = self._find(resource, call_connection_id)
        name = "" if connection is call.connections[0] and connection.begun_by == "create" else connection.id
        detail = "for everyone" if everyone else ""
        fact = self._request_fact(asked, 204, detail, leg=connection.leg, connection=name)
        self._guard(call, partial(call.hang_up, fact, None if everyone else connection))
        self._journal.add_record(call.record)

    def operate(
        self, resource: Resource, call_connection_id: str, request: Model | None, asked: Asked
    ) -> Model | None:
        """An operation on an open call (calls/features/): the answer's body. Raises ApiError."""
        call, connection = self._find(resource, call_connection_id)
        operation = Operation(asked.operation, connection, request, self._sources.guid())
        return self._operate(resource, call, operation, asked)

    def _operate(self, resource: Resource, call: Call, operation: Operation, asked: Asked) -> Model | None:
        feature = call.feature_for(operation.name)
        feature.check(operation)
        wanted = tuple(
            self._wanted(resource, call, each, operation.action) for each in feature.wants(operation)
        )
        operation = msgspec.structs.replace(operation, targets=wanted)
        if isinstance(operation.request, MoveParticipantsRequest):
            operation = self._moved(resource, call, operation, operation.request)
        fact = self._operation_fact(asked, operation)
        self._guard(call, partial(call.operate, fact, operation))
        self._journal.add_record(call.record)
        return feature.reply(operation)

    def _wanted(self, resource: Resource, call: Call, wanted: Wanted, action: str) -> Target:
        """A plan for somebody whom an operation rings. Raises ApiError where the call is full."""
        record = call.record
        if len(call.legs) >= MAX_LEGS:
            raise call_full()
        seed = leg_seed(record.seed, len(record.legs) + 1)
        plan = LegPlan(id=seed[:12], party=wanted.party, seed=seed, invitation=action)
        if is_user(wanted.party):
            owner = resource_of(self.directory, wanted.party, resource).name
            return Target(msgspec.structs.replace(plan, resource=owner))
        # Where any number may be shown, and none is given: the one that the call has had so far (assumed).
        usual = record.source if record.direction == "outbound" else record.target
        plan = msgspec.structs.replace(plan, caller=wanted.caller or usual)
        routed = self._route(resource, wanted.party, wanted.caller, Counter())
        if isinstance(routed, NotRouted):
            return Target(plan, routed)
        plan = msgspec.structs.replace(plan, refers=routed.trunk.name == wanted.refers)
        local = self._network.via_address(routed.trunk.destination)
        return Target(msgspec.structs.replace(plan, local=local, media=self._open_media(plan.id)), routed)

    def _moved(
        self, resource: Resource, call: Call, operation: Operation, request: MoveParticipantsRequest
    ) -> Operation:
        """The operation with the legs that the other call has given away for it. Raises ApiError."""
        source, _ = self._find(resource, request.from_call)
        targets: list[Target] = []
        moved: list[Telephone] = []
        for leg in movable(source, call, wanted_by(request)):
            plan = source.plan_to_move(leg, operation.action)
            out = LegMovedOut(at=self._sources.now(), leg=leg.id, to_call=call.record.id)
            self._guard(source, partial(source.give_away, out))
            if source.legs.get(leg.id) is None:  # else that call failed, and keeps it to its end
                self._by_sip_id[leg.sip_call_id] = self._by_leg[leg.id] = call
                moved.append(leg)
                targets.append(Target(plan))
        self._journal.add_record(source.record)
        return msgspec.structs.replace(operation, targets=tuple(targets), legs=tuple(moved))

    def _operation_fact(self, asked: Asked, operation: Operation) -> ApiRequested:
        body = msgspec.json.encode(operation.request) if operation.request is not None else b""
        return ApiRequested(
            at=self._sources.now(),
            leg=operation.connection.leg,
            connection=operation.connection.id,
            operation=asked.operation,
            status=ACCEPTED[asked.operation],
            request_id=asked.request_id,
            body=body,
            action=operation.action,
            detail=operation.about,
        )

    def start_recording(self, resource: Resource, request: StartCallRecordingRequest, asked: Asked) -> Model:
        """Record the call that `request` names by exactly one of its two ids. Raises ApiError."""
        if request.call_connection_id:
            call, connection = self._find(resource, request.call_connection_id)
        else:
            server_call_id = (request.call_locator and request.call_locator.server_call_id) or ""
            call, connection = self._seen_by(
                resource, self._by_server_call.get(server_call_id), server_call_id
            )
        operation = Operation(asked.operation, connection, request, self._sources.guid())
        self._operate(resource, call, operation, asked)
        self._recorded[operation.action] = call
        return call.feature(Recordings).shown(operation.action, asked.api_version)

    @staticmethod
    def _seen_by(resource: Resource, call: Call | None, name: str) -> tuple[Call, Connection]:
        """The call, and the first connection of `resource` to it; raises the 404/8522 of ACS."""
        for connection in call.open_connections if call else ():
            if call and connection.resource == resource.name:
                return call, connection
        raise call_not_found(name)

    def get_recording(self, resource: Resource, recording_id: str, asked: Asked) -> Model:
        call, _ = self._find_recording(resource, recording_id)
        return call.feature(Recordings).shown(recording_id, asked.api_version)

    def change_recording(self, resource: Resource, recording_id: str, asked: Asked) -> None:
        """Stop, pause or resume it, as `asked.operation` says. Raises ApiError 404."""
        call, connection = self._find_recording(resource, recording_id)
        operation = Operation(asked.operation, connection, None, self._sources.guid(), about=recording_id)
        self._operate(resource, call, operation, asked)

    def _find_recording(self, resource: Resource, recording_id: str) -> tuple[Call, Connection]:
        call = self._recorded.get(recording_id)
        try:
            return self._seen_by(resource, call, recording_id)
        except ApiError:
            raise recording_not_found(recording_id) from None

    def get_participants(self, resource: Resource, call_connection_id: str) -> list[CallParticipant]:
        return self._find(resource, call_connection_id)[0].participants

    def get_participant(self, resource: Resource, call_connection_id: str, raw_id: str) -> CallParticipant:
        for participant in self.get_participants(resource, call_connection_id):
            if participant.identifier and participant.identifier.raw_id == raw_id:
                return participant
        raise ApiError(
            404, "8522", f"Participant not found: {raw_id!r} is not in the call", target="participantRawId"
        )

    def recall(self, key: str) -> Reply | None:
        """The first answer to a repeated request, from this run or from the store."""
        if (known := self._replies.get(key)) is not None:
            return known
        try:
            kept = self._archive.reply(key)
        except StoreFailed as error:
            raise store_failed(str(error)) from error
        return msgspec.msgpack.decode(kept, type=Reply) if kept else None

    def remember(self, key: str, reply: Reply) -> None:
        self._replies[key] = reply  # until it is in the store
        self._journal.add_reply(KeptReply(key, self._sources.now(), msgspec.msgpack.encode(reply)))
        self._journal.then(partial(self._stored, key))

    def _stored(self, key: str) -> None:
        self._replies.pop(key, None)

    async def written(self) -> None:
        """Return when all is saved; ApiError 503 if it could not be.

        A call whose creation could not be saved is withdrawn: its application is told that it failed, so
        the telephone must not ring later after all. A hang-up is not: it is carried out when the store
        works again, and asking for it once more does no harm.
        """
        try:
            await self._journal.written()
        except StoreFailed as error:
            raise store_failed(str(error)) from error
