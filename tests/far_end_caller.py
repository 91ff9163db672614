"""A caller for tests of the far end: it writes requests, moves the clock, and keeps what came back."""

from onhook.effects import Destination, Transmit
from onhook.lab.far_end import FarEnd
from onhook.lab.scenario import parse_scenario
from onhook.lab.scenario_steps import Scenario
from onhook.sip.messages import Headers, Malformed, Request, Response, parse
from onhook.sip.offer import make_offer

UDP = Destination("udp", "192.0.2.1", 5070)
TCP = Destination("tcp", "192.0.2.1", 40_001)
OFFER = make_offer("192.0.2.1", 6000, 1, 1).to_bytes()
MAX_TURNS = 10_000


class Caller:
    """`heard` is all that the far end sent: (when, message), a Malformed for what cannot be read."""

    def __init__(
        self, scenario: str | Scenario = "", *, source: Destination = UDP, **settings: object
    ) -> None:
        self.scenario = parse_scenario(scenario) if isinstance(scenario, str) else scenario
        self.far_end = FarEnd(lambda _: self.scenario, **settings)  # type: ignore[arg-type]  # the settings of FarEnd, by name
        self.source = source
        self.now = 0.0
        self.acknowledging = True
        self.heard: list[tuple[float, Request | Response | Malformed]] = []
        self.heard_at: list[Destination] = []
        self.invited = self.invite()

    def invite(
        self,
        *,
        call_id: str = "call-1",
        number: str = "+14255550100",
        cseq: int = 1,
        body: bytes = OFFER,
        to_tag: str = "",
        extra: tuple[tuple[str, str], ...] = (),
    ) -> Request:
        """An INVITE; send it with `send`."""
        headers = Headers.of(
            ("via", self.via(f"z9hG4bK-{call_id}-{cseq}")),
            ("max-forwards", "70"),
            ("from", "<sip:+14255550199@192.0.2.1>;tag=caller"),
            ("to", f"<sip:{number}@192.0.2.2>" + (f";tag={to_tag}" if to_tag else "")),
            ("call-id", call_id),
            ("cseq", f"{cseq} INVITE"),
            ("contact", f"<sip:{self.source.host}:{self.source.port};transport={self.source.transport}>"),
            *((("content-type", "application/sdp"),) if body else ()),
            *extra,
        )
        return Request("INVITE", f"sip:{number}@192.0.2.2:5060;user=phone", headers, body)

    def call(self) -> "Caller":
        self.send(self.invited)
        return self

    def send(self, message: Request | Response | bytes) -> None:
        data = message if isinstance(message, bytes) else message.to_bytes()
        self._take(self.far_end.receive(data, self.source, self.now))

    def advance(self, seconds: float) -> "Caller":
        """Let the far end do all that is due within `seconds`."""
        end = self.now + seconds
        for _ in range(MAX_TURNS):
            due = self.far_end.deadline
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self._take(self.far_end.handle_timeout(self.now))
        else:
            raise AssertionError(f"the far end spins at {self.now}")
        self.now = end
        return self

    def ack(self, response: Response, branch: str = "") -> Request:
        """The ACK of a final response: of the same transaction for a refusal, else of its own."""
        own = response.status < 300
        return self._follow("ACK", response, branch or ("z9hG4bK-ack" if own else response.branch), body=b"")

    def cancel(self, branch: str = "") -> Request:
        headers = self.invited.headers.copy()
        headers.set("cseq", "1 CANCEL")
        headers.remove("content-type")
        if branch:
            headers.set("via", self.via(branch))
        return Request("CANCEL", self.invited.uri, headers)

    def follow(self, method: str, *, cseq: int = 2, body: bytes = b"", of: Response | None = None) -> Request:
        """A request within the dialog of a response (default: the last one that had a To tag)."""
        response = of or next(message for message in reversed(self.responses) if message.to_tag)
        request = self._follow(method, response, f"z9hG4bK-{method}-{cseq}", body=body)
        request.headers.set("cseq", f"{cseq} {method}")
        return request

    def via(self, branch: str) -> str:
        return f"SIP/2.0/{self.source.transport.upper()} 192.0.2.1:{self.source.port};rport;branch={branch}"

    @property
    def responses(self) -> list[Response]:
        return [message for _, message in self.heard if isinstance(message, Response)]

    @property
    def requests(self) -> list[Request]:
        return [message for _, message in self.heard if isinstance(message, Request)]

    @property
    def words(self) -> list[str]:
        """What came: statuses, methods, "?" for what cannot be read."""
        return [_word(message) for _, message in self.heard]

    @property
    def times(self) -> list[tuple[float, str]]:
        return [(round(at, 3), _word(message)) for at, message in self.heard]

    def _follow(self, method: str, response: Response, branch: str, *, body: bytes) -> Request:
        number = response.cseq.number if response.cseq else 1
        headers = Headers.of(
            ("via", self.via(branch)),
            ("max-forwards", "70"),
            ("from", response.headers.get("from")),
            ("to", response.headers.get("to")),
            ("call-id", response.call_id),
            ("cseq", f"{number} {method}"),
            *((("content-type", "application/sdp"),) if body else ()),
        )
        return Request(method, "sip:192.0.2.2:5060", headers, body)

    def _take(self, transmits: list[Transmit]) -> None:
        for transmit in transmits:
            message = parse(transmit.data)
            self.heard.append((self.now, message))
            self.heard_at.append(transmit.to)
            self._react(message)

    def _react(self, message: Request | Response | Malformed) -> None:
        """Be a proper caller: acknowledge finals, answer requests with 200."""
        if isinstance(message, Response) and message.cseq and message.cseq.method == "INVITE":
            if message.status >= 200 and self.acknowledging:
                self.send(self.ack(message))
        elif isinstance(message, Request) and self.acknowledging:
            lines = {name: message.headers.all(name) for name in ("via", "from", "to", "call-id", "cseq")}
            self.send(Response(200, "OK", Headers({name: list(values) for name, values in lines.items()})))


def _word(message: Request | Response | Malformed) -> str:
    if isinstance(message, Malformed):
        return "?"
    return message.method if isinstance(message, Request) else str(message.status)
