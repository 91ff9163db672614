"""Speech of the silent engine: who listens hears what is said, as a recogniser would tell it."""

import asyncio

import pytest

from onhook.effects import Listen, Mix, StopListening, Voice
from onhook.facts import ListeningFailed, SpeechBegan, SpeechHeard
from onhook.media.silent_ears import understood
from onhook.media.silent_prompts import Failing
from silent import Silent, silently


def heard(here: Silent) -> list[tuple[float, str, str, bool]]:
    return [(at, fact.listening, fact.text, fact.final) for at, fact in here.facts(SpeechHeard)]


@silently()
async def test_an_utterance_is_heard_word_by_word_and_then_as_a_whole(here: Silent) -> None:
    here.media.perform(Listen("l", "room", "a", end_silence_ms=500))
    here.media.say("a", "the sales team", after=2)
    await asyncio.sleep(60)
    assert [(at, began.leg, began.listening) for at, began in here.facts(SpeechBegan)] == [(2, "a", "l")]
    assert heard(here) == [
        (2.28, "l", "the", False),
        (2.56, "l", "the sales", False),
        (3.34, "l", "the sales team", True),
    ]
    final = here.facts(SpeechHeard)[-1][1]
    assert (final.leg, final.offset_ms, final.duration_ms, final.confidence) == ("a", 2000, 840, 0.9)
    assert {owner for _, owner, _ in here.told} == {"room"}


@silently()
async def test_it_listens_until_the_first_utterance(here: Silent) -> None:
    here.media.perform(Listen("l", "room", "a"))
    here.media.say("a", "yes")
    here.media.say("a", "no", after=1)
    await asyncio.sleep(60)
    assert heard(here) == [(0.18, "l", "yes", True)]
    assert here.media.ears.listening == []


@silently()
async def test_or_it_goes_on(here: Silent) -> None:
    here.media.perform(Listen("l", "room", "a", keep_on=True))
    here.media.say("a", "yes")
    here.media.say("a", "no", after=1)
    await asyncio.sleep(60)
    assert [text for _, _, text, final in heard(here) if final] == ["yes", "no"]
    assert [effect.id for effect in here.media.ears.listening] == ["l"]


@silently()
async def test_only_who_listens_to_the_leg_hears_it(here: Silent) -> None:
    here.media.perform(Listen("one", "room", "a"))
    here.media.perform(Listen("two", "room", "b"))
    here.media.say("b", "yes")
    here.media.say("nobody", "no")
    await asyncio.sleep(1)
    assert heard(here) == [(0.18, "two", "yes", True)]


@silently()
async def test_what_was_said_before_is_not_heard(here: Silent) -> None:
    here.media.say("a", "yes")
    await asyncio.sleep(0.1)
    here.media.perform(Listen("l", "room", "a"))
    await asyncio.sleep(1)
    assert here.told == []


@silently()
async def test_who_stops_listening_hears_no_more(here: Silent) -> None:
    here.media.perform(Listen("l", "room", "a"))
    here.media.say("a", "one two three")
    await asyncio.sleep(0.3)
    here.media.perform(StopListening("l"))
    here.media.perform(StopListening("l"))
    await asyncio.sleep(1)
    assert heard(here) == [(0.26, "l", "one", False)]


@silently()
async def test_phrases_are_all_that_is_understood(here: Silent) -> None:
    here.media.perform(Listen("l", "room", "a", phrases=("Sales", "Support"), keep_on=True))
    here.media.say("a", "please, sales!")
    here.media.say("a", "the weather", after=5)
    await asyncio.sleep(60)
    assert [(text, final) for _, _, text, final in heard(here)] == [("Sales", True), ("", True)]
    assert [fact.confidence for _, fact in here.facts(SpeechHeard)] == [0.9, 0.0]


@pytest.mark.parametrize(
    ("text", "phrases", "expected"),
    [
        (" As it is. ", (), "As it is."),
        ("…", (), ""),
        ("yes", ("Yes", "No"), "Yes"),
        ("YES!", ("Yes", "No"), "Yes"),
        ("well, yes please", ("yes", "yes please"), "yes please"),
        ("yesterday", ("yes",), ""),
        ("", ("yes", ""), ""),
        ("two-one", ("two one",), "two one"),
    ],
)
def test_a_phrase_is_found_by_whole_words(text: str, phrases: tuple[str, ...], expected: str) -> None:
    assert understood(text, phrases) == expected


@silently()
async def test_length_and_confidence_can_be_said(here: Silent) -> None:
    here.media.perform(Listen("l", "room", "a"))
    here.media.ears.say("a", "yes", ms=1500, confidence=0.4)
    await asyncio.sleep(60)
    at, fact = here.only(SpeechHeard)
    assert (at, fact.duration_ms, fact.confidence) == (1.5, 1500, 0.4)


@silently()
async def test_a_recogniser_can_be_told_to_refuse(here: Silent) -> None:
    here.media.ears.fault = Failing("speech-refused", "401 from the speech endpoint", 401)
    here.media.perform(Listen("l", "room", "a"))
    here.media.perform(Listen("next", "room", "a"))
    here.media.say("a", "yes")
    await asyncio.sleep(60)
    at, failed = here.only(ListeningFailed)
    assert (at, failed.leg, failed.listening, failed.detail, failed.http_status) == (
        0, "a", "l", "401 from the speech endpoint", 401,
    )  # fmt: skip
    assert heard(here) == [(0.18, "next", "yes", True)]


@silently()
async def test_a_recogniser_can_fail_while_it_listens(here: Silent) -> None:
    here.media.perform(Listen("l", "room", "a"))
    here.media.say("a", "yes")
    await asyncio.sleep(0.1)
    here.media.ears.fail("l", Failing(detail="the recogniser died"))
    here.media.ears.fail("l", Failing(detail="again"))
    await asyncio.sleep(60)
    assert here.only(ListeningFailed)[1].detail == "the recogniser died"
    assert heard(here) == []


@silently()
async def test_listening_ends_with_its_leg_and_with_its_room(here: Silent) -> None:
    here.media.open("a")
    here.media.perform(Mix("room", (Voice("a"), Voice("b"))))
    for name, room, leg in [("one", "room", "a"), ("two", "room", "b"), ("three", "other", "c")]:
        here.media.perform(Listen(name, room, leg))
    here.media.close("a")
    assert [effect.id for effect in here.media.ears.listening] == ["two", "three"]
    here.media.perform(Mix("room", ()))
    assert [effect.id for effect in here.media.ears.listening] == ["three"]


@silently()
async def test_who_is_told_of_the_first_sound_may_stop_listening(here: Silent) -> None:
    media = here.media

    def stop_at_once(_owner: str, fact: object) -> None:
        assert isinstance(fact, SpeechBegan)
        media.perform(StopListening(fact.listening))

    media.on_fact(stop_at_once)
    media.perform(Listen("l", "room", "a"))
    media.say("a", "yes")
    await asyncio.sleep(60)
    assert media.ears.listening == []
