"""When waits are skipped: everything that must hold, one at a time, on a clock that the test holds."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from onhook.calls.call import State
from onhook.calls.signals import Standing
from onhook.effects import Destination
from onhook.lab.clock import Clock
from onhook.lab.skipping import ASKED, MAX_PASSED_SECONDS, MAX_SKIP_SECONDS, RINGING, NotOurs, Skipping

OURS = ("127.0.0.1", 5080)
QUIET = 0.4


def leg(standing: Standing = Standing.TRYING, at: tuple[str, int] = OURS) -> Any:
    return SimpleNamespace(standing=standing, trunk=SimpleNamespace(destination=Destination("udp", *at)))


class Legs(list[Any]):
    @property
    def telephones_alive(self) -> list[Any]:
        return [each for each in self if each.standing is not Standing.ENDED]


def call(state: State = State.CONNECTING, *legs: Any, deadline: float | None = 115.0) -> Any:
    return SimpleNamespace(state=state, legs=Legs(legs or (leg(),)), deadline=deadline)


class Bench:
    """A switch and a carrier that only have what skipping looks at; `real` is the world's clock."""

    def __init__(self) -> None:
        self.real = 0.0
        self.clock = Clock(lambda: self.real)
        self.calls: dict[str, Any] = {}
        self.address, self.next_act = OURS, None
        self.busy = False
        self.skipped: list[tuple[float, str]] = []
        self.carrier_told = 0
        carrier = SimpleNamespace(address=OURS, next_act=None, clock_skipped=self._tell_carrier)
        self.carrier = carrier
        switch: Any = SimpleNamespace(calls=self.calls, clock_skipped=self._tell_switch)
        self.skipping = Skipping(self.clock, switch, carrier, busy=lambda: self.busy, quiet_seconds=QUIET)
        self.on_skip: Callable[[], None] = lambda: None

    def _tell_switch(self, seconds: float, why: str) -> None:
        self.skipped.append((seconds, why))
        self.on_skip()

    def _tell_carrier(self) -> None:
        self.carrier_told += 1

    def quiet(self) -> float:
        """Look once, wait as long as it has to be quiet, and look again."""
        before = self.skipping.look()
        self.real += QUIET
        return before + self.skipping.look()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_call_that_rings_is_moved_on_to_its_next_timer(bench: Bench) -> None:
    bench.calls["a"] = call(deadline=115.0)
    assert bench.quiet() == pytest.approx(115.0 - QUIET)
    assert bench.clock.now() == pytest.approx(115.0)
    ((seconds, why),) = bench.skipped
    assert seconds == pytest.approx(115.0 - QUIET)
    assert why == RINGING
    assert bench.carrier_told == 1


def test_the_carrier_may_have_the_next_timer(bench: Bench) -> None:
    bench.calls["a"] = call(deadline=115.0)
    bench.carrier.next_act = 5.0
    assert bench.quiet() == pytest.approx(5.0 - QUIET)


def test_before_it_has_been_quiet_nothing_is_skipped(bench: Bench) -> None:
    bench.calls["a"] = call()
    bench.skipping.look()
    bench.real += QUIET / 2
    assert bench.skipping.look() == 0.0
    assert bench.skipped == []


def test_without_a_call_nothing_is_skipped(bench: Bench) -> None:
    bench.carrier.next_act = 5.0
    assert bench.quiet() == 0.0


def test_events_that_wait_for_the_application_hold_time(bench: Bench) -> None:
    bench.calls["a"] = call()
    bench.busy = True
    assert bench.quiet() == 0.0
    bench.busy = False
    bench.real += QUIET / 2
    assert bench.skipping.look() == 0.0, "it is quiet only now"
    bench.real += QUIET
    assert bench.skipping.look() > 0


def test_a_call_whose_state_changes_holds_time(bench: Bench) -> None:
    bench.calls["a"] = call()
    bench.skipping.look()
    bench.real += QUIET
    bench.calls["a"].state = State.DISCONNECTING
    assert bench.skipping.look() == 0.0
    bench.real += QUIET
    assert bench.skipping.look() > 0


def test_while_it_is_held_nothing_is_skipped(bench: Bench) -> None:
    bench.calls["a"] = call()
    bench.skipping.held = True
    assert bench.quiet() == 0.0


def test_people_who_talk_are_not_hurried(bench: Bench) -> None:
    bench.calls["a"] = call(State.CONNECTED, leg(Standing.CONNECTED), leg(Standing.ENDED))
    assert bench.quiet() == 0.0


@pytest.mark.parametrize("standing", [Standing.TRYING, Standing.LEAVING])
def test_a_call_that_is_up_waits_if_one_of_it_rings_or_leaves(bench: Bench, standing: Standing) -> None:
    bench.calls["a"] = call(State.CONNECTED, leg(Standing.CONNECTED), leg(standing))
    assert bench.quiet() > 0


def test_one_call_that_is_up_holds_the_time_of_all(bench: Bench) -> None:
    bench.calls["a"] = call()
    bench.calls["b"] = call(State.CONNECTED, leg(Standing.CONNECTED))
    assert bench.quiet() == 0.0


def test_the_time_of_a_real_trunk_is_not_ours(bench: Bench) -> None:
    bench.calls["a"] = call()
    bench.calls["b"] = call(State.CONNECTING, leg(at=("192.0.2.7", 5060)))
    assert bench.quiet() == 0.0
    assert bench.skipping.strangers() == ["192.0.2.7:5060"]
    bench.calls["b"].legs[0].standing = Standing.ENDED
    assert bench.quiet() > 0


def test_a_limit_of_a_day_is_no_wait(bench: Bench) -> None:
    bench.calls["a"] = call(deadline=MAX_SKIP_SECONDS + 10)
    assert bench.quiet() == 0.0


def test_a_wait_that_is_nearly_over_is_sat_out(bench: Bench) -> None:
    bench.calls["a"] = call(deadline=QUIET + 0.01)
    assert bench.quiet() == 0.0


async def test_a_request_under_way_holds_time_and_looking_does_not(bench: Bench) -> None:
    bench.calls["a"] = call()
    going_on = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await going_on.wait()

    watched = bench.skipping.watching(application)
    arguments: Any = ({"type": "http", "path": "/calling/callConnections"}, None, None)
    asking = asyncio.ensure_future(watched(*arguments))
    await asyncio.sleep(0)
    assert bench.quiet() == 0.0
    going_on.set()
    await asking
    assert bench.skipping.look() == 0.0, "the application is given time to act on the answer"
    bench.real += QUIET
    assert bench.skipping.look() > 0

    going_on.clear()
    bench.calls["a"].deadline += 100
    arguments[0]["path"] = "/onhook/calls"
    looking = asyncio.ensure_future(watched(*arguments))
    await asyncio.sleep(0)
    assert bench.quiet() > 0
    going_on.set()
    await looking


async def test_time_is_passed_timer_by_timer(bench: Bench) -> None:
    bench.calls["a"] = call(State.CONNECTED, leg(Standing.CONNECTED), deadline=20.0)

    def fired() -> None:
        bench.calls["a"].deadline = 50.0 if bench.clock.now() < 50 else 200.0

    bench.on_skip = fired
    await bench.skipping.pass_time(65.0)
    assert [seconds for seconds, _ in bench.skipped] == [20.0, 30.0, 15.0]
    assert {why for _, why in bench.skipped} == {ASKED}
    assert bench.clock.now() == pytest.approx(65.0)


async def test_time_of_others_cannot_be_passed(bench: Bench) -> None:
    bench.calls["a"] = call(State.CONNECTED, leg(Standing.CONNECTED, ("192.0.2.7", 5060)))
    with pytest.raises(NotOurs, match=r"192\.0\.2\.7:5060 is not the built-in carrier"):
        await bench.skipping.pass_time(10)
    assert bench.clock.skipped_seconds == 0


async def test_time_is_not_passed_while_the_application_is_busy(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onhook.lab.skipping.MAX_BUSY_SECONDS", 0.05)
    bench.busy = True
    with pytest.raises(NotOurs, match="the application has been busy"):
        await bench.skipping.pass_time(10)


@pytest.mark.parametrize("seconds", [-1.0, MAX_PASSED_SECONDS + 1, float("nan")])
async def test_time_goes_on_only_and_not_for_ever(bench: Bench, seconds: float) -> None:
    with pytest.raises(ValueError, match="let 0 to 604800 s pass"):
        await bench.skipping.pass_time(seconds)
