"""Which callback addresses an application may give.

documented ("Troubleshooting call end response codes", tips): Call Automation does not call http://
addresses and answers "The field CallbackUri is invalid". Onhook follows, except for addresses on this
machine if the setting says so. The 400/8523 of the refusal is assumed.
"""

from ipaddress import ip_address
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from onhook.acs.errors import ApiError, invalid_body, shown

PlainHttp: TypeAlias = Literal["never", "loopback", "always"]

MAX_CALLBACK_URI_LENGTH = 2048


def check_callback_uri(
    uri: str, *, http: PlainHttp = "loopback", field: str = "CallbackUri", target: str = "$.callbackUri"
) -> str | None:
    """None, or a warning to pass on to the caller; raises ApiError 400 naming what is wrong.

    The query is the application's own (a key is often put there) and is never looked into.
    """
    if len(uri) > MAX_CALLBACK_URI_LENGTH:
        raise _invalid(field, f"it has {len(uri)} characters, {MAX_CALLBACK_URI_LENGTH} are allowed", target)
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError as fault:
        raise _invalid(field, f"{shown(_bare(uri))} is no URI: {fault}", target) from None
    if parts.scheme not in {"http", "https"}:
        raise _invalid(field, f"{shown(_bare(uri))} does not begin with https://", target)
    if not host or any(letter <= " " for letter in uri):
        raise _invalid(field, f"{shown(_bare(uri))} names no host, or contains spaces", target)
    if parts.scheme == "https":
        return None
    if http == "never" or (http == "loopback" and not is_loopback(host)):
        allowed = "no address" if http == "never" else "only addresses of this machine"
        why = f"it is an http:// address; Call Automation calls https:// only (here {allowed} may be http)"
        raise _invalid(field, why, target)
    return f"{field} is an http:// address: accepted here, refused by Azure Communication Services"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own: localhost, *.localhost, 127.0.0.0/8, ::1."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _bare(uri: str) -> str:
    """Without the query: it may hold the application's key."""
    return uri.partition("?")[0]


def _invalid(field: str, why: str, target: str) -> ApiError:
    return invalid_body(f"The field {field} is invalid: {why}.", target=target)
