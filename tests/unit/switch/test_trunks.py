"""How trunks are watched: OPTIONS both ways, signs of life and of trouble, rests, the pace of calls."""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from onhook.calls.directory import Trunk, VoiceRoute
from onhook.effects import Destination
from onhook.facts import RouteRefused, RouteTaken
from onhook.lab.far_end import FarEnd
from onhook.lab.rehearsal import World
from onhook.lab.scenario import parse_scenario
from onhook.lab.virtual_time import run
from onhook.sip.messages import Request, Response, parse, respond
from onhook.switch.trunks import options, retry_after_seconds
from stages import ANSWERS, stage, world

FIRST = Trunk("first", "192.0.2.2", options_seconds=30.0, offline_after_misses=2)
SECOND = Trunk("second", "192.0.2.3", options_seconds=30.0)
ROUTE = VoiceRoute("world", r"\+[0-9]+", ("first", "second"))


class Answering:
    """A trunk that answers OPTIONS with a status, or not at all with 0; it keeps what it was asked."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked: list[Request] = []

    def __call__(self, data: bytes) -> list[bytes]:
        message = parse(data)
        assert isinstance(message, Request)
        self.asked.append(message)
        return [respond(message, self.status, to_tag="them").to_bytes()] if self.status else []


def of(made: World, name: str = "first") -> dict[str, Any]:
    return next(each for each in made.switch.trunks_told() if each["name"] == name)


def state(made: World, name: str = "first") -> str:
    return str(of(made, name)["state"])


def far(trunk: Trunk, text: str = ANSWERS) -> FarEnd:
    scenario = parse_scenario(text)
    return FarEnd(lambda _: scenario, address=(trunk.host, trunk.port), prefix=trunk.name[0])


async def opened(first: Any, second: Any = None, *, trunk: Trunk = FIRST, watched: bool = True) -> World:
    made = await world(on=stage(trunk, SECOND, routes=(ROUTE,)))
    for place, peer in ((trunk, first), (SECOND, second or far(SECOND))):
        made.network.remove(place.destination)
        if peer == "refuses":
            made.network.remove(place.destination, "refused: connection refused")
        else:
            made.network.add(place.destination, peer)
    if watched:
        made.switch.trunks.watch()
    return made


def played(act: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return run(act())


def test_a_trunk_that_answers_is_asked_each_period_and_is_online() -> None:
    trunk = Answering()

    async def act() -> dict[str, Any]:
        made = await opened(trunk)
        assert state(made) == "unknown"
        await asyncio.sleep(95)
        made.switch.close()
        return of(made)

    told = played(act)
    assert (told["state"], told["reason"], told["misses"]) == ("online", "200 to OPTIONS", 0)
    assert told["last_heard_at"] > told["since"]
    assert len(trunk.asked) == 4
    assert {request.method for request in trunk.asked} == {"OPTIONS"}
    assert len({request.call_id for request in trunk.asked}) == 4
    assert trunk.asked[0].uri == "sip:192.0.2.2:5060"
    assert trunk.asked[0].headers.get("accept") == "application/sdp"


@pytest.mark.parametrize("status", [404, 405, 481, 500])
def test_any_other_final_answer_shows_a_living_trunk(status: int) -> None:
    async def act() -> str:
        made = await opened(Answering(status))
        await asyncio.sleep(1)
        return state(made)

    assert played(act) == "online"


@pytest.mark.parametrize(
    ("peer", "why"),
    [
        (Answering(0), "OPTIONS was not answered within 10 s"),
        (Answering(503), "503 to OPTIONS"),
        (Answering(408), "408 to OPTIONS"),
        ("refuses", "refused: connection refused"),
    ],
)
def test_a_trunk_that_fails_is_degraded_then_offline_and_says_why(peer: Any, why: str) -> None:
    async def act() -> list[dict[str, Any]]:
        made = await opened(peer)
        await asyncio.sleep(15)
        once = of(made)
        await asyncio.sleep(30)
        return [once, of(made)]

    once, twice = played(act)
    assert (once["state"], once["misses"], once["reason"]) == ("degraded", 1, why)
    assert (twice["state"], twice["misses"], twice["reason"]) == ("offline", 2, why)
    assert twice["since"] > once["since"]


def test_an_offline_trunk_is_tried_last_and_comes_back_by_itself() -> None:
    async def act() -> list[list[str]]:
        trunk = Answering(0)
        made = await opened(trunk)
        await asyncio.sleep(50)
        assert state(made) == "offline"
        calls = [made.create_call()]
        trunk.status = 200
        await asyncio.sleep(60)
        assert state(made) == "online"
        made.network.add(FIRST.destination, far(FIRST))
        calls.append(made.create_call())
        await asyncio.sleep(1)
        return [
            [fact.trunk for fact in made.store.facts(call) if isinstance(fact, RouteTaken)] for call in calls
        ]

    assert played(act) == [["second"], ["first"]]


def test_options_and_calls_from_a_trunk_are_signs_of_life_and_those_of_others_are_not() -> None:
    async def act() -> list[str]:
        made = await opened(far(FIRST), watched=False)
        text = Answering()
        asker = await opened(text)
        await asyncio.sleep(1)
        asked = text.asked[0].to_bytes()
        found = [state(made)]
        made.network.inject(asked, Destination("udp", "198.51.100.9", 5060))
        await asyncio.sleep(1)
        found.append(state(made))
        made.network.inject(asked, FIRST.destination)
        await asyncio.sleep(1)
        asker.switch.close()
        return [*found, state(made), of(made)["reason"]]

    assert played(act) == ["unknown", "unknown", "online", "it sent OPTIONS"]


def test_what_becomes_of_calls_tells_of_the_trunk_too() -> None:
    async def act() -> list[tuple[str, str]]:
        made = await opened(far(FIRST, "carrier: 503 No | Retry-After: 7\n"), watched=False)
        made.create_call()
        await asyncio.sleep(2)
        return [(each["state"], each["reason"]) for each in made.switch.trunks_told()]

    assert played(act) == [("degraded", "503 to INVITE, with a rest of 7 s"), ("online", "200 to INVITE")]


def test_a_trunk_is_not_asked_where_that_is_switched_off() -> None:
    trunk = Answering()

    async def act() -> str:
        made = await opened(trunk, trunk=dataclasses.replace(FIRST, options_seconds=0))
        await asyncio.sleep(200)
        return state(made)

    assert played(act) == "unknown"
    assert trunk.asked == []


def test_what_is_known_of_a_trunk_stays_with_its_address() -> None:
    async def act() -> list[tuple[str, str]]:
        made = await opened(Answering())
        await asyncio.sleep(1)
        directory = made.switch.directory
        changed = {"first": dataclasses.replace(FIRST, max_calls=5), "second": Trunk("second", "192.0.2.77")}
        made.switch.reroute(dataclasses.replace(directory, trunks=changed))
        return [(each["name"], each["state"]) for each in made.switch.trunks_told()]

    assert played(act) == [("first", "online"), ("second", "unknown")]


def test_a_trunk_that_is_gone_is_not_asked_any_more() -> None:
    trunk = Answering()

    async def act() -> None:
        made = await opened(trunk)
        await asyncio.sleep(1)
        directory = made.switch.directory
        made.switch.reroute(dataclasses.replace(directory, trunks={"second": SECOND}))
        await asyncio.sleep(200)
        assert [each["name"] for each in made.switch.trunks_told()] == ["second"]

    played(act)
    assert len(trunk.asked) == 1


def test_calls_beyond_the_pace_take_the_next_trunk_and_then_are_refused() -> None:
    async def act() -> tuple[list[list[str]], str, str]:
        slow = dataclasses.replace(FIRST, calls_per_second=2.0)
        made = await opened(far(FIRST), trunk=slow, watched=False)
        made.switch.reroute(
            dataclasses.replace(
                made.switch.directory,
                trunks={"first": slow, "second": dataclasses.replace(SECOND, calls_per_second=1.0)},
            )
        )
        calls = [made.create_call() for _ in range(4)]
        await asyncio.sleep(1)
        later = made.create_call()
        await asyncio.sleep(3)
        taken = [
            [fact.trunk for fact in made.store.facts(call) if isinstance(fact, RouteTaken)]
            for call in [*calls, later]
        ]
        (refused,) = [fact for fact in made.store.facts(calls[3]) if isinstance(fact, RouteRefused)]
        record = made.store.call(calls[3])
        assert record is not None
        assert record.verdict is not None
        return taken, refused.detail, record.verdict.ending

    taken, detail, ending = played(act)
    assert taken == [["first"], ["first"], ["second"], [], ["first"]]
    assert detail.endswith("is at its calls_per_second: first (2 a second), second (1 a second)")
    assert ending == "trunk-too-fast"


def test_calls_that_come_in_too_fast_are_turned_away_at_the_door() -> None:
    async def act() -> int:
        made = await opened(far(FIRST), trunk=dataclasses.replace(FIRST, calls_per_second=1.0), watched=False)
        incoming = parse_scenario("carrier: call from +14255550200 to +14255550100\n")
        peer = far(FIRST)
        made.network.add(FIRST.destination, peer)
        ours = Destination("udp", *made.network.via_address(FIRST.destination))
        for _ in range(3):
            _, sent = peer.call(incoming, ours, made.now())
            for transmit in sent:
                made.network.inject(transmit.data, FIRST.destination)
        await asyncio.sleep(0.5)
        return len(made.switch.door.reports)

    assert played(act) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("30", 30),
        ("18000;duration=3600", 18000),
        ("120 (in a meeting)", 120),
        ("soon", 0),
        ("-5", 0),
    ],
)
def test_retry_after_is_read_before_any_comment(header: str, seconds: float) -> None:
    given = f"Retry-After: {header}\r\n" if header else ""
    request = options(FIRST, ("192.0.2.1", 5060), "00ff")
    response = respond(request, 503, to_tag="them")
    data = response.to_bytes().replace(b"\r\n\r\n", f"\r\n{given}\r\n".encode(), 1)
    found = parse(data)
    assert isinstance(found, Response)
    assert retry_after_seconds(found) == seconds
