"""Which trunk carries a call, or why none does.

The order is that of Direct Routing with bought numbers beside it (documented: voice route first, then
the caller id): a direct-routing route takes a call with any caller id, another route only with a caller
id that the resource owns. Every trunk with room of every such route is a candidate, in the order of the
routes and of the trunks in each (or drawn, where the route asks for it); trunks that are offline come
last. The first takes the call; the others may take it over if the one before fails.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import chain

from onhook.calls.directory import Directory, Resource, Trunk, VoiceRoute
from onhook.calls.numbers import fault_in
from onhook.facts import Refusal


@dataclass(frozen=True, slots=True)
class Chosen:
    trunk: Trunk
    route: VoiceRoute
    others: tuple["Chosen", ...] = ()
    """Who may take the call over if this trunk fails, the next first."""


@dataclass(frozen=True, slots=True)
class NotRouted:
    why: Refusal
    detail: str


def _first(_count: int) -> int:
    """A draw for those who want none: what is listed first."""
    return 0


def choose_trunk(
    directory: Directory,
    resource: Resource,
    target: str,
    caller: str,
    calls_on: Mapping[str, int],
    *,
    draw: Callable[[int], int] = _first,
    offline: Collection[str] = (),
    resting: Mapping[str, float] | None = None,
    too_fast: Collection[str] = (),
) -> Chosen | NotRouted:
    """The trunk for a call from `caller` to `target`, and the others that may take it over.

    `calls_on` counts the calls now on each trunk. `draw(n)` is a number from 0 to n - 1, asked for each place
    in a route of random order. `offline` trunks are tried last; `resting` ones, with the seconds that they
    asked for (503 with Retry-After), not at all; nor those that began as many calls this second as they may.
    """
    if fault := fault_in(target):
        return NotRouted("number-invalid", f"{target!r} is no E.164 number: {fault}")
    if caller and (fault := fault_in(caller)):
        return NotRouted("number-invalid", f"caller id {caller!r} is no E.164 number: {fault}")
    if not directory.trunks:
        return NotRouted("no-trunk", "no trunk is configured: add a [trunk.NAME] section")
    matching = [route for route in directory.routes if route.matches(target)]
    allowed = [route for route in matching if route.direct_routing or caller in resource.numbers]
    if not allowed:
        return _refuse(directory, resource, target, caller, matching)
    known = _known(directory, allowed, draw)
    if not known:
        names = ", ".join(name for route in allowed for name in route.trunks) or "none"
        return NotRouted("no-trunk", f"route {allowed[0].name!r} names no trunk that exists ({names})")
    free = [each for each in known.values() if calls_on.get(each.trunk.name, 0) < each.trunk.max_calls]
    awake = [each for each in free if each.trunk.name not in (resting or {})]
    ready = [each for each in awake if each.trunk.name not in too_fast]
    if ready:
        first, *others = sorted(ready, key=lambda each: each.trunk.name in offline)
        return Chosen(first.trunk, first.route, tuple(others))
    if awake:
        paces = ", ".join(f"{each.trunk.name} ({each.trunk.calls_per_second:g} a second)" for each in awake)
        return NotRouted("trunk-too-fast", f"every trunk for {target} is at its calls_per_second: {paces}")
    return _no_room(target, known, free, calls_on, resting or {})


def _known(directory: Directory, routes: list[VoiceRoute], draw: Callable[[int], int]) -> dict[str, Chosen]:
    """Each trunk that exists once, by its name, in the order in which they are to be tried."""
    found: dict[str, Chosen] = {}
    for route in routes:
        for name in _ordered(route, draw):
            if (trunk := directory.trunks.get(name)) is not None:
                found.setdefault(name, Chosen(trunk, route))
    return found


def _ordered(route: VoiceRoute, draw: Callable[[int], int]) -> list[str]:
    """The trunks of a route as listed, or each place drawn from those left (documented for a route)."""
    names = list(dict.fromkeys(route.trunks))
    if route.order != "random":
        return names
    return [names.pop(draw(len(names))) for _ in range(len(names))]


def _no_room(
    target: str,
    known: Mapping[str, Chosen],
    free: list[Chosen],
    calls_on: Mapping[str, int],
    resting: Mapping[str, float],
) -> NotRouted:
    """Every trunk is full, or has asked for a rest."""
    full = [
        f"{trunk.name} ({calls_on.get(trunk.name, 0)} of max_calls {trunk.max_calls})"
        for trunk in (each.trunk for each in known.values() if each not in free)
    ]
    if not free:
        limits = ", ".join(full)
        return NotRouted("trunk-full", f"every trunk for {target} is at its limit of calls: {limits}")
    rests = [f"{each.trunk.name} (for {resting[each.trunk.name]:.0f} s more)" for each in free]
    shown = ", ".join(chain(rests, full))
    return NotRouted(
        "trunk-resting", f"no trunk for {target} takes calls now: 503 with Retry-After came from {shown}"
    )


def _refuse(
    directory: Directory, resource: Resource, target: str, caller: str, matching: list[VoiceRoute]
) -> NotRouted:
    """Why no route may be used: the number, or the caller id."""
    if not matching:
        return NotRouted("no-route", f"{target} matches none of the {len(directory.routes)} voice routes")
    routes = ", ".join(repr(route.name) for route in matching)
    if not caller:
        return NotRouted(
            "caller-id-missing",
            f"route {routes} is not direct routing, so sourceCallerIdNumber must be a number of the resource",
        )
    owner = next((other.name for other in directory.resources if caller in other.numbers), "")
    if owner:
        return NotRouted(
            "caller-id-not-owned",
            f"caller id {caller} belongs to resource {owner!r}, not to {resource.name!r}",
        )
    return NotRouted(
        "number-unknown",
        f"caller id {caller} belongs to no resource; {resource.name!r} owns {_some(resource.numbers)}",
    )


def _some(numbers: tuple[str, ...]) -> str:
    shown = ", ".join(numbers[:3])
    return f"{shown} and {len(numbers) - 3} more" if len(numbers) > 3 else shown or "no number"
