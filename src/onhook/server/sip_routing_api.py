"""The SIP routing API: trunks and routes, read and changed while the server runs (calls/live_routing.py)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, Protocol

import msgspec

from onhook.acs.errors import ApiError
from onhook.acs.sip_routing_models import SipConfiguration, SipConfigurationPatch
from onhook.acs.sip_routing_operations import OPERATIONS
from onhook.acs.versions import SIP_ROUTING
from onhook.calls.directory import Directory
from onhook.calls.live_routing import RoutingChanges, changed, forgotten, patched, shown_table
from onhook.facts import Rewrite
from onhook.server.handlers import Built, Request
from onhook.server.phone_api import BAD_REQUEST
from onhook.server.surface import Surface, bind
from onhook.store.batch import StoreFailed

DOCUMENT = "routing"
"""Name in the store of what the API changed."""
log = logging.getLogger(__name__)


class Documents(Protocol):
    """store/kept.py matches it."""

    def document(self, name: str, /) -> bytes | None: ...
    def save_document(self, name: str, body: bytes, /) -> None: ...


class LiveRouting:
    """The routing table in force: `directory`. Whoever follows it is handed each new one.

    `source` "file": the API shows the table, but what it changed before does not count and nothing new is
    taken. `transport` is that of trunks which the API makes; the real service speaks TLS to all of them.
    """

    def __init__(
        self,
        configured: Directory,
        documents: Documents,
        *,
        source: Literal["api", "file"] = "api",
        transport: str = "udp",
    ) -> None:
        """Raises StoreFailed if what is kept cannot be read."""
        self._configured, self._documents = configured, documents
        self._source, self._transport = source, transport
        self._changes = self._read() if source == "api" else RoutingChanges()
        self._tell: Callable[[Directory], None] = _nobody
        self._rewrites: Mapping[str, tuple[Rewrite, ...]] = {}
        self.directory = changed(configured, self._changes, transport=transport)
        for sentence in forgotten(configured, self._changes):
            log.warning("%s", sentence)

    def _read(self) -> RoutingChanges:
        kept = self._documents.document(DOCUMENT)
        try:
            return msgspec.json.decode(kept, type=RoutingChanges) if kept else RoutingChanges()
        except msgspec.MsgspecError as fault:
            raise StoreFailed(
                f"the routing table in the store cannot be read: {fault}. Set server.sip_routing = file to go"
                " by onhook.toml alone."
            ) from None

    def follow(self, tell: Callable[[Directory], None]) -> None:
        """`tell` is called with the table now, and with each that comes after it."""
        self._tell = tell
        tell(self.directory)

    def show(self) -> SipConfiguration:
        return shown_table(self.directory, self._changes)

    def update(self, patch: SipConfigurationPatch) -> SipConfiguration:
        """Raises ApiError; then nothing is changed. The store has the new table before anybody goes by it."""
        if self._source == "file":
            raise ApiError(
                403,
                "Forbidden",
                "Trunks and routes are those of onhook.toml: server.sip_routing is file. Set it to api to"
                " change them here.",
            )
        changes = patched(self._configured, self._changes, patch, transport=self._transport)
        self._documents.save_document(DOCUMENT, msgspec.json.encode(changes))
        self._changes = changes
        self._renew()
        return self.show()

    def learn(self, rewrites: Mapping[str, tuple[Rewrite, ...]]) -> None:
        """What trunks are known to do to causes, by name, from now on."""
        self._rewrites = rewrites
        self._renew()

    def _renew(self) -> None:
        directory = changed(self._configured, self._changes, transport=self._transport)
        trunks = {
            name: replace(trunk, rewrites=self._rewrites.get(name, ()))
            for name, trunk in directory.trunks.items()
        }
        self.directory = replace(directory, trunks=trunks)
        self._tell(self.directory)


def _get(routing: LiveRouting, _request: Request) -> SipConfiguration:
    return routing.show()


def _update(routing: LiveRouting, request: Request) -> SipConfiguration:
    assert isinstance(request.body, SipConfigurationPatch)
    return routing.update(request.body)


def _nobody(_: Directory) -> None:
    """Until somebody follows."""


BUILT: dict[str, Built] = {
    "getSipRouting": Built(_get, "answer validated; one table for all resources is ours"),
    "updateSipRouting": Built(
        _update,
        "merge patch, answer and eight refusals validated; limits documented; patterns match a part of the"
        " number, assumed",
    ),
}


def sip_routing_surface(routing: LiveRouting) -> Surface:
    return Surface(OPERATIONS, SIP_ROUTING, bind(BUILT, routing), invalid_body=BAD_REQUEST)
