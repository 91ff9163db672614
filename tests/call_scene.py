"""A call driven by hand: what was sent last can be answered, time passes as told, and all is kept."""

import copy
from typing import Any, Self

from onhook.calls.call import Call, leg_id
from onhook.calls.directory import Trunk, VoiceRoute
from onhook.calls.record import CallRecord
from onhook.calls.routing import Chosen, NotRouted
from onhook.effects import (
    Announce,
    CloseMedia,
    Destination,
    Effect,
    Publish,
    Record,
    StartMedia,
    Transmit,
)
from onhook.facts import ApiRequested, MediaMeasured, Timeline
from onhook.sip.messages import Headers, Request, Response, parse, respond
from store_samples import record
from timelines import ANSWER

PEER = Destination("udp", "192.0.2.2", 5060)
TRUNK = Trunk("carrier", PEER.host, PEER.port)
ROUTE = VoiceRoute("world", r"\+.*", ("carrier",))
SETUP_SECONDS, MAX_SECONDS = 115.0, 3600.0
TERMINAL = {"CreateCallFailed", "CallDisconnected"}


def fresh_record(number: int = 1, **changes: Any) -> CallRecord:
    seed = f"{number:08x}" * 4
    local, media = ("192.0.2.1", 5070), ("192.0.2.1", 20000)
    return record(f"call-{number}", seed=seed, local=local, media=media, started_at=1000.0, **changes)


class CallScene:
    """Effects are performed as the switch does: media is closed last, and its count goes back in."""

    def __init__(self, trunk: Trunk = TRUNK, number: int = 1, **changes: Any) -> None:
        """`changes` are to the call's record."""
        self.trunk = trunk
        self.begun = fresh_record(number, **changes)
        self.call = Call(copy.copy(self.begun), setup_seconds=SETUP_SECONDS, max_seconds=MAX_SECONDS)
        self.now = 1000.0
        self.sent: list[tuple[Request | Response, Destination]] = []
        self.bytes_sent: list[bytes] = []
        self.facts: Timeline = []
        self.events: list[Publish] = []
        self.media: list[StartMedia | CloseMedia] = []

    # Putting in

    def place(self, routed: Chosen | NotRouted | None = None) -> Self:
        return self.do(self.call.place(routed or Chosen(self.trunk, ROUTE), self.request("createCall", 201)))

    def hang_up(self, operation: str = "hangupCall") -> Self:
        return self.do(self.call.hang_up(self.request(operation)))

    def gets(
        self,
        status: int,
        to: str = "INVITE",
        tag: str = "far",
        *headers: tuple[str, str],
        body: str | None = None,
    ) -> Self:
        """The far end answers our last request of method `to`; a 2xx to an INVITE has an SDP answer."""
        request = self.last(to)
        response = respond(request, status, to_tag=tag if status > 100 else "")
        if status < 300 and to == "INVITE":
            response.headers.add("contact", "<sip:far@192.0.2.2:5060>")
        for name, value in headers:
            response.headers.add(name, value)
        if body is None:
            body = ANSWER if to == "INVITE" and 200 <= status < 300 else ""
        if body:
            response.headers.add("content-type", "application/sdp")
        response.body = body.encode()
        return self.hears(response.to_bytes())

    def asked(
        self, method: str, cseq: int = 1, *headers: tuple[str, str], body: str = "", tag: str = "far"
    ) -> Self:
        """The far end sends a request within the dialog."""
        invite = self.last("INVITE")
        request = Headers.of(
            ("via", f"SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{method}{cseq};rport"),
            ("from", f"{invite.headers.get('to')};tag={tag}"),
            ("to", invite.headers.get("from")),
            ("call-id", invite.call_id),
            ("cseq", f"{cseq} {method}"),
            ("max-forwards", "70"),
            *headers,
        )
        if method in {"INVITE", "UPDATE"}:
            request.add("contact", "<sip:far@192.0.2.2:5060>")
        if body:
            request.add("content-type", "application/sdp")
        return self.hears(Request(method, "sip:us@192.0.2.1", request, body.encode()).to_bytes())

    def hears(self, data: bytes, *, candidates: int = 1, source: Destination = PEER) -> Self:
        return self.do(self.call.receive(parse(data), data, source, self.now, candidates=candidates))

    def fails(self, error: str = "refused: nobody listens") -> Self:
        return self.do(self.call.fail(PEER, error, self.now))

    def hears_rtp(self) -> Self:
        leg = leg_id(self.call.record)
        counted = MediaMeasured(at=self.now, leg=leg, sent=0, received=1, first_received_at=self.now)
        return self.do(self.call.media_seen(counted))

    def restarts(self) -> Self:
        return self.do(self.call.restart(self.now))

    def faults(self, where: str = "ValueError: no such leg") -> Self:
        return self.do(self.call.fault(where, "Traceback\nValueError: no such leg\n", self.now))

    def wait(self, seconds: float) -> Self:
        """Time passes, and every timer is woken on time."""
        end = self.now + seconds
        while (due := self.call.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            self.do(self.call.handle_timeout(self.now))
        self.now = end
        return self

    def late(self, seconds: float) -> Self:
        """Time passes, and no timer is woken yet: the loop is busy."""
        self.now += seconds
        return self

    def request(self, operation: str, status: int = 204) -> ApiRequested:
        return ApiRequested(at=self.now, operation=operation, status=status)

    def connected(self) -> Self:
        return self.place().gets(180).gets(200)

    # Getting out

    def do(self, effects: list[Effect]) -> Self:
        for effect in effects:
            if isinstance(effect, Record):
                self.facts.append(effect.fact)
            elif isinstance(effect, Transmit):
                message = parse(effect.data)
                assert isinstance(message, Request | Response), message
                self.sent.append((message, effect.to))
                self.bytes_sent.append(effect.data)
            elif isinstance(effect, Publish):
                self.events.append(effect)
            else:
                assert not isinstance(effect, Announce), "calls of this scene do not come in"
                if isinstance(effect, StartMedia | CloseMedia):
                    self.media.append(effect)
        for effect in effects:
            if isinstance(effect, CloseMedia):
                counted = MediaMeasured(at=self.now, leg=effect.leg, sent=7, received=5)
                self.do(self.call.media_closed(counted))
        return self

    def last(self, method: str) -> Request:
        return next(m for m, _ in reversed(self.sent) if isinstance(m, Request) and m.method == method)

    @property
    def methods(self) -> list[str]:
        """What was sent: "INVITE", "ACK", "200 BYE"."""
        return [
            m.method if isinstance(m, Request) else f"{m.status} {m.cseq.method if m.cseq else '?'}"
            for m, _ in self.sent
        ]

    @property
    def told(self) -> list[str]:
        """Events, in order."""
        return [event.type for event in self.events]

    @property
    def result(self) -> tuple[int, int]:
        """Code and subcode of the last event."""
        found: dict[str, Any] = self.events[-1].data["resultInformation"]
        return found["code"], found["subCode"]

    @property
    def ending(self) -> str:
        assert self.call.record.verdict is not None
        return self.call.record.verdict.ending
