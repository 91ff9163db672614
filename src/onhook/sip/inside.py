"""Requests within a session: those that arrive (BYE, re-INVITE, UPDATE, NOTIFY …), and our own REFER.

The callee's half of RFC 3261 sections 12.2.2, 14.2 and 15.1.2, and of RFC 3311. Requests outside the
session's dialog get 481; the retransmissions of all are absorbed by their transactions. INFO is understood
only where it says nothing (a keep-alive): digits are taken by RFC 4733, and no Info-Package is known
(RFC 6086). NOTIFYs are heard while a referral of ours is under way.
"""

from collections.abc import Callable

import msgspec

from onhook.effects import Destination
from onhook.machine import Outputs
from onhook.sip.answer import Answer
from onhook.sip.dialog import Dialog
from onhook.sip.invite_server import InviteServer
from onhook.sip.messages import Request, Response, respond
from onhook.sip.non_invite_server import NonInviteServer
from onhook.sip.refer import REFER, SIPFRAG, event_of
from onhook.sip.referral import Referral
from onhook.sip.reply import mark_source, reply_to
from onhook.sip.session_timer import LEAST_SECONDS, SessionTimer, answer_wish, too_brief
from onhook.sip.transaction import TimedOut
from onhook.sip.validity import CALL_CONTENT, check_request

ALLOWED = ("INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "OPTIONS", "INFO", "NOTIFY")
ALLOW = ", ".join(ALLOWED)
MAX_TRANSACTIONS = 32
"""Requests of the far end that are open at one time within one session; more get 503."""
UNDERSTOOD = frozenset({"timer"})
"""Option tags that a far end may require of us (RFC 4028)."""
CONTENT = {"NOTIFY": frozenset({SIPFRAG}), "INFO": frozenset[str]()}
"""Bodies that are understood, where they are no session descriptions."""

EXPIRED = 'SIP;cause=408;text="Session timer expired"'
"""The Reason of our BYE to a far end that did not refresh the session (RFC 4028 section 10)."""

AnswerOffer = Callable[[bytes], bytes | None]
"""An SDP offer in, our answer out; None refuses it with 488. An empty offer asks for ours."""


class ByeArrived(msgspec.Struct, frozen=True):
    """Signal: the far end released the session; the 200 is on its way."""

    request: Request


class AckMissing(msgspec.Struct, frozen=True):
    """Signal: our 2xx to a re-INVITE was never acknowledged (section 14.2: the session ends)."""


class Inside:
    """`timer` is the session's, None where none is understood; `wanted_seconds`: what we ask for, or 0."""

    def __init__(
        self,
        leg: str,
        contact: str,
        answer_offer: AnswerOffer,
        timer: SessionTimer | None = None,
        wanted_seconds: int = 0,
    ) -> None:
        self.leg, self.contact, self.answer_offer = leg, contact, answer_offer
        self.timer, self.wanted_seconds = timer, wanted_seconds
        self.described = b""
        """Our last description of the session."""
        self._transactions: dict[tuple[str, str], InviteServer | NonInviteServer] = {}
        self._answers: dict[int, Answer] = {}  # 2xx to re-INVITEs by CSeq number, until their ACK
        self._referral: Referral | None = None
        self.allowed_there: frozenset[str] = frozenset()
        """Methods that the far end says it takes (Allow, section 20.5); empty if it did not say."""

    def note_allow(self, message: Request | Response) -> None:
        if "allow" in message.headers:
            self.allowed_there = frozenset(method.upper() for method in message.headers.values("allow"))
            if self.timer:
                self.timer.by_update = "UPDATE" in self.allowed_there

    # Our own REFER

    def refer(self, referral: Referral) -> Outputs:
        """Begin it, unless one is under way: a far end can call one party in our place at a time."""
        if self._referral is not None and not self._referral.over:
            return []
        self._referral = referral
        return referral.start()

    def receive_response(self, response: Response, now: float) -> Outputs:
        referral = self._referral
        if self.timer and self.timer.awaits(response):
            return self.timer.receive(response, now)
        return referral.receive(response, now) if referral and referral.awaits(response) else []

    def fail(self, error: str, now: float) -> Outputs:
        outputs = self._referral.fail(error, now) if self._referral else []
        return outputs + (self.timer.fail(error, now) if self.timer else [])

    def far_end_left(self) -> Outputs:
        """It sent BYE: a referral that it had agreed to is done."""
        if self.timer:
            self.timer.stop()
        return self._referral.leave() if self._referral else []

    def leave(self) -> None:
        """Our side ends the session."""
        if self.timer:
            self.timer.stop()
        self.drop_referral()

    def drop_referral(self) -> None:
        """What the far end still tells of it, nobody waits for."""
        if self._referral is not None:
            self._referral.drop()

    # What arrives

    def receive(self, request: Request, source: Destination, dialog: Dialog | None, now: float) -> Outputs:
        if request.method == "ACK":
            return self._acknowledge(request, now)
        known = self._transactions.get((request.branch, request.method))
        if known is not None:
            return known.receive(request, now)
        mark_source(request, source)
        to = reply_to(request, source)
        if request.method == "INVITE":
            transaction: InviteServer | NonInviteServer = InviteServer(self.leg, request, to, now)
        else:
            transaction = NonInviteServer(self.leg, request, to, now)
        self.note_allow(request)
        response = self._answer(request, dialog, now)
        if len(self._transactions) >= MAX_TRANSACTIONS:
            response = respond(request, 503)
        else:
            self._transactions[request.branch, request.method] = transaction
        outputs = transaction.respond(response, now)
        if response.status == 200 and request.method == "INVITE":
            number = request.cseq.number if request.cseq else 0
            self._answers[number] = Answer(self.leg, response, to, now)
        if response.status == 200 and request.method == "BYE":
            outputs.append(ByeArrived(request))
        if response.status == 200 and request.method == "NOTIFY" and self._referral is not None:
            outputs += self._referral.take_notify(request, now)
        return outputs

    @property
    def deadline(self) -> float | None:
        times = [made.deadline for made in (*self._transactions.values(), *self._answers.values())]
        if self.timer:
            times.append(self.timer.deadline)
        if self._referral is not None:
            times.append(self._referral.deadline)
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> Outputs:
        outputs: Outputs = [] if self._referral is None else self._referral.handle_timeout(now)
        for key, transaction in list(self._transactions.items()):
            outputs += transaction.handle_timeout(now)
            if transaction.terminated:
                del self._transactions[key]
        for number, answer in list(self._answers.items()):
            outputs += [
                AckMissing() if isinstance(out, TimedOut) else out for out in answer.handle_timeout(now)
            ]
            if answer.done:
                del self._answers[number]
        return outputs + (self.timer.handle_timeout(now) if self.timer else [])

    def _acknowledge(self, ack: Request, now: float) -> Outputs:
        failed = self._transactions.get((ack.branch, "INVITE"))
        if failed is not None:
            failed.receive(ack, now)
        answer = self._answers.pop(ack.cseq.number, None) if ack.cseq else None
        if answer is not None:
            answer.acknowledge()
        return []

    def _answer(self, request: Request, dialog: Dialog | None, now: float) -> Response:
        """The one response to `request`: all of them can be decided at once."""
        if dialog is None or not dialog.matches(request) or request.method == "CANCEL":
            return respond(request, 481)  # a CANCEL finds its INVITE answered already
        if not dialog.in_order(request):
            return respond(request, 500, "CSeq Out Of Order")
        accepted = CONTENT.get(request.method, CALL_CONTENT)
        refusal = check_request(
            request,
            known_methods=ALLOWED,
            supported_extensions=UNDERSTOOD if self.timer else (),
            accepted_types=accepted,
        )
        if refusal is not None and (refused := refusal.response(request, "")) is not None:
            return refused
        if request.method == "INVITE" and (self._answers or (self.timer and self.timer.offering)):
            return respond(request, 491)
        if request.method in {"INVITE", "UPDATE"}:
            if self.timer and too_brief(request):
                return _with(respond(request, 422), "min-se", str(LEAST_SECONDS))
            return self._renegotiate(request, dialog, now)
        if request.method == "NOTIFY":
            return self._answer_notify(request)
        if request.method == "INFO" and "info-package" in request.headers:
            return _with(respond(request, 469), "recv-info", "")
        response = respond(request, 200)
        if request.method == "OPTIONS":
            response.headers.add("allow", ALLOW)
        return response

    def _answer_notify(self, notify: Request) -> Response:
        """481 for a subscription that is over or never was (RFC 6665 section 4.1.3)."""
        if event_of(notify)[0] != REFER:
            return _with(respond(notify, 489), "allow-events", REFER)
        heard = self._referral is not None and self._referral.subscribes(notify)
        return respond(notify, 200 if heard else 481)

    def _renegotiate(self, request: Request, dialog: Dialog, now: float) -> Response:
        contacts = request.headers.values("contact")
        body = b""
        if request.body or request.method == "INVITE":
            answered = self.answer_offer(request.body)
            if answered is None:
                return respond(request, 488)
            body = self.described = answered
        if contacts:  # a target refresh (section 12.2.2)
            dialog.refresh(contacts[0])
        response = respond(request, 200)
        response.headers.add("contact", self.contact)
        response.headers.add("allow", ALLOW)
        if self.timer:
            agreed, said = answer_wish(request, self.wanted_seconds)
            self.timer.agree(agreed, now)
            for name, value in said:
                response.headers.add(name, value)
        if body:
            response.headers.add("content-type", "application/sdp")
            response.body = body
        return response


def _with(response: Response, name: str, value: str) -> Response:
    response.headers.add(name, value)
    return response


def refresh(dialog: Dialog, inside: Inside, method: str, via: str, seconds: int) -> Request:
    """The UPDATE or re-INVITE that keeps a session going (RFC 4028 section 7.4): we refresh, and go on to."""
    request = dialog.request(method, via=via)
    for name, value in (
        ("contact", inside.contact),
        ("allow", ALLOW),
        ("supported", "timer"),
        ("session-expires", f"{seconds};refresher=uac"),
        ("min-se", str(LEAST_SECONDS)),
    ):
        request.headers.add(name, value)
    if method == "INVITE":
        request.headers.add("content-type", "application/sdp")
        request.body = inside.described
    return request
