"""The silent engine beyond the contract: exact counts on virtual time, and a far end that talks."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from onhook.effects import StartMedia
from onhook.facts import MediaMeasured
from onhook.lab.virtual_time import run
from onhook.media.silent_media import SilentMedia

START = StartMedia("a", "192.0.2.9", 4000, 0, "PCMU")
EPOCH = 1_700_000_000.0


def clock() -> Callable[[], float]:
    loop = asyncio.get_running_loop()
    return lambda: EPOCH + loop.time()


def play(
    scenario: Callable[[SilentMedia, list[MediaMeasured]], Coroutine[Any, Any, None]], **how: Any
) -> None:
    async def main() -> None:
        media, told = SilentMedia(now=clock(), **how), list[MediaMeasured]()
        media.on_fact(lambda _, fact: told.append(cast("MediaMeasured", fact)))
        await scenario(media, told)

    run(main())


@pytest.mark.parametrize(
    ("seconds", "packets"), [(0.0, 0), (0.019, 0), (0.02, 1), (1.0, 50), (3600.0, 180_000)]
)
def test_a_packet_each_20_ms_goes_out(seconds: float, packets: int) -> None:
    async def scenario(media: SilentMedia, _: list[MediaMeasured]) -> None:
        media.open("a")
        media.start(START)
        await asyncio.sleep(seconds)
        measured = media.close("a")
        assert measured.sent == packets
        assert measured.at == EPOCH + seconds

    play(scenario)


def test_a_far_end_that_talks_is_heard_from_the_start_on() -> None:
    async def scenario(media: SilentMedia, told: list[MediaMeasured]) -> None:
        media.open("a")
        await asyncio.sleep(2)
        assert told == []
        media.start(START)
        assert told == []  # never before `start` returns
        await asyncio.sleep(10)
        (first,) = told
        assert (first.leg, first.at, first.received, first.first_received_at) == (
            "a",
            EPOCH + 2,
            1,
            EPOCH + 2,
        )
        measured = media.close("a")
        assert measured.received == 501
        assert measured.first_received_at == EPOCH + 2
        assert measured.last_received_at == pytest.approx(EPOCH + 12, abs=1e-4)
        assert (measured.codec, measured.remote) == ("PCMU", "192.0.2.9:4000")

    play(scenario)


def test_a_far_end_that_says_nothing_is_a_call_without_media() -> None:
    async def scenario(media: SilentMedia, told: list[MediaMeasured]) -> None:
        media.open("a")
        media.start(START)
        await asyncio.sleep(9)
        measured = media.close("a")
        assert (measured.sent, measured.received, measured.first_received_at) == (450, 0, None)
        assert told == []

    play(scenario, far_end_talks=False)


def test_what_is_heard_by_hand_counts_with_its_time() -> None:
    async def scenario(media: SilentMedia, told: list[MediaMeasured]) -> None:
        media.open("a")
        await asyncio.sleep(1)
        media.hear("a", 3)
        await asyncio.sleep(1)
        media.hear("a")
        media.hear("a", 0)
        media.hear("stranger", 5)
        await asyncio.sleep(1)
        measured = media.close("a")
        assert measured == MediaMeasured(
            at=EPOCH + 3,
            leg="a",
            sent=0,
            received=4,
            first_received_at=EPOCH + 1,
            last_received_at=EPOCH + 2,
            streams=1,
        )
        assert [each.received for each in told] == [3]

    play(scenario, far_end_talks=False)


def test_hold_and_resume_are_counted_to_the_packet() -> None:
    async def scenario(media: SilentMedia, _: list[MediaMeasured]) -> None:
        media.open("a")
        media.start(START)
        await asyncio.sleep(1)
        media.start(StartMedia("a", "192.0.2.9", 4000, 0, "PCMU", sending=False))
        await asyncio.sleep(5)
        media.start(START)
        await asyncio.sleep(2)
        measured = media.close("a")
        assert (measured.sent, measured.received) == (150, 401)

    play(scenario)


def test_a_version_6_remote_stands_in_brackets() -> None:
    async def scenario(media: SilentMedia, _: list[MediaMeasured]) -> None:
        media.open("a")
        media.start(StartMedia("a", "2001:db8::9", 4000, 8, "PCMA"))
        assert media.close("a").remote == "[2001:db8::9]:4000"

    play(scenario)


def test_it_needs_no_handler() -> None:
    async def main() -> None:
        media = SilentMedia(now=clock())
        media.open("a")
        media.start(START)
        await asyncio.sleep(1)
        assert media.close("a").received == 51
        media.stop()

    run(main())
