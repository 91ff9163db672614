"""What the switch needs of the world, and the limits that it holds."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from onhook.calls.outbox import OutboxEvent
from onhook.calls.record import CallRecord
from onhook.effects import Destination, MediaEffect
from onhook.facts import Fact, MediaMeasured, Timeline


class Network(Protocol):
    def send(self, data: bytes, to: Destination) -> None: ...
    def on_receive(self, handler: Callable[[bytes, Destination], None]) -> None: ...
    def on_failure(self, handler: Callable[[Destination, str], None]) -> None: ...
    def via_address(self, to: Destination) -> tuple[str, int]: ...
    def address_of(self, host: str) -> str: ...
    def serves(self, address: str, domain: Destination) -> bool: ...
    def certified(self, source: Destination, name: str) -> bool | None: ...


class Media(Protocol):
    def open(self, leg: str) -> tuple[str, int]: ...
    def perform(self, effect: MediaEffect) -> None:
        """Begin it; never waits and never fails: what comes of it is told as facts."""
        ...

    def close(self, leg: str) -> MediaMeasured: ...
    def on_fact(self, handler: Callable[[str, Fact], None]) -> None:
        """`handler(owner, fact)` on the event loop. `owner` is the leg of the fact, else the room."""
        ...


class Archive(Protocol):
    def open_calls(self) -> list[CallRecord]: ...
    def ended_last(self, seconds: float) -> list[CallRecord]: ...
    def undelivered(self) -> list[OutboxEvent]: ...
    def call(self, call_id: str) -> CallRecord | None: ...
    def facts(self, call_id: str) -> Timeline: ...
    def reply(self, key: str) -> bytes | None: ...


class Post(Protocol):
    def deliver(self, events: Iterable[OutboxEvent]) -> None: ...


class Announcer(Protocol):
    """Hands events to the subscribers of a resource (Event Grid)."""

    def announce(
        self,
        resource_name: str,
        event_type: str,
        subject: str,
        data: Mapping[str, Any],
        *,
        call_id: str,
    ) -> None:
        """`event_type` is the full name; what becomes of the event is noted on the call `call_id`."""
        ...

    def has_subscribers(self, resource_name: str) -> bool:
        """Is anybody to be told what becomes of calls?"""
        ...

    def withdraw(self, call_ids: Collection[str]) -> None:
        """These calls could not be saved and never were: nothing of theirs may leave."""
        ...


Witness: TypeAlias = Callable[[CallRecord, Sequence[Fact]], None]
"""Is shown the facts of each turn of a call, and never waits or fails (delivery/hep.py)."""


def no_witness(_record: CallRecord, _facts: Sequence[Fact]) -> None:
    """Nobody looks on."""


@dataclass(frozen=True, slots=True)
class Limits:
    setup_seconds: float = 115.0
    """Ringing included (documented: PSTN call set-up, service limits)."""
    max_call_seconds: float = 24 * 3600.0
    max_calls: int = 10_000
    ring_seconds: float = 30.0
    """How long a call may ring that waits for an application (documented: Incoming call concepts)."""
    end_after_silence_seconds: float = 300.0
    """Without any RTP of a leg that should send, it is ended; 0: never. Five minutes, as a far end that hears
    a long announcement and sends nothing in its own silence is alive, while one that crashed says nothing."""
    max_calls_per_number: int = 2
    """Outbound calls at a time with one owned number, where the route is not direct routing. The
    configuration's default is the 2 of ACS (documented: service limits)."""
