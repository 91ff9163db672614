"""What a REFER asks, and what a NOTIFY about it tells: headers and bodies (RFC 3515, RFC 3420, RFC 3892)."""

import re
from collections.abc import Iterable

import msgspec

from onhook.effects import Destination
from onhook.sip.headers import parse_name_addr, parse_number, parse_params
from onhook.sip.messages import Request
from onhook.sip.uri import SipUri

REFER = "refer"
"""The event package (RFC 3515 section 3)."""
SIPFRAG = "message/sipfrag"
MAX_PHRASE_CHARACTERS = 80
_STATUS_LINE = re.compile(r"SIP/2\.0 +([1-6][0-9]{2})(?: +([^\r\n]*))?")


class Told(msgspec.Struct, frozen=True):
    """Input: a NOTIFY about our REFER. `status` is that of its status line, 0 if it holds none.

    `terminated`: no further NOTIFY follows, for `reason` as Subscription-State gives it.
    """

    status: int
    phrase: str = ""
    terminated: bool = False
    reason: str = ""


def refer_to(number: str, trunk: Destination, headers: Iterable[tuple[str, str]] = ()) -> str:
    """Refer-To for a telephone behind `trunk`; `headers` go into the INVITE that it leads to."""
    uri = SipUri(trunk.host, number, trunk.port or None, params=(("user", "phone"),))
    if trunk.transport != "udp":
        uri = uri.with_param("transport", trunk.transport)
    for name, value in headers:
        uri = uri.with_header(name, value)
    return f"<{uri}>"


def referred_by(own: str) -> str:
    """Referred-By of the party that our side of a dialog names (RFC 3892); `own` is our From or To."""
    named = parse_name_addr(own)
    return f"<{named.uri}>" if named else own


def read_notify(request: Request) -> Told:
    """Total: whatever cannot be read is left out."""
    state, _, params = request.headers.get("subscription-state").partition(";")
    found = _STATUS_LINE.match(request.body[:1000].decode(errors="replace").lstrip())
    phrase = (found[2] or "").strip()[:MAX_PHRASE_CHARACTERS] if found else ""
    return Told(
        int(found[1]) if found else 0,
        phrase,
        terminated=state.strip().lower() == "terminated",
        reason=parse_params(params).get("reason") or "",
    )


def event_of(request: Request) -> tuple[str, int | None]:
    """The event package of a NOTIFY, lower-case, and its id: the CSeq number of a REFER (section 2.4.6)."""
    name, _, params = request.headers.get("event").partition(";")
    return name.strip().lower(), parse_number(parse_params(params).get("id") or "", 2**31 - 1)
