"""Operations on an open call: who may ask, what is kept of it, and that a replay does the same again."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from onhook.acs.errors import ApiError
from onhook.acs.identifiers import identify
from onhook.acs.models import HoldRequest, UnholdRequest
from onhook.calls.replay import replay
from onhook.calls.states import State
from onhook.effects import MediaEffect, Mix, Publish
from onhook.facts import ApiRequested, ServerRestarted
from onhook.lab.rehearsal import CALLEE, World
from onhook.lab.virtual_time import run
from stages import ANSWERS, CARRIER, RINGS, world


def play(act: Callable[[World, str], Coroutine[Any, Any, None]], scenario: str = ANSWERS) -> None:
    async def main() -> None:
        here = await world(scenario)
        call_id = here.create_call()
        await asyncio.sleep(2)
        await act(here, call_id)
        here.switch.close()
        await here.network.close()

    run(main())


def hold(party: str = CALLEE) -> HoldRequest:
    return HoldRequest(target_participant=identify(party))


def updates(here: World) -> list[tuple[str, bool]]:
    """Raw id and isOnHold of the first participant, of each ParticipantsUpdated."""
    kind = "Microsoft.Communication.ParticipantsUpdated"
    told = [event["data"]["participants"] for event in here.inbox.events if event["type"] == kind]
    return [(each[0]["identifier"]["rawId"], each[0].get("isOnHold", False)) for each in told]


def test_hold_and_unhold_are_told_by_participants_updated_and_seen_in_the_list() -> None:
    async def act(here: World, call_id: str) -> None:
        assert here.operate(call_id, "hold", hold()) is None
        assert [each.is_on_hold for each in here.switch.calls[call_id].participants] == [True, False]
        here.operate(call_id, "unhold", UnholdRequest(target_participant=identify(CALLEE)))
        await asyncio.sleep(1)
        raw_id = f"4:{CALLEE}"
        assert updates(here) == [(raw_id, False), (raw_id, True), (raw_id, False)]

    play(act)


def test_an_operation_needs_a_call_that_is_up() -> None:
    async def act(here: World, call_id: str) -> None:
        with pytest.raises(ApiError) as refused:
            here.operate(call_id, "hold", hold())
        assert (refused.value.status, refused.value.code) == (400, "8501")
        assert not [fact for fact in here.switch.calls[call_id].timeline if isinstance(fact, ApiRequested)][
            1:
        ]

    play(act, RINGS)


def test_a_participant_who_is_not_in_the_call_is_refused_by_name() -> None:
    async def act(here: World, call_id: str) -> None:
        with pytest.raises(ApiError) as refused:
            here.operate(call_id, "hold", hold("+14255550999"))
        assert (refused.value.status, refused.value.target) == (400, "$.targetParticipant")
        assert "4:+14255550999" in refused.value.message

    play(act)


def test_the_request_is_kept_whole_and_a_replay_does_it_again() -> None:
    async def act(here: World, call_id: str) -> None:
        here.operate(call_id, "hold", hold())
        await asyncio.sleep(1)
        facts = here.store.facts(call_id)
        asked = next(fact for fact in facts if isinstance(fact, ApiRequested) and fact.operation == "hold")
        assert msgspec.json.decode(asked.body, type=HoldRequest) == hold()
        assert asked.status == 200
        record = here.store.call(call_id)
        assert record is not None
        live = here.switch.calls[call_id]
        again, effects = replay(record, facts, CARRIER, setup_seconds=115, max_seconds=86_400)
        assert again.state is State.CONNECTED
        assert again.participants == live.participants
        assert again.timeline == live.timeline
        mixes = [effect for effect in effects if isinstance(effect, Mix)]
        assert [[voice.held for voice in mix.voices] for mix in mixes] == [[False], [True]]
        told = [effect.type for effect in effects if isinstance(effect, Publish)]
        assert told == ["CallConnected", "ParticipantsUpdated", "ParticipantsUpdated"]

    play(act)


def test_media_is_told_who_is_in_the_room_and_that_nobody_is_left() -> None:
    async def act(here: World, call_id: str) -> None:
        call = here.switch.calls[call_id]
        mixed: list[Mix] = []
        perform = here.switch._media.perform

        def watch(effect: MediaEffect) -> None:
            if isinstance(effect, Mix):
                mixed.append(effect)
            perform(effect)

        here.switch._media.perform = watch  # type: ignore[method-assign]  # to see what it is told
        here.operate(call_id, "hold", hold())
        here.hang_up(call_id)
        await asyncio.sleep(1)
        assert call.state is State.ENDED
        assert [mix.room for mix in mixed] == [call_id, call_id]
        assert [len(mix.voices) for mix in mixed] == [1, 0]

    play(act)


def test_a_crash_after_an_operation_ends_the_call_as_any_other() -> None:
    async def act(here: World, call_id: str) -> None:
        here.operate(call_id, "hold", hold())
        await asyncio.sleep(1)
        here.crash()
        here.start()
        await asyncio.sleep(5)
        record = here.store.call(call_id)
        assert record is not None
        assert record.verdict is not None
        assert record.verdict.ending == "server-restarted"
        assert any(isinstance(fact, ServerRestarted) for fact in here.store.facts(call_id))

    play(act)
