"""Facts of media in a line and on a ladder."""

from typing import get_args

import pytest

from onhook.endings.ladder import draw
from onhook.endings.ladder_svg import draw_svg
from onhook.endings.lines import describe, direction_of
from onhook.endings.lines_media import tell_media
from onhook.facts import (
    DigitHeard,
    DigitsSent,
    Fact,
    ListeningFailed,
    MediaMeasured,
    OperationEnded,
    PromptEnded,
    PromptStarted,
    RecordedChunk,
    RecordingChanged,
    RelayFailed,
    RtpResumed,
    RtpStopped,
    SpeechBegan,
    SpeechHeard,
    StreamChanged,
)
from timelines import START, Story, begun

AT, LEG = START + 5, "carrier"
CHUNK = RecordedChunk(document="d", index=0, why="SessionEnded", bytes=9)

TOLD: list[tuple[Fact, str]] = [
    (
        MediaMeasured(at=AT, leg=LEG, sent=5, received=4, codec="PCMA"),
        "· RTP PCMA: 5 packets sent, 4 received",
    ),
    (
        MediaMeasured(
            at=AT, sent=5, received=0, lost=1, wrong_codec=2, undecipherable=3, foreign=4, junk=6, mos=1.26
        ),
        (
            "· RTP: 5 packets sent, 0 received, 1 lost, 2 of another codec, 3 undecipherable, "
            "4 from elsewhere, 6 no RTP, MOS 1.3"
        ),
    ),
    (
        RtpStopped(at=AT, leg=LEG, silent_seconds=10.02, received=7, sent=9),
        "· no RTP for 10.0 s (7 received, 9 sent)",
    ),
    (RtpResumed(at=AT, leg=LEG, silent_seconds=12.0), "· RTP came again after 12.0 s"),
    (
        RelayFailed(at=AT, leg=LEG, engine="127.0.0.1:22222", why="is silent"),
        "· rtpengine 127.0.0.1:22222 does not carry the media: is silent",
    ),
    (PromptStarted(at=AT, prompt="p"), "· a prompt is heard"),
    (PromptEnded(at=AT, prompt="p", how="played", played_ms=2340), "· prompt played, 2.3 s of it"),
    (PromptEnded(at=AT, prompt="p", how="stopped", played_ms=0), "· prompt stopped, 0.0 s of it"),
    (
        PromptEnded(at=AT, prompt="p", how="failed", fault="status", http_status=404, detail="not there"),
        "· prompt failed (status, HTTP 404): not there",
    ),
    (PromptEnded(at=AT, prompt="p", how="failed"), "· prompt failed (no reason given)"),
    (DigitHeard(at=AT, leg=LEG, digit="#", duration_ms=120), "◀ digit #"),
    (DigitHeard(at=AT, leg=LEG, digit="5", duration_ms=1250), "◀ digit 5, held for 1.2 s"),
    (DigitsSent(at=AT, leg=LEG, action="a", digits="12#"), "▶ digits 12#"),
    (
        DigitsSent(at=AT, leg=LEG, action="a", digits="12#", fault="no telephone-event"),
        "✗ digits 12#: no telephone-event",
    ),
    (SpeechBegan(at=AT, leg=LEG, listening="l"), "◀ speech begins"),
    (
        SpeechHeard(at=AT, leg=LEG, listening="l", text="yes", confidence=0.934),
        "· recognised: yes (confidence 0.93)",
    ),
    (SpeechHeard(at=AT, leg=LEG, listening="l", text="ye", final=False), "· recognised so far: ye"),
    (SpeechHeard(at=AT, leg=LEG, listening="l", text=""), "· the recogniser heard no words"),
    (
        ListeningFailed(at=AT, leg=LEG, listening="l", detail="no key", http_status=401),
        "· the recogniser failed, HTTP 401: no key",
    ),
    (OperationEnded(at=AT, action="a", operation="play", how="done"), "· play ended: done"),
    (
        OperationEnded(at=AT, action="a", operation="recognize", how="silence", after_seconds=5.0),
        "· recognize ended: silence after 5 s",
    ),
    (
        OperationEnded(at=AT, action="a", operation="play", how="prompt-failed", detail="an MP3 file"),
        "· play ended: prompt-failed",
    ),
    (
        StreamChanged(at=AT, stream="s", state="opened", url="wss://app.example/a"),
        "▶ WebSocket opened: wss://app.example/a",
    ),
    (
        StreamChanged(at=AT, stream="s", state="failed", http_status=403, detail="no"),
        "✗ WebSocket failed, HTTP 403: no",
    ),
    (
        StreamChanged(at=AT, stream="s", state="lost", sent=90, dropped=2),
        "✗ WebSocket lost, 90 sent, 2 dropped",
    ),
    (
        StreamChanged(at=AT, stream="s", state="warned", dropped=1, detail="too slow"),
        "· WebSocket warned, 1 dropped: too slow",
    ),
    (RecordingChanged(at=AT, recording="r", state="active"), "· recording active"),
    (
        RecordingChanged(
            at=AT, recording="r", state="closed", duration_ms=4210, chunks=(CHUNK,), why="SessionEnded"
        ),
        "· recording closed, 4.2 s in 1 file: SessionEnded",
    ),
    (
        RecordingChanged(
            at=AT, recording="r", state="failed", detail="the disk is full", chunks=(CHUNK, CHUNK)
        ),
        "· recording failed, 0.0 s in 2 files: the disk is full",
    ),
]


@pytest.mark.parametrize(
    ("fact", "words"), TOLD, ids=lambda value: value[:30] if isinstance(value, str) else ""
)
def test_a_fact_in_a_line(fact: Fact, words: str) -> None:
    line = describe([*begun().facts, fact])[3]
    assert f"{direction_of(line)} {line.label}" == words


def test_the_far_end_of_a_digit_is_the_trunk_and_that_of_a_stream_the_application() -> None:
    parties = {type(fact): describe([*begun().facts, fact])[3].party for fact, _ in TOLD}
    assert parties[DigitHeard] == parties[DigitsSent] == parties[SpeechBegan] == "trunk carrier"
    assert parties[PromptEnded] == parties[OperationEnded] == ""
    assert describe([TOLD[22][0]])[1].party == "application"


def test_no_kind_of_fact_is_told_by_its_class_name() -> None:
    ours = {type(fact) for fact, _ in TOLD}
    for kind in get_args(Fact):
        assert kind in ours or tell_media(kind) is None
    story = begun().up().wait(1).rtp_stops().rtp_resumes().media().bye("received").facts
    for line in describe(story).values():
        assert not any(line.label == kind.__name__ for kind in get_args(Fact))


def several() -> Story:
    story = Story("one").created().routed(number="+14255550201")
    story.leg = "two"
    return story.routed(number="+14255550202")


def test_where_a_call_has_several_legs_notes_of_one_name_it() -> None:
    labels = [line.label for line in describe(several().rtp_stops().media().facts).values()]
    assert labels[-2:] == [
        "+14255550202: no RTP for 10.0 s (0 received, 500 sent)",
        "+14255550202: RTP PCMU: 100 packets sent, 100 received",
    ]


def test_an_operation_on_a_leg_without_signalling_makes_no_column() -> None:
    ended = OperationEnded(at=AT, leg="own-leg", action="a", operation="play", how="done")
    assert "own-leg" not in draw([*begun().facts, ended])


def test_the_ladder_of_a_prompt_a_digit_and_a_stream() -> None:
    facts = begun().facts
    drawn = draw(
        [*facts, *(fact for fact, _ in TOLD[5:7]), TOLD[10][0], TOLD[12][0], TOLD[22][0], TOLD[24][0]]
    )
    rows = [row[19:].strip() for row in drawn.splitlines()[-6:]]
    assert rows == [
        "│                                 ● a prompt is heard",
        "│                                 ● prompt played, 2.3 s of it",
        "│                                 │◀─────────── digit # ────────────│",
        "│                                 │────────── digits 12# ──────────▶│",
        "│◀ WebSocket opened: wss://app.… ─│                                 │",
        "│✗ WebSocket lost, 90 sent, 2 d… ─│                                 │",
    ]
    assert "digits 12#" in draw_svg([*facts, TOLD[12][0]])
