"""Faults of our own, anywhere below the switch: they end one call, with the proof, and no other."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from onhook.calls.call import Call
from onhook.calls.leg import PhoneLeg
from onhook.endings.judge import judge
from onhook.endings.verdict import Verdict
from onhook.facts import FaultRaised, Timeline
from onhook.lab.rehearsal import World
from onhook.lab.virtual_time import run
from onhook.media.silent_media import SilentMedia
from stages import ANSWERS, RINGS, far_end, world

TARGET, OTHER_TARGET = "+14255550666", "+14255550200"


def fail(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("our mistake")


@pytest.fixture(autouse=True)
def _expected_noise(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield


def poison(
    monkeypatch: pytest.MonkeyPatch, owner: type[Any], name: str, applies: Callable[[Any], bool]
) -> None:
    """`owner.name` fails for the call, leg or effect that `applies` picks out."""
    original = getattr(owner, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        picked = args[0] if owner is SilentMedia else self
        return fail() if applies(picked) else original(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, method)


def is_target(leg: PhoneLeg) -> bool:
    return leg.session.target == TARGET


async def two_calls(scenario: str = ANSWERS) -> tuple[World, str, str]:
    here = await world(far_end(scenario))
    return here, here.create_call(target=TARGET), here.create_call(target=OTHER_TARGET)


def check_ended_alone(here: World, bad: str, good: str) -> None:
    kept = here.store.call(bad)
    assert kept is not None
    assert kept.verdict is not None
    assert kept.verdict.ending == "server-fault"
    faults = [fact for fact in here.store.facts(bad) if isinstance(fact, FaultRaised)]
    assert "our mistake" in faults[0].where
    assert "Traceback" in faults[0].traceback
    assert 'raise ZeroDivisionError("our mistake")' in faults[0].traceback
    terminal = [e for e in here.inbox.events if e["type"].endswith(("CreateCallFailed", "CallDisconnected"))]
    assert [event["data"]["callConnectionId"] for event in terminal] == [bad]
    assert bad not in here.switch.calls
    assert not any(isinstance(fact, FaultRaised) for fact in here.store.facts(good))
    assert here.switch.calls[good].record.connected_at


@pytest.mark.parametrize("method", ["dial", "receive"])
def test_a_leg_that_fails(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    poison(monkeypatch, PhoneLeg, method, is_target)

    async def main() -> None:
        here, bad, good = await two_calls()
        await asyncio.sleep(60)
        check_ended_alone(here, bad, good)

    run(main())


def test_a_timer_that_always_fails_is_run_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, PhoneLeg, "handle_timeout", is_target)

    async def main() -> None:
        here = await world(far_end(ANSWERS, **{f"n{TARGET[1:]}": "carrier: silence\n"}))
        bad, good = here.create_call(target=TARGET), here.create_call(target=OTHER_TARGET)
        await asyncio.sleep(200)
        check_ended_alone(here, bad, good)
        assert sum(isinstance(fact, FaultRaised) for fact in here.store.facts(bad)) == 2
        assert len(here.switch._by_sip_id) == 1

    run(main())


def test_media_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        here, bad, good = await two_calls()
        leg = here.switch.calls[bad].record.seed[:12]
        poison(monkeypatch, SilentMedia, "start", lambda effect: effect.leg == leg)
        await asyncio.sleep(60)
        check_ended_alone(here, bad, good)
        assert {call.over for call in here.far_end.calls.values() if TARGET in str(call.key)} <= {True}

    run(main())


def test_media_that_cannot_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        here, bad, good = await two_calls()
        leg = here.switch.calls[bad].record.seed[:12]
        poison(monkeypatch, SilentMedia, "close", lambda name: name == leg)
        await asyncio.sleep(5)
        here.hang_up(bad)
        await asyncio.sleep(60)
        assert bad not in here.switch.calls
        kept = here.store.call(bad)
        assert kept is not None
        assert kept.verdict is not None
        assert good in here.switch.calls

    run(main())


def test_a_judge_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        here, bad, good = await two_calls()
        await asyncio.sleep(5)
        here.hang_up(bad)
        failures = [True]

        def fail_once(timeline: Timeline, *, connection: str = "") -> Verdict:
            return fail() if failures and failures.pop() else judge(timeline, connection=connection)

        monkeypatch.setattr("onhook.calls.spine.judge", fail_once)
        await asyncio.sleep(60)
        check_ended_alone(here, bad, good)

    run(main())


def test_an_event_that_cannot_be_written_does_not_keep_the_call_open(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        here, bad, good = await two_calls(RINGS)
        await asyncio.sleep(5)
        monkeypatch.setattr("onhook.switch.floor.cloud_event", fail)
        here.hang_up(bad)
        await asyncio.sleep(60)
        assert list(here.switch.calls) == [good]
        assert any(isinstance(fact, FaultRaised) for fact in here.store.facts(bad))

    run(main())


def test_a_fault_while_the_fault_is_handled_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("receive", "hang_up", "handle_timeout"):
        poison(monkeypatch, PhoneLeg, method, is_target)

    async def main() -> None:
        here, bad, good = await two_calls()
        await asyncio.sleep(60)
        check_ended_alone(here, bad, good)

    run(main())


def test_a_hang_up_that_fails_is_still_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, PhoneLeg, "hang_up", is_target)

    async def main() -> None:
        here, bad, good = await two_calls()
        await asyncio.sleep(5)
        here.hang_up(bad)
        await here.switch.written()
        await asyncio.sleep(60)
        kept = here.store.call(bad)
        assert kept is not None
        assert kept.verdict is not None
        assert good in here.switch.calls

    run(main())


def test_the_call_class_is_the_one_that_was_tested() -> None:
    """The poison above would miss a renamed method in silence."""
    for method in ("dial", "receive", "handle_timeout", "hang_up", "fail"):
        assert callable(getattr(PhoneLeg, method))
    assert callable(Call.fault)
