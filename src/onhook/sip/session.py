"""An outbound session: one INVITE, its forks, CANCEL, ACK, BYE, and requests that arrive within.

The caller's half of RFC 3261 sections 9.1, 13.2, 14 and 15.1, over the transactions. It is fed messages,
the time and `HangUp`; it gives back effects and, for its user, the signals below. The signal that ends
the session (Refused, Unanswered, Undeliverable, HungUp, Released, CancelCrossed) comes exactly once.

All identifiers derive from `seed`, so that equal inputs give equal bytes.
"""

from enum import Enum, auto
from functools import partial

import msgspec

from onhook.effects import Destination, Record, Transmit
from onhook.facts import TimerFired
from onhook.machine import Machine, Outputs, nothing, rows
from onhook.sip.dialog import MAX_FORWARDS, USER_AGENT, Dialog
from onhook.sip.digest import Authenticator, Credentials
from onhook.sip.inside import ALLOW, EXPIRED, AckMissing, AnswerOffer, ByeArrived, Inside, refresh
from onhook.sip.invite_client import InviteClient, TimerA
from onhook.sip.kept import KeptSession, dialog_of, go_on, keep
from onhook.sip.messages import Headers, Request, Response
from onhook.sip.non_invite_client import NonInviteClient
from onhook.sip.refer import referred_by
from onhook.sip.referral import Referral, ReferSignal
from onhook.sip.session_timer import (
    TOO_BRIEF,
    Renewed,
    SessionExpired,
    SessionTimer,
    agreed_by,
    least_of,
    wish,
)
from onhook.sip.timers import GIVE_UP
from onhook.sip.transaction import Failure, Provisional, Success, TimedOut, Undeliverable
from onhook.sip.validity import check_response

INSIDE = frozenset({"INVITE", "REFER", "UPDATE"})
"""Requests of ours within the session whose responses are not for the session itself."""
MAX_FORKS = 16
"""Answers of different far ends to one INVITE that are still acknowledged and released."""
LATE_ANSWER_SECONDS = 180.0
"""How long after a CANCEL that nobody obeyed an answer may come: proxies let a phone ring for three minutes
(timer C, RFC 3261 section 16.6)."""


class State(Enum):
    IDLE = auto()
    CALLING = auto()  # INVITE sent, nothing came yet
    PROCEEDING = auto()  # a provisional response came
    ABANDONED = auto()  # given up before any response: CANCEL waits for one, the INVITE goes on (section 9.1)
    CANCELLING = auto()  # CANCEL sent
    CONFIRMED = auto()  # answered and acknowledged
    RELEASING = auto()  # BYE sent
    ENDED = auto()


class Dial(msgspec.Struct, frozen=True):
    """Input: send the INVITE with this offer."""

    body: bytes


class HangUp(msgspec.Struct, frozen=True):
    """Input: our side wants to end; CANCEL or BYE as the state asks. `reason` becomes a Reason header."""

    reason: str = ""


class NoResponse(msgspec.Struct, frozen=True):
    """Input: the trunk's no-response time ran out."""


class CancelExpired(msgspec.Struct, frozen=True):
    """Input: a cancelled INVITE got no final response for 64*T1 (section 9.1)."""


class LateAnswerExpired(msgspec.Struct, frozen=True):
    """Input: after LATE_ANSWER_SECONDS no answer to a cancelled INVITE is reckoned with any more."""


class Challenged(msgspec.Struct, frozen=True):
    """Input: 401 or 407 that our credentials can answer."""

    response: Response
    headers: tuple[tuple[str, str], ...]


class ByeAnswered(msgspec.Struct, frozen=True):
    """Input: our BYE is done, with or without an answer."""


class Rang(msgspec.Struct, frozen=True):
    """Signal: a provisional response other than 100."""

    response: Response


class Answered(msgspec.Struct, frozen=True):
    """Signal: the first 2xx; it is acknowledged already."""

    response: Response


class Refused(msgspec.Struct, frozen=True):
    """Signal: a final 3xx to 6xx."""

    response: Response


class Unanswered(msgspec.Struct, frozen=True):
    """Signal: `timer` ("B", "no-response", "CANCEL") ran out without a final response."""

    timer: str


class HungUp(msgspec.Struct, frozen=True):
    """Signal: the far end sent BYE; it is answered already."""

    request: Request


class Released(msgspec.Struct, frozen=True):
    """Signal: our BYE was answered, or nobody answers it."""


class CancelCrossed(msgspec.Struct, frozen=True):
    """Signal: a 2xx crossed our CANCEL; it was acknowledged and released."""

    response: Response


class OutboundSession(Machine[State]):
    def __init__(
        self,
        *,
        leg: str,
        seed: str,
        peer: Destination,
        local: tuple[str, int],
        target: str,
        caller: str,
        display_name: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        credentials: Credentials | None = None,
        no_response_seconds: float = GIVE_UP,
        answer_offer: AnswerOffer = lambda _: None,
        session_timer_seconds: int = 0,
        now: float,
    ) -> None:
        """`target` and `caller` are numbers, the user parts of URIs; `local` goes into Via and Contact.

        `headers` stand in the INVITE beside ours. `session_timer_seconds` is the interval that we ask for;
        with 0 the far end may still ask for one.
        """
        self.state = State.IDLE
        self.leg, self.seed, self.peer, self.now = leg, seed, peer, now
        self.local, self.target, self.caller, self.display_name = local, target, caller, display_name
        self.no_response_seconds = no_response_seconds
        self._headers = headers
        self.call_id = f"{seed}@{local[0]}"
        self.dialog: Dialog | None = None
        self._authenticator = Authenticator(credentials) if credentials else None
        self.timer = SessionTimer(
            leg, self._make_refresh, self._acknowledge_refresh, may_authorize=self._may_authorize, now=now
        )
        self.inside = Inside(leg, self._contact, answer_offer, self.timer, session_timer_seconds)
        self._wish = wish(session_timer_seconds)
        self._tokens = 0
        self._invite: InviteClient | None = None
        self._finished: list[InviteClient] = []  # challenged ones, still absorbing
        self._requests: dict[str, NonInviteClient] = {}  # CANCEL and BYEs by branch
        self._forks: dict[str, tuple[Dialog, Transmit]] = {}  # ACK of each answer by To tag
        self._timers: dict[type[NoResponse | CancelExpired | LateAnswerExpired], float] = {}
        self._told = False
        self._body = b""

    # What goes in

    def dial(self, body: bytes, now: float) -> Outputs:
        self.now = now
        return self.handle(Dial(body))

    def hang_up(self, now: float, reason: str = "") -> Outputs:
        self.now = now
        return self.handle(HangUp(reason))

    def refer(self, refer_to: str, seconds: float, now: float) -> Outputs:
        """Ask the far end to call `refer_to` instead of talking to us; ReferDone or ReferFailed follows.

        Nothing happens where the session is not up, or a referral is under way.
        """
        self.now = now
        if self.state is not State.CONFIRMED or self.dialog is None:
            return []
        referral = Referral(
            self.leg,
            partial(self._make_refer, self.dialog, refer_to),
            may_authorize=self._may_authorize,
            seconds=seconds,
            now=now,
        )
        return self._rise(self.inside.refer(referral))

    def keep(self) -> KeptSession:
        """What another session needs to go on with this one, which is up."""
        assert self.dialog is not None
        return keep(self.dialog, self.inside, self.timer.agreed, tokens=self._tokens)

    def resume(self, kept: KeptSession) -> None:
        """Go on where another session stood that was up."""
        self.state, self.dialog = State.CONFIRMED, dialog_of(kept)
        self.call_id, self._tokens = kept.call_id, kept.tokens
        go_on(self.inside, self.timer, kept, self.now)

    def receive(self, message: Request | Response, source: Destination, now: float) -> Outputs:
        self.now = now
        if isinstance(message, Response):
            return self._receive_response(message)
        return self._rise(self.inside.receive(message, source, self.dialog, now))

    def fail(self, error: str, now: float) -> Outputs:
        """The transport towards the peer broke: every open request on it fails."""
        self.now = now
        outputs: Outputs = []
        if self._invite and not self._invite.terminated:
            outputs += self._rise(self._invite.fail(error, now))
        for request in list(self._requests.values()):
            outputs += self._rise_request(request, request.fail(error, now))
        return outputs + self._rise(self.inside.fail(error, now))

    @property
    def deadline(self) -> float | None:
        times = list(self._timers.values())
        times += [at for made in self._transactions() if (at := made.deadline) is not None]
        if self.inside.deadline is not None:
            times.append(self.inside.deadline)
        return min(times) if times else None

    def handle_timeout(self, now: float) -> Outputs:
        self.now = now
        outputs: Outputs = []
        for kind in [kind for kind, at in self._timers.items() if at <= now]:
            if self._timers.pop(kind, None) is not None and self.accepts(kind):
                outputs += self.handle(kind())
        if self._invite:
            outputs += self._rise(self._invite.handle_timeout(now))
        for old in self._finished:
            outputs += old.handle_timeout(now)
        for request in list(self._requests.values()):
            outputs += self._rise_request(request, request.handle_timeout(now))
        outputs += self._rise(self.inside.handle_timeout(now))
        self._finished = [old for old in self._finished if not old.terminated]
        return outputs

    @property
    def done(self) -> bool:
        """Ended, with no transaction left: nothing more can come of it."""
        return self.state is State.ENDED and self.deadline is None

    # Transactions

    def _transactions(self) -> list[InviteClient | NonInviteClient]:
        made: list[InviteClient | NonInviteClient] = [*self._finished, *self._requests.values()]
        return [*made, self._invite] if self._invite else made

    def _receive_response(self, response: Response) -> Outputs:
        if check_response(response) is not None:
            return []
        method = response.cseq.method if response.cseq else ""
        if method == "INVITE":
            if self._invite and response.branch == self._invite.request.branch:
                if self._invite.terminated and 200 <= response.status < 300:  # later than Timer M
                    return self._rise([Success(response)])
                return self._rise(self._invite.receive(response, self.now))
            for old in self._finished:
                if response.branch == old.request.branch:
                    return old.receive(response, self.now)
        if method in INSIDE:
            return self._rise(self.inside.receive_response(response, self.now))
        request = self._requests.get(response.branch)
        if request is None or request.request.method != method:
            return []
        return self._rise_request(request, request.receive(response, self.now))

    def _rise(self, outputs: Outputs) -> Outputs:
        """Pass effects on, and signals of the parts below into the table."""
        passed: Outputs = []
        for output in outputs:
            if isinstance(output, Transmit | Record | ReferSignal | Renewed):
                passed.append(output)
            else:
                signal: object = self._challenged(output) if isinstance(output, Failure) else output
                passed += self.handle(signal) if self.accepts(type(signal)) else []
        return passed

    def _rise_request(self, request: NonInviteClient, outputs: Outputs) -> Outputs:
        passed: Outputs = []
        for output in outputs:
            if isinstance(output, Transmit | Record):
                passed.append(output)
            elif request.request.method == "BYE" and not isinstance(output, Provisional):
                passed += self._bye_done(request, output)
        if request.terminated:
            self._requests.pop(request.request.branch, None)
        return passed

    def _bye_done(self, bye: NonInviteClient, output: object) -> Outputs:
        dialog = self.dialog
        if dialog is None or bye.request.to_tag != dialog.remote_tag:
            return []  # the BYE of a surplus fork
        if isinstance(output, Failure) and isinstance(self._challenged(output), Challenged):
            return self._send_bye(dialog)
        return self.handle(ByeAnswered()) if self.accepts(ByeAnswered) else []

    def _challenged(self, failure: Failure) -> Failure | Challenged:
        """A 401 or 407 with the headers that answer it, if our credentials can and were not refused yet."""
        response = failure.response
        method = response.cseq.method if response.cseq else ""
        if response.status == TOO_BRIEF and method == "INVITE" and self._ask_for_longer(response):
            return Challenged(response, tuple(self._authorize("INVITE", self._request_uri, self._body)))
        if response.status not in {401, 407} or not self._may_authorize(response):
            return failure
        headers = self._authorize("INVITE", self._request_uri, self._body) if method == "INVITE" else []
        return Challenged(response, tuple(headers))

    def _ask_for_longer(self, refused: Response) -> bool:
        """Whether a 422 names an interval that we did not ask for yet (RFC 4028 section 7.3)."""
        least = least_of(refused)
        if not self.inside.wanted_seconds or least <= self.inside.wanted_seconds:
            return False
        self.inside.wanted_seconds, self._wish = least, wish(least, least)
        return True

    def _may_authorize(self, response: Response) -> bool:
        method = response.cseq.method if response.cseq else ""
        return self._authenticator is not None and bool(self._authenticator.take(response, method))

    def _authorize(self, method: str, uri: str, body: bytes = b"") -> list[tuple[str, str]]:
        if self._authenticator is None:
            return []
        return self._authenticator.authorize(method=method, uri=uri, body=body, cnonce=self._token())

    # Building messages

    def _token(self) -> str:
        self._tokens += 1
        return f"{self.seed}{self._tokens:x}"

    def _via(self) -> str:
        transport = self.peer.transport
        ours = Destination(transport, *self.local).peer
        return f"SIP/2.0/{transport.upper()} {ours};branch=z9hG4bK{self._token()};rport"

    @property
    def _contact(self) -> str:
        ours = Destination("", *self.local).peer
        transport = "" if self.peer.transport == "udp" else f";transport={self.peer.transport}"
        return f"<sip:{self.caller}@{ours}{transport}>"

    @property
    def _request_uri(self) -> str:
        return f"sip:{self.target}@{self.peer.peer};user=phone"

    def _make_invite(self, cseq: int, *extra: tuple[str, str]) -> Request:
        name = self.display_name.replace("\\", "\\\\").replace('"', '\\"')
        shown = f'"{name}" ' if name else ""
        host = Destination("", self.local[0], 0).peer
        headers = Headers.of(
            ("via", self._via()),
            ("max-forwards", MAX_FORWARDS),
            ("from", f"{shown}<sip:{self.caller}@{host};user=phone>;tag={self.seed}"),
            ("to", f"<{self._request_uri}>"),
            ("call-id", self.call_id),
            ("cseq", f"{cseq} INVITE"),
            ("contact", self._contact),
            ("allow", ALLOW),
            ("user-agent", USER_AGENT),
            *self._wish,
            *self._headers,
            *extra,
        )
        if self._body:
            headers.add("content-type", "application/sdp")
        return Request("INVITE", self._request_uri, headers, self._body)

    def _start_invite(self, request: Request) -> Outputs:
        if self._invite:
            self._finished.append(self._invite)
        self._invite = InviteClient(self.leg, request, self.peer, self.now)
        return self._invite.start()

    def _start_request(self, request: Request, to: Destination) -> Outputs:
        transaction = NonInviteClient(self.leg, request, to, self.now)
        self._requests[request.branch] = transaction
        return transaction.start()

    def _send_bye(self, dialog: Dialog, reason: str = "") -> Outputs:
        bye = dialog.request("BYE", via=self._via())
        for name, value in self._authorize("BYE", bye.uri):
            bye.headers.add(name, value)
        if reason:
            bye.headers.add("reason", reason)
        return self._start_request(bye, dialog.next_hop)

    def _make_refer(self, dialog: Dialog, refer_to: str) -> tuple[Request, Destination]:
        refer = dialog.request("REFER", via=self._via())
        for name, value in self._authorize("REFER", refer.uri):
            refer.headers.add(name, value)
        refer.headers.add("contact", self._contact)
        refer.headers.add("refer-to", refer_to)
        refer.headers.add("referred-by", referred_by(dialog.local))
        return refer, dialog.next_hop

    def _make_refresh(self, method: str, seconds: int) -> tuple[Request, Destination]:
        assert self.dialog is not None
        request = refresh(self.dialog, self.inside, method, self._via(), seconds)
        for name, value in self._authorize(request.method, request.uri, request.body):
            request.headers.add(name, value)
        return request, self.dialog.next_hop

    def _acknowledge_refresh(self, invite: Request) -> Transmit:
        assert self.dialog is not None
        number = invite.cseq.number if invite.cseq else 1
        return Transmit(
            self.dialog.request("ACK", cseq=number, via=self._via()).to_bytes(), self.dialog.next_hop
        )

    def _finish(self, signal: object) -> Outputs:
        """Tell the user how it ended, once."""
        self._timers.clear()
        told, self._told = self._told, True
        return [] if told else [signal]

    # Actions

    def invite(self, dial: Dial) -> Outputs:
        self._body = self.inside.described = dial.body
        self._timers[NoResponse] = self.now + self.no_response_seconds
        return self._start_invite(self._make_invite(1))

    def authenticate(self, challenged: Challenged) -> Outputs:
        assert self._invite is not None
        number = self._invite.request.cseq.number if self._invite.request.cseq else 1
        self._timers[NoResponse] = self.now + self.no_response_seconds
        return self._start_invite(self._make_invite(number + 1, *challenged.headers))

    def ring(self, received: Provisional) -> Outputs:
        self._timers.pop(NoResponse, None)
        return [Rang(received.response)] if received.response.status > 100 else []

    def acknowledge(self, received: Success) -> tuple[Dialog, bool, Outputs]:
        """The ACK of an answer: (its dialog, is it the first of its tag, what to send)."""
        response = received.response
        known = self._forks.get(response.to_tag)
        if known is not None:
            return known[0], False, [known[1]]
        assert self._invite is not None
        dialog = Dialog.of_client(self._invite.request, response, self.peer)
        sent = self._invite.request
        ack = dialog.request("ACK", cseq=sent.cseq.number if sent.cseq else 1, via=self._via())
        for name in ("authorization", "proxy-authorization"):  # the INVITE's own (section 22.1)
            for value in sent.headers.all(name):
                ack.headers.add(name, value)
        transmit = Transmit(ack.to_bytes(), dialog.next_hop)
        if len(self._forks) < MAX_FORKS:
            self._forks[response.to_tag] = (dialog, transmit)
        return dialog, True, [transmit]

    def connect(self, received: Success) -> Outputs:
        self._timers.clear()
        if self._authenticator:
            self._authenticator.accept(received.response)
        self.dialog, _, outputs = self.acknowledge(received)
        self.inside.note_allow(received.response)
        self.timer.agree(agreed_by(received.response), self.now)
        return [*outputs, Answered(received.response)]

    def release_surplus(self, received: Success) -> Outputs:
        """A 2xx when one was taken already, or none is wanted any more: ACK, and BYE for a new far end."""
        dialog, first, outputs = self.acknowledge(received)
        return outputs + self._send_bye(dialog) if first else outputs

    def release_crossed(self, received: Success) -> Outputs:
        """The answer crossed our CANCEL: take it and release it at once (section 9.1, last paragraph)."""
        self.dialog, _, outputs = self.acknowledge(received)
        outputs += self._send_bye(self.dialog)
        return outputs + self._finish(CancelCrossed(received.response))

    def refuse(self, received: Failure) -> Outputs:
        return self._finish(Refused(received.response))

    def refuse_challenge(self, received: Challenged) -> Outputs:
        return self._finish(Refused(received.response))

    def time_out(self, timed_out: TimedOut) -> Outputs:
        return self._finish(Unanswered(timed_out.timer))

    def undeliverable(self, error: Undeliverable) -> Outputs:
        return self._finish(error)

    def no_response(self, _: NoResponse) -> Outputs:
        assert self._invite is not None
        self._invite.deadlines.pop(TimerA, None)
        seconds = self.no_response_seconds
        fact = TimerFired(at=self.now, leg=self.leg, name="no-response", after_seconds=seconds)
        return [Record(fact), *self._finish(Unanswered("no-response"))]

    def cancel(self, _: object) -> Outputs:
        """CANCEL with the INVITE's own branch, Route, From, To, Call-ID and CSeq number (section 9.1)."""
        assert self._invite is not None
        invite = self._invite.request
        self._timers = {CancelExpired: self.now + GIVE_UP}
        headers = Headers.of(("via", invite.headers.get("via")), ("max-forwards", MAX_FORWARDS))
        for name in ("from", "to", "call-id"):
            headers.add(name, invite.headers.get(name))
        headers.add("cseq", f"{invite.cseq.number if invite.cseq else 1} CANCEL")
        headers.add("reason", 'Q.850;cause=16;text="Normal call clearing"')
        return self._start_request(Request("CANCEL", invite.uri, headers), self._invite.to)

    def cancel_expired(self, _: CancelExpired) -> Outputs:
        """It rings on, for all we know: stay, so that an answer is still acknowledged and released."""
        fact = TimerFired(at=self.now, leg=self.leg, name="CANCEL", after_seconds=GIVE_UP)
        outputs = [Record(fact), *self._finish(Unanswered("CANCEL"))]
        self._timers[LateAnswerExpired] = self.now + LATE_ANSWER_SECONDS
        return outputs

    def bye(self, hang_up: HangUp) -> Outputs:
        assert self.dialog is not None
        self.inside.leave()
        return self._send_bye(self.dialog, hang_up.reason)

    def bye_without_ack(self, _: AckMissing) -> Outputs:
        assert self.dialog is not None
        self.inside.leave()
        return self._send_bye(self.dialog)

    def bye_expired(self, _: SessionExpired) -> Outputs:
        assert self.dialog is not None
        self.inside.leave()
        return self._send_bye(self.dialog, EXPIRED)

    def released(self, _: ByeAnswered) -> Outputs:
        return self._finish(Released())

    def hung_up(self, arrived: ByeArrived) -> Outputs:
        return self.inside.far_end_left() + self._finish(HungUp(arrived.request))

    TABLE = {
        (State.IDLE, Dial): (State.CALLING, invite),
        (State.CALLING, Provisional): (State.PROCEEDING, ring),
        (State.CALLING, Success): (State.CONFIRMED, connect),
        (State.CALLING, Failure): (State.ENDED, refuse),
        (State.CALLING, Challenged): (State.CALLING, authenticate),
        (State.CALLING, TimedOut): (State.ENDED, time_out),
        (State.CALLING, Undeliverable): (State.ENDED, undeliverable),
        (State.CALLING, NoResponse): (State.ABANDONED, no_response),
        (State.CALLING, HangUp): (State.ABANDONED, nothing),
        (State.PROCEEDING, Provisional): (State.PROCEEDING, ring),
        (State.PROCEEDING, Success): (State.CONFIRMED, connect),
        (State.PROCEEDING, Failure): (State.ENDED, refuse),
        (State.PROCEEDING, Challenged): (State.CALLING, authenticate),
        (State.PROCEEDING, HangUp): (State.CANCELLING, cancel),
        (State.ABANDONED, Provisional): (State.CANCELLING, cancel),
        (State.ABANDONED, Success): (State.RELEASING, release_crossed),
        (State.ABANDONED, Failure): (State.ENDED, refuse),
        (State.ABANDONED, Challenged): (State.ENDED, refuse_challenge),
        (State.ABANDONED, TimedOut): (State.ENDED, time_out),
        (State.ABANDONED, Undeliverable): (State.ENDED, undeliverable),
        (State.ABANDONED, NoResponse): (State.ABANDONED, no_response),
        (State.CANCELLING, Provisional): (State.CANCELLING, nothing),
        (State.CANCELLING, Success): (State.RELEASING, release_crossed),
        (State.CANCELLING, Failure): (State.ENDED, refuse),
        (State.CANCELLING, Challenged): (State.ENDED, refuse_challenge),
        (State.CANCELLING, CancelExpired): (State.ENDED, cancel_expired),
        (State.CONFIRMED, Success): (State.CONFIRMED, release_surplus),
        (State.CONFIRMED, HangUp): (State.RELEASING, bye),
        (State.CONFIRMED, AckMissing): (State.RELEASING, bye_without_ack),
        (State.CONFIRMED, SessionExpired): (State.RELEASING, bye_expired),
        (State.CONFIRMED, ByeArrived): (State.ENDED, hung_up),
        (State.RELEASING, Success): (State.RELEASING, release_surplus),
        (State.RELEASING, ByeArrived): (State.ENDED, hung_up),
        (State.RELEASING, ByeAnswered): (State.ENDED, released),
        (State.ENDED, Success): (State.ENDED, release_surplus),
        **{
            row: (row[0], nothing)
            for row in rows((State.ABANDONED, State.CANCELLING, State.RELEASING), HangUp)
        },
        (State.ENDED, HangUp): (State.ENDED, nothing),
        (State.ENDED, LateAnswerExpired): (State.ENDED, nothing),
    }
