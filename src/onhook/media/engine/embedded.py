"""The engine as others see it: `parts.Engine` on an exchange, a clockwork and a range of ports."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from onhook.effects import MediaEffect, Mix, SendDigits, StartMedia
from onhook.facts import DigitsSent, MediaMeasured
from onhook.media.engine.clockwork import Clockwork
from onhook.media.engine.coders import Mouth
from onhook.media.engine.digits_out import DigitsOut, Tones
from onhook.media.engine.exchange import Ends, Exchange, Wires
from onhook.media.engine.feeds import EngineFeed
from onhook.media.engine.herald import Herald
from onhook.media.engine.leg import Leg
from onhook.media.engine.output import Dialling
from onhook.media.engine.rows import A_LAW, G722, KINDS, MU_LAW, NOTHING, OPUS, OTHER, Rows
from onhook.media.engine.srtp import Secrecy
from onhook.media.engine.uring import UringWire
from onhook.media.engine.wires import LibcWire, Lines, SocketWire, Wire, make_wire, name_words, packed_name
from onhook.media.parts import FactHandler, Feed, Tap
from onhook.media.ports import Port, Ports
from onhook.media.settings import MediaSettings

WIRES: Sequence[Callable[[], Wire]] = (UringWire, LibcWire, SocketWire)
PTIME_MS = 20
TICKS_A_SECOND = 50
_MARKER = 0x80


class EmbeddedEngine:
    """RTP from this process. All methods are for the event loop's thread; only `stop` waits.

    `now` gives Unix seconds. The thread starts with the first leg, rests while there are none, and ends with
    `stop`. With `by_hand` there is no thread: a test calls `tick`, and time is its argument.
    """

    def __init__(
        self,
        settings: MediaSettings | None = None,
        *,
        now: Callable[[], float] = time.time,
        wires: Sequence[Callable[[], Wire]] = WIRES,
        by_hand: bool = False,
    ) -> None:
        self._settings = settings or MediaSettings()
        self._now, self._by_hand = now, by_hand
        self._ports = Ports(self._settings)
        self.rows = Rows(self._ports.most)
        self._ends = Ends(Lines(self._ports.most), Lines(self._ports.most))
        self.herald = Herald()
        self._hand_time = 0.0
        self.exchange = Exchange(
            self.rows,
            self._ends,
            wires=Wires(make_wire(wires), make_wire(wires)),
            settings=self._settings,
            herald=self.herald,
            arrivals=self._arrivals,
        )
        self._clockwork = Clockwork(self._tick, lambda: self.exchange.idle, realtime=self._settings.realtime)
        self._tones = Tones(self._settings.tone_ms * 8, self._settings.tone_gap_ms * 8)
        self._legs: dict[str, Leg] = {}
        self._held_ports: dict[str, Port] = {}
        self._closed_junk = 0

    # parts.Engine

    def open(self, leg: str) -> tuple[str, int]:
        """Reserve a port for `leg`; again for the same leg: the same. Raises PortsUsedUp."""
        port = self._held_ports.get(leg)
        if port is None:
            port = self._held_ports[leg] = self._ports.take(time.monotonic())
            self._closed_junk += port.drain()
            known = self._legs[leg] = Leg(leg, port.row)
            self._ends.media.put(port.row, port.opened)
            self._ends.control.put(port.row, port.control)
            with self.exchange.lock:
                self.exchange.admit(known, self._now())
                # RFC 3550 section 5.1: SSRC, first sequence number and timestamp are random
                drawn = secrets.randbits(80)
                self.rows.ssrc[port.row] = drawn & 0xFFFFFFFF
                self.rows.timestamp[port.row] = drawn >> 32 & 0xFFFFFFFF
                self.rows.sequence[port.row] = drawn >> 64
            self._begin()
        return self._settings.written_host, port.number

    def start(self, effect: StartMedia) -> None:
        """Send from the next tick on, or stop sending if the effect says so.

        An unknown leg is ignored: it was closed while the effect was under way.
        """
        leg = self._legs.get(effect.leg)
        if leg is None:
            return
        host = "127.0.0.1" if effect.host.lower() == "localhost" else effect.host
        name: bytes | None = None
        if effect.port:
            try:
                name = packed_name(host, effect.port, self._ports.family)
            except OSError:
                self._look_up(leg, effect)
        secrecy, mouth = self._secrecy(leg, effect), self._mouth(leg, effect)
        with self.exchange.lock:
            self._agree(leg, effect, name)
            self.exchange.recode(leg, wide=_kind(effect) in {G722, OPUS}, mouth=mouth)
            self._encrypt(leg.row, secrecy)
        self._clockwork_wake()

    def close(self, leg: str) -> MediaMeasured:
        """End the media of `leg`: its port rests, its counts are final. An unknown leg counted nothing."""
        known = self._legs.pop(leg, None)
        if known is None:
            return MediaMeasured(at=self._now(), leg=leg, sent=0, received=0)
        known.closed = True
        with self.exchange.lock:
            self.exchange.intake.receive(known.row)  # what came since the last tick
            now = self._now()
            measured = known.measured(self.rows, now)
            self.exchange.shut(known, now)
        self._closed_junk += measured.junk
        self._ports.give_back(self._held_ports.pop(leg), time.monotonic())
        self._clockwork_wake()
        return measured

    def mix(self, effect: Mix) -> None:
        legs = {voice.leg: self._legs.get(voice.leg) for voice in effect.voices}
        self._post(partial(self.exchange.mix, effect, lambda name: _row(legs[name])))

    def feed(
        self,
        room: str,
        legs: tuple[str, ...],
        *,
        started: Callable[[], None],
        ended: Callable[[int], None],
        loop: bool = False,
        to_all: bool = False,
    ) -> Feed:
        feed = EngineFeed(
            room, legs, started=started, ended=ended, loop=loop, to_all=to_all, changed=self._feed_changed
        )
        self._post(partial(self.exchange.open_feed, feed))
        return feed

    def send_digits(self, effect: SendDigits) -> None:
        """`DigitsSent` follows as a fact of the room, with a fault if the leg takes no digits."""
        leg = self._legs.get(effect.leg)
        tell = partial(self._digits_sent, effect)
        if leg is None:
            self._post(partial(tell, "the leg is not open (any more)"))
        elif leg.agreed is None or leg.agreed.telephone_event is None:
            self._post(partial(tell, "the far end did not agree to telephone-event (RFC 4733)"))
        else:
            try:
                digits = DigitsOut(effect.digits, self._tones, leg.agreed.event_clock)
            except ValueError as error:
                self._post(partial(tell, str(error)))
                return
            self._post(partial(self.exchange.dial, leg, Dialling(digits, tell)))

    def tap(self, room: str, tap: Tap) -> None:
        self._post(partial(self.exchange.tap, room, tap))

    def untap(self, room: str, tap: Tap) -> None:
        self._post(partial(self.exchange.untap, room, tap))

    def on_fact(self, handler: FactHandler) -> None:
        """`handler(owner, fact)` on the event loop. The last handler wins."""
        self.herald.handler = handler

    def stop(self) -> None:
        """End the thread and free all ports; legs that were open are forgotten."""
        self._clockwork.stop()
        self.exchange.close()
        self._legs.clear()
        self._held_ports.clear()
        self._ports.close()

    # what the switch asks of media, as long as nothing stands between

    def perform(self, effect: MediaEffect) -> None:
        match effect:
            case StartMedia():
                self.start(effect)
            case Mix():
                self.mix(effect)
            case SendDigits():
                self.send_digits(effect)
            case _:
                pass  # prompts, recognisers, recordings and streams are beside an engine

    # figures

    @property
    def legs(self) -> int:
        return len(self._legs)

    @property
    def junk(self) -> int:
        """Datagrams that were no RTP, or came to a port at rest."""
        return self._closed_junk + int(self.rows.junk[self.rows.open].sum())

    @property
    def ticks_missed(self) -> int:
        return self._clockwork.missed

    def latenesses_ms(self) -> list[float]:
        """How late the ticks of the last minute began."""
        return [seconds * 1000 for seconds in list(self._clockwork.latenesses)]

    def tick(self, group: int, number: int, now: float) -> None:
        """By hand: serve one group, as if it were `now`."""
        self._hand_time = now
        self.exchange.tick(group, number, now)

    # inside

    def _tick(self, group: int, number: int) -> None:
        self.exchange.tick(group, number, self._now())

    def _begin(self) -> None:
        if not self._by_hand:
            with contextlib.suppress(RuntimeError):  # no loop: facts are told on the thread
                self.herald.loop = asyncio.get_running_loop()
        self._clockwork_wake()

    def _clockwork_wake(self) -> None:
        if not self._by_hand:
            self._clockwork.wake()

    def _post(self, change: Callable[[], None]) -> None:
        self.exchange.post(change)
        self._begin()

    def _arrivals(self, at: Any) -> Any:
        """The kernel's clock is Unix time; ours may stand elsewhere, and never runs backwards."""
        if self._by_hand:
            return np.full(len(at), self._hand_time)
        before, now = time.time(), self._now()
        return np.minimum(at + (now - before), now)

    def _agree(self, leg: Leg, effect: StartMedia, name: bytes | None) -> None:
        """The lock is held."""
        rows, row, before = self.rows, leg.row, leg.agreed
        leg.agreed = effect
        kind = _kind(effect)
        rows.codec[row] = kind
        rows.clock[row] = 48_000 if kind == OPUS else 8_000
        rows.step[row] = rows.clock[row] // TICKS_A_SECOND
        rows.law[row] = rows.law_of(kind)
        rows.payload_type[row] = effect.payload_type & 0x7F
        rows.digit_type[row] = (effect.telephone_event or 0) & 0x7F
        hears = effect.hears or ((effect.payload_type, effect.codec),)
        rows.kinds[row] = NOTHING
        for payload_type, codec in hears:
            rows.kinds[row, payload_type & 0x7F] = KINDS.get(codec.upper(), OTHER)
        if effect.receiving and not rows.receiving[row]:
            rows.watched_since[row] = self._now()
            rows.stopped[row] = False
        rows.receiving[row] = effect.receiving
        if before is None or (before.host, before.port) != (effect.host, effect.port):
            rows.latched[row] = False
        rows.started[row] = True
        if name is not None:
            self._direct(row, name)
        self._let_send(leg, addressed=name is not None)

    def _secrecy(self, leg: Leg, effect: StartMedia) -> Secrecy | None:
        """That of before, if the keys are: it knows which packets came. Raises ValueError for bad keys."""
        if effect.srtp is None:
            return None
        before = self.exchange.secrecies.get(leg.row) if self.rows.srtp[leg.row] else None
        return before if before and before.agreed == effect.srtp else Secrecy(effect.srtp)

    def _mouth(self, leg: Leg, effect: StartMedia) -> Mouth | None:
        """None for G.711 in packets of 20 ms, which needs none. The one of before, if nothing changed."""
        kind = _kind(effect)
        if kind in {MU_LAW, A_LAW} and effect.ptime_ms == PTIME_MS:
            return None
        before = leg.agreed
        mouth = self.exchange.mouths.get(leg.row) if before and self.rows.spoken[leg.row] else None
        if mouth and before and (_kind(before), before.ptime_ms) == (kind, effect.ptime_ms):
            return mouth
        return Mouth(kind, effect.ptime_ms)

    def _encrypt(self, row: int, secrecy: Secrecy | None) -> None:
        """The lock is held."""
        if secrecy is not None:
            self.exchange.secrecies[row] = secrecy
        self.rows.srtp[row] = secrecy is not None

    def _direct(self, row: int, name: bytes) -> None:
        """Send to this address, unless the far end was already found to be elsewhere."""
        if not self.rows.latched[row]:
            self.rows.peer[row] = name_words(name)

    def _let_send(self, leg: Leg, *, addressed: bool) -> None:
        rows, row, agreed = self.rows, leg.row, leg.agreed
        assert agreed
        sending = agreed.sending and addressed and _kind(agreed) != OTHER
        if sending and not rows.sending[row]:
            rows.marker[row] = _MARKER  # RFC 3551 section 4.1: the first packet after a pause is marked
        rows.sending[row] = sending

    def _look_up(self, leg: Leg, effect: StartMedia) -> None:
        """The far end gave a host name (RFC 8866 section 5.7 allows it): rare, so a lookup is fine."""
        asking = asyncio.ensure_future(asyncio.get_running_loop().getaddrinfo(effect.host, effect.port))
        asking.add_done_callback(partial(self._found, leg, effect))

    def _found(self, leg: Leg, effect: StartMedia, asking: "asyncio.Future[list[Any]]") -> None:
        if asking.cancelled() or asking.exception() or leg.closed or leg.agreed is not effect:
            return
        for *_, address in asking.result():
            with contextlib.suppress(OSError):
                name = packed_name(address[0], effect.port, self._ports.family)
                with self.exchange.lock:
                    self._direct(leg.row, name)
                    self._let_send(leg, addressed=True)
                return

    def _feed_changed(self, feed: EngineFeed) -> None:
        self._post(partial(self.exchange.change_feed, feed))

    def _digits_sent(self, effect: SendDigits, fault: str) -> None:
        fact = DigitsSent(at=self._now(), leg=effect.leg, action=effect.id, digits=effect.digits, fault=fault)
        self.herald.fact(effect.room, fact)


def _kind(effect: StartMedia) -> int:
    return KINDS.get(effect.codec.upper(), OTHER)


def _row(leg: Leg | None) -> int | None:
    return None if leg is None or leg.closed else leg.row
