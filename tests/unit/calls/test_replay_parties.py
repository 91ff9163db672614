"""Calls of several parties rebuilt from their facts: the same messages, events, end and connections."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.calls.call import Call, Restarted, State
from onhook.calls.record import CallRecord
from onhook.calls.replay import replay
from onhook.effects import Publish, Transmit
from onhook.facts import SipSeen, Timeline
from onhook.lab.rehearsal import Rehearsal, rehearse
from onhook.lab.scenario import parse_scenario
from onhook.switch import Limits
from onhook.switch.recovery import rebuild
from stages import CARRIER, OWN, stage

LIMITS = Limits()
USER = f"8:acs:{OWN.id}_00000000-0000-0000-0000-000000000001"
IN = "carrier: call from +14255550200 to +14255550100\n"
STORIES = [
    f"{IN}app: answer\napp: wait 1 s\napp: hang up",
    f"{IN}app: answer\ncarrier: wait 5 s\ncarrier: bye",
    f"{IN}app: reject busy",
    f"{IN}app: ignore",
    f"{IN}carrier: wait 2 s\ncarrier: cancel",
    f"{IN}carrier: cancel on answer\napp: answer",
    f"{IN}carrier: no ack\napp: answer",
    "carrier: call from none to +14255550100 no-sdp\napp: answer\napp: wait 1 s\napp: terminate",
    f"{IN}app: redirect to +14255550201\ncarrier: 180\ncarrier: 200 OK\ncarrier: wait 5 s\ncarrier: bye",
    f"{IN}app: redirect to +14255550201\ncarrier: 486",
    f"{IN}app: redirect to {USER}\napp: answer\napp: wait 1 s\napp: hang up",
    f"app: call from none to {USER}\napp: answer\napp: wait 1 s\napp: other hangs up",
    f"app: call from none to {USER}\napp: reject forbidden",
    f"app: call from +14255550100 to +14255550200,{USER}\ncarrier: 200 OK\napp: answer\napp: terminate",
    "app: call from +14255550100 to +14255550200,+14255550201\ncarrier: 486",
    "carrier: 200 OK\napp: connect\napp: wait 1 s\napp: other hangs up\napp: wait 1 s\napp: hang up",
    "carrier: 200 OK\napp: connect\napp: wait 1 s\napp: hang up\napp: wait 1 s\napp: other hangs up",
]


def play(text: str) -> Rehearsal:
    return rehearse(parse_scenario(text), stage())


def reopened(record: CallRecord) -> CallRecord:
    """The record as it was kept before the end."""
    copied = copy.deepcopy(record)
    copied.ended_at = copied.verdict = None
    for connection in copied.connections:
        connection.ended_at = connection.verdict = None
    return copied


def again(record: CallRecord, timeline: Timeline) -> tuple[Call, list[bytes], list[tuple[str, str]]]:
    """The call replayed, the messages it sent, and its events by connection."""
    call, effects = replay(
        reopened(record),
        timeline,
        CARRIER,
        setup_seconds=LIMITS.setup_seconds,
        max_seconds=LIMITS.max_call_seconds,
    )
    sent = [effect.data for effect in effects if isinstance(effect, Transmit)]
    told = [(effect.connection, effect.type) for effect in effects if isinstance(effect, Publish)]
    return call, sent, told


@pytest.mark.parametrize("text", STORIES, ids=[text.replace("\n", " ")[-50:] for text in STORIES])
def test_equal_facts_give_equal_messages_and_events(text: str) -> None:
    played = play(text)
    call, sent, told = again(played.record, played.timeline)
    assert call.state is State.ENDED
    assert sent == [
        fact.message for fact in played.timeline if isinstance(fact, SipSeen) and fact.direction == "sent"
    ]
    assert told == [
        (event["data"]["callConnectionId"], event["type"].rpartition(".")[2]) for event in played.events
    ]
    assert call.record.verdict == played.record.verdict
    assert [each.verdict for each in call.record.connections] == [
        each.verdict for each in played.record.connections
    ]


@settings(max_examples=60, deadline=None)
@given(text=st.sampled_from(STORIES), share=st.floats(0.0, 1.0))
def test_a_call_cut_off_anywhere_is_rebuilt_and_ended_once(text: str, share: float) -> None:
    """Whatever was kept when the server died: every connection known by then gets one terminal event."""
    played = play(text)
    kept = played.timeline[: max(1, int(len(played.timeline) * share))]
    call = rebuild(reopened(played.record), lambda _: list(kept), {CARRIER.name: CARRIER}, LIMITS)
    effects = call.restart(kept[-1].at + 1.0) if call.accepts(Restarted) else []
    told = [effect.connection for effect in effects if isinstance(effect, Publish)]
    assert call.state is State.ENDED, "whatever state it was rebuilt in"
    assert len(told) == len(set(told))
    assert call.record.verdict is not None
    assert call.record.verdict.evidence
    assert all(each.ended_at is not None for each in call.connections)
