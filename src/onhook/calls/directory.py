"""Who owns which numbers, and which trunks carry a call: the data behind every routing decision.

Built by config.py from onhook.toml (or its defaults); read by routing.py and by the server.
"""

import re
from dataclasses import dataclass, field

from onhook.effects import Destination
from onhook.facts import Rewrite
from onhook.sip.sdes import leg_secret
from onhook.sip.terms import Secrecy, Terms


@dataclass(frozen=True, slots=True)
class Resource:
    """One ACS resource: whose keys sign requests, and whose numbers may be shown as caller id."""

    name: str
    id: str
    """Immutable resource id, a GUID; the first half of its users' raw ids."""
    access_keys: tuple[str, ...]
    """Base64, one or two; any of them signs."""
    numbers: tuple[str, ...] = ()
    """Owned phone numbers, E.164 with "+"."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A SIP peer that carries calls to and from the telephone network."""

    name: str
    host: str
    port: int = 5060
    transport: str = "udp"
    username: str = ""
    password: str = ""
    max_calls: int = 1000
    """Calls at a time; a call beyond it takes the route's next trunk."""
    no_response_seconds: float = 10.0
    """How long an INVITE may stay without any response (the failover timer of Direct Routing)."""
    calls_per_second: float = 0
    """Calls that may begin in a second, both ways; 0: as many as come."""
    options_seconds: float = 60.0
    """How often it is asked with OPTIONS how it is; 0: never."""
    offline_after_misses: int = 3
    """After how many unanswered OPTIONS or 503 in a row it is offline, which is tried last."""
    max_rest_seconds: float = 60.0
    """The longest rest that its 503 with Retry-After gets; 0: none, it is called all the same."""
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    """Spoken with this trunk, the best first."""
    srtp: Secrecy = "off"
    tls_name: str = ""
    """The name that its certificate must have; empty: `host`."""
    session_timer_seconds: int = 0
    """The interval of the session timer that we ask for (RFC 4028); 0: only if the trunk asks."""
    advertised_host: str = ""
    """What this trunk knows our machine by, in Via and Contact; empty: as all others."""
    refer: str = "auto"
    """Whether it may be asked to call others in our place (REFER): "auto" if it lists REFER, or "never"."""
    rewrites: tuple[Rewrite, ...] = ()
    """Causes that do not come through as they were sent: measured (lab/transparency.py), not configured."""

    @property
    def certified_name(self) -> str:
        """What a certificate of it is made out to."""
        return self.tls_name or self.host

    @property
    def destination(self) -> Destination:
        return Destination(self.transport, self.host, self.port)

    def terms(self, secret: str, leg_seed: str) -> Terms:
        """What is spoken on a leg of this trunk; `secret` is that of the call."""
        return Terms(self.codecs, self.srtp, leg_secret(secret, leg_seed))


@dataclass(frozen=True, slots=True)
class VoiceRoute:
    """Numbers that match `pattern` (a regular expression over all of the number) go to `trunks`."""

    name: str
    pattern: str
    trunks: tuple[str, ...]
    direct_routing: bool = True
    """Direct routing takes any caller id; otherwise the caller id must be an owned number."""
    anchored: bool = True
    """False: the pattern may match a part of the number, as those of the SIP routing API do."""
    order: str = "listed"
    """In which its trunks are tried: "listed", or "random" (documented for Direct Routing: at random)."""

    def matches(self, number: str) -> bool:
        match = re.fullmatch if self.anchored else re.search
        return match(self.pattern, number) is not None


@dataclass(frozen=True, slots=True)
class Directory:
    resources: tuple[Resource, ...] = ()
    trunks: dict[str, Trunk] = field(default_factory=dict[str, Trunk])
    routes: tuple[VoiceRoute, ...] = ()
