"""Scenarios with audio and operations, through the whole switch on virtual time."""

from collections import Counter

import pytest

from onhook.config.stage import stage_of
from onhook.facts import (
    ApiRequested,
    DigitHeard,
    DigitsSent,
    MediaMeasured,
    PromptEnded,
    RecordingChanged,
    RtpResumed,
    RtpStopped,
    SpeechHeard,
    StreamChanged,
    Timeline,
)
from onhook.lab.rehearsal import Rehearsal, rehearse
from onhook.lab.scenario import parse_scenario

UP = "carrier: 180 Ringing\ncarrier: 200 OK\n"
IN = "carrier: call from +14255550200 to +14255550100\napp: answer\n"
BYE = "carrier: wait 1 s\ncarrier: bye\n"
LATER = "carrier: wait 20 s\ncarrier: bye\n"


def played(text: str) -> Rehearsal:
    scenario = parse_scenario(text)
    return rehearse(scenario, stage_of(scenario))


def types(rehearsal: Rehearsal) -> Counter[str]:
    return Counter(event["type"].rpartition(".")[2] for event in rehearsal.events)


def seconds(timeline: Timeline, kind: type) -> list[float]:
    began = timeline[0].at
    return [round(fact.at - began, 2) for fact in timeline if isinstance(fact, kind)]


def last_measure(rehearsal: Rehearsal) -> MediaMeasured:
    return [fact for fact in rehearsal.timeline if isinstance(fact, MediaMeasured)][-1]


@pytest.mark.parametrize("begin", [UP, IN], ids=["called", "calling"])
def test_digits_of_the_far_end_are_heard_one_by_one(begin: str) -> None:
    rehearsal = played(f"{begin}carrier: wait 2 s\ncarrier: digits 12#\n{BYE}")
    assert seconds(rehearsal.timeline, DigitHeard) == [2.0, 2.2, 2.4]
    assert last_measure(rehearsal).digits == 3
    assert seconds(rehearsal.timeline, MediaMeasured)[-1] == 3.6  # the bye came after them


@pytest.mark.parametrize("begin", [UP, IN], ids=["called", "calling"])
def test_rtp_can_stop_and_go_on(begin: str) -> None:
    rehearsal = played(f"{begin}carrier: wait 2 s\ncarrier: no rtp\ncarrier: wait 15 s\ncarrier: rtp\n{BYE}")
    assert seconds(rehearsal.timeline, RtpStopped) == [pytest.approx(12, abs=0.05)]
    assert seconds(rehearsal.timeline, RtpResumed) == [17.0]
    assert last_measure(rehearsal).received == pytest.approx(150, abs=2)


def test_rtp_that_never_comes_is_noted_and_is_the_ending() -> None:
    rehearsal = played(f"{UP}carrier: no rtp\ncarrier: wait 20 s\n{BYE}")
    assert seconds(rehearsal.timeline, RtpStopped) == [10.0]
    assert last_measure(rehearsal).received == 0
    assert rehearsal.record.verdict is not None
    assert rehearsal.record.verdict.ending == "no-rtp-ever"


@pytest.mark.parametrize(
    ("line", "ending"),
    [
        ("carrier: rtp as 18", "codec-not-agreed"),
        ("carrier: rtp with wrong key", "srtp-mismatch"),
        ("carrier: hears only", "one-way-audio"),
        ("carrier: no rtp", "no-rtp-ever"),
    ],
)
def test_every_way_of_not_being_heard_has_its_ending(line: str, ending: str) -> None:
    rehearsal = played(f"server: set trunk.carrier.srtp = optional\n{UP}{line}\ncarrier: wait 5 s\n{BYE}")
    assert rehearsal.record.verdict is not None
    assert rehearsal.record.verdict.ending == ending


def test_a_wrong_key_without_srtp_is_noise_that_is_heard() -> None:
    rehearsal = played(f"{UP}carrier: rtp with wrong key\ncarrier: wait 5 s\n{BYE}")
    assert last_measure(rehearsal).received > 200
    assert last_measure(rehearsal).undecipherable == 0


def test_what_is_said_of_audio_before_the_answer_holds_after_it() -> None:
    rehearsal = played(
        f"carrier: no rtp\ncarrier: 180 Ringing\ncarrier: wait 1 s\ncarrier: 200 OK\ncarrier: wait 5 s\n{BYE}"
    )
    assert last_measure(rehearsal).received == 0


def test_what_the_far_end_says_is_recognized() -> None:
    rehearsal = played(
        f'{UP}app: recognize choices Sales=1 Support=2\ncarrier: wait 1 s\ncarrier: says "support, please"\n'
        f"app: wait for RecognizeCompleted\n{BYE}"
    )
    heard = [fact for fact in rehearsal.timeline if isinstance(fact, SpeechHeard) and fact.final]
    assert [fact.text for fact in heard] == ["support"]
    assert types(rehearsal)["RecognizeCompleted"] == 1


def test_below_a_wait_for_an_event_the_carrier_waits_too() -> None:
    rehearsal = played(
        f"{UP}app: play file https://app.example/a.wav?ms=7000\napp: wait for PlayCompleted\n"
        f"carrier: digits 5\n{BYE}"
    )
    assert seconds(rehearsal.timeline, PromptEnded) == [pytest.approx(7, abs=0.05)]
    assert seconds(rehearsal.timeline, DigitHeard)[0] >= 7


def test_a_caller_waits_too() -> None:
    rehearsal = played(
        f"{IN}app: play text Hello there\napp: wait for PlayCompleted\ncarrier: digits 5\n{BYE}"
    )
    assert seconds(rehearsal.timeline, DigitHeard)[0] >= seconds(rehearsal.timeline, PromptEnded)[0]


def test_an_event_that_never_comes_is_waited_for_until_the_call_is_over() -> None:
    rehearsal = played(f"{UP}{BYE}app: wait for PlayCompleted\napp: play text too late\n")
    assert [error.status for error in rehearsal.refused] == [404]
    assert rehearsal.record.verdict is not None
    assert rehearsal.record.verdict.ending == "hung-up-by-phone"


@pytest.mark.parametrize(
    ("line", "fault"),
    [("unreachable", "unreachable"), ("status 404 Not Found", "status"), ("format stereo", "format")],
)
def test_prompts_fail_as_arranged(line: str, fault: str) -> None:
    rehearsal = played(
        f"{UP}server: fail prompt https://app.example/a.wav | {line}\n"
        f"app: play file https://app.example/a.wav\napp: wait for PlayFailed\n{BYE}"
    )
    (ended,) = (fact for fact in rehearsal.timeline if isinstance(fact, PromptEnded))
    assert (ended.how, ended.fault) == ("failed", fault)
    assert types(rehearsal)["PlayFailed"] == 1


def test_a_recogniser_fails_as_arranged() -> None:
    rehearsal = played(
        f"{UP}server: fail recognizer | 401 the key is wrong\napp: recognize speech\n"
        f"app: wait for RecognizeFailed\n{BYE}"
    )
    assert types(rehearsal)["RecognizeFailed"] == 1


def test_digits_go_to_a_far_end_that_takes_them_and_to_no_other() -> None:
    taken = played(f"{UP}app: send digits 12\napp: wait for SendDtmfTonesCompleted\n{BYE}")
    (sent,) = (fact for fact in taken.timeline if isinstance(fact, DigitsSent))
    assert (sent.digits, sent.fault) == ("12", "")
    deaf = played(f"carrier: no telephone-event\n{UP}app: send digits 12\napp: wait 1 s\n{BYE}")
    (refused,) = (fact for fact in deaf.timeline if isinstance(fact, DigitsSent))
    assert "telephone-event" in refused.fault


def test_a_phone_that_is_added_does_what_its_own_lines_say() -> None:
    rehearsal = played(
        f"{UP}app: add +14255550201\n+14255550201: 180 Ringing\n+14255550201: wait 2 s\n"
        "+14255550201: 486 Busy Here\napp: wait for AddParticipantFailed\n"
        "app: add +14255550202\n+14255550202: 200 OK\napp: wait for AddParticipantSucceeded\n"
        f"app: hold +14255550202\napp: mute\n{BYE}"
    )
    assert types(rehearsal)["AddParticipantFailed"] == 1
    assert types(rehearsal)["AddParticipantSucceeded"] == 1
    asked = [fact.operation for fact in rehearsal.timeline if isinstance(fact, ApiRequested)]
    assert asked[1:] == ["addParticipant", "addParticipant", "hold"]
    (refused,) = rehearsal.refused  # telephones cannot be muted
    assert (refused.status, refused.code) == (400, "8523")


def test_a_recording_is_paused_resumed_and_stopped() -> None:
    rehearsal = played(
        f"{UP}app: start recording | wav | unmixed\napp: wait 2 s\napp: pause recording\napp: wait 3 s\n"
        f"app: resume recording\napp: wait 1 s\napp: stop recording\napp: wait 1 s\n{LATER}"
    )
    assert rehearsal.refused == []
    states = [fact.state for fact in rehearsal.timeline if isinstance(fact, RecordingChanged)]
    assert states == ["active", "inactive", "active", "closed"]
    closed = [fact for fact in rehearsal.timeline if isinstance(fact, RecordingChanged)][-1]
    assert closed.duration_ms == pytest.approx(3000, abs=20)


def test_a_recording_fails_as_arranged() -> None:
    rehearsal = played(
        f"{UP}server: fail recording | the disk is full\napp: start recording\napp: wait 1 s\n{LATER}"
    )
    (failed,) = (fact for fact in rehearsal.timeline if isinstance(fact, RecordingChanged))
    assert (failed.state, failed.detail) == ("failed", "the disk is full")


@pytest.mark.parametrize("kind", ["streaming", "transcription"])
@pytest.mark.parametrize(
    ("line", "states"),
    [
        ("server: lose streams for a while", ["opened", "lost", "reopened", "closed"]),
        ("server: lose streams", ["opened", "lost", "failed"]),
        ("app: wait 1 s", ["opened", "closed"]),
    ],
)
def test_streams_open_break_and_close(kind: str, line: str, states: list[str]) -> None:
    rehearsal = played(
        f"app: call from +14255550100 to +14255550200 | {kind} wss://app.example/a | speech https://s.example\n"
        f"{UP}app: start {kind}\napp: wait 1 s\n{line}\napp: wait 5 s\napp: stop {kind}\n{LATER}"
    )
    told = [fact.state for fact in rehearsal.timeline if isinstance(fact, StreamChanged)]
    assert told == states


def test_a_stream_is_refused_as_arranged() -> None:
    rehearsal = played(
        "app: call from +14255550100 to +14255550200 | streaming wss://app.example/a now\n"
        f"{UP}carrier: wait 3 s\n{LATER}"
    )
    assert next(fact.state for fact in rehearsal.timeline if isinstance(fact, StreamChanged)) == "opened"
    refused = played(
        "app: call from +14255550100 to +14255550200 | streaming wss://app.example/a\n"
        "server: fail stream wss://app.example/a | 403 Forbidden\n"
        f"{UP}app: start streaming\napp: wait 1 s\n{LATER}"
    )
    (failed,) = (fact for fact in refused.timeline if isinstance(fact, StreamChanged))
    assert (failed.state, failed.http_status) == ("failed", 403)


def test_srtp_is_agreed_on_where_the_trunk_offers_it() -> None:
    rehearsal = played(f"server: set trunk.carrier.srtp = required\n{UP}{BYE}")
    assert rehearsal.record.verdict is not None
    assert rehearsal.record.verdict.ending == "hung-up-by-phone"


@pytest.mark.parametrize(
    ("trunk", "carrier"), [("required", "carrier: srtp off"), ("off", "carrier: srtp required")]
)
def test_srtp_that_one_side_will_not_have_ends_the_call(trunk: str, carrier: str) -> None:
    rehearsal = played(f"server: set trunk.carrier.srtp = {trunk}\n{carrier}\n{UP}")
    assert rehearsal.record.verdict is not None
    assert rehearsal.record.verdict.ending == "answer-unusable"
    assert any("SRTP" in proof.shows for proof in rehearsal.record.verdict.evidence)


@pytest.mark.parametrize(
    "text",
    [
        f"{UP}app: recognize dtmf 2 | stop #\ncarrier: wait 1 s\ncarrier: digits 1#\n{BYE}",
        f"server: set trunk.carrier.srtp = optional\n{UP}app: play text Hello | loop\napp: wait 3 s\n{BYE}",
    ],
)
def test_the_same_scenario_gives_the_same_facts(text: str) -> None:
    assert played(text).timeline == played(text).timeline
