"""Lines about the carrier's audio: every form comes back the same, every fault says what to write."""

import pytest

from onhook.lab.audio_lines import AUDIO_FORMS, HIGHEST_HERTZ, MAX_DIGITS, AudioStep
from onhook.lab.audio_steps import (
    Codecs,
    Digits,
    Echo,
    HearsOnly,
    Manner,
    NoEvents,
    RtpAs,
    Says,
    SendRtp,
    SrtpManner,
    Tone,
    WrongKey,
    manner_of,
)
from onhook.lab.scenario import ScenarioError, parse_scenario, write_scenario

ANSWERS = "carrier: 200 OK\n"


def only(line: str) -> object:
    (_, step) = parse_scenario(f"{ANSWERS}{line}\n").steps
    return step


LINES: list[tuple[str, AudioStep]] = [
    ("carrier: rtp", SendRtp(sending=True)),
    ("carrier: no rtp", SendRtp(sending=False)),
    ("carrier: rtp as 18", RtpAs(18)),
    ("carrier: rtp with wrong key", WrongKey()),
    ("carrier: hears only", HearsOnly()),
    ("carrier: echo", Echo()),
    ("carrier: digits 0123456789*#ABCD", Digits("0123456789*#ABCD")),
    ('carrier: says "sales, please"', Says("sales, please")),
    ("carrier: tone 440 Hz 2 s", Tone(440, 2000)),
    ("carrier: tone 1004 Hz 250 ms", Tone(1004, 250)),
    ("carrier: codecs PCMA opus", Codecs(("PCMA", "opus"))),
    ("carrier: codecs G729", Codecs(("G729",))),
    ("carrier: srtp off", SrtpManner("off")),
    ("carrier: srtp optional", SrtpManner("optional")),
    ("carrier: srtp required", SrtpManner("required")),
    ("carrier: no telephone-event", NoEvents()),
]


@pytest.mark.parametrize(("line", "step"), LINES)
def test_a_line_is_its_step_and_back(line: str, step: AudioStep) -> None:
    assert only(line) == step
    assert write_scenario(parse_scenario(ANSWERS + line)) == f"{ANSWERS}{line}\n"


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("carrier: rtp on", SendRtp(sending=True)),
        ("carrier: rtp off", SendRtp(sending=False)),
        ("carrier: codec PCMA only", Codecs(("PCMA",))),
        ("carrier: says sales", Says("sales")),
        ("carrier: tone 440Hz 2s", Tone(440, 2000)),
    ],
)
def test_other_spellings_mean_the_same(line: str, step: AudioStep) -> None:
    assert only(line) == step


def test_every_form_that_is_offered_can_be_read() -> None:
    assert len({only(form) for form in AUDIO_FORMS}) == len(AUDIO_FORMS)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("carrier: digits", "'' are no digits"),
        ("carrier: digits 12x", "'12x' are no digits"),
        (f"carrier: digits {'1' * (MAX_DIGITS - 100)}x", "are no digits"),
        ("carrier: says", "cannot be said"),
        ('carrier: says "  "', "cannot be said"),
        (f"carrier: says {'a' * 501}", "cannot be said"),
        ("carrier: tone 440", "'440' is no tone"),
        ("carrier: tone 0 Hz 2 s", "is no tone"),
        (f"carrier: tone {HIGHEST_HERTZ + 1} Hz 2 s", "is no tone"),
        ("carrier: tone 440 Hz soon", "'soon' is no time"),
        ("carrier: rtp maybe", "rtp 'maybe' is unknown"),
        ("carrier: rtp as 128", "is unknown"),
        ("carrier: rtp as many", "is unknown"),
        ("carrier: codecs", "'' are no codecs"),
        ("carrier: codecs PCMA PCMA", "are no codecs"),
        ("carrier: codecs MP3", "are no codecs"),
        ("carrier: srtp maybe", "srtp 'maybe' is unknown"),
    ],
)
def test_each_wrong_line_says_what_to_write(line: str, what: str) -> None:
    with pytest.raises(ScenarioError) as error:
        only(line)
    assert error.value.line == 2
    assert what in error.value.what
    assert error.value.instead.startswith("Write ")


def test_sounds_take_their_time() -> None:
    assert (Digits("1234").seconds, Says("sales").seconds, Tone(440, 1500).seconds) == (0.8, 0.3, 1.5)


def test_the_manner_is_what_the_last_step_of_a_kind_says() -> None:
    steps = (Codecs(("PCMA",)), Digits("1"), SrtpManner("off"), Codecs(("opus",)), NoEvents())
    assert manner_of(steps) == Manner(("opus",), "off", events=False)
    assert manner_of(()) == Manner()


@pytest.mark.parametrize(
    ("manner", "stubborn"),
    [
        (Manner(), False),
        (Manner(srtp="optional"), False),
        (Manner(events=False), False),
        (Manner(("PCMA",)), True),
        (Manner(srtp="off"), True),
        (Manner(srtp="required"), True),
    ],
)
def test_who_says_how_it_answers_does_not_care_for_the_offer(manner: Manner, *, stubborn: bool) -> None:
    assert manner.stubborn is stubborn


def test_sounds_belong_to_the_caller_where_the_far_end_calls() -> None:
    called = parse_scenario(f"{ANSWERS}carrier: digits 1\n")
    assert Digits("1") in called.carrier
    calling = parse_scenario("carrier: call from +14255550200 to +14255550100\ncarrier: digits 1\n")
    assert calling.carrier == ()
    assert calling.caller[1:] == (Digits("1"),)
