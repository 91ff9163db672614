"""What a test has in hand: telephones, calls, time, and an account at its end that leaves nothing open."""

from functools import partial
from typing import Any

from onhook.calls.grid import Subscription
from onhook.lab.skipping import Skipping
from onhook.testing.applications import Serving
from onhook.testing.calls import Calls
from onhook.testing.closing import Closing
from onhook.testing.phones import Phone, Phones
from onhook.testing.provoked import Provoked
from onhook.testing.server import Server, ServerFailed

PASSING_SECONDS = 60.0
SUBSCRIPTION = "test"


class Laboratory:
    """One test's view of the server. `begin` is done by its making, `close` ends it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        since = server.ask(server.running.switch.now)
        self.calls = Calls(server, since)
        """Those of this test, the oldest first."""
        self._phones = Phones(server, self.calls)
        self._served: list[Serving] = []
        self._subscribed: list[str] = []
        self._closing = Closing(server, self.calls)
        self._provoked = Provoked(server)

    # Where it is

    @property
    def url(self) -> str:
        """https://localhost:PORT, also of /onhook/…"""
        return self.server.running.url

    @property
    def connection_string(self) -> str:
        return self.server.connection_string

    @property
    def environment(self) -> dict[str, str]:
        """What a program has to have in its environment to find and trust the server."""
        return self.server.environment

    def transport(self) -> Any:
        """An azure-core transport that trusts the server, for clients that do not go by the environment."""
        from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415  # only where it is wanted

        certificates = self.server.running.certificates
        trust = str(certificates.bundle) if certificates else True
        return RequestsTransport(connection_verify=trust)  # pyright: ignore[reportUnknownVariableType]  # untyped

    # What happens

    def phone(self, number: str) -> Phone:
        """A telephone of the built-in carrier; any number in E.164 is one."""
        return self._phones.phone(number)

    def provoke(self, ending: str, **how: object) -> str:
        """Arm what is in no telephone's hand, as `onhook provoke` does; `how`: count, operation, number …

        Disarmed when the test is over. Returns its id. Raises ValueError for what cannot be provoked.
        """
        return self._provoked.arm({"ending": ending, **how})

    def serve(self, application: Any) -> str:
        """Serve a WSGI or ASGI application until the test is over; returns its URL."""
        serving = Serving(application)
        self._served.append(serving)
        return serving.url

    def subscribe(self, url: str, *event_types: str) -> None:
        """Let Event Grid post events (IncomingCall and all others, or only `event_types`) to `url`.

        Returns when the endpoint has proved that it wants them. Raises AssertionError if it does not.
        """
        name = f"{SUBSCRIPTION}-{len(self._subscribed) + 1}"
        names = tuple(kind if "." in kind else f"Microsoft.Communication.{kind}" for kind in event_types)
        grid = self.server.running.grid
        self.server.ask(lambda: grid.subscribe(Subscription(name=name, endpoint=url, event_types=names)))
        self._subscribed.append(name)
        settled = self.server.wait_for(grid.settled(name))
        if settled.state != "Succeeded":
            raise AssertionError(f"{url} did not prove that it wants events: {settled.state}, {settled.why}")

    def pass_time(self, seconds: float) -> None:
        """Let time pass for all open calls, timer by timer, without waiting for it.

        Raises NotOurs where a telephone is not the carrier's, or the application does not come to rest.
        """
        self.server.wait_for(self._skipping.pass_time(seconds), PASSING_SECONDS)

    # The end of a test

    def account(self) -> list[str]:
        """What is not in order, each in words with its evidence; calls get a moment to end first."""
        skipping = self.server.running.skipping
        if skipping is not None:
            skipping.held = True  # a call that rings on must not ring out now
        try:
            faults = self._closing.faults()
        finally:
            if skipping is not None:
                skipping.held = False
        faults += [
            f"{armed.number} was to meet {armed.what!r} in {armed.times} more calls, and was not called"
            for armed in self._phones.unmet()
        ]
        return faults

    def close(self) -> None:
        """Hang up what is open, drop what waits, stop what was served; start a server anew that hangs."""
        try:
            self._phones.reset()
            self._provoked.disarm()
            self._closing.close()
            for name in self._subscribed:
                self.server.ask(partial(self.server.running.grid.delete, name))
        except ServerFailed:
            self.server.stop()
            self.server.start()
        for serving in self._served:
            serving.stop()
        self._served.clear()
        self._subscribed.clear()

    def report(self) -> str:
        """Every call of the test: why it ended, or how far it is."""
        return "\n\n".join(f"{call.name}\n{call.why()}" for call in self.calls)

    @property
    def _skipping(self) -> Skipping:
        skipping = self.server.running.skipping
        if skipping is None:
            raise ServerFailed("time cannot be passed: carrier.enabled is false in the configuration")
        return skipping
