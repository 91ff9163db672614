"""Telephones of a test: what one does when it is called, and calls that it makes."""

from functools import partial
from typing import NamedTuple

from onhook.effects import Destination
from onhook.lab.carrier import Carrier
from onhook.testing.calls import WITHIN_SECONDS, Call, Calls, wait_until
from onhook.testing.endings import Part, part_of
from onhook.testing.server import Server, ServerFailed


class Armed(NamedTuple):
    """What a telephone is to do, and was not called for yet."""

    number: str
    what: str
    times: int


class Phones:
    """The telephones of the built-in carrier."""

    def __init__(self, server: Server, calls: Calls) -> None:
        self._server, self._calls = server, calls
        self._armed: list[Armed] = []

    def phone(self, number: str) -> "Phone":
        return Phone(self, number)

    def arm(self, number: str, what: str, times: int | None) -> None:
        scenario, carrier = part_of(what, "called").called(), self._carrier
        if times is None:
            self._server.ask(lambda: carrier.will_always(number, scenario))
            return
        self._server.ask(lambda: carrier.will(number, scenario, times))
        self._armed.append(Armed(number, what, times))

    def place(self, source: str, target: str, part: Part, within: float) -> Call:
        scenario, before = part.calling(source, target), len(self._calls)
        self._server.ask(lambda: self._carrier.call(scenario, self._sip_address()))
        if not wait_until(lambda: len(self._calls) > before, within):
            raise AssertionError(
                f"the call of {source or 'a withheld number'} to {target} did not come in within "
                f"{within:g} s: {self._refusals()}"
            )
        return next(call for call in self._calls[before:] if _is(call, source, target))

    def unmet(self) -> list[Armed]:
        """What telephones were to do, in numbered calls that never came."""
        carrier = self._carrier
        left = {armed.number: self._server.ask(partial(carrier.unmet, armed.number)) for armed in self._armed}
        found: list[Armed] = []
        for armed in reversed(self._armed):  # the ones armed last are met last
            missing = min(armed.times, left[armed.number])
            left[armed.number] -= missing
            if missing:
                found.append(armed._replace(times=missing))
        return found[::-1]

    def reset(self) -> None:
        """From now on every telephone does what the test number says."""
        self._armed.clear()
        self._server.ask(self._carrier.forget_wills)

    @property
    def _carrier(self) -> Carrier:
        carrier = self._server.running.carrier
        if carrier is None:
            raise ServerFailed("there is no telephone: carrier.enabled is false in the configuration")
        return carrier

    def _sip_address(self) -> Destination:
        place = self._server.running.network.bound[0]
        return Destination("udp", place.host, place.port)

    def _refusals(self) -> str:
        reports = self._server.ask(lambda: list(self._server.running.switch.door.reports))
        return reports[-1].detail if reports else "nothing is known of it"


class Phone(NamedTuple):
    """The telephone with a number, E.164."""

    phones: Phones
    number: str

    def will(self, what: str, *, times: int | None = 1) -> "Phone":
        """What it does when it is called next: the name of an ending, or lines of a scenario.

        The next `times` calls meet it, in the order of arming, and a test in which they do not come fails;
        with None every call meets it, if one comes. Raises UnknownEnding and ScenarioError.
        """
        self.phones.arm(self.number, what, times)
        return self

    def calls(self, number: str, *, then: str = "answers", within: float = WITHIN_SECONDS) -> Call:
        """Call `number`. `then` is what it does besides waiting: an ending of such calls, or lines.

        Returns the call as soon as the server has it. Raises AssertionError if it is not let in.
        """
        part = Part(()) if then == "answers" else part_of(then, "calling")
        return self.phones.place(self.number, number, part, within)


def _is(call: Call, source: str, target: str) -> bool:
    record = call.record
    return record.direction == "inbound" and record.target == target and record.source == source
