"""Timelines as the call itself writes them: what `Call` records is what the rules look for."""

from collections.abc import Callable

import pytest

from onhook.calls.call import Call
from onhook.calls.directory import Trunk, VoiceRoute
from onhook.calls.record import CallRecord
from onhook.calls.routing import Chosen, NotRouted
from onhook.effects import CloseMedia, Destination, Effect, Publish, Record, Transmit
from onhook.endings.judge import judge
from onhook.endings.verdict import Verdict
from onhook.facts import ApiRequested, MediaMeasured, Timeline
from onhook.sip.messages import Malformed, Request, parse, respond
from timelines import ANSWER, START

TRUNK = Trunk("carrier", "192.0.2.20", 5060, no_response_seconds=10.0)
ROUTE = VoiceRoute("all", r"\+.*", ("carrier",))
PEER = Destination("udp", "192.0.2.20", 5060)


class Lab:
    """A call with the world played by hand: `facts` is what would be stored, `verdict` what was published."""

    def __init__(self, routed: Chosen | NotRouted | None = None) -> None:
        record = CallRecord(
            id="c1",
            server_call_id="s1",
            correlation_id="k1",
            resource="dev",
            direction="outbound",
            source="+14255550100",
            target="+14255550200",
            callback_uri="https://app.example/events",
            api_version="2026-03-12",
            seed="feedbeef00112233",
            local=("192.0.2.1", 5070),
            media=("192.0.2.1", 40000),
            started_at=START,
        )
        self.call = Call(record, setup_seconds=60.0, max_seconds=120.0)
        self.now = START
        self.facts: Timeline = []
        self.sent: list[Request] = []
        self.published: list[str] = []
        asked = ApiRequested(at=self.now, operation="createCall", status=201)
        self.do(self.call.place(routed or Chosen(TRUNK, ROUTE), asked))

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Record):
                self.facts.append(effect.fact)
            elif isinstance(effect, Transmit):
                message = parse(effect.data)
                if isinstance(message, Request):
                    self.sent.append(message)
            elif isinstance(effect, Publish):
                self.published.append(effect.type)
        for effect in effects:  # last, as the switch does: what closing brings forth belongs after the rest
            if isinstance(effect, CloseMedia):
                measured = MediaMeasured(at=self.now, leg=effect.leg, sent=10, received=10)
                self.do(self.call.media_closed(measured))

    def last(self, method: str) -> Request:
        return [request for request in self.sent if request.method == method][-1]

    def hears(self, data: bytes) -> None:
        self.do(self.call.receive(parse(data), data, PEER, self.now))

    def reply(self, status: int, *headers: tuple[str, str], method: str = "INVITE", body: str = "") -> None:
        response = respond(self.last(method), status, to_tag="them" if status > 100 else "")
        for name, value in (("contact", "<sip:carrier@192.0.2.20:5060>"), *headers):
            response.headers.add(name, value)
        if body:
            response.headers.add("content-type", "application/sdp")
            response.body = body.encode()
        self.hears(response.to_bytes())

    def answer(self, body: str = ANSWER) -> None:
        self.reply(180)
        self.reply(200, body=body)

    def ask(self, operation: str = "hangUp") -> None:
        self.do(self.call.hang_up(ApiRequested(at=self.now, operation=operation, status=204)))

    def bye(self, *lines: str) -> None:
        ack = self.last("ACK")
        extra = "".join(f"{line}\r\n" for line in lines)
        head = (
            "BYE sip:onhook@192.0.2.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bKbye\r\n"
            f"From: {ack.headers.get('to')}\r\nTo: {ack.headers.get('from')}\r\nCall-ID: {ack.call_id}\r\n"
            f"CSeq: 1 BYE\r\nMax-Forwards: 70\r\n{extra}Content-Length: 0\r\n\r\n"
        )
        self.hears(head.encode())

    def until(self, seconds: float) -> None:
        """Let time pass; every deadline up to then is kept."""
        end = START + seconds
        while (at := self.call.deadline) is not None and at <= end:
            self.now = max(self.now, at)
            self.do(self.call.handle_timeout(self.now))
        self.now = end

    @property
    def verdict(self) -> Verdict:
        verdict = self.call.record.verdict
        assert verdict is not None, "the call is not over"
        return verdict


def busy(lab: Lab) -> None:
    lab.reply(100)
    lab.reply(180)
    lab.reply(486, ("reason", 'Q.850;cause=17;text="User busy"'))


def silent(lab: Lab) -> None:
    lab.until(45)


def garbage(lab: Lab) -> None:
    data = b"\x00\x01 not sip"
    lab.do(lab.call.receive(Malformed(data, "no start line"), data, PEER, lab.now))
    lab.until(45)


def rings_for_ever(lab: Lab) -> None:
    lab.reply(180)
    lab.until(61)
    lab.reply(200, method="CANCEL")
    lab.reply(487)


def trying_for_ever(lab: Lab) -> None:
    lab.reply(100)
    lab.until(61)
    lab.reply(487)


def never_confirms_cancel(lab: Lab) -> None:
    lab.reply(180)
    lab.until(120)


def hung_up_while_ringing(lab: Lab) -> None:
    lab.reply(180)
    lab.ask()
    lab.reply(200, method="CANCEL")
    lab.reply(487)


def hung_up_before_any_response(lab: Lab) -> None:
    lab.ask()
    lab.reply(180)
    lab.reply(487)


def answer_crosses_cancel(lab: Lab) -> None:
    lab.reply(180)
    lab.ask()
    lab.reply(200, body=ANSWER)
    lab.reply(200, method="BYE")


def app_hangs_up(lab: Lab) -> None:
    lab.answer()
    lab.ask()
    lab.reply(200, method="BYE")


def bye_unanswered(lab: Lab) -> None:
    lab.answer()
    lab.ask("terminate")
    lab.until(40)


def phone_hangs_up(lab: Lab) -> None:
    lab.answer()
    lab.bye()


def network_fails(lab: Lab) -> None:
    lab.answer()
    lab.bye("Reason: Q.850;cause=38")


def too_long(lab: Lab) -> None:
    lab.answer()
    lab.until(121)
    lab.reply(200, method="BYE")


def bad_sdp(lab: Lab) -> None:
    lab.answer("v=0\r\nnonsense\r\n")
    lab.reply(200, method="BYE")


def no_sdp(lab: Lab) -> None:
    lab.answer("")
    lab.reply(200, method="BYE")


def refused_tcp(lab: Lab) -> None:
    lab.do(lab.call.fail(PEER, "refused: nobody listens", lab.now))


def unknown_name(lab: Lab) -> None:
    lab.do(lab.call.fail(PEER, "name-unknown: sbc.example", lab.now))


def challenged(lab: Lab) -> None:
    lab.reply(401, ("www-authenticate", 'Digest realm="carrier", nonce="n1"'))


def fault(lab: Lab) -> None:
    lab.reply(180)
    lab.do(lab.call.fault("calls.call", "ValueError: no such leg", lab.now))


def restart(lab: Lab) -> None:
    lab.answer()
    lab.do(lab.call.restart(lab.now + 5))


PLAYS: list[tuple[Callable[[Lab], None], str]] = [
    (busy, "callee-busy"),
    (silent, "trunk-silent"),
    (garbage, "malformed-answer"),
    (rings_for_ever, "rang-out"),
    (trying_for_ever, "trunk-stalled"),
    (never_confirms_cancel, "rang-out"),
    (hung_up_while_ringing, "cancelled-by-app"),
    (hung_up_before_any_response, "cancelled-by-app"),
    (answer_crosses_cancel, "cancel-crossed-answer"),
    (app_hangs_up, "hung-up-by-app"),
    (bye_unanswered, "hung-up-by-app"),
    (phone_hangs_up, "hung-up-by-phone"),
    (network_fails, "hung-up-by-network"),
    (too_long, "call-too-long"),
    (bad_sdp, "answer-unusable"),
    (no_sdp, "answer-unusable"),
    (refused_tcp, "trunk-unreachable"),
    (unknown_name, "trunk-name-unknown"),
    (challenged, "trunk-refused-credentials"),
    (fault, "server-fault"),
    (restart, "server-restarted"),
]


@pytest.mark.parametrize(("play", "ending"), PLAYS, ids=[play.__name__ for play, _ in PLAYS])
def test_the_verdict_of_a_live_call(play: Callable[[Lab], None], ending: str) -> None:
    lab = Lab()
    play(lab)
    assert lab.verdict.ending == ending
    assert lab.verdict.evidence


@pytest.mark.parametrize(("play", "ending"), PLAYS, ids=[play.__name__ for play, _ in PLAYS])
def test_judged_again_later_it_is_the_same(play: Callable[[Lab], None], ending: str) -> None:
    lab = Lab()
    play(lab)
    at_the_end = lab.verdict
    lab.until(400)
    again = judge(lab.facts)
    assert again.ending == at_the_end.ending == ending
    assert (again.code, again.subcode, again.message) == (
        at_the_end.code,
        at_the_end.subcode,
        at_the_end.message,
    )
    assert again.evidence == at_the_end.evidence


@pytest.mark.parametrize(("play", "ending"), PLAYS, ids=[play.__name__ for play, _ in PLAYS])
def test_exactly_one_terminal_event(play: Callable[[Lab], None], ending: str) -> None:
    lab = Lab()
    play(lab)
    lab.until(400)
    terminal = [kind for kind in lab.published if kind in {"CreateCallFailed", "CallDisconnected"}]
    assert len(terminal) == 1, ending


def test_a_call_without_a_route() -> None:
    lab = Lab(NotRouted("no-route", "+14255550200 matches none of the 2 voice routes"))
    assert lab.verdict.ending == "no-route"
    assert lab.verdict.evidence[0].shows.endswith("matches none of the 2 voice routes")
