"""The work of one tick, for one group of legs: receive, play out, mix, send. It knows no clock and no thread.

Rows are opened, changed and closed by whoever holds the lock; rooms, feeds and digits belong to the thread
that ticks, and what others want of them is posted. The lock is held while packets are taken in, and not while
they are played, mixed and sent: so a leg is closed, its last packets counted, with hardly any waiting.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.effects import Mix
from onhook.facts import DigitHeard, Fact, RtpResumed, RtpStopped
from onhook.media.engine import mixing
from onhook.media.engine.digits_in import DigitsIn, Press
from onhook.media.engine.digits_out import DigitsOut, Update
from onhook.media.engine.feeds import EngineFeed, FeedRows
from onhook.media.engine.herald import Herald
from onhook.media.engine.jitter import Depths, Heard, JitterBuffer
from onhook.media.engine.leg import Leg
from onhook.media.engine.packets import Datagrams, Rowed
from onhook.media.engine.reception import V4_WORDS, V6_WORDS, Event, Reception
from onhook.media.engine.reports import Reports
from onhook.media.engine.rooms import GROUPS, Room, Roster, make_roster
from onhook.media.engine.rows import DIGIT, FRAME, Rows
from onhook.media.engine.sending import Sending
from onhook.media.engine.srtp import Secrecy
from onhook.media.engine.wires import IN_BYTES, SLOTS, Lines, Messages, Wire
from onhook.media.parts import Frame, Samples, Tap
from onhook.media.settings import MediaSettings

log = logging.getLogger(__name__)

SWEEP: Final = 8
"""Every eighth tick a second packet of a leg is looked for, without a sign that there is one."""
WATCH_TICKS: Final = 10
"""How often legs that fell silent are looked for: each 200 ms."""
NEVER: Final = float("inf")
MOST_CONTROL: Final = 4
"""Packets of RTCP that are read when a leg is closed."""
_FULL_SCALE_POWER: Final = np.float32(1 / 32_768**2)


class Wires(NamedTuple):
    """One for the lock's holder, one for the media thread."""

    receiving: Wire
    sending: Wire


class Ends(NamedTuple):
    """The ports of each row."""

    media: Lines
    control: Lines


class Exchange:
    def __init__(
        self,
        rows: Rows,
        ends: Ends,
        *,
        wires: Wires,
        settings: MediaSettings,
        herald: Herald,
        arrivals: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> None:
        """`arrivals` makes Unix seconds of the engine's clock of those of the kernel's."""
        self.rows, self._lines, self._wires = rows, ends.media, wires
        self._settings, self.herald = settings, herald
        self._arrivals = arrivals
        self.lock = threading.Lock()
        self.legs: dict[int, Leg] = {}
        """By row."""
        self.secrecies: dict[int, Secrecy] = {}
        """Of rows with SRTP. Who closes a leg leaves it here: the thread may be at its last packet."""
        self._posted: deque[Callable[[], None]] = deque()
        self._buffer = JitterBuffer(rows, Depths(settings.first_delay_ms * 8, settings.most_delay_ms * 8))
        self._reception = Reception(
            rows,
            self._buffer,
            name_words=V6_WORDS if ":" in settings.host else V4_WORDS,
            secrecies=self.secrecies,
            event=self._event,
            control=partial(self._control, muxed=True),
        )
        self._reports = Reports(
            rows,
            ends.control,
            media=ends.media,
            wire=wires.sending,
            secrecies=self.secrecies,
            name_words=V6_WORDS if ":" in settings.host else V4_WORDS,
        )
        self._incoming = Messages(SLOTS, IN_BYTES, control=True)
        self._sending = Sending(rows, ends.media, wires.sending, self.secrecies)
        self._feeds = FeedRows()
        self._playing = mixing.Playing(self._feeds, ended=self._feed_ended, tell=herald.call)
        self._rooms: dict[str, Room] = {}
        self._numbers = 0
        self._rosters: list[Roster | None] = [None] * GROUPS
        self._digits_in: dict[int, DigitsIn] = {}
        self._pressed: set[int] = set()
        self._digits_out: dict[int, deque[Dialling]] = {}
        self._turns = [0] * GROUPS

    def post(self, change: Callable[[], None]) -> None:
        """Have `change` done before the next tick."""
        self._posted.append(change)

    @property
    def idle(self) -> bool:
        """No leg is open, nothing plays or is tapped without one, and nothing is to be done."""
        busy = self.legs or self._posted or any(room.feeds or room.taps for room in self._rooms.values())
        return not busy

    def _settle(self) -> None:
        while self._posted:
            change = self._posted.popleft()
            try:
                change()
            except Exception:  # one leg's fault is not the next one's
                log.exception("media: a change failed")

    def tick(self, group: int, number: int, now: float) -> None:
        """20 ms of one group. `number` counts time in ticks; `now` is Unix seconds."""
        self._settle()
        with self.lock:
            roster = self._roster(group)
            if len(roster.rows):
                self._receive(roster.rows, number)
                self._read_control(self._reports.turn(roster.rows, number))
            if number % WATCH_TICKS == 0:
                self._watch(roster.rows, now)
            self._expire_digits(now)
        if len(roster.rows) or roster.feeds or roster.tapped:
            self._play(group, roster, number, now)
        self.herald.flush()

    def _play(self, group: int, roster: Roster, number: int, now: float) -> None:
        self._turns[group] += 1
        heard = self._buffer.read(roster.rows, self._turns[group])
        self._measure(roster.rows, heard)
        sums = mixing.mixed(roster, heard)
        played = _NO_SOUND
        if roster.feeds:
            played = self._playing.frames(roster)
            mixing.add_feeds(sums, roster, played)
        self._send(roster.rows, sums, number)
        self._reports.send_due(roster.rows, now)
        for room in roster.tapped:
            self._tap(room, mixing.frame_of(room, roster, self.rows, mixing.Sound(heard, played), now))

    # legs, by whoever holds the lock

    def admit(self, leg: Leg, now: float) -> None:
        """From now on it is served."""
        rows = self.rows
        rows.clear(leg.row)
        rows.group[leg.row] = int(np.argmin(np.bincount(rows.group[rows.open], minlength=GROUPS)))
        rows.open[leg.row] = True
        self._reports.admit(leg.row, now)
        self.legs[leg.row] = leg
        self._changed(int(rows.group[leg.row]))

    def receive(self, row: int) -> None:
        """Take in what waits for one leg, now."""
        self._receive(np.array([row]), 0)
        for _ in range(MOST_CONTROL):
            if not self._read_control(np.array([row])):
                break

    def shut(self, leg: Leg, now: float) -> None:
        """From now on it is not served; its far end is told."""
        rows, row = self.rows, leg.row
        self._reports.farewell(row, now)
        rows.open[row] = rows.sending[row] = False
        self._changed(int(rows.group[row]))
        self.post(partial(self._dismiss, leg))

    # rooms, feeds and digits: by the thread that ticks, so posted

    def _dismiss(self, leg: Leg) -> None:
        row = leg.row
        if self.legs.get(row) is leg:
            del self.legs[row]
            self._digits_in.pop(row, None)
            self._pressed.discard(row)
            for dialling in self._digits_out.pop(row, ()):
                dialling.done(f"the leg was closed when {dialling.out.sent} digits were sent")
        for room in self._rooms.values():
            if room.members.get(leg.name) == row:
                del room.members[leg.name]
                self._changed(room.group)

    def mix(self, effect: Mix, rows_of: Callable[[str], int | None]) -> None:
        """`rows_of` gives the row of a leg, None if there is none (any more)."""
        if not effect.voices:
            self._forget(effect.room)
            return
        room = self._room(effect.room)
        rows = self.rows
        self._changed(room.group)
        members: dict[str, int] = {}
        for voice in effect.voices:
            row = rows_of(voice.leg)
            if row is None:
                continue
            self._leave(voice.leg, row, room)
            members[voice.leg] = row
            self._changed(int(rows.group[row]))
            rows.group[row], rows.room[row] = room.group, room.number
            rows.muted[row], rows.held[row] = voice.muted, voice.held
        for row in set(room.members.values()) - set(members.values()):
            if rows.room[row] == room.number:
                rows.room[row] = -1
        room.members = members

    def open_feed(self, feed: EngineFeed) -> None:
        room = self._room(feed.room)
        room.feeds[feed] = self._feeds.open(feed)
        self._changed(room.group)

    def change_feed(self, feed: EngineFeed) -> None:
        """Something was dropped from it, or it was stopped."""
        room = self._rooms.get(feed.room)
        row = room.feeds.get(feed) if room else None
        if room is None or row is None:
            return
        if feed.stopped:
            self._close_feed(room, feed)
        else:
            self._feeds.empty(row)

    def tap(self, name: str, tap: Tap) -> None:
        room = self._room(name)
        room.taps.append(tap)
        self._changed(room.group)

    def untap(self, name: str, tap: Tap) -> None:
        room = self._rooms.get(name)
        if room and tap in room.taps:
            room.taps.remove(tap)
            self._changed(room.group)

    def dial(self, leg: Leg, dialling: "Dialling") -> None:
        if leg.closed:
            dialling.done("the leg was closed before a digit was sent")
        else:
            self._digits_out.setdefault(leg.row, deque()).append(dialling)

    def close(self) -> None:
        """Nothing ticks any more."""
        for name in list(self._rooms):
            self._forget(name)
        self.legs.clear()
        self._wires.receiving.close()
        self._wires.sending.close()

    # inside

    def _changed(self, group: int) -> None:
        self._rosters[group] = None

    def _roster(self, group: int) -> Roster:
        roster = self._rosters[group]
        if roster is None:
            rooms = [room for room in self._rooms.values() if room.group == group]
            roster = self._rosters[group] = make_roster(self.rows, group, rooms)
        return roster

    def _room(self, name: str) -> Room:
        room = self._rooms.get(name)
        if room is None:
            self._numbers += 1
            sizes = np.bincount(self.rows.group[self.rows.open], minlength=GROUPS)
            room = self._rooms[name] = Room(name, self._numbers, int(np.argmin(sizes)))
        return room

    def _leave(self, leg: str, row: int, going_to: Room) -> None:
        if self.rows.room[row] in {-1, going_to.number}:
            return
        for room in self._rooms.values():
            if room is not going_to and room.members.get(leg) == row:
                del room.members[leg]
                self._changed(room.group)

    def _forget(self, name: str) -> None:
        room = self._rooms.pop(name, None)
        if room is None:
            return
        for row in room.members.values():
            if self.rows.room[row] == room.number:
                self.rows.room[row] = -1
        for row in room.feeds.values():
            self._feeds.close(row)
        self._changed(room.group)

    def _close_feed(self, room: Room, feed: EngineFeed) -> None:
        self._feeds.close(room.feeds.pop(feed))
        self._changed(room.group)

    def _feed_ended(self, feed: EngineFeed) -> None:
        """It played out. This is the media thread, without the lock."""
        played_ms = feed.played_ms

        def close() -> None:
            room = self._rooms.get(feed.room)
            if room and feed in room.feeds and not feed.over:
                feed.over = True
                self._close_feed(room, feed)
                self.herald.call(partial(feed.tell_end, played_ms))

        self.post(close)

    def _receive(self, which: Rowed, number: int) -> None:
        rows = self.rows
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
                self.herald.fact(leg.name, leg.measured(self.rows, float(rows.last_at[row])))

    def _read(self, which: Rowed) -> NDArray[np.bool_]:
        """One datagram of each. Who had one."""
        incoming, count = self._incoming, len(which)
        at = self._wires.receiving.receive(self._lines, which, incoming)
        lengths = incoming.lengths[:count]
        got: NDArray[np.bool_] = lengths >= 0
        if got.any():
            at = self._arrivals(at)
            longest = int(lengths.max()) + 7 & ~7  # what is decrypted must be aligned
            datagrams = Datagrams(
                which, incoming.data[:count, : max(32, longest)], incoming.words[:count], lengths, at
            )
            self._reception.take(datagrams if got.all() else datagrams.only(got))
        return got

    def _read_control(self, which: Rowed) -> bool:
        """A packet of RTCP of each. Whether there was one."""
        if not len(which):
            return False
        datagrams = self._reports.received(self._wires.receiving, which)
        if not len(datagrams.rows):
            return False
        arrived = self._arrivals(datagrams.at).tolist()
        for entry, (row, at) in enumerate(zip(datagrams.rows.tolist(), arrived, strict=True)):
            data = datagrams.data[entry, : datagrams.lengths[entry]].tobytes()
            if self._reports.is_from_far_end(row, datagrams.names[entry]):
                self._control(row, data, at, muxed=False)
            else:
                self.rows.foreign[row] += 1
        return True

    def _control(self, row: int, data: bytes, at: float, *, muxed: bool) -> None:
        if not self._reports.take(row, data, at, muxed=muxed):
            self.rows.junk[row] += 1

    def _event(self, event: Event) -> None:
        if event.kind != DIGIT:
            self._buffer.hush(event.row, event.payload)
            return
        digits = self._digits_in.get(event.row)
        if digits is None:
            digits = self._digits_in[event.row] = DigitsIn()
        self.rows.quiet[event.row] = True  # no voice comes while a key is pressed
        self._heard_digits(event.row, digits.take(event.payload, event.timestamp, event.at), event.at)
        (self._pressed.add if digits.pressed else self._pressed.discard)(event.row)

    def _heard_digits(self, row: int, presses: list[Press], at: float) -> None:
        leg = self.legs.get(row)
        for press in presses if leg else ():
            assert leg
            self.rows.digits[row] += 1
            self.herald.fact(
                leg.name, DigitHeard(at=at, leg=leg.name, digit=press.digit, duration_ms=press.duration_ms)
            )

    def _expire_digits(self, now: float) -> None:
        for row in tuple(self._pressed):
            digits = self._digits_in[row]
            self._heard_digits(row, digits.expire(now), now)
            if not digits.pressed:
                self._pressed.discard(row)

    def _watch(self, which: Rowed, now: float) -> None:
        """Tell of legs whose RTP stopped, or came again."""
        rows = self.rows
        last = np.maximum(rows.last_at[which], rows.watched_since[which])
        stopped = rows.stopped[which]
        back = stopped & (rows.last_at[which] > rows.silent_since[which])
        gone = (
            rows.receiving[which] & ~stopped & (now - last > (self._settings.silent_after_seconds or NEVER))
        )
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
            self.herald.fact(leg.name, make(leg.name))

    def _measure(self, which: Rowed, heard: Heard) -> None:
        """The loudest 20 ms of each leg that was heard."""
        if heard.audible.any():
            reals = heard.frames.astype(np.float32)
            power = np.einsum("rs,rs->r", reals, reals) * (_FULL_SCALE_POWER / FRAME)
            self.rows.power[which] = np.maximum(self.rows.power[which], np.where(heard.audible, power, -1))

    def _send(self, which: Rowed, sums: NDArray[np.int32], number: int) -> None:
        sending = self.rows.sending[which]
        updates: dict[int, Update] = {}
        if self._digits_out:
            updates = self._dialled(set(which[sending].tolist()))
        if sending.all():
            self._sending.send(which, sums, number, updates)
        elif sending.any():
            self._sending.send(which[sending], sums[sending], number, updates)

    def _dialled(self, here: set[int]) -> dict[int, Update]:
        """What goes out now of digits that are being sent to these rows."""
        updates: dict[int, Update] = {}
        for row in here & self._digits_out.keys():
            waiting = self._digits_out[row]
            update = waiting[0].out.tick()
            if update is not None:
                updates[row] = update
            if waiting[0].out.over:
                waiting.popleft().done("")
                if not waiting:
                    del self._digits_out[row]
        return updates

    def _tap(self, room: Room, frame: Frame) -> None:
        for tap in tuple(room.taps):
            try:
                tap(frame)
            except Exception:  # whoever listens must not silence the call
                log.exception("media: a tap of room %s failed", room.name)


class Dialling(NamedTuple):
    """Digits on their way to a leg; `done` is told what went wrong, or nothing."""

    out: DigitsOut
    done: Callable[[str], None]


def _stopped(now: float, seconds: float, counts: tuple[int, int], leg: str) -> RtpStopped:
    return RtpStopped(at=now, leg=leg, silent_seconds=seconds, received=counts[0], sent=counts[1])


def _resumed(now: float, seconds: float, leg: str) -> RtpResumed:
    return RtpResumed(at=now, leg=leg, silent_seconds=seconds)


_NO_SOUND: Final[Samples] = np.zeros((0, FRAME), np.int16)
