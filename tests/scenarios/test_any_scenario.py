"""Whatever applications and carriers do, in whatever order: a call has an ending that a page explains, it
is the same when judged again, and no application is told twice.
"""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.config.stage import stage_of
from onhook.endings.judge import judge
from onhook.endings.ladder import draw
from onhook.endings.rules import UNEXPLAINED
from onhook.lab.rehearsal import rehearse
from onhook.lab.scenario import parse_scenario

BERT, CARL = "8:acs:onhook_bert02", "8:acs:onhook_carl03"
SHORT = "server: set sip.max_call_seconds = 60\n"
TERMINAL = ("CreateCallFailed", "AnswerFailed", "ConnectFailed", "CallDisconnected")
DEAF = "server: no subscription"
DECIDE = (
    "app: answer",
    "app: reject none",
    "app: reject busy",
    "app: reject forbidden",
    f"app: redirect to {CARL}",
    "app: redirect to +14255550300",
)
LATER = ("app: hang up", "app: terminate", "app: wait 1 s", "app: wait 5 s", "app: wait 31 s")
CALLER = (
    "carrier: cancel",
    "carrier: wait 2 s",
    "carrier: bye",
    "carrier: cancel on answer",
    "carrier: no ack",
)
CRASH = "app: wait 1 s\nserver: crash\nserver: restart"

COMES_IN = "carrier: call from +14255550200 to +14255550100"

incoming = st.tuples(
    st.just(""), st.just(COMES_IN), st.lists(st.sampled_from((*DECIDE, *LATER, *CALLER, CRASH)), max_size=5)
)
unheard = st.tuples(
    st.just(DEAF), st.just(COMES_IN), st.lists(st.sampled_from((*LATER, *CALLER, CRASH)), max_size=4)
)
to_users = st.tuples(
    st.sampled_from(("", DEAF)),
    st.sampled_from((f"app: call from none to {BERT}", f"app: call from none to {BERT},{CARL}")),
    st.lists(st.sampled_from((*LATER, CRASH)), max_size=4),
)
to_phones = st.tuples(
    st.just(""),
    st.sampled_from(
        (
            "app: call from +14255550100 to +14255550201,+14255550202",
            f"app: call from +14255550100 to +14255550201,{BERT}",
        )
    ),
    st.lists(st.sampled_from(("carrier: 180 Ringing", "carrier: wait 2 s", *LATER)), max_size=3).flatmap(
        lambda steps: st.sampled_from(("carrier: 200 OK", "carrier: 486 Busy Here", "carrier: silence")).map(
            lambda last: [*steps, last]
        )
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(incoming, unheard, to_users, to_phones))
def test_every_call_has_one_ending(parts: tuple[str, str, list[str]]) -> None:
    before, call, steps = parts
    text = "\n".join([SHORT.strip(), *([before] if before else []), call, *steps]) + "\n"
    scenario = parse_scenario(text)
    rehearsal = rehearse(scenario, stage_of(scenario))
    verdict, again = rehearsal.record.verdict, judge(rehearsal.timeline)
    assert verdict is not None
    assert verdict.ending != UNEXPLAINED, draw(rehearsal.timeline)
    assert (again.ending, again.code, again.subcode) == (verdict.ending, verdict.code, verdict.subcode)
    terminal = Counter(
        event["data"]["callConnectionId"]
        for event in rehearsal.events
        if event["type"].rpartition(".")[2] in TERMINAL
    )
    assert set(terminal.values()) <= {1}
    assert {event["data"]["callConnectionId"] for event in rehearsal.events} == set(terminal)
