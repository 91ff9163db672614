"""What the parts of media need of each other: the engine that carries RTP, and those who play and listen.

An engine carries RTP, mixes rooms and counts; prompts, recognisers, recordings and streams stand beside it
and meet it here. Audio between them is 16-bit signed mono in numpy arrays.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from onhook.effects import Mix, SendDigits, StartMedia
from onhook.facts import Fact, MediaMeasured

Samples: TypeAlias = NDArray[np.int16]
FactHandler: TypeAlias = Callable[[str, Fact], None]
"""(owner, fact): the leg that the fact is of, else the room. Called on the event loop."""
FRAME_SECONDS = 0.02


class Clip(NamedTuple):
    """Sound to be played. `rate` is 8000, 16000, 24000 or 48000 Hz."""

    samples: Samples
    rate: int


class Frame(NamedTuple):
    """20 ms of a room as it sounded: at `rate` Hz, `rate` / 50 samples in every array.

    `voices` holds the legs that were heard, each by itself (muted and held ones are not), and `prompts` the
    legs to which something was played, with that; `mixed` is what somebody who only listens would hear,
    prompts to everyone included. Nobody heard: empty `voices`, and silence.
    """

    at: float
    """Unix seconds."""
    rate: int
    mixed: Samples
    voices: Mapping[str, Samples]
    prompts: Mapping[str, Samples]


Tap: TypeAlias = Callable[[Frame], None]
"""Called on the media thread at every tick: it must return at once, so it only hands the frame on."""


class Feed(Protocol):
    """Sound on its way to some legs. All methods may be called from the event loop's thread."""

    def add(self, clip: Clip) -> None:
        """Played after what was added before."""
        ...

    def finish(self) -> None:
        """Nothing more is added: once all is played, `ended` is called."""
        ...

    def clear(self) -> None:
        """Drop what is not played yet; more may be added."""
        ...

    def stop(self) -> int:
        """Stop now; `ended` is not called. Returns how many ms were played. Again: the same."""
        ...

    @property
    def waiting_seconds(self) -> float:
        """How much sound is added and not played."""
        ...


class Engine(Protocol):
    """Carries RTP. All methods are for the event loop's thread; none waits."""

    def open(self, leg: str) -> tuple[str, int]:
        """Host and port for our SDP; again for the same leg: the same. Raises PortsUsedUp."""
        ...

    def start(self, effect: StartMedia) -> None: ...
    def close(self, leg: str) -> MediaMeasured: ...
    def mix(self, effect: Mix) -> None:
        """Told without voices, a room closes with its taps and feeds. It is there from the first `mix`,
        `feed` or `tap` that names it: a feed that nobody hears takes its time, and silence is tapped.
        """
        ...

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
        """Open a feed to these legs, or to everyone in the room (`to_all`, also who joins later).

        `started` is called when the first sound goes out, `ended(played_ms)` after the last of a finished
        feed; both on the event loop. `loop` repeats what was added once it is finished, until stopped. While
        a feed plays to a leg, that leg hears it mixed with the others of its room.
        """
        ...

    def send_digits(self, effect: SendDigits) -> None:
        """`DigitsSent` follows as a fact of the room."""
        ...

    def tap(self, room: str, tap: Tap) -> None: ...
    def untap(self, room: str, tap: Tap) -> None: ...
    def on_fact(self, handler: FactHandler) -> None:
        """First packets and digits (`MediaMeasured`, `DigitHeard`, `RtpStopped`, `RtpResumed`): by leg."""
        ...

    def stop(self) -> None: ...
