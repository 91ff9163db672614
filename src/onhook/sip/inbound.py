"""An inbound session: one INVITE that came to us, its ringing, answer or refusal, CANCEL, ACK, BYE.

The callee's half of RFC 3261 sections 9.2, 13.3, 14 and 15.1, over the transactions. It is fed messages,
the time, and what its user decides (`ring`, `accept`, `reject`, `hang_up`); it gives back effects and the
signals below. The signal that ends the session (Cancelled, Rejected, Unacknowledged, HungUp, Released)
comes exactly once.
"""

from enum import Enum, auto
from functools import partial

import msgspec

from onhook.effects import Destination, Record, Transmit
from onhook.machine import Machine, Outputs, nothing, rows
from onhook.sip.answer import Answer
from onhook.sip.dialog import Dialog, destination_of
from onhook.sip.digest import Authenticator, Credentials
from onhook.sip.inside import ALLOW, EXPIRED, AckMissing, AnswerOffer, ByeArrived, Inside, refresh
from onhook.sip.invite_server import AckReceived, InviteServer
from onhook.sip.kept import KeptSession, dialog_of, go_on, keep
from onhook.sip.messages import Request, Response, respond
from onhook.sip.non_invite_client import NonInviteClient
from onhook.sip.non_invite_server import NonInviteServer
from onhook.sip.refer import referred_by
from onhook.sip.referral import Referral, ReferSignal
from onhook.sip.reply import mark_source, reply_to
from onhook.sip.session_timer import Agreed, Renewed, SessionExpired, SessionTimer, answer_wish
from onhook.sip.transaction import Provisional, TimedOut, Undeliverable

MAX_CANCELS = 4
"""CANCELs of one INVITE that get an answer."""


class State(Enum):
    RECEIVED = auto()  # 100 sent
    RINGING = auto()  # 180 or 183 sent
    ANSWERED = auto()  # 2xx sent, its ACK has not come
    CLOSING = auto()  # answered, and we want to hang up: BYE has to wait for the ACK (section 15)
    CONFIRMED = auto()
    RELEASING = auto()  # BYE sent
    ENDED = auto()


class Ring(msgspec.Struct, frozen=True):
    """Input: tell the caller that it rings."""


class Accept(msgspec.Struct, frozen=True):
    """Input: answer with this SDP."""

    body: bytes


class Reject(msgspec.Struct, frozen=True):
    """Input: refuse with this final status."""

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class HangUp(msgspec.Struct, frozen=True):
    """Input: our side wants to end; a refusal before the answer, BYE after it."""

    reason: str = ""


class CancelArrived(msgspec.Struct, frozen=True):
    """Input: the caller gave up."""

    request: Request


class Acknowledged(msgspec.Struct, frozen=True):
    """Input and signal: the ACK of our answer; its body is the answer to our offer, if we made one."""

    request: Request


class AckGaveUp(msgspec.Struct, frozen=True):
    """Input: no ACK within 64*T1."""


class ByeAnswered(msgspec.Struct, frozen=True):
    """Input: our BYE is done, with or without an answer."""


class Cancelled(msgspec.Struct, frozen=True):
    """Signal: the caller gave up before the answer; 487 is on its way."""

    request: Request


class Rejected(msgspec.Struct, frozen=True):
    """Signal: our refusal is on its way."""

    status: int


class Unacknowledged(msgspec.Struct, frozen=True):
    """Signal: we answered and the ACK never came; BYE was sent (section 13.3.1.4)."""


class HungUp(msgspec.Struct, frozen=True):
    """Signal: the far end sent BYE; it is answered already."""

    request: Request


class Released(msgspec.Struct, frozen=True):
    """Signal: our BYE was answered, or nobody answers it."""


class InboundSession(Machine[State]):
    """`tag` becomes our To tag, and with `seed` makes every identifier; `local` goes into Via and Contact.

    `credentials` answer a challenge of our REFER.
    """

    def __init__(
        self,
        invite: Request,
        *,
        leg: str,
        seed: str,
        source: Destination,
        local: tuple[str, int],
        answer_offer: AnswerOffer,
        credentials: Credentials | None = None,
        session_timer_seconds: int = 0,
        now: float,
    ) -> None:
        self.state = State.RECEIVED
        self.leg, self.seed, self.source, self.local, self.now = leg, seed, source, local, now
        self.tag = seed
        self.invite = invite
        mark_source(invite, source)
        self._to = reply_to(invite, source)
        self._transaction = InviteServer(leg, invite, self._to, now)
        self._answer: Answer | None = None
        self._cancels: dict[str, NonInviteServer] = {}
        self._byes: dict[str, NonInviteClient] = {}
        self._tokens = 0
        self._told = False
        self._closing_reason = ""
        self.dialog = Dialog.of_server(invite, self.tag, source)
        self._authenticator = Authenticator(credentials) if credentials else None
        self.timer = SessionTimer(
            leg, self._make_refresh, self._acknowledge_refresh, may_authorize=self._may_authorize, now=now
        )
        self.inside = Inside(leg, self.contact, answer_offer, self.timer, session_timer_seconds)
        self.inside.note_allow(invite)
        self._agreed = Agreed(0, "us")

    @property
    def call_id(self) -> str:
        return self.invite.call_id

    @property
    def contact(self) -> str:
        ours = Destination("", *self.local).peer
        transport = "" if self.source.transport == "udp" else f";transport={self.source.transport}"
        return f"<sip:{ours}{transport}>"

    @property
    def far_address(self) -> Destination:
        """Where the caller says that it is reached, whatever proxies are between."""
        return destination_of(self.dialog.remote_target, self.source)

    # What goes in

    def begin(self) -> Outputs:
        """100 Trying, so that the INVITE is not repeated while the application decides (17.2.1)."""
        return self._transaction.respond(respond(self.invite, 100), self.now)

    def ring(self, now: float) -> Outputs:
        return self._take(Ring(), now)

    def accept(self, body: bytes, now: float) -> Outputs:
        return self._take(Accept(body), now)

    def reject(self, status: int, now: float, reason: str = "", *headers: tuple[str, str]) -> Outputs:
        return self._take(Reject(status, reason, headers), now)

    def hang_up(self, now: float, reason: str = "") -> Outputs:
        return self._take(HangUp(reason), now)

    def refer(self, refer_to: str, seconds: float, now: float) -> Outputs:
        """Ask the caller to call `refer_to` instead of talking to us; ReferDone or ReferFailed follows.

        Nothing happens where the session is not up, or a referral is under way.
        """
        self.now = now
        if self.state is not State.CONFIRMED:
            return []
        referral = Referral(
            self.leg,
            partial(self._make_refer, refer_to),
            may_authorize=self._may_authorize,
            seconds=seconds,
            now=now,
        )
        return self._rise(self.inside.refer(referral))

    def keep(self) -> KeptSession:
        """What another session needs to go on with this one, which is up."""
        return keep(
            self.dialog, self.inside, self.timer.agreed, tokens=self._tokens, invite=self.invite.to_bytes()
        )

    def resume(self, kept: KeptSession) -> None:
        """Go on where another session stood that was up."""
        self.state, self.dialog, self._tokens = State.CONFIRMED, dialog_of(kept), kept.tokens
        go_on(self.inside, self.timer, kept, self.now)

    def receive(self, message: Request | Response, source: Destination, now: float) -> Outputs:
        self.now = now
        if isinstance(message, Response):
            if message.cseq and message.cseq.method != "BYE":
                return self._rise(self.inside.receive_response(message, now))
            bye = self._byes.get(message.branch)
            return self._rise_bye(bye, bye.receive(message, now)) if bye else []
        if message.method == "CANCEL":
            return self._cancel(message, source)
        if message.method in {"INVITE", "ACK"} and message.branch == self.invite.branch:
            return self._rise(self._transaction.receive(message, now))
        if message.method == "ACK" and message.cseq and message.cseq.number == self._number:
            return self._rise([Acknowledged(message)])
        return self._rise(self.inside.receive(message, source, self._confirmed_dialog(), now))

    def fail(self, error: str, now: float) -> Outputs:
        """The transport towards the caller broke."""
        self.now = now
        outputs = self._rise(self._transaction.fail(error, now))
        for bye in list(self._byes.values()):
            outputs += self._rise_bye(bye, bye.fail(error, now))
        return outputs + self._rise(self.inside.fail(error, now))

    @property
    def deadline(self) -> float | None:
        made = (self._transaction, self._answer, *self._cancels.values(), *self._byes.values(), self.inside)
        return min((part.deadline for part in made if part and part.deadline is not None), default=None)

    def handle_timeout(self, now: float) -> Outputs:
        self.now = now
        outputs = self._rise(self._transaction.handle_timeout(now))
        if self._answer:
            outputs += self._rise(self._answer.handle_timeout(now))
        for branch, cancel in list(self._cancels.items()):
            outputs += cancel.handle_timeout(now)
            if cancel.terminated:
                del self._cancels[branch]
        for bye in list(self._byes.values()):
            outputs += self._rise_bye(bye, bye.handle_timeout(now))
        return outputs + self._rise(self.inside.handle_timeout(now))

    @property
    def done(self) -> bool:
        """Ended, with no transaction left: nothing more can come of it."""
        return self.state is State.ENDED and self.deadline is None

    # Between the transactions and the table

    @property
    def _number(self) -> int:
        return self.invite.cseq.number if self.invite.cseq else 0

    def _confirmed_dialog(self) -> Dialog | None:
        """Requests within the dialog are taken once we answered; before, only CANCEL may end the call."""
        return None if self.state in {State.RECEIVED, State.RINGING} else self.dialog

    def _take(self, received: object, now: float) -> Outputs:
        self.now = now
        return self.handle(received) if self.accepts(type(received)) else []

    def _rise(self, outputs: Outputs) -> Outputs:
        """Pass effects on, and signals of the parts below into the table."""
        risen: Outputs = []
        for output in outputs:
            if isinstance(output, Transmit | Record | ReferSignal | Renewed):
                risen.append(output)
                continue
            signal: object = output
            if isinstance(output, TimedOut):  # of the 2xx; a refusal that nobody acknowledges ended already
                signal = AckGaveUp()
            elif isinstance(output, AckReceived):
                continue
            risen += self.handle(signal) if self.accepts(type(signal)) else []
        return risen

    def _rise_bye(self, bye: NonInviteClient, outputs: Outputs) -> Outputs:
        risen: Outputs = []
        for output in outputs:
            if isinstance(output, Transmit | Record):
                risen.append(output)
            elif not isinstance(output, Provisional) and self.accepts(ByeAnswered):
                risen += self.handle(ByeAnswered())
        if bye.terminated:
            self._byes.pop(bye.request.branch, None)
        return risen

    def _cancel(self, cancel: Request, source: Destination) -> Outputs:
        """200 to a CANCEL that finds its INVITE, answered or not (section 9.2); else 481."""
        known = self._cancels.get(cancel.branch)
        if known is not None:
            return known.receive(cancel, self.now)
        mark_source(cancel, source)
        transaction = NonInviteServer(self.leg, cancel, reply_to(cancel, source), self.now)
        if len(self._cancels) < MAX_CANCELS:
            self._cancels[cancel.branch] = transaction
        if cancel.branch != self.invite.branch:
            return transaction.respond(respond(cancel, 481, to_tag=self.tag), self.now)
        outputs = transaction.respond(respond(cancel, 200, to_tag=self.tag), self.now)
        return outputs + (self.handle(CancelArrived(cancel)) if self.accepts(CancelArrived) else [])

    def _finish(self, signal: object) -> Outputs:
        told, self._told = self._told, True
        return [] if told else [signal]

    def _token(self) -> str:
        self._tokens += 1
        return f"{self.seed}{self._tokens:x}"

    def _via(self) -> str:
        ours = Destination("", *self.local).peer
        return f"SIP/2.0/{self.source.transport.upper()} {ours};branch=z9hG4bK{self._token()};rport"

    def _may_authorize(self, response: Response) -> bool:
        method = response.cseq.method if response.cseq else ""
        return self._authenticator is not None and bool(self._authenticator.take(response, method))

    def _authorize(self, request: Request) -> Request:
        if self._authenticator is not None:
            known = self._authenticator.authorize(
                method=request.method, uri=request.uri, body=request.body, cnonce=self._token()
            )
            for name, value in known:
                request.headers.add(name, value)
        return request

    def _make_refresh(self, method: str, seconds: int) -> tuple[Request, Destination]:
        request = refresh(self.dialog, self.inside, method, self._via(), seconds)
        return self._authorize(request), self.dialog.next_hop

    def _acknowledge_refresh(self, invite: Request) -> Transmit:
        number = invite.cseq.number if invite.cseq else 1
        return Transmit(
            self.dialog.request("ACK", cseq=number, via=self._via()).to_bytes(), self.dialog.next_hop
        )

    def _make_refer(self, refer_to: str) -> tuple[Request, Destination]:
        refer = self._authorize(self.dialog.request("REFER", via=self._via()))
        refer.headers.add("contact", self.contact)
        refer.headers.add("refer-to", refer_to)
        refer.headers.add("referred-by", referred_by(self.dialog.local))
        return refer, self.dialog.next_hop

    def _send_bye(self, reason: str = "") -> Outputs:
        self.inside.leave()
        bye = self.dialog.request("BYE", via=self._via())
        if reason:
            bye.headers.add("reason", reason)
        transaction = NonInviteClient(self.leg, bye, self.dialog.next_hop, self.now)
        self._byes[bye.branch] = transaction
        return transaction.start()

    # Actions

    def send_ringing(self, _: Ring) -> Outputs:
        response = respond(self.invite, 180, to_tag=self.tag)
        response.headers.add("contact", self.contact)
        return self._transaction.respond(response, self.now)

    def answer(self, accept: Accept) -> Outputs:
        response = respond(self.invite, 200, to_tag=self.tag)
        for route in self.invite.headers.all("record-route"):
            response.headers.add("record-route", route)
        response.headers.add("contact", self.contact)
        response.headers.add("allow", ALLOW)
        self._agreed, said = answer_wish(self.invite, self.inside.wanted_seconds)
        for name, value in said:
            response.headers.add(name, value)
        response.headers.add("content-type", "application/sdp")
        response.body = self.inside.described = accept.body
        self._answer = Answer(self.leg, response, self._to, self.now)
        return self._transaction.respond(response, self.now)

    def refuse(self, reject: Reject) -> Outputs:
        response = respond(self.invite, reject.status, reject.reason, to_tag=self.tag)
        for name, value in reject.headers:
            response.headers.add(name, value)
        return [*self._transaction.respond(response, self.now), *self._finish(Rejected(reject.status))]

    def refuse_hang_up(self, _: HangUp) -> Outputs:
        return self.refuse(Reject(603))

    def cancelled(self, arrived: CancelArrived) -> Outputs:
        response = respond(self.invite, 487, to_tag=self.tag)
        outputs = self._transaction.respond(response, self.now)
        return [*outputs, *self._finish(Cancelled(arrived.request))]

    def confirm(self, acknowledged: Acknowledged) -> Outputs:
        assert self._answer is not None
        self._answer.acknowledge()
        self.timer.agree(self._agreed, self.now)
        return [acknowledged]

    def wait_for_ack(self, hang_up: HangUp) -> Outputs:
        self._closing_reason = hang_up.reason
        return []

    def bye_after_ack(self, _: Acknowledged) -> Outputs:
        assert self._answer is not None
        self._answer.acknowledge()
        return self._send_bye(self._closing_reason)

    def bye(self, hang_up: HangUp) -> Outputs:
        return self._send_bye(hang_up.reason)

    def give_up(self, _: AckGaveUp) -> Outputs:
        return [*self._send_bye('SIP;cause=408;text="ACK missing"'), *self._finish(Unacknowledged())]

    def bye_without_ack(self, _: AckMissing) -> Outputs:
        return self._send_bye()

    def bye_expired(self, _: SessionExpired) -> Outputs:
        return self._send_bye(EXPIRED)

    def hung_up(self, arrived: ByeArrived) -> Outputs:
        if self._answer:
            self._answer.acknowledge()  # who sends BYE has seen the answer
        return self.inside.far_end_left() + self._finish(HungUp(arrived.request))

    def released(self, _: ByeAnswered) -> Outputs:
        return self._finish(Released())

    def undeliverable(self, error: Undeliverable) -> Outputs:
        return self._finish(error)

    TABLE = {
        **dict.fromkeys(rows([State.RECEIVED, State.RINGING], Ring), (State.RINGING, send_ringing)),
        **dict.fromkeys(rows([State.RECEIVED, State.RINGING], Accept), (State.ANSWERED, answer)),
        **dict.fromkeys(rows([State.RECEIVED, State.RINGING], Reject), (State.ENDED, refuse)),
        **dict.fromkeys(rows([State.RECEIVED, State.RINGING], HangUp), (State.ENDED, refuse_hang_up)),
        **dict.fromkeys(rows([State.RECEIVED, State.RINGING], CancelArrived), (State.ENDED, cancelled)),
        **dict.fromkeys(rows([State.RECEIVED, State.RINGING], Undeliverable), (State.ENDED, undeliverable)),
        (State.ANSWERED, Acknowledged): (State.CONFIRMED, confirm),
        (State.ANSWERED, HangUp): (State.CLOSING, wait_for_ack),
        (State.ANSWERED, AckGaveUp): (State.RELEASING, give_up),
        (State.ANSWERED, ByeArrived): (State.ENDED, hung_up),
        (State.CLOSING, Acknowledged): (State.RELEASING, bye_after_ack),
        (State.CLOSING, AckGaveUp): (State.RELEASING, give_up),
        (State.CLOSING, ByeArrived): (State.ENDED, hung_up),
        (State.CLOSING, HangUp): (State.CLOSING, nothing),
        (State.CONFIRMED, HangUp): (State.RELEASING, bye),
        (State.CONFIRMED, AckMissing): (State.RELEASING, bye_without_ack),
        (State.CONFIRMED, SessionExpired): (State.RELEASING, bye_expired),
        (State.CONFIRMED, ByeArrived): (State.ENDED, hung_up),
        (State.RELEASING, ByeAnswered): (State.ENDED, released),
        (State.RELEASING, ByeArrived): (State.ENDED, hung_up),
        (State.RELEASING, HangUp): (State.RELEASING, nothing),
    }
