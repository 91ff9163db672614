"""Whatever a scenario says and whatever a caller does, the far end stands and forgets in time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from far_end_caller import OFFER, TCP, UDP, Caller
from onhook.effects import Destination
from onhook.lab.audio_steps import SendRtp
from onhook.lab.far_end_call import MAX_CALL_SECONDS, MAX_HISTORY
from onhook.lab.scenario_steps import (
    Bye,
    CarrierStep,
    Challenge,
    Garbage,
    Garbled,
    IgnoreAck,
    IgnoreCancel,
    Respond,
    Scenario,
    Silence,
    Wait,
)

EARLY: st.SearchStrategy[list[CarrierStep]] = st.lists(
    st.sampled_from(
        [
            Respond(100, "Trying"),
            Respond(180, "Ringing"),
            Respond(183, "Session Progress", body="sdp"),
            Wait(300),
            Wait(5_000),
            IgnoreAck(),
            IgnoreCancel(),
            SendRtp(sending=False),
            Challenge(401),
            Garbage(),
            Garbled(200),
        ]
    ),
    max_size=4,
)
FINAL: st.SearchStrategy[list[CarrierStep]] = st.sampled_from(
    [
        [],
        [Silence()],
        [Respond(486, "Busy Here")],
        [Respond(302, "Moved", (("Contact", "<sip:a@b>"),))],
        [Respond(200, "OK")],
        [Respond(200, "OK", body="bad-sdp"), Wait(1_000), Bye()],
        [Respond(200, "OK", forks=3), Wait(1_000), Bye()],
        [Respond(200, "OK"), Wait(2_000), SendRtp(), Silence()],
    ]
)
SCENARIOS = st.tuples(EARLY, FINAL).map(lambda parts: Scenario((*parts[0], *parts[1])))

ACTIONS = st.lists(
    st.one_of(
        st.sampled_from(["repeat", "cancel", "other cancel", "second invite", "wrong tag", "options"]),
        st.sampled_from(["bye", "reinvite", "hold", "ack again", "garbage", "stray response"]),
        st.integers(1, 40_000),
    ),
    max_size=8,
)
"""What a caller does; a number is a wait in milliseconds."""


def act(caller: Caller, action: str | int, turn: int) -> None:
    if isinstance(action, int):
        caller.advance(action / 1000)
    elif action == "repeat":
        caller.send(caller.invited)
    elif action == "cancel":
        caller.send(caller.cancel())
    elif action == "other cancel":
        caller.send(caller.cancel("z9hG4bK-other"))
    elif action == "second invite":
        caller.send(caller.invite(cseq=turn + 10))
    elif action == "wrong tag":
        caller.send(caller.invite(cseq=turn + 10, to_tag="wrong"))
    elif action == "garbage":
        caller.send(b"\x00 nothing\r\n\r\n")
    elif any(response.to_tag for response in caller.responses):
        act_within(caller, action, turn + 10)


def act_within(caller: Caller, action: str, cseq: int) -> None:
    if action == "options":
        caller.send(caller.follow("OPTIONS", cseq=cseq))
    elif action == "bye":
        caller.send(caller.follow("BYE", cseq=cseq))
    elif action == "reinvite":
        caller.send(caller.follow("INVITE", cseq=cseq, body=OFFER))
    elif action == "hold":
        caller.send(caller.follow("INVITE", cseq=cseq, body=OFFER.replace(b"sendrecv", b"inactive")))
    elif action == "ack again":
        caller.send(caller.ack(caller.responses[-1]))
    else:
        caller.send(caller.responses[-1])


@settings(max_examples=150, deadline=None)
@given(SCENARIOS, ACTIONS, st.sampled_from([UDP, TCP]), st.booleans())
def test_nothing_breaks_it_and_nothing_stays(
    scenario: Scenario,
    actions: list[str | int],
    source: Destination,
    acknowledging: bool,  # noqa: FBT001  # drawn by Hypothesis
) -> None:
    caller = Caller(scenario, source=source)
    caller.acknowledging = acknowledging
    caller.call()
    for turn, action in enumerate(actions):
        act(caller, action, turn)
    caller.advance(2 * MAX_CALL_SECONDS)
    far_end = caller.far_end
    assert not far_end.calls
    assert not far_end.talking
    assert far_end.deadline is None
    assert all(len(call.history) <= MAX_HISTORY for call in far_end.ended)
    assert all(call.over for call in far_end.ended)


@settings(max_examples=50, deadline=None)
@given(SCENARIOS, ACTIONS)
def test_equal_callers_hear_equal_things(scenario: Scenario, actions: list[str | int]) -> None:
    heard: list[list[tuple[float, str]]] = []
    for _ in range(2):
        caller = Caller(scenario).call()
        for turn, action in enumerate(actions):
            act(caller, action, turn)
        heard.append(caller.advance(100).times)
    assert heard[0] == heard[1]


@settings(max_examples=100, deadline=None)
@given(SCENARIOS, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=20))
def test_a_damaged_invite_never_breaks_it(scenario: Scenario, damage: list[tuple[int, int]]) -> None:
    caller = Caller(scenario)
    data = bytearray(caller.invited.to_bytes())
    for position, value in damage:
        data[position] = value
    caller.send(bytes(data))
    caller.advance(2 * MAX_CALL_SECONDS)
    assert not caller.far_end.calls
