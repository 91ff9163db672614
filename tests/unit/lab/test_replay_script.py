"""What the facts of a call say about its far end: each message, after which of ours, how long after."""

import json

import msgspec
import pytest

from onhook.facts import DigitHeard, SipSeen, SpeechHeard, Timeline
from onhook.lab.audio_steps import Digits, HearsOnly, RtpAs, SendRtp
from onhook.lab.replay.compare import compare
from onhook.lab.replay.kept import NotAnExport, read_export
from onhook.lab.replay.script import MAX_EVENTS, Anchor, Script, name_of, scripts_of
from onhook.server.discretion import fact_fields
from timelines import PEER, START, Story


def script(story: Story) -> Script:
    (found,) = scripts_of(story.facts)
    return found


def digit(story: Story, key: str) -> Story:
    return story.add(DigitHeard(at=story.now, leg=story.leg, digit=key))


def test_each_message_follows_the_last_new_one_of_ours() -> None:
    story = Story().routed().up().wait(3).bye("received").bye_ok("sent")
    assert script(story).lines() == [
        "0.001 s after our INVITE: 100 INVITE",
        "0.202 s after our INVITE: 180 INVITE",
        "2.203 s after our INVITE: 200 INVITE",
        "3.001 s after our ACK: BYE",
    ]
    assert script(story).number == "+14255550200"
    assert [event.answers for event in script(story).events] == [*[Anchor("INVITE")] * 3, None]


def test_a_repeat_of_ours_is_no_new_moment_and_one_of_theirs_is_kept() -> None:
    story = Story().routed().invite().wait(0.5).invite().wait(0.5).ringing().wait(0.5)
    again = story.facts[-1]
    assert isinstance(again, SipSeen)
    story.raw(again.message)
    assert script(story).lines() == [
        "1.202 s after our INVITE: 180 INVITE",
        "1.703 s after our INVITE: 180 INVITE",
    ]


def test_a_second_invite_is_another_moment() -> None:
    story = Story().routed().invite().response(401, "Unauthorized").ack()
    story.cseq = 2
    branch = b"z9hG4bKa2"
    first = len(story.facts)
    story.invite().wait(1).response(486, "Busy Here")
    for at, fact in enumerate(story.facts[first:], first):
        assert isinstance(fact, SipSeen)
        story.facts[at] = msgspec.structs.replace(fact, message=fact.message.replace(b"z9hG4bKa1", branch))
    assert script(story).lines()[1] == "1.001 s after our INVITE #2: 486 INVITE"
    assert script(story).events[1].answers == Anchor("INVITE", 2)


def test_a_far_end_that_calls_begins() -> None:
    story = Story(inbound=True).arrived().up().wait(1).bye("received")
    found = script(story)
    assert found.inbound
    assert found.lines() == [
        "at the start: INVITE",
        "0.001 s after our 200 INVITE: ACK",
        "1.002 s after our 200 INVITE: BYE",
    ]


def test_silence_and_wrong_sound_are_played() -> None:
    assert [event.sound for event in script(Story().routed().up().media(received=0)).events][-1] == SendRtp(
        sending=False
    )
    wrong = Story().routed().up().media(received=0, wrong_codec=9, wrong_types=(18,))
    assert script(wrong).events[-1].sound == RtpAs(18)
    assert script(wrong).events[-1].what == "sends RTP under payload type 18"
    one_way = Story().routed().up().media(received=0, far_lost=0)
    assert script(one_way).events[-1].sound == HearsOnly()
    noise = Story().routed().up().media(received=0, undecipherable=7)
    assert any("no usable RTP" in line for line in script(noise).untold)
    assert script(noise).events[-1].sound == SendRtp(sending=False)
    heard = Story().routed().up().media(received=10)
    assert all(event.sound is None for event in script(heard).events)


def test_rtp_that_stops_and_comes_again_does_so_again() -> None:
    story = Story().routed().up().rtp_stops(received=50, after=10).wait(5).rtp_resumes().media()
    assert script(story).lines()[-2:] == [
        "0.001 s after our ACK: sends no RTP",
        "15.002 s after our ACK: sends RTP again",
    ]


def test_keys_in_a_row_are_one_event_and_slow_ones_are_not() -> None:
    story = digit(digit(Story().routed().up().wait(1), "1").wait(0.2), "2").wait(2)
    sounds = [event.sound for event in script(digit(story, "#")).events if event.sound]
    assert sounds == [Digits("12"), Digits("#")]


def test_what_cannot_be_played_is_told() -> None:
    story = Story().routed().invite().fails("connection reset").up()
    speech = SpeechHeard(at=story.now, leg=story.leg, listening="l", text="hello")
    found = script(story.created().add(speech))
    assert any("connection reset" in line for line in found.untold)
    assert any("what was said" in line for line in found.untold)
    assert any("application" in line for line in found.untold)
    nothing = script(Story().routed().invite())
    assert nothing.untold == ["nothing came from the far end: it is played as silence"]
    stray = Story().routed().bye_ok("received")
    assert "answers no request" in script(stray).untold[0]
    assert scripts_of(Story().created().facts) == []


def test_bytes_that_are_no_sip_are_kept_as_they_are() -> None:
    found = script(Story().routed().invite().garbage(b"\xff\x00!"))
    assert found.events[0].raw
    assert found.events[0].data == b"\xff\x00!"
    assert found.events[0].what == "bytes that are no SIP"
    assert name_of(b"\xff") == "bytes that are no SIP"


def test_a_script_has_an_end() -> None:
    story = Story().routed().invite()
    for _ in range(MAX_EVENTS + 5):
        story.ringing()
    found = script(story)
    assert len(found.events) == MAX_EVENTS
    assert any(str(MAX_EVENTS) in line for line in found.untold)


def exported(timeline: Timeline) -> object:
    facts = [{"number": number, **fact_fields(fact)} for number, fact in enumerate(timeline, 1)]
    return json.loads(msgspec.json.encode({"facts": facts}))


def test_an_exported_call_is_read_back() -> None:
    story = (
        Story()
        .routed()
        .busy('Reason: Q.850;cause=17;text="\u00fcberlastet"')
        .garbage(b"\x00\xff no sip \x80")
    )
    assert read_export(exported(story.facts)) == story.facts


def test_text_that_looks_like_an_escape_stays() -> None:
    fact = SipSeen(
        at=START, leg="a", direction="received", transport="udp", peer=PEER, message=b"\xff and \\xzz"
    )
    assert read_export(exported([fact])) == [fact]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], 'no list "facts"'),
        ({}, 'no list "facts"'),
        ({"facts": []}, "0 facts, not 1"),
        ({"facts": [1]}, "no list"),
        ({"facts": [{"kind": "nonsense", "at": 1}]}, "fact 1 cannot be read"),
        ({"facts": [{}] * 100_001}, "100001 facts, not 1 to 100000"),
    ],
)
def test_what_is_no_export_is_told(given: object, says: str) -> None:
    with pytest.raises(NotAnExport, match=says):
        read_export(given)


def test_the_same_call_compares_as_the_same() -> None:
    found = compare(Story().routed().busy().facts, Story().routed().busy().facts)
    assert found.same_ending
    assert found.differs is None
    assert found.lines() == ["same ending: callee-busy (486/560486)", "same messages in both directions"]


def test_crossing_messages_are_no_difference() -> None:
    one = Story().routed().up().bye("received").bye_ok("sent")
    other = Story().routed().up().bye("received").bye_ok("sent")
    crossed = other.facts
    crossed[-2], crossed[-3] = crossed[-3], crossed[-2]  # our ACK and their BYE
    assert compare(one.facts, other.facts).differs is None


def test_the_first_difference_is_told() -> None:
    found = compare(Story().routed().busy().facts, Story().routed().up().bye("sent").facts)
    assert not found.same_ending
    assert found.differs is not None
    assert (found.differs.number, found.differs.recorded, found.differs.now) == (
        4,
        "486 INVITE",
        "200 INVITE",
    )
    assert found.lines() == [
        "another ending: ended-locally (0/0), recorded was callee-busy (486/560486)",
        "first differs at message 4 from the far end: recorded 486 INVITE, now 200 INVITE",
    ]


def test_what_is_missing_is_a_difference_too() -> None:
    found = compare(Story().routed().busy().facts, Story().routed().invite().trying().ringing().facts)
    assert found.differs is not None
    assert found.differs.now == "nothing"
    longer = compare(Story().routed().invite().facts, Story().routed().invite().trying().facts)
    assert longer.differs is not None
    assert (longer.differs.recorded, longer.differs.number) == ("nothing", 2)
