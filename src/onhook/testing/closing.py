"""The end of a test: every call that it opened is over and told of, or it is said which is not."""

from functools import partial
from typing import NamedTuple

from onhook.acs.requests import Asked
from onhook.testing.calls import Call, Calls, wait_until
from onhook.testing.server import Server, ServerFailed

GRACE_SECONDS = 2.0
"""How long calls may take to end, and events to be taken, once a test is over."""
CLOSING_SECONDS = 5.0
"""How long it may take to hang up what a test left open."""


class Untold(NamedTuple):
    """A call of which the application has not heard everything."""

    call: Call
    events: list[str]


class Closing:
    """The account of one test's calls."""

    def __init__(self, server: Server, calls: Calls) -> None:
        self._server, self._calls = server, calls

    def faults(self) -> list[str]:
        """Calls that are open, and events that nobody took, each with its ladder; they get a moment first."""
        wait_until(lambda: not self._open() and not self._untold(), GRACE_SECONDS)
        still_open = self._open()
        faults = [
            f"the call {call.name} is still {call.state}, and nobody ends it:\n{call.ladder()}"
            for call in still_open
        ]
        ids = {call.id for call in still_open}
        faults += [
            f"the call {call.name} has events that the application did not take "
            f"({', '.join(events)}):\n{call.ladder()}"
            for call, events in self._untold()
            if call.id not in ids
        ]
        return faults

    def close(self) -> None:
        """Hang up what is open, give up what is not told. Raises ServerFailed if a call cannot be ended."""
        running = self._server.running
        for call in self._open():
            self._server.ask(partial(self._terminate, call))
        if running.carrier is not None:
            self._server.ask(running.carrier.hang_up)
        ended = wait_until(lambda: not self._open(), CLOSING_SECONDS)
        for call, _ in self._untold():
            self._server.ask(partial(running.courier.abandon, call.id))
        if not ended:
            raise ServerFailed(f"these calls could not be hung up: {self._open()}")

    def _terminate(self, call: Call) -> None:
        running = self._server.running
        live = running.switch.calls.get(call.id)
        resources = running.config.directory.resources
        for connection in live.open_connections[:1] if live else ():
            owner = next(each for each in resources if each.name == connection.resource)
            asked = Asked(api_version=connection.api_version, request_id="", operation="terminate")
            running.switch.hang_up(owner, connection.id, asked, everyone=True)

    def _open(self) -> list[Call]:
        live = self._server.ask(lambda: set(self._server.running.switch.calls))
        return [call for call in self._calls if call.id in live or call.is_open] if live else []

    def _untold(self) -> list[Untold]:
        courier = self._server.running.courier
        if not self._server.ask(lambda: courier.waiting):
            return []
        found = [Untold(call, self._events(call.id)) for call in self._calls]
        return [untold for untold in found if untold.events]

    def _events(self, call_id: str) -> list[str]:
        waiting = self._server.ask(partial(self._server.running.courier.waiting_of, call_id))
        return [event.type.rpartition(".")[2] for event in waiting]
