"""Prompts and digits of the silent engine: the time they take, and every way they end."""

import asyncio

import pytest

from onhook.effects import (
    AudioSource,
    FileAudio,
    Mix,
    PlayPrompt,
    SendDigits,
    SpokenMarkup,
    SpokenText,
    StartMedia,
    StopPrompt,
    Voice,
)
from onhook.facts import DigitsSent, PromptEnded, PromptStarted
from onhook.media.settings import MediaSettings
from onhook.media.silent_prompts import FILE_MS, Failing, PromptPlan
from silent import Silent, silently

BEEP = FileAudio("https://app.example/beep.wav")


def prompt(*sources: AudioSource, loop: bool = False, name: str = "p") -> PlayPrompt:
    return PlayPrompt(name, "room", sources, loop=loop)


@pytest.mark.parametrize(
    ("source", "ms"),
    [
        (BEEP, FILE_MS),
        (FileAudio("https://app.example/long.wav?ms=3000"), 3000),
        (FileAudio("https://app.example/short.wav?voice=a&ms=5"), 20),
        (FileAudio("file:///srv/menu.wav?ms=abc"), FILE_MS),
        (SpokenText("Press one."), 600),
        (SpokenMarkup("<speak><voice name='x'>Press <b>one</b>.</voice></speak>"), 600),
    ],
)
def test_a_prompt_takes_its_time(source: AudioSource, ms: int) -> None:
    @silently()
    async def scenario(here: Silent) -> None:
        here.media.perform(prompt(source))
        assert here.told == []  # never before `perform` returns
        await asyncio.sleep(60)
        assert [(at, owner) for at, owner, _ in here.told] == [(0, "room"), (ms / 1000, "room")]
        assert here.only(PromptStarted)[1].prompt == "p"
        ended = here.only(PromptEnded)[1]
        assert (ended.prompt, ended.how, ended.fault, ended.played_ms) == ("p", "played", "", ms)
        assert here.media.player.playing == []

    scenario()


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (FileAudio("beep.wav"), "uri"),
        (FileAudio("ftp://app.example/beep.wav"), "uri"),
        (FileAudio("https://[beep"), "uri"),
        (SpokenText("  "), "empty-text"),
        (SpokenMarkup("Press one."), "markup"),
        (SpokenMarkup("<speak> <break/> </speak>"), "empty-text"),
    ],
)
def test_a_source_that_no_engine_can_play_fails(source: AudioSource, fault: str) -> None:
    @silently()
    async def scenario(here: Silent) -> None:
        here.media.perform(prompt(source))
        await asyncio.sleep(60)
        assert here.facts(PromptStarted) == []
        at, ended = here.only(PromptEnded)
        assert (at, ended.how, ended.fault, ended.source, ended.played_ms) == (0, "failed", fault, 0, 0)
        assert ended.detail

    scenario()


@pytest.mark.parametrize(
    ("plan", "fault", "http_status"),
    [("unreachable", "unreachable", None), (Failing("status", "404 Not Found", 404), "status", 404)],
)
def test_a_fault_can_be_arranged(plan: PromptPlan, fault: str, http_status: int | None) -> None:
    @silently()
    async def scenario(here: Silent) -> None:
        here.media.prompts[BEEP.uri] = plan
        here.media.perform(prompt(SpokenText("Hello"), BEEP, SpokenText("never heard")))
        await asyncio.sleep(60)
        assert here.only(PromptStarted)[0] == 0
        at, ended = here.only(PromptEnded)
        assert (at, ended.how, ended.fault, ended.source, ended.http_status, ended.played_ms) == (
            0.3, "failed", fault, 1, http_status, 300,
        )  # fmt: skip

    scenario()


@silently()
async def test_a_length_can_be_arranged_by_uri_text_and_markup(here: Silent) -> None:
    markup = "<speak>a</speak>"
    here.media.prompts.update({BEEP.uri: 100, "Hello": 200, markup: 400})
    here.media.perform(prompt(BEEP, SpokenText("Hello"), SpokenMarkup(markup)))
    await asyncio.sleep(60)
    assert here.only(PromptEnded)[0] == 0.7
    assert here.only(PromptEnded)[1].played_ms == 700


@silently()
async def test_a_stopped_prompt_says_how_far_it_came(here: Silent) -> None:
    here.media.perform(prompt(BEEP, BEEP, BEEP))
    await asyncio.sleep(1.25)
    here.media.perform(StopPrompt("p"))
    here.media.perform(StopPrompt("p"))
    here.media.perform(StopPrompt("never played"))
    assert here.facts(PromptEnded) == []
    await asyncio.sleep(60)
    at, ended = here.only(PromptEnded)
    assert (at, ended.how, ended.played_ms) == (1.25, "stopped", 1250)


@silently()
async def test_a_prompt_stopped_before_its_first_sound_never_began(here: Silent) -> None:
    here.media.perform(prompt(BEEP))
    here.media.perform(StopPrompt("p"))
    await asyncio.sleep(60)
    assert here.facts(PromptStarted) == []
    ended = here.only(PromptEnded)[1]
    assert (ended.how, ended.played_ms) == ("stopped", 0)


@silently()
async def test_a_loop_goes_on_until_it_is_stopped(here: Silent) -> None:
    here.media.perform(prompt(BEEP, SpokenText("Hello"), loop=True))
    await asyncio.sleep(13.5)
    assert here.facts(PromptEnded) == []
    here.media.perform(StopPrompt("p"))
    await asyncio.sleep(1)
    assert here.only(PromptStarted)[0] == 0
    assert here.only(PromptEnded)[1].played_ms == 13_500


@silently()
async def test_a_loop_ends_with_a_fault_too(here: Silent) -> None:
    here.media.perform(prompt(BEEP, loop=True))
    await asyncio.sleep(2.5)
    here.media.prompts[BEEP.uri] = "too-slow"
    await asyncio.sleep(60)
    at, ended = here.only(PromptEnded)
    assert (at, ended.fault, ended.played_ms) == (3, "too-slow", 3000)


@silently()
async def test_nothing_to_play_is_over_at_once(here: Silent) -> None:
    here.media.perform(prompt(loop=True))
    await asyncio.sleep(1)
    assert here.only(PromptEnded) == (0, here.only(PromptEnded)[1])
    assert here.only(PromptEnded)[1].how == "played"


@silently()
async def test_prompts_of_one_room_go_on_beside_each_other(here: Silent) -> None:
    here.media.perform(prompt(BEEP, name="one"))
    here.media.perform(prompt(SpokenText("Hello"), name="two"))
    assert [effect.id for effect in here.media.player.playing] == ["one", "two"]
    await asyncio.sleep(60)
    assert [(at, ended.prompt) for at, ended in here.facts(PromptEnded)] == [(0.3, "two"), (1, "one")]


@silently()
async def test_prompts_end_with_their_room(here: Silent) -> None:
    here.media.perform(Mix("room", (Voice("a"),)))
    here.media.perform(prompt(BEEP))
    here.media.perform(PlayPrompt("elsewhere", "other room", (BEEP,)))
    await asyncio.sleep(0.5)
    here.media.perform(Mix("room", ()))
    await asyncio.sleep(60)
    assert [(at, ended.prompt, ended.how) for at, ended in here.facts(PromptEnded)] == [
        (0.5, "p", "stopped"),
        (1, "elsewhere", "played"),
    ]


@silently(MediaSettings(tone_ms=150, tone_gap_ms=50))
async def test_digits_take_their_time(here: Silent) -> None:
    here.media.open("a")
    here.media.perform(StartMedia("a", "192.0.2.9", 4000, 0, "PCMU", telephone_event=101))
    here.media.perform(SendDigits("d", "room", "a", "12#"))
    await asyncio.sleep(60)
    assert [(at, owner) for at, owner, fact in here.told if isinstance(fact, DigitsSent)] == [(0.6, "room")]
    sent = here.only(DigitsSent)[1]
    assert (sent.action, sent.digits, sent.fault) == ("d", "12#", "")


@silently()
async def test_digits_that_cannot_be_sent_say_why(here: Silent) -> None:
    here.media.open("deaf")
    here.media.perform(StartMedia("deaf", "192.0.2.9", 4000, 0, "PCMU"))
    here.media.open("not started")
    for leg in ("deaf", "not started", "nobody"):
        here.media.perform(SendDigits(leg, "room", leg, "1"))
    await asyncio.sleep(60)
    faults = {sent.action: sent.fault for _, sent in here.facts(DigitsSent)}
    assert "no telephone-event" in faults["deaf"]
    assert faults["not started"] == "leg not started has no media"
    assert faults["nobody"] == "leg nobody has no media"
