"""The built-in carrier: a SIP agent on loopback with sockets of its own, dialled by test numbers.

It is the far end of far_end.py on UDP and TCP, with sound (carrier_audio.py). What it does with a
call stands in cards.py, unless `will` or `choose` says otherwise.
"""

import asyncio
import logging
import secrets
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import cast

from onhook.effects import Destination, Transmit
from onhook.lab.cards import scenario_of
from onhook.lab.carrier_audio import CarrierAudio
from onhook.lab.far_caller import FarCaller
from onhook.lab.far_end import Caller, FarEnd
from onhook.lab.far_end_call import FarCall
from onhook.lab.replay.call import Part
from onhook.lab.scenario import parse_scenario
from onhook.lab.scenario_steps import Scenario
from onhook.media.parts import Clip
from onhook.media.speech.espeak import MODULE as ESPEAK
from onhook.media.speech.espeak import Espeak
from onhook.media.speech.workers import Workers
from onhook.net.network import Network
from onhook.net.settings import NetworkSettings
from onhook.net.tcp import Connection, TcpTransport
from onhook.sip.messages import Request
from onhook.sip.uri import phone_number

log = logging.getLogger(__name__)

DEFAULT_PORT = 5080
MAX_CALLS = 4_000
"""At a time; each has a port for RTP, and a port rests for a second after its call."""
MAX_SENTENCES_WAITING = 1_000
LONGEST_SENTENCE_SECONDS = 20.0
MAX_WILLS = 10_000
"""Calls whose scenario `will` has fixed and that have not come yet."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, on, no time: TCP answers with RST


class Carrier:
    """`port` serves UDP and TCP, 0 lets the system choose; `choose` replaces the cards.

    With `keep_heard_seconds` so much of what each call hears is kept for `heard`.
    `now` is its clock, else that of the event loop.
    `start` raises OSError if the port is taken. Everything runs on the loop that `start` ran on.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        *,
        choose: Callable[[Request], Scenario] | None = None,
        max_calls: int = MAX_CALLS,
        now: Callable[[], float] | None = None,
        keep_heard_seconds: float = 0.0,
    ) -> None:
        self._voice = Workers(
            ESPEAK, count=1, max_waiting=MAX_SENTENCES_WAITING, seconds=LONGEST_SENTENCE_SECONDS
        )
        self.audio = CarrierAudio(host, speak=Espeak(self._voice).speak, keep_seconds=keep_heard_seconds)
        self._choose = choose or choose_card
        self._clock = now
        self.provoked: Callable[[Request], Scenario | None] = _by_nobody
        """Asked before all: what was armed for this call."""
        self._wills: dict[str, deque[Scenario]] = {}
        self._always: dict[str, Scenario] = {}
        self._willed = 0
        self._parts: dict[str, deque[Part]] = {}
        self._max_calls = max_calls
        settings = NetworkSettings(host=host, port=port)
        self._network = Network(settings)
        self._tcp = _BreakableTcp(settings, self._received, _note_failure)
        self._network.register("tcp", self._tcp)
        self._network.on_receive(self._received)
        self._network.on_failure(_note_failure)
        self._far_end: FarEnd | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0

    async def start(self) -> None:
        await self._network.start()
        place = self._network.bound[0]
        self.audio.start()
        self._far_end = FarEnd(
            self._scenario_for,
            address=(place.host, place.port),
            media=self.audio.open,
            secret=secrets.token_bytes(32),
            prefix=secrets.token_hex(3),  # tags differ from those of an earlier run
            max_calls=self._max_calls,
            refuse=self._tcp.reset,
        )
        self._far_end.part_for = self._part_for
        self._far_end.on_media = self.audio.follow
        self._far_end.on_sound = self.audio.perform

    async def stop(self) -> None:
        """Close every socket; calls that are up end without a word, as when a carrier dies."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self.audio.stop()
        await self._voice.close()
        await self._network.close()
        self._far_end = None

    @property
    def far_end(self) -> FarEnd:
        """The agent behind the sockets. Raises RuntimeError before `start` and after `stop`."""
        if self._far_end is None:
            raise RuntimeError("the carrier is not started: await start() first")
        return self._far_end

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of SIP, the same for UDP and TCP."""
        place = self._network.bound[0]
        return place.host, place.port

    @property
    def calls(self) -> list[FarCall]:
        """Calls that are kept now, and the last ones that ended."""
        return [*self.far_end.ended, *self.far_end.calls.values()]

    def will(self, number: str, scenario: Scenario | str, count: int = 1) -> None:
        """Fix what the next `count` calls to `number` meet; later calls meet the card again.

        Raises ScenarioError for a text that is none, ValueError for a count below 1 or too many calls.
        """
        if count < 1 or self._willed + count > MAX_WILLS:
            raise ValueError(f"count is {count}: write 1 to {MAX_WILLS - self._willed}")
        read = parse_scenario(scenario) if isinstance(scenario, str) else scenario
        self._wills.setdefault(number, deque()).extend([read] * count)
        self._willed += count

    def will_always(self, number: str, scenario: Scenario | str) -> None:
        """What each call to `number` meets from now on, once what `will` fixed is used up."""
        if len(self._always) >= MAX_WILLS:
            raise ValueError(f"{MAX_WILLS} numbers have something that they always do, the limit")
        self._always[number] = parse_scenario(scenario) if isinstance(scenario, str) else scenario

    def unmet(self, number: str) -> int:
        """How many calls to `number` are still to meet what `will` fixed."""
        return len(self._wills.get(number, ()))

    def forget_wills(self) -> None:
        """From now on every call meets the card of its number."""
        self._wills.clear()
        self._always.clear()
        self._willed = 0

    def unwill(self, number: str) -> bool:
        """Take back all that was fixed for calls to `number`; False if there is nothing."""
        willed = self._wills.pop(number, deque())
        self._willed -= len(willed)
        return bool(willed)

    def call(self, scenario: Scenario | str, to: Destination) -> FarCaller:
        """Call `to` as the scenario says (`carrier: call from … to …`). Raises ScenarioError."""
        read = parse_scenario(scenario) if isinstance(scenario, str) else scenario
        caller, sent = self.far_end.call(read, to, self._now())
        self._perform(sent)
        return caller

    def hang_up(self) -> None:
        """Every call that it placed is hung up by its caller."""
        for caller in list(self.far_end.callers.values()):
            self._perform(caller.hang_up(self._now()))

    @property
    def armed(self) -> int:
        """How many calls are fixed that have not come."""
        return self._willed

    def arm(self, part: Part) -> None:
        """The next call to the part's number meets its recorded far end. Raises ValueError for too many."""
        if self._willed >= MAX_WILLS:
            raise ValueError(f"{MAX_WILLS} calls are fixed already")
        self._parts.setdefault(part.number, deque()).append(part)
        self._willed += 1

    def disarm(self, part: Part) -> bool:
        """Take it back; False if its call has come."""
        waiting = self._parts.get(part.number, deque())
        if part not in waiting:
            return False
        waiting.remove(part)
        self._willed -= 1
        return True

    def replay(self, part: Part, to: Destination) -> None:
        """Call `to` as the recorded far end called."""
        self._perform(self.far_end.replay(part, to, self._now()))

    def heard(self, call: Caller) -> Clip:
        """What a call heard from its begin on, as far as it is kept. Raises LookupError if nothing is."""
        return self.audio.heard(call)

    def _part_for(self, invite: Request) -> Part | None:
        waiting = self._parts.get(phone_number(invite.uri))
        if not waiting:
            return None
        self._willed -= 1
        return waiting.popleft()

    def _scenario_for(self, invite: Request) -> Scenario:
        provoked = self.provoked(invite)
        if provoked is not None:
            return provoked
        number = phone_number(invite.uri)
        willed = self._wills.get(number)
        if willed is None:
            return self._always.get(number) or self._choose(invite)
        self._willed -= 1
        scenario = willed.popleft()
        if not willed:
            del self._wills[number]
        return scenario

    def _received(self, data: bytes, source: Destination) -> None:
        if self._far_end is not None:
            self._perform(self._far_end.receive(data, source, self._now()))

    def _timed_out(self) -> None:
        self._timer = None
        if self._far_end is not None:
            self._perform(self._far_end.handle_timeout(self._now()))

    def _perform(self, transmits: list[Transmit]) -> None:
        for transmit in transmits:
            self._network.send(transmit.data, transmit.to)
        deadline = self.far_end.deadline
        # A timer that is early does no harm: most deadlines move away before they are reached.
        if deadline is not None and (self._timer is None or deadline < self._armed_for):
            self._arm(deadline)

    def _now(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    def _arm(self, deadline: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._armed_for = deadline
        self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - self._now()), self._timed_out)

    @property
    def next_act(self) -> float | None:
        """When a call that is not over acts by itself, by the carrier's clock; None: nothing will."""
        if self._far_end is None:
            return None
        calls: list[Caller] = [*self._far_end.calls.values(), *self._far_end.callers.values()]
        return min((call.deadline for call in calls if not call.over), default=None)

    def clock_skipped(self) -> None:
        """Its clock has moved on by itself: the timer of the event loop has to follow."""
        if self._far_end is not None and (deadline := self._far_end.deadline) is not None:
            self._arm(deadline)


def choose_card(invite: Request) -> Scenario:
    """What the test number that was dialled says."""
    return scenario_of(phone_number(invite.uri))


def _by_nobody(_invite: Request) -> None:
    """Nothing is armed."""


def _note_failure(to: Destination, why: str) -> None:
    log.debug("the carrier could not send to %s: %s", to.peer, why)


class _BreakableTcp(TcpTransport):
    """TCP whose connections can be broken off, as by a peer that dies."""

    def reset(self, source: Destination) -> None:
        """Break the connection that `source` sent by; nothing if there is none (UDP)."""
        connection = self.accepted_from(source.host, source.port) if source.transport == "tcp" else None
        if isinstance(connection, _BreakableConnection):
            connection.reset()

    def _accept(self) -> Connection:
        return _BreakableConnection(self, None)


class _BreakableConnection(Connection):
    """A connection that came in, and can be reset."""

    def reset(self) -> None:
        transport = self._transport
        if transport is None:
            return
        opened = cast("socket.socket | None", transport.get_extra_info("socket"))
        if opened is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
