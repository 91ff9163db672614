"""The embedded engine behind a real rtpengine: prompts, mixes, digits, counts, and engines that fail."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest

from interop.rtpengine.rtp_end import RtpEnd, decoded, encoded, level_db, loudest_hertz, rtp_end, tone
from onhook.effects import Mix, SendDigits, Srtp, StartMedia, Voice
from onhook.facts import DigitHeard, DigitsSent, Fact, MediaMeasured, RelayFailed, RtpResumed, RtpStopped
from onhook.media.engine.embedded import EmbeddedEngine
from onhook.media.parts import Clip
from onhook.media.rtpengine import ng
from onhook.media.rtpengine.engine import RtpengineEngine
from onhook.media.rtpengine.fleet import Fleet
from onhook.media.rtpengine.settings import FleetSettings
from onhook.media.settings import MediaSettings
from rtpengine_daemon import Rtpengine, rtpengine, start

pytestmark = pytest.mark.interop
WAIT_SECONDS = 10.0
SILENCE = b"\xff" * 160
SRTP = Srtp("AES_CM_128_HMAC_SHA1_80", bytes(range(30)), bytes(range(30, 60)))
SETTINGS = FleetSettings((), ready=4, ping_seconds=0.1, count_seconds=0.2)
FIRST_PORT = 11_000
SILENT_SECONDS = 0.4


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rtpengine]:
    with rtpengine(tmp_path_factory.mktemp("rtpengine")) as started:
        yield started


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ng, "REPEAT_SECONDS", (0.1, 0.2, 0.2))


@dataclass
class Scene:
    engine: RtpengineEngine
    facts: list[tuple[str, Fact]] = field(default_factory=list[tuple[str, Fact]])

    def __post_init__(self) -> None:
        self.engine.on_fact(lambda owner, fact: self.facts.append((owner, fact)))

    def told(self, *kinds: type[Fact]) -> list[Fact]:
        return [fact for _, fact in self.facts if isinstance(fact, kinds)]

    @property
    def failures(self) -> list[str]:
        return [fact.why for _, fact in self.facts if isinstance(fact, RelayFailed)]

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not happened():  # noqa: ASYNC110  # other processes: no event tells
                await asyncio.sleep(0.01)

    async def connect(self, leg: str, far: RtpEnd, codec: str = "PCMU", payload_type: int = 0) -> None:
        """A leg to `far`, which has been told our port by then."""
        self.engine.open(leg)
        self.engine.start(
            StartMedia(
                leg,
                far.host,
                far.port,
                payload_type,
                codec,
                telephone_event=101,
                hears=((payload_type, codec), (101, "telephone-event")),
                srtp=far.srtp,
            )
        )
        await self.engine.settled()


@asynccontextmanager
async def scene_of(*daemons: Rtpengine, settings: FleetSettings = SETTINGS) -> AsyncGenerator[Scene]:
    embedded = EmbeddedEngine(
        MediaSettings(first_port=FIRST_PORT, last_port=FIRST_PORT + 900, silent_after_seconds=SILENT_SECONDS),
        now=time.time,
    )
    fleet = Fleet(replace(settings, engines=tuple(each.ng for each in daemons)))
    engine = RtpengineEngine(embedded, fleet, time.time)
    await engine.start_fleet()
    try:
        yield Scene(engine)
    finally:
        engine.stop()


@pytest.mark.parametrize(
    ("codec", "payload_type", "ffmpeg", "rate"),
    [("PCMU", 0, "pcm_mulaw", 8000), ("PCMA", 8, "pcm_alaw", 8000), ("opus", 111, "libopus", 48_000)],
)
async def test_a_prompt_is_heard_as_it_was_played(
    codec: str, payload_type: int, ffmpeg: str, rate: int, daemon: Rtpengine
) -> None:
    async with scene_of(daemon) as scene, rtp_end() as far:
        await scene.connect("a", far, codec, payload_type)
        ended: list[int] = []
        scene.engine.mix(Mix("room", (Voice("a"),)))
        feed = scene.engine.feed("room", ("a",), started=lambda: None, ended=ended.append)
        feed.add(Clip(tone(1000, 1.0, 16_000), 16_000))
        feed.finish()
        await scene.until(lambda: bool(ended))
        assert ended[0] in {1000, 1020}, "resampling may end in a frame of its own"
        await asyncio.sleep(0.2)
        heard = decoded(ffmpeg, far.voice(payload_type), rate)
        loud = heard[abs(heard.astype(int)) > 3000]
        begin = int((abs(heard.astype(int)) > 3000).argmax())
        middle = heard[begin + rate // 10 :][: rate // 2]
        assert 0.6 < len(loud) / rate < 1.0, (
            "about the share of a sine of one second above a third of its top"
        )
        assert abs(loudest_hertz(middle, rate) - 1000) < 5
        assert abs(level_db(middle) - level_db(tone(1000, 1.0))) < 1


async def test_legs_of_any_kind_hear_each_other(daemon: Rtpengine) -> None:
    async with scene_of(daemon) as scene, rtp_end() as one, rtp_end(SRTP) as other:
        await scene.connect("one", one, "opus", 111)
        await scene.connect("other", other)
        scene.engine.mix(Mix("room", (Voice("one"), Voice("other"))))
        outer = scene.engine.open("one"), scene.engine.open("other")
        await asyncio.gather(
            one.talk(outer[0], 111, encoded("libopus", tone(700, 1.5, 48_000), 48_000), clock=960),
            other.talk(outer[1], 0, encoded("pcm_mulaw", tone(1100, 1.5), 8000)),
        )
        heard_by_other = decoded("pcm_mulaw", other.voice(0), 8000)[-8000:]
        heard_by_one = decoded("libopus", one.voice(111), 48_000)[-48_000:]
        assert abs(loudest_hertz(heard_by_other, 8000) - 700) < 5
        assert abs(loudest_hertz(heard_by_one, 48_000) - 1100) < 5
        assert other.sealed == 0


async def test_digits_are_heard_and_sent(daemon: Rtpengine) -> None:
    async with scene_of(daemon) as scene, rtp_end() as far:
        await scene.connect("a", far)
        scene.engine.mix(Mix("room", (Voice("a"),)))
        for event in (1, 11):
            await far.press(scene.engine.open("a"), 101, event)
        scene.engine.send_digits(SendDigits("action", "room", "a", "42#"))
        await scene.until(lambda: len(scene.told(DigitHeard, DigitsSent)) == 3)
        await asyncio.sleep(0.2)
        assert [fact.digit for fact in scene.told(DigitHeard) if isinstance(fact, DigitHeard)] == ["1", "#"]
        assert far.digits(101) == [4, 2, 11]


async def test_counts_are_in_terms_of_the_far_end(daemon: Rtpengine) -> None:
    """Behind NAT: it sends from elsewhere than it said, and rtpengine follows."""
    async with scene_of(daemon) as scene, rtp_end() as said, rtp_end() as real:
        await scene.connect("a", said, "PCMA", 8)
        await real.talk(scene.engine.open("a"), 8, [b"\xd5" * 160] * 200)
        await scene.until(lambda: f":{real.port}" in scene.engine.counts("a").remote)
        counted = scene.engine.close("a")
        assert (counted.codec, counted.received, counted.lost) == ("PCMA", 200, 0)
        assert counted.sent >= 150
        (first,) = scene.told(MediaMeasured)
        assert isinstance(first, MediaMeasured)
        assert (first.codec, first.received >= 1, first.leg) == ("PCMA", True, "a")
        assert len(real.packets) > 10


async def test_lost_packets_of_the_far_end_are_counted(daemon: Rtpengine) -> None:
    async with scene_of(daemon) as scene, rtp_end() as far:
        await scene.connect("a", far)
        for number in range(50):
            if number % 10 == 5:
                far.sequence += 1
                far.timestamp += 160
            await far.talk(scene.engine.open("a"), 0, [SILENCE])
        counted = scene.engine.close("a")
        assert (counted.received, counted.lost) == (50, 5)


async def test_what_the_keys_do_not_open_is_counted(daemon: Rtpengine) -> None:
    async with scene_of(daemon) as scene, rtp_end(Srtp(SRTP.suite, SRTP.send_key, bytes(30))) as far:
        agreed, far.srtp = far.srtp, SRTP
        assert agreed
        await scene.connect("a", far)
        await far.talk(scene.engine.open("a"), 0, [SILENCE] * 60)
        await scene.until(lambda: scene.engine.counts("a").errors >= 55)
        counted = scene.engine.close("a")
        assert counted.undecipherable >= 55
        assert (counted.received, counted.wrong_codec, counted.junk) == (0, 0, 0)


async def test_rtp_that_stops_is_told(daemon: Rtpengine) -> None:
    async with scene_of(daemon) as scene, rtp_end() as far:
        await scene.connect("a", far)
        await far.talk(scene.engine.open("a"), 0, [SILENCE] * 20)
        await scene.until(lambda: bool(scene.told(RtpStopped)))
        await far.talk(scene.engine.open("a"), 0, [SILENCE] * 5)
        await scene.until(lambda: bool(scene.told(RtpResumed)))
        assert scene.told(RelayFailed) == []


async def test_a_far_end_with_a_name_is_looked_up(daemon: Rtpengine) -> None:
    async with scene_of(daemon) as scene, rtp_end() as far:
        far.host = "localhost"
        await scene.connect("a", far)
        await far.until_packets(5)


async def test_a_name_that_nobody_knows_is_told(daemon: Rtpengine) -> None:
    async with scene_of(daemon) as scene, rtp_end() as far:
        far.host = "no-such-host.invalid"
        await scene.connect("a", far)
        (failed,) = scene.told(RelayFailed)
        assert isinstance(failed, RelayFailed)
        assert failed.why.startswith("the far end's address: ")
        assert (failed.leg, failed.engine) == ("a", daemon.address)


async def test_a_leg_that_rtpengine_has_lost_is_told_of_once(tmp_path: Path) -> None:
    with rtpengine(tmp_path) as first:
        async with scene_of(first) as scene, rtp_end() as far:
            await scene.connect("a", far)
            await far.until_packets(5)
            first.kill()
            again = await asyncio.to_thread(start, tmp_path, host=first.host)
            try:
                lost = "query refused: Unknown call-id"
                await scene.until(lambda: lost in scene.failures)
                await asyncio.sleep(0.5)
                assert scene.failures.count(lost) == 1
                assert scene.engine.close("a").received == 0
            finally:
                again.kill()


async def test_only_legs_of_a_dead_engine_are_told_of(daemon: Rtpengine, tmp_path: Path) -> None:
    with rtpengine(tmp_path) as other:
        async with scene_of(daemon, other) as scene, rtp_end() as far:
            for leg in "abcd":
                await scene.until(lambda: all(each.ready for each in scene.engine.fleet.members))
                await scene.connect(leg, far)
            on_other = [leg for leg in "abcd" if scene.engine.open(leg)[0] == other.host]
            assert 1 <= len(on_other) <= 3
            other.kill()
            await scene.until(lambda: len(scene.failures) == len(on_other))
            assert sorted(owner for owner, fact in scene.facts if isinstance(fact, RelayFailed)) == on_other
            assert scene.engine.open("e")[0] == daemon.host


async def test_what_a_frozen_engine_was_asked_is_done_when_it_thaws(tmp_path: Path) -> None:
    with rtpengine(tmp_path) as slow:
        async with scene_of(slow) as scene, rtp_end() as far:
            scene.engine.open("a")
            await scene.engine.settled()
            slow.freeze()
            await scene.connect("a", far)
            (failure,) = scene.failures
            assert "no answer to" in failure
            slow.thaw()
            await far.until_packets(5)


async def test_closing_while_it_is_told_leaves_nothing(daemon: Rtpengine) -> None:
    async with scene_of(daemon) as scene, rtp_end() as far:
        (member,) = scene.engine.fleet.members
        scene.engine.open("a")
        scene.engine.start(StartMedia("a", far.host, far.port, 0, "PCMU"))
        scene.engine.close("a")
        assert (scene.engine.legs, member.legs) == (0, 0)
        await scene.until(lambda: member.ready == SETTINGS.ready)
        await member.count()
        await scene.until(lambda: member.others == 0)
        assert far.packets == []


async def test_without_a_free_port_there_nothing_is_kept_here(tmp_path: Path) -> None:
    with rtpengine(tmp_path) as gone:
        async with scene_of(gone) as scene:
            gone.kill()
            await scene.until(lambda: bool(scene.engine.fleet.members[0].failure))
            with pytest.raises(RuntimeError, match="no rtpengine has a port ready"):
                scene.engine.open("a")
            assert scene.engine.legs == 0
            assert isinstance(scene.engine.embedded, EmbeddedEngine)
            assert scene.engine.embedded.legs == 0


async def test_stopping_deletes_every_leg_there(daemon: Rtpengine) -> None:
    async with scene_of(daemon) as scene, rtp_end() as far:
        await scene.connect("a", far)
    client = ng.NgClient(*daemon.ng)
    await client.open()
    async with asyncio.timeout(WAIT_SECONDS):
        while (await client.ask("list"))["calls"]:  # noqa: ASYNC110  # another process: no event tells
            await asyncio.sleep(0.01)
    client.close()


def test_facts_of_relays_are_kept() -> None:
    fact = RelayFailed(at=1.0, leg="a", engine="127.0.0.1:2223", why="gone")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(fact), type=Fact) == fact
