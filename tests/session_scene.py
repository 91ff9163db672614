"""A session that is up, for a call that went out or came in, and the far end's hand."""

from typing import Any, Literal

from onhook.effects import Destination, Transmit
from onhook.machine import Outputs
from onhook.sip.digest import Credentials
from onhook.sip.inbound import InboundSession
from onhook.sip.messages import Headers, Request, Response, parse, respond
from onhook.sip.referral import ReferDone, ReferFailed, ReferProgressed
from onhook.sip.session import OutboundSession
from playbook import describe

FAR = Destination("udp", "192.0.2.2", 5060)
TARGET = "<sip:+14255550300@192.0.2.2:5060;user=phone>"
US = "<sip:+14255550100@192.0.2.1>;tag=5eed5eed5eed5eed"
THEM = "<sip:+14255550200@192.0.2.2>;tag=far"
SECONDS = 60.0
Kind = Literal["out", "in"]


class Scene:
    """A session that is up, and the far end's hand."""

    def __init__(
        self,
        kind: Kind,
        *,
        credentials: Credentials | None = None,
        allow: str = "",
        says: tuple[tuple[str, str], ...] = (),
        timer_seconds: int = 0,
        answered: bool = True,
    ) -> None:
        """`says` are headers of the far end's INVITE, or of its answer."""
        self.now, self.number = 0.0, 10
        self.sent: list[Request | Response] = []
        self._says = (*says, ("allow", allow)) if allow else says
        self._answered, self._timer_seconds = answered, timer_seconds
        self.session = self._went_out(credentials) if kind == "out" else self._came_in(credentials)

    def _went_out(self, credentials: Credentials | None) -> OutboundSession:
        session = OutboundSession(
            leg="leg",
            seed="5eed5eed5eed5eed",
            peer=FAR,
            local=("192.0.2.1", 5070),
            target="+14255550200",
            caller="+14255550100",
            credentials=credentials,
            answer_offer=lambda _: b"again",
            session_timer_seconds=self._timer_seconds,
            now=0.0,
        )
        self.keep(session.dial(b"offer", 0.0))
        if not self._answered:
            return session
        answer = respond(self.last("INVITE"), 200, to_tag="far")
        answer.headers.add("contact", "<sip:far@192.0.2.9:5090>")
        for name, value in self._says:
            answer.headers.add(name, value)
        self.keep(session.receive(answer, FAR, 0.0))
        return session

    def _came_in(self, credentials: Credentials | None) -> InboundSession:
        invite = self.request("INVITE", ("contact", "<sip:far@192.0.2.9:5090>"), to=US.partition(";")[0])
        for name, value in self._says:
            invite.headers.add(name, value)
        session = InboundSession(
            invite,
            leg="leg",
            seed="5eed5eed5eed5eed",
            source=FAR,
            local=("192.0.2.1", 5070),
            answer_offer=lambda _: b"again",
            credentials=credentials,
            session_timer_seconds=self._timer_seconds,
            now=0.0,
        )
        self.keep(session.accept(b"answer", 0.0))
        ack = self.request("ACK")
        ack.headers.set("cseq", invite.headers.get("cseq").replace("INVITE", "ACK"))
        self.keep(session.receive(ack, FAR, 0.0))
        return session

    def request(self, method: str, *extra: tuple[str, str], to: str = US, body: bytes = b"") -> Request:
        self.number += 1
        headers = Headers.of(
            ("via", f"SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bKfar{self.number};rport"),
            ("from", THEM),
            ("to", to),
            ("call-id", "call-1" if not self.sent else self.sent[0].call_id),
            ("cseq", f"{self.number} {method}"),
            ("max-forwards", "70"),
            *extra,
        )
        return Request(method, "sip:us", headers, body)

    def keep(self, outputs: Outputs) -> list[str]:
        """What came out, in words; messages are kept."""
        for output in outputs:
            if isinstance(output, Transmit):
                message = parse(output.data)
                assert isinstance(message, Request | Response)
                self.sent.append(message)
        return [told(output) for output in outputs]

    def last(self, method: str) -> Request:
        return next(m for m in reversed(self.sent) if isinstance(m, Request) and m.method == method)

    def refers(self, seconds: float = SECONDS) -> list[str]:
        return self.keep(self.session.refer(TARGET, seconds, self.now))

    def answers(self, status: int, *headers: tuple[str, str], to: str = "REFER") -> list[str]:
        response = respond(self.last(to), status)
        for name, value in headers:
            response.headers.add(name, value)
        return self.hears(response)

    def notifies(
        self, line: str, state: str = "active;expires=60", event: str = "refer", **more: Any
    ) -> list[str]:
        body = f"{line}\r\n".encode() if line else b""
        content = (("content-type", more.get("content", "message/sipfrag;version=2.0")),) if line else ()
        headers = (("event", event), ("subscription-state", state), *content)
        return self.hears(self.request("NOTIFY", *headers, body=body))

    def hears(self, message: Request | Response) -> list[str]:
        read = parse(message.to_bytes())
        assert isinstance(read, Request | Response)
        return self.keep(self.session.receive(read, FAR, self.now))

    def waits(self, seconds: float) -> list[str]:
        end, heard = self.now + seconds, list[str]()
        while (at := self.session.deadline) is not None and at <= end:
            self.now = max(self.now, at)
            heard += self.keep(self.session.handle_timeout(self.now))
        self.now = end
        return heard

    def hangs_up(self) -> list[str]:
        return self.keep(self.session.hang_up(self.now))


def told(output: object) -> str:
    match output:
        case ReferProgressed(status):
            return f"progress {status}"
        case ReferDone(status):
            return f"done {status}"
        case ReferFailed(why, status, phrase):
            return f"failed {why} {status} {phrase}".strip()
        case _:
            return describe(output)
