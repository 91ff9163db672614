"""Participants who come, go, are handed over and moved at random: every call owes what it always owes.

Each call is replayed from its facts too: it sends the same bytes again and comes to the same end.
"""

import copy
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos import FAR, Chaos, check, check_nothing_left, live
from onhook.acs.identifiers import identify
from onhook.acs.models import (
    AddParticipantRequest,
    AddParticipantResponse,
    CancelAddParticipantRequest,
    HoldRequest,
    MoveParticipantsRequest,
    MuteParticipantsRequest,
    PhoneNumberIdentifierModel,
    RemoveParticipantRequest,
    TransferToParticipantRequest,
    UnholdRequest,
)
from onhook.acs.wire import Model
from onhook.calls.record import CallRecord
from onhook.calls.replay import replay
from onhook.calls.states import State
from onhook.effects import Transmit
from onhook.endings.judge import judge
from onhook.facts import ServerRestarted, SipSeen
from onhook.lab.rehearsal import World
from onhook.lab.virtual_time import run
from onhook.switch.recovery import _trunks_then

SEEDS = range(16)
TURNS = 90
SHOWN = PhoneNumberIdentifierModel(value="+14255550100")
ANSWERS = "carrier: 180 Ringing\ncarrier: wait 1 s\ncarrier: 200 OK"


class Crowd(Chaos):
    """Most of what its applications do is about those who take part."""

    FAR = {
        **FAR,
        "+14255550204": ANSWERS,
        "+14255550205": f"carrier: refer accepted\n{ANSWERS}",
        "+14255550206": f"carrier: refer refused 405\n{ANSWERS}\ncarrier: wait 30 s\ncarrier: bye",
        "+14255550207": f"carrier: refer target 486\n{ANSWERS}",
        "+14255550208": f"carrier: refer bye\n{ANSWERS}",
        "+14255550209": f"carrier: refer silent\ncarrier: ignore cancel\n{ANSWERS}",
    }

    @property
    def acts(self) -> tuple[Callable[[], None], ...]:
        within = (self.add, self.add, self.add, self.remove, self.cancel, self.mute, self.hold)
        return (*super().acts, *within, self.transfer, self.transfer, self.move, self.move, self.answer)

    def party(self) -> str:
        return self.draw.choice([*self.FAR, super().party()])

    def call_id(self) -> str:
        """An open connection."""
        calls = [call for call in self.here.switch.calls.values() if call.state is State.CONNECTED]
        return self.draw.choice(sorted(each.id for call in calls for each in call.open_connections))

    def member(self, connection: str) -> str:
        """Somebody in the call, or now and then somebody who is not."""
        call = self.here.switch.calls.get(connection) or self.here.switch._by_connection[connection]
        present = [each.identifier.raw_id or "" for each in call.participants if each.identifier]
        return self.draw.choice([*present, self.party()])

    def ask(self, connection: str, operation: str, request: Model) -> Model | None:
        return self.here.operate(connection, operation, request)

    def add(self) -> None:
        connection = self.call_id()
        seconds = self.draw.choice((None, 0, 1, 5, 180))
        request = AddParticipantRequest(
            participant_to_add=identify(self.party()),
            source_caller_id_number=SHOWN,
            invitation_timeout_in_seconds=seconds,
        )
        made = self.ask(connection, "addParticipant", request)
        assert isinstance(made, AddParticipantResponse)
        if self.draw.random() < 0.2:
            self.take_back(connection, made.invitation_id or "")

    def cancel(self) -> None:
        self.take_back(self.call_id(), "nonsense")

    def take_back(self, connection: str, invitation: str) -> None:
        request = CancelAddParticipantRequest(invitation_id=invitation)
        self.ask(connection, "cancelAddParticipant", request)

    def remove(self) -> None:
        connection = self.call_id()
        request = RemoveParticipantRequest(participant_to_remove=identify(self.member(connection)))
        self.ask(connection, "removeParticipant", request)

    def mute(self) -> None:
        connection = self.call_id()
        request = MuteParticipantsRequest(target_participants=[identify(self.member(connection))])
        self.ask(connection, "mute", request)

    def hold(self) -> None:
        connection = self.call_id()
        held = self.draw.choice((HoldRequest, UnholdRequest))
        operation = "hold" if held is HoldRequest else "unhold"
        self.ask(connection, operation, held(target_participant=identify(self.member(connection))))

    def transfer(self) -> None:
        connection = self.call_id()
        named = self.draw.random() < 0.6
        request = TransferToParticipantRequest(
            target_participant=identify(self.party()),
            transferee=identify(self.member(connection)) if named else None,
            source_caller_id_number=SHOWN,
        )
        self.ask(connection, "transferToParticipant", request)

    def move(self) -> None:
        into, source = self.call_id(), self.call_id()
        parties = {self.member(source) for _ in range(self.draw.choice((1, 1, 2)))}
        request = MoveParticipantsRequest(
            target_participants=[identify(party) for party in sorted(parties)], from_call=source
        )
        self.ask(into, "moveParticipants", request)


def reopened(record: CallRecord) -> CallRecord:
    """The record as it was kept before the end."""
    copied = copy.deepcopy(record)
    copied.ended_at = copied.verdict = None
    for connection in copied.connections:
        connection.ended_at = connection.verdict = None
    return copied


def check_replays(here: World) -> None:
    """What is kept of a call leads to the same bytes, and to the same end."""
    for record in here.store.calls(1000):
        facts = here.store.facts(record.id)
        if any(isinstance(fact, ServerRestarted) for fact in facts) or not facts:
            continue
        trunks = _trunks_then(record, facts, here.stage.directory.trunks)
        again, effects = replay(
            reopened(record),
            facts,
            next(iter(trunks.values()), None),
            setup_seconds=here.stage.limits.setup_seconds,
            max_seconds=here.stage.limits.max_call_seconds,
            ring_seconds=here.stage.limits.ring_seconds,
            trunks=trunks,
        )
        sent = [fact.message for fact in facts if isinstance(fact, SipSeen) and fact.direction == "sent"]
        assert [each.data for each in effects if isinstance(each, Transmit)] == sent, record.id
        assert again.state is State.ENDED
        assert again.record.verdict == record.verdict


def check_rooms(here: World) -> None:
    assert not here.media.rooms, "a room outlived its call"
    assert here.media.legs == 0, "an RTP port is still open"


def check_judged_alike(here: World) -> None:
    """Judged again later, each connection's call came to the end that it was told."""
    for record in here.store.calls(1000):
        facts = here.store.facts(record.id)
        assert record.verdict is not None
        told = {judge(facts).ending, judge(facts, connection=record.id).ending}
        assert record.verdict.ending in told, record.id
        for each in record.connections:
            assert each.verdict is not None
            assert judge(facts, connection=each.id).ending == each.verdict.ending, (record.id, each.id)


@pytest.mark.parametrize("seed", SEEDS)
def test_whoever_comes_and_goes_every_connection_ends_once_and_nothing_is_left(seed: int) -> None:
    here = run(live(seed, crash=False, kind=Crowd, turns=TURNS))
    check(here)
    check_nothing_left(here)
    check_rooms(here)
    check_replays(here)
    check_judged_alike(here)


@pytest.mark.parametrize("seed", list(SEEDS)[:6])
def test_a_crash_in_the_middle_loses_no_ending(seed: int) -> None:
    here = run(live(seed, crash=True, kind=Crowd, turns=TURNS))
    check(here)
    check_rooms(here)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(len(SEEDS), 10**9), crash=st.booleans())
def test_of_seeds_never_tried_before_none_breaks_it(seed: int, *, crash: bool) -> None:
    here = run(live(seed, crash=crash, kind=Crowd, turns=TURNS))
    check(here)
    check_rooms(here)
    if not crash:
        check_replays(here)


def test_the_crowd_does_what_it_is_for() -> None:
    """Over a few seeds every operation succeeds and fails, or the tests above would show little."""
    told: set[str] = set()
    for seed in range(4):
        here = run(live(seed, crash=False, kind=Crowd, turns=TURNS))
        told |= {event["type"].rpartition(".")[2] for event in here.inbox.events}
    wanted = {
        f"{name}{how}"
        for name in ("AddParticipant", "RemoveParticipant", "CancelAddParticipant", "MoveParticipant")
        for how in ("Succeeded", "Failed")
    }
    assert wanted | {"CallTransferAccepted", "CallTransferFailed"} <= told
