"""What goes out to the legs of a group: the sound that each hears, in its codec, or digits instead."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine import g711
from onhook.media.engine.codecs import NARROW, WIDE
from onhook.media.engine.coders import Mouth, RateChange
from onhook.media.engine.digits_out import DigitsOut, Update
from onhook.media.engine.packets import Rowed
from onhook.media.engine.rooms import Roster
from onhook.media.engine.rows import Rows
from onhook.media.engine.sending import Said, Sending


class Dialling(NamedTuple):
    """Digits on their way to a leg; `done` is told what went wrong, or nothing."""

    out: DigitsOut
    done: Callable[[str], None]


class Output:
    """On the media thread."""

    def __init__(self, rows: Rows, sending: Sending, mouths: dict[int, Mouth]) -> None:
        """`mouths` are those of rows that are `spoken`."""
        self._rows, self._sending, self._mouths = rows, sending, mouths
        self._down = RateChange(rows.count, WIDE, NARROW)
        self._digits: dict[int, deque[Dialling]] = {}

    def dial(self, row: int, dialling: Dialling) -> None:
        self._digits.setdefault(row, deque()).append(dialling)

    def forget(self, row: int) -> None:
        """The leg is closed."""
        self._down.forget(row)
        for dialling in self._digits.pop(row, ()):
            dialling.done(f"the leg was closed when {dialling.out.sent} digits were sent")

    def send(self, roster: Roster, sums: NDArray[np.int32], number: int) -> None:
        """20 ms to each leg of the roster that is to be sent to. `sums` is used up."""
        which, sending = roster.rows, self._rows.sending[roster.rows]
        updates = self._dialled(set(which[sending].tolist())) if self._digits else {}
        missed = self._sending.advance(which[sending], number)
        plain = np.flatnonzero(sending & ~roster.spoken)
        if len(plain):
            rows = which[plain]
            sounds = sums if len(plain) == len(which) and roster.scale == 1 else sums[plain]
            self._sending.send(rows, sounds if roster.scale == 1 else self._narrowed(rows, sounds), updates)
        spoken = np.flatnonzero(sending & roster.spoken)
        if len(spoken):
            self._say(which[spoken], sums[spoken], roster.scale, updates, set(missed.tolist()))

    def _say(
        self,
        which: Rowed,
        sums: NDArray[np.int32],
        scale: int,
        updates: dict[int, Update],
        missed: set[int],
    ) -> None:
        said: list[Said] = []
        mouths = [self._mouths.get(row) for row in which.tolist()]
        sounds = g711.softly_limited(sums)
        thin = np.array([mouth is not None and mouth.rate < scale * NARROW for mouth in mouths])
        narrowed = iter(())
        if thin.any():
            narrowed = iter(g711.softly_limited(self._narrowed(which[thin], sums[thin])))
        for place, (row, mouth) in enumerate(zip(which.tolist(), mouths, strict=True)):
            sound = next(narrowed) if thin[place] else sounds[place]
            if mouth is None:
                continue
            if row in missed or row in updates:
                mouth.forget()
            if (update := updates.get(row)) is not None:
                said.append(Said(row, update.payload, 0, update))
                continue
            said += [Said(row, packet.payload, packet.behind) for packet in mouth.say(sound)]
        self._sending.say(said)

    def _narrowed(self, which: Rowed, sums: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.rint(self._down(which, sums)).astype(np.int32)

    def _dialled(self, here: set[int]) -> dict[int, Update]:
        """What goes out now of digits that are being sent to these rows."""
        updates: dict[int, Update] = {}
        for row in here & self._digits.keys():
            waiting = self._digits[row]
            update = waiting[0].out.tick()
            if update is not None:
                updates[row] = update
            if waiting[0].out.over:
                waiting.popleft().done("")
                if not waiting:
                    del self._digits[row]
        return updates
