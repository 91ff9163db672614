"""The switch towards the application: what it takes, what it refuses, and with which error."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from onhook.acs.errors import ApiError
from onhook.acs.models import (
    CallConnectionStateModel,
    CommunicationIdentifierModel,
    CommunicationUserIdentifierModel,
    CreateCallRequest,
    PhoneNumberIdentifierModel,
)
from onhook.acs.requests import Reply
from onhook.calls.directory import Trunk
from onhook.facts import ApiRequested, RouteRefused
from onhook.lab.rehearsal import CALLBACK, CALLEE, CALLER, World
from onhook.lab.virtual_time import run
from onhook.media.settings import MediaSettings
from onhook.media.silent_media import SilentMedia
from onhook.switch import Limits
from onhook.switch.asking import MAX_TARGETS
from stages import ANSWERS, OTHER, OWN, RINGS, stage, world


def phone(number: str = CALLEE) -> CommunicationIdentifierModel:
    return CommunicationIdentifierModel(phone_number=PhoneNumberIdentifierModel(value=number))


def user() -> CommunicationIdentifierModel:
    name = f"8:acs:{OWN.id}_00000000-0000-0000-0000-000000000009"
    return CommunicationIdentifierModel(communication_user=CommunicationUserIdentifierModel(id=name))


def request(*targets: CommunicationIdentifierModel, **changes: object) -> CreateCallRequest:
    fields: dict[str, object] = {
        "targets": list(targets),
        "source_caller_id_number": PhoneNumberIdentifierModel(value=CALLER),
        "callback_uri": CALLBACK,
    }
    return CreateCallRequest(**(fields | changes))  # type: ignore[arg-type]  # fields of the model


def refused(act: Callable[[], object]) -> tuple[int, str, str]:
    with pytest.raises(ApiError) as error:
        act()
    return error.value.status, error.value.code, error.value.message


def create(here: World, *targets: CommunicationIdentifierModel, **changes: object) -> object:
    return here.switch.create_call(OWN, request(*targets, **changes), here.ask("createCall"))


# createCall


def test_the_answer_to_createcall_names_the_call_and_its_parties() -> None:
    async def main() -> None:
        here = await world()
        wanted = request(phone(), source_display_name="Bot", operation_context="ctx", source=None)
        made = here.switch.create_call(OWN, wanted, here.ask("createCall"))
        assert made.call_connection_state is CallConnectionStateModel.CONNECTING
        assert [target.raw_id for target in made.targets or []] == [f"4:{CALLEE}"]
        assert made.source_caller_id_number == PhoneNumberIdentifierModel(value=CALLER)
        assert (made.source_display_name, made.callback_uri) == ("Bot", CALLBACK)
        assert made.source is not None
        assert made.source.raw_id is not None
        assert made.source.raw_id.startswith(f"8:acs:{OWN.id}_")
        assert made.call_connection_id
        assert made.server_call_id
        assert made.correlation_id
        again = here.switch.get_call(OWN, made.call_connection_id)
        assert again == made
        kept = here.switch.calls[made.call_connection_id].record
        assert (kept.operation_context, kept.api_version) == ("ctx", "2026-03-12")
        assert kept.local == ("192.0.2.1", 5070)

    run(main())


def test_nothing_of_a_new_call_leaves_before_it_is_saved() -> None:
    async def main() -> None:
        here = await world()
        call_id = here.create_call()
        assert here.store.call(call_id) is None
        assert here.far_end.calls == {}
        await here.switch.written()
        assert here.store.call(call_id) is not None
        assert [type(fact).__name__ for fact in here.store.facts(call_id)] == [
            "ApiRequested",
            "RouteTaken",
            "SipSeen",
        ]
        await asyncio.sleep(0.1)
        assert len(here.far_end.calls) == 1

    run(main())


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([], (400, "8523", "targets: expected 1 to 100, got 0")),
        ([phone()] * (MAX_TARGETS + 1), (400, "8523", "targets: expected 1 to 100, got 101")),
    ],
)
def test_targets_that_cannot_be_called(
    targets: list[CommunicationIdentifierModel], expected: tuple[int, str, str]
) -> None:
    async def main() -> None:
        here = await world()
        assert refused(partial(create, here, *targets)) == expected
        assert here.switch.calls == {}

    run(main())


def test_a_bot_as_target_is_not_built_yet() -> None:
    async def main() -> None:
        here = await world()
        bot = CommunicationIdentifierModel(raw_id="28:orgid:11111111-2222-3333-4444-555555555555")
        status, code, message = refused(partial(create, here, bot))
        assert (status, code) == (501, "NotImplemented")
        assert "neither phone number nor ACS user" in message
        assert here.switch.calls == {}

    run(main())


def test_a_call_without_a_route_is_a_call_that_fails() -> None:
    """The API says 201, as ACS does; the reason comes as an event (documented: 403/510403 and others)."""

    async def main() -> None:
        here = await world(on=stage(Trunk("carrier", "192.0.2.2", max_calls=0)))
        call_id = here.create_call()
        await here.switch.written()
        await asyncio.sleep(0)
        kept = here.store.call(call_id)
        assert kept is not None
        assert kept.verdict is not None
        assert kept.verdict.ending == "trunk-full"
        assert [event["type"] for event in here.inbox.events] == ["Microsoft.Communication.CreateCallFailed"]
        refusal = here.store.facts(call_id)[1]
        assert isinstance(refusal, RouteRefused)
        assert refusal.why == "trunk-full"
        assert here.switch.calls == {}
        assert refused(partial(here.switch.get_call, OWN, call_id))[:2] == (404, "8522")

    run(main())


# Limits


def test_a_trunk_takes_as_many_calls_as_it_may_and_then_those_of_ended_ones() -> None:
    async def main() -> None:
        here = await world(ANSWERS, stage(Trunk("carrier", "192.0.2.2", max_calls=2)))
        first, second, third = (here.create_call() for _ in range(3))
        await asyncio.sleep(5)
        assert sorted(here.switch.calls) == sorted([first, second])
        lost = here.store.call(third)
        assert lost is not None
        assert lost.verdict is not None
        assert lost.verdict.ending == "trunk-full"
        here.hang_up(first)
        await asyncio.sleep(5)
        fourth = here.create_call()
        await asyncio.sleep(5)
        assert sorted(here.switch.calls) == sorted([second, fourth])

    run(main())


def test_a_second_trunk_takes_what_the_first_has_no_room_for() -> None:
    trunks = Trunk("first", "192.0.2.2", max_calls=1), Trunk("second", "192.0.2.3", max_calls=1)

    async def main() -> None:
        here = await world(ANSWERS, stage(*trunks))
        calls = [here.create_call() for _ in range(2)]
        await asyncio.sleep(5)
        assert [here.switch.calls[call_id].record.trunk for call_id in calls] == ["first", "second"]

    run(main())


def test_calls_at_a_time_are_limited_and_the_refusal_says_when_to_ask_again() -> None:
    async def main() -> None:
        here = await world(ANSWERS, stage(limits=Limits(max_calls=2)))
        first = here.create_call()
        here.create_call()
        with pytest.raises(ApiError) as error:
            here.create_call()
        assert (error.value.status, error.value.code) == (429, "8530")
        assert error.value.retry_after_seconds == 5
        await asyncio.sleep(5)
        here.hang_up(first)
        await asyncio.sleep(5)
        here.create_call()
        assert len(here.switch.calls) == 2

    run(main())


def test_without_an_rtp_port_no_call_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of this machine, not of the call: 503 with Retry-After, and no call that has an ending."""
    two_ports = partial(SilentMedia, MediaSettings(first_port=20000, last_port=20003, quarantine_seconds=1.0))
    monkeypatch.setattr("onhook.lab.rehearsal.SilentMedia", two_ports)

    async def main() -> None:
        here = await world()
        first = here.create_call()
        here.create_call()
        with pytest.raises(ApiError) as error:
            here.create_call()
        assert (error.value.status, error.value.code) == (503, "MediaPortsUsedUp")
        assert error.value.retry_after_seconds == 5
        assert "20000..20003" in error.value.message
        assert len(here.switch.calls) == 2
        await asyncio.sleep(5)
        assert len(here.store.calls(10)) == 2
        here.hang_up(first)
        await asyncio.sleep(5)
        here.create_call()

    run(main())


def test_a_call_that_is_refused_a_route_takes_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    one_port = partial(SilentMedia, MediaSettings(first_port=20000, last_port=20001))
    monkeypatch.setattr("onhook.lab.rehearsal.SilentMedia", one_port)

    async def main() -> None:
        here = await world()
        for _ in range(5):
            here.create_call(target="12")
        here.create_call()
        await asyncio.sleep(3)
        assert [kept.verdict.ending for kept in here.store.calls(9) if kept.verdict] == ["number-invalid"] * 5

    run(main())


# Calls of others, calls that are over


@pytest.mark.parametrize("operation", ["get", "hang up", "participants", "participant"])
def test_a_call_of_another_resource_is_not_found(operation: str) -> None:
    async def main() -> None:
        here = await world()
        call_id = here.create_call()
        await asyncio.sleep(5)
        switch = here.switch
        acts: dict[str, Callable[[], object]] = {
            "get": partial(switch.get_call, OTHER, call_id),
            "hang up": partial(switch.hang_up, OTHER, call_id, here.ask("hangUp"), everyone=False),
            "participants": partial(switch.get_participants, OTHER, call_id),
            "participant": partial(switch.get_participant, OTHER, call_id, f"4:{CALLEE}"),
        }
        status, code, message = refused(acts[operation])
        assert (status, code) == (404, "8522")
        assert call_id in message
        assert len(switch.get_participants(OWN, call_id)) == 2

    run(main())


def test_a_call_that_never_was_or_is_over_is_not_found() -> None:
    async def main() -> None:
        here = await world(ANSWERS + "carrier: wait 1 s\ncarrier: bye\n")
        call_id = here.create_call()
        await asyncio.sleep(5)
        for unknown in (call_id, "nobody", ""):
            assert refused(partial(here.switch.get_call, OWN, unknown))[:2] == (404, "8522")
            hang_up = partial(here.switch.hang_up, OWN, unknown, here.ask("hangUp"), everyone=True)
            assert refused(hang_up)[:2] == (404, "8522")

    run(main())


# Participants


def test_participants_are_there_while_the_call_is_connected() -> None:
    async def main() -> None:
        here = await world()
        call_id = here.create_call()
        await asyncio.sleep(0.5)
        assert here.switch.get_participants(OWN, call_id) == []
        assert here.switch.get_call(OWN, call_id).call_connection_state is CallConnectionStateModel.CONNECTING
        await asyncio.sleep(2)
        assert here.switch.get_call(OWN, call_id).call_connection_state is CallConnectionStateModel.CONNECTED
        both = here.switch.get_participants(OWN, call_id)
        raw_ids = [each.identifier.raw_id or "" for each in both if each.identifier]
        assert raw_ids[0] == f"4:{CALLEE}"
        for raw_id, participant in zip(raw_ids, both, strict=True):
            assert here.switch.get_participant(OWN, call_id, raw_id) == participant
        status, code, message = refused(partial(here.switch.get_participant, OWN, call_id, "4:+1999"))
        assert (status, code) == (404, "8522")
        assert "'4:+1999' is not in the call" in message

    run(main())


@pytest.mark.parametrize("everyone", [True, False])
def test_hanging_up_ends_the_call_for_the_only_telephone(*, everyone: bool) -> None:
    async def main() -> None:
        here = await world()
        call_id = here.create_call()
        await asyncio.sleep(3)
        here.hang_up(call_id, everyone=everyone)
        assert (
            here.switch.get_call(OWN, call_id).call_connection_state is CallConnectionStateModel.DISCONNECTING
        )
        await asyncio.sleep(2)
        asked = [fact for fact in here.store.facts(call_id) if isinstance(fact, ApiRequested)]
        assert [(fact.operation, fact.status, fact.detail) for fact in asked[1:]] == [
            ("terminate" if everyone else "hangUp", 204, "for everyone" if everyone else "")
        ]
        assert here.switch.calls == {}

    run(main())


# Repeated requests


def test_a_reply_is_remembered_at_once_and_after_a_restart() -> None:
    reply = Reply(status=201, body=b"{}", fingerprint="createCall")

    async def main() -> None:
        here = await world(RINGS)
        assert here.switch.recall("key") is None
        here.switch.remember("key", reply)
        assert here.switch.recall("key") == reply
        assert here.store.reply("key") is None
        await here.switch.written()
        assert here.store.reply("key") is not None
        assert here.switch._replies == {}
        assert here.switch.recall("key") == reply
        here.crash()
        here.start()
        assert here.switch.recall("key") == reply
        assert here.switch.recall("other") is None

    run(main())


def test_from_a_new_directory_on_calls_take_its_routes() -> None:
    trunks = Trunk("first", "192.0.2.2"), Trunk("second", "192.0.2.3")

    async def main() -> None:
        here = await world(ANSWERS, stage(*trunks))
        before = here.create_call()
        await asyncio.sleep(3)
        here.switch.reroute(stage(trunks[1]).directory)
        after = here.create_call()
        await asyncio.sleep(3)
        assert [here.switch.calls[call_id].record.trunk for call_id in (before, after)] == ["first", "second"]

    run(main())
