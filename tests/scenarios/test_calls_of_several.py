"""Calls that pages have no room for, through the whole switch: redirected, in groups, with more than one
application. Each has its ending, and each application its one terminal event.
"""

from collections import Counter

import pytest

from onhook.config.stage import stage_of
from onhook.endings.judge import judge
from onhook.lab.rehearsal import Rehearsal, rehearse
from onhook.lab.scenario import parse_scenario

CALL_IN = "carrier: call from +14255550200 to +14255550100\n"
REDIRECT = f"{CALL_IN}app: redirect to +14255550300\n"
BERT, CARL = "8:acs:onhook_bert02", "8:acs:onhook_carl03"
GROUP = "app: call from +14255550100 to +14255550201,+14255550202\n"
TERMINAL = ("CreateCallFailed", "AnswerFailed", "ConnectFailed", "CallDisconnected")

CALLS = {
    # Came in
    "caller-hung-up": f"{CALL_IN}app: answer\ncarrier: wait 2 s\ncarrier: bye\n",
    "caller-hung-up without an offer": (
        "carrier: call from +14255550200 to +14255550100 no-sdp\n"
        "app: answer\ncarrier: wait 2 s\ncarrier: bye\n"
    ),
    "caller-hung-up with a withheld number": (
        "carrier: call from none to +14255550100\napp: answer\ncarrier: wait 2 s\ncarrier: bye\n"
    ),
    "hung-up-by-app after it answered": f"{CALL_IN}app: answer\napp: wait 2 s\napp: hang up\n",
    "hung-up-by-app by terminate": f"{CALL_IN}app: answer\napp: wait 2 s\napp: terminate\n",
    "caller-gave-up at once": f"{CALL_IN}carrier: cancel\n",
    "caller-gave-up before a late answer": f"{CALL_IN}carrier: cancel\napp: wait 1 s\napp: answer\n",
    "inbound-unanswered though it answered late": f"{CALL_IN}app: wait 31 s\napp: answer\n",
    "call-too-long": f"server: set sip.max_call_seconds = 60\n{CALL_IN}app: answer\n",
    "server-restarted": f"{CALL_IN}app: answer\napp: wait 2 s\nserver: crash\nserver: restart\n",
    "inbound-nobody-heard for any number": (
        "server: no subscription\ncarrier: call from +14255550200 to +14255550101\n"
    ),
    # Redirected
    "redirected-by-app to a busy phone": f"{REDIRECT}carrier: 486 Busy Here\n",
    "caller-hung-up after a redirect": f"{REDIRECT}carrier: 200 OK\ncarrier: wait 3 s\ncarrier: bye\n",
    "caller-gave-up while the redirected call rings": (
        f"{REDIRECT}carrier: 180 Ringing\ncarrier: wait 3 s\ncarrier: cancel\n"
    ),
    "rejected-by-app after a redirect to a user": (f"{CALL_IN}app: redirect to {BERT}\napp: reject none\n"),
    "redirected-by-app to a user who does not answer": f"{CALL_IN}app: redirect to {BERT}\napp: ignore\n",
    "user-declined after a redirect": (
        f"app: call from none to {BERT}\napp: redirect to {CARL}\napp: reject busy\n"
    ),
    # Users, and more than one application
    "hung-up-by-app between users": (
        f"app: call from none to {BERT}\napp: answer\napp: wait 2 s\napp: hang up\n"
    ),
    "hung-up-by-app for both": f"app: call from none to {BERT}\napp: answer\napp: wait 2 s\napp: terminate\n",
    "cancelled-by-app while the user rings": (
        f"app: call from none to {BERT}\napp: wait 2 s\napp: hang up\n"
    ),
    "caller-hung-up after the second application left": (
        f"{CALL_IN}app: answer\napp: wait 1 s\napp: connect\napp: wait 2 s\napp: other hangs up\n"
        "carrier: wait 4 s\ncarrier: bye\n"
    ),
    # Groups
    "callee-busy everywhere": f"{GROUP}carrier: 180 Ringing\ncarrier: 486 Busy Here\n",
    "hung-up-by-phone by both": f"{GROUP}carrier: 200 OK\ncarrier: wait 2 s\ncarrier: bye\n",
    "hung-up-by-app for the group": f"{GROUP}carrier: 200 OK\napp: wait 2 s\napp: hang up\n",
    "trunk-silent for the group": f"{GROUP}carrier: silence\n",
}


def play(name: str) -> Rehearsal:
    scenario = parse_scenario(CALLS[name])
    return rehearse(scenario, stage_of(scenario))


@pytest.mark.parametrize("name", CALLS)
def test_the_call_ends_as_its_name_says(name: str) -> None:
    rehearsal = play(name)
    verdict = rehearsal.record.verdict
    assert verdict is not None
    assert verdict.ending == name.split(" ", 1)[0]
    assert verdict.evidence


@pytest.mark.parametrize("name", CALLS)
def test_each_application_gets_one_terminal_event_and_it_is_the_last(name: str) -> None:
    rehearsal = play(name)
    last: dict[str, str] = {}
    terminal: Counter[str] = Counter()
    for event in rehearsal.events:
        connection, kind = event["data"]["callConnectionId"], event["type"].rpartition(".")[2]
        last[connection] = kind
        terminal[connection] += kind in TERMINAL
    assert set(last) <= set(terminal)
    assert set(terminal.values()) <= {1}
    assert set(last.values()) <= set(TERMINAL)


@pytest.mark.parametrize("name", CALLS)
def test_judged_again_with_all_that_came_later_the_verdict_stands(name: str) -> None:
    rehearsal = play(name)
    verdict, again = rehearsal.record.verdict, judge(rehearsal.timeline)
    assert verdict is not None
    assert (again.ending, again.code, again.subcode) == (verdict.ending, verdict.code, verdict.subcode)


def test_the_one_who_left_and_the_one_who_was_left_are_told_different_reasons() -> None:
    rehearsal = play("hung-up-by-app between users")
    results = {
        event["data"]["callConnectionId"]: event["data"]["resultInformation"]["subCode"]
        for event in rehearsal.events
        if event["type"].endswith("CallDisconnected")
    }
    assert results.pop(rehearsal.record.id) == 7000
    assert list(results.values()) == [5010]
