"""One call at the far end: a scenario played over real transactions and dialogs.

What a proper user agent does by itself (repeating finals until their ACK, answering CANCEL, BYE and
re-INVITE, timers) comes from sip/. What the scenario says comes on top, or stands in its way.

No 100 Trying is sent by itself: RFC 3261 section 17.2.1 asks for one after 200 ms, but a scenario means
exactly what it says, so one that wants a 100 writes it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from onhook.effects import Destination, Transmit
from onhook.lab.audio_steps import MANNERS, SOUNDS, HearsOnly, SendRtp, SoundStep
from onhook.lab.far_end_challenge import Door
from onhook.lab.far_end_media import BAD_SDP, Audio
from onhook.lab.far_end_refer import Referee
from onhook.lab.scenario_steps import (
    PAUSES,
    Bye,
    CarrierStep,
    Challenge,
    Garbage,
    Garbled,
    IgnoreAck,
    IgnoreCancel,
    Refer,
    RefuseConnection,
    Respond,
    Scenario,
)
from onhook.machine import Outputs
from onhook.sip.answer import Answer
from onhook.sip.dialog import Dialog
from onhook.sip.headers import parse_name_addr
from onhook.sip.inside import ALLOW, AckMissing, ByeArrived, Inside
from onhook.sip.invite_server import InviteServer
from onhook.sip.invite_server import State as InviteState
from onhook.sip.messages import Headers, Request, Response, respond
from onhook.sip.non_invite_client import NonInviteClient
from onhook.sip.non_invite_server import NonInviteServer
from onhook.sip.offer import Negotiated
from onhook.sip.reply import mark_source, reply_to
from onhook.sip.timers import GIVE_UP
from onhook.sip.transaction import TimedOut
from onhook.sip.uri import phone_number

MAX_CALL_SECONDS = 4 * 3600.0
"""A call that nobody ends is ended by the far end then."""
MAX_HISTORY = 64
"""Lines kept of what a call sent and received."""
MAX_INVITES = 8
"""INVITEs of one call, counting those with credentials; more get no answer."""
MAX_CANCELS = 4

SECRET = b"of a far end on virtual time, open to all"
GARBAGE = b"\x00\xff\x17 this is no SIP \x80\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the far end is reached, and the prefix of the tags that it makes."""

    host: str
    port: int
    prefix: str
    open_media: Callable[[str], tuple[str, int]]
    """The RTP address of the call of this name, for its SDP."""
    secret: bytes = SECRET
    """Of its keys for SRTP."""

    def contact(self, transport: str) -> str:
        param = "" if transport == "udp" else f";transport={transport}"
        return f"<sip:{self.host}:{self.port}{param}>"


class Fork:
    """One phone that may answer: its To tag, its dialog, and its 2xx until the ACK."""

    __slots__ = ("answer", "answered", "dialog", "ended")

    def __init__(self, dialog: Dialog) -> None:
        self.dialog = dialog
        self.answer: Answer | None = None
        self.answered = self.ended = False


class FarCall:
    """Begins with `receive(invite, …)`. `history` reads "> INVITE", "< 180", … ."""

    def __init__(
        self,
        place: Place,
        number: int,
        scenario: Scenario,
        invite: Request,
        now: float,
        *,
        gates_opened: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.place, self.scenario, self._gates_opened = place, scenario, gates_opened
        self.key = (invite.call_id, invite.from_tag)
        self.number = phone_number(invite.uri)
        """What was dialled."""
        self.history: list[str] = []
        self.wakes_at: float | None = None
        """For the owner's heap: the deadline that stands in it for this call."""
        self.refuses_connection = False
        self.over = False
        """Ended or refused; what is left only answers repeated messages."""
        self.name = f"{place.prefix}{number:x}"
        """Begins its tags; no two calls of a far end share it."""
        self._next_step = 0
        self._wake: float | None = None
        self._door: Door | None = None
        self._ignoring_ack = self._ignoring_cancel = self._silent = self._spoke = False
        self._sending: bool | None = None
        self._expires = now + MAX_CALL_SECONDS
        self._invites: dict[str, InviteServer] = {}
        self._cancels: dict[str, NonInviteServer] = {}
        self._byes: dict[str, NonInviteClient] = {}
        self._forks: list[Fork] = []
        self._audio = Audio(partial(place.open_media, self.name), number, scenario.manner, place.secret)
        self.sounds: list[SoundStep] = []
        """What its audio shall do now; its owner performs it and empties the list."""
        self._inside: Inside | None = None
        self._referee: Referee | None = None

    # What comes

    def receive(self, message: Request | Response, source: Destination, now: float) -> list[Transmit]:
        self._note(f"> {message.method if isinstance(message, Request) else message.status}")
        if self._silent:
            self._expires = now + GIVE_UP
            return []
        if isinstance(message, Response):
            return self._answered(message, now)
        match message.method:
            case "INVITE" if not message.to_tag:
                return self._invite(message, source, now)
            case "ACK" if self._acknowledges(message, now):
                return []
            case "CANCEL":
                return self._cancel(message, source, now)
            case "REFER" if self._referee is not None:
                fork = self._fork_of(message)
                dialog = fork.dialog if fork else None
                return self._sent(self._referee.receive(message, source, dialog, now))
            case _:
                return self._within(message, source, now)

    def _answered(self, response: Response, now: float) -> list[Transmit]:
        """A response to a BYE or NOTIFY of ours."""
        bye = self._byes.get(response.branch)
        if bye is not None:
            return self._sent(bye.receive(response, now))
        return self._sent(self._referee.receive_response(response, now)) if self._referee else []

    def expects(self, invite: Request) -> bool:
        """Is this INVITE a repeated one of ours, or the one with credentials that we asked for?"""
        return invite.branch in self._invites or (self._door is not None and not self.over)

    @property
    def deadline(self) -> float:
        """When `handle_timeout` wants to be called next."""
        if self._silent:
            return self._expires
        timed: list[float | None] = [self._expires, self._wake]
        timed += [made.deadline for made in self._timed()]
        timed += [fork.answer.deadline for fork in self._forks if fork.answer]
        if self._inside is not None:
            timed.append(self._inside.deadline)
        if self._referee is not None:
            timed.append(self._referee.deadline)
        return min(at for at in timed if at is not None)

    @property
    def finished(self) -> bool:
        """Nothing is left that this call has to answer, repeat or wait for."""
        if not self.over:
            return False
        answering = any(fork.answer and not fork.answer.done for fork in self._forks)
        return not answering and all(made.terminated for made in self._timed()) and self._inside_is_quiet

    def handle_timeout(self, now: float) -> list[Transmit]:
        if self._expires <= now:
            return self._expire(now)
        sent: list[Transmit] = []
        if self._silent:
            return sent
        for made in self._timed():
            sent += self._sent(made.handle_timeout(now))
        for fork in self._forks:
            sent += self._repeat_answer(fork, now)
        if self._inside is not None:
            outputs = self._inside.handle_timeout(now)
            sent += self._sent(outputs)
            if any(isinstance(output, AckMissing) for output in outputs):
                sent += self._hang_up((), now)
        if self._referee is not None:
            sent += self._referred(self._referee, now)
        if self._wake is not None and self._wake <= now:
            self._wake = None
            sent += self._play(now)
        return sent

    def _referred(self, referee: Referee, now: float) -> list[Transmit]:
        sent = self._sent(referee.handle_timeout(now))
        if referee.leaves_at is not None and referee.leaves_at <= now:
            sent += self._hang_up((), now)
        return sent

    @property
    def referred_to(self) -> list[str]:
        """Refer-To of each REFER that was agreed to."""
        return self._referee.asked if self._referee else []

    def go_on(self, now: float) -> list[Transmit]:
        """A gate has opened."""
        return self._play(now) if self._invites and not self.over and not self._silent else []

    @property
    def played(self) -> int:
        """How many of the carrier's steps are done; a wait is done when it is over."""
        return self._next_step - (self._wake is not None)

    @property
    def agreed(self) -> Negotiated | None:
        """What offer and answer have come to so far, held or not."""
        return self._audio.agreed

    @property
    def talking_to(self) -> Negotiated | None:
        """Where and how RTP is wanted now, or None."""
        return self._audio.wanted if self._sending and not self.over and not self._silent else None

    # Requests

    def _invite(self, invite: Request, source: Destination, now: float) -> list[Transmit]:
        known = self._invites.get(invite.branch)
        if known is not None:
            return self._sent(known.receive(invite, now))
        if len(self._invites) >= MAX_INVITES:
            return []
        mark_source(invite, source)
        to = reply_to(invite, source)
        self._invites[invite.branch] = InviteServer("", invite, to, now)
        if not self._forks:
            self._forks.append(self._fork(invite, source, 1))
            contact = self.place.contact(source.transport)
            self._inside = Inside("", contact, self._audio.answer)
        elif invite.cseq:
            for fork in self._forks:
                fork.dialog.remote_cseq = invite.cseq.number
        return self._play(now)

    def _fork(self, invite: Request, source: Destination, number: int) -> Fork:
        contact = parse_name_addr(next(iter(invite.headers.values("contact")), ""))
        tag = f"{self.name}-{number}"
        dialog = Dialog(
            call_id=invite.call_id,
            local=f"{invite.headers.get('to')};tag={tag}",
            remote=invite.headers.get("from"),
            local_tag=tag,
            remote_tag=invite.from_tag,
            local_cseq=0,
            remote_target=contact.uri if contact else invite.uri,
            route_set=invite.headers.values("record-route"),
            fallback=source,
        )
        dialog.remote_cseq = invite.cseq.number if invite.cseq else 0
        return Fork(dialog)

    def _acknowledges(self, ack: Request, now: float) -> bool:
        """Take the ACK of the INVITE's final response; False leaves it to a re-INVITE."""
        refused = self._invites.get(ack.branch)
        if refused is not None:
            if not self._ignoring_ack:
                refused.receive(ack, now)
            return True
        fork = self._fork_of(ack)
        number = ack.cseq.number if ack.cseq else 0
        if fork is None or fork.answer is None or number != self._invite_number:
            return False
        if not self._ignoring_ack:
            fork.answer.acknowledge()
            if ack.body:
                self._audio.take_answer(ack.body)
        return True

    def _cancel(self, cancel: Request, source: Destination, now: float) -> list[Transmit]:
        if self._ignoring_cancel:
            return []
        known = self._cancels.get(cancel.branch)
        if known is not None:
            return self._sent(known.receive(cancel, now))
        if len(self._cancels) >= MAX_CANCELS:
            return []
        mark_source(cancel, source)
        transaction = NonInviteServer("", cancel, reply_to(cancel, source), now)
        self._cancels[cancel.branch] = transaction
        cancelled = self._invites.get(cancel.branch)
        status = 200 if cancelled else 481
        sent = self._sent(transaction.respond(respond(cancel, status, to_tag=f"{self.name}-1"), now))
        if cancelled and cancelled.state is InviteState.PROCEEDING:
            sent += self._refuse(Respond(487, "Request Terminated"), now)
        return sent

    def _within(self, request: Request, source: Destination, now: float) -> list[Transmit]:
        """A request within the dialog, or one that belongs to none."""
        if self._inside is None:
            return []
        fork = self._fork_of(request)
        outputs = self._inside.receive(request, source, fork.dialog if fork else None, now)
        sent = self._sent(outputs)
        if fork and any(isinstance(output, ByeArrived) for output in outputs):
            sent += self._ended(fork, now)
        return sent

    def _ended(self, fork: Fork, now: float) -> list[Transmit]:
        """The caller released this fork; a BYE before the answer also ends the INVITE (section 15.1.2)."""
        fork.ended = True
        if fork.answer:
            fork.answer.acknowledge()
        if self._invite_transaction.state is InviteState.PROCEEDING:
            return self._refuse(Respond(487, "Request Terminated"), now)
        self._end_if_released()
        return []

    # The scenario

    def _play(self, now: float) -> list[Transmit]:
        """Run steps until one has to wait."""
        sent: list[Transmit] = []
        steps = self.scenario.carrier
        if self._door is not None:
            invite = self._invite_transaction.request
            if not self._door.opens_to(invite):
                return self._challenge(self._door, now)
            self._door = None
            self._expires = now + MAX_CALL_SECONDS
        end = self.scenario.open_steps(self._gates_opened())
        while self._next_step < end and self._wake is None and self._door is None and not self.over:
            step = steps[self._next_step]
            self._next_step += 1
            sent += self._perform(step, now)
        if self._next_step == len(steps) and not self._spoke:  # the caller gives up on its own
            self._expires = now + GIVE_UP
        return sent

    def _perform(self, step: CarrierStep, now: float) -> list[Transmit]:
        match step:
            case Respond(status=status):
                return self._refuse(step, now) if status >= 300 else self._respond(step, now)
            case Challenge():
                self._door = Door(step, self.name)
                return self._challenge(self._door, now)
            case _ if isinstance(step, PAUSES):
                self._wake = now + step.seconds
                self._sound(step)
            case Bye(headers=headers):
                return self._hang_up(headers, now)
            case Garbage():
                return self._raw(GARBAGE, "garbage")
            case Garbled(status=status):
                return self._raw(self._garbled(status), f"garbled {status}")
            case _:
                self._behave(step, now)
        return []

    def _sound(self, step: object) -> None:
        """Something of our audio: what it sends is decided here, how it sounds by whoever has the sockets."""
        if isinstance(step, SendRtp | HearsOnly):
            self._sending = isinstance(step, SendRtp) and step.sending
        if isinstance(step, SOUNDS):
            self.sounds.append(step)

    def _behave(self, step: CarrierStep, now: float) -> None:
        """Steps that send nothing and change what the call does from now on."""
        match step:
            case _ if isinstance(step, SOUNDS):
                self._sound(step)
            case _ if isinstance(step, MANNERS):
                pass
            case IgnoreAck():
                self._ignoring_ack = True
            case IgnoreCancel():
                self._ignoring_cancel = True
            case Refer():
                self._referee = Referee(step, self.name, (self.place.host, self.place.port))
            case _:
                self._silent = True
                self._expires = now + GIVE_UP
                self.refuses_connection = isinstance(step, RefuseConnection)

    def _respond(self, step: Respond, now: float) -> list[Transmit]:
        """A provisional response or an answer, from as many forks as the step says."""
        transaction = self._invite_transaction
        while len(self._forks) < step.forks:
            self._forks.append(self._fork(transaction.request, transaction.to, len(self._forks) + 1))
        body = self._body(step, transaction.request)
        sent: list[Transmit] = []
        for fork in self._forks[: step.forks]:
            response = self._response(step, fork, body)
            sent += self._sent(transaction.respond(response, now))
            if step.status >= 200:
                fork.answered = True
                fork.answer = Answer("", response, transaction.to, now)
        if step.status >= 200 or (step.body == "sdp" and body):
            self._sending = True if self._sending is None else self._sending
        return sent

    def _response(self, step: Respond, fork: Fork, body: bytes) -> Response:
        request = self._invite_transaction.request
        tag = fork.dialog.local_tag if step.status > 100 else ""
        response = respond(request, step.status, step.reason, to_tag=tag)
        if 100 < step.status < 300:
            for route in request.headers.all("record-route"):
                response.headers.add("record-route", route)
            response.headers.add("contact", self.place.contact(self._invite_transaction.to.transport))
        if 200 <= step.status < 300:
            response.headers.add("allow", f"{ALLOW}, REFER" if self._referee else ALLOW)
        if body:
            response.headers.add("content-type", "application/sdp")
            response.body = body
        _set_headers(response, step.headers)
        return response

    def _body(self, step: Respond, invite: Request) -> bytes:
        wanted = step.body or ("sdp" if 200 <= step.status < 300 else "no-sdp")
        if wanted == "no-sdp":
            return b""
        return BAD_SDP if wanted == "bad-sdp" else self._audio.answer(invite.body) or b""

    def _refuse(self, step: Respond, now: float) -> list[Transmit]:
        self._end()
        body = self._body(step, self._invite_transaction.request)
        response = self._response(step, self._forks[0], body)
        return self._sent(self._invite_transaction.respond(response, now))

    def _challenge(self, door: Door, now: float) -> list[Transmit]:
        transaction = self._invite_transaction
        response = self._response(door.refusal, self._forks[0], b"")
        self._expires = now + GIVE_UP
        return self._sent(transaction.respond(response, now))

    def _garbled(self, status: int) -> bytes:
        """A response whose Via and Call-ID can be read, with a header line that is none."""
        response = respond(self._invite_transaction.request, status)
        head, _, _ = response.to_bytes().rpartition(b"Content-Length")
        return head + b"Contact sip without a colon\r\n\r\n"

    def _raw(self, data: bytes, name: str) -> list[Transmit]:
        self._note(f"< {name}")
        return [Transmit(data, self._invite_transaction.to)]

    # Ending

    def _hang_up(self, headers: tuple[tuple[str, str], ...], now: float) -> list[Transmit]:
        sent: list[Transmit] = []
        for fork in self._forks:
            sent += self._bye(fork, headers, now)
        self._end_if_released()
        return sent

    def _bye(self, fork: Fork, headers: tuple[tuple[str, str], ...], now: float) -> list[Transmit]:
        if fork.ended or not fork.answered:
            return []
        fork.ended = True
        request = fork.dialog.request("BYE")
        to = fork.dialog.next_hop
        branch = f"z9hG4bK{fork.dialog.local_tag}-{fork.dialog.local_cseq}"
        via = f"SIP/2.0/{to.transport.upper()} {self.place.host}:{self.place.port};rport;branch={branch}"
        request.headers = Headers.of(("via", via), *request.headers.items())
        _set_headers(request, headers)
        transaction = NonInviteClient("", request, to, now)
        self._byes[branch] = transaction
        return self._sent(transaction.start())

    def _repeat_answer(self, fork: Fork, now: float) -> list[Transmit]:
        """Repeat a 2xx; without an ACK in 64*T1 the call is released (section 13.3.1.4)."""
        if fork.answer is None:
            return []
        outputs = fork.answer.handle_timeout(now)
        sent = self._sent(outputs)
        if any(isinstance(output, TimedOut) for output in outputs):
            sent += self._bye(fork, (), now)
            self._end_if_released()
        return sent

    def _expire(self, now: float) -> list[Transmit]:
        """Nobody ended the call in time: release what is answered, forget the rest."""
        self._expires = now + GIVE_UP
        sent: list[Transmit] = []
        if not self.over and not self._silent:
            sent = self._hang_up((), now)
        if not sent:
            self._invites.clear()
            self._cancels.clear()
            self._byes.clear()
            self._inside = None
            for fork in self._forks:
                fork.answer = None
        self._end()
        return sent

    def _end_if_released(self) -> None:
        if all(fork.ended for fork in self._forks if fork.answered):
            self._end()

    def _end(self) -> None:
        self.over = True
        self._wake = None
        if self._referee is not None:
            self._referee.stop()

    # Parts

    @property
    def _invite_transaction(self) -> InviteServer:
        """That of the newest INVITE: the one that the scenario answers."""
        return next(reversed(self._invites.values()))

    @property
    def _invite_number(self) -> int:
        cseq = self._invite_transaction.request.cseq
        return cseq.number if cseq else 0

    @property
    def _inside_is_quiet(self) -> bool:
        return self._inside is None or self._inside.deadline is None

    def _fork_of(self, request: Request) -> Fork | None:
        tag = request.to_tag
        return next((fork for fork in self._forks if fork.dialog.local_tag == tag), None)

    def _timed(self) -> list[InviteServer | NonInviteServer | NonInviteClient]:
        return [*self._invites.values(), *self._cancels.values(), *self._byes.values()]

    def _sent(self, outputs: Outputs) -> list[Transmit]:
        """The messages among the outputs of a transaction; its facts and signals stay here."""
        sent = [output for output in outputs if isinstance(output, Transmit)]
        for message in sent:
            self._note(f"< {_word(message.data)}")
        self._spoke = self._spoke or bool(sent)
        return sent

    def _note(self, line: str) -> None:
        if len(self.history) < MAX_HISTORY:
            self.history.append(line)


def _word(data: bytes) -> str:
    """The status of a response, the method of a request."""
    first, _, rest = data.partition(b" ")
    return (rest[:3] if first == b"SIP/2.0" else first).decode("ascii", "replace")


def _set_headers(message: Request | Response, headers: Iterable[tuple[str, str]]) -> None:
    """Headers of the script replace those of the far end; a name may stand several times."""
    seen: set[str] = set()
    for name, value in headers:
        if name.lower() in seen:
            message.headers.add(name, value)
        else:
            message.headers.set(name, value)
        seen.add(name.lower())
