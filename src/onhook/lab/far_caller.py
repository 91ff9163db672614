"""A far end that calls: it sends INVITE, and then cancels, hangs up, or keeps its ACK back.

What a proper caller does by itself comes from sip/session.py: ACK, BYE for answers after a CANCEL, timers.
"""

from collections.abc import Callable
from functools import partial

from onhook.effects import Destination, Transmit
from onhook.lab.audio_steps import SOUNDS, SoundStep
from onhook.lab.far_end_media import Audio
from onhook.lab.far_end_refer import Referee
from onhook.lab.scenario_steps import (
    PAUSES,
    Bye,
    CancelOnAnswer,
    CarrierCall,
    CarrierCancel,
    NoAck,
    Refer,
    Scenario,
)
from onhook.machine import Outputs
from onhook.sip.messages import Malformed, Request, Response, parse
from onhook.sip.offer import Negotiated
from onhook.sip.session import Answered, OutboundSession, State

MAX_CALL_SECONDS = 4 * 3600.0
"""A call that nobody ends is ended by its caller then."""
WITHHELD = "anonymous"


class FarCaller:
    """One call. `played` counts the steps done; a wait is done when it is over.

    `address` is where it can be reached, what `open_media` gives stands in its SDP; `name` makes its tags.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        name: str,
        to: Destination,
        address: tuple[str, int],
        open_media: Callable[[str], tuple[str, int]],
        secret: bytes = b"",
        gates_opened: Callable[[], int | None] = lambda: None,
        now: float,
    ) -> None:
        call = scenario.calls_in
        assert call is not None, "the scenario says carrier: call"
        self.call: CarrierCall = call
        self.steps = scenario.caller[1:]
        self._scenario, self._gates_opened = scenario, gates_opened
        self.history: list[str] = []
        self._next_step = 0
        self._wake: float | None = None
        self._acknowledges = True
        self._cancels_on_answer = False
        self._expires = now + MAX_CALL_SECONDS
        self.name = name
        self._audio = Audio(partial(open_media, name), 1, scenario.manner, secret)
        self.sounds: list[SoundStep] = []
        """What its audio shall do now; its owner performs it and empties the list."""
        self._answer = b""
        refers = next((step for step in self.steps if isinstance(step, Refer)), None)
        self._referee = Referee(refers, name, address) if refers else None
        self.session = OutboundSession(
            leg="",
            seed=name,
            peer=to,
            local=address,
            target=call.target,
            caller=call.source or WITHHELD,
            headers=(("allow", "REFER"),) if refers else (),
            answer_offer=self._audio.answer,
            now=now,
        )

    @property
    def call_id(self) -> str:
        return self.session.call_id

    @property
    def played(self) -> int:
        return 1 + self._next_step - (self._wake is not None)

    @property
    def agreed(self) -> Negotiated | None:
        """What offer and answer have come to so far, held or not."""
        return self._audio.agreed

    @property
    def talking_to(self) -> Negotiated | None:
        """Where and how RTP is wanted now, or None."""
        return None if self.over else self._audio.wanted

    @property
    def over(self) -> bool:
        return self.session.state is State.ENDED

    @property
    def finished(self) -> bool:
        return self.session.done

    @property
    def deadline(self) -> float:
        times = [self._expires, self._wake, self.session.deadline]
        if self._referee is not None:
            times.append(self._referee.deadline)
        return min(at for at in times if at is not None)

    def begin(self, now: float) -> list[Transmit]:
        offer = self._audio.answer(b"") or b""
        return self._sent(self.session.dial(offer if self.call.sdp else b"", now)) + self._play(now)

    def receive(self, message: Request | Response, source: Destination, now: float) -> list[Transmit]:
        self.history.append(f"> {message.method if isinstance(message, Request) else message.status}")
        sent: list[Transmit] = []
        if (taken := self._refer(message, source, now)) is not None:
            return taken
        answered = isinstance(message, Response) and 200 <= message.status < 300 and message.body
        if answered and self._cancels_on_answer and self.session.state is State.PROCEEDING:
            sent += self._sent(self.session.hang_up(now))
        if answered and not self.call.sdp:
            self._answer = self._audio.answer(message.body) or b""
        outputs = self.session.receive(message, source, now)
        if any(isinstance(output, Answered) for output in outputs) and self.call.sdp:
            self._audio.take_answer(message.body)
        return sent + self._sent(outputs)

    def _refer(self, message: Request | Response, source: Destination, now: float) -> list[Transmit] | None:
        """What the one who is asked to call others does; None if the message is of something else."""
        if self._referee is None:
            return None
        if isinstance(message, Request) and message.method == "REFER":
            return self._sent(self._referee.receive(message, source, self.session.dialog, now))
        if isinstance(message, Response) and message.cseq and message.cseq.method == "NOTIFY":
            return self._sent(self._referee.receive_response(message, now))
        return None

    @property
    def referred_to(self) -> list[str]:
        """Refer-To of each REFER that was agreed to."""
        return self._referee.asked if self._referee else []

    def handle_timeout(self, now: float) -> list[Transmit]:
        sent = self._sent(self.session.handle_timeout(now))
        if self._referee is not None:
            sent += self._sent(self._referee.handle_timeout(now))
            if self._referee.leaves_at is not None and self._referee.leaves_at <= now:
                self._referee.stop()
                sent += self._hang_up(now)
            if self.over:
                self._referee.stop()
        if self._expires <= now:
            self._expires = now + MAX_CALL_SECONDS
            sent += self._hang_up(now)
        if self._wake is not None and self._wake <= now:
            self._wake = None
            sent += self._play(now)
        return sent

    def go_on(self, now: float) -> list[Transmit]:
        """A gate has opened."""
        return [] if self.over else self._play(now)

    def hang_up(self, now: float) -> list[Transmit]:
        """CANCEL or BYE, whatever the scenario says; nothing once it is over."""
        return self._hang_up(now)

    def _play(self, now: float) -> list[Transmit]:
        sent: list[Transmit] = []
        end = self._scenario.open_steps(self._gates_opened()) - 1  # without the call itself
        while self._next_step < end and self._wake is None:
            step = self.steps[self._next_step]
            self._next_step += 1
            if isinstance(step, SOUNDS):
                self.sounds.append(step)
            match step:
                case _ if isinstance(step, PAUSES):
                    self._wake = now + step.seconds
                case CarrierCancel() | Bye():
                    sent += self._hang_up(now)
                case CancelOnAnswer():
                    self._cancels_on_answer = True
                case NoAck():
                    self._acknowledges = False
                case _:
                    pass
        return sent

    def _hang_up(self, now: float) -> list[Transmit]:
        return self._sent(self.session.hang_up(now)) if not self.over else []

    def _sent(self, outputs: Outputs) -> list[Transmit]:
        """The messages among the outputs, as this caller sends them."""
        sent: list[Transmit] = []
        for output in outputs:
            if not isinstance(output, Transmit):
                continue
            if output.data.startswith(b"ACK "):
                if not self._acknowledges:
                    continue
                output = self._with_answer(output)  # noqa: PLW2901  # the same message, complete
            self.history.append(f"< {_word(output.data)}")
            sent.append(output)
        return sent

    def _with_answer(self, ack: Transmit) -> Transmit:
        """The answer to an offer that came in the 200 stands in the ACK (RFC 3264 section 4)."""
        message = parse(ack.data)
        if not self._answer or isinstance(message, Malformed):
            return ack
        message.headers.set("content-type", "application/sdp")
        message.body = self._answer
        return Transmit(message.to_bytes(), ack.to)


def _word(data: bytes) -> str:
    first, _, rest = data.partition(b" ")
    return (rest[:3] if first == b"SIP/2.0" else first).decode("ascii", "replace")
