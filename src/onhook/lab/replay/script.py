"""From the facts of a call, what its far end did: each message, after which of ours, how long after.

Repeated messages of the far end are kept, for they were on the wire; repeats of ours are one and the same
moment, their first.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from onhook.facts import (
    ApiRequested,
    CallArrived,
    DigitHeard,
    Fact,
    MediaMeasured,
    RouteTaken,
    RtpResumed,
    RtpStopped,
    SipSeen,
    SipUnreadable,
    SpeechHeard,
    Timeline,
    TransportFailed,
)
from onhook.lab.audio_steps import Digits, HearsOnly, RtpAs, SendRtp, SoundStep
from onhook.sip.messages import Malformed, Request, Response, parse

QUICK_SECONDS = 0.35
"""Between two keys of one row; one takes 0.2 s to be played."""
MAX_EVENTS = 1_000
"""Of one leg; what comes after them is told to be left out."""


class Anchor(NamedTuple):
    """A message by its name and its number among those of that name: the 2nd INVITE, the 1st 200 INVITE."""

    name: str
    number: int = 1

    def __str__(self) -> str:
        return self.name if self.number == 1 else f"{self.name} #{self.number}"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that the far end did. `data` is a message, byte for byte, or `sound` is of its audio."""

    after: Anchor | None
    """The message of ours that came last before it; None: the far end began the call with it."""
    delay_seconds: float
    data: bytes = b""
    answers: Anchor | None = None
    """The request of ours that this response belongs to."""
    sound: SoundStep | None = None
    raw: bool = False
    """`data` is no SIP: it is sent as it stands."""

    @property
    def what(self) -> str:
        if self.sound is not None:
            return _sound_words(self.sound)
        return "bytes that are no SIP" if self.raw else name_of(self.data)


@dataclass(slots=True)
class Script:
    """The far end of one leg. `untold` says what of it cannot be played again, and why."""

    number: str
    """The number that was dialled."""
    inbound: bool
    """The far end was the caller."""
    caller: str = ""
    dial_instead: str = ""
    """Another number that a far end which calls shall dial."""
    events: list[Event] = field(default_factory=list[Event])
    requests: dict[Anchor, bytes] = field(default_factory=dict[Anchor, bytes])
    """Ours, as they were recorded."""
    untold: list[str] = field(default_factory=list[str])

    def lines(self) -> list[str]:
        """The script for a person, one event a line."""
        return [
            f"{f'{event.delay_seconds:.3f} s after our {event.after}' if event.after else 'at the start'}: "
            f"{event.what}"
            for event in self.events
        ]


class Names:
    """Gives each message of one side its anchor; a repeated one gets the anchor of the first."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._known: dict[tuple[object, ...], Anchor] = {}

    def of(self, message: Request | Response) -> tuple[Anchor, bool]:
        """The anchor, and whether it is new."""
        identity = identity_of(message)
        known = self._known.get(identity)
        if known is not None:
            return known, False
        name = _name(message)
        self._counts[name] += 1
        anchor = self._known[identity] = Anchor(name, self._counts[name])
        return anchor, True


def identity_of(message: Request | Response) -> tuple[object, ...]:
    """The same for a message and its repeats, and for no other (RFC 3261 section 17.1.3)."""
    number = message.cseq.number if message.cseq else 0
    if isinstance(message, Request):
        return message.method, message.branch, number
    return message.status, _method(message), number, message.to_tag


def name_of(data: bytes) -> str:
    """Such as INVITE, or 200 INVITE for a response to one."""
    message = parse(data)
    return "bytes that are no SIP" if isinstance(message, Malformed) else _name(message)


def _name(message: Request | Response) -> str:
    return message.method if isinstance(message, Request) else f"{message.status} {_method(message)}"


def _method(response: Response) -> str:
    return response.cseq.method if response.cseq else ""


def scripts_of(timeline: Timeline) -> list[Script]:
    """One script for each telephone of the call, in the order in which they came in."""
    scripts: list[Script] = []
    for fact in timeline:
        if isinstance(fact, RouteTaken):
            script = Script(fact.number, inbound=False)
        elif isinstance(fact, CallArrived):
            script = Script(fact.number, inbound=True, caller=fact.caller)
        else:
            continue
        _Reader(script).read([each for each in timeline if each.leg == fact.leg], timeline)
        scripts.append(script)
    return scripts


class _Reader:
    """Reads one leg into its script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._names = Names()
        self._last: tuple[Anchor, float] | None = None
        self._began: float | None = None
        self._requests: dict[tuple[str, str], Anchor] = {}
        self._pressed_at = float("-inf")
        self._untold: dict[str, None] = {}

    def read(self, facts: Timeline, timeline: Timeline) -> None:
        for fact in facts:
            if len(self._script.events) >= MAX_EVENTS:
                self._tell(f"what the far end did after {MAX_EVENTS} events")
                break
            self._take(fact)
        self._audio(facts)
        if not any(event.data for event in self._script.events) and self._last:
            self._tell("nothing came from the far end: it is played as silence")
        if any(isinstance(fact, ApiRequested) for fact in timeline):
            self._tell("what the application asked: that is its part, now as then")
        self._script.events.sort(key=lambda event: event.after is not None)  # its INVITE first
        self._script.untold += self._untold

    def _tell(self, what: str) -> None:
        self._untold[what] = None

    def _take(self, fact: Fact) -> None:
        match fact:
            case SipSeen(direction="sent"):
                self._sent(fact)
            case SipSeen():
                self._received(fact)
            case SipUnreadable():
                self._add(Event(*self._after(fact.at), data=fact.data, raw=True))
            case DigitHeard():
                self._press(fact)
            case RtpStopped():
                at = fact.at - fact.silent_seconds
                if fact.received:
                    self._add(Event(*self._after(at), sound=SendRtp(sending=False)))
            case RtpResumed():
                self._add(Event(*self._after(fact.at), sound=SendRtp()))
            case TransportFailed():
                self._tell(f"a connection that failed ({fact.error}): `onhook provoke` breaks connections")
            case SpeechHeard():
                self._tell("what was said: RTP is played as sound, silence and keys")
            case _:
                pass

    def _press(self, fact: DigitHeard) -> None:
        """Keys in quick succession are one row: each takes its time, and the next must not cut it short."""
        last = self._script.events[-1] if self._script.events else None
        quick = fact.at - self._pressed_at <= QUICK_SECONDS
        self._pressed_at = fact.at
        if quick and last is not None and isinstance(last.sound, Digits):
            row = Digits(last.sound.digits + fact.digit)
            self._script.events[-1] = replace(last, sound=row)
        else:
            self._add(Event(*self._after(fact.at), sound=Digits(fact.digit)))

    def _sent(self, fact: SipSeen) -> None:
        message = parse(fact.message)
        if isinstance(message, Malformed):
            return
        anchor, new = self._names.of(message)
        if not new:
            return
        self._last = anchor, fact.at
        if isinstance(message, Request):
            self._script.requests[anchor] = fact.message
            self._requests[message.method, message.branch] = anchor

    def _received(self, fact: SipSeen) -> None:
        message = parse(fact.message)
        if isinstance(message, Malformed):
            return
        answers = None
        if isinstance(message, Response):
            answers = self._requests.get((_method(message), message.branch))
            if answers is None:
                self._tell(f"{message.start_line}: it answers no request that was recorded")
                return
            if "record-route" in message.headers:
                self._tell("Record-Route: the way of the call of today stands there")
        elif self._began is None and self._last is None:
            self._began = fact.at
        if message.headers.get("authorization") or message.headers.get("proxy-authorization"):
            self._tell("credentials: they answer a challenge of then")
        self._add(Event(*self._after(fact.at), data=fact.message, answers=answers))

    def _after(self, at: float) -> tuple[Anchor | None, float]:
        if self._last is None:
            return None, max(0.0, at - (self._began if self._began is not None else at))
        anchor, since = self._last
        return anchor, max(0.0, at - since)

    def _add(self, event: Event) -> None:
        self._script.events.append(event)

    def _audio(self, facts: Timeline) -> None:
        """A far end of which no RTP could be used from the beginning sends none, or the same wrong one."""
        counted = [fact for fact in facts if isinstance(fact, MediaMeasured)]
        if not counted or counted[-1].received or not self._answered:
            return
        last = counted[-1]
        sound: SoundStep = SendRtp(sending=False)
        if last.wrong_types:
            sound = RtpAs(last.wrong_types[0])
        elif last.undecipherable or last.foreign or last.junk:
            self._tell("packets that were no usable RTP: they are played as silence")
        elif last.far_lost is not None:
            sound = HearsOnly()
        first = next((event.after for event in self._script.events if event.after), None)
        self._script.events.append(Event(first, 0.0, sound=sound))

    @property
    def _answered(self) -> bool:
        return self._script.inbound or any(
            event.data.startswith(b"SIP/2.0 2") and event.answers and event.answers.name == "INVITE"
            for event in self._script.events
        )


def _sound_words(sound: SoundStep) -> str:
    match sound:
        case Digits():
            return f"presses {sound.digits}"
        case SendRtp(sending=True):
            return "sends RTP again"
        case SendRtp():
            return "sends no RTP"
        case HearsOnly():
            return "sends no RTP, but reports what it hears"
        case RtpAs():
            return f"sends RTP under payload type {sound.payload_type}"
        case _:
            return type(sound).__name__
