"""Who is in which channel of an unmixed recording, and who took part at all.

documented: one participant a channel, five channels; channelAffinity names some, the others get the next
free channel when they are first heard. assumed: who is heard when all channels are taken is in no channel;
the recording's last fact says so.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from onhook.acs.recordings import MAX_CHANNELS, RecordedParticipant
from onhook.media.parts import Samples

HEARD_PEAK: Final = 100
"""A sample louder than this is somebody who is heard, not the noise of an idle line (-50 dBov)."""


class Channels:
    """`affinity` gives channels 0 to 4 to raw ids, also to those who come later or never."""

    def __init__(self, affinity: Iterable[tuple[str, int]] = ()) -> None:
        self._taken = {raw_id: channel for raw_id, channel in affinity if 0 <= channel < MAX_CHANNELS}
        self._names: Mapping[str, str] = {}
        self._by_leg: dict[str, int | None] = {}
        self._took_part: dict[str, None] = {}

    def name(self, names: Iterable[tuple[str, str]]) -> None:
        """Who is in the room now: (leg, raw id)."""
        self._names = dict(names)
        self._by_leg = {}
        self._took_part |= dict.fromkeys(self._names.values())

    def of(self, leg: str, sound: Samples) -> int | None:
        """The channel of a leg that sounds like this; None as long as it is not heard, or without channel."""
        if leg in self._by_leg:
            return self._by_leg[leg]
        raw_id = self._names.get(leg, leg)
        channel = self._taken.get(raw_id)
        if channel is None:
            if not np.any(np.abs(sound.astype(np.int32)) > HEARD_PEAK):
                return None
            channel = next((c for c in range(MAX_CHANNELS) if c not in self._taken.values()), None)
            if channel is not None:
                self._taken[raw_id] = channel
            self._took_part[raw_id] = None
        self._by_leg[leg] = channel
        return channel

    @property
    def width(self) -> int:
        """How many channels the file needs: up to the highest one given, and one at least."""
        return max(self._taken.values(), default=0) + 1

    @property
    def left_out(self) -> list[str]:
        """Raw ids that were heard and have no channel."""
        return [
            raw_id
            for raw_id in dict.fromkeys(self._names.get(leg, leg) for leg in self._by_leg)
            if raw_id not in self._taken
        ]

    def participants(self, *, mixed: bool) -> list[RecordedParticipant]:
        """Everybody who took part, in the order in which they came."""
        return [
            RecordedParticipant(participant_id=raw_id, channel=None if mixed else self._taken.get(raw_id))
            for raw_id in self._took_part
        ]
