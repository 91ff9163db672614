"""SIP routing as the wire has it: what trunks and routes must keep to, and in which words they are refused.

validated (recordings of the vendor's tests, SipRoutingClient): every refusal is `UnprocessableConfiguration`
with the reason's own code in `innererror`; 400 for duplicates, 422 for the rest; removing a trunk that is
not there succeeds; an empty patch does not. documented (the SDK's models): the limits on lengths and counts,
.NET regular expressions. assumed: such an expression may match a part of the number, as .NET's IsMatch does.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence

from onhook.acs.errors import ApiError, shown
from onhook.acs.models_common import CommunicationError
from onhook.acs.sip_routing_models import SipTrunk, SipTrunkRoute

MAX_TRUNKS = 250
MAX_ROUTES = 250
MAX_TRUNKS_A_ROUTE = 250
MAX_FQDN_LENGTH = 249
MAX_ROUTE_NAME_LENGTH = 256
MAX_PATTERN_LENGTH = 1024
MAX_DESCRIPTION_LENGTH = 1024

CODE = "UnprocessableConfiguration"
MESSAGE = "One or more request inputs are not valid."

HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?\.?")
_ANCHOR_REPEATED = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|([\^$])[+*]\??", re.DOTALL)
"""An escape or a class, which stay as they are; or an anchor and what repeats it."""
_NAMED_GROUP = re.compile(r"\(\?(?:<(?![=!])([^>]*)>|'([^']*)')")


def is_host(value: str) -> bool:
    """Whether a machine may be called so: a host name, or an address of either kind."""
    if ":" not in value and not re.fullmatch(r"[0-9.]+", value):
        return bool(HOST.fullmatch(value))
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def fault_in_pattern(pattern: str) -> str:
    """Why `pattern` is no regular expression, in words for the person who wrote it; empty if it is one."""
    try:
        re.compile(pattern)
    except re.error as error:
        return f"{error.msg} at character {(error.pos or 0) + 1}"
    except (RecursionError, OverflowError):
        return "it is too deep, or repeats too often"
    return ""


def python_pattern(dotnet: str) -> str:
    """A .NET pattern as Python writes it.

    Repeating an anchor is allowed there and means nothing: the vendor's own example is `^+[1-9][0-9]{3,23}$`.
    Named groups are written otherwise. What remains different is refused by `fault_in_pattern`.
    """
    once = _ANCHOR_REPEATED.sub(lambda match: match[1] or match[2], dotnet)
    return _NAMED_GROUP.sub(lambda match: f"(?P<{match[1] or match[2]}>", once)


def refused(code: str, words: str, detail: str, *, status: int = 422, target: str | None = None) -> ApiError:
    """`words` are the real service's (without their full stop), `detail` is ours."""
    inner = CommunicationError(code=code, message=f"{words}: {detail}.")
    return ApiError(status, CODE, MESSAGE, target=target, inner=inner)


def check_trunk(fqdn: str, trunk: SipTrunk, *, is_new: bool) -> None:
    """Raises ApiError 422. One that exists may have any name that onhook.toml gave it.

    The real service takes fully qualified names only; addresses and short names are our own leniency.
    """
    where = f"$.trunks[{shown(fqdn)}]"
    if is_new and (len(fqdn) > MAX_FQDN_LENGTH or not is_host(fqdn)):
        raise refused(
            "InvalidTrunkFqdn",
            "Trunk with an invalid FQDN",
            f"{shown(fqdn)} is no host name of 1 to {MAX_FQDN_LENGTH} characters",
            target=where,
        )
    if not 1 <= trunk.sip_signaling_port <= 65535:
        raise refused(
            "InvalidTrunkSipSignalingPort",
            "Trunk with an invalid SIP signaling port",
            f"{trunk.sip_signaling_port} is not 1 to 65535",
            target=f"{where}.sipSignalingPort",
        )


def check_routes(routes: Sequence[SipTrunkRoute]) -> None:
    """Each route by itself and their names together. Raises ApiError 400 or 422."""
    if len(routes) > MAX_ROUTES:
        raise refused("TooManyRoutes", "Too many routes", f"{len(routes)}, at most {MAX_ROUTES} are allowed")
    for number, route in enumerate(routes):
        _check_route(route, f"$.routes[{number}]")
    twice = _twice(route.name for route in routes)
    if twice is not None:
        raise refused(
            "DuplicatedRoute",
            "There is a duplicated route",
            f"the name {shown(twice)} is given to several routes",
            status=400,
            target="$.routes",
        )


def _check_route(route: SipTrunkRoute, where: str) -> None:
    if not 1 <= len(route.name) <= MAX_ROUTE_NAME_LENGTH:
        detail = f"it has {len(route.name)} characters, allowed are 1 to {MAX_ROUTE_NAME_LENGTH}"
        raise refused("InvalidRouteName", "Route with an invalid name", detail, target=f"{where}.name")
    _check_pattern(route.number_pattern, f"{where}.numberPattern")
    if len(route.description or "") > MAX_DESCRIPTION_LENGTH:
        detail = f"it has more than {MAX_DESCRIPTION_LENGTH} characters"
        raise refused(
            "InvalidRouteDescription",
            "Route with an invalid description",
            detail,
            target=f"{where}.description",
        )
    trunks = route.trunks or []
    if len(trunks) > MAX_TRUNKS_A_ROUTE or not all(trunks):
        detail = f"expected are at most {MAX_TRUNKS_A_ROUTE} names, none of them empty"
        raise refused("InvalidRouteTrunk", "Route with an invalid trunk", detail, target=f"{where}.trunks")
    twice = _twice(trunks)
    if twice is not None:
        raise refused(
            "RouteWithDuplicatedTrunk",
            "There is a duplicated trunk in a route",
            f"route {shown(route.name)} names {shown(twice)} more than once",
            status=400,
            target=f"{where}.trunks",
        )


def _check_pattern(pattern: str, where: str) -> None:
    fault = ""
    if not 1 <= len(pattern) <= MAX_PATTERN_LENGTH:
        fault = f"it has {len(pattern)} characters, allowed are 1 to {MAX_PATTERN_LENGTH}"
    elif why := fault_in_pattern(python_pattern(pattern)):
        fault = f"{shown(pattern)} is no regular expression that is understood here: {why}"
    if fault:
        words = "Route with an invalid number pattern"
        raise refused("InvalidRouteNumberPattern", words, fault, target=where)


def empty_patch() -> ApiError:
    return refused("EmptyPatch", "Patch with no data provided", "give trunks, routes or both", target="$")


def missing_trunk(route: str, trunk: str, known: Iterable[str]) -> ApiError:
    there = ", ".join(sorted(known)[:10]) or "none"
    detail = f"route {shown(route)} names {shown(trunk)}; trunks are {there}"
    return refused("MissingTrunk", "Route targeting a missing trunk", detail, target="$.routes")


def _twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
