"""The scenario language: every form, every error with its line, and text that comes back the same."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.lab.app_steps import AppAsk
from onhook.lab.audio_steps import SendRtp
from onhook.lab.scenario import (
    FIXED,
    FORMS,
    MAX_LINE_CHARS,
    MAX_LINES,
    OWN_HEADERS,
    ScenarioError,
    parse_scenario,
    write_scenario,
    write_step,
)
from onhook.lab.scenario_steps import (
    CARRIER_STEPS,
    AppCall,
    AppHangUp,
    AppTerminate,
    AppWait,
    Bye,
    Challenge,
    Garbage,
    Garbled,
    IgnoreAck,
    IgnoreCancel,
    Refer,
    RefuseConnection,
    Respond,
    Scenario,
    ServerCrash,
    ServerRestart,
    Silence,
    Step,
    Wait,
)

USER_BUSY = ("Reason", 'Q.850;cause=17;text="User busy"')

ONE_LINE: list[tuple[str, Step]] = [
    ("carrier: 180 Ringing", Respond(180, "Ringing")),
    ("carrier: 486 Busy Here", Respond(486, "Busy Here")),
    ("carrier: 486", Respond(486, "Busy Here")),
    ("carrier: 499", Respond(499, "Unknown")),
    (
        'carrier: 486 Busy Here | Reason: Q.850;cause=17;text="User busy"',
        Respond(486, "Busy Here", (USER_BUSY,)),
    ),
    (
        "carrier: 302 Moved Temporarily | Contact: <sip:a|b@c> | X-Route: 1|Warning:x",
        Respond(302, "Moved Temporarily", (("Contact", "<sip:a|b@c>"), ("X-Route", "1"), ("Warning", "x"))),
    ),
    ("carrier: 200 OK", Respond(200, "OK")),
    ("carrier: 200 OK bad-sdp", Respond(200, "OK", body="bad-sdp")),
    ("carrier: 200 OK no-sdp", Respond(200, "OK", body="no-sdp")),
    ("carrier: 183 Session Progress sdp", Respond(183, "Session Progress", body="sdp")),
    ("carrier: 200 OK fork=2", Respond(200, "OK", forks=2)),
    ("carrier: 200 OK no-sdp fork=3", Respond(200, "OK", body="no-sdp", forks=3)),
    ("carrier: 401 challenge", Challenge(401)),
    ("carrier: 407 challenge realm=a algorithm=MD5", Challenge(407, "a", "MD5")),
    ("carrier: 401 challenge user=u password=p=q", Challenge(401, user="u", password="p=q")),
    ("carrier: wait 2 s", Wait(2000)),
    ("carrier: wait 500 ms", Wait(500)),
    ("carrier: wait 1.25 s", Wait(1250)),
    ("carrier: silence", Silence()),
    ("carrier: garbage", Garbage()),
    ("carrier: garbled 200", Garbled(200)),
    ("carrier: refuse connection", RefuseConnection()),
    ("carrier: ignore ack", IgnoreAck()),
    ("carrier: ignore cancel", IgnoreCancel()),
    ("carrier: rtp", SendRtp()),
    ("carrier: no rtp", SendRtp(sending=False)),
    ("carrier: refer accepted", Refer("accepted")),
    ("carrier: refer refused 603", Refer("refused", 603)),
    ("carrier: refer target 486", Refer("target", 486)),
    ("app: add +14255550201", AppAsk("add", "+14255550201")),
    ("app: remove 8:acs:a_b", AppAsk("remove", "8:acs:a_b")),
    ("app: transfer to +14255550201", AppAsk("transfer", "to +14255550201")),
    ("app: hang up", AppHangUp()),
    ("app: terminate", AppTerminate()),
    ("app: wait 1 s", AppWait(1000)),
    ("app: call from none to +4520", AppCall(None, "+4520")),
    ("app: call from +14255550100 to 12ab", AppCall("+14255550100", "12ab")),
    ("server: crash", ServerCrash()),
    ("server: restart", ServerRestart()),
]


@pytest.mark.parametrize(("line", "step"), ONE_LINE, ids=[line for line, _ in ONE_LINE])
def test_each_form_is_read(line: str, step: Step) -> None:
    assert parse_scenario(line).steps == (step,)


@pytest.mark.parametrize(("line", "step"), ONE_LINE, ids=[line for line, _ in ONE_LINE])
def test_each_form_is_written_as_it_is_read(line: str, step: Step) -> None:
    assert parse_scenario(write_step(step)).steps == (step,)


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_that_errors_propose_are_right(form: str) -> None:
    before = "carrier: 200 OK\n" if form == "carrier: bye" else ""
    if form in {"carrier: cancel", "carrier: cancel on answer", "carrier: no ack"}:
        before = "carrier: call from +14255550200 to +14255550100\n"
    assert parse_scenario(before + form).steps


def test_bye_takes_headers() -> None:
    scenario = parse_scenario("carrier: 200 OK\ncarrier: bye | Reason: Q.850;cause=38")
    assert scenario.steps[1] == Bye((("Reason", "Q.850;cause=38"),))
    assert write_scenario(scenario) == "carrier: 200 OK\ncarrier: bye | Reason: Q.850;cause=38\n"


def test_comments_blank_lines_and_indents_say_nothing() -> None:
    text = "# a busy callee\n\n   carrier:   180   Ringing  \r\n  # then\n\tcarrier: 486 Busy Here\n"
    assert write_scenario(parse_scenario(text)) == "carrier: 180 Ringing\ncarrier: 486 Busy Here\n"


def test_an_empty_scenario_has_no_steps() -> None:
    assert parse_scenario("\n# nothing\n") == Scenario()
    assert write_scenario(Scenario()) == ""


def test_the_carrier_has_its_own_steps() -> None:
    scenario = parse_scenario(
        "app: call from none to +1\ncarrier: 180\napp: hang up\ncarrier: wait 1 s\nserver: crash"
    )
    assert scenario.carrier == (Respond(180, "Ringing"), Wait(1000))
    assert [type(step) for step in scenario.steps if not isinstance(step, CARRIER_STEPS)] == [
        AppCall,
        AppHangUp,
        ServerCrash,
    ]


def test_times_are_seconds() -> None:
    assert Wait(1500).seconds == 1.5
    assert AppWait(20).seconds == 0.02


WRONG: list[tuple[str, int, str, str]] = [
    ("busy", 1, "does not say who acts", "carrier:"),
    ("callee: 486 Busy", 1, "does not say who acts", "carrier:"),
    ("carrier: 180 Ringing\ncarrier: explode", 2, "unknown step 'carrier: explode'", "carrier: silence"),
    ("app: dance", 1, "unknown step 'app: dance'", "app: hang up"),
    ("server: explode", 1, "unknown step", "server: crash"),
    ("carrier:", 1, "unknown step", "carrier: silence"),
    ("carrier: 99 Low", 1, "99 is no SIP status", "100 to 699"),
    ("carrier: 700 High", 1, "700 is no SIP status", "100 to 699"),
    ("carrier: 0200 OK", 1, "0200 is no SIP status", "100 to 699"),
    ("carrier: ٢٠٠ OK", 1, "unknown step", "carrier: silence"),
    ("carrier: 486 Busy | Reason", 1, "is no header", "Name: value"),
    ("carrier: 486 Busy | Reason:", 1, "is no header", "Name: value"),
    ("carrier: 486 Busy | Rea son: x", 1, "is no header", "Name: value"),
    ("carrier: 486 Busy | Call-ID: x", 1, "Call-ID is written by the carrier itself", "Remove"),
    ("carrier: 486 Busy Here fork=2", 1, "fork=2 with status 486", "200 OK fork=2"),
    ("carrier: 200 OK fork=1", 1, "no number of answers", "fork=2"),
    ("carrier: 200 OK fork=10", 1, "no number of answers", "fork=9"),
    ("carrier: 403 challenge", 1, "403 cannot challenge", "401 challenge"),
    ("carrier: 401 challenge colour=red", 1, "no setting of a challenge", "realm="),
    ("carrier: 401 challenge realm=", 1, "no setting of a challenge", "realm="),
    ("carrier: 401 challenge algorithm=ROT13", 1, "unknown algorithm 'ROT13'", "SHA-256"),
    ("carrier: 401 challenge | X: y", 1, "takes no headers", "|"),
    ("carrier: wait", 1, "is no time", "wait 2 s"),
    ("carrier: wait two s", 1, "is no time", "wait 2 s"),
    ("carrier: wait 2 min", 1, "is no time", "wait 2 s"),
    ("carrier: wait 0 s", 1, "whole number of milliseconds", "wait 2 s"),
    ("carrier: wait 0.5 ms", 1, "whole number of milliseconds", "500 ms"),
    ("app: wait 3601 s", 1, "longer than 3600 s", "shorter"),
    ("carrier: garbled", 1, "is no SIP status", "garbled 200"),
    ("carrier: garbled 2000", 1, "is no SIP status", "garbled 200"),
    ("carrier: bye", 1, "bye before an answer", "carrier: 200 OK"),
    ("carrier: 200 OK\ncarrier: bye now", 2, "'now' after bye", "|"),
    ("app: call to +4520", 1, "names no two numbers", "from none to"),
    ("carrier: 486 Busy\n\ncarrier: 200 OK", 3, "the call is refused", "Remove"),
    ("carrier: silence\n# still\ncarrier: 180", 3, "the call is silent", "Remove"),
    ("carrier: 200 OK\ncarrier: bye\ncarrier: wait 1 s", 3, "the call is ended", "Remove"),
    ("carrier: 200 OK\ncarrier: 486 Busy", 2, "second final status", "bye"),
    ("carrier: 200 OK\ncarrier: 401 challenge", 2, "second final status", "bye"),
    ("carrier: cancel", 1, "the carrier has not called", "carrier: call from"),
    ("carrier: 180\ncarrier: call from none to +1", 2, "the call has begun", "above all other steps"),
    ("carrier: call to +14255550100", 1, "names no two numbers", "call from +14255550200"),
    ("carrier: call from none to +1 with-sdp", 1, "names no two numbers", "call from"),
    ("app: reject rudely", 1, "'rudely' is no reason", "reject none or reject busy"),
    ("app: redirect", 1, "names nobody", "redirect to"),
    ("app: transfer +14255550201", 1, "names nobody", "transfer to"),
    ("app: add", 1, "names nobody", "add +14255550201"),
    ("app: remove two people", 1, "names nobody", "raw id"),
    ("carrier: refer", 1, "is no answer to a REFER", "refer accepted"),
    ("carrier: refer refused", 1, "is no answer to a REFER", "refused 603"),
    ("carrier: refer target 200", 1, "is no answer to a REFER", "target 486"),
    ("carrier: 200 OK\ncarrier: refer accepted", 2, "has said what is allowed", "above carrier: 200 OK"),
    ("carrier: 180\ncarrier: refuse connection", 2, "connection is in use", "first step"),
    ("carrier: 180" + " " * MAX_LINE_CHARS, 1, "longer than", "Shorten"),
    ("\n" * MAX_LINES + "carrier: 180", MAX_LINES + 1, "more than", "Split"),
]


@pytest.mark.parametrize(("text", "line", "what", "instead"), WRONG, ids=[text[-40:] for text, *_ in WRONG])
def test_errors_name_the_line_the_fault_and_the_remedy(text: str, line: int, what: str, instead: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(f"line {line}: ")) as caught:
        parse_scenario(text)
    assert caught.value.line == line
    assert what in caught.value.what
    assert instead in caught.value.instead
    assert str(caught.value) == f"line {line}: {caught.value.what}. {caught.value.instead}"


def test_a_challenge_may_come_before_the_call_goes_on() -> None:
    text = "carrier: 401 challenge realm=carrier.example algorithm=SHA-256\ncarrier: 180 Ringing\n"
    assert write_scenario(parse_scenario(text)) == text


def test_garbage_may_be_followed_by_an_answer() -> None:
    assert (
        len(parse_scenario("carrier: garbage\ncarrier: garbled 200\ncarrier: 200 OK\ncarrier: bye").steps)
        == 4
    )


WORDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef/-.é", min_size=1, max_size=12).filter(
    lambda word: word not in {"sdp", "bad-sdp", "no-sdp", "challenge"}
)
PHRASES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
HEADERS = st.lists(
    st.tuples(
        st.text("ABCXYZabc-", min_size=1, max_size=12).filter(lambda name: name.lower() not in OWN_HEADERS),
        st.one_of(
            PHRASES,
            st.integers(1, 127).map(lambda cause: f'Q.850;cause={cause};text="a | b"'),
            WORDS.map(lambda word: f"<sip:{word}|x@y>;q=0.5"),
        ),
    ),
    max_size=3,
).map(tuple)
WAITS = st.integers(1, 3_600_000)
TOKENS = st.text("abcdefXYZ0189.+", min_size=1, max_size=16).filter(lambda token: token != "none")
FREE: st.SearchStrategy[Step] = st.one_of(
    st.sampled_from([IgnoreAck(), IgnoreCancel(), SendRtp(), SendRtp(sending=False)]),
    st.sampled_from([AppHangUp(), AppTerminate(), ServerCrash(), ServerRestart()]),
    st.builds(Wait, WAITS),
    st.builds(AppWait, WAITS),
    st.builds(AppCall, st.one_of(st.none(), TOKENS), TOKENS),
    st.just(Garbage()),
    st.builds(Garbled, st.integers(100, 699)),
)
BODIES = st.sampled_from(["", "sdp", "bad-sdp", "no-sdp"])
EARLY = st.one_of(
    FREE,
    st.sampled_from([Refer("accepted"), Refer("silent"), Refer("bye")]),
    st.builds(Refer, st.sampled_from(["refused", "target"]), st.integers(300, 699)),
    st.builds(Respond, st.integers(100, 199), PHRASES, HEADERS, BODIES),
    st.builds(
        Challenge, st.sampled_from([401, 407]), TOKENS, st.sampled_from(["MD5", "SHA-256"]), TOKENS, TOKENS
    ),
)
ANSWERED: st.SearchStrategy[list[Step]] = st.tuples(
    st.builds(Respond, st.integers(200, 299), PHRASES, HEADERS, BODIES, st.integers(1, 9)).map(
        lambda step: [step]
    ),
    st.lists(FREE, max_size=3),
    st.one_of(st.just([]), st.just([Silence()]), st.builds(Bye, HEADERS).map(lambda step: [step])),
).map(lambda parts: [step for part in parts for step in part])
FINALS: st.SearchStrategy[list[Step]] = st.one_of(
    st.just([]),
    st.just([Silence()]),
    st.builds(Respond, st.integers(300, 699), PHRASES, HEADERS, BODIES).map(lambda step: [step]),
    ANSWERED,
)
SCENARIOS = st.tuples(st.lists(EARLY, max_size=5), FINALS).map(lambda parts: Scenario((*parts[0], *parts[1])))


@given(SCENARIOS)
def test_what_is_written_is_read_back(scenario: Scenario) -> None:
    text = write_scenario(scenario)
    assert parse_scenario(text) == scenario
    assert write_scenario(parse_scenario(text)) == text


def fault_of(text: str) -> ScenarioError | None:
    try:
        parse_scenario(text)
    except ScenarioError as error:
        return error
    return None


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    fault = fault_of(text)
    assert fault is None or 1 <= fault.line <= len(text.splitlines())


SOME_LINES = [line for line, _ in ONE_LINE] + ["carrier: bye", *FIXED, "carrier: 2", "app:", "|", "x: y"]


@given(st.lists(st.sampled_from(SOME_LINES), max_size=6).map("\n".join))
def test_lines_in_any_order_are_read_or_refused(text: str) -> None:
    fault = fault_of(text)
    if fault is None:
        scenario = parse_scenario(text)
        assert parse_scenario(write_scenario(scenario)) == scenario
    else:
        assert fault.instead
