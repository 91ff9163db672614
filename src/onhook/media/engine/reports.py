"""RTCP of the legs: a report every five seconds or so, and what the far ends report (RFC 3550 section 6)."""

import contextlib
import secrets
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine import rtcp
from onhook.media.engine.packets import Datagrams, Rowed
from onhook.media.engine.rows import Rows
from onhook.media.engine.srtp import Secrecy
from onhook.media.engine.wires import IN_BYTES, OUT_BYTES, Lines, Messages, Wire, unpacked_name

INTERVAL_SECONDS: Final = 5.0
"""Times 0.5 to 1.5, drawn anew each time (section 6.3.1); the first after half of it."""
MOST_A_TICK: Final = 16
"""Reports of a group in one tick: the others come a tick later."""
READ_TICKS: Final = 25
"""RTCP is read every half second of each leg; the kernel's time of arrival counts."""
_PORT: Final = np.uint64(0xFFFF0000)
_SLOTS: Final = 64


class Reports:
    """Sending on the media thread; reading by whoever holds the lock."""

    def __init__(
        self,
        rows: Rows,
        lines: Lines,
        *,
        media: Lines,
        wire: Wire,
        secrecies: dict[int, Secrecy],
        name_words: int,
    ) -> None:
        """`lines` are the ports of RTCP; it leaves by `media`, those of RTP, if the far end's comes there."""
        self._rows, self._lines, self._media, self._wire = rows, lines, media, wire
        self._secrecies, self._words = secrecies, name_words
        self._incoming = Messages(_SLOTS, IN_BYTES, control=True)
        self._out = Messages(MOST_A_TICK, OUT_BYTES, control=False)
        self._name = f"{secrets.token_hex(8)}@onhook"
        """RFC 7022 section 4.2: nothing of the machine is told."""
        self._chance = np.random.default_rng()

    def admit(self, row: int, now: float) -> None:
        self._rows.report_at[row] = now + INTERVAL_SECONDS * self._chance.uniform(0.25, 0.75)

    # reading

    def turn(self, which: Rowed, number: int) -> Rowed:
        """Of these rows, those whose turn it is to be read."""
        turn: Rowed = which[which % READ_TICKS == number % READ_TICKS]
        return turn

    def received(self, wire: Wire, which: Rowed) -> Datagrams:
        """One datagram of each row that has one; more than 64 rows wait for their next turn."""
        which = which[:_SLOTS]
        at = wire.receive(self._lines, which, self._incoming)
        got = self._incoming.lengths[: len(which)] >= 0
        count = len(which)
        datagrams = Datagrams(
            which,
            self._incoming.data[:count],
            self._incoming.words[:count],
            self._incoming.lengths[:count],
            at,
        )
        return datagrams.only(got)

    def is_from_far_end(self, row: int, name: NDArray[np.uint64]) -> bool:
        """From the address of its RTP, whatever the port: some send RTCP from elsewhere."""
        known = self._rows.source[row] if self._rows.latched[row] else self._rows.peer[row]
        same = bool((name[0] | _PORT) == (known[0] | _PORT))
        return same and (self._words == 1 or bool((name[1:3] == known[1:3]).all()))

    def take(self, row: int, data: bytes, at: float, *, muxed: bool) -> bool:
        """Of the leg's far end. False if it is no RTCP, or the keys do not open it."""
        rows = self._rows
        if not rtcp.looks_like_it(data):
            return False  # STUN, with which some telephones open their way through NAT, is in clear
        if rows.srtp[row]:
            opened = self._secrecies[row].open_control(data)
            if opened is None:
                rows.undecipherable[row] += 1
                return True
            data = opened
        report = rtcp.read(data)
        if report is None:
            return False
        rows.control_muxed[row] = muxed
        if report.sender:
            rows.sender_report[row], rows.sender_report_at[row] = report.middle, at
        for block in report.blocks:
            if block.ssrc == int(rows.ssrc[row]):
                self._hear_of_us(row, block, at)
        if report.bye:
            rows.quiet[row] = True  # nothing more comes: silence, not loss
        return True

    def _hear_of_us(self, row: int, block: rtcp.Block, at: float) -> None:
        rows = self._rows
        rows.far_lost[row] = max(0, block.lost)
        rows.far_jitter[row] = block.jitter / rows.clock[row]
        rows.far_reported[row] = True
        if block.last_report:
            passed = (
                rtcp.middle_of(at + rtcp.NTP_OFFSET) - block.last_report - block.since_report
            ) & 0xFFFFFFFF
            if passed < 1 << 31:  # else the far end's clock says that it answered before it was asked
                rows.round_trip[row] = passed / 65_536

    # sending

    def send_due(self, which: Rowed, now: float) -> None:
        """The reports of these rows whose time has come."""
        rows = self._rows
        due = which[(rows.report_at[which] <= now) & rows.sending[which]][:MOST_A_TICK]
        if not len(due):
            return
        for slot, row in enumerate(due.tolist()):
            self._write(slot, self.report(row, now))
            self._out.words[slot] = self._destination(row)
        slots = np.arange(len(due))
        muxed = rows.control_muxed[due]
        for lines, part in ((self._lines, ~muxed), (self._media, muxed)):
            if part.any():
                self._wire.send(lines, due[part], self._out, slots[part])
        rows.report_at[due] = now + INTERVAL_SECONDS * self._chance.uniform(0.5, 1.5, len(due))

    def farewell(self, row: int, now: float) -> None:
        """BYE, by whoever closes the leg."""
        rows = self._rows
        lines = self._media if rows.control_muxed[row] else self._lines
        if rows.sent[row]:
            name = unpacked_name(self._destination(row).tobytes())
            with contextlib.suppress(OSError, ValueError):
                lines.at(row).sendto(self.report(row, now, bye=True), name)

    def _destination(self, row: int) -> NDArray[np.uint64]:
        """The port above that of RTP (section 11), or that of RTP itself (RFC 5761)."""
        words: NDArray[np.uint64] = self._rows.peer[row].copy()
        if not self._rows.control_muxed[row]:
            name = words.view(np.uint8)
            port = (int(name[2]) << 8 | int(name[3])) + 1 & 0xFFFF
            name[2], name[3] = port >> 8, port & 0xFF
        return words

    def _write(self, slot: int, data: bytes) -> None:
        self._out.data[slot, : len(data)] = np.frombuffer(data, np.uint8)
        self._out.lengths[slot] = len(data)

    def report(self, row: int, now: float, *, bye: bool = False) -> bytes:
        """What we have to say of a leg, encrypted if it is."""
        rows = self._rows
        sender = None
        if rows.sent[row]:
            sender = rtcp.Sender(
                now + rtcp.NTP_OFFSET, int(rows.timestamp[row]), int(rows.sent[row]), int(rows.octets[row])
            )
        block = self._block(row, now) if rows.came[row] else None
        data = rtcp.written(int(rows.ssrc[row]), self._name, sender=sender, block=block, bye=bye)
        return self._secrecies[row].close_control(data) if rows.srtp[row] else data

    def _block(self, row: int, now: float) -> rtcp.Block:
        """Section 6.4.1, appendix A.3."""
        rows = self._rows
        expected = int(rows.expected_before[row] + rows.highest[row] - rows.base[row] + 1)
        came = int(rows.came[row])
        new_expected = expected - int(rows.expected_reported[row])
        new_lost = new_expected - (came - int(rows.came_reported[row]))
        rows.expected_reported[row], rows.came_reported[row] = expected, came
        fraction = min(255, 256 * new_lost // new_expected) if new_lost > 0 and new_expected > 0 else 0
        since = now - float(rows.sender_report_at[row]) if rows.sender_report[row] else 0.0
        return rtcp.Block(
            int(rows.far_ssrc[row]),
            fraction,
            expected - came,
            int(rows.highest[row]),
            round(float(rows.jitter[row]) * float(rows.clock[row])),
            int(rows.sender_report[row]),
            round(max(0.0, since) * 65_536),
        )
