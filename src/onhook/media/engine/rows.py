"""The state of all legs: one row a port, one array for each thing that is known of a leg.

Rows are as many as ports, so no array ever grows. `positions` count samples of a leg's stream at 8,000 Hz:
0 is where its first packet stood.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine import g711

FRAME: Final = 160
"""Samples of 20 ms at 8,000 Hz, the clock of a row."""
TICK_SECONDS: Final = 0.02
RING_FRAMES: Final = 64
RING: Final = RING_FRAMES * FRAME
"""1.28 s: more than the deepest jitter buffer."""
EMPTY: Final = -32_768
"""Stands in the ring where no sample came; no codec of ours yields it."""
NAME_WORDS: Final = 4
"""Of 8 bytes: struct sockaddr_in6, the longest, has 28 bytes."""

# What a payload type means to us. 0 is nothing; those from G722 on need a codec object of their own.
NOTHING, DIGIT, NOISE, MU_LAW, A_LAW, G722, OPUS, OTHER = range(8)
KINDS: Final = {
    "PCMU": MU_LAW,
    "PCMA": A_LAW,
    "G722": G722,
    "OPUS": OPUS,
    "TELEPHONE-EVENT": DIGIT,
    "CN": NOISE,
}
STATIC_TYPES: Final = ((0, MU_LAW), (8, A_LAW), (9, G722), (13, NOISE))
"""RFC 3551 section 6: taken in before a description said more."""


def _array(count: int, kind: Any, shape: tuple[int, ...] = ()) -> NDArray[Any]:
    return np.zeros((count, *shape), kind)  # zeros: memory is taken only once a row is used


class Rows:
    """Written by whoever holds the engine's lock, and by the media thread between its receptions."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._make_outgoing(count)
        self._make_incoming(count)
        self._make_counts(count)
        self._make_buffers(count)

    def _make_outgoing(self, count: int) -> None:
        self.open = _array(count, np.bool_)
        self.started = _array(count, np.bool_)
        self.sending = _array(count, np.bool_)
        self.receiving = _array(count, np.bool_)
        self.group = _array(count, np.int8)
        self.room = _array(count, np.int32)
        self.muted = _array(count, np.bool_)
        self.held = _array(count, np.bool_)
        self.peer = _array(count, np.uint64, (NAME_WORDS,))
        self.codec = _array(count, np.int8)
        self.law = _array(count, np.int8)
        self.wide = _array(count, np.bool_)
        self.spoken = _array(count, np.bool_)
        self.payload_type = _array(count, np.uint8)
        self.marker = _array(count, np.uint8)
        self.ssrc = _array(count, np.uint32)
        self.sequence = _array(count, np.uint16)
        self.timestamp = _array(count, np.uint32)
        self.tick = _array(count, np.int64)
        self.sent = _array(count, np.int64)
        self.digit_type = _array(count, np.uint8)

    def _make_incoming(self, count: int) -> None:
        self.latched = _array(count, np.bool_)
        self.source = _array(count, np.uint64, (NAME_WORDS,))
        self.kinds = _array(count, np.uint8, (128,))
        self.wrong_types = _array(count, np.bool_, (128,))
        self.srtp = _array(count, np.bool_)

    def _make_counts(self, count: int) -> None:
        self.received = _array(count, np.int64)
        self.late = _array(count, np.int64)
        self.doubled = _array(count, np.int64)
        self.junk = _array(count, np.int64)
        self.foreign = _array(count, np.int64)
        self.undecipherable = _array(count, np.int64)
        self.wrong_codec = _array(count, np.int64)
        self.streams = _array(count, np.int32)
        self.digits = _array(count, np.int32)
        self.first_at = _array(count, np.float64)
        self.last_at = _array(count, np.float64)
        self.stopped = _array(count, np.bool_)
        self.watched_since = _array(count, np.float64)
        self.silent_since = _array(count, np.float64)
        self.power = _array(count, np.float32)
        # of the stream: RFC 3550 A.1, A.3 and A.8
        self.far_ssrc = _array(count, np.uint32)
        self.next_ssrc = _array(count, np.uint32)
        self.base = _array(count, np.int64)
        self.highest = _array(count, np.int64)
        self.expected_before = _array(count, np.int64)
        self.came = _array(count, np.int64)
        self.seen = _array(count, np.uint64)
        self.transit = _array(count, np.float64)
        self.jitter = _array(count, np.float64)
        self.thirsty = _array(count, np.bool_)
        self._make_reports(count)

    def _make_reports(self, count: int) -> None:
        """RTCP: ours and the far end's."""
        self.clock = _array(count, np.float64)
        self.step = _array(count, np.int64)
        self.octets = _array(count, np.int64)
        self.report_at = _array(count, np.float64)
        self.expected_reported = _array(count, np.int64)
        self.came_reported = _array(count, np.int64)
        self.control_muxed = _array(count, np.bool_)
        self.sender_report = _array(count, np.uint32)
        self.sender_report_at = _array(count, np.float64)
        self.far_reported = _array(count, np.bool_)
        self.far_lost = _array(count, np.int64)
        self.far_jitter = _array(count, np.float64)
        self.round_trip = _array(count, np.float64)

    def _make_buffers(self, count: int) -> None:
        self.ring = _array(count, np.int16, (RING_FRAMES, FRAME))
        self.last_timestamp = _array(count, np.uint32)
        self.last_position = _array(count, np.int64)
        self.end = _array(count, np.int64)
        self.play = _array(count, np.int64)
        self.playing = _array(count, np.bool_)
        self.starved = _array(count, np.int32)
        self.concealed = _array(count, np.int32)
        self.quiet = _array(count, np.bool_)
        self.start = _array(count, np.int64)
        self.noise = _array(count, np.float32)
        self.least_slack = _array(count, np.int32)
        self.window = _array(count, np.int32)
        self.late_in_window = _array(count, np.int32)
        self.misfit = _array(count, np.int32)
        self.delay = _array(count, np.float32)
        self.history = _array(count, np.int16, (2, FRAME))
        self.wide_ring = _array(count, np.int32, (RING_FRAMES, FRAME))
        self.wide_history = _array(count, np.int32, (2, FRAME))

    def clear(self, row: int) -> None:
        """As new. The ring is cleared when a stream begins."""
        for name, array in vars(self).items():
            if name not in {"count", "ring", "wide_ring"}:
                array[row] = 0
        for payload_type, kind in STATIC_TYPES:
            self.kinds[row, payload_type] = kind
        self.room[row] = self.tick[row] = self.power[row] = self.round_trip[row] = -1
        self.clock[row], self.step[row] = 8000, FRAME

    def law_of(self, kind: int) -> int:
        return g711.PCMA if kind == A_LAW else g711.PCMU
