"""Calls without audio: each cause beside its look-alikes, the limits of what counts prove, and the pairs."""

import pytest

from onhook.endings.judge import judge
from onhook.endings.pages import HUNG_UP, page, pages_by_codes
from onhook.endings.reading import read
from onhook.endings.rules_media import MIN_PACKETS, MIN_TALK_SECONDS, far_end_sends
from onhook.endings.verdict import Verdict
from onhook.facts import Timeline
from timelines import ANSWER, FIRST, OFFER, START, Story, answered, begun

HEARD_AT = START + 5
"""Within the first talk."""
CLEAR = {"sent": 400, "received": 0}
MEDIA_ENDINGS = ("media-relay-failed", "srtp-mismatch", "codec-not-agreed", "one-way-audio", "no-rtp-ever")


def talk(story: Story | None = None, seconds: float = 8.0) -> Story:
    return (story or begun().up()).wait(seconds)


def over(story: Story, *headers: str) -> Story:
    return story.bye("received", *headers).bye_ok("sent")


LOOK_ALIKES: list[tuple[str, Timeline]] = [
    # The far end hung up: which cause do the counts prove
    ("no-rtp-ever", over(talk()).media(**CLEAR).facts),
    ("no-rtp-ever", over(talk()).media(**CLEAR, foreign=500, junk=3).facts),
    ("no-rtp-ever", over(talk()).media(**CLEAR, undecipherable=MIN_PACKETS - 1).facts),
    ("no-rtp-ever", over(talk()).media(**CLEAR, wrong_codec=MIN_PACKETS - 1).facts),
    ("no-rtp-ever", over(talk()).media(**CLEAR, far_lost=390).facts),
    ("srtp-mismatch", over(talk()).media(**CLEAR, undecipherable=MIN_PACKETS, wrong_codec=60).facts),
    ("codec-not-agreed", over(talk()).media(**CLEAR, wrong_codec=MIN_PACKETS, far_lost=0).facts),
    ("one-way-audio", over(talk()).media(**CLEAR, far_lost=0).facts),
    ("one-way-audio", over(talk()).media(**CLEAR, far_lost=80).facts),
    ("one-way-audio", over(talk()).media(sent=400, received=400, far_lost=360).facts),
    # One packet that can be used is audio
    ("hung-up-by-phone", over(talk()).media(sent=400, received=1, undecipherable=399).facts),
    ("hung-up-by-phone", over(talk()).media(sent=400, received=1, wrong_codec=399).facts),
    ("hung-up-by-phone", over(talk()).media(sent=400, received=400, far_lost=359).facts),
    ("hung-up-by-phone", over(talk()).media(sent=400, received=400).facts),
    ("hung-up-by-phone", over(talk()).media(sent=400, received=400, loudest_dbov=-91.0).facts),
    # Too short, or we sent nothing: nothing can be said
    ("hung-up-by-phone", over(talk(seconds=2.9)).media(**CLEAR).facts),
    ("hung-up-by-phone", over(talk()).media(sent=MIN_PACKETS - 1, received=0).facts),
    ("hung-up-by-phone", over(talk()).facts),
    # The far end named a cause of its own, or somebody of ours ended the call
    ("hung-up-by-network", over(talk(), "Reason: Q.850;cause=38").media(**CLEAR).facts),
    ("no-rtp-ever", over(talk(), "Reason: Q.850;cause=16").media(**CLEAR).facts),
    ("hung-up-by-app", talk().api("hangUp").bye("sent").bye_ok("received").media(**CLEAR).facts),
    ("call-too-long", talk().timer("duration", 60).bye("sent").media(**CLEAR).facts),
    # Our side gave up
    ("no-rtp-ever", talk().rtp_stops().given_up().media(**CLEAR).facts),
    ("no-rtp-ever", talk().rtp_stops().given_up().facts),
    ("rtp-stopped", talk().rtp_stops(received=400).given_up().facts),
    ("srtp-mismatch", talk().rtp_stops().given_up().media(**CLEAR, undecipherable=9000).facts),
    (
        "srtp-mismatch",
        talk().rtp_stops(received=400).given_up().media(sent=900, received=400, undecipherable=60).facts,
    ),
    (
        "codec-not-agreed",
        talk().rtp_stops(received=400).given_up().media(sent=900, received=400, wrong_codec=60).facts,
    ),
    (
        "rtp-stopped",
        talk().rtp_stops(received=400).given_up().media(sent=900, received=400, wrong_codec=49).facts,
    ),
    ("one-way-audio", talk().rtp_stops().given_up().media(**CLEAR, far_lost=0).facts),
    ("hung-up-by-phone", over(talk().rtp_stops(received=400)).media(sent=900, received=400).facts),
    ("hung-up-by-app", talk().rtp_stops().api("hangUp").wait(290).timer("no-rtp", 300).facts),
    # The relay
    ("media-relay-failed", over(talk(begun().up().relay_fails())).media(**CLEAR).facts),
    ("media-relay-failed", talk(begun().up().relay_fails()).rtp_stops().given_up().facts),
    ("media-relay-failed", over(talk(talk().relay_fails())).media(last=HEARD_AT).facts),
    (
        "media-relay-failed",
        talk().relay_fails().rtp_stops(received=400).given_up().media(last=HEARD_AT).facts,
    ),
    ("hung-up-by-phone", over(talk(talk().relay_fails())).media(last=HEARD_AT + 60).facts),
    ("hung-up-by-phone", over(talk(begun().up().relay_fails())).media(sent=400, received=400).facts),
    ("hung-up-by-phone", over(talk(begun().up().relay_fails(), seconds=1)).media(sent=0, received=0).facts),
    ("hung-up-by-network", over(talk(begun().up().relay_fails()), "Reason: Q.850;cause=38").facts),
    # A call that came in
    ("no-rtp-ever", over(talk(answered())).media(**CLEAR).facts),
    ("caller-hung-up", over(talk(answered())).media(sent=400, received=400).facts),
    ("rtp-stopped", talk(answered()).rtp_stops(received=9).given_up().facts),
]


@pytest.mark.parametrize(
    ("ending", "timeline"), LOOK_ALIKES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_look_alikes(ending: str, timeline: Timeline) -> None:
    assert judge(timeline).ending == ending


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_a_far_end_that_said_that_it_does_not_send_is_not_blamed_for_silence(direction: str) -> None:
    held = ANSWER.replace("a=sendrecv", f"a={direction}")
    story = begun().invite().ringing().answer(body=held).ack()
    verdict = judge(over(talk(story)).media(**CLEAR).facts)
    assert verdict.ending == "hung-up-by-phone"
    (remark,) = verdict.remarks
    assert remark.shows.endswith("; trunk carrier had said that it does not send")


def test_the_last_description_of_the_far_end_counts() -> None:
    story = begun().up().wait(1)
    story.cseq = 7
    story.sip(
        "received",
        "INVITE sip:onhook@192.0.2.1 SIP/2.0",
        "7 INVITE",
        body=OFFER.replace("sendrecv", "inactive"),
    )
    reading = read(story.facts)
    attempt = reading.attempt
    assert attempt is not None
    assert not far_end_sends(reading, attempt)


@pytest.mark.parametrize("body", ["m=audio nonsense", "v=0\r\no=x 1 1 IN IP4 192.0.2.1\r\ns=-\r\nm=audio"])
def test_a_description_that_cannot_be_read_says_nothing_of_directions(body: str) -> None:
    story = begun().invite().ringing().answer(body=body).ack()
    reading = read(story.facts)
    attempt = reading.attempt
    assert attempt is not None
    assert far_end_sends(reading, attempt)


@pytest.mark.parametrize("ending", MEDIA_ENDINGS)
def test_the_pair_follows_how_the_call_ended_and_leads_back_to_the_page(ending: str) -> None:
    assert page(ending).front.hung_up
    for pair in (*HUNG_UP, page(ending).codes()):
        assert ending in pages_by_codes()[pair]


def test_the_pair_of_a_hang_up_leads_to_the_plain_page_first() -> None:
    assert pages_by_codes()[0, 560000][0] in {"ack-lost", "hung-up-by-network", "hung-up-by-phone"}
    assert "rtp-stopped" not in pages_by_codes()[0, 560000]


def pair(verdict: Verdict) -> tuple[int, int, int]:
    return verdict.code, verdict.subcode, verdict.event_code


def test_the_same_cause_has_the_pair_of_the_phone_of_the_caller_or_of_our_side() -> None:
    assert pair(judge(over(talk()).media(**CLEAR).facts)) == (0, 560000, 200)
    assert pair(judge(over(talk(answered())).media(**CLEAR).facts)) == (0, 540000, 200)
    assert pair(judge(talk().rtp_stops().given_up().media(**CLEAR).facts)) == (410, 301004, 410)
    assert pair(judge(talk().rtp_stops(received=4).given_up().facts)) == (410, 531005, 410)


def test_a_call_with_audio_is_as_short_as_one_that_proves_nothing() -> None:
    just = over(talk(seconds=MIN_TALK_SECONDS + 0.01)).media(**CLEAR).facts
    assert judge(just).ending == "no-rtp-ever"


# Several legs


def two_up() -> Story:
    story = Story("one").created().joined(FIRST, "createCall")
    story.routed(number="+14255550201").invite()
    story.leg = "two"
    story.routed(number="+14255550202").invite().trying().ringing().answer().ack()
    story.leg = "one"
    return story.trying().ringing().answer().ack()


def test_a_silent_leg_that_left_before_decides_nothing() -> None:
    story = two_up().wait(5).rtp_stops().given_up().media(**CLEAR)
    story.leg = "two"
    verdict = judge(over(story.wait(5)).media(sent=900, received=900).facts)
    assert verdict.ending == "hung-up-by-phone"
    assert any("no RTP came from trunk carrier (+14255550201)" in each.shows for each in verdict.remarks)


def test_a_silent_leg_that_was_the_last_decides() -> None:
    story = two_up()
    story.leg = "two"
    over(story.wait(5)).media(sent=250, received=250)
    story.leg = "one"
    assert judge(story.rtp_stops().given_up().media(**CLEAR).facts).ending == "no-rtp-ever"
