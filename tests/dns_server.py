"""A tiny authoritative DNS server on loopback: a zone from a table, every question counted."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], list[str]]
"""Texts of records by name and kind: ("sbc.example", "A"): ["192.0.2.1"]."""


class DnsServer(asyncio.DatagramProtocol):
    """`zone` may change at any time; `rcode` other than 0 answers everything with it; `mute` with nothing."""

    def __init__(self, zone: Zone, *, ttl: int = 60, negative_ttl: int = 20) -> None:
        self.zone, self.ttl, self.negative_ttl = zone, ttl, negative_ttl
        self.rcode, self.mute = 0, False
        self.asked: Counter[tuple[str, str]] = Counter()
        self.address = ""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.address = "{}:{}".format(*transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, source: Any) -> None:
        if not self.mute:
            self._transport.sendto(self.answer(dns.message.from_wire(data)).to_wire(), source)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        (question,) = query.question
        name, kind = (
            question.name.to_text(omit_final_dot=True).lower(),
            dns.rdatatype.to_text(question.rdtype),
        )
        self.asked[name, kind] += 1
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        if self.rcode:
            response.set_rcode(dns.rcode.Rcode(self.rcode))
            return response
        texts = self.zone.get((name, kind))
        if texts:
            response.answer.append(
                dns.rrset.from_text(question.name, self.ttl, dns.rdataclass.IN, question.rdtype, *texts)
            )
            return response
        if all(known != name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = f"ns.example. admin.example. 1 1 1 1 {self.negative_ttl}"
        response.authority.append(
            dns.rrset.from_text("example.", 3_600, dns.rdataclass.IN, dns.rdatatype.SOA, soa)
        )
        return response


@contextlib.asynccontextmanager
async def dns_server(zone: Zone, *, ttl: int = 60, negative_ttl: int = 20) -> AsyncGenerator[DnsServer]:
    server = DnsServer(zone, ttl=ttl, negative_ttl=negative_ttl)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
