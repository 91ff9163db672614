"""The steps of a scenario, as data. `scenario.py` reads them from text and writes them back."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from onhook.lab.app_steps import AppAsk, AppAwait, ServerFail, ServerLose
from onhook.lab.audio_steps import (
    MANNERS,
    SOUNDS,
    TIMED,
    Manner,
    MannerStep,
    SoundStep,
    manner_of,
)

DEFAULT_USER = "onhook"
DEFAULT_PASSWORD = "development-only"  # noqa: S105  # published on purpose: it opens a carrier on loopback
DEFAULT_REALM = "carrier.example"

Body: TypeAlias = Literal["", "sdp", "bad-sdp", "no-sdp"]
""""" = what the status needs: an answer in a 2xx to an INVITE with an offer, else nothing."""

Algorithm: TypeAlias = Literal["MD5", "SHA-256"]


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer the INVITE. `forks` 2xx go out, each with a To tag of its own."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()
    body: Body = ""
    forks: int = 1


@dataclass(frozen=True, slots=True)
class Challenge:
    """Refuse with 401 or 407 until an INVITE brings the right credentials; then go on."""

    status: int = 401
    realm: str = DEFAULT_REALM
    algorithm: Algorithm = "SHA-256"
    user: str = DEFAULT_USER
    password: str = DEFAULT_PASSWORD


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for a while, counted from the step before."""

    milliseconds: int

    @property
    def seconds(self) -> float:
        return self.milliseconds / 1000


@dataclass(frozen=True, slots=True)
class Silence:
    """Answer nothing any more, whatever comes: not even CANCEL or a repeated INVITE."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Send bytes that are no SIP."""


@dataclass(frozen=True, slots=True)
class Garbled:
    """Send a response that begins well and is broken in its header."""

    status: int


@dataclass(frozen=True, slots=True)
class RefuseConnection:
    """Break the connection that brought the INVITE; over UDP this is silence."""


@dataclass(frozen=True, slots=True)
class Bye:
    """End the answered call (every fork of it)."""

    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class IgnoreAck:
    """Behave as if ACK never came: repeat the final response, then give up (RFC 3261 section 13.3.1.4)."""


@dataclass(frozen=True, slots=True)
class IgnoreCancel:
    """Behave as if CANCEL never came."""


ReferAnswer: TypeAlias = Literal[
    "accepted",  # 202, and reports that the target rings and answers
    "refused",  # `status` to the REFER
    "target",  # 202, and the report that the target refused with `status`
    "silent",  # 202, and no report of an outcome
    "ignored",  # no response
    "bye",  # 202, and then BYE without a report
]


@dataclass(frozen=True, slots=True)
class Refer:
    """From here on the far end lists REFER in Allow, and does this when it is asked."""

    how: ReferAnswer
    status: int = 0


@dataclass(frozen=True, slots=True)
class CarrierCall:
    """The far end calls: it sends the INVITE. `source` None withholds its number.

    Without `sdp` the INVITE offers nothing; the answer to our offer is in its ACK then.
    """

    source: str | None
    target: str
    sdp: bool = True


@dataclass(frozen=True, slots=True)
class CarrierCancel:
    """The far end takes its call back with CANCEL; with BYE once it is answered."""


@dataclass(frozen=True, slots=True)
class CancelOnAnswer:
    """The far end's CANCEL crosses the answer: it is sent as the 200 comes, then ACK and BYE."""


@dataclass(frozen=True, slots=True)
class NoAck:
    """The far end never acknowledges the answer to its call."""


@dataclass(frozen=True, slots=True)
class AppCall:
    """The application places the call with these numbers instead of the default ones.

    They are taken as written, so that a wrong number can be tried too; `source` None = no caller id.
    `options` name streams and a speech service, as app_lines.media_options reads them.
    """

    source: str | None
    target: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppWait:
    """The application does nothing for a while."""

    milliseconds: int

    @property
    def seconds(self) -> float:
        return self.milliseconds / 1000


@dataclass(frozen=True, slots=True)
class AppAnswer:
    """The application that heard of the call last answers it (answerCall). `options` as for AppCall."""

    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppReject:
    """The application that heard of the call last rejects it (rejectCall): none, busy or forbidden."""

    reason: str = "none"


@dataclass(frozen=True, slots=True)
class AppRedirect:
    """The application that heard of the call last sends it on, to a number or the raw id of a user."""

    target: str


@dataclass(frozen=True, slots=True)
class AppConnect:
    """Another application connects to the call (connectCall)."""


@dataclass(frozen=True, slots=True)
class AppIgnore:
    """The application does nothing about the call."""


@dataclass(frozen=True, slots=True)
class OtherHangUp:
    """The application that came into the call last leaves it (hangUp)."""


@dataclass(frozen=True, slots=True)
class AppHangUp:
    """The application leaves the call (hangUp)."""


@dataclass(frozen=True, slots=True)
class AppTerminate:
    """The application ends the call for everyone (terminate)."""


@dataclass(frozen=True, slots=True)
class NoSubscription:
    """No event subscription takes events, so nobody hears of calls that come in."""


@dataclass(frozen=True, slots=True)
class ServerCrash:
    """The server dies at once, as by kill -9."""


@dataclass(frozen=True, slots=True)
class ServerRestart:
    """The server starts again on what it had kept."""


@dataclass(frozen=True, slots=True)
class ServerSet:
    """Before the call, a setting is other than by default: `setting` as in onhook.toml, `value` as TOML."""

    setting: str
    value: str


CarrierStep: TypeAlias = (
    Respond
    | Challenge
    | Wait
    | Silence
    | Garbage
    | Garbled
    | RefuseConnection
    | Bye
    | IgnoreAck
    | IgnoreCancel
    | Refer
    | SoundStep
    | MannerStep
)
CallerStep: TypeAlias = CarrierCall | CarrierCancel | CancelOnAnswer | NoAck


@dataclass(frozen=True, slots=True)
class PhoneStep:
    """What the far end does when this number is called, instead of what the carrier's steps say."""

    number: str
    step: CarrierStep


AppStep: TypeAlias = (
    AppCall
    | AppWait
    | AppAnswer
    | AppReject
    | AppRedirect
    | AppConnect
    | AppIgnore
    | AppHangUp
    | OtherHangUp
    | AppTerminate
    | AppAsk
    | AppAwait
)
ServerStep: TypeAlias = ServerSet | NoSubscription | ServerCrash | ServerRestart | ServerFail | ServerLose
Step: TypeAlias = CarrierStep | CallerStep | PhoneStep | AppStep | ServerStep

CARRIER_STEPS = (
    Respond,
    Challenge,
    Wait,
    Silence,
    Garbage,
    Garbled,
    RefuseConnection,
    Bye,
    IgnoreAck,
    IgnoreCancel,
    Refer,
    *SOUNDS,
    *MANNERS,
)
CALLER_STEPS = (CarrierCall, CarrierCancel, CancelOnAnswer, NoAck)
"""Steps of a far end that calls; those OF_EITHER are its own too, then."""
OF_EITHER = (Wait, Bye, Refer, *SOUNDS, *MANNERS)
"""Steps of the far end that calls, where one does; else of the one that is called."""
PAUSES = (Wait, *TIMED)
"""Steps that take time."""


@dataclass(frozen=True)
class Scenario:
    """Steps in the order of the text.

    The carrier's steps begin with the INVITE and run without waiting for anyone else. The steps of the
    application and the server are for the player of the whole scene: one of them is due when the carrier's
    steps above it have been played. Below an `app: wait for` the carrier waits too; where no application
    is played, as with the built-in carrier, it does not.
    """

    steps: tuple[Step, ...] = ()

    @cached_property
    def carrier(self) -> tuple[CarrierStep, ...]:
        """What a far end that is called does. Where it calls, those OF_EITHER are the caller's."""
        calls = self.calls_in is not None
        return tuple(
            step
            for step in self.steps
            if isinstance(step, CARRIER_STEPS) and not (calls and isinstance(step, OF_EITHER))
        )

    @cached_property
    def manner(self) -> Manner:
        """How the far end describes its media."""
        return manner_of(self.steps)

    def of_number(self, number: str) -> "Scenario":
        """What the far end does when `number` is called: what the scenario says of it, else the carrier's."""
        if all(not isinstance(each, PhoneStep) or each.number != number for each in self.steps):
            return self
        own = [
            each.step if isinstance(each, PhoneStep) else each
            for each in self.steps
            if isinstance(each, AppAwait) or (isinstance(each, PhoneStep) and each.number == number)
        ]
        return Scenario(tuple(own))

    @cached_property
    def _gates(self) -> tuple[int, ...]:
        """How many steps of the far end stand above each `wait for` of the application."""
        mine: tuple[type, ...] = CARRIER_STEPS if self.calls_in is None else (*CALLER_STEPS, *OF_EITHER)
        counts = [
            sum(isinstance(step, mine) for step in self.steps[:at])
            for at, step in enumerate(self.steps)
            if isinstance(step, AppAwait)
        ]
        return tuple(counts)

    def open_steps(self, gates_opened: int | None) -> int:
        """How many steps the far end may play once so many of the application's `wait for` are over."""
        if gates_opened is not None and gates_opened < len(self._gates):
            return self._gates[gates_opened]
        return len(self.carrier if self.calls_in is None else self.caller)

    @cached_property
    def calls_in(self) -> CarrierCall | None:
        return next((step for step in self.steps if isinstance(step, CarrierCall)), None)

    @cached_property
    def caller(self) -> tuple[CallerStep | Wait | Bye | Refer | SoundStep | MannerStep, ...]:
        """What a far end that calls does, its INVITE first; nothing if it does not call."""
        if self.calls_in is None:
            return ()
        mine = [step for step in self.steps if isinstance(step, (*CALLER_STEPS, *OF_EITHER))]
        return (self.calls_in, *(step for step in mine if not isinstance(step, CarrierCall)))

    @property
    def settings(self) -> tuple[ServerSet, ...]:
        return tuple(step for step in self.steps if isinstance(step, ServerSet))
