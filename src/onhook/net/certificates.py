"""Whose certificate it is (RFC 5922), and for how long.

A certificate belongs to a SIP domain if its subjectAltName has `URI:sip:DOMAIN` or, without any such URI,
`DNS:DOMAIN`; only one without either is known by its common name (section 7.1). RFC 5922 knows no
wildcards; Direct Routing takes `*.example.com` for one label in that place (documented), and so do we.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

DAY_SECONDS: Final = 86_400.0
WATCHED_DAYS: Final = 30
"""How long ahead of its end a certificate is spoken of."""


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """`names` in lower case; `until` in Unix seconds, 0.0 if it was not said."""

    names: tuple[str, ...]
    until: float
    subject: str = ""

    def covers(self, name: str) -> bool:
        """Whether it belongs to `name`: a host name or an address."""
        wanted = canonical(name)
        parent = "" if _is_address(wanted) else wanted.partition(".")[2]
        return wanted in self.names or ("." in parent and f"*.{parent}" in self.names)

    def remark(self, now: float) -> str:
        """What is to be said of its end: nothing until thirty days before."""
        if not self.until:
            return ""
        days = (self.until - now) / DAY_SECONDS
        if days < 0:
            return f"expired {-days:.0f} days ago"
        return f"expires in {days:.0f} days" if days <= WATCHED_DAYS else ""


def peer_certificate(read: Mapping[str, Any]) -> PeerCertificate:
    """From what `SSLSocket.getpeercert` gives; without names if nothing was shown."""
    uris, others, common = list[str](), list[str](), list[str]()
    for kind, value in read.get("subjectAltName", ()):
        if kind == "URI" and (domain := _sip_domain(value)):
            uris.append(domain)
        elif kind in {"DNS", "IP Address"}:
            others.append(canonical(value))
    for relative in read.get("subject", ()):
        common += [canonical(value) for kind, value in relative if kind == "commonName"]
    addresses = [name for name in others if _is_address(name)]
    names = [*uris, *addresses] if uris else others or common
    until = ssl.cert_time_to_seconds(read["notAfter"]) if read.get("notAfter") else 0.0
    return PeerCertificate(tuple(dict.fromkeys(names)), float(until), next(iter(common), ""))


def canonical(name: str) -> str:
    """One spelling for a host name or an address."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name.rstrip(".").lower()


def _sip_domain(uri: str) -> str:
    """The domain of `sip:example.com`; empty if it names a user or is none (RFC 5922 section 7.1)."""
    scheme, _, rest = uri.partition(":")
    return "" if scheme.lower() != "sip" or "@" in rest else canonical(rest.partition(";")[0])


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
