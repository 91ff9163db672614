"""What the far end of a silent leg does: talk, stop, resume, press keys, send what cannot be used."""

import asyncio

import pytest

from onhook.effects import Mix, StartMedia, Voice
from onhook.facts import DigitHeard, MediaMeasured, RtpResumed, RtpStopped
from onhook.media.settings import MediaSettings
from silent import Silent, silently

START = StartMedia("a", "192.0.2.9", 4000, 0, "PCMU")
HELD = StartMedia("a", "192.0.2.9", 4000, 0, "PCMU", sending=False, receiving=False)
IMPATIENT = MediaSettings(silent_after_seconds=2.0)


@silently(IMPATIENT)
async def test_a_far_end_that_never_sends_is_told_once(here: Silent) -> None:
    here.media.open("a")
    await asyncio.sleep(10)
    here.media.start(START)
    await asyncio.sleep(10)
    at, stopped = here.only(RtpStopped)
    assert (at, stopped.leg, stopped.silent_seconds, stopped.received, stopped.sent) == (12, "a", 2, 0, 100)
    assert here.told[0][1] == "a"


@silently(IMPATIENT, far_end_talks=True)
async def test_rtp_that_stops_and_comes_again(here: Silent) -> None:
    here.media.open("a")
    here.media.start(START)
    await asyncio.sleep(5)
    here.media.fall_silent("a")
    await asyncio.sleep(5)
    here.media.talk("a")
    await asyncio.sleep(5)
    at, stopped = here.only(RtpStopped)
    assert at == pytest.approx(7, abs=0.02)
    assert stopped.received == 251
    assert stopped.silent_seconds == pytest.approx(2)
    at, resumed = here.only(RtpResumed)
    assert (at, resumed.leg) == (10, "a")
    assert resumed.silent_seconds == pytest.approx(5)
    assert here.media.close("a").received == 251 + 251


@silently(IMPATIENT)
async def test_packets_put_the_end_off(here: Silent) -> None:
    here.media.open("a")
    here.media.start(START)
    for _ in range(5):
        await asyncio.sleep(1.5)
        here.media.hear("a")
    assert here.facts(RtpStopped) == []
    await asyncio.sleep(4)
    assert here.only(RtpStopped)[0] == 9.5
    here.media.hear("a")
    await asyncio.sleep(4)
    assert [at for at, _ in here.facts(RtpResumed)] == [11.5]
    assert [at for at, _ in here.facts(RtpStopped)] == [9.5, 13.5]


@silently(IMPATIENT)
async def test_nothing_is_awaited_of_a_held_leg(here: Silent) -> None:
    here.media.open("a")
    here.media.start(HELD)
    await asyncio.sleep(10)
    assert here.told == []
    here.media.start(START)
    await asyncio.sleep(10)
    assert here.only(RtpStopped)[0] == 12


@silently(IMPATIENT, far_end_talks=True)
async def test_who_is_held_talks_again_afterwards(here: Silent) -> None:
    here.media.open("a")
    here.media.start(START)
    await asyncio.sleep(1)
    here.media.start(HELD)
    await asyncio.sleep(10)
    here.media.start(START)
    await asyncio.sleep(1)
    assert here.media.close("a").received == 51 + 51
    assert here.facts(RtpStopped) == []


@silently(IMPATIENT, far_end_talks=True)
async def test_silence_from_before_the_start_is_silence_for_ever(here: Silent) -> None:
    here.media.open("a")
    here.media.start(START)
    here.media.fall_silent("a")
    here.media.talk("nobody")
    here.media.fall_silent("nobody")
    await asyncio.sleep(3)
    assert here.only(RtpStopped)[1].received == 1


@silently(MediaSettings(silent_after_seconds=0))
async def test_with_no_limit_it_never_stops(here: Silent) -> None:
    here.media.open("a")
    here.media.start(START)
    await asyncio.sleep(100_000)
    assert here.told == []


@silently(IMPATIENT)
async def test_a_closed_leg_is_not_awaited(here: Silent) -> None:
    here.media.open("a")
    here.media.start(START)
    here.media.close("a")
    await asyncio.sleep(10)
    assert here.told == []


@silently(IMPATIENT)
async def test_after_stop_nothing_is_told(here: Silent) -> None:
    here.media.open("a")
    here.media.start(START)
    here.media.hear("a")
    here.media.stop()
    await asyncio.sleep(10)
    assert here.told == []
    assert here.media.legs == 0


@silently()
async def test_a_key_is_heard_once_a_press(here: Silent) -> None:
    here.media.open("a")
    here.media.hear_digit("a", "5")  # not started: nobody listens yet
    here.media.start(START)
    here.media.hear_digit("a", "5", 250)
    here.media.hear_digit("a", "#")
    here.media.hear_digit("nobody", "1")
    assert here.told == []
    await asyncio.sleep(1)
    told = [
        (owner, fact.digit, fact.duration_ms) for _, owner, fact in here.told if isinstance(fact, DigitHeard)
    ]
    assert told == [("a", "5", 250), ("a", "#", 100)]
    assert here.media.close("a").digits == 2


@pytest.mark.parametrize(
    ("hears", "expected"),
    [(((0, "PCMU"),), 0), (((0, "PCMU"), (101, "telephone-event")), 1)],
)
def test_a_key_is_heard_only_as_agreed(hears: tuple[tuple[int, str], ...], expected: int) -> None:
    @silently()
    async def scenario(here: Silent) -> None:
        here.media.open("a")
        here.media.start(StartMedia("a", "192.0.2.9", 4000, 0, "PCMU", hears=hears))
        here.media.hear_digit("a", "1")
        await asyncio.sleep(1)
        assert len(here.facts(DigitHeard)) == expected

    scenario()


@silently()
async def test_what_cannot_be_used_is_told_apart(here: Silent) -> None:
    here.media.open("a")
    here.media.start(START)
    here.media.hear_unusable("a", 3, wrong_type=8)
    here.media.hear_unusable("a", 2, wrong_type=18)
    here.media.hear_unusable("a", 7)
    here.media.hear_unusable("nobody", 7)
    measured = here.media.close("a")
    assert (measured.received, measured.wrong_codec, measured.wrong_types, measured.undecipherable) == (
        0, 5, (8, 18), 7,
    )  # fmt: skip


@silently()
async def test_a_leg_is_found_by_its_port(here: Silent) -> None:
    _, port = here.media.open("a")
    assert here.media.leg_at(port) == "a"
    here.media.close("a")
    assert here.media.leg_at(port) is None


@silently()
async def test_a_leg_is_in_one_room_the_last_that_named_it(here: Silent) -> None:
    here.media.perform(Mix("one", (Voice("a"), Voice("b"))))
    here.media.perform(Mix("two", (Voice("b"), Voice("c", muted=True))))
    assert here.media.rooms == {
        "one": Mix("one", (Voice("a"),)),
        "two": Mix("two", (Voice("b"), Voice("c", muted=True))),
    }
    here.media.perform(Mix("two", ()))
    here.media.perform(Mix("never", ()))
    assert list(here.media.rooms) == ["one"]
    assert len(here.media.effects) == 4


@silently()
async def test_measures_count_one_stream(here: Silent) -> None:
    here.media.open("a")
    here.media.start(START)
    here.media.hear("a", 2)
    await asyncio.sleep(1)
    assert here.only(MediaMeasured)[1].streams == 1
