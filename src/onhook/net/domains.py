"""Which server of a domain a call goes to, and which is next if that is not reached (RFC 3263 section 4.3).

All messages of a call go to one server: the order is drawn once for each Call-ID. Who cannot be reached rests
for a time, for every call.
"""

import re
from collections.abc import Callable
from typing import Final

from onhook.effects import Destination
from onhook.net.locating import Target, Targets, in_order

MAX_CALLS: Final = 16_384
MAX_LOCATED: Final = 4_096
_CALL_ID: Final = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)


class Domains:
    """`draw` gives 0 to below 1; `now` is the loop's clock."""

    def __init__(self, draw: Callable[[], float], now: Callable[[], float], rests_seconds: float) -> None:
        self._draw, self._now, self._rests_seconds = draw, now, rests_seconds
        self._orders: dict[tuple[Destination, bytes], list[Target]] = {}
        self._resting: dict[Destination, float] = {}
        self._asked_as: dict[Destination, set[Destination]] = {}

    def choose(self, domain: Destination, data: bytes, targets: Targets) -> Destination:
        """The server for this message; its host is an address."""
        matched = _CALL_ID.search(data)
        key = domain, matched[1] if matched else b""
        order = self._orders.get(key)
        if order is None or not set(order) <= set(targets):  # DNS has changed its mind
            if len(self._orders) >= MAX_CALLS:
                del self._orders[next(iter(self._orders))]
            order = self._orders[key] = in_order(targets, self._draw)
        places = [Destination(domain.transport, target.address, target.port) for target in order]
        chosen = next((place for place in places if not self.rests(place)), places[0])
        if chosen not in self._asked_as and len(self._asked_as) >= MAX_LOCATED:
            self._asked_as.clear()  # refilled by what is in use
        self._asked_as.setdefault(chosen, set()).add(domain)
        return chosen

    def asked_as(self, place: Destination) -> tuple[Destination, ...]:
        """The domains that a server was chosen for."""
        return tuple(self._asked_as.get(place, ()))

    def rest(self, place: Destination) -> None:
        """It could not be reached."""
        if len(self._resting) >= MAX_LOCATED:
            self._resting.clear()
        self._resting[place] = self._now() + self._rests_seconds

    def rests(self, place: Destination) -> bool:
        return self._resting.get(place, 0.0) > self._now()
