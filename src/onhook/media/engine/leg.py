"""A leg by its name: which row is its own, what was agreed, and what its counts come to."""

from dataclasses import dataclass

import numpy as np

from onhook.effects import StartMedia
from onhook.facts import MediaMeasured
from onhook.media.engine import quality
from onhook.media.engine.rows import Rows

FRAME_MS = 20
SILENCE = 1e-10
"""Power of what is told as -100 dBov: samples that are all zero have no level."""


@dataclass(slots=True, eq=False)
class Leg:
    name: str
    row: int
    agreed: StartMedia | None = None
    closed: bool = False

    @property
    def remote(self) -> str:
        """Where the far end said that it is."""
        agreed = self.agreed
        if agreed is None:
            return ""
        return f"[{agreed.host}]:{agreed.port}" if ":" in agreed.host else f"{agreed.host}:{agreed.port}"

    def measured(self, rows: Rows, at: float) -> MediaMeasured:
        row = self.row
        first, last = float(rows.first_at[row]), float(rows.last_at[row])
        expected = int(rows.expected_before[row] + rows.highest[row] - rows.base[row] + 1)
        came = int(rows.came[row])
        lost = max(0, expected - came) if came else 0
        power, received = float(rows.power[row]), int(rows.received[row])
        return MediaMeasured(
            at=at,
            leg=self.name,
            sent=int(rows.sent[row]),
            received=received,
            first_received_at=first or None,
            last_received_at=last or None,
            codec=self.agreed.codec if self.agreed else "",
            remote=self.remote,
            lost=lost,
            late=int(rows.late[row]),
            doubled=int(rows.doubled[row]),
            jitter_ms=round(float(rows.jitter[row]) * 1000, 3),
            mos=self._mos(rows, (lost + int(rows.late[row])) / expected) if came else None,
            round_trip_ms=round(1000 * float(rows.round_trip[row]), 1) if rows.round_trip[row] >= 0 else None,
            far_lost=int(rows.far_lost[row]) if rows.far_reported[row] else None,
            far_jitter_ms=round(1000 * float(rows.far_jitter[row]), 3) if rows.far_reported[row] else None,
            wrong_codec=int(rows.wrong_codec[row]),
            wrong_types=tuple(np.flatnonzero(rows.wrong_types[row]).tolist()),
            undecipherable=int(rows.undecipherable[row]),
            foreign=int(rows.foreign[row]),
            junk=int(rows.junk[row]),
            streams=int(rows.streams[row]),
            digits=int(rows.digits[row]),
            loudest_dbov=round(float(10 * np.log10(max(power, SILENCE))), 1) if power >= 0 else None,
        )

    def _mos(self, rows: Rows, lost: float) -> float:
        """How the far end sounds: the packet's own time, that of the jitter buffer, half a round trip."""
        row = self.row
        delay_ms = FRAME_MS + float(rows.delay[row]) / 8 + max(0.0, 500 * float(rows.round_trip[row]))
        codec = self.agreed.codec if self.agreed else ""
        return round(quality.mos(quality.rating(codec or "PCMU", lost, delay_ms)), 2)
