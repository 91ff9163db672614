"""What is armed: a register without I/O. Time is given, whoever acts asks `take`, and each hit is counted.

Something armed matches what its number, trunk and operation name, each of them or any; it lets `skip` of them
pass, then hits `count`, and expires at `until`. The one that was armed first hits first.
"""

from difflib import get_close_matches
from typing import Final

import msgspec

from onhook.lab.causes import AT_ONCE, OF_NUMBERS, Arm, Cause, causes, reasons
from onhook.lab.scenario import parse_scenario

MAX_ARMED: Final = 1_000
MAX_COUNT: Final = 1_000_000
MAX_SECONDS: Final = 7 * 86_400.0
DONE_KEPT: Final = 200
"""Things that hit as often as they should, or expired, that are still listed."""
OWN_SCENARIO: Final = "scenario"
"""Name of what plays a text of somebody's own."""


class NotProvokable(ValueError):
    """It cannot be armed; the text says why and what to do."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody asks for. Seconds count from now; `count` 0 is without end."""

    ending: str = ""
    number: str = ""
    trunk: str = ""
    operation: str = ""
    scenario: str = ""
    count: int = 1
    skip: int = 0
    after_seconds: float = 0.0
    until_seconds: float = 0.0
    """0: for ever."""


class Provocation(msgspec.Struct, kw_only=True):
    """Something armed. Times are Unix seconds; `calls` are the ids of the calls that it hit."""

    id: str
    name: str
    arm: Arm
    scenario: str
    number: str
    trunk: str
    operation: str
    count: int
    skip: int
    armed_at: float
    starts_at: float
    expires_at: float | None
    hits: int = 0
    passed: int = 0
    last_hit_at: float | None = None
    calls: list[str] = msgspec.field(default_factory=list[str])
    then: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def spent(self, now: float) -> bool:
        """It will not hit again."""
        used_up = bool(self.count) and self.hits >= self.count
        return used_up or (self.expires_at is not None and now >= self.expires_at)

    def fits(self, number: str, trunk: str, operation: str) -> bool:
        return (
            self.number in {"", number}
            and self.trunk in {"", trunk}
            and self.operation.lower() in {"", operation.lower()}
        )


class Provocations:
    def __init__(self) -> None:
        self._armed: dict[str, Provocation] = {}
        self._done: list[Provocation] = []
        self._made = 0

    def arm(self, wanted: Wanted, now: float) -> Provocation:
        """Raises NotProvokable, or ScenarioError for a text of somebody's own that is none."""
        cause = cause_of(wanted)
        _check(wanted, cause)
        self._put_away(now)
        if len(self._armed) >= MAX_ARMED:
            raise NotProvokable(f"{MAX_ARMED} provocations are armed, the limit: disarm some first")
        self._made += 1
        starts_at = now + wanted.after_seconds
        made = Provocation(
            id=f"p{self._made}",
            name=cause.name,
            arm=cause.arm,
            scenario=cause.scenario,
            number=wanted.number,
            trunk=wanted.trunk,
            operation=wanted.operation,
            count=wanted.count,
            skip=wanted.skip,
            armed_at=now,
            starts_at=starts_at,
            expires_at=now + wanted.until_seconds if wanted.until_seconds else None,
            then=cause.then,
            needs=cause.needs,
        )
        self._armed[made.id] = made
        return made

    def take(
        self, arm: Arm, now: float, *, number: str = "", trunk: str = "", operation: str = "", call: str = ""
    ) -> Provocation | None:
        """What hits this call or request, counted; None if nothing does."""
        if not self._armed:
            return None
        for each in self._armed.values():
            due = each.arm == arm and each.starts_at <= now and not each.spent(now)
            if not due or not each.fits(number, trunk, operation):
                continue
            if each.passed < each.skip:
                each.passed += 1
                continue
            each.hits += 1
            each.last_hit_at = now
            if call and len(each.calls) < DONE_KEPT:
                each.calls.append(call)
            return each
        return None

    def holds(self, arm: Arm, now: float) -> Provocation | None:
        """The first that is in force, not counted: for states such as a full store."""
        return next(
            (
                each
                for each in self._armed.values()
                if each.arm == arm and each.starts_at <= now and not each.spent(now)
            ),
            None,
        )

    def listed(self, now: float) -> list[Provocation]:
        """Those in force first, then those that are spent, the newest of each first."""
        self._put_away(now)
        return [*reversed(self._armed.values()), *reversed(self._done)]

    def is_armed(self, name: str) -> bool:
        return name in self._armed

    def get(self, name: str) -> Provocation | None:
        known = self._armed.get(name)
        return known or next((each for each in self._done if each.id == name), None)

    def disarm(self, name: str, now: float) -> list[Provocation]:
        """The one with this id, or `all`; those that were still in force."""
        self._put_away(now)
        gone = (
            list(self._armed.values())
            if name == "all"
            else [self._armed[name]]
            if name in self._armed
            else []
        )
        for each in gone:
            del self._armed[each.id]
        self._keep(gone)
        return gone

    def _put_away(self, now: float) -> None:
        spent = [each for each in self._armed.values() if each.spent(now)]
        for each in spent:
            del self._armed[each.id]
        self._keep(spent)

    def _keep(self, gone: list[Provocation]) -> None:
        self._done = [*self._done, *gone][-DONE_KEPT:]


def cause_of(wanted: Wanted) -> Cause:
    """The cause that is asked for by name, or the one that a scenario of somebody's own makes."""
    if wanted.scenario:
        scenario = parse_scenario(wanted.scenario)
        calls = scenario.calls_in is not None
        return Cause(
            wanted.ending or OWN_SCENARIO,
            "inbound" if calls else "carrier",
            "a scenario of your own",
            wanted.scenario,
        )
    name = wanted.ending.strip().lower()
    known = causes().get(name)
    if known is not None:
        return known
    if name in reasons():
        raise NotProvokable(f"{name} cannot be provoked in a running server: {reasons()[name]}")
    near = ", ".join(get_close_matches(name[:60], list(causes())))
    raise NotProvokable(
        f"nothing is called {name[:60]!r}{f'; did you mean {near}?' if near else ''}. "
        "`onhook provoke --list` lists what there is"
    )


def _check(wanted: Wanted, cause: Cause) -> None:
    if not 0 <= wanted.count <= MAX_COUNT or not 0 <= wanted.skip <= MAX_COUNT:
        raise NotProvokable(f"count and skip are 0 to {MAX_COUNT}")
    for name, seconds in (("after", wanted.after_seconds), ("until", wanted.until_seconds)):
        if not 0 <= seconds <= MAX_SECONDS:
            raise NotProvokable(f"{name} is 0 to {MAX_SECONDS:g} seconds")
    if wanted.until_seconds and wanted.until_seconds <= wanted.after_seconds:
        raise NotProvokable("it would expire before it begins: make `until` later than `after`")
    if wanted.operation and cause.arm != "request":
        raise NotProvokable(f"{cause.name} is no fault of a request: leave --operation out")
    if wanted.trunk and cause.arm not in OF_NUMBERS:
        raise NotProvokable(f"{cause.name} belongs to no trunk: leave --trunk out")
    if wanted.number and cause.arm not in OF_NUMBERS and cause.arm not in AT_ONCE:
        raise NotProvokable(f"{cause.name} belongs to no number: leave --number out")
