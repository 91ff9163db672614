"""All that comes to the legs of a group: RTP, RTCP, digits; and what does not come any more.

By whoever holds the lock of the exchange.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.facts import DigitHeard, Fact, RtpResumed, RtpStopped
from onhook.media.engine.codecs import NARROW, WIDE
from onhook.media.engine.coders import Ear
from onhook.media.engine.digits_in import DigitsIn, Press
from onhook.media.engine.herald import Herald
from onhook.media.engine.jitter import JitterBuffer
from onhook.media.engine.leg import Leg
from onhook.media.engine.packets import Datagrams, Packets, Rowed
from onhook.media.engine.reception import V4_WORDS, V6_WORDS, Event, Reception
from onhook.media.engine.reports import Reports
from onhook.media.engine.rows import DIGIT, OTHER, Rows
from onhook.media.engine.srtp import Secrecy
from onhook.media.engine.wires import IN_BYTES, SLOTS, Lines, Messages, Wire
from onhook.media.settings import MediaSettings

SWEEP: Final = 8
"""Every eighth tick a second packet of a leg is looked for, without a sign that there is one."""
WATCH_TICKS: Final = 10
"""How often legs that fell silent are looked for: each 200 ms."""
MOST_CONTROL: Final = 4
"""Packets of RTCP that are read when a leg is closed."""
NEVER: Final = float("inf")

Arrivals = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class Buffers(NamedTuple):
    """Rows at 8 kHz, and rows at 16 kHz."""

    narrow: JitterBuffer
    wide: JitterBuffer


class Intake:
    def __init__(
        self,
        rows: Rows,
        buffers: Buffers,
        *,
        lines: Lines,
        wire: Wire,
        reports: Reports,
        secrecies: dict[int, Secrecy],
        settings: MediaSettings,
        herald: Herald,
        arrivals: Arrivals,
    ) -> None:
        """`arrivals` makes Unix seconds of the engine's clock of those of the kernel's."""
        self._rows, self._buffers, self._lines, self._wire = rows, buffers, lines, wire
        self._reports, self._settings, self._herald, self._arrivals = reports, settings, herald, arrivals
        self.legs: dict[int, Leg] = {}
        """By row."""
        self._reception = Reception(
            rows,
            buffers.narrow,
            coded=self._take_coded,
            name_words=V6_WORDS if ":" in settings.host else V4_WORDS,
            secrecies=secrecies,
            event=self._event,
            control=partial(self._control, muxed=True),
        )
        self._incoming = Messages(SLOTS, IN_BYTES, control=True)
        self._ears: dict[int, Ear] = {}
        self._digits: dict[int, DigitsIn] = {}
        self._pressed: set[int] = set()

    def tick(self, which: Rowed, number: int, now: float) -> None:
        """What came to these rows since the last tick."""
        self._receive(which, number)
        self._read_control(self._reports.turn(which, number))
        if number % WATCH_TICKS == 0:
            self._watch(which, now)
        for row in tuple(self._pressed):
            digits = self._digits[row]
            self._heard_digits(row, digits.expire(now), now)
            if not digits.pressed:
                self._pressed.discard(row)

    def receive(self, row: int) -> None:
        """What came to one leg, now."""
        self._receive(np.array([row]), 0)
        for _ in range(MOST_CONTROL):
            if not self._read_control(np.array([row])):
                break

    def forget(self, row: int) -> None:
        """Another leg begins, or this one with another codec."""
        self._ears.pop(row, None)
        self._digits.pop(row, None)
        self._pressed.discard(row)

    def _receive(self, which: Rowed, number: int) -> None:
        rows = self._rows
        for start in range(0, len(which), SLOTS):
            part = which[start : start + SLOTS]
            got = self._read(part)
            more = part[got] if number % SWEEP == 0 else part[got & rows.thirsty[part]]
            rows.thirsty[part] = ~got
            for _ in range(self._settings.max_packets_a_tick - 1):
                if not len(more):
                    break
                more = more[self._read(more)]
                rows.thirsty[more] = True
        first, self._reception.first = self._reception.first, []
        for row in first:
            if leg := self.legs.get(row):
                self._herald.fact(leg.name, leg.measured(rows, float(rows.last_at[row])))

    def _read(self, which: Rowed) -> NDArray[np.bool_]:
        """One datagram of each. Who had one."""
        incoming, count = self._incoming, len(which)
        at = self._wire.receive(self._lines, which, incoming)
        lengths = incoming.lengths[:count]
        got: NDArray[np.bool_] = lengths >= 0
        if got.any():
            longest = int(lengths.max()) + 7 & ~7  # what is decrypted must be aligned
            data = incoming.data[:count, : max(32, longest)]
            datagrams = Datagrams(which, data, incoming.words[:count], lengths, self._arrivals(at))
            self._reception.take(datagrams if got.all() else datagrams.only(got))
        return got

    def _take_coded(self, packets: Packets) -> None:
        """Voice that needs a codec object; and that of wide rows, whatever it is."""
        rows = self._rows
        unknown = packets.kind == OTHER
        if unknown.any():
            rows.received[packets.rows[unknown]] += 1  # agreed on, and all that we can do with it
            packets = packets.only(~unknown)
        wide = rows.wide[packets.rows]
        for buffer, part in ((self._buffers.narrow, ~wide), (self._buffers.wide, wide)):
            if part.any():
                some = packets.only(part)
                sounds = [
                    self._ear(row).decode(kind, some.payload(entry))
                    for entry, (row, kind) in enumerate(
                        zip(some.rows.tolist(), some.kind.tolist(), strict=True)
                    )
                ]
                buffer.put_sound(some, sounds)

    def _ear(self, row: int) -> Ear:
        rate = WIDE if self._rows.wide[row] else NARROW
        ear = self._ears.get(row)
        if ear is None or ear.rate != rate:
            ear = self._ears[row] = Ear(rate)
        return ear

    # RTCP

    def _read_control(self, which: Rowed) -> bool:
        """A packet of RTCP of each. Whether there was one."""
        if not len(which):
            return False
        datagrams = self._reports.received(self._wire, which)
        if not len(datagrams.rows):
            return False
        arrived = self._arrivals(datagrams.at).tolist()
        for entry, (row, at) in enumerate(zip(datagrams.rows.tolist(), arrived, strict=True)):
            data = datagrams.data[entry, : datagrams.lengths[entry]].tobytes()
            if self._reports.is_from_far_end(row, datagrams.names[entry]):
                self._control(row, data, at, muxed=False)
            else:
                self._rows.foreign[row] += 1
        return True

    def _control(self, row: int, data: bytes, at: float, *, muxed: bool) -> None:
        if not self._reports.take(row, data, at, muxed=muxed):
            self._rows.junk[row] += 1

    # digits and comfort noise

    def _event(self, event: Event) -> None:
        row = event.row
        if event.kind != DIGIT:
            self._buffers.narrow.hush(row, event.payload)
            return
        digits = self._digits.get(row)
        if digits is None:
            leg = self.legs.get(row)
            clock = leg.agreed.event_clock if leg and leg.agreed else NARROW
            digits = self._digits[row] = DigitsIn(clock)
        self._rows.quiet[row] = True  # no voice comes while a key is pressed
        self._heard_digits(row, digits.take(event.payload, event.timestamp, event.at), event.at)
        (self._pressed.add if digits.pressed else self._pressed.discard)(row)

    def _heard_digits(self, row: int, presses: list[Press], at: float) -> None:
        for press in presses:
            self._rows.digits[row] += 1
            self._tell(row, partial(_heard, at, press))

    # silence

    def _watch(self, which: Rowed, now: float) -> None:
        """Tell of legs whose RTP stopped, or came again."""
        rows = self._rows
        last = np.maximum(rows.last_at[which], rows.watched_since[which])
        stopped = rows.stopped[which]
        back = stopped & (rows.last_at[which] > rows.silent_since[which])
        limit = self._settings.silent_after_seconds or NEVER
        gone = rows.receiving[which] & ~stopped & (now - last > limit)
        for row in which[back].tolist():
            quiet = float(rows.last_at[row] - rows.silent_since[row])
            self._tell(row, partial(_resumed, now, quiet))
        rows.stopped[which] = (stopped & ~back) | gone
        rows.silent_since[which] = np.where(gone, last, rows.silent_since[which])
        for row, since in zip(which[gone].tolist(), last[gone].tolist(), strict=True):
            counts = int(rows.received[row]), int(rows.sent[row])
            self._tell(row, partial(_stopped, now, now - since, counts))

    def _tell(self, row: int, make: Callable[[str], Fact]) -> None:
        if leg := self.legs.get(row):
            self._herald.fact(leg.name, make(leg.name))


def _heard(at: float, press: Press, leg: str) -> DigitHeard:
    return DigitHeard(at=at, leg=leg, digit=press.digit, duration_ms=press.duration_ms)


def _stopped(now: float, seconds: float, counts: tuple[int, int], leg: str) -> RtpStopped:
    return RtpStopped(at=now, leg=leg, silent_seconds=seconds, received=counts[0], sent=counts[1])


def _resumed(now: float, seconds: float, leg: str) -> RtpResumed:
    return RtpResumed(at=now, leg=leg, silent_seconds=seconds)
