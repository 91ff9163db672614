"""moveParticipants: a telephone goes on in another call, and what becomes of both calls."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from onhook.acs.errors import ApiError
from onhook.acs.identifiers import identify
from onhook.acs.models import HoldRequest, MoveParticipantsRequest, MoveParticipantsResponse
from onhook.calls.replay import replay
from onhook.effects import Transmit
from onhook.endings.judge import judge
from onhook.facts import LegMovedIn, LegMovedOut, SipSeen
from onhook.lab.far_end import FarEnd
from onhook.lab.rehearsal import CALLEE, World
from onhook.lab.scenario import parse_scenario
from onhook.lab.virtual_time import run
from participants_scene import ANSWERS, SECOND, THIRD, USER, Scene, by_number, far_calls
from stages import CARRIER, OTHER, OWN, stage, world

UPDATED = "ParticipantsUpdated"


class Two:
    """Two calls of one resource: `first` to CALLEE, `second` to SECOND."""

    def __init__(self, here: World, first: str, second: str) -> None:
        self.here, self.first, self.second = here, Scene(here, first), Scene(here, second)

    def move(self, *parties: str, into: Scene, **more: Any) -> MoveParticipantsResponse:
        other = self.first if into is self.second else self.second
        request = MoveParticipantsRequest(
            target_participants=[identify(party) for party in parties],
            from_call=more.pop("from_call", other.call_id),
            operation_context="move",
            **more,
        )
        made = self.here.operate(into.call_id, "moveParticipants", request)
        assert isinstance(made, MoveParticipantsResponse)
        return made

    def refused(self, *parties: str, into: Scene, **more: Any) -> ApiError:
        with pytest.raises(ApiError) as caught:
            self.move(*parties, into=into, **more)
        return caught.value

    def rooms(self) -> dict[str, list[str]]:
        """Legs by the call whose room they are in."""
        return {room: [each.leg for each in mix.voices] for room, mix in self.here.media.rooms.items()}

    def leg(self, scene: Scene, party: str) -> str:
        return next(each.id for each in scene.call.legs if each.party == party)

    async def over(self) -> None:
        await asyncio.sleep(200)
        self.first.check_over(released=True)


def play(
    act: Callable[[Two], Coroutine[Any, Any, None]], scenario: str | FarEnd = ANSWERS, target: str = CALLEE
) -> None:
    async def main() -> None:
        here = await world(scenario, stage())
        first = here.create_call(target=target)
        second = here.create_call(target=SECOND)
        await asyncio.sleep(2)
        if target.startswith("8:"):
            here.answer()
            await asyncio.sleep(1)
        await act(Two(here, first, second))
        here.switch.close()
        await here.network.close()

    run(main())


def test_a_moved_telephone_is_heard_in_the_other_call_and_the_emptied_one_is_over() -> None:
    async def act(two: Two) -> None:
        leg = two.leg(two.second, SECOND)
        made = two.move(SECOND, into=two.first)
        assert [each.identifier.raw_id for each in made.participants or [] if each.identifier] == [
            f"4:{SECOND}"
        ]
        assert (made.from_call, made.operation_context) == (two.second.call_id, "move")
        await asyncio.sleep(1)
        assert two.first.told() == ["MoveParticipantSucceeded", UPDATED]
        told = two.first.last("MoveParticipantSucceeded")
        assert told["participant"]["rawId"] == f"4:{SECOND}"
        assert told["fromCall"] == two.second.call_id
        assert told["operationContext"] == "move"
        assert two.first.result("MoveParticipantSucceeded") == (200, 0)
        assert two.first.present == [CALLEE, SECOND]
        assert two.rooms() == {two.first.call_id: [two.leg(two.first, CALLEE), leg]}
        assert two.second.told() == ["CallDisconnected"]
        assert two.second.result("CallDisconnected") == (200, 5010)
        assert two.second.call_id not in two.here.switch.calls
        assert not any(call.over for call in far_calls(two.here))
        two.first.check_replay()
        await asyncio.sleep(60)
        assert two.first.present == [CALLEE, SECOND]
        two.here.hang_up(two.first.call_id, everyone=True)
        await two.over()

    play(act)


def test_both_calls_keep_what_happened_and_are_judged_by_it() -> None:
    async def act(two: Two) -> None:
        two.move(SECOND, into=two.first)
        await asyncio.sleep(30)
        await two.over()
        here = two.here
        (out,) = [f for f in here.store.facts(two.second.call_id) if isinstance(f, LegMovedOut)]
        assert out.to_call == two.first.call_id
        facts = here.store.facts(two.first.call_id)
        (came,) = [f for f in facts if isinstance(f, LegMovedIn)]
        assert (came.from_call, came.number, came.trunk) == (two.second.call_id, SECOND, "carrier")
        byes = [f for f in facts if isinstance(f, SipSeen) and f.leg == came.leg]
        assert byes[0].start_line.startswith("BYE")
        for scene, ending in ((two.second, "left-alone"), (two.first, "hung-up-by-phone")):
            record = here.store.call(scene.call_id)
            assert record is not None
            assert record.verdict is not None
            assert record.verdict.ending == ending
            assert judge(here.store.facts(scene.call_id)).ending == ending

    leaves = f"{ANSWERS}carrier: wait 20 s\ncarrier: bye\n"
    play(act, by_number(n14255550200=f"{ANSWERS}carrier: wait 9 s\ncarrier: bye\n", n14255550201=leaves))


def test_one_of_several_moves_and_the_others_stay() -> None:
    async def act(two: Two) -> None:
        two.second.add(THIRD)
        await asyncio.sleep(3)
        two.move(THIRD, into=two.first)
        await asyncio.sleep(1)
        assert two.first.present == [CALLEE, THIRD]
        assert two.second.present == [SECOND]
        assert two.second.told()[2:] == [UPDATED]
        two.first.check_replay()
        two.second.check_replay()
        two.here.hang_up(two.second.call_id)
        await asyncio.sleep(5)
        assert two.first.present == [CALLEE, THIRD]
        two.here.hang_up(two.first.call_id)
        await two.over()

    play(act)


def test_a_caller_who_came_in_moves_to_an_agents_call() -> None:
    async def main() -> None:
        here = await world()
        caller = here.call_in(parse_scenario("carrier: call from +14255550200 to +14255550100"))
        await asyncio.sleep(1)
        lobby = Scene(here, here.answer())
        agent = Scene(here, here.create_call(target=SECOND))
        await asyncio.sleep(2)
        two = Two(here, agent.call_id, lobby.call_id)
        two.move("+14255550200", into=two.first)
        await asyncio.sleep(1)
        assert two.first.present == [SECOND, "+14255550200"]
        two.first.check_replay()
        two.here.operate(two.first.call_id, "hold", HoldRequest(target_participant=identify("+14255550200")))
        two.here.hang_up(two.first.call_id)
        await two.over()
        assert caller.over
        here.switch.close()
        await here.network.close()

    run(main())


def test_what_the_telephone_sends_after_its_move_belongs_to_the_new_call() -> None:
    async def act(two: Two) -> None:
        two.move(SECOND, into=two.first)
        await asyncio.sleep(20)
        assert two.first.present == [CALLEE]
        assert two.first.told()[-1] == UPDATED
        two.here.hang_up(two.first.call_id)
        await two.over()

    play(act, by_number(n14255550201=f"{ANSWERS}carrier: wait 9 s\ncarrier: bye\n"))


def test_there_and_back_again() -> None:
    async def act(two: Two) -> None:
        two.second.add(THIRD)
        await asyncio.sleep(3)
        two.move(THIRD, into=two.first)
        await asyncio.sleep(1)
        two.move(THIRD, into=two.second)
        await asyncio.sleep(1)
        assert (two.first.present, two.second.present) == ([CALLEE], [SECOND, THIRD])
        two.first.check_replay()
        two.second.check_replay()
        two.second.remove(THIRD)
        await asyncio.sleep(1)
        assert two.second.told()[-2:] == ["RemoveParticipantSucceeded", UPDATED]
        two.here.hang_up(two.first.call_id)
        two.here.hang_up(two.second.call_id)
        await two.over()

    play(act)


def test_a_held_telephone_stays_held() -> None:
    async def act(two: Two) -> None:
        two.here.operate(two.second.call_id, "hold", HoldRequest(target_participant=identify(SECOND)))
        two.move(SECOND, into=two.first)
        await asyncio.sleep(1)
        assert [each.held for each in two.here.media.rooms[two.first.call_id].voices] == [False, True]
        two.first.check_replay()
        two.here.hang_up(two.first.call_id)
        await two.over()

    play(act)


def test_who_is_not_in_the_other_call_is_told_of_by_an_event() -> None:
    async def act(two: Two) -> None:
        two.move(SECOND, THIRD, SECOND, into=two.first)
        await asyncio.sleep(1)
        assert two.first.told() == ["MoveParticipantSucceeded", "MoveParticipantFailed", UPDATED]
        told = two.first.last("MoveParticipantFailed")
        assert two.first.result("MoveParticipantFailed") == (404, 8522)
        assert told["participant"]["rawId"] == f"4:{THIRD}"
        assert told["fromCall"] == two.second.call_id
        two.here.hang_up(two.first.call_id)
        await two.over()

    play(act)


def test_what_cannot_be_moved_is_refused_and_nothing_happens() -> None:
    async def act(two: Two) -> None:
        own = two.first.call.connections[0].user
        assert two.refused(own, into=two.second).status == 501
        assert two.refused(USER, into=two.second).status == 501
        assert two.refused(into=two.second).target == "$.targetParticipants"
        assert two.refused(SECOND, into=two.first, from_call=two.first.call_id).target == "$.fromCall"
        unknown = two.refused(SECOND, into=two.first, from_call="nonsense")
        assert (unknown.status, unknown.code) == (404, "8522")
        assert two.first.told() == []
        two.here.hang_up(two.first.call_id, everyone=True)
        two.here.hang_up(two.second.call_id)
        await two.over()

    play(act, target=USER)


def test_a_call_of_another_resource_gives_nobody_away() -> None:
    async def act(two: Two) -> None:
        request = MoveParticipantsRequest(
            target_participants=[identify(SECOND)], from_call=two.second.call_id
        )
        switch = two.here.switch
        with pytest.raises(ApiError) as refused:
            switch.operate(OTHER, two.first.call_id, request, two.here.ask("moveParticipants"))
        assert refused.value.status == 404
        assert OWN.name != OTHER.name
        two.here.hang_up(two.first.call_id)
        two.here.hang_up(two.second.call_id)
        await two.over()

    play(act)


def test_a_call_that_is_not_up_gives_nobody_away() -> None:
    async def act(two: Two) -> None:
        ringing = two.here.create_call(target=THIRD)
        await asyncio.sleep(0.5)
        refused = two.refused(THIRD, into=two.first, from_call=ringing)
        assert (refused.status, refused.code) == (400, "8501")
        for call_id in (ringing, two.first.call_id, two.second.call_id):
            two.here.hang_up(call_id)
        await two.over()

    play(act)


def test_a_full_call_takes_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onhook.switch.asking.MAX_LEGS", 2)

    async def act(two: Two) -> None:
        assert two.refused(SECOND, into=two.first).code == "8585"
        assert two.second.present == [SECOND]
        two.here.hang_up(two.first.call_id)
        two.here.hang_up(two.second.call_id)
        await two.over()

    play(act)


@pytest.mark.parametrize("third", [True, False])
def test_after_a_crash_every_telephone_is_released_by_the_call_that_has_it(*, third: bool) -> None:
    async def act(two: Two) -> None:
        if third:
            two.second.add(THIRD)
            await asyncio.sleep(3)
        two.move(SECOND, into=two.first)
        await asyncio.sleep(1)
        two.here.crash()
        two.here.start()
        await two.over()
        ended = two.first.result("CallDisconnected")
        assert ended == (500, 9999)
        facts = two.here.store.facts(two.first.call_id)
        sent = [f for f in facts if isinstance(f, SipSeen) and f.direction == "sent"]
        assert sum(f.start_line.startswith("BYE") for f in sent) == 2

    play(act)


def test_bytes_sent_after_the_move_are_sent_again_by_a_replay() -> None:
    async def act(two: Two) -> None:
        two.move(SECOND, into=two.first)
        await asyncio.sleep(1)
        two.first.remove(SECOND)
        await asyncio.sleep(1)
        facts = two.here.store.facts(two.first.call_id)
        record = two.here.store.call(two.first.call_id)
        assert record is not None
        trunks = two.here.stage.directory.trunks
        _, effects = replay(record, facts, CARRIER, setup_seconds=115, max_seconds=86_400, trunks=trunks)
        again = [each.data for each in effects if isinstance(each, Transmit)]
        sent = [f.message for f in facts if isinstance(f, SipSeen) and f.direction == "sent"]
        assert again == sent
        assert any(data.startswith(b"BYE") for data in sent)
        two.here.hang_up(two.first.call_id)
        await two.over()

    play(act)
