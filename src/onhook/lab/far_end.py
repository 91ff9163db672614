"""A SIP user agent server without I/O: it answers INVITEs as scenarios say.

It runs on a virtual network, on the carrier's sockets, or driven by a test. Everything comes in with
`now`; what it wants sent comes out. One heap of deadlines serves all its calls.
"""

import heapq
import zlib
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from onhook.effects import Destination, Transmit
from onhook.lab.audio_steps import SoundStep
from onhook.lab.far_caller import FarCaller
from onhook.lab.far_end_call import SECRET, FarCall, Place
from onhook.lab.replay.call import Part, ReplayCall
from onhook.lab.scenario_steps import Scenario
from onhook.sip.messages import Malformed, Request, Response, parse
from onhook.sip.offer import Negotiated
from onhook.sip.reply import mark_source, reply_to
from onhook.sip.stray import answer_stray
from onhook.sip.validity import Refusal, check_request

MAX_CALLS = 10_000
"""Calls kept at a time, ended ones included until their last timer; one more gets 503."""
RETRY_AFTER_SECONDS = 5
MAX_STALE = 1_000
"""Outdated entries of the heap that are borne before it is cleaned, beside four a call."""
MAX_ENDED_KEPT = 256
"""Ended calls kept for tests and for provoke."""

Caller: TypeAlias = FarCall | FarCaller | ReplayCall
"""Whoever is at the far end: of a call to it, or from it."""
CallKey = tuple[str, str]
"""Call-ID and the tag of the caller."""


class FarEnd:
    """`address` is written into Contact and Via, what `media` gives for a call into its SDP; `prefix` begins
    its tags.

    `choose` gives the scenario of an INVITE; `refuse` is told which connection to break.
    """

    def __init__(
        self,
        choose: Callable[[Request], Scenario],
        *,
        address: tuple[str, int] = ("192.0.2.2", 5060),
        media: Callable[[str], tuple[str, int]] = lambda _: ("192.0.2.2", 20_000),
        prefix: str = "far",
        max_calls: int = MAX_CALLS,
        refuse: Callable[[Destination], None] | None = None,
        secret: bytes = SECRET,
    ) -> None:
        self.calls: dict[CallKey, FarCall] = {}
        self.ended: deque[FarCall] = deque(maxlen=MAX_ENDED_KEPT)
        self.talking: dict[FarCall, Negotiated] = {}
        """Where RTP is wanted now; the owner of the sockets sends it."""
        self.callers: dict[str, FarCaller | ReplayCall] = {}
        """Calls that this far end placed or replays, by Call-ID; the ended ones go with their last timer."""
        self.part_for: Callable[[Request], Part | None] = lambda _: None
        """The recorded far end that an INVITE meets, instead of a scenario."""
        self.refused_calls = 0
        """INVITEs that met the limit of calls."""
        self._choose, self._refuse = choose, refuse
        self.on_sound: Callable[[Caller, SoundStep], None] = lambda _call, _step: None
        """Told of each thing that the audio of a call shall do, when it is due."""
        self.on_media: Callable[[Caller], None] = lambda _call: None
        """Told whenever the media of a call may have changed."""
        self.gates_opened: int | None = None
        """How many of the application's `wait for` are over; None: nobody counts them, no step waits."""
        self._place = Place(*address, prefix, media, secret)
        self._max_calls = max_calls
        self._made = 0
        self._heap: list[tuple[float, int, FarCall]] = []
        self._pushed = 0

    def receive(self, data: bytes, source: Destination, now: float) -> list[Transmit]:
        """Take one message; bytes that are no SIP, and responses to nothing of ours, are dropped."""
        message = parse(data)
        if isinstance(message, Malformed):
            return []
        if (caller := self.callers.get(message.call_id)) is not None:
            sent = caller.receive(message, source, now)
            self._sound(caller)
            return sent
        if isinstance(message, Response):
            call = self.calls.get((message.call_id, message.to_tag))
        else:
            call = self.calls.get((message.call_id, message.from_tag))
            if call is None or self._is_strange(call, message):
                return self._take_stranger(message, source, now, merged=call is not None and not call.over)
        return self._settle(call, call.receive(message, source, now)) if call else []

    def call(self, scenario: Scenario, to: Destination, now: float) -> tuple[FarCaller, list[Transmit]]:
        """Place a call to `to` as the scenario says (`carrier: call …`); what is to be sent first."""
        host, port = self._place.host, self._place.port
        name = f"{self._place.prefix}{len(self.callers) + self._made:x}calls"
        self._made += 1
        caller = FarCaller(
            scenario,
            name=name,
            to=to,
            address=(host, port),
            open_media=self._place.open_media,
            secret=self._place.secret + name.encode(),
            now=now,
            gates_opened=lambda: self.gates_opened,
        )
        self.callers[caller.call_id] = caller
        sent = caller.begin(now)
        self._sound(caller)
        return caller, sent

    def replay(self, part: Part, to: Destination, now: float) -> list[Transmit]:
        """Place the call that a recorded far end placed; what is to be sent first."""
        part.call = call = self._replayed(part, now, to)
        sent = call.begin(now)
        self.callers[call.call_id] = call
        self._sound(call)
        return sent

    def _replayed(self, part: Part, now: float, to: Destination | None = None) -> ReplayCall:
        self._made += 1
        name = f"{self._place.prefix}{self._made:x}again"
        return ReplayCall(
            part.script,
            name=name,
            address=(self._place.host, self._place.port),
            open_media=self._place.open_media,
            secret=self._place.secret + name.encode(),
            now=now,
            to=to,
        )

    def open_gate(self, now: float) -> list[Transmit]:
        """One more `wait for` of the application is over: go on with the steps below it."""
        self.gates_opened = (self.gates_opened or 0) + 1
        sent: list[Transmit] = []
        for caller in list(self.callers.values()):
            sent += caller.go_on(now)
            self._sound(caller)
        for call in list(self.calls.values()):
            sent += self._settle(call, call.go_on(now))
        return sent

    @property
    def deadline(self) -> float | None:
        """When `handle_timeout` wants to be called next."""
        called = self._deadline_of_called
        times = [caller.deadline for caller in self.callers.values()]
        return min(times if called is None else [called, *times], default=None)

    @property
    def _deadline_of_called(self) -> float | None:
        while self._heap and self._heap[0][2].wakes_at != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def handle_timeout(self, now: float) -> list[Transmit]:
        """Run everything that is due at `now`."""
        sent: list[Transmit] = []
        for caller in list(self.callers.values()):
            if caller.deadline <= now:
                sent += caller.handle_timeout(now)
                self._sound(caller)
            if caller.finished:
                del self.callers[caller.call_id]
        while (due := self._deadline_of_called) is not None and due <= now:
            call = heapq.heappop(self._heap)[2]
            call.wakes_at = None
            sent += self._settle(call, call.handle_timeout(now))
        return sent

    def _is_strange(self, call: FarCall, request: Request) -> bool:
        """An INVITE with the Call-ID of a call, that is neither a repeated one nor asked for by it."""
        return request.method == "INVITE" and not request.to_tag and not call.expects(request)

    def _take_stranger(
        self, request: Request, source: Destination, now: float, *, merged: bool
    ) -> list[Transmit]:
        """A request of no call that we keep, or one that came by two ways (RFC 3261 section 8.2.2.2)."""
        tag = f"{self._place.prefix}{zlib.crc32(request.branch.encode('utf-8', 'replace')):x}"
        if request.method != "INVITE" or request.to_tag:
            stray = answer_stray(request, source, tag)
            return [stray] if stray else []
        refusal = check_request(request) or self._no_room(merged=merged)
        if refusal is not None:
            mark_source(request, source)
            response = refusal.response(request, tag)
            return [Transmit(response.to_bytes(), reply_to(request, source))] if response else []
        if (part := self.part_for(request)) is not None:
            part.call = replayed = self.callers[request.call_id] = self._replayed(part, now)
            sent = replayed.receive(request, source, now)
            self._sound(replayed)
            return sent
        self._made += 1
        call = FarCall(
            self._place,
            self._made,
            self._choose(request),
            request,
            now,
            gates_opened=lambda: self.gates_opened,
        )
        self.calls[call.key] = call
        sent = self._settle(call, call.receive(request, source, now))
        if call.refuses_connection and self._refuse is not None:
            self._refuse(source)
        return sent

    def _sound(self, call: Caller) -> None:
        self.on_media(call)
        due, call.sounds = call.sounds, []
        for step in due:
            self.on_sound(call, step)

    def _no_room(self, *, merged: bool) -> Refusal | None:
        if merged:
            return Refusal(482, "Merged Request")
        if len(self.calls) < self._max_calls:
            return None
        self.refused_calls += 1
        return Refusal(503, "Too Many Calls", (("Retry-After", str(RETRY_AFTER_SECONDS)),))

    def _settle(self, call: FarCall, sent: list[Transmit]) -> list[Transmit]:
        """After anything happened to a call: its media, its next deadline, or its end."""
        self._sound(call)
        wanted = call.talking_to
        if wanted is None:
            self.talking.pop(call, None)
        else:
            self.talking[call] = wanted
        if call.finished:
            call.wakes_at = None
            self.ended.append(call)
            if self.calls.get(call.key) is call:
                del self.calls[call.key]
            return sent
        deadline = call.deadline
        if call.wakes_at != deadline:
            self._pushed += 1  # breaks ties, for calls cannot be compared
            call.wakes_at = deadline
            heapq.heappush(self._heap, (deadline, self._pushed, call))
            if len(self._heap) > MAX_STALE + 4 * len(self.calls):
                self._heap = [entry for entry in self._heap if entry[2].wakes_at == entry[0]]
                heapq.heapify(self._heap)
        return sent
