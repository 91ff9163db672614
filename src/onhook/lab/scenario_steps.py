"""The steps of a scenario, as data. `scenario.py` reads them from text and writes them back."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

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


@dataclass(frozen=True, slots=True)
class SendRtp:
    """Send RTP to the address in the offer, or stop. An answer starts it by itself."""

    sending: bool = True


@dataclass(frozen=True, slots=True)
class AppCall:
    """The application places the call with these numbers instead of the default ones.

    They are taken as written, so that a wrong number can be tried too; `source` None = no caller id.
    """

    source: str | None
    target: str


@dataclass(frozen=True, slots=True)
class AppWait:
    """The application does nothing for a while."""

    milliseconds: int

    @property
    def seconds(self) -> float:
        return self.milliseconds / 1000


@dataclass(frozen=True, slots=True)
class AppHangUp:
    """The application leaves the call (hangUp)."""


@dataclass(frozen=True, slots=True)
class AppTerminate:
    """The application ends the call for everyone (terminate)."""


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
    | SendRtp
)
AppStep: TypeAlias = AppCall | AppWait | AppHangUp | AppTerminate
ServerStep: TypeAlias = ServerSet | ServerCrash | ServerRestart
Step: TypeAlias = CarrierStep | AppStep | ServerStep

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
    SendRtp,
)


@dataclass(frozen=True)
class Scenario:
    """Steps in the order of the text.

    The carrier's steps begin with the INVITE and run without waiting for anyone else. The steps of the
    application and the server are for the player of the whole scene (tests, provoke): one of them is
    due when the carrier's steps above it have been played.
    """

    steps: tuple[Step, ...] = ()

    @cached_property
    def carrier(self) -> tuple[CarrierStep, ...]:
        return tuple(step for step in self.steps if isinstance(step, CARRIER_STEPS))

    @property
    def settings(self) -> tuple[ServerSet, ...]:
        return tuple(step for step in self.steps if isinstance(step, ServerSet))
