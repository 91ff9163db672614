"""The RTP of legs as arithmetic: ports are numbers, packets follow from the clock."""

import asyncio
from collections import deque

from onhook.effects import StartMedia
from onhook.facts import DigitHeard, MediaMeasured, RtpResumed, RtpStopped
from onhook.media.rtp import PACKET_SECONDS
from onhook.media.settings import MediaSettings, PortsUsedUp
from onhook.media.silent_telling import Telling

CODECS = frozenset({"PCMU", "PCMA", "G722", "opus"})


class _Leg:
    def __init__(self, port: int) -> None:
        self.port = port
        self.agreed: StartMedia | None = None
        self.sent = 0
        self.sending_since: float | None = None
        self.received = 0
        self.talks: bool | None = None
        """Does the far end send a packet each 20 ms? None: nobody has said so yet."""
        self.unusable_since: float | None = None
        self.unusable_type: int | None = None
        self.far_lost: int | None = None
        self.hearing_since: float | None = None
        self.first_received_at: float | None = None
        self.last_received_at: float | None = None
        self.awaited_since: float | None = None
        """Since when RTP is expected: the last of it, or of its agreement."""
        self.stopped = False
        self.watch: asyncio.TimerHandle | None = None
        self.digits = self.undecipherable = self.wrong_codec = 0
        self.wrong_types: set[int] = set()

    @property
    def remote(self) -> str:
        if self.agreed is None:
            return ""
        host = f"[{self.agreed.host}]" if ":" in self.agreed.host else self.agreed.host
        return f"{host}:{self.agreed.port}"


class SilentLegs:
    """While `far_end_talks`, every started leg receives a packet each 20 ms; else only what is said."""

    def __init__(self, settings: MediaSettings, telling: Telling, *, far_end_talks: bool) -> None:
        self._settings, self._telling, self._far_end_talks = settings, telling, far_end_talks
        self._free = deque(settings.ports())
        self._resting: deque[tuple[float, int]] = deque()
        self._legs: dict[str, _Leg] = {}
        self._by_port: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._legs)

    def open(self, leg: str) -> tuple[str, int]:
        known = self._legs.get(leg)
        if known is None:
            known = self._legs[leg] = _Leg(self._take())
            self._by_port[known.port] = leg
        return self._settings.written_host, known.port

    def at(self, port: int) -> str | None:
        """The leg whose RTP port this is."""
        return self._by_port.get(port)

    def agreed(self, leg: str) -> StartMedia | None:
        """What was said last of its media; None for a leg that is unknown, or not started."""
        known = self._legs.get(leg)
        return known.agreed if known else None

    def start(self, effect: StartMedia) -> None:
        leg = self._legs.get(effect.leg)
        if leg is None:
            return
        self._count(leg)
        leg.agreed = effect
        sending = effect.sending and effect.codec in CODECS and effect.port
        leg.sending_since = self._telling.now() if sending else None
        if leg.talks is None:
            leg.talks = self._far_end_talks
        self._settle(effect.leg, leg)

    def close(self, leg: str) -> MediaMeasured:
        known = self._legs.pop(leg, None)
        if known is None:
            return MediaMeasured(at=self._telling.now(), leg=leg, sent=0, received=0)
        if known.watch:
            known.watch.cancel()
        del self._by_port[known.port]
        self._resting.append((self._telling.now() + self._settings.quarantine_seconds, known.port))
        return self._measure(leg, known)

    def clear(self) -> None:
        for leg in list(self._legs):
            self.close(leg)

    # What the far end does

    def talk(self, leg: str) -> None:
        """From now on the far end sends a packet each 20 ms."""
        if (known := self._legs.get(leg)) is not None:
            self._count(known)
            known.talks, known.unusable_since = True, None
            self._settle(leg, known)

    def talk_unusably(self, leg: str, payload_type: int | None) -> None:
        """From now on each packet is of no use: of this payload type; or, with None, not to be deciphered."""
        self.fall_silent(leg)
        if (known := self._legs.get(leg)) is not None:
            known.unusable_since, known.unusable_type = self._telling.now(), payload_type

    def report(self, leg: str, lost: int) -> None:
        """The far end reports by RTCP how many of our packets it did not get."""
        if (known := self._legs.get(leg)) is not None:
            known.far_lost = lost

    def fall_silent(self, leg: str) -> None:
        """The far end sends no RTP any more; from before the start on: never."""
        known = self._legs.get(leg)
        if known is not None:
            self._count(known)
            known.talks, known.unusable_since = False, None
            self._settle(leg, known)

    def hear(self, leg: str, packets: int) -> None:
        known = self._legs.get(leg)
        if known is None or packets < 1:
            return
        now = self._telling.now()
        silent_seconds = now - (known.awaited_since or now)
        known.received += packets
        known.last_received_at = known.awaited_since = now
        if known.first_received_at is None:
            known.first_received_at = now
            self._telling.soon(leg, self._measure(leg, known))
        if known.stopped:
            known.stopped = False
            self._telling.soon(leg, RtpResumed(at=now, leg=leg, silent_seconds=silent_seconds))
            self._watch(leg, known)

    def hear_unusable(self, leg: str, packets: int, wrong_type: int | None) -> None:
        known = self._legs.get(leg)
        if known is None:
            return
        self._count_unusable(known, packets, wrong_type)

    @staticmethod
    def _count_unusable(known: _Leg, packets: int, wrong_type: int | None) -> None:
        if wrong_type is None:
            known.undecipherable += packets
        else:
            known.wrong_codec += packets
            known.wrong_types.add(wrong_type)

    def hear_digit(self, leg: str, digit: str, duration_ms: int) -> None:
        known = self._legs.get(leg)
        if known is None or known.agreed is None:
            return
        hears = known.agreed.hears
        if hears and all(codec.lower() != "telephone-event" for _, codec in hears):
            return  # nothing of ours reads them: they were not agreed on
        known.digits += 1
        fact = DigitHeard(at=self._telling.now(), leg=leg, digit=digit, duration_ms=duration_ms)
        self._telling.soon(leg, fact)

    # Counting

    def _settle(self, name: str, leg: _Leg) -> None:
        """Count from now on what comes of itself, or wait for what should come."""
        now, expected = self._telling.now(), leg.agreed is not None and leg.agreed.receiving
        if expected and leg.talks:
            if leg.hearing_since is None:
                leg.hearing_since = now
                self.hear(name, 1)
        else:
            leg.hearing_since = None
        if not expected:
            leg.awaited_since, leg.stopped = None, False
        elif leg.awaited_since is None:
            leg.awaited_since = now
        self._watch(name, leg)

    def _watch(self, name: str, leg: _Leg) -> None:
        if leg.watch:
            leg.watch.cancel()
            leg.watch = None
        limit, since = self._settings.silent_after_seconds, leg.awaited_since
        if limit and since is not None and leg.hearing_since is None and not leg.stopped:
            left = max(0.0, since + limit - self._telling.now())
            leg.watch = self._telling.after(left, self._look, name, leg)

    def _look(self, name: str, leg: _Leg) -> None:
        """Was it silent for so long? A packet in between has put it off."""
        now, limit = self._telling.now(), self._settings.silent_after_seconds
        leg.watch = None
        silent = now - (leg.awaited_since or now)
        if silent < limit - 1e-4:
            self._watch(name, leg)
            return
        leg.stopped = True
        self._count(leg)
        fact = RtpStopped(at=now, leg=name, silent_seconds=silent, received=leg.received, sent=leg.sent)
        self._telling.tell(name, fact)

    def _take(self) -> int:
        if self._resting and self._resting[0][0] <= self._telling.now():
            return self._resting.popleft()[1]
        if self._free:
            return self._free.popleft()
        settings = self._settings
        raise PortsUsedUp(
            f"no RTP port is free in {settings.first_port}..{settings.last_port} on {settings.host}: "
            f"{len(self._legs)} in use, {len(self._resting)} resting. Widen media.first_port..last_port."
        )

    def _measure(self, name: str, leg: _Leg) -> MediaMeasured:
        self._count(leg)
        return MediaMeasured(
            at=self._telling.now(),
            leg=name,
            sent=leg.sent,
            received=leg.received,
            first_received_at=leg.first_received_at,
            last_received_at=leg.last_received_at,
            codec=leg.agreed.codec if leg.agreed else "",
            remote=leg.remote,
            wrong_codec=leg.wrong_codec,
            wrong_types=tuple(sorted(leg.wrong_types)),
            undecipherable=leg.undecipherable,
            digits=leg.digits,
            far_lost=leg.far_lost,
            streams=1 if leg.received else 0,
        )

    def _count(self, leg: _Leg) -> None:
        """Bring the counts up to now."""
        now = self._telling.now()
        if leg.sending_since is not None:
            packets = _packets(now - leg.sending_since)
            leg.sent += packets
            leg.sending_since += packets * PACKET_SECONDS
        if leg.unusable_since is not None and (packets := _packets(now - leg.unusable_since)):
            leg.unusable_since += packets * PACKET_SECONDS
            self._count_unusable(leg, packets, leg.unusable_type)
        if leg.hearing_since is not None and (packets := _packets(now - leg.hearing_since)):
            leg.received += packets
            leg.hearing_since += packets * PACKET_SECONDS
            leg.last_received_at = leg.awaited_since = leg.hearing_since


def _packets(seconds: float) -> int:
    """Whole packets in a time; a hair of rounding does not lose one."""
    return int(seconds / PACKET_SECONDS + 1e-4)
