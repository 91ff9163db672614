"""An engine with legs to serve, in a process of its own: `python media_subject.py ENGINE PLAN.json`.

ENGINE is onhook, aiortp or aiortc. Once it serves it tells its ports; at SIGTERM, how late its
event loop was.
Peers are imported where they are used: each process has its own engine alone.
"""
# ruff: noqa: PLC0415  # see above

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import uvloop

from media_far_end import ENGINE_HOST, FRAME, HOST, SUITE
from media_plan import FIGURES, FIRST_PORT, PLAYING, READY, Plan, tell
from processes import allow_open_files, percentile

PROBE_SECONDS = 0.005
CLIP_SECONDS = 8
RATE = 16_000


def tone(rate: int, hertz: float = 700.0) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    return (6_000 * np.sin(2 * np.pi * hertz * np.arange(CLIP_SECONDS * rate) / rate)).astype(np.int16)


async def onhook(plan: Plan) -> list[int]:
    """The embedded engine, as the server has it: a thread beside this loop."""
    from onhook.effects import Mix, Srtp, StartMedia, Voice
    from onhook.media.engine.embedded import EmbeddedEngine
    from onhook.media.parts import Clip
    from onhook.media.settings import MediaSettings

    settings = MediaSettings(
        host=ENGINE_HOST, first_port=FIRST_PORT, last_port=FIRST_PORT + 2 * len(plan.ports) + 200
    )
    engine = EmbeddedEngine(settings)
    clip, ports = Clip(tone(RATE), RATE), list[int]()
    for leg, port in enumerate(plan.ports):
        ports.append(engine.open(str(leg))[1])
        keys = None
        if plan.encrypted:
            says, hears = (bytes.fromhex(key) for key in plan.keys[leg])
            keys = Srtp(SUITE, hears, says)
        engine.start(StartMedia(str(leg), HOST, port, 0, "PCMU", srtp=keys))
    for number, room in enumerate(plan.rooms):
        engine.mix(Mix(f"room {number}", tuple(Voice(str(leg)) for leg in room)))
        if plan.shape == PLAYING:
            feed = engine.feed(
                f"room {number}", (), started=_nothing, ended=_nothing_of, loop=True, to_all=True
            )
            feed.add(clip)
            feed.finish()
        await asyncio.sleep(0)
    _KEPT.append(engine)
    return ports


async def aiortp(plan: Plan) -> list[int]:
    """One RTPSession a leg, with its own jitter buffer and clock; mixed here, each leg on its own clock.

    aiortp does not play, bridge or mix by itself: what is written here is the least that does.
    """
    from aiortp import RTPSession

    mixes: list[Mixed] = []
    ports: list[int] = []
    sound = tone(8_000)
    for leg, port in enumerate(plan.ports):
        own = FIRST_PORT + 2 * leg
        session = await RTPSession.create((ENGINE_HOST, own), (HOST, port), 0, playout=True)
        mixes.append(Mixed(session.send_audio_pcm_auto, sound if plan.shape == PLAYING else None))
        session.on_audio = mixes[-1].heard
        ports.append(own)
        _KEPT.append(session)
    for room in plan.rooms:
        for leg in room:
            mixes[leg].others = [mixes[other] for other in room if other != leg]
    for mix in mixes:
        mix.start()
    return ports


class Mixed:
    """What one leg of aiortp hears: 20 ms of the others at each of its own ticks, or of a sound."""

    def __init__(
        self,
        send: Callable[[bytes], object],
        sound: "np.ndarray[tuple[int], np.dtype[np.int16]] | None",
    ) -> None:
        self._send, self._sound = send, sound
        self.others: list[Mixed] = []
        self.last = np.zeros(FRAME, np.int16)
        """What this leg said last."""
        self._ticks = 0

    def heard(self, pcm: bytes, _timestamp: int) -> None:
        self.last = np.frombuffer(pcm, np.int16)

    def start(self) -> None:
        from aiortp.clock import MediaClock

        clock = MediaClock(0.02, self._tick)
        clock.start()
        _KEPT.append(clock)

    def _tick(self) -> None:
        if self._sound is not None:
            begin = self._ticks * FRAME % len(self._sound)
            self._send(self._sound[begin : begin + FRAME].tobytes())
        elif len(self.others) == 1:
            self._send(self.others[0].last.tobytes())
        else:
            total = np.sum([other.last.astype(np.int32) for other in self.others], axis=0)
            self._send(np.clip(total, -32_768, 32_767).astype(np.int16).tobytes())
        self._ticks += 1


async def aiortc(plan: Plan) -> list[int]:
    from media_aiortc import Legs

    legs = Legs(plan, tone(8_000))
    _KEPT.append(legs)
    return await legs.open()


ENGINES: dict[str, Callable[[Plan], Awaitable[list[int]]]] = {
    "onhook": onhook,
    "aiortp": aiortp,
    "aiortc": aiortc,
}
_KEPT: list[object] = []
"""Else some of it would be collected."""


def _nothing() -> None:
    """A feed began."""


def _nothing_of(_played_ms: int) -> None:
    """A feed ended."""


async def probe(latenesses: list[float], stopped: asyncio.Event) -> None:
    """How late the event loop wakes who sleeps, every 5 ms."""
    while not stopped.is_set():
        due = time.monotonic() + PROBE_SECONDS
        await asyncio.sleep(PROBE_SECONDS)
        latenesses.append(time.monotonic() - due)


async def serve(name: str, path: Path) -> None:
    allow_open_files()
    plan = Plan.read(path)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    tell(path.with_name(READY), await ENGINES[name](plan))
    latenesses: list[float] = []
    await probe(latenesses, stopped)
    ms = [1000 * each for each in latenesses]
    figures = {part: round(percentile(ms, share), 2) for part, share in (("p50", 0.5), ("p99", 0.99))}
    tell(path.with_name(FIGURES), {**figures, "most": round(max(ms, default=0.0), 2)})


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(sys.argv[1], Path(sys.argv[2])))
    sys.stdout.flush()
    os._exit(0)  # its threads and sockets need no farewell
