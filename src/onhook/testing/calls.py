"""The calls of a test: how each ended, waited for with a limit; another end is shown with its evidence."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import overload

from onhook.calls.record import CallRecord
from onhook.endings.verdict import Verdict
from onhook.facts import EventAttempted, Timeline
from onhook.server.explanations import Told, tell
from onhook.testing.endings import ending_id
from onhook.testing.server import Server

WITHIN_SECONDS = 10.0
"""How long a test waits for what it asks for, unless it says otherwise."""
LOOK_SECONDS = 0.01
MAX_CALLS = 1_000
"""Of one test; those before the newest ones are not seen."""


class Call:
    """One call. What it shows is read anew each time."""

    def __init__(self, server: Server, call_id: str) -> None:
        self._server, self.id = server, call_id

    def __repr__(self) -> str:
        return f"<Call {self.name}: {self.state}>"

    @property
    def record(self) -> CallRecord:
        found = self._server.ask(lambda: self._server.running.store.call(self.id))
        assert found is not None, f"the call {self.id} is not kept any more"
        return found

    @property
    def facts(self) -> Timeline:
        """Everything that was observed of it, in order."""
        return self._server.ask(lambda: self._server.running.store.facts(self.id))

    @property
    def name(self) -> str:
        """It in a few words."""
        record = self.record
        if record.direction == "inbound":
            return f"{self.id} from {record.source or 'a withheld number'} to {record.target}"
        return f"{self.id} to {record.target}"

    @property
    def state(self) -> str:
        """connecting, connected, disconnecting, or how it ended."""
        live = self._server.ask(lambda: self._server.running.switch.calls.get(self.id))
        if live is not None:
            return live.state.name.lower()
        return f"ended as {self.ending}"

    @property
    def verdict(self) -> Verdict | None:
        """Ending, code, subcode, fault and evidence; None while it is open."""
        return self.record.verdict

    @property
    def ending(self) -> str | None:
        """The name of its ending's page; None while it is open."""
        verdict = self.verdict
        return verdict.ending if verdict else None

    @property
    def is_open(self) -> bool:
        return self.record.ended_at is None

    @property
    def events(self) -> list[str]:
        """Types of the callback events that the application took, in order: CallConnected …"""
        taken = [fact for fact in self.facts if isinstance(fact, EventAttempted)]
        return [
            fact.event_type.rpartition(".")[2]
            for fact in taken
            if fact.status is not None and 200 <= fact.status < 300
        ]

    def why(self) -> str:
        """Why it ended, with evidence and ladder, as `onhook why` tells it."""
        return self._told().text()

    def ladder(self) -> str:
        return self._told().ladder()

    def connected(self, within: float = WITHIN_SECONDS) -> "Call":
        """Wait until somebody has answered. Raises AssertionError if nobody does."""
        __tracebackhide__ = True
        if not wait_until(lambda: self.record.connected_at is not None or not self.is_open, within):
            raise AssertionError(f"nobody answered the call {self.name} within {within:g} s\n\n{self.why()}")
        if self.record.connected_at is None:
            raise AssertionError(
                f"the call {self.name} {self.state}, and nobody had answered\n\n{self.why()}"
            )
        return self

    def ended(self, *endings: str, within: float = WITHIN_SECONDS) -> "Call":
        """Wait for its end, and until the application has been told of it; one of `endings` it must be.

        Without `endings` any will do. Raises AssertionError with evidence and ladder, and UnknownEnding.
        """
        __tracebackhide__ = True
        wanted = [ending_id(name) for name in endings]
        if not wait_until(lambda: not self.is_open, within):
            raise AssertionError(
                f"the call {self.name} is still {self.state} after {within:g} s"
                f"{_instead(wanted)}\n\n{self.why()}"
            )
        if wanted and self.ending not in wanted:
            raise AssertionError(f"the call {self.name} {self.state}{_instead(wanted)}\n\n{self.why()}")
        if not wait_until(self.is_told, within):
            raise AssertionError(
                f"the call {self.name} {self.state}, but the application did not take its events "
                f"within {within:g} s\n\n{self.why()}"
            )
        return self

    def is_told(self) -> bool:
        """Has the application taken, or finally refused, every event of it?"""
        return self._server.ask(lambda: self._server.running.courier.is_done_with(self.id))

    def _told(self) -> Told:
        return tell(self.record, self.facts)


def _instead(wanted: list[str]) -> str:
    return f", and was to end as {' or '.join(wanted)}" if wanted else ""


class Calls(Sequence[Call]):
    """Those that began at `since` (the clock of calls) or later, the oldest first."""

    def __init__(self, server: Server, since: float, chosen: Callable[[CallRecord], bool] = bool) -> None:
        self._server, self._since, self._chosen = server, since, chosen

    def __len__(self) -> int:
        return len(self._records())

    @overload
    def __getitem__(self, index: int) -> Call: ...
    @overload
    def __getitem__(self, index: slice) -> list[Call]: ...
    def __getitem__(self, index: int | slice) -> Call | list[Call]:
        if isinstance(index, slice):
            return [Call(self._server, record.id) for record in self._records()[index]]
        records = self._records()
        try:
            return Call(self._server, records[index].id)
        except IndexError:
            raise IndexError(f"there is no call {index}: this test has {len(records)} calls so far") from None

    def __iter__(self) -> Iterator[Call]:
        return iter(self[:])

    def __repr__(self) -> str:
        return f"<Calls {list(self)}>"

    @property
    def last(self) -> Call:
        """The newest; it is waited for if there is none yet."""
        __tracebackhide__ = True
        self.wait_for(1)
        return self[-1]

    def wait_for(self, count: int, within: float = WITHIN_SECONDS) -> list[Call]:
        """All of them, once there are at least `count`. Raises AssertionError."""
        __tracebackhide__ = True
        if not wait_until(lambda: len(self) >= count, within):
            raise AssertionError(f"{len(self)} calls came within {within:g} s, and {count} were to come")
        return self[:]

    def to(self, number: str) -> "Calls":
        """Those to a number."""
        return self._only(lambda record: record.target == number)

    def by(self, number: str) -> "Calls":
        """Those that show a number as their caller's."""
        return self._only(lambda record: record.source == number)

    def _only(self, chosen: Callable[[CallRecord], bool]) -> "Calls":
        return Calls(self._server, self._since, lambda record: self._chosen(record) and chosen(record))

    def _records(self) -> list[CallRecord]:
        newest = self._server.ask(lambda: self._server.running.store.calls(MAX_CALLS))
        mine = [record for record in newest if record.started_at >= self._since and self._chosen(record)]
        return sorted(mine, key=lambda record: record.started_at)


def wait_until(happened: Callable[[], bool], seconds: float) -> bool:
    """Look again and again; False if it has not happened within that time."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() >= end:
            return False
        time.sleep(LOOK_SECONDS)
    return True
