"""The switch and calls that come in: who is let in, what applications may decide, and what is refused."""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from onhook.acs.errors import ApiError
from onhook.acs.incoming_context import make_context
from onhook.acs.models import AnswerCallRequest, CallConnectionStateModel, CallLocator, ConnectRequest
from onhook.calls.directory import Resource, Trunk, VoiceRoute
from onhook.calls.replay import replay
from onhook.effects import Destination
from onhook.facts import InboundRefused, RouteRefused
from onhook.lab.rehearsal import CALLBACK, CALLEE, CALLER, CONTEXT_KEY, World
from onhook.lab.scenario import parse_scenario
from onhook.lab.virtual_time import run
from onhook.media.settings import MediaSettings
from onhook.media.silent_media import SilentMedia
from onhook.sip.messages import Headers, Malformed, Request, Response, parse
from onhook.switch import Limits
from onhook.switch.asking import MAX_LEGS
from stages import ANSWERS, CARRIER, OTHER, OWN, RINGS, stage, world

IN = parse_scenario(f"carrier: call from {CALLEE} to {CALLER}\n")
USER = f"8:acs:{OWN.id}_00000000-0000-0000-0000-000000000001"
FOREIGN = f"8:acs:{OTHER.id}_00000000-0000-0000-0000-000000000002"


def played(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(main())


async def ringing(here: World | None = None) -> World:
    here = here or await world()
    here.call_in(IN)
    await asyncio.sleep(1)
    return here


def refused(act: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        act()
    return error.value.status, error.value.code


def only_call(here: World) -> str:
    (call,) = here.switch.calls
    return call


def endings(here: World) -> list[str]:
    found = here.store.calls(100)
    return [record.verdict.ending if record.verdict else "open" for record in reversed(found)]


# The announcement


def test_incomingcall_names_caller_callee_call_and_context() -> None:
    async def main() -> None:
        here = await ringing()
        (told,) = here.subscribers.heard
        assert told.resource == "dev"
        assert told.type == "Microsoft.Communication.IncomingCall"
        assert told.subject == f"/caller/4:{CALLEE}/recipient/4:{CALLER}"
        call = here.switch.calls[only_call(here)]
        assert told.data["from"]["rawId"] == f"4:{CALLEE}"
        assert told.data["to"]["phoneNumber"] == {"value": CALLER}
        assert told.data["serverCallId"] == call.record.server_call_id
        assert told.data["correlationId"] == call.record.correlation_id
        assert told.data["incomingCallContext"].count(".") == 2

    played(main)


def test_a_number_of_another_resource_is_told_to_that_resource() -> None:
    async def main() -> None:
        here = await world()
        here.call_in(parse_scenario(f"carrier: call from {CALLEE} to {OTHER.numbers[0]}"))
        await asyncio.sleep(1)
        assert [told.resource for told in here.subscribers.heard] == ["other"]
        call_id = here.answer()
        await asyncio.sleep(1)
        assert refused(partial(here.switch.get_call, OWN, call_id)) == (404, "8522")
        assert (
            here.switch.get_call(OTHER, call_id).call_connection_state is CallConnectionStateModel.CONNECTED
        )

    played(main)


@pytest.mark.parametrize(("user", "resource"), [(USER, "dev"), (FOREIGN, "other"), ("8:acs:gone_1", "dev")])
def test_a_call_to_a_user_is_told_to_the_resource_of_its_raw_id(user: str, resource: str) -> None:
    async def main() -> None:
        here = await world()
        here.create_call(None, user)
        (told,) = here.subscribers.heard
        assert told.resource == resource
        assert told.data["to"]["communicationUser"] == {"id": user}
        assert told.data["from"]["rawId"].startswith(f"8:acs:{OWN.id}_")

    played(main)


# Answers


def test_the_answer_to_answercall_names_both_sides() -> None:
    async def main() -> None:
        here = await ringing()
        context = here.subscribers.heard[0].data["incomingCallContext"]
        request = AnswerCallRequest(
            incoming_call_context=context, callback_uri=CALLBACK, operation_context="mine"
        )
        made = here.switch.answer_call(OWN, request, here.ask("answerCall"))
        assert made.call_connection_id == only_call(here)
        assert made.call_connection_state is CallConnectionStateModel.CONNECTING
        assert made.source is not None
        assert made.source.raw_id == f"4:{CALLEE}"
        assert [each.raw_id for each in made.targets or []] == [f"4:{CALLER}"]
        assert made.answered_for is not None
        assert made.answered_for.value == CALLER
        assert made.callback_uri == CALLBACK
        await asyncio.sleep(1)
        assert made.call_connection_id is not None
        known = here.switch.get_call(OWN, made.call_connection_id)
        assert known.call_connection_state is CallConnectionStateModel.CONNECTED
        assert {event["data"].get("operationContext") for event in here.inbox.events} == {"mine", None}
        record = here.store.call(made.call_connection_id)
        assert record is not None
        assert (record.direction, record.source, record.target) == ("inbound", CALLEE, CALLER)

    played(main)


DECISIONS: dict[str, Callable[[World], object]] = {
    "answer": World.answer,
    "reject": World.reject,
    "redirect": lambda here: here.redirect(USER),
}


@pytest.mark.parametrize("first", DECISIONS)
@pytest.mark.parametrize("second", DECISIONS)
def test_a_context_is_good_for_one_decision(first: str, second: str) -> None:
    async def main() -> None:
        here = await ringing()
        context = here.subscribers.heard[0].data["incomingCallContext"]
        DECISIONS[first](here)
        again: dict[str, Callable[[], object]] = {
            "answer": lambda: here.answer(context=context),
            "reject": lambda: here.reject(context=context),
            "redirect": lambda: here.redirect(USER, context=context),
        }
        ended = first == "reject"
        assert refused(again[second]) == ((400, "8528") if ended else (400, "8585"))

    played(main)


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_context_of_an_ended_call_is_refused(decision: str) -> None:
    async def main() -> None:
        here = await world()
        here.call_in(parse_scenario(f"carrier: call from {CALLEE} to {CALLER}\ncarrier: cancel"))
        await asyncio.sleep(1)
        assert refused(partial(DECISIONS[decision], here)) == (400, "8528")
        assert endings(here) == ["caller-gave-up"]

    played(main)


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_context_past_its_time_is_refused(decision: str) -> None:
    async def main() -> None:
        here = await ringing()
        await asyncio.sleep(31)
        assert refused(partial(DECISIONS[decision], here)) == (404, "8522")
        assert endings(here) == ["inbound-unanswered"]

    played(main)


def forged(here: World, key: bytes, resource: Resource) -> str:
    call = here.switch.calls[only_call(here)]
    caller = call.legs.caller
    assert caller is not None
    return make_context(key, call.record.id, caller.id, resource.id, here.now() + 30)


def test_forged_and_foreign_contexts_are_refused_and_it_rings_on() -> None:
    async def main() -> None:
        here = await ringing()
        for key, resource, expected in (
            (b"x" * 32, OWN, (400, "8523")),
            (CONTEXT_KEY, OTHER, (404, "8522")),
        ):
            context = forged(here, key, resource)
            assert refused(partial(here.answer, context=context)) == expected
        wrong_leg = make_context(CONTEXT_KEY, only_call(here), "gone", OWN.id, here.now() + 30)
        assert refused(partial(here.answer, context=wrong_leg)) == (400, "8528")
        here.answer(context=forged(here, CONTEXT_KEY, OWN))

    played(main)


def test_an_offer_without_a_codec_of_ours_ends_the_answer() -> None:
    async def main() -> None:
        here = await world()
        caller = here.call_in(IN)
        await asyncio.sleep(1)
        call = here.switch.calls[only_call(here)]
        assert call.legs.caller is not None
        call.legs.caller.offer = call.legs.caller.offer.replace(b"RTP/AVP 0", b"RTP/SAVP 0")
        here.answer()
        await asyncio.sleep(1)
        assert "> 488" in caller.history
        assert [event["type"].rpartition(".")[2] for event in here.inbox.events] == ["AnswerFailed"]
        (record,) = here.store.calls(1)
        (why,) = (fact for fact in here.store.facts(record.id) if isinstance(fact, InboundRefused))
        assert (why.why, why.status, why.number) == ("media-unusable", 488, CALLER)
        assert why.detail == "line 6: SRTP alone is offered (RTP/SAVP), and srtp is off for this trunk"
        assert record.verdict is not None
        assert any("srtp is off for this trunk" in proof.shows for proof in record.verdict.evidence)

    played(main)


def test_a_trunk_that_wants_srtp_refuses_plain_rtp_and_replays_so() -> None:
    async def main() -> None:
        secret = dataclasses.replace(CARRIER, srtp="required")
        here = await ringing(await world(on=stage(secret)))
        here.answer()
        await asyncio.sleep(1)
        (record,) = here.store.calls(1)
        facts = here.store.facts(record.id)
        (why,) = (fact for fact in facts if isinstance(fact, InboundRefused))
        assert why.detail == "line 6: SRTP is required for this trunk, and plain RTP/AVP is offered"
        seconds = here.stage.limits
        replayed, _ = replay(
            record,
            facts,
            secret,
            setup_seconds=seconds.setup_seconds,
            max_seconds=seconds.max_call_seconds,
        )
        assert [fact for fact in replayed.timeline if isinstance(fact, InboundRefused)] == [why]

    played(main)


def test_without_a_free_rtp_port_the_answer_is_refused_and_it_rings_on() -> None:
    async def main() -> None:
        here = await ringing()
        here.switch._media = SilentMedia(MediaSettings(first_port=20_000, last_port=20_001), now=here.now)
        here.switch._media.open("another")
        assert refused(here.answer) == (503, "MediaPortsUsedUp")
        assert len(here.switch.calls) == 1

    played(main)


# Redirection


@pytest.mark.parametrize("target", ["+999", "0044"])
def test_a_target_that_cannot_be_called_is_refused_and_it_rings_on(target: str) -> None:
    async def main() -> None:
        here = await world(on=stage(routes=()))
        await ringing(here)
        here.switch.directory = type(here.switch.directory)(here.switch.directory.resources, {}, ())
        assert refused(partial(here.redirect, target)) == (400, "8523")
        here.answer()

    played(main)


def test_without_the_callers_description_a_telephone_cannot_take_over() -> None:
    async def main() -> None:
        here = await world()
        here.call_in(parse_scenario(f"carrier: call from {CALLEE} to {CALLER} no-sdp"))
        await asyncio.sleep(1)
        assert refused(partial(here.redirect, "+14255550201")) == (400, "8585")
        here.redirect(USER)

    played(main)


def test_redirected_again_and_again_until_the_limit_of_parties() -> None:
    async def main() -> None:
        here = await ringing()
        for _ in range(MAX_LEGS - 2):
            here.redirect(USER)
        assert refused(partial(here.redirect, USER)) == (400, "8585")
        assert here.answer() == only_call(here)

    played(main)


# Connections


def test_connect_needs_a_call_that_is_up_and_of_the_resource() -> None:
    async def main() -> None:
        here = await world(RINGS)
        call_id = here.create_call()
        server_call = here.switch.calls[call_id].record.server_call_id
        request = ConnectRequest(call_locator=CallLocator(), callback_uri=CALLBACK)
        connect = here.switch.connect_call
        assert refused(partial(connect, OWN, "unknown", request, here.ask("connect"))) == (404, "8522")
        assert refused(partial(connect, OTHER, server_call, request, here.ask("connect"))) == (404, "8522")
        assert refused(partial(here.connect, call_id)) == (400, "8501")

    played(main)


def test_a_connection_is_found_while_it_lasts_and_gone_after_it_left() -> None:
    async def main() -> None:
        here = await world()
        call_id = here.create_call()
        await asyncio.sleep(5)
        other = here.connect(call_id)
        await asyncio.sleep(1)
        assert here.switch.get_call(OWN, other).call_connection_id == other
        assert len(here.switch.get_participants(OWN, other)) == 3
        assert refused(partial(here.switch.get_call, OTHER, other)) == (404, "8522")
        here.hang_up(other)
        assert refused(partial(here.switch.get_call, OWN, other)) == (404, "8522")
        assert len(here.switch.get_participants(OWN, call_id)) == 2
        kept = here.store.call(other)
        assert kept is None or kept.id == call_id

    played(main)


# Limits


BOUGHT = (VoiceRoute("bought numbers", r"\+[0-9]+", ("carrier",), direct_routing=False),)


def test_the_third_call_of_a_number_is_refused_with_its_limit() -> None:
    async def main() -> None:
        here = await world(RINGS, stage(routes=BOUGHT))
        for _ in range(3):
            here.create_call()
        await asyncio.sleep(1)
        assert endings(here).count("open") == 2
        (failed,) = here.inbox.events
        result = failed["data"]["resultInformation"]
        assert (result["code"], result["subCode"]) == (603, 560603)
        record = here.store.call(failed["data"]["callConnectionId"])
        assert record is not None
        facts = here.store.facts(record.id)
        (refusal,) = [fact for fact in facts if isinstance(fact, RouteRefused)]
        assert refusal.why == "caller-id-full"
        assert "sip.max_calls_per_number (2)" in refusal.detail

    played(main)


def test_direct_routing_has_no_limit_of_calls_per_number() -> None:
    async def main() -> None:
        here = await world(RINGS, stage(limits=Limits(max_calls_per_number=0)))
        for _ in range(5):
            here.create_call()
        await asyncio.sleep(1)
        assert endings(here) == ["open"] * 5

    played(main)


def test_a_number_is_free_again_when_its_call_is_over() -> None:
    async def main() -> None:
        here = await world(ANSWERS, stage(limits=Limits(max_calls_per_number=1), routes=BOUGHT))
        first = here.create_call()
        await asyncio.sleep(5)
        here.hang_up(first)
        await asyncio.sleep(5)
        here.create_call()
        await asyncio.sleep(5)
        assert endings(here) == ["hung-up-by-app", "open"]

    played(main)


def test_legs_of_one_request_count_for_the_limit_too() -> None:
    async def main() -> None:
        here = await world(RINGS, stage(limits=Limits(max_calls_per_number=2), routes=BOUGHT))
        here.create_call(target="+14255550200,+14255550201,+14255550202")
        await asyncio.sleep(1)
        facts = here.store.facts(only_call(here))
        assert [fact.number for fact in facts if isinstance(fact, RouteRefused)] == ["+14255550202"]

    played(main)


@pytest.mark.parametrize(
    ("limits", "trunk", "detail"),
    [
        (Limits(max_calls=1), CARRIER, "1 calls are open, the limit of sip.max_calls"),
        (Limits(), Trunk("carrier", "192.0.2.2", max_calls=1), "trunk carrier has 1 calls"),
    ],
)
def test_a_call_beyond_a_limit_is_turned_away_with_503(limits: Limits, trunk: Trunk, detail: str) -> None:
    async def main() -> None:
        here = await world(on=stage(trunk, limits=limits))
        await ringing(here)
        second = here.call_in(IN)
        await asyncio.sleep(1)
        assert "> 503" in second.history
        assert len(here.switch.calls) == 1
        report = here.switch.door.reports[-1]
        assert (report.why, report.status, report.trunk) == ("flood", 503, "carrier")
        assert detail in report.detail

    played(main)


def test_nothing_is_left_when_calls_are_over() -> None:
    async def main() -> None:
        here = await world(ANSWERS)
        here.call_in(
            parse_scenario(f"carrier: call from {CALLEE} to {CALLER}\ncarrier: wait 9 s\ncarrier: bye")
        )
        await asyncio.sleep(1)
        here.answer()
        here.create_call(None, USER)
        here.reject("busy")
        here.create_call(target=f"+14255550200,{USER}")
        await asyncio.sleep(5)
        other = here.connect(next(iter(here.switch.calls)))
        here.hang_up(other)
        for call_id in list(here.switch.calls):
            here.hang_up(call_id, everyone=True)
        await asyncio.sleep(300)
        switch = here.switch
        for table in (
            switch.calls,
            switch._by_sip_id,
            switch._by_leg,
            switch._by_server_call,
            switch._by_connection,
            switch._counted,
            here.far_end.callers,
        ):
            assert not table
        assert not switch._on_trunk.total()
        assert not switch._from_number.total()
        assert len(switch._deadlines) == 0
        assert "open" not in endings(here)

    played(main)


def test_incomingcall_carries_the_custom_headers_of_the_invite() -> None:
    more = (
        ("user-to-user", "ab12;encoding=hex"),
        ("X-MS-Custom-Ticket", "4711"),
        ("x-other", "not for the application"),
    )

    async def main() -> None:
        here = await world()
        trunk = Destination("udp", "192.0.2.2", 5060)
        here.network.add(trunk, lambda _: [])
        invite = invite_from(trunk, more=more).replace(b"X-Ms-Custom", b"X-MS-Custom")
        here.network.inject(invite, trunk)
        await asyncio.sleep(1)
        (told,) = here.subscribers.heard
        headers = told.data["customContext"]["sipHeaders"]
        assert headers == {"userToUser": "ab12;encoding=hex", "X-MS-Custom-Ticket": "4711"}

    played(main)


# Strangers


def invite_from(
    source: Destination, call_id: str = "stranger", more: tuple[tuple[str, str], ...] = ()
) -> bytes:
    headers = Headers.of(
        ("via", f"SIP/2.0/{source.transport.upper()} {source.host}:{source.port};branch=z9hG4bK-{call_id}"),
        ("max-forwards", "70"),
        ("from", "<sip:+14255550200@198.51.100.9>;tag=s"),
        ("to", f"<sip:{CALLER}@192.0.2.1>"),
        ("call-id", call_id),
        ("cseq", "1 INVITE"),
        ("contact", f"<sip:{source.host}:{source.port}>"),
        *more,
    )
    return Request("INVITE", f"sip:{CALLER}@192.0.2.1", headers).to_bytes()


@pytest.mark.parametrize(
    ("source", "let_in"),
    [
        (Destination("udp", "192.0.2.2", 5060), True),
        (Destination("udp", "192.0.2.2", 40_000), True),
        (Destination("tcp", "192.0.2.2", 40_001), True),
        (Destination("udp", "198.51.100.9", 5060), False),
        (Destination("tcp", "198.51.100.9", 40_001), False),
    ],
)
def test_a_trunk_is_known_by_its_address_whatever_port_and_transport(
    source: Destination, *, let_in: bool
) -> None:
    async def main() -> None:
        here = await world()
        answers: list[bytes] = []

        def hear(data: bytes) -> list[bytes]:
            answers.append(data)
            return []

        here.network.add(source, hear)
        here.network.inject(invite_from(source), source)
        await asyncio.sleep(0.1)
        statuses = [message.status for data in answers if isinstance(message := parse(data), Response)]
        assert statuses == ([100, 180] if let_in else [403])
        assert bool(here.switch.calls) is let_in
        assert len(here.switch.door.reports) == (0 if let_in else 1)
        assert not any(isinstance(parse(data), Malformed) for data in answers)

    played(main)
