"""Our own caller and the far end meet on a virtual network: on a good one, and on one that loses a fifth."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from onhook.effects import Destination, Transmit
from onhook.lab.cards import scenario_of
from onhook.lab.far_end import FarEnd
from onhook.lab.far_end_call import MAX_CALL_SECONDS, FarCall
from onhook.lab.scenario import parse_scenario
from onhook.lab.scenario_steps import DEFAULT_PASSWORD, DEFAULT_USER, Scenario
from onhook.lab.virtual_network import Faults, VirtualNetwork
from onhook.lab.virtual_time import run
from onhook.machine import Outputs
from onhook.sip.digest import Credentials
from onhook.sip.messages import Malformed, parse
from onhook.sip.offer import make_offer
from onhook.sip.session import (
    Answered,
    CancelCrossed,
    HungUp,
    OutboundSession,
    Refused,
    Released,
    Unanswered,
)
from onhook.sip.transaction import Undeliverable

UDP = Destination("udp", "192.0.2.2", 5060)
TCP = Destination("tcp", "192.0.2.2", 5060)
BAD = Faults(loss=0.2, duplication=0.2, reordering=0.2, delay_seconds=0.02, jitter_seconds=0.05)
ENDS = (Refused, Unanswered, Undeliverable, HungUp, Released, CancelCrossed)
OFFER = make_offer("192.0.2.1", 6000, 1, 1).to_bytes()
LONG_SECONDS = MAX_CALL_SECONDS + 300
"""Until even a far end that nobody ended has forgotten its call."""


class Meeting:
    """One outbound session and one far end. `signals` is what the session told its user."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        peer: Destination = UDP,
        faults: Faults | None = None,
        seed: int = 0,
        credentials: Credentials | None = None,
    ) -> None:
        self.network = VirtualNetwork(seed=seed, faults=faults)
        self.far_end = FarEnd(lambda _: scenario, address=(peer.host, peer.port))
        self.network.add(peer, self.far_end)
        self.network.on_receive(self._received)
        self.signals: list[object] = []
        self.session = OutboundSession(
            leg="leg",
            seed=f"seed{seed}",
            peer=peer,
            local=("192.0.2.1", 5070),
            target="+14255550200",
            caller="+14255550100",
            credentials=credentials,
            now=0.0,
        )
        self._timer: asyncio.TimerHandle | None = None

    @property
    def ends(self) -> list[object]:
        return [signal for signal in self.signals if isinstance(signal, ENDS)]

    @property
    def answered(self) -> bool:
        return any(isinstance(signal, Answered) for signal in self.signals)

    @property
    def far_call(self) -> FarCall:
        (call,) = [*self.far_end.calls.values(), *self.far_end.ended]
        return call

    async def play(self, *, hang_up_after: float | None = None) -> "Meeting":
        """Dial, hang up if asked, and wait until both sides have forgotten the call."""
        await self.network.start()
        self._perform(self.session.dial(OFFER, self._now()))
        if hang_up_after is not None:
            await asyncio.sleep(hang_up_after)
            if not self.ends:
                self._perform(self.session.hang_up(self._now()))
        await asyncio.sleep(LONG_SECONDS)
        await self.network.close()
        return self

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _received(self, data: bytes, source: Destination) -> None:
        message = parse(data)
        if not isinstance(message, Malformed):
            self._perform(self.session.receive(message, source, self._now()))

    def _timed_out(self) -> None:
        self._perform(self.session.handle_timeout(self._now()))

    def _perform(self, outputs: Outputs) -> None:
        for output in outputs:
            if isinstance(output, Transmit):
                self.network.send(output.data, output.to)
            else:
                self.signals.append(output)
        if self._timer:
            self._timer.cancel()
        due = self.session.deadline
        self._timer = asyncio.get_running_loop().call_at(due, self._timed_out) if due is not None else None


def played(meeting: Meeting, **settings: Any) -> Meeting:
    """Play on virtual time; afterwards nothing may be left on either side."""
    going: Coroutine[Any, Any, Meeting] = meeting.play(**settings)
    run(going)
    assert len(meeting.ends) == 1
    assert meeting.session.done
    assert not meeting.far_end.calls
    assert meeting.far_end.deadline is None
    return meeting


REFUSALS = ["180", "302", "403", "404", "408", "480", "484", "486", "500", "503", "600", "603", "999"]


@pytest.mark.parametrize("peer", [UDP, TCP], ids=["udp", "tcp"])
@pytest.mark.parametrize("digits", REFUSALS)
def test_a_refusing_card_refuses_our_own_caller(digits: str, peer: Destination) -> None:
    meeting = played(Meeting(scenario_of(f"+14255550{digits}"), peer=peer))
    (end,) = meeting.ends
    assert isinstance(end, Refused)
    assert end.response.status == {"180": 480, "999": 499}.get(digits, int(digits))
    assert meeting.far_call.history[-1] == "> ACK"


@pytest.mark.parametrize("peer", [UDP, TCP], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("digits", "hang_up_after", "end", "answered"),
    [
        ("000", None, Unanswered, False),
        ("181", 2.0, Refused, False),
        ("200", 3.0, Released, True),
        ("201", None, HungUp, True),
        ("202", None, HungUp, True),
        ("203", 3.0, Released, True),
        ("206", None, HungUp, True),
        ("208", 3.0, Released, True),
        ("209", 1.0, CancelCrossed, False),
        ("995", 2.0, Unanswered, False),
        ("998", None, Unanswered, False),
    ],
)
def test_the_other_cards_end_as_they_should(
    digits: str,
    hang_up_after: float | None,
    end: type[object],
    answered: bool,  # noqa: FBT001  # a column of the table
    peer: Destination,
) -> None:
    meeting = Meeting(scenario_of(f"+14255550{digits}"), peer=peer)
    played(meeting, hang_up_after=hang_up_after)
    assert isinstance(meeting.ends[0], end)
    assert meeting.answered is answered


def test_a_second_phone_that_answers_is_released() -> None:
    meeting = played(Meeting(scenario_of("+14255550208")), hang_up_after=3.0)
    history = meeting.far_call.history
    assert history.count("> BYE") == history.count("> ACK") == 2


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_credentials_open_the_challenge(algorithm: str) -> None:
    script = f"carrier: 401 challenge algorithm={algorithm}\ncarrier: 200 OK\ncarrier: wait 1 s\ncarrier: bye"
    credentials = Credentials(DEFAULT_USER, DEFAULT_PASSWORD)
    meeting = played(Meeting(parse_scenario(script), credentials=credentials))
    assert meeting.answered
    assert isinstance(meeting.ends[0], HungUp)


@pytest.mark.parametrize("credentials", [None, Credentials("onhook", "wrong")], ids=["none", "wrong"])
def test_missing_or_wrong_credentials_are_refused_with_401(credentials: Credentials | None) -> None:
    meeting = played(Meeting(scenario_of("+14255550401"), credentials=credentials))
    (end,) = meeting.ends
    assert isinstance(end, Refused)
    assert end.response.status == 401


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize(
    ("digits", "hang_up_after", "end"),
    [("486", None, Refused), ("201", None, HungUp), ("200", 4.0, Released)],
)
def test_a_network_that_loses_a_fifth_changes_no_ending(
    digits: str, hang_up_after: float | None, end: type[object], seed: int
) -> None:
    meeting = Meeting(scenario_of(f"+14255550{digits}"), faults=BAD, seed=seed)
    played(meeting, hang_up_after=hang_up_after)
    assert isinstance(meeting.ends[0], end)


@pytest.mark.parametrize("seed", range(25))
def test_a_cancel_on_a_bad_network_ends_the_call_one_way_or_the_other(seed: int) -> None:
    """By the 487 or by the answer that crossed; by nothing, if every INVITE was lost before we gave up."""
    script = "carrier: 180 Ringing\ncarrier: wait 1 s\ncarrier: 200 OK"
    meeting = played(Meeting(parse_scenario(script), faults=BAD, seed=seed), hang_up_after=1.0)
    if meeting.far_end.ended:
        assert isinstance(meeting.ends[0], Refused | CancelCrossed | Released)
    else:
        assert isinstance(meeting.ends[0], Unanswered)


def test_equal_seeds_give_equal_calls() -> None:
    def history(seed: int) -> list[str]:
        return played(Meeting(scenario_of("+14255550201"), faults=BAD, seed=seed)).far_call.history

    assert history(3) == history(3)
    assert len({tuple(history(seed)) for seed in range(5)}) > 1
