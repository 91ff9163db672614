"""A far end that plays a script: one call, to it or from it, message by message.

Each event is due so long after the message of ours that it followed then. Where the call of today goes
another way, it is answered as a proper user agent would, so that it can end; `departures` names each such
place. The script brings its own repeats: nothing else is repeated but answers to repeated requests.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from onhook.effects import Destination, Transmit
from onhook.lab.audio_steps import SendRtp, SoundStep
from onhook.lab.replay.script import Anchor, Event, Names, Script, identity_of, name_of
from onhook.lab.replay.today import Today
from onhook.sip.messages import Malformed, Request, Response, parse, respond
from onhook.sip.offer import Negotiated
from onhook.sip.reply import mark_source, reply_to
from onhook.sip.timers import GIVE_UP

MAX_CALL_SECONDS = 4 * 3600.0
"""A replayed call that nobody ends is forgotten then."""
MAX_DEPARTURES = 50
TAKEN_AS_USUAL = frozenset({"BYE", "CANCEL", "OPTIONS", "INFO"})


class ReplayCall:
    """A call to it begins with `receive(invite, …)`, one from it, at `to`, with `begin`.

    `name` is unlike that of any other call; `address` is where it is reached for SIP.
    """

    def __init__(
        self,
        script: Script,
        *,
        name: str,
        address: tuple[str, int],
        open_media: Callable[[str], tuple[str, int]],
        secret: bytes,
        now: float,
        to: Destination | None = None,
    ) -> None:
        self.script, self.name, self.number = script, name, script.number
        self.history: list[str] = []
        self.departures: list[str] = []
        """Where the call of today went another way than the recorded one."""
        self.sounds: list[SoundStep] = []
        self.over = False
        self._today = Today(script, name, address, partial(open_media, name), secret=secret, to=to)
        self._names = Names()
        self._requests: dict[Anchor, tuple[Request, Destination]] = {}
        self._replies: dict[tuple[object, ...], list[Transmit]] = {}
        self._due: list[tuple[float, int, Event]] = []
        self._waiting = dict(enumerate(script.events))
        self._expires = now + MAX_CALL_SECONDS
        self._sending, self._forgotten = True, False
        self._acknowledged: set[Anchor] = {
            event.after for event in script.events if event.after and event.data.startswith(b"ACK ")
        }
        self._peer = to

    @property
    def call_id(self) -> str:
        invite = self._today.invite
        return invite.call_id if invite else ""

    @property
    def agreed(self) -> Negotiated | None:
        return self._today.audio.agreed

    @property
    def talking_to(self) -> Negotiated | None:
        """Where RTP is wanted now, or None."""
        return self._today.audio.wanted if self._sending and self._today.answered and not self.over else None

    @property
    def finished(self) -> bool:
        return self._forgotten

    @property
    def deadline(self) -> float:
        return min(self._expires, self._due[0][0]) if self._due else self._expires

    @property
    def unplayed(self) -> list[str]:
        """What of the script never was due, because the message that it followed did not come."""
        return [f"{event.what} (after our {event.after})" for _, event in sorted(self._waiting.items())]

    def begin(self, now: float) -> list[Transmit]:
        """Place the call."""
        self._arm(None, now)
        return self._play(now)

    def go_on(self, _now: float) -> list[Transmit]:
        """Gates are for scenarios: a replay waits for messages."""
        return []

    def handle_timeout(self, now: float) -> list[Transmit]:
        if self._expires <= now:
            self.over = self._forgotten = True
            return []
        return self._play(now)

    # What comes

    def receive(self, message: Request | Response, source: Destination, now: float) -> list[Transmit]:
        self.history.append(f"> {message.method if isinstance(message, Request) else message.status}")
        anchor, new = self._names.of(message)
        if not new:
            return self._replies.get(identity_of(message), [])
        self._peer = source
        if isinstance(message, Request):
            self._take_request(message, source, anchor)
        else:
            self._today.take_response(message, source)
        self._arm(anchor, now)
        sent = self._play(now)
        if isinstance(message, Request):
            sent += self._answer_unscripted(message, source, anchor, now)
            if message.method == "BYE":
                self._end(now)
        else:
            sent += self._acknowledge_unscripted(message, anchor, now)
        return sent

    def _take_request(self, request: Request, source: Destination, anchor: Anchor) -> None:
        mark_source(request, source)
        self._requests[anchor] = request, source
        if request.method == "INVITE" and not request.to_tag:
            self._today.take_invite(request)
        elif request.method == "ACK" and request.body:
            self._today.audio.take_answer(request.body)

    def _arm(self, anchor: Anchor | None, now: float) -> None:
        """What followed this message then is due so long after it now."""
        for number, event in list(self._waiting.items()):
            if event.after == anchor:
                del self._waiting[number]
                heapq.heappush(self._due, (now + event.delay_seconds, number, event))

    # What goes

    def _play(self, now: float) -> list[Transmit]:
        sent: list[Transmit] = []
        while self._due and self._due[0][0] <= now:
            event = heapq.heappop(self._due)[2]
            if event.sound is None:
                sent += self._send(event, now)
                continue
            if isinstance(event.sound, SendRtp):
                self._sending = event.sound.sending
            self.sounds.append(event.sound)
        return sent

    def _send(self, event: Event, now: float) -> list[Transmit]:
        message = parse(event.data)
        if event.raw or isinstance(message, Malformed):
            return [self._sent(event.data, self._peer)] if self._peer else []
        if isinstance(message, Response):
            return self._respond(event, message, now)
        if message.method == "INVITE" and not message.to_tag:
            return [self._sent(*self._today.dial(event.data, message))]
        if message.method == "CANCEL" and (self._today.answered or self._today.refused):
            return self._depart("CANCEL was not sent: the call was answered or over already")
        made = self._today.request(event.data, message)
        if made is None:
            return self._depart(f"{message.method} was not sent: the call of today has no such dialog")
        if message.method == "BYE" or (message.method == "ACK" and self._today.refused):
            self._end(now)
        return [self._sent(*made)]

    def _respond(self, event: Event, recorded: Response, now: float) -> list[Transmit]:
        known = self._requests.get(event.answers) if event.answers else None
        if known is None:
            return self._depart(f"{event.what} was not sent: our {event.answers} has not come")
        request = known[0]
        final_of_call = request.method == "INVITE" and not request.to_tag and recorded.status >= 200
        if final_of_call and self._today.refused:
            return self._depart(f"{event.what} was not sent: the call was over already")
        sent = [self._sent(*self._today.response(event.data, recorded, *known))]
        self._replies[identity_of(request)] = sent
        if final_of_call and self._today.refused:
            self._end(now)
        return sent

    # What the script does not know

    def _answer_unscripted(
        self, request: Request, source: Destination, anchor: Anchor, now: float
    ) -> list[Transmit]:
        """Answer a request that the recorded far end was never asked."""
        begins = request.method == "INVITE" and not request.to_tag
        if anchor in self.script.requests or request.method == "ACK" or begins:
            return []
        self._depart(f"our {anchor} is not in the recording: answered as usual")
        sent = self._reply(request, source, 200 if request.method in TAKEN_AS_USUAL else 488)
        open_still = not self._today.answered and not self._today.refused
        if request.method in {"CANCEL", "BYE"} and open_still and self._today.invite is not None:
            self._today.refused = True
            sent += self._reply(self._today.invite, source, 487)
            self._end(now)
        return sent

    def _reply(self, request: Request, source: Destination, status: int) -> list[Transmit]:
        data = respond(request, status, to_tag=self._today.local_tag).to_bytes()
        sent = [self._sent(data, reply_to(request, source))]
        self._replies[identity_of(request)] = sent
        return sent

    def _acknowledge_unscripted(self, response: Response, anchor: Anchor, now: float) -> list[Transmit]:
        """Acknowledge a final response that was another one then; what was answered is released."""
        final = response.status >= 200 and response.cseq is not None and response.cseq.method == "INVITE"
        if not final or anchor in self._acknowledged or self.over:
            return []
        if not self.script.inbound or anchor.number > 1:
            return []
        self._depart(f"our {anchor} is not in the recording: acknowledged as usual")
        methods = ["ACK"] if response.status >= 300 else ["ACK", "BYE"]
        made = [each for method in methods if (each := self._today.own_request(method)) is not None]
        self._replies[identity_of(response)] = acks = [self._sent(*each) for each in made]
        self._end(now)
        return acks

    # Ending

    def hang_up(self, now: float) -> list[Transmit]:
        """End the call now, whatever the script says."""
        made = self._today.own_request("BYE") if self._today.answered and not self.over else None
        self._end(now)
        return [] if made is None else [self._sent(*made)]

    def _end(self, now: float) -> None:
        """Play no more but what is due; answer what is repeated; then forget the call."""
        self.over = True
        self._expires = min(self._expires, now + GIVE_UP)

    def _depart(self, how: str) -> list[Transmit]:
        if len(self.departures) < MAX_DEPARTURES:
            self.departures.append(how)
        return []

    def _sent(self, data: bytes, to: Destination) -> Transmit:
        self.history.append(f"< {name_of(data)}")
        return Transmit(data, to)


@dataclass(slots=True, eq=False)
class Part:
    """A script that waits for its call, or is played by `call`."""

    script: Script
    number: str
    """The number whose next call meets it; of a far end that calls, the one that it calls."""
    call: ReplayCall | None = None
