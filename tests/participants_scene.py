"""A call that is up, on virtual time, and what its application asks about those who take part."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from onhook.acs.identifiers import identify
from onhook.acs.models import (
    AddParticipantRequest,
    AddParticipantResponse,
    CancelAddParticipantRequest,
    MuteParticipantsRequest,
    PhoneNumberIdentifierModel,
    RemoveParticipantRequest,
)
from onhook.calls.call import Call
from onhook.calls.replay import replay
from onhook.calls.states import State
from onhook.effects import Transmit
from onhook.facts import SipSeen
from onhook.lab.far_end import FarEnd
from onhook.lab.rehearsal import CALLEE, CALLER, Stage, World
from onhook.lab.virtual_time import run
from onhook.switch.recovery import rebuild
from stages import CARRIER, OWN, far_end, stage, world

SECOND, THIRD = "+14255550201", "+14255550202"
USER = f"8:acs:{OWN.id}_00000000-0000-0000-0000-000000000001"
ANSWERS = "carrier: 180 Ringing\ncarrier: wait 1 s\ncarrier: 200 OK\n"
TERMINAL = {"CreateCallFailed", "AnswerFailed", "ConnectFailed", "CallDisconnected"}


class Scene:
    """One application's call to CALLEE. Events are named without their prefix."""

    def __init__(self, here: World, call_id: str) -> None:
        self.here, self.call_id = here, call_id

    @property
    def rooms(self) -> list[list[str]]:
        """Parties in each room that media knows, the call's own first."""
        names = {leg.id: leg.party for leg in self.call.legs}
        rooms = sorted(self.here.media.rooms.values(), key=lambda mix: len(mix.room))
        return [[names[voice.leg].removeprefix("4:") for voice in mix.voices] for mix in rooms]

    @property
    def call(self) -> Call:
        return self.here.switch.calls[self.call_id]

    # What the application asks

    def add(self, party: str = SECOND, *, caller: str = CALLER, **more: Any) -> str:
        """The invitationId."""
        request = AddParticipantRequest(
            participant_to_add=identify(party),
            source_caller_id_number=PhoneNumberIdentifierModel(value=caller) if caller else None,
            **more,
        )
        made = self.here.operate(self.call_id, "addParticipant", request)
        assert isinstance(made, AddParticipantResponse)
        assert made.invitation_id
        assert made.participant is not None
        assert made.participant.identifier == identify(party)
        return made.invitation_id

    def cancel(self, invitation: str, **more: Any) -> None:
        request = CancelAddParticipantRequest(invitation_id=invitation, **more)
        self.here.operate(self.call_id, "cancelAddParticipant", request)

    def remove(self, party: str = SECOND, **more: Any) -> None:
        request = RemoveParticipantRequest(participant_to_remove=identify(party), **more)
        self.here.operate(self.call_id, "removeParticipant", request)

    def mute(self, party: str) -> None:
        request = MuteParticipantsRequest(target_participants=[identify(party)])
        self.here.operate(self.call_id, "mute", request)

    # What came of it

    def events(self, connection: str = "") -> list[dict[str, Any]]:
        wanted = connection or self.call_id
        return [each for each in self.here.inbox.events if each["data"]["callConnectionId"] == wanted]

    def told(self, connection: str = "") -> list[str]:
        """Short names of events, in order, since the call was up."""
        return [each["type"].rpartition(".")[2] for each in self.events(connection)][2:]

    def last(self, kind: str, connection: str = "") -> dict[str, Any]:
        """The data of the last event of that kind."""
        found = [each for each in self.events(connection) if each["type"].endswith(f".{kind}")]
        return dict(found[-1]["data"])

    def posted_to(self, kind: str) -> str:
        """Where the last event of that kind went."""
        inbox = self.here.inbox
        return [
            uri
            for event, uri in zip(inbox.events, inbox.uris, strict=True)
            if event["type"].endswith(f".{kind}")
        ][-1]

    def result(self, kind: str, connection: str = "") -> tuple[int, int]:
        data = self.last(kind, connection)["resultInformation"]
        return data["code"], data["subCode"]

    @property
    def present(self) -> list[str]:
        """Numbers and ids of those in the call, the application's own left out."""
        raw_ids = [each.identifier.raw_id or "" for each in self.call.participants if each.identifier]
        own = {identify(each.user).raw_id for each in self.call.connections}
        return [each.removeprefix("4:") for each in raw_ids if each not in own]

    def invites(self, number: str) -> list[str]:
        """Every message of the leg to `number`, in words."""
        leg = next(each for each in self.call.legs if each.party == number)
        facts = [each for each in self.here.store.facts(self.call_id) if isinstance(each, SipSeen)]
        return [each.start_line for each in facts if each.leg == leg.id]

    async def ends(self, ending: str = "", *, released: bool = True) -> None:
        """Wait until the call is over; check what every call owes. `released`: the far ends hear us."""
        for _ in range(400):
            record = self.here.store.call(self.call_id)
            if record is not None and record.ended_at is not None:
                break
            await asyncio.sleep(1)
        else:
            raise AssertionError("the call did not end")
        if ending:
            assert record.verdict is not None
            assert record.verdict.ending == ending, record.verdict
        await asyncio.sleep(120)
        self.check_over(released=released)

    def check_over(self, *, released: bool) -> None:
        here = self.here
        by_connection: dict[str, list[str]] = {}
        for event in here.inbox.events:
            name = event["type"].rpartition(".")[2]
            by_connection.setdefault(event["data"]["callConnectionId"], []).append(name)
        for names in by_connection.values():
            assert sum(name in TERMINAL for name in names) == 1, names
            assert names[-1] in TERMINAL, names
        assert not released or all(call.over for call in far_calls(here)), "a telephone is off the hook"
        assert not here.media.rooms, "a room is still open"
        assert here.media.legs == 0, "an RTP port is still open"

    def check_replay(self) -> None:
        """A replay of what is kept stands as the live call does, and sent every byte again."""
        live, facts = self.call, self.here.store.facts(self.call_id)
        record = self.here.store.call(self.call_id)
        assert record is not None
        trunks = self.here.stage.directory.trunks
        again, effects = replay(record, facts, CARRIER, setup_seconds=115, max_seconds=86_400, trunks=trunks)
        assert again.participants == live.participants
        assert again.state is live.state
        assert again.timeline == facts
        sent = [fact.message for fact in facts if isinstance(fact, SipSeen) and fact.direction == "sent"]
        assert [each.data for each in effects if isinstance(each, Transmit)] == sent
        stood = rebuild(record, lambda _: facts, trunks, self.here.stage.limits)
        assert stood.state is live.state


def far_calls(here: World) -> list[Any]:
    return [*here.far_end.calls.values(), *here.far_end.ended]


Story = Callable[[Scene], Coroutine[Any, Any, None]]


def play(act: Story, scenario: str | FarEnd = ANSWERS, on: Stage | None = None, target: str = CALLEE) -> None:
    """Play `act` two seconds after a call to `target` was placed."""

    async def main() -> None:
        here = await world(scenario, on or stage())
        call_id = here.create_call(target=target)
        scene = Scene(here, call_id)
        await asyncio.sleep(2)
        if target.startswith("8:"):
            here.answer()
            await asyncio.sleep(1)
        assert here.switch.calls[call_id].state is State.CONNECTED
        await act(scene)
        here.switch.close()
        await here.network.close()

    run(main())


def by_number(**scenarios: str) -> FarEnd:
    return far_end(ANSWERS, **scenarios)
