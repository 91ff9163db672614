"""How the HTTP server behaves. Filled from onhook.toml by config; every limit has its name here."""

from dataclasses import dataclass
from typing import Literal

from onhook.acs.callback_uri import PlainHttp


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    callback_http: PlainHttp = "loopback"
    """Which callback addresses may be http:// instead of https://."""
    own_api: Literal["loopback", "always"] = "loopback"
    """Who may read /onhook/…: callers on this machine, or everybody who reaches the port."""
    hostnames: tuple[str, ...] = ()
    """Names under which clients reach this server, besides localhost and 127.0.0.1."""
    endpoints: tuple[str, ...] = ()
    """host[:port] of the connection strings that were given out; recording requests are signed for them."""
    clock_skew_seconds: int = 900
    """How far x-ms-date may be from our clock. The JavaScript SDK sends one date for all its retries."""
    max_body_bytes: int = 1024 * 1024
    max_requests_in_flight: int = 2000
    """More at a time are answered 503 with Retry-After."""
    max_calls_listed: int = 1000
    token_issuer: str = ""
    """`iss` of the tokens that this server signs; empty: its own address."""
    token_key_days: int = 30
    """How long a signing key is used before a new one is made."""
    sip_routing: Literal["api", "file"] = "api"
    """What counts for trunks and routes: what the SIP routing API changed, or onhook.toml alone."""
    request_limits: tuple[str, ...] = ()
    """As server/throttle.py reads them: "createCall 2/10"."""
