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

from onhook.effects import Mix
from onhook.media.engine import mixing
from onhook.media.engine.codecs import NARROW, WIDE
from onhook.media.engine.coders import Mouth, RateChange
from onhook.media.engine.feeds import EngineFeed, FeedRows
from onhook.media.engine.herald import Herald
from onhook.media.engine.intake import Arrivals, Buffers, Intake
from onhook.media.engine.jitter import Depths, Heard, JitterBuffer
from onhook.media.engine.leg import Leg
from onhook.media.engine.output import Dialling, Output
from onhook.media.engine.packets import Rowed
from onhook.media.engine.reception import V4_WORDS, V6_WORDS
from onhook.media.engine.reports import Reports
from onhook.media.engine.rooms import GROUPS, Room, Roster, make_rosters
from onhook.media.engine.rows import FRAME, Rows
from onhook.media.engine.sending import Sending
from onhook.media.engine.srtp import Secrecy
from onhook.media.engine.wires import Lines, Wire
from onhook.media.parts import Frame, Samples, Tap
from onhook.media.settings import MediaSettings

log = logging.getLogger(__name__)
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
        arrivals: Arrivals,
    ) -> None:
        """`arrivals` makes Unix seconds of the engine's clock of those of the kernel's."""
        self.rows, self.herald, self._wires = rows, herald, wires
        self.lock = threading.Lock()
        self.secrecies: dict[int, Secrecy] = {}
        """Of rows with SRTP. Who closes a leg leaves it here: the thread may be at its last packet."""
        self.mouths: dict[int, Mouth] = {}
        """Of rows that are `spoken`; they stay likewise."""
        depths = Depths(settings.first_delay_ms * 8, settings.most_delay_ms * 8)
        self._buffers = Buffers(JitterBuffer(rows, depths), JitterBuffer(rows, depths, 2))
        self._reports = Reports(
            rows,
            ends.control,
            media=ends.media,
            wire=wires.sending,
            secrecies=self.secrecies,
            name_words=V6_WORDS if ":" in settings.host else V4_WORDS,
        )
        self.intake = Intake(
            rows,
            self._buffers,
            lines=ends.media,
            wire=wires.receiving,
            reports=self._reports,
            secrecies=self.secrecies,
            settings=settings,
            herald=herald,
            arrivals=arrivals,
        )
        sending = Sending(rows, ends.media, wires.sending, self.secrecies)
        self._output = Output(rows, sending, self.mouths)
        self._up = RateChange(rows.count, NARROW, WIDE)
        self._feeds = FeedRows()
        self._playing = mixing.Playing(self._feeds, ended=self._feed_ended, tell=herald.call)
        self._posted: deque[Callable[[], None]] = deque()
        self._rooms: dict[str, Room] = {}
        self._numbers = 0
        self._rosters: list[list[Roster] | None] = [None] * GROUPS
        self._turns = [0] * GROUPS

    def post(self, change: Callable[[], None]) -> None:
        """Have `change` done before the next tick."""
        self._posted.append(change)

    @property
    def idle(self) -> bool:
        """No leg is open, nothing plays or is tapped without one, and nothing is to be done."""
        busy = self.intake.legs or self._posted
        return not busy and not any(room.feeds or room.taps for room in self._rooms.values())

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
            rosters = self._rosters_of(group)
            for roster in rosters:
                if len(roster.rows):
                    self.intake.tick(roster.rows, number, now)
        self._turns[group] += 1
        for roster in rosters:
            self._play(roster, self._turns[group], number, now)
        self.herald.flush()

    def _play(self, roster: Roster, turn: int, number: int, now: float) -> None:
        heard = self._heard(roster, turn)
        self._measure(roster.rows, heard)
        sums = mixing.mixed(roster, heard)
        played = self._playing.frames(roster) if roster.feeds else _NO_SOUND
        mixing.add_feeds(sums, roster, played)
        self._output.send(roster, sums, number)
        self._reports.send_due(roster.rows, now)
        for room in roster.tapped:
            self._tap(room, mixing.frame_of(room, roster, self.rows, mixing.Sound(heard, played), now))

    def _heard(self, roster: Roster, turn: int) -> Heard:
        """20 ms of each leg of the roster, at its rate."""
        if roster.scale == 1:
            return self._buffers.narrow.read(roster.rows, turn)
        frames = np.zeros((len(roster.rows), FRAME * roster.scale), np.int16)
        audible = np.zeros(len(roster.rows), np.bool_)
        wide = self._buffers.wide.read(roster.rows[roster.wide], turn)
        frames[roster.wide], audible[roster.wide] = wide
        if len(roster.narrow):
            rows = roster.rows[roster.narrow]
            narrow = self._buffers.narrow.read(rows, turn)
            frames[roster.narrow] = np.rint(self._up(rows, narrow.frames))
            audible[roster.narrow] = narrow.audible
        return Heard(frames, audible)

    # legs, by whoever holds the lock

    def admit(self, leg: Leg, now: float) -> None:
        """From now on it is served."""
        rows = self.rows
        rows.clear(leg.row)
        rows.group[leg.row] = int(np.argmin(np.bincount(rows.group[rows.open], minlength=GROUPS)))
        rows.open[leg.row] = True
        self._reports.admit(leg.row, now)
        self.intake.forget(leg.row)
        self.intake.legs[leg.row] = leg
        self._changed(int(rows.group[leg.row]))

    def recode(self, leg: Leg, *, wide: bool, mouth: Mouth | None) -> None:
        """It has another codec: `mouth` if G.711 in packets of 20 ms is not what it hears."""
        rows, row = self.rows, leg.row
        if mouth is not None:
            self.mouths[row] = mouth
        if rows.wide[row] != wide:
            rows.playing[row] = False  # the next packet begins anew, at the other rate
            rows.concealed[row] = 0
            self.intake.forget(row)
        rows.wide[row], rows.spoken[row] = wide, mouth is not None
        self._changed(int(rows.group[row]))

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
        if self.intake.legs.get(row) is leg:
            del self.intake.legs[row]
            self._output.forget(row)
            self._up.forget(row)
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

    def dial(self, leg: Leg, dialling: Dialling) -> None:
        if leg.closed:
            dialling.done("the leg was closed before a digit was sent")
        else:
            self._output.dial(leg.row, dialling)

    def close(self) -> None:
        """Nothing ticks any more."""
        for name in list(self._rooms):
            self._forget(name)
        self.intake.legs.clear()
        self._wires.receiving.close()
        self._wires.sending.close()

    # inside

    def _changed(self, group: int) -> None:
        self._rosters[group] = None

    def _rosters_of(self, group: int) -> list[Roster]:
        rosters = self._rosters[group]
        if rosters is None:
            rooms = [room for room in self._rooms.values() if room.group == group]
            rosters = self._rosters[group] = make_rosters(self.rows, group, rooms)
            for roster in rosters:
                for room in roster.rooms:
                    self._retune(room, roster.scale)
        return rosters

    def _retune(self, room: Room, scale: int) -> None:
        """The room may have another rate than before: then its feeds have too."""
        if room.scale != scale:
            for row in room.feeds.values():
                self._feeds.convert(row, room.scale * NARROW, scale * NARROW)
            room.scale = scale

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

    def _measure(self, which: Rowed, heard: Heard) -> None:
        """The loudest 20 ms of each leg that was heard."""
        if heard.audible.any():
            reals = heard.frames.astype(np.float32)
            power = np.einsum("rs,rs->r", reals, reals) * (_FULL_SCALE_POWER / reals.shape[1])
            self.rows.power[which] = np.maximum(self.rows.power[which], np.where(heard.audible, power, -1))

    def _tap(self, room: Room, frame: Frame) -> None:
        for tap in tuple(room.taps):
            try:
                tap(frame)
            except Exception:  # whoever listens must not silence the call
                log.exception("media: a tap of room %s failed", room.name)


_NO_SOUND: Final[Samples] = np.zeros((0, FRAME), np.int16)
