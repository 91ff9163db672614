"""Which trunk carries a call, or why none does.

The order is that of Direct Routing with bought numbers beside it (documented: voice route first, then
the caller id): a direct-routing route takes a call with any caller id, another route only with a caller
id that the resource owns; of a route's trunks the first with room is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from onhook.calls.directory import Directory, Resource, Trunk, VoiceRoute
from onhook.calls.numbers import fault_in
from onhook.facts import Refusal


@dataclass(frozen=True, slots=True)
class Chosen:
    trunk: Trunk
    route: VoiceRoute


@dataclass(frozen=True, slots=True)
class NotRouted:
    why: Refusal
    detail: str


def choose_trunk(
    directory: Directory, resource: Resource, target: str, caller: str, calls_on: Mapping[str, int]
) -> Chosen | NotRouted:
    """The trunk for a call from `caller` to `target`; `calls_on` counts the calls now on each trunk."""
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
    for route in allowed:
        for name in route.trunks:
            trunk = directory.trunks.get(name)
            if trunk is not None and calls_on.get(name, 0) < trunk.max_calls:
                return Chosen(trunk, route)
    names = [name for route in allowed for name in route.trunks]
    known = [directory.trunks[name] for name in names if name in directory.trunks]
    if not known:
        route = allowed[0]
        return NotRouted(
            "no-trunk", f"route {route.name!r} names no trunk that exists ({', '.join(names) or 'none'})"
        )
    full = ", ".join(
        f"{trunk.name} ({calls_on.get(trunk.name, 0)} of max_calls {trunk.max_calls})" for trunk in known
    )
    return NotRouted("trunk-full", f"every trunk for {target} is at its limit of calls: {full}")


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
