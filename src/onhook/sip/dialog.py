"""A dialog: what both ends keep of each other after an INVITE met its answer (RFC 3261 section 12)."""

from onhook.effects import Destination
from onhook.sip.headers import parse_name_addr, split_host_port
from onhook.sip.messages import Headers, Request, Response
from onhook.sip.uri import scheme_of
from onhook.sip.validity import CALL_SCHEMES

MAX_FORWARDS = "70"
USER_AGENT = "onhook"


class Dialog:
    """`remote_target` is the peer's Contact; `route_set` the proxies between, nearest first."""

    __slots__ = (
        "call_id",
        "fallback",
        "local",
        "local_cseq",
        "local_tag",
        "remote",
        "remote_cseq",
        "remote_tag",
        "remote_target",
        "route_set",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local: str,
        remote: str,
        local_tag: str,
        remote_tag: str,
        local_cseq: int,
        remote_target: str,
        route_set: list[str],
        fallback: Destination,
    ) -> None:
        self.call_id = call_id
        self.local, self.remote = local, remote
        self.local_tag, self.remote_tag = local_tag, remote_tag
        self.local_cseq = local_cseq
        self.remote_cseq: int | None = None
        self.remote_target, self.route_set = remote_target, route_set
        self.fallback = fallback

    @classmethod
    def of_client(cls, invite: Request, response: Response, peer: Destination) -> "Dialog":
        """The dialog that `response` (101 to 299, with a To tag) makes for the caller (section 12.1.2)."""
        contacts = response.headers.values("contact")
        return cls(
            call_id=invite.call_id,
            local=invite.headers.get("from"),
            remote=response.headers.get("to"),
            local_tag=invite.from_tag,
            remote_tag=response.to_tag,
            local_cseq=invite.cseq.number if invite.cseq else 1,
            remote_target=_target_of(contacts) or invite.uri,
            route_set=list(reversed(response.headers.values("record-route"))),
            fallback=peer,
        )

    @classmethod
    def of_server(cls, invite: Request, tag: str, source: Destination) -> "Dialog":
        """The dialog that our 2xx to `invite`, with `tag`, makes for the callee (section 12.1.1)."""
        contacts = invite.headers.values("contact")
        made = cls(
            call_id=invite.call_id,
            local=f"{invite.headers.get('to')};tag={tag}",
            remote=invite.headers.get("from"),
            local_tag=tag,
            remote_tag=invite.from_tag,
            local_cseq=0,
            remote_target=_uri_of(contacts[0]) if contacts else invite.from_.uri if invite.from_ else "",
            route_set=invite.headers.values("record-route"),
            fallback=source,
        )
        made.remote_cseq = invite.cseq.number if invite.cseq else None
        return made

    def matches(self, request: Request) -> bool:
        return request.to_tag == self.local_tag and request.from_tag == self.remote_tag

    def in_order(self, request: Request) -> bool:
        """Take a request's CSeq; False if it is older than one already seen (section 12.2.2)."""
        number = request.cseq.number if request.cseq else 0
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def request(self, method: str, *, cseq: int | None = None, via: str = "") -> Request:
        """A request within the dialog (section 12.2.1.1); without `via` its Via is still to be added.

        An ACK passes the number of the INVITE that it acknowledges as `cseq`; others count on.
        """
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, routes = self.remote_target, self.route_set
        if routes and ";lr" not in routes[0].lower():  # a strict router wants itself in the Request-URI
            uri, routes = _uri_of(routes[0]), [*routes[1:], f"<{self.remote_target}>"]
        headers = Headers()
        if via:  # first, where every proxy looks for it (section 7.3.1)
            headers.add("via", via)
        headers.add("max-forwards", MAX_FORWARDS)
        for route in routes:
            headers.add("route", route)
        headers.add("from", self.local)
        headers.add("to", self.remote)
        headers.add("call-id", self.call_id)
        headers.add("cseq", f"{cseq} {method}")
        headers.add("user-agent", USER_AGENT)
        return Request(method, uri, headers)

    def refresh(self, contact: str) -> None:
        """Take a new remote target from the peer's Contact (section 12.2.1.2); keep ours if it has no URI."""
        self.remote_target = _target_of([contact]) or self.remote_target

    @property
    def next_hop(self) -> Destination:
        """Where a request of this dialog goes: the nearest proxy, else the peer's Contact."""
        uri = _uri_of(self.route_set[0]) if self.route_set else self.remote_target
        return destination_of(uri, self.fallback)


def _target_of(contacts: list[str]) -> str:
    """The URI of the first Contact; empty if it cannot be a Request-URI.

    Not read more strictly than that: gateways write users like "#31" that are no URI by the book.
    """
    contact = parse_name_addr(contacts[0]) if contacts else None
    uri = contact.uri if contact else ""
    return uri if scheme_of(uri) in CALL_SCHEMES and not any(char.isspace() for char in uri) else ""


def _uri_of(value: str) -> str:
    start = value.find("<")
    return value[start + 1 : value.find(">", start)] if start >= 0 else value.split(";", 1)[0].strip()


def destination_of(uri: str, fallback: Destination) -> Destination:
    """Host, port and transport of a SIP URI; `fallback` where the URI cannot be read.

    Without a transport parameter the transport of `fallback` is kept: a trunk that took the INVITE over
    TCP is spoken to over TCP. DNS procedures (RFC 3263) are for the network below.
    """
    scheme, _, rest = uri.partition(":")
    if scheme.lower() not in {"sip", "sips"} or not rest:
        return fallback
    address, *params = rest.split("?", 1)[0].split(";")
    where = split_host_port(address.rpartition("@")[2])
    if where is None or not where[0]:
        return fallback
    named = [param.partition("=")[2].lower() for param in params if param.lower().startswith("transport=")]
    transport = named[0] if named else fallback.transport
    return Destination(transport, where[0], where[1] or (5061 if transport == "tls" else 5060))
