"""Effects: what the pure core asks the world to do. Each is plain data."""

from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from onhook.facts import Fact


class Destination(NamedTuple):
    """Where a SIP message goes: transport is "udp" or "tcp", host a name or an address."""

    transport: str
    host: str
    port: int

    @property
    def peer(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Transmit(msgspec.Struct, frozen=True, gc=False):
    """Send one SIP message."""

    data: bytes
    to: Destination


class Record(msgspec.Struct, frozen=True, gc=False):
    """Keep a fact."""

    fact: Fact


class Publish(msgspec.Struct, frozen=True):
    """Tell the application, at `callback_uri`, that something happened to its call.

    `type` is the event's short name ("CallConnected"); `data` the ACS fields of that event, camelCase.
    """

    callback_uri: str
    type: str
    data: dict[str, Any]
    connection: str = ""
    """callConnectionId of the application's handle on the call."""
    api_version: str = ""
    """The version that the application speaks."""


class Announce(msgspec.Struct, frozen=True):
    """Tell the subscribers of the resource that owns `to` that a call for it rings.

    `to` and `caller` are numbers in E.164 or raw ids; whoever answers names `leg` by its context.
    """

    leg: str
    to: str
    caller: str
    resource: str
    display_name: str = ""


class Notify(msgspec.Struct, frozen=True):
    """Tell the subscribers of the call's resource what became of the call, or of `user` (a raw id) in it."""

    type: Literal["CallStarted", "CallEnded", "CallParticipantAdded", "CallParticipantRemoved"]
    user: str = ""


class StartMedia(msgspec.Struct, frozen=True, gc=False):
    """Send to, and expect RTP from, the address that the far end named in its answer."""

    leg: str
    host: str
    port: int
    payload_type: int
    codec: str
    sending: bool = True
    """False while the far end asked us not to send (held, inactive)."""


class CloseMedia(msgspec.Struct, frozen=True, gc=False):
    """Stop media of a leg; the world answers with a `MediaMeasured` fact."""

    leg: str


Effect: TypeAlias = Transmit | Record | Publish | Announce | Notify | StartMedia | CloseMedia
