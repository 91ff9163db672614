"""A call replayed from its facts: the same bytes sent, the same state, whatever happened to it."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from call_scene import MAX_SECONDS, SETUP_SECONDS, CallScene
from onhook.calls.call import Call, State
from onhook.calls.directory import Trunk
from onhook.calls.replay import replay
from onhook.effects import Effect, Publish, Record, Transmit
from onhook.facts import EventAttempted, SipSeen, TimerFired
from onhook.store.encoding import decode_facts, encode
from random_calls import TRUNKS, Step, steps, take


def replayed(scene: CallScene) -> tuple[Call, list[Effect]]:
    """From what a store gives back."""
    facts = decode_facts(encode(scene.facts))
    return replay(
        copy.copy(scene.begun), facts, scene.trunk, setup_seconds=SETUP_SECONDS, max_seconds=MAX_SECONDS
    )


def check(scene: CallScene) -> Call:
    """The replayed call is the call, and did what it did."""
    call, effects = replayed(scene)
    assert [effect.data for effect in effects if isinstance(effect, Transmit)] == scene.bytes_sent
    assert [effect.fact for effect in effects if isinstance(effect, Record)] == [
        fact for fact in scene.facts if not isinstance(fact, EventAttempted)
    ]
    assert [effect for effect in effects if isinstance(effect, Publish)] == scene.events
    assert call.state is scene.call.state
    assert call.record == scene.call.record
    assert call.timeline == scene.call.timeline
    return call


def assert_goes_on_alike(scene: CallScene, call: Call) -> None:
    """From here on the two are told the same and do the same, restart included."""
    twin = copy.deepcopy(scene)
    twin.call = call
    sent = len(scene.bytes_sent)
    for each in (scene, twin):
        if each.call.state in {State.CONNECTING, State.CONNECTED, State.DISCONNECTING}:
            each.late(5.0).restarts()
        each.gets(200).wait(300)
    assert twin.bytes_sent[sent:] == scene.bytes_sent[sent:]
    assert twin.told == scene.told
    assert twin.call.done
    assert scene.call.done


STORIES = {
    "rings": lambda scene: scene.place().gets(180),
    "silent": lambda scene: scene.place().wait(4.2),
    "answered": lambda scene: scene.connected().wait(1),
    "answered twice": lambda scene: scene.connected().gets(200, "INVITE", "other").wait(1),
    "on hold": lambda scene: scene.connected().asked("INVITE", 2, body="").wait(0.7),
    "hung up": lambda scene: scene.connected().wait(2).hang_up().wait(1.1),
    "rang out": lambda scene: scene.place().gets(180).wait(116),
    "given up": lambda scene: scene.place().wait(11),
    "cancelled": lambda scene: scene.place().gets(100).hang_up().wait(1),
    "over": lambda scene: scene.connected().asked("BYE"),
    "garbage": lambda scene: scene.place().hears(b"\x00").gets(180).hears(b"\x01", candidates=4),
    "broken": lambda scene: scene.connected().fails(),
}


@pytest.mark.parametrize("name", STORIES)
def test_each_story_replayed(name: str) -> None:
    scene = STORIES[name](CallScene())
    assert_goes_on_alike(scene, check(scene))


def test_a_timer_that_fires_at_the_very_time_of_a_message() -> None:
    """At 10 s both the trunk's no-response time and a 180: the timer comes first, then and in the replay."""
    scene = CallScene().place().wait(9.99).late(0.01).gets(180)
    assert scene.methods == ["INVITE"] * 5 + ["CANCEL"]
    fired = next(fact for fact in scene.facts if isinstance(fact, TimerFired))
    rang = next(fact for fact in scene.facts if isinstance(fact, SipSeen) and fact.direction == "received")
    assert fired.at == rang.at
    assert_goes_on_alike(scene, check(scene))


def test_a_message_read_late_after_its_timer_was_due() -> None:
    """The loop was busy for half a second: retransmission and answer meet in one turn."""
    scene = CallScene().place().late(0.75).gets(180).late(0.2).gets(200)
    assert scene.methods == ["INVITE", "INVITE", "ACK"]
    assert_goes_on_alike(scene, check(scene))


def test_timers_that_nobody_sees_are_fired_alike() -> None:
    """Timer D ends silently; a refusal repeated after it is not acknowledged any more."""
    scene = CallScene().place().gets(486).wait(31).gets(486).wait(10)
    before = list(scene.methods)
    scene.gets(486)
    assert scene.methods == before
    check(scene)


def test_deliveries_are_numbered_with_the_rest() -> None:
    scene = CallScene().connected()
    attempted = EventAttempted(
        at=scene.now + 0.5, event_id="e", event_type="t", uri="u", attempt=1, status=200, elapsed_ms=1.0
    )
    scene.facts.append(attempted)
    scene.call.note(attempted)
    scene.wait(1)
    call = check(scene)
    assert attempted in call.timeline
    assert_goes_on_alike(scene, call)


def test_a_delivery_noted_between_a_timers_time_and_its_waking_fires_nothing() -> None:
    scene = CallScene().place().late(0.6)  # timer A was due at 0.5 s
    attempted = EventAttempted(
        at=scene.now, event_id="e", event_type="t", uri="u", attempt=1, status=200, elapsed_ms=1.0
    )
    scene.facts.append(attempted)
    scene.call.note(attempted)
    scene.late(0.1).wait(0)
    assert [fact.at for fact in scene.facts][-2:] == [1000.6, 1000.7]
    check(scene)


@settings(max_examples=500, deadline=None)
@given(trunk=TRUNKS, story=steps())
def test_any_call_replayed_is_the_same(trunk: Trunk, story: list[Step]) -> None:
    scene = CallScene(trunk).place()
    for step in story:
        take(scene, step)
    assert_goes_on_alike(scene, check(scene))


@settings(max_examples=150, deadline=None)
@given(trunk=TRUNKS, story=steps(), data=st.data())
def test_a_replay_that_stops_early_goes_on_to_the_same_end(
    trunk: Trunk, story: list[Step], data: st.DataObject
) -> None:
    """The facts of a whole call are a replay's input too: any part of them that ends with a turn."""
    scene = CallScene(trunk).place()
    turns = [len(scene.facts)]
    for step in story:
        take(scene, step)
        turns.append(len(scene.facts))
    kept = data.draw(st.sampled_from(turns))
    facts = scene.facts[:kept]
    _, effects = replay(
        copy.copy(scene.begun), facts, trunk, setup_seconds=SETUP_SECONDS, max_seconds=MAX_SECONDS
    )
    sent = [effect.data for effect in effects if isinstance(effect, Transmit)]
    assert sent == scene.bytes_sent[: len(sent)]
    assert [effect.fact for effect in effects if isinstance(effect, Record)] == facts
