"""Calls whose participants change, rebuilt from their facts: whole, and cut off anywhere."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.calls.call import Restarted, State
from onhook.calls.record import CallRecord
from onhook.calls.replay import replay
from onhook.effects import Publish, Transmit
from onhook.facts import SipSeen
from onhook.lab.rehearsal import Rehearsal, rehearse
from onhook.lab.scenario import parse_scenario
from onhook.switch import Limits
from onhook.switch.recovery import rebuild
from stages import CARRIER, OWN, stage

LIMITS = Limits()
TERMINAL = {"CreateCallFailed", "AnswerFailed", "ConnectFailed", "CallDisconnected"}
USER = f"8:acs:{OWN.id}_00000000-0000-0000-0000-000000000001"
UP = "carrier: 180 Ringing\ncarrier: 200 OK\napp: wait 1 s\n"
IN = "carrier: call from +14255550200 to +14255550100\ncarrier: refer accepted\napp: wait 1 s\napp: answer\n"
STORIES = [
    f"{UP}app: add +14255550201\napp: wait 2 s\napp: hang up",
    f"{UP}app: add +14255550201\napp: wait 2 s\napp: remove +14255550200\napp: wait 1 s\napp: terminate",
    f"{UP}app: add {USER}\napp: wait 1 s\napp: answer\napp: wait 1 s\napp: other hangs up\napp: hang up",
    f"{UP}app: add {USER}\napp: wait 1 s\napp: reject busy\napp: wait 1 s\napp: hang up",
    f"{UP}app: add {USER}\napp: wait 1 s\napp: hang up",
    f"{UP}app: remove +14255550200",
    f"{UP}app: transfer to +14255550201\ncarrier: wait 9 s\ncarrier: bye",
    f"{UP}app: transfer to {USER}\napp: wait 1 s\napp: answer\napp: wait 1 s\napp: other hangs up",
    f"carrier: refer accepted\n{UP}app: transfer to +14255550201",
    f"carrier: refer bye\n{UP}app: transfer to +14255550201",
    f"carrier: refer target 486\n{UP}app: transfer to +14255550201\napp: wait 5 s\napp: hang up",
    f"carrier: refer refused 405\n{UP}app: transfer to +14255550201\ncarrier: wait 9 s\ncarrier: bye",
    f"carrier: refer silent\n{UP}app: transfer to +14255550201\napp: wait 70 s\napp: hang up",
    f"{IN}app: wait 1 s\napp: transfer to +14255550201",
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


def told(effects: list[object]) -> list[tuple[str, str]]:
    return [(effect.connection, effect.type) for effect in effects if isinstance(effect, Publish)]


@pytest.mark.parametrize("text", STORIES, ids=[text.replace("\n", " ")[-60:] for text in STORIES])
def test_equal_facts_give_equal_messages_and_events(text: str) -> None:
    played = play(text)
    call, effects = replay(
        reopened(played.record),
        played.timeline,
        CARRIER,
        setup_seconds=LIMITS.setup_seconds,
        max_seconds=LIMITS.max_call_seconds,
    )
    assert call.state is State.ENDED
    assert [effect.data for effect in effects if isinstance(effect, Transmit)] == [
        fact.message for fact in played.timeline if isinstance(fact, SipSeen) and fact.direction == "sent"
    ]
    assert told(list(effects)) == [
        (event["data"]["callConnectionId"], event["type"].rpartition(".")[2]) for event in played.events
    ]
    assert call.record.verdict == played.record.verdict
    assert [each.verdict for each in call.record.connections] == [
        each.verdict for each in played.record.connections
    ]


@settings(max_examples=60, deadline=None)
@given(text=st.sampled_from(STORIES), share=st.floats(0.0, 1.0))
def test_a_call_cut_off_anywhere_is_rebuilt_and_ended_once(text: str, share: float) -> None:
    """Whatever was kept when the server died, every open connection gets one terminal event, its last."""
    played = play(text)
    kept = played.timeline[: max(1, int(len(played.timeline) * share))]
    call = rebuild(reopened(played.record), lambda _: list(kept), {CARRIER.name: CARRIER}, LIMITS)
    effects = call.restart(kept[-1].at + 1.0) if call.accepts(Restarted) else []
    by_connection: dict[str, list[str]] = {}
    for connection, event in told(list(effects)):
        by_connection.setdefault(connection, []).append(event)
    assert call.state is State.ENDED, "whatever state it was rebuilt in"
    for events in by_connection.values():
        assert [event in TERMINAL for event in events].count(True) == 1
        assert events[-1] in TERMINAL
    assert call.record.verdict is not None
    assert call.record.verdict.evidence
    assert all(each.ended_at is not None for each in call.connections)
