"""After a crash: every open call gets its ending, every telephone is released, every event goes out."""

import asyncio
import copy
import logging
from typing import Any

import pytest

from onhook.calls.call import State
from onhook.calls.directory import Trunk
from onhook.calls.record import CallRecord
from onhook.endings.judge import judge
from onhook.facts import ServerRestarted, SipSeen, Timeline
from onhook.lab.far_end import FarEnd
from onhook.lab.rehearsal import World
from onhook.lab.virtual_network import Faults, VirtualNetwork
from onhook.lab.virtual_time import run
from onhook.store.batch import Batch, StoreFailed
from onhook.switch import Limits
from onhook.switch.recovery import rebuild, unreleased
from stages import ANSWERS, CARRIER, RINGS, SILENT, far_end, stage, world
from store_samples import record

LIMITS = Limits()


def terminal(here: World, call_id: str) -> list[str]:
    found: list[str] = []
    for event in here.inbox.events:
        name = event["type"].rpartition(".")[2]
        if event["data"]["callConnectionId"] == call_id and name in {"CreateCallFailed", "CallDisconnected"}:
            found.append(name)
    return found


def first_words(here: World, call_id: str) -> list[str]:
    """Of every SIP message of a call: a method, or "SIP/2.0"."""
    return [fact.start_line.split()[0] for fact in here.store.facts(call_id) if isinstance(fact, SipSeen)]


def calls_of(peers: FarEnd) -> list[Any]:
    return [*peers.calls.values(), *peers.ended]


async def crash_and_restart(here: World, gone_seconds: float = 5.0) -> None:
    here.crash()
    await asyncio.sleep(gone_seconds)
    here.start()


@pytest.mark.parametrize("gone_seconds", [0.0, 0.3, 5.0, 100.0])
@pytest.mark.parametrize("after_seconds", [0.1, 0.7, 1.1, 5.0])
def test_a_call_is_ended_and_its_telephone_released(after_seconds: float, gone_seconds: float) -> None:
    """It rang at once and was answered after one second."""

    async def main() -> None:
        peers = far_end(ANSWERS)
        here = await world(peers)
        call_id = here.create_call()
        await asyncio.sleep(after_seconds)
        connected = here.switch.calls[call_id].record.connected_at is not None
        assert connected is (after_seconds > 1)
        await crash_and_restart(here, gone_seconds)
        await asyncio.sleep(300)
        kept = here.store.call(call_id)
        assert kept is not None
        assert kept.verdict is not None
        assert kept.verdict.ending == "server-restarted"
        assert terminal(here, call_id) == ["CallDisconnected" if connected else "CreateCallFailed"]
        assert all(call.over for call in calls_of(peers))
        assert here.switch.calls == here.switch._by_sip_id == here.switch._by_leg == {}
        assert here.switch._on_trunk["carrier"] == 0
        assert len(here.switch._deadlines) == 0

    run(main())


def test_an_answer_to_the_bye_of_the_restarted_server_is_heard() -> None:
    async def main() -> None:
        here = await world(ANSWERS)
        call_id = here.create_call()
        await asyncio.sleep(3)
        await crash_and_restart(here)
        await asyncio.sleep(60)
        lines = [
            fact.start_line.split()[0] for fact in here.store.facts(call_id) if isinstance(fact, SipSeen)
        ]
        assert lines[-2:] == ["BYE", "SIP/2.0"]
        assert lines.count("BYE") == 1

    run(main())


def test_a_phone_that_rings_only_after_the_restart_is_cancelled() -> None:
    """No response had come, so CANCEL has to wait for one (RFC 3261 section 9.1): it must still be sent."""
    late = "carrier: wait 6 s\ncarrier: 180 Ringing\n"

    async def main() -> None:
        peers = far_end(late)
        here = await world(peers)
        call_id = here.create_call()
        await asyncio.sleep(2)
        await crash_and_restart(here, 1.0)
        assert terminal(here, call_id) == []
        await asyncio.sleep(0.1)
        assert terminal(here, call_id) == ["CreateCallFailed"]
        await asyncio.sleep(60)
        sent = first_words(here, call_id)
        assert "CANCEL" in sent
        assert all(call.over for call in calls_of(peers))

    run(main())


def test_a_phone_whose_ringing_was_lost_while_the_server_was_down_is_cancelled() -> None:
    """The INVITE is repeated by the restarted server, so that the trunk says once more that it rings."""

    async def main() -> None:
        peers = far_end("carrier: wait 3 s\ncarrier: 180 Ringing\n")
        here = await world(peers)
        call_id = here.create_call()
        await asyncio.sleep(2)
        await crash_and_restart(here, 2.0)
        await asyncio.sleep(60)
        words = first_words(here, call_id)
        assert words[words.index("CANCEL") - 2 :][:3] == ["INVITE", "SIP/2.0", "CANCEL"]
        assert all(call.over for call in calls_of(peers))

    run(main())


def test_a_phone_that_answers_only_after_the_restart_is_released() -> None:
    late = "carrier: 180 Ringing\ncarrier: ignore cancel\ncarrier: wait 6 s\ncarrier: 200 OK\n"

    async def main() -> None:
        peers = far_end(late)
        here = await world(peers)
        call_id = here.create_call()
        await asyncio.sleep(2)
        await crash_and_restart(here, 1.0)
        await asyncio.sleep(60)
        sent = first_words(here, call_id)
        assert {"ACK", "BYE"} <= set(sent)
        assert all(call.over for call in calls_of(peers))
        assert terminal(here, call_id) == ["CreateCallFailed"]

    run(main())


def test_a_call_that_was_being_hung_up_has_the_ending_of_that() -> None:
    async def main() -> None:
        here = await world(ANSWERS)
        call_id = here.create_call()
        await asyncio.sleep(3)
        here.network.faults = Faults(loss=1.0)
        here.hang_up(call_id)
        await asyncio.sleep(1)
        here.network.faults = Faults()
        await crash_and_restart(here, 1.0)
        await asyncio.sleep(60)
        kept = here.store.call(call_id)
        assert kept is not None
        assert kept.verdict is not None
        assert kept.verdict.ending == "hung-up-by-app"
        assert terminal(here, call_id) == ["CallDisconnected"]
        assert all(call.over for call in here.far_end.calls.values())

    run(main())


@pytest.mark.parametrize("gone_seconds", [0.5, 3.0, 60.0])
def test_a_call_that_had_ended_but_whose_bye_was_lost_is_released(gone_seconds: float) -> None:
    """The application was told; the far end was not, and would stay off the hook."""

    async def main() -> None:
        peers = far_end(ANSWERS)
        here = await world(peers)
        call_id = here.create_call()
        await asyncio.sleep(3)
        here.network.faults = Faults(loss=1.0)
        here.hang_up(call_id)
        await asyncio.sleep(6)
        assert terminal(here, call_id) == ["CallDisconnected"]
        before = here.store.call(call_id)
        here.crash()
        here.network.faults = Faults()
        await asyncio.sleep(gone_seconds)
        here.start()
        assert here.switch.calls == {}
        await asyncio.sleep(60)
        assert all(call.over for call in calls_of(peers))
        assert terminal(here, call_id) == ["CallDisconnected"]
        assert here.store.call(call_id) == before
        assert first_words(here, call_id)[-1] == (
            "SIP/2.0" if gone_seconds < 30 else "BYE"
        )  # timer F is over
        assert here.switch._by_sip_id == {}
        assert len(here.switch._deadlines) == 0

    run(main())


def test_a_fork_whose_release_was_lost_is_released() -> None:
    """Two phones answered; both have to be told, each by its own BYE."""

    async def main() -> None:
        peers = far_end("carrier: 180 Ringing\ncarrier: 200 OK fork=2\n")
        here = await world(peers)
        call_id = here.create_call()
        await asyncio.sleep(0.01)
        here.network.faults = Faults(loss=1.0)
        await asyncio.sleep(2)
        await crash_and_restart(here, 0.5)
        await asyncio.sleep(1)
        await crash_and_restart(here, 0.5)
        here.network.faults = Faults()
        await asyncio.sleep(60)
        assert all(call.over for call in calls_of(peers))
        assert terminal(here, call_id) == ["CallDisconnected"]

    run(main())


@pytest.mark.parametrize("ending", ["hung up", "busy"])
def test_calls_that_were_released_are_not_taken_up_again(ending: str) -> None:
    async def main() -> None:
        here = await world(ANSWERS if ending == "hung up" else "carrier: 486 Busy Here\n")
        call_id = here.create_call()
        await asyncio.sleep(3)
        here.hang_up(call_id)
        await asyncio.sleep(1)
        before = here.store.facts(call_id)
        await crash_and_restart(here, 0.5)
        assert here.switch._by_sip_id == {}
        await asyncio.sleep(60)
        assert here.store.facts(call_id) == before

    run(main())


def test_an_ended_call_that_cannot_be_read_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    kept, _ = kept_call()
    kept.ended_at = kept.started_at + 10
    with caplog.at_level(logging.ERROR):
        assert unreleased(kept, no_facts, {"carrier": CARRIER}, LIMITS) is None
    assert "cannot be told" in caplog.text
    assert unreleased(kept, lambda _: [], {"carrier": CARRIER}, LIMITS) is None


def test_calls_that_ended_before_are_left_alone() -> None:
    async def main() -> None:
        here = await world("carrier: 486 Busy Here\n")
        call_id = here.create_call()
        await asyncio.sleep(3)
        before = here.store.facts(call_id)
        await crash_and_restart(here)
        await asyncio.sleep(5)
        assert here.store.facts(call_id) == before
        assert terminal(here, call_id) == ["CreateCallFailed"]

    run(main())


def test_recovering_again_and_again_ends_a_call_once() -> None:
    async def main() -> None:
        here = await world(ANSWERS)
        call_id = here.create_call()
        await asyncio.sleep(3)
        for _ in range(3):
            await crash_and_restart(here, 0.5)
            await asyncio.sleep(0.5)
        assert terminal(here, call_id) == ["CallDisconnected"]
        assert sum(isinstance(fact, ServerRestarted) for fact in here.store.facts(call_id)) == 1

    run(main())


def test_a_restart_that_crashed_before_it_saved_anything_starts_over() -> None:
    async def main() -> None:
        here = await world(ANSWERS)
        call_id = here.create_call()
        await asyncio.sleep(3)
        here.crash()
        here.start()
        here.crash()  # in the same turn
        assert here.store.call(call_id) is not None
        assert len(here.store.open_calls()) == 1
        here.start()
        await asyncio.sleep(5)
        assert here.store.open_calls() == []
        assert terminal(here, call_id) == ["CallDisconnected"]

    run(main())


def test_new_calls_can_be_placed_beside_the_recovered_ones() -> None:
    async def main() -> None:
        here = await world(ANSWERS, stage(Trunk("carrier", "192.0.2.2", max_calls=3)))
        for _ in range(3):
            here.create_call()
        await asyncio.sleep(3)
        await crash_and_restart(here)
        placed = [here.create_call() for _ in range(3)]
        await asyncio.sleep(5)
        assert sorted(here.switch.calls) == sorted(placed)
        here.create_call()
        assert here.switch._on_trunk["carrier"] == 3

    run(main())


def test_the_evidence_counts_facts_as_they_are_kept() -> None:
    async def main() -> None:
        here = await world(ANSWERS)
        call_id = here.create_call()
        await asyncio.sleep(0.5)
        here.network.inject(b"\x00garbage", CARRIER.destination)
        await asyncio.sleep(3)
        await crash_and_restart(here)
        await asyncio.sleep(60)
        kept = here.store.call(call_id)
        assert kept is not None
        assert kept.verdict is not None
        facts = here.store.facts(call_id)
        decisive = facts[kept.verdict.evidence[-1].fact - 1]
        assert isinstance(decisive, ServerRestarted)
        assert judge(facts).evidence == kept.verdict.evidence

    run(main())


@pytest.mark.parametrize("change", ["gone", "moved"])
def test_a_trunk_that_the_configuration_no_longer_has_is_still_released(change: str) -> None:
    async def main() -> None:
        peers = far_end(ANSWERS)
        here = await world(peers)
        ringing, connected = here.create_call(), here.create_call()
        await asyncio.sleep(3)
        assert ringing
        here.crash()
        other = (
            Trunk("other", "192.0.2.9") if change == "gone" else Trunk("carrier", "192.0.2.9", 5099, "tcp")
        )
        here.stage = stage(other)
        here.start()
        await asyncio.sleep(60)
        assert all(call.over for call in calls_of(peers))
        assert terminal(here, connected) == ["CallDisconnected"]

    run(main())


# What cannot be replayed


def no_facts(_: str) -> Timeline:
    raise StoreFailed("cannot read the store calls.db: malformed")


def kept_call(scenario: str = RINGS) -> tuple[CallRecord, Timeline]:
    """The record and facts of a call that is open."""

    async def main() -> tuple[CallRecord, Timeline]:
        here = await world(scenario)
        call_id = here.create_call()
        await asyncio.sleep(3)
        return copy.copy(here.switch.calls[call_id].record), here.store.facts(call_id)

    return run(main())


def test_a_call_that_can_be_replayed_has_its_leg() -> None:
    kept, facts = kept_call()
    call = rebuild(kept, lambda _: facts, {"carrier": CARRIER}, LIMITS)
    assert (call.state, call.leg is not None) == (State.CONNECTING, True)
    assert call.timeline == facts


def test_facts_that_cannot_be_read_cost_the_leg_and_not_the_ending(caplog: pytest.LogCaptureFixture) -> None:
    kept, _ = kept_call()
    with caplog.at_level(logging.ERROR):
        call = rebuild(kept, no_facts, {"carrier": CARRIER}, LIMITS)
    assert (call.state, call.leg) == (State.CONNECTING, None)
    assert call.restart(kept.started_at + 100)
    assert call.record.verdict is not None
    assert "cannot be replayed" in caplog.text


@pytest.mark.parametrize("connected_at", [None, 102.0])
@pytest.mark.parametrize("broken", ["no facts", "no route", "ended", "other order"])
def test_facts_that_lead_nowhere_cost_the_leg_and_not_the_ending(
    broken: str, connected_at: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    kept, facts = kept_call()
    kept.connected_at = connected_at
    over = [fact for fact in facts if not isinstance(fact, SipSeen) or fact.direction == "sent"]
    answer = next(fact for fact in facts if isinstance(fact, SipSeen) and fact.direction == "received")
    refusal = answer.message.replace(b"180 Ringing", b"486 Busy Here")
    ended = SipSeen(
        at=facts[-1].at + 1,
        leg=answer.leg,
        direction="received",
        transport="udp",
        peer=answer.peer,
        message=refusal,
    )
    timelines: dict[str, Timeline] = {
        "no facts": [],
        "no route": [fact for fact in facts if isinstance(fact, SipSeen)],
        "ended": [*over, ended],
        "other order": list(reversed(facts)),
    }
    with caplog.at_level(logging.CRITICAL):
        call = rebuild(kept, lambda _: timelines[broken], {"carrier": CARRIER}, LIMITS)
    effects = call.restart(facts[-1].at + 100)
    assert effects
    assert call.record.verdict is not None


def test_a_record_of_a_call_without_a_trunk_is_ended() -> None:
    """It cannot be, for such a call ends in the turn that makes it; and if it is, it must not stay."""

    async def main() -> None:
        here = await world(SILENT)
        here.crash()
        here.store.save(Batch(records={"lost": record("lost")}))
        here.start()
        await asyncio.sleep(1)
        kept = here.store.call("lost")
        assert kept is not None
        assert kept.verdict is not None
        assert terminal(here, "lost") == ["CreateCallFailed"]

    run(main())


def test_two_hundred_calls_in_every_state_are_all_ended_and_released() -> None:
    scenarios = {
        0: ANSWERS,
        1: RINGS,
        2: SILENT,
        3: "carrier: 486 Busy Here\n",
        4: "carrier: 183 Session Progress sdp\ncarrier: wait 2 s\ncarrier: 200 OK\n",
        5: ANSWERS + "carrier: wait 1 s\ncarrier: bye\n",
        6: "carrier: wait 4 s\ncarrier: 180 Ringing\n",
    }
    numbers = {f"n1425555{n:04d}": scenarios[n % 7] for n in range(200)}

    async def main() -> None:
        peers = far_end(**numbers)
        network = VirtualNetwork(seed=5, faults=Faults(delay_seconds=0.05, jitter_seconds=0.2), now=World.now)
        here = await world(peers, network=network)
        ids = [here.create_call(target=f"+{name[1:]}") for name in numbers]
        await asyncio.sleep(2.5)
        for call_id in ids[::9]:
            here.hang_up(call_id)
        await asyncio.sleep(0.01)
        await crash_and_restart(here, 2.0)
        await asyncio.sleep(300)
        assert here.store.open_calls() == []
        assert [len(terminal(here, call_id)) for call_id in ids] == [1] * 200
        assert here.switch.calls == here.switch._by_sip_id == {}
        assert all(call.over for call in calls_of(peers))
        assert peers.calls == {}

    run(main())
