"""One WebSocket to an application: from its start to its stop, and started again.

The application hears Started once the WebSocket is open, Failed if it cannot be opened or breaks for good,
Stopped when it is closed (documented). Assumed: a WebSocket that broke and is open again is told by Started
with `streamConnectionReestablished`; what the call's end closes is told by Stopped before CallDisconnected.
"""

import hashlib
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from onhook.acs.models import TranscriptionUpdated
from onhook.acs.wire import Model
from onhook.calls.features.feature import Operation
from onhook.calls.features.media_operation import MediaOperation
from onhook.calls.features.stream_kinds import AudioKind, TranscriptionKind
from onhook.calls.record import Connection
from onhook.effects import CloseStream, Record, UpdateStream
from onhook.facts import OperationEnd, StreamChanged
from onhook.machine import Machine, Outputs, rows

if TYPE_CHECKING:
    from onhook.calls.host import Host

BY_STATUS = {
    400: "badRequest",
    401: "authenticationFailure",
    403: "forbidden",
    408: "serviceTimeout",
    429: "tooManyRequests",
}
"""Status details of a WebSocket whose handshake was answered with this HTTP status (assumed)."""
Kind: TypeAlias = AudioKind | TranscriptionKind


class SubscriptionState(Enum):
    INACTIVE = auto()
    OPENING = auto()
    ACTIVE = auto()
    CLOSING = auto()


class StartAsked(msgspec.Struct, frozen=True):
    """Input: start; by request, or as the call was set up."""

    asked: Operation


class StopAsked(msgspec.Struct, frozen=True):
    """Input: stop."""

    asked: Operation


class UpdateAsked(msgspec.Struct, frozen=True):
    """Input: another language or model."""

    asked: Operation


class Opened(msgspec.Struct, frozen=True):
    """Input: the WebSocket is open."""


class Reopened(msgspec.Struct, frozen=True):
    """Input: it broke, and is open again."""


class Broke(msgspec.Struct, frozen=True):
    """Input: it cannot be opened, or not again."""

    fact: StreamChanged


class Closed(msgspec.Struct, frozen=True):
    """Input: it is closed."""


class Ending(msgspec.Struct, frozen=True):
    """Input: the call is over, or its application leaves."""


S = SubscriptionState


class Subscription(Machine[SubscriptionState]):
    """A stream of one kind, of one connection."""

    def __init__(self, call: "Host", connection: Connection, kind: Kind) -> None:
        self.state = S.INACTIVE
        self.call, self.kind = call, kind
        self.id = _guid(f"{connection.id}/{kind.START}")
        """The subscriptionId: that of the last start, or one of its own before the first."""
        self._starter = self._stopper = MediaOperation(call, Operation(kind.START, connection, None, self.id))

    def hear(self, fact: StreamChanged) -> Outputs:
        """Media told something of this stream; that it was lost says nothing yet."""
        received: object = None
        match fact.state:
            case "opened":
                received = Opened()
            case "reopened":
                received = Reopened()
            case "failed":
                received = Broke(fact)
            case "closed":
                received = Closed()
            case _:
                pass
        return self.handle(received) if self.accepts(type(received)) else []

    def end(self) -> Outputs:
        return self.handle(Ending()) if self.accepts(Ending) else []

    def renamed(self) -> Outputs:
        """Somebody came or went."""
        if self.state not in {S.OPENING, S.ACTIVE}:
            return []
        return [UpdateStream(self.id, self.call.legs.names)]

    # Actions

    def start(self, begun: StartAsked) -> Outputs:
        self.id = begun.asked.action
        self._starter = self._stopper = MediaOperation(self.call, begun.asked)
        self.kind.take(begun.asked)
        return [self.kind.opening(self.id)]

    def _say(self, model: type[Model], teller: MediaOperation, status: str, details: str) -> Outputs:
        return [teller.tell(model, teller.ended("done"), self.kind.update_of(status, details))]

    def tell_started(self, _: Opened) -> Outputs:
        return self._say(self.kind.WORDS.started, self._starter, "Started", "subscriptionStarted")

    def tell_reopened(self, _: Reopened) -> Outputs:
        return self._say(self.kind.WORDS.started, self._starter, "Resumed", "streamConnectionReestablished")

    def tell_refused(self, broke: Broke) -> Outputs:
        return self._fail(broke.fact, "stream-failed", self.kind.UNSUCCESSFUL)

    def tell_lost(self, broke: Broke) -> Outputs:
        return self._fail(broke.fact, "stream-lost", "streamConnectionInterrupted")

    def _fail(self, fact: StreamChanged, how: OperationEnd, details: str) -> Outputs:
        details = BY_STATUS.get(fact.http_status or 0, details)
        ended = self._starter.ended(how, detail=fact.detail, http_status=fact.http_status)
        told = self._starter.tell(self.kind.WORDS.failed, ended, self.kind.update_of("Failed", details))
        return [Record(ended), told]

    def update(self, updated: UpdateAsked) -> Outputs:
        self.kind.take(updated.asked)
        teller, details = MediaOperation(self.call, updated.asked), "transcriptionLocaleUpdated"
        told = self._say(TranscriptionUpdated, teller, "Updated", details)
        locale, model = getattr(self.kind, "locale", ""), getattr(self.kind, "model", "")
        return [UpdateStream(self.id, self.call.legs.names, locale, model), *told]

    def close(self, stopped: StopAsked) -> Outputs:
        self._stopper = MediaOperation(self.call, stopped.asked)
        return [CloseStream(self.id)]

    def tell_stopped(self, _: object) -> Outputs:
        told = self._say(self.kind.WORDS.stopped, self._stopper, "Stopped", "subscriptionStopped")
        return [Record(self._starter.ended("done")), *told]

    def cut(self, ending: Ending) -> Outputs:
        return [CloseStream(self.id), *self.tell_stopped(ending)]

    TABLE = {
        (S.INACTIVE, StartAsked): (S.OPENING, start),
        (S.OPENING, Opened): (S.ACTIVE, tell_started),
        (S.OPENING, Broke): (S.INACTIVE, tell_refused),
        (S.ACTIVE, Broke): (S.INACTIVE, tell_lost),
        (S.ACTIVE, Reopened): (S.ACTIVE, tell_reopened),
        (S.ACTIVE, UpdateAsked): (S.ACTIVE, update),
        **dict.fromkeys(rows([S.OPENING, S.ACTIVE], StopAsked), (S.CLOSING, close)),
        **dict.fromkeys(rows([S.OPENING, S.ACTIVE], Closed), (S.INACTIVE, tell_stopped)),
        **dict.fromkeys(rows(S.CLOSING, Closed, Broke, Ending), (S.INACTIVE, tell_stopped)),
        **dict.fromkeys(rows([S.OPENING, S.ACTIVE], Ending), (S.INACTIVE, cut)),
    }


def _guid(name: str) -> str:
    """An id that looks like the others, and is the same in a replay."""
    digits = hashlib.sha256(name.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"
