"""Two trunks on one route, the first of them dead in every way: the call connects by the other.

On virtual time and the virtual network; over real sockets it is tests/interop/test_sipp_failover.py.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from onhook.acs.identifiers import identify
from onhook.acs.models import AddParticipantRequest, PhoneNumberIdentifierModel
from onhook.calls.call import State
from onhook.calls.directory import Trunk, VoiceRoute
from onhook.calls.record import CallRecord
from onhook.calls.replay import replay
from onhook.effects import Transmit
from onhook.endings.explain import explain
from onhook.endings.ladder import draw
from onhook.endings.render import render_markdown, render_text
from onhook.facts import RouteRefused, RouteTaken, SipSeen, Timeline
from onhook.lab.far_end import FarEnd
from onhook.lab.rehearsal import World
from onhook.lab.scenario import parse_scenario
from onhook.lab.virtual_time import run
from onhook.switch import Limits
from stages import ANSWERS, OWN, stage, world

FIRST = Trunk("first", "192.0.2.2", no_response_seconds=10.0)
SECOND = Trunk("second", "192.0.2.3")
THIRD = Trunk("third", "192.0.2.4")
UNAVAILABLE = "carrier: 503 Service Unavailable\n"
RESTING = "carrier: 503 Service Unavailable | Retry-After: 30 (maintenance)\n"


def far(text: str, trunk: Trunk) -> FarEnd:
    scenario = parse_scenario(text)
    return FarEnd(lambda _: scenario, address=(trunk.host, trunk.port), prefix=trunk.name[0])


async def opened(*sides: tuple[Trunk, str], order: str = "listed") -> tuple[World, list[FarEnd]]:
    """A server with a far end of its own behind each trunk; "refuses" is one that takes no packets."""
    trunks = tuple(trunk for trunk, _ in sides)
    route = VoiceRoute("world", r"\+[0-9]+", tuple(trunk.name for trunk in trunks), order=order)
    made = await world(on=stage(*trunks, routes=(route,)))
    far_ends: list[FarEnd] = []
    for trunk, text in sides:
        made.network.remove(trunk.destination, "refused: connection refused" if text == "refuses" else "")
        if text != "refuses":
            far_ends.append(far(text, trunk))
            made.network.add(trunk.destination, far_ends[-1])
    return made, far_ends


def played(act: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return run(act())


async def ended(
    made: World, call_id: str, *, hang_up_after: float | None = 60.0
) -> tuple[CallRecord, Timeline]:
    if hang_up_after is not None:
        await asyncio.sleep(hang_up_after)
        made.hang_up(call_id, everyone=True)
    while (record := made.store.call(call_id)) is None or record.ended_at is None:  # noqa: ASYNC110  # virtual time
        await asyncio.sleep(1)
    await asyncio.sleep(200)
    made.switch.close()
    return record, made.store.facts(call_id)


def taken(timeline: Timeline) -> list[str]:
    return [fact.trunk for fact in timeline if isinstance(fact, RouteTaken)]


def sent(timeline: Timeline, leg: str, method: bytes) -> int:
    return sum(
        fact.message.startswith(method)
        for fact in timeline
        if isinstance(fact, SipSeen) and fact.leg == leg and fact.direction == "sent"
    )


def types(made: World) -> list[str]:
    return [event["type"].rpartition(".")[2] for event in made.inbox.events]


DEAD = {
    "refuses": ("refuses", "trunk-unreachable"),
    "silent": ("carrier: silence\n", "trunk-silent"),
    "503": (UNAVAILABLE, "trunk-unavailable"),
    "504": ("carrier: 504 Server Time-out\n", "trunk-server-error"),
    "408": ("carrier: 100 Trying\ncarrier: wait 2 s\ncarrier: 408 Request Timeout\n", "callee-no-response"),
    "rang first": ("carrier: 180 Ringing\ncarrier: wait 2 s\ncarrier: 503 Gone\n", "trunk-unavailable"),
    "slow": (
        "carrier: wait 12 s\ncarrier: 180 Ringing\ncarrier: wait 5 s\ncarrier: 200 OK\n",
        "trunk-silent",
    ),
}


@pytest.mark.parametrize("how", DEAD)
def test_the_call_connects_by_the_other_trunk_and_the_verdict_tells_it_all(how: str) -> None:
    text, ending = DEAD[how]

    async def act() -> tuple[World, CallRecord, Timeline]:
        made, _ = await opened((FIRST, text), (SECOND, ANSWERS))
        return made, *await ended(made, made.create_call())

    made, record, timeline = played(act)
    assert taken(timeline) == ["first", "second"]
    assert types(made)[0] == "CallConnected"
    assert types(made)[-1] == "CallDisconnected"
    assert record.trunk == "second"
    verdict = record.verdict
    assert verdict is not None
    assert verdict.ending == "hung-up-by-app"
    assert [(each.trunk, each.ending) for each in verdict.attempts] == [("first", ending)]
    assert any("trunk first" in remark.shows and "before" in remark.shows for remark in verdict.remarks)
    told = explain(verdict, timeline)
    assert f"trunk first: {told.attempts[0].code}/" in render_text(told)
    assert "## Trunks tried before" in render_markdown(told)
    assert "trunk first" in draw(timeline)
    assert "+14255550200 goes on by trunk second" in draw(timeline)
    assert made.switch.calls == {}


def test_no_telephone_rings_twice_where_the_first_trunk_is_only_slow() -> None:
    """It rings after the failover timer: it is cancelled, and the other one goes on."""

    async def act() -> tuple[FarEnd, CallRecord, Timeline]:
        made, far_ends = await opened(
            (FIRST, "carrier: wait 12 s\ncarrier: 180 Ringing\ncarrier: wait 60 s\ncarrier: 200 OK\n"),
            (SECOND, ANSWERS),
        )
        return far_ends[0], *await ended(made, made.create_call())

    _, record, timeline = played(act)
    first, second = [fact.leg for fact in timeline if isinstance(fact, RouteTaken)]
    assert sent(timeline, first, b"CANCEL") == 1
    assert sent(timeline, second, b"CANCEL") == 0
    assert record.verdict is not None
    assert record.verdict.ending == "hung-up-by-app"


def test_a_late_answer_of_the_first_trunk_is_acknowledged_and_ended() -> None:
    async def act() -> tuple[CallRecord, Timeline]:
        made, _ = await opened((FIRST, "carrier: wait 12 s\ncarrier: 200 OK\n"), (SECOND, ANSWERS))
        return await ended(made, made.create_call())

    record, timeline = played(act)
    first, second = [fact.leg for fact in timeline if isinstance(fact, RouteTaken)]
    assert sent(timeline, first, b"ACK") >= 1
    assert sent(timeline, first, b"BYE") == 1
    assert record.connected_at is not None
    assert record.verdict is not None
    assert record.verdict.ending == "hung-up-by-app"
    assert sent(timeline, second, b"BYE") == 1


@pytest.mark.parametrize("status", [400, 403, 404, 480, 486, 487, 488, 500, 502, 600, 603])
def test_other_refusals_are_answers(status: int) -> None:
    async def act() -> tuple[CallRecord, Timeline]:
        made, _ = await opened((FIRST, f"carrier: {status} No\n"), (SECOND, ANSWERS))
        return await ended(made, made.create_call(), hang_up_after=None)

    record, timeline = played(act)
    assert taken(timeline) == ["first"]
    assert record.verdict is not None
    assert record.verdict.sip_status == status
    assert record.verdict.attempts == ()


def test_the_last_trunk_decides_when_all_fail() -> None:
    async def act() -> tuple[CallRecord, Timeline]:
        made, _ = await opened((FIRST, "refuses"), (SECOND, UNAVAILABLE), (THIRD, "carrier: 603 Decline\n"))
        return await ended(made, made.create_call(), hang_up_after=None)

    record, timeline = played(act)
    assert taken(timeline) == ["first", "second", "third"]
    assert record.verdict is not None
    assert record.verdict.ending == "callee-declined"
    assert [each.ending for each in record.verdict.attempts] == ["trunk-unreachable", "trunk-unavailable"]


def test_a_trunk_without_a_successor_ends_the_call_as_ever() -> None:
    async def act() -> tuple[CallRecord, Timeline]:
        made, _ = await opened((FIRST, UNAVAILABLE))
        return await ended(made, made.create_call(), hang_up_after=None)

    record, timeline = played(act)
    assert taken(timeline) == ["first"]
    assert record.verdict is not None
    assert (record.verdict.ending, record.verdict.attempts) == ("trunk-unavailable", ())


def test_a_full_trunk_takes_nothing_over_and_it_is_told() -> None:
    async def act() -> tuple[CallRecord, Timeline]:
        one = dataclasses.replace(SECOND, max_calls=1)
        made, _ = await opened((FIRST, "carrier: wait 3 s\ncarrier: 503 No\n"), (one, ANSWERS))
        call_id = made.create_call()
        made.switch._on_trunk["second"] += 1  # another call came there in the meantime
        return await ended(made, call_id, hang_up_after=None)

    record, timeline = played(act)
    assert taken(timeline) == ["first"]
    (refused,) = [fact for fact in timeline if isinstance(fact, RouteRefused)]
    assert refused.why == "trunk-full"
    assert "no other trunk for +14255550200" in draw(timeline)
    assert record.verdict is not None
    assert record.verdict.ending == "trunk-unavailable"


def test_a_trunk_that_asked_for_a_rest_gets_no_call_until_it_is_over() -> None:
    async def act() -> tuple[World, list[str], CallRecord]:
        made, _ = await opened((FIRST, RESTING), (SECOND, ANSWERS))
        calls = [made.create_call()]
        await asyncio.sleep(5)
        calls.append(made.create_call())
        await asyncio.sleep(30)
        calls.append(made.create_call())
        last, _ = await ended(made, calls[-1])
        return made, calls, last

    made, calls, _ = played(act)
    assert [taken(made.store.facts(call)) for call in calls] == [
        ["first", "second"],
        ["second"],
        ["first", "second"],
    ]


def test_a_call_whose_every_trunk_rests_is_refused_with_an_ending_of_its_own() -> None:
    async def act() -> tuple[CallRecord, Timeline]:
        made, _ = await opened((FIRST, RESTING))
        made.create_call()
        await asyncio.sleep(1)
        return await ended(made, made.create_call(), hang_up_after=None)

    record, timeline = played(act)
    assert taken(timeline) == []
    assert record.verdict is not None
    assert (record.verdict.ending, record.verdict.code) == ("trunk-resting", 503)


def test_a_trunk_may_be_denied_its_rest() -> None:
    async def act() -> tuple[CallRecord, Timeline]:
        made, _ = await opened((dataclasses.replace(FIRST, max_rest_seconds=0), RESTING))
        made.create_call()
        await asyncio.sleep(1)
        return await ended(made, made.create_call(), hang_up_after=None)

    record, timeline = played(act)
    assert taken(timeline) == ["first"]
    assert record.verdict is not None
    assert record.verdict.ending == "trunk-unavailable"


def test_a_random_route_uses_both_trunks() -> None:
    async def act() -> tuple[World, list[str]]:
        made, _ = await opened((FIRST, ANSWERS), (SECOND, ANSWERS), order="random")
        calls = [made.create_call() for _ in range(20)]
        await ended(made, calls[0])
        return made, calls

    made, calls = played(act)
    assert {taken(made.store.facts(call))[0] for call in calls} == {"first", "second"}


def test_an_application_that_hangs_up_stops_the_search() -> None:
    async def act() -> tuple[CallRecord, Timeline]:
        made, _ = await opened((FIRST, "carrier: silence\n"), (SECOND, ANSWERS))
        return await ended(made, made.create_call(), hang_up_after=5)

    record, timeline = played(act)
    assert taken(timeline) == ["first"]
    assert record.verdict is not None
    assert record.verdict.ending == "cancelled-by-app"


def test_a_group_call_waits_for_the_party_whose_trunk_failed() -> None:
    async def act() -> tuple[World, CallRecord, Timeline]:
        made, _ = await opened((FIRST, "carrier: wait 3 s\ncarrier: 503 No\n"), (SECOND, ANSWERS))
        return made, *await ended(made, made.create_call(target="+14255550200,+14255550201"))

    _, record, timeline = played(act)
    assert sorted(taken(timeline)) == ["first", "first", "second", "second"]
    assert record.verdict is not None
    assert record.verdict.ending == "hung-up-by-app"
    assert len(record.verdict.attempts) == 2


def test_a_replay_takes_the_same_way() -> None:
    async def act() -> tuple[CallRecord, Timeline]:
        made, _ = await opened((FIRST, UNAVAILABLE), (SECOND, ANSWERS))
        return await ended(made, made.create_call())

    record, timeline = played(act)
    trunks = {
        fact.leg: {"first": FIRST, "second": SECOND}[fact.trunk]
        for fact in timeline
        if isinstance(fact, RouteTaken)
    }
    limits = Limits()
    call, effects = replay(
        record,
        timeline,
        FIRST,
        setup_seconds=limits.setup_seconds,
        max_seconds=limits.max_call_seconds,
        trunks=trunks,
    )
    assert call.state is State.ENDED
    wire = [fact.message for fact in timeline if isinstance(fact, SipSeen) and fact.direction == "sent"]
    assert [effect.data for effect in effects if isinstance(effect, Transmit)] == wire


def test_after_a_crash_the_call_on_the_second_trunk_is_released() -> None:
    async def act() -> tuple[CallRecord, Timeline]:
        made, _ = await opened((FIRST, UNAVAILABLE), (SECOND, ANSWERS))
        call_id = made.create_call()
        await asyncio.sleep(20)
        made.crash()
        made.start()
        return await ended(made, call_id, hang_up_after=None)

    record, timeline = played(act)
    second = [fact.leg for fact in timeline if isinstance(fact, RouteTaken)][1]
    assert record.verdict is not None
    assert record.verdict.ending == "server-restarted"
    assert sent(timeline, second, b"BYE") >= 1


def test_a_participant_is_added_by_the_second_trunk() -> None:
    async def act() -> tuple[World, Timeline]:
        made, _ = await opened((FIRST, UNAVAILABLE), (SECOND, ANSWERS))
        call_id = made.create_call()
        await asyncio.sleep(5)
        request = AddParticipantRequest(
            participant_to_add=identify("+14255550300"),
            source_caller_id_number=PhoneNumberIdentifierModel(value=OWN.numbers[0]),
        )
        made.operate(call_id, "addParticipant", request)
        _, timeline = await ended(made, call_id)
        return made, timeline

    made, timeline = played(act)
    assert taken(timeline) == ["first", "second", "first", "second"]
    assert "AddParticipantSucceeded" in types(made)
