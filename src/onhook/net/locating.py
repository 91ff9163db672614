"""Where a domain is served (RFC 3263): NAPTR, SRV, and the addresses of the hosts that they name.

For a destination without a port. The transport is given; NAPTR records say under which name its SRV
records are, else that is `_sip._udp.DOMAIN` and the like (section 4.1, 4.2). Without SRV records the domain
is a host, at the transport's usual port. Servers of the lowest priority come first, and among them a draw by
weight decides (RFC 2782).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import dns.name

from onhook.net.answers import Answers, Unresolved
from onhook.net.dns_questions import Questions
from onhook.net.failures import failure
from onhook.net.resolver import literal
from onhook.net.settings import NetworkSettings

MAX_TARGETS: Final = 16
USUAL_PORTS: Final = {"tls": 5061, "ws": 80, "wss": 443}
"""Others have 5060."""
_NAMES: Final = {
    "udp": "_sip._udp",
    "tcp": "_sip._tcp",
    "tls": "_sips._tcp",
    "ws": "_sip._ws",
    "wss": "_sips._ws",
}
_SERVICES: Final = {
    "udp": "SIP+D2U", "tcp": "SIP+D2T", "tls": "SIPS+D2T", "ws": "SIP+D2W", "wss": "SIPS+D2W",
}  # fmt: skip


class Target(NamedTuple):
    """One server of a domain."""

    address: str
    port: int
    priority: int = 0
    weight: int = 0


Targets: TypeAlias = tuple[Target, ...]


class Locator(Answers[Targets]):
    """Keys are a transport and a domain: "tls sbc.example"."""

    def __init__(self, settings: NetworkSettings, questions: Questions | None = None) -> None:
        super().__init__(settings)
        self._questions = questions or Questions(settings)

    def immediate(self, key: str) -> Targets | None:
        transport, _, domain = key.partition(" ")
        address = literal(domain)
        return None if address is None else (Target(address, usual_port(transport)),)

    async def question(self, key: str) -> tuple[Targets | Unresolved, float]:
        transport, _, domain = key.partition(" ")
        names, seconds = await self._where_srv_is(transport, domain)
        for name in names:
            found = await self._questions.records(name, "SRV")
            seconds = min(seconds, found.seconds)
            if isinstance(found.records, Unresolved):
                return found.records, found.seconds
            if found.records:
                return await self._servers(domain, transport, found.records, seconds)
        found = await self._questions.addresses(domain)
        if isinstance(found.records, Unresolved):
            return found.records, min(seconds, found.seconds)
        port = usual_port(transport)
        targets = tuple(Target(address, port) for address in found.records[:MAX_TARGETS])
        return targets, min(seconds, found.seconds)

    async def _where_srv_is(self, transport: str, domain: str) -> tuple[list[str], float]:
        """Where the SRV records for the transport are; the names of section 4.1's fallback without NAPTR."""
        found = await self._questions.records(domain, "NAPTR")
        usual = f"{_NAMES[transport]}.{domain}"
        if isinstance(found.records, Unresolved):  # not worth the call: many servers know no NAPTR
            return [usual], found.seconds
        wanted = _SERVICES[transport]
        fit = [each for each in found.records if _text(each.service).upper() == wanted]
        fit = [each for each in fit if _text(each.flags).lower() == "s" and each.replacement != dns.name.root]
        fit.sort(key=lambda record: (record.order, record.preference))
        return [each.replacement.to_text() for each in fit] or [usual], found.seconds

    async def _servers(
        self, domain: str, transport: str, records: Sequence[Any], seconds: float
    ) -> tuple[Targets | Unresolved, float]:
        """The addresses behind SRV records; those of hosts that have none are left out."""
        named = [each for each in records if each.target != dns.name.root]
        if not named:  # RFC 2782: a target of "." means that the service is decidedly not there
            return Unresolved(
                failure("name-unknown", f"{domain} offers no SIP over {transport} (SRV)")
            ), seconds
        targets: list[Target] = []
        why = Unresolved("")
        for record in sorted(named, key=lambda each: (each.priority, -each.weight))[:MAX_TARGETS]:
            found = await self._questions.addresses(record.target.to_text(omit_final_dot=True))
            seconds = min(seconds, found.seconds)
            if isinstance(found.records, Unresolved):
                why = found.records
                continue
            targets.append(Target(found.records[0], record.port, record.priority, record.weight))
        return (tuple(targets) or why), seconds


def in_order(targets: Targets, draw: Callable[[], float]) -> list[Target]:
    """The order to try servers in: by priority, and by a draw among equals. `draw` gives 0 to below 1.

    RFC 2782: one of weight 0 has a very small chance beside others.
    """
    left, ordered = sorted(targets, key=lambda target: (target.priority, target.weight)), list[Target]()
    while left:
        equals = [target for target in left if target.priority == left[0].priority]
        mark = draw() * sum(target.weight for target in equals)
        passed = 0
        for target in equals:
            passed += target.weight
            if passed >= mark:
                ordered.append(target)
                left.remove(target)
                break
    return ordered


def usual_port(transport: str) -> int:
    return USUAL_PORTS.get(transport, 5060)


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
