"""The routing table while the server runs: what onhook.toml says, and what the SIP routing API changed in it.

What the API set wins, trunk by trunk, and for routes as one list: an application that was told 200 must find
its table again after a restart. All else, passwords and limits of trunks above all, stays the file's. A trunk
that the API only moved to another port is gone when the file no longer has it; one that the API made stays.
There is one table for the whole server (the real service keeps one a resource), as there is one file.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping

import msgspec
from msgspec import UnsetType

from onhook.acs.errors import shown
from onhook.acs.sip_routing import (
    MAX_TRUNKS,
    check_routes,
    check_trunk,
    empty_patch,
    missing_trunk,
    python_pattern,
    refused,
)
from onhook.acs.sip_routing_models import SipConfiguration, SipConfigurationPatch, SipTrunk, SipTrunkRoute
from onhook.calls.directory import Directory, Trunk, VoiceRoute


class TrunkChange(msgspec.Struct, frozen=True, kw_only=True):
    """`port` None: removed. `made`: the configuration had no such trunk when the API set it."""

    port: int | None
    made: bool = False


class RoutingChanges(msgspec.Struct, frozen=True, kw_only=True):
    """All that the API changed, as it is kept. `routes` None: as configured."""

    trunks: dict[str, TrunkChange] = msgspec.field(default_factory=dict[str, TrunkChange])
    routes: tuple[SipTrunkRoute, ...] | None = None


def changed(configured: Directory, changes: RoutingChanges, *, transport: str) -> Directory:
    """The table in force. `transport` is that of trunks which the API made."""
    trunks = dict(configured.trunks)
    for name, change in changes.trunks.items():
        there = trunks.get(name)
        if change.port is None:
            trunks.pop(name, None)
        elif there is not None:
            trunks[name] = dataclasses.replace(there, port=change.port)
        elif change.made:
            trunks[name] = Trunk(name=name, host=name, port=change.port, transport=transport)
    routes = configured.routes if changes.routes is None else tuple(map(_voice_route, changes.routes))
    return dataclasses.replace(configured, trunks=trunks, routes=routes)


def patched(
    configured: Directory, changes: RoutingChanges, patch: SipConfigurationPatch, *, transport: str
) -> RoutingChanges:
    """`changes` after a merge patch (RFC 7396). Raises ApiError 400 or 422, and then nothing is changed."""
    live = changed(configured, changes, transport=transport)
    if isinstance(patch.routes, UnsetType) and (isinstance(patch.trunks, UnsetType) or patch.trunks == {}):
        raise empty_patch()
    asked = _trunks_asked(live, patch)
    for fqdn, trunk in asked.items():
        if trunk is not None:
            check_trunk(fqdn, trunk, is_new=fqdn not in live.trunks)
    routes = changes.routes
    if not isinstance(patch.routes, UnsetType):
        check_routes(patch.routes or [])
        routes = tuple(patch.routes or ())
    trunks = _merged(configured, changes.trunks, asked)
    after = RoutingChanges(trunks=trunks, routes=routes)
    result = changed(configured, after, transport=transport)
    if len(result.trunks) > max(MAX_TRUNKS, len(live.trunks)):
        raise refused("TooManyTrunks", "Too many trunks", f"{len(result.trunks)}, {MAX_TRUNKS} are allowed")
    _check_targets(result, before=live if isinstance(patch.routes, UnsetType) else None)
    return after


def _trunks_asked(live: Directory, patch: SipConfigurationPatch) -> Mapping[str, SipTrunk | None]:
    if isinstance(patch.trunks, UnsetType):
        return {}
    return dict.fromkeys(live.trunks) if patch.trunks is None else patch.trunks


def _merged(
    configured: Directory, trunks: Mapping[str, TrunkChange], asked: Mapping[str, SipTrunk | None]
) -> dict[str, TrunkChange]:
    merged = dict(trunks)
    for name, trunk in asked.items():
        is_configured = name in configured.trunks
        if trunk is not None:
            merged[name] = TrunkChange(port=trunk.sip_signaling_port, made=not is_configured)
        elif is_configured:
            merged[name] = TrunkChange(port=None)
        else:
            merged.pop(name, None)
    return merged


def _check_targets(result: Directory, *, before: Directory | None) -> None:
    """No route may name a trunk that is not there; what was missing `before` is not this patch's fault."""
    already = set(missing_targets(before)) if before else set[tuple[str, str]]()
    for route, trunk in missing_targets(result):
        if (route, trunk) not in already:
            raise missing_trunk(route, trunk, result.trunks)


def missing_targets(directory: Directory) -> list[tuple[str, str]]:
    """Routes and the trunks they name that are not there."""
    return [
        (route.name, trunk)
        for route in directory.routes
        for trunk in route.trunks
        if trunk not in directory.trunks
    ]


def shown_table(live: Directory, changes: RoutingChanges) -> SipConfiguration:
    """The table as the API shows it: trunks by name, routes in order, each with its pattern as it was given.

    Patterns of the configuration fit the whole number; so that they keep their meaning when an application
    sends back what it read, they are shown with anchors.
    """
    trunks = {name: SipTrunk(sip_signaling_port=trunk.port) for name, trunk in live.trunks.items()}
    if changes.routes is None:
        return SipConfiguration(trunks=trunks, routes=[_wire_route(route) for route in live.routes])
    routes = [msgspec.structs.replace(route, trunks=route.trunks or []) for route in changes.routes]
    return SipConfiguration(trunks=trunks, routes=routes)


def forgotten(configured: Directory, changes: RoutingChanges) -> list[str]:
    """What was kept and no longer fits the configuration, one sentence each."""
    found = [
        f"trunk {shown(name)} was moved to port {change.port} by the API, but is no longer configured"
        for name, change in changes.trunks.items()
        if change.port is not None and not change.made and name not in configured.trunks
    ]
    live = changed(configured, changes, transport="")
    found += [
        f"route {shown(route)} names trunk {shown(trunk)}, which is not there"
        for route, trunk in _once(missing_targets(live))
    ]
    return found


def _once(pairs: Iterable[tuple[str, str]]) -> Collection[tuple[str, str]]:
    return dict.fromkeys(pairs)


def _voice_route(route: SipTrunkRoute) -> VoiceRoute:
    return VoiceRoute(
        name=route.name,
        pattern=python_pattern(route.number_pattern),
        trunks=tuple(route.trunks or ()),
        anchored=False,
    )


def _wire_route(route: VoiceRoute) -> SipTrunkRoute:
    pattern = f"^(?:{route.pattern})$" if route.anchored else route.pattern
    return SipTrunkRoute(name=route.name, number_pattern=pattern, trunks=list(route.trunks))
