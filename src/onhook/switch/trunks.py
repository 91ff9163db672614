"""The trunks as the switch knows them beside their settings: how they are, who rests, who is called too fast.

Each is asked with OPTIONS now and then, and whatever it sends is a sign of life too. Routing tries those last
that are offline, and leaves those alone that asked for a rest or that began too many calls this second.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from onhook.calls.call import Call
from onhook.calls.directory import Trunk
from onhook.calls.leg import PhoneLeg
from onhook.calls.token_bucket import TokenBucket
from onhook.calls.trunk_life import State, TrunkLife
from onhook.effects import Destination, Transmit
from onhook.machine import Outputs
from onhook.sip.dialog import MAX_FORWARDS, USER_AGENT
from onhook.sip.messages import Headers, Request, Response
from onhook.sip.non_invite_client import NonInviteClient
from onhook.sip.transaction import Failure, Success, TimedOut, Undeliverable
from onhook.switch.asking import Sources
from onhook.switch.deadlines import Deadlines
from onhook.switch.world import Network

UNAVAILABLE = 503
NO_PROOF = frozenset({408, UNAVAILABLE, 504})
"""Responses that a proxy sends for a trunk that is not there, or a trunk that is out of service."""
DIGITS = re.compile(r"\s*(\d{1,9})")
OWN_USER = "onhook"
log = logging.getLogger(__name__)


class Watched:
    """One trunk: its life, its pace, its rest, and the OPTIONS that is under way."""

    def __init__(self, trunk: Trunk, now: float) -> None:
        self.trunk = trunk
        self.life = TrunkLife(trunk.name, now, misses_borne=trunk.offline_after_misses)
        self.bucket = TokenBucket(trunk.calls_per_second, now)
        self.rests_until = 0.0
        self.asking: NonInviteClient | None = None
        self.ask_at: float | None = None
        self.give_up_at: float | None = None
        """When the OPTIONS under way counts as unanswered."""

    @property
    def deadline(self) -> float | None:
        under_way = self.asking.deadline if self.asking else None
        return min((at for at in (under_way, self.ask_at, self.give_up_at) if at is not None), default=None)


class Trunks:
    def __init__(self, sources: Sources, network: Network) -> None:
        self._sources, self._network = sources, network
        self._watched: dict[str, Watched] = {}
        self._asked: dict[str, Watched] = {}
        """By Call-ID of the OPTIONS under way."""
        self._asks = False
        self._deadlines = Deadlines[Watched](sources.now, self._wake)

    # Which trunks there are

    def follow(self, trunks: Mapping[str, Trunk]) -> None:
        """These are the trunks from now on; what is known of one stays while its address does."""
        now, before = self._sources.now(), self._watched
        self._watched = {}
        for name, trunk in trunks.items():
            known = before.pop(name, None)
            if known is None or known.trunk != trunk:
                if known is not None:
                    self._drop(known)
                fresh = Watched(trunk, now)
                if known is not None and known.trunk.destination == trunk.destination:
                    fresh.life, fresh.rests_until = known.life, known.rests_until
                known = fresh
                self._plan(known, now)
            self._watched[name] = known
        for gone in before.values():
            self._drop(gone)

    def watch(self) -> None:
        """Begin to ask the trunks how they are, each by its `options_seconds`."""
        self._asks = True
        for each in self._watched.values():
            self._plan(each, self._sources.now())

    def close(self) -> None:
        self._deadlines.close()

    def _plan(self, watched: Watched, at: float) -> None:
        if self._asks and watched.trunk.options_seconds:
            watched.ask_at = at
        self._deadlines.set(watched, watched.deadline)

    def _drop(self, watched: Watched) -> None:
        self._stop_asking(watched)
        self._deadlines.set(watched, None)

    # What routing wants to know

    @property
    def resting(self) -> dict[str, float]:
        """Seconds that each trunk still rests, by its name."""
        now = self._sources.now()
        return {
            name: each.rests_until - now for name, each in self._watched.items() if each.rests_until > now
        }

    @property
    def offline(self) -> set[str]:
        return {name for name, each in self._watched.items() if each.life.state is State.OFFLINE}

    @property
    def too_fast(self) -> set[str]:
        """Trunks that may begin no call before some of this second is over."""
        now = self._sources.now()
        return {name for name, each in self._watched.items() if not each.bucket.has(now)}

    def begin(self, name: str) -> bool:
        """A call begins on this trunk; False if that is one too many a second."""
        watched = self._watched.get(name)
        return watched is None or watched.bucket.take(self._sources.now())

    def told(self, calls_on: Mapping[str, int]) -> list[dict[str, Any]]:
        """All of it for people and programs; times are Unix seconds."""
        resting = self.resting
        return [
            {
                "name": name,
                "host": each.trunk.host,
                "port": each.trunk.port,
                "transport": each.trunk.transport,
                "state": each.life.state.name.lower(),
                "reason": each.life.reason,
                "since": each.life.since,
                "last_heard_at": each.life.last_heard_at,
                "misses": each.life.misses,
                "rests_for_seconds": round(resting.get(name, 0.0), 3),
                "calls": calls_on.get(name, 0),
                "max_calls": each.trunk.max_calls,
                "calls_per_second": each.trunk.calls_per_second,
                "options_seconds": each.trunk.options_seconds,
            }
            for name, each in self._watched.items()
        ]

    # What the trunks show

    def take_response(self, call: Call, response: Response) -> None:
        """A final response came in a call: a sign of life, or of trouble.

        503 to an INVITE with Retry-After asks for a rest (RFC 3261 section 21.5.4): the trunk gets no new
        call for that long, at most for its `max_rest_seconds`.
        """
        leg = call.legs.of_session(response.call_id)
        watched = self._watched.get(leg.trunk.name) if isinstance(leg, PhoneLeg) else None
        if watched is None or response.cseq is None:
            return
        what = f"{response.status} to {response.cseq.method}"
        if response.status == UNAVAILABLE and response.cseq.method == "INVITE":
            seconds = min(retry_after_seconds(response), watched.trunk.max_rest_seconds)
            if seconds > 0:
                watched.rests_until = self._sources.now() + seconds
                what += f", with a rest of {seconds:g} s"
            self._falter(watched, what)
        elif response.status not in NO_PROOF:
            self._hear(watched, what)

    def hear(self, name: str, what: str) -> None:
        """A trunk sent something by itself."""
        if (watched := self._watched.get(name)) is not None:
            self._hear(watched, what)

    def hear_from(self, source: Destination, what: str) -> None:
        """OPTIONS came from this address; of no trunk, it says nothing."""
        for name, each in self._watched.items():
            if self._network.serves(source.host, each.trunk.destination):
                self.hear(name, what)

    def fail(self, to: Destination, error: str) -> None:
        """The network could not carry something to this place."""
        for each in self._watched.values():
            if each.trunk.destination != to:
                continue
            if each.asking is not None:
                self._settle(each, each.asking.fail(error, self._sources.now()))
            else:
                self._falter(each, error)

    def falter(self, name: str, why: str) -> None:
        if (watched := self._watched.get(name)) is not None:
            self._falter(watched, why)

    def receive(self, response: Response) -> None:
        """A response of no call; ours if it answers an OPTIONS of ours."""
        watched = self._asked.get(response.call_id)
        if watched is not None and watched.asking is not None:
            self._settle(watched, watched.asking.receive(response, self._sources.now()))

    def _hear(self, watched: Watched, what: str) -> None:
        if watched.life.hear(what, self._sources.now()):
            log.info("trunk %s is online: %s", watched.trunk.name, what)

    def _falter(self, watched: Watched, why: str) -> None:
        if watched.life.falter(why, self._sources.now()):
            log.warning("trunk %s is %s: %s", watched.trunk.name, watched.life.state.name.lower(), why)

    # OPTIONS

    def _wake(self, watched: Watched) -> None:
        now = self._sources.now()
        if watched.give_up_at is not None and watched.give_up_at <= now:
            seconds = watched.trunk.no_response_seconds
            self._stop_asking(watched)
            self._falter(watched, f"OPTIONS was not answered within {seconds:g} s")
        if watched.asking is not None:
            self._settle(watched, watched.asking.handle_timeout(now))
        if watched.ask_at is not None and watched.ask_at <= now:
            self._ask(watched, now)
        self._deadlines.set(watched, watched.deadline)

    def _ask(self, watched: Watched, now: float) -> None:
        self._stop_asking(watched)
        trunk = watched.trunk
        request = options(trunk, self._network.via_address(trunk.destination), self._sources.seed())
        watched.asking = NonInviteClient(trunk.name, request, trunk.destination, now)
        watched.ask_at = now + trunk.options_seconds
        watched.give_up_at = now + min(trunk.no_response_seconds, trunk.options_seconds)
        self._asked[request.call_id] = watched
        self._send(watched.asking.start())

    def _settle(self, watched: Watched, outputs: Outputs) -> None:
        """What came of an OPTIONS."""
        self._send(outputs)
        for output in outputs:
            if isinstance(output, Success | Failure):
                status = output.response.status
                watched.give_up_at = None
                settle = self._falter if status in NO_PROOF else self._hear
                settle(watched, f"{status} to OPTIONS")
            elif isinstance(output, Undeliverable | TimedOut):
                self._stop_asking(watched)
                why = output.error if isinstance(output, Undeliverable) else "OPTIONS was not answered"
                self._falter(watched, why)
        if watched.asking is not None and watched.asking.terminated:
            self._stop_asking(watched)
        self._deadlines.set(watched, watched.deadline)

    def _stop_asking(self, watched: Watched) -> None:
        if watched.asking is not None:
            self._asked.pop(watched.asking.request.call_id, None)
        watched.asking = watched.give_up_at = None

    def _send(self, outputs: Outputs) -> None:
        for output in outputs:
            if isinstance(output, Transmit):
                self._network.send(output.data, output.to)


def options(trunk: Trunk, local: tuple[str, int], seed: str) -> Request:
    """OPTIONS to a trunk, outside of any call (RFC 3261 section 11); all its names come from `seed`."""
    host, ours = Destination("", local[0], 0).peer, Destination("", *local).peer
    uri = f"sip:{trunk.destination.peer}"
    transport = "" if trunk.transport == "udp" else f";transport={trunk.transport}"
    headers = Headers.of(
        ("via", f"SIP/2.0/{trunk.transport.upper()} {ours};branch=z9hG4bK{seed};rport"),
        ("max-forwards", MAX_FORWARDS),
        ("from", f"<sip:{OWN_USER}@{host}>;tag={seed[:16]}"),
        ("to", f"<{uri}>"),
        ("call-id", f"{seed}@{host}"),
        ("cseq", "1 OPTIONS"),
        ("contact", f"<sip:{OWN_USER}@{ours}{transport}>"),
        ("accept", "application/sdp"),
        ("user-agent", USER_AGENT),
    )
    return Request("OPTIONS", uri, headers)


def retry_after_seconds(response: Response) -> float:
    """Retry-After of a response, before any comment or parameter (section 20.33); 0 if none."""
    found = DIGITS.match(response.headers.get("retry-after") or "")
    return float(found[1]) if found else 0.0
