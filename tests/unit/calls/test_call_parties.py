"""Calls of more than one telephone and one application: who hears what, in which order, and why it ends.

Each story is played through the whole switch on virtual time; a connection is named by its order in the call.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from onhook.calls.call import Call, State
from onhook.calls.inputs import AsideParted, MainParted
from onhook.calls.signals import LegConnected
from onhook.endings.judge import judge
from onhook.facts import ConnectionJoined, IncomingCallAnnounced, SipSeen
from onhook.lab.rehearsal import Rehearsal, Stage, rehearse
from onhook.lab.scenario import parse_scenario
from onhook.machine import Machine, Row
from stages import OTHER, OWN, stage

USER = f"8:acs:{OWN.id}_00000000-0000-0000-0000-000000000001"
FOREIGN = f"8:acs:{OTHER.id}_00000000-0000-0000-0000-000000000002"
IN = "carrier: call from +14255550200 to +14255550100\n"
TERMINAL = {"CreateCallFailed", "AnswerFailed", "ConnectFailed", "CallDisconnected"}
UP = ["CallConnected", "ParticipantsUpdated"]

Told = tuple[str, int, int]
"""An event, its code and subcode."""

STORIES: dict[str, tuple[str, str, list[list[str]], list[Told]]] = {
    # name: scenario, ending of the call, events before the last of each connection, the last of each
    "answered, and the caller hangs up": (
        f"{IN}app: wait 1 s\napp: answer\ncarrier: wait 5 s\ncarrier: bye",
        "caller-hung-up",
        [UP],
        [("CallDisconnected", 200, 540000)],
    ),
    "answered, and the application hangs up": (
        f"{IN}app: answer\napp: wait 1 s\napp: hang up",
        "hung-up-by-app",
        [UP],
        [("CallDisconnected", 200, 7000)],
    ),
    "answered, and the application terminates": (
        f"{IN}app: answer\napp: wait 1 s\napp: terminate",
        "hung-up-by-app",
        [UP],
        [("CallDisconnected", 200, 7000)],
    ),
    "answered without an offer": (
        "carrier: call from none to +14255550100 no-sdp\napp: answer\napp: wait 2 s\napp: hang up",
        "hung-up-by-app",
        [UP],
        [("CallDisconnected", 200, 7000)],
    ),
    "rejected": (f"{IN}app: reject", "rejected-by-app", [], []),
    "rejected as busy": (f"{IN}app: reject busy", "inbound-busy", [], []),
    "rejected as forbidden": (f"{IN}app: reject forbidden", "forbidden-by-app", [], []),
    "nobody answers": (f"{IN}app: ignore", "inbound-unanswered", [], []),
    "nobody hears": (f"server: no subscription\n{IN}", "inbound-nobody-heard", [], []),
    "the caller gives up": (f"{IN}carrier: wait 2 s\ncarrier: cancel", "caller-gave-up", [], []),
    "answered after the caller gave up": (
        f"{IN}carrier: cancel\napp: wait 1 s\napp: answer",
        "caller-gave-up",
        [],
        [],
    ),
    "CANCEL crosses the answer": (
        f"{IN}carrier: cancel on answer\napp: answer",
        "caller-cancel-crossed-answer",
        [[]],
        [("AnswerFailed", 487, 540200)],
    ),
    "no ACK": (
        f"{IN}carrier: no ack\napp: answer",
        "answer-unacknowledged",
        [[]],
        [("AnswerFailed", 408, 1106)],
    ),
    "a number that nobody owns": (
        "carrier: call from +14255550200 to +14255559999",
        "inbound-number-unknown",
        [],
        [],
    ),
    "redirected to a telephone": (
        (
            f"{IN}app: redirect to +14255550201\ncarrier: 180 Ringing\ncarrier: 200 OK\ncarrier: wait 5 s\n"
            "carrier: bye"
        ),
        "caller-hung-up",
        [],
        [],
    ),
    "redirected to a busy telephone": (
        f"{IN}app: redirect to +14255550201\ncarrier: 486 Busy Here",
        "redirected-by-app",
        [],
        [],
    ),
    "redirected, and the caller gives up": (
        f"{IN}app: redirect to +14255550201\ncarrier: 180 Ringing\ncarrier: wait 5 s\ncarrier: cancel",
        "caller-gave-up",
        [],
        [],
    ),
    "redirected to a user who answers": (
        f"{IN}app: redirect to {USER}\napp: answer\napp: wait 1 s\napp: hang up",
        "hung-up-by-app",
        [UP],
        [("CallDisconnected", 200, 7000)],
    ),
    "a user answers, and the caller leaves": (
        f"app: call from none to {USER}\napp: answer\napp: wait 1 s\napp: hang up",
        "hung-up-by-app",
        [UP, UP],
        [("CallDisconnected", 200, 7000), ("CallDisconnected", 200, 5010)],
    ),
    "a user answers, and leaves": (
        f"app: call from none to {USER}\napp: answer\napp: wait 1 s\napp: other hangs up",
        "left-alone",
        [UP, UP],
        [("CallDisconnected", 200, 5010), ("CallDisconnected", 200, 7000)],
    ),
    "a user of another resource answers, and the caller terminates": (
        f"app: call from none to {FOREIGN}\napp: answer\napp: wait 1 s\napp: terminate",
        "hung-up-by-app",
        [UP, UP],
        [("CallDisconnected", 200, 7000), ("CallDisconnected", 200, 7000)],
    ),
    "a user declines": (
        f"app: call from none to {USER}\napp: reject",
        "user-declined",
        [[]],
        [("CreateCallFailed", 603, 0)],
    ),
    "a user does not answer": (
        f"app: call from none to {USER}\napp: ignore",
        "user-rang-out",
        [[]],
        [("CreateCallFailed", 487, 10004)],
    ),
    "nobody hears for a user": (
        f"server: no subscription\napp: call from none to {USER}",
        "user-not-registered",
        [[]],
        [("CreateCallFailed", 480, 10037)],
    ),
    "a call to a user is taken back": (
        f"app: call from none to {USER}\napp: wait 1 s\napp: hang up",
        "cancelled-by-app",
        [[]],
        [("CreateCallFailed", 487, 560487)],
    ),
    "a user redirects to a telephone": (
        (
            f"app: call from +14255550100 to {USER}\napp: redirect to +14255550201\ncarrier: 200 OK\n"
            "app: wait 1 s\napp: hang up"
        ),
        "hung-up-by-app",
        [UP],
        [("CallDisconnected", 200, 7000)],
    ),
    "a group of which both answer": (
        (
            "app: call from +14255550100 to +14255550200,+14255550201\ncarrier: 180 Ringing\n"
            "carrier: 200 OK\napp: wait 1 s\napp: hang up"
        ),
        "hung-up-by-app",
        [[*UP, "ParticipantsUpdated"]],
        [("CallDisconnected", 200, 7000)],
    ),
    "a group of which nobody answers": (
        "app: call from +14255550100 to +14255550200,+14255550201\ncarrier: 486 Busy Here",
        "callee-busy",
        [[]],
        [("CreateCallFailed", 486, 560486)],
    ),
    "another application connects and leaves": (
        "carrier: 200 OK\napp: connect\napp: wait 1 s\napp: other hangs up\napp: wait 1 s\napp: hang up",
        "hung-up-by-app",
        [[*UP, "ParticipantsUpdated", "ParticipantsUpdated"], UP],
        [("CallDisconnected", 200, 7000), ("CallDisconnected", 200, 7000)],
    ),
    "the first application leaves before the other": (
        "carrier: 200 OK\napp: connect\napp: wait 1 s\napp: hang up\napp: wait 1 s\napp: other hangs up",
        "hung-up-by-app",
        [[*UP, "ParticipantsUpdated"], [*UP, "ParticipantsUpdated"]],
        [("CallDisconnected", 200, 7000), ("CallDisconnected", 200, 7000)],
    ),
    "the server restarts under an answered call": (
        f"{IN}app: answer\napp: wait 1 s\nserver: crash\nserver: restart",
        "server-restarted",
        [UP],
        [("CallDisconnected", 500, 9999)],
    ),
    "the server restarts while it rings": (
        f"{IN}app: wait 1 s\nserver: crash\nserver: restart",
        "server-restarted",
        [],
        [],
    ),
    "the server restarts under a call of users": (
        f"app: call from none to {USER}\napp: answer\napp: wait 1 s\nserver: crash\nserver: restart",
        "server-restarted",
        [UP, UP],
        [("CallDisconnected", 500, 9999), ("CallDisconnected", 500, 9999)],
    ),
    "the server restarts under a redirected call": (
        f"{IN}app: redirect to +14255550201\ncarrier: 200 OK\napp: wait 1 s\nserver: crash\nserver: restart",
        "server-restarted",
        [],
        [],
    ),
}


def play(text: str, on: Stage | None = None) -> Rehearsal:
    return rehearse(parse_scenario(text), on or stage())


def by_connection(events: Iterable[dict[str, Any]]) -> list[list[Told]]:
    """The events of each connection, in the order in which the connections were first heard of."""
    found: dict[str, list[Told]] = {}
    for event in events:
        data = event["data"]
        result = data["resultInformation"]
        name = event["type"].rpartition(".")[2]
        found.setdefault(data["callConnectionId"], []).append((name, result["code"], result["subCode"]))
    return list(found.values())


@pytest.mark.parametrize("name", STORIES)
def test_every_application_is_told_its_story_and_one_end(name: str) -> None:
    text, ending, before, last = STORIES[name]
    played = play(text)
    verdict = played.record.verdict
    assert verdict is not None
    assert verdict.ending == ending
    assert verdict.evidence
    told = by_connection(played.events)
    assert [[each[0] for each in events[:-1]] for events in told] == before
    assert [events[-1] for events in told] == last
    assert played.record.ended_at is not None
    for events in told:
        assert [each[0] in TERMINAL for each in events] == [False] * (len(events) - 1) + [True]


@pytest.mark.parametrize("name", STORIES)
def test_every_connection_is_kept_with_its_verdict(name: str) -> None:
    text, _, _, last = STORIES[name]
    record = play(text).record
    kept = [each.verdict for each in record.connections]
    if last:
        kept.insert(0, record.verdict)
    assert [(each.event_code, each.subcode) for each in kept if each] == [told[1:] for told in last]
    assert all(each.ended_at is not None for each in record.connections)


@pytest.mark.parametrize("name", STORIES)
def test_the_telephones_are_released(name: str) -> None:
    """Whoever was answered has sent or got one BYE; whoever was rung has sent or got a final."""
    timeline = play(STORIES[name][0]).timeline
    finals: Counter[str] = Counter()
    byes: Counter[str] = Counter()
    for fact in timeline:
        if isinstance(fact, SipSeen) and b"INVITE" in fact.message.partition(b"CSeq:")[2].split(b"\r\n")[0]:
            finals[fact.leg] += fact.start_line.startswith(("SIP/2.0 2", "SIP/2.0 4", "SIP/2.0 6"))
        if isinstance(fact, SipSeen) and fact.start_line.startswith("BYE "):
            byes[fact.leg] += 1
    answered = {
        fact.leg
        for fact in timeline
        if isinstance(fact, SipSeen)
        and fact.start_line == "SIP/2.0 200 OK"
        and b" INVITE\r\n" in fact.message
    }
    assert all(finals.values())
    assert all(byes[leg] for leg in answered)


@pytest.mark.parametrize("name", list(STORIES)[::4])
def test_the_same_story_gives_the_same_facts(name: str) -> None:
    assert play(STORIES[name][0]).timeline == play(STORIES[name][0]).timeline


def test_the_stories_run_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those of calls to one telephone and of transfers, which have test files of their own."""
    run: set[tuple[str, Row]] = set()
    monkeypatch.setattr(Machine, "rows_run", run)
    for text, *_ in STORIES.values():
        play(text)
    for text in RARE:
        play(text)
    ours = {row for row in Call.TABLE if row[1].__module__ == "onhook.calls.inputs"}
    ours -= {(State.CONNECTED, AsideParted), (State.CONNECTED, MainParted)}
    ours.add((State.CONNECTED, LegConnected))
    assert ours - {row for name, row in run if name == "Call"} == set()


GROUP = "app: call from +14255550100 to +14255550200,"
RARE = [
    f"{GROUP}{USER}\ncarrier: 200 OK\napp: wait 1 s\napp: answer\napp: wait 1 s\napp: hang up",
    f"{GROUP}{USER}\ncarrier: 200 OK\napp: wait 1 s\napp: reject busy\napp: wait 1 s\napp: hang up",
    f"{GROUP}{USER}\ncarrier: 200 OK\napp: wait 1 s\napp: redirect to {FOREIGN}\napp: wait 1 s\napp: hang up",
    f"{GROUP}{USER}\ncarrier: 180 Ringing\napp: answer\napp: wait 200 s\napp: hang up",
]
"""A group with a user who answers, rejects or redirects late; or first, and the telephone rings on."""


def test_a_user_who_comes_late_into_a_group_is_announced_to_everyone() -> None:
    told = by_connection(play(RARE[0]).events)
    assert [[each[0] for each in events] for events in told] == [
        [*UP, "ParticipantsUpdated", "CallDisconnected"],
        [*UP, "ParticipantsUpdated", "CallDisconnected"],
    ]


def test_a_rejection_in_a_group_leaves_the_others_talking() -> None:
    played = play(RARE[1])
    assert played.record.verdict is not None
    assert played.record.verdict.ending == "hung-up-by-app"
    (told,) = by_connection(played.events)
    assert told[-1] == ("CallDisconnected", 200, 7000)


def participants(events: Iterable[dict[str, Any]]) -> list[tuple[str, int, list[str]]]:
    return [
        (
            event["data"]["callConnectionId"],
            event["data"]["sequenceNumber"],
            [each["identifier"]["rawId"] for each in event["data"]["participants"]],
        )
        for event in events
        if event["type"].endswith("ParticipantsUpdated")
    ]


def test_participants_are_the_caller_and_the_application_that_answered() -> None:
    played = play(STORIES["answered, and the caller hangs up"][0])
    ((_, sequence, names),) = participants(played.events)
    assert sequence == 1
    assert names == ["4:+14255550200", played.record.source_user]
    assert played.record.source_user.startswith(f"8:acs:{OWN.id}_")


def test_a_caller_that_withholds_its_number_is_anonymous() -> None:
    played = play(STORIES["answered without an offer"][0])
    assert participants(played.events)[0][2][0] == "4:anonymous"
    (announced,) = [fact for fact in played.timeline if isinstance(fact, IncomingCallAnnounced)]
    assert (announced.caller, announced.callee) == ("4:anonymous", "4:+14255550100")


def test_each_connection_counts_its_own_sequence() -> None:
    played = play(STORIES["another application connects and leaves"][0])
    sequences: dict[str, list[int]] = {}
    for connection, sequence, _ in participants(played.events):
        sequences.setdefault(connection, []).append(sequence)
    assert sorted(sequences.values()) == [[1], [1, 2, 3]]


def test_users_are_in_the_call_under_their_own_names() -> None:
    played = play(STORIES["a user answers, and leaves"][0])
    names = participants(played.events)[0][2]
    assert names == [USER, played.record.source_user]
    joined = [fact for fact in played.timeline if isinstance(fact, ConnectionJoined)]
    assert [fact.operation for fact in joined] == ["createCall", "answerCall"]
    assert joined[1].user == USER


def test_a_redirected_call_passes_the_session_descriptions_through() -> None:
    timeline = play(STORIES["redirected to a telephone"][0]).timeline
    bodies: dict[tuple[str, str], bytes] = {}
    for fact in timeline:
        if isinstance(fact, SipSeen):
            word = fact.start_line.split()[0] if "SIP/2.0 " not in fact.start_line[:8] else fact.start_line
            body = fact.message.partition(b"\r\n\r\n")[2]
            if body:
                bodies.setdefault((word, fact.direction), body)
    assert bodies["INVITE", "received"] == bodies["INVITE", "sent"]
    assert bodies["SIP/2.0 200 OK", "received"] == bodies["SIP/2.0 200 OK", "sent"]


@pytest.mark.parametrize("name", [name for name in STORIES if "first application" not in name])
def test_judged_again_the_first_connection_is_told_the_same(name: str) -> None:
    played = play(STORIES[name][0])
    verdict, again = played.record.verdict, judge(played.timeline)
    assert verdict is not None
    assert (again.ending, again.subcode) == (verdict.ending, verdict.subcode)
