"""removeParticipant and mute: who leaves or falls silent, who is told, and how the call is judged then."""

import asyncio

import pytest

from onhook.acs.errors import ApiError
from onhook.acs.identifiers import identify
from onhook.acs.models import MuteParticipantsRequest
from onhook.facts import LegDismissed
from onhook.lab.rehearsal import CALLEE
from participants_scene import ANSWERS, SECOND, USER, Scene, by_number, play

UPDATED = "ParticipantsUpdated"


async def with_second(scene: Scene) -> None:
    scene.add()
    await asyncio.sleep(3)
    assert scene.present == [CALLEE, SECOND]


def test_a_removed_telephone_is_gone_at_once_and_the_call_goes_on() -> None:
    async def act(scene: Scene) -> None:
        await with_second(scene)
        scene.remove(operation_context="bye")
        assert scene.present == [CALLEE]
        assert scene.rooms == [[CALLEE]]
        await asyncio.sleep(1)
        assert scene.told()[2:] == ["RemoveParticipantSucceeded", UPDATED]
        told = scene.last("RemoveParticipantSucceeded")
        assert told["operationContext"] == "bye"
        assert told["participant"]["rawId"] == f"4:{SECOND}"
        assert [line for line in scene.invites(SECOND) if line.startswith("BYE")]
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act)


def test_a_trunk_that_does_not_confirm_the_bye_keeps_nobody_in_the_call() -> None:
    async def act(scene: Scene) -> None:
        await with_second(scene)
        scene.remove()
        assert scene.present == [CALLEE]
        await asyncio.sleep(40)
        assert scene.present == [CALLEE]
        assert scene.told()[2:] == ["RemoveParticipantSucceeded", UPDATED]
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app", released=False)

    play(act, by_number(n14255550201=f"{ANSWERS}carrier: wait 1 s\ncarrier: silence"))


@pytest.mark.parametrize("first", [True, False])
def test_removing_the_last_of_the_others_ends_the_call(first: bool) -> None:  # noqa: FBT001  # a parameter
    async def act(scene: Scene) -> None:
        if not first:
            await with_second(scene)
            scene.remove(CALLEE)
            await asyncio.sleep(1)
            assert scene.present == [SECOND]
        scene.remove(CALLEE if first else SECOND)
        await scene.ends("left-alone")
        assert scene.told()[-2:] == ["RemoveParticipantSucceeded", "CallDisconnected"]
        assert scene.result("CallDisconnected") == (200, 5010)
        record = scene.here.store.call(scene.call_id)
        assert record is not None
        assert record.verdict is not None
        shown = [proof.shows for proof in record.verdict.evidence]
        assert (
            "the application removed the participant (removeParticipant), and one participant remained"
            in shown
        )
        whys = [each.why for each in scene.here.store.facts(scene.call_id) if isinstance(each, LegDismissed)]
        assert set(whys) == {"removed"}

    play(act)


def test_a_removed_user_hears_that_it_was_removed() -> None:
    async def act(scene: Scene) -> None:
        scene.add(USER, caller="")
        await asyncio.sleep(1)
        other = scene.here.answer()
        await asyncio.sleep(1)
        scene.remove(USER)
        await asyncio.sleep(1)
        names = [each["type"].rpartition(".")[2] for each in scene.events(other)]
        assert names[-1] == "CallDisconnected"
        assert scene.result("CallDisconnected", other) == (200, 5000)
        assert scene.told()[-2:] == ["RemoveParticipantSucceeded", UPDATED]
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act)


def test_removing_the_user_who_is_the_only_other_one_ends_the_call() -> None:
    async def act(scene: Scene) -> None:
        scene.remove(USER)
        await scene.ends()
        assert scene.result("CallDisconnected") == (200, 5010)
        ids = {each["data"]["callConnectionId"] for each in scene.here.inbox.events} - {scene.call_id}
        assert [scene.result("CallDisconnected", each) for each in ids] == [(200, 5000)]

    play(act, target=USER)


def test_who_is_not_in_the_call_is_told_of_by_an_event() -> None:
    async def act(scene: Scene) -> None:
        scene.add()
        scene.remove(operation_context="x")
        await asyncio.sleep(1)
        assert scene.told() == ["RemoveParticipantFailed"]
        assert scene.result("RemoveParticipantFailed") == (404, 8522)
        told = scene.last("RemoveParticipantFailed")
        assert told["participant"]["rawId"] == f"4:{SECOND}"
        assert told["operationContext"] == "x"
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act, by_number(n14255550201="carrier: 180 Ringing\n"))


def test_an_application_does_not_remove_itself() -> None:
    async def act(scene: Scene) -> None:
        own = scene.call.connections[0].user
        with pytest.raises(ApiError) as refused:
            scene.remove(own)
        assert (refused.value.status, refused.value.target) == (400, "$.participantToRemove")
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act)


def test_one_who_hangs_up_while_being_removed_is_simply_gone() -> None:
    async def act(scene: Scene) -> None:
        await with_second(scene)
        await asyncio.sleep(0.99)
        scene.remove()
        await asyncio.sleep(5)
        assert scene.present == [CALLEE]
        assert scene.told()[2:] == ["RemoveParticipantSucceeded", UPDATED]
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act, by_number(n14255550201=f"{ANSWERS}carrier: wait 3 s\ncarrier: bye"))


def test_a_caller_who_came_in_can_be_removed() -> None:
    async def act(scene: Scene) -> None:
        await with_second(scene)
        scene.remove(CALLEE)
        await asyncio.sleep(1)
        assert scene.present == [SECOND]
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act)


# Muting


def test_a_muted_user_is_shown_as_muted_at_once() -> None:
    async def act(scene: Scene) -> None:
        scene.add(USER, caller="")
        await asyncio.sleep(1)
        scene.here.answer()
        await asyncio.sleep(1)
        scene.mute(USER)
        shown = scene.here.switch.get_participant(scene.here.stage.resource, scene.call_id, USER)
        assert shown.is_muted
        await asyncio.sleep(1)
        assert scene.told()[-1] == UPDATED
        listed = {each["identifier"]["rawId"]: each for each in scene.last(UPDATED)["participants"]}
        assert listed[USER]["isMuted"]
        assert not listed[f"4:{CALLEE}"].get("isMuted", False)
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        scene.here.hang_up(scene.call_id, everyone=True)

    play(act)


@pytest.mark.parametrize(
    ("parties", "target", "words"),
    [
        ([CALLEE], "$.targetParticipants[0]", "is a telephone"),
        ([USER], "$.targetParticipants[0]", "is not in the call"),
        ([], "$.targetParticipants", "is empty"),
    ],
)
def test_only_users_in_the_call_are_muted(parties: list[str], target: str, words: str) -> None:
    async def act(scene: Scene) -> None:
        request = MuteParticipantsRequest(target_participants=[identify(party) for party in parties])
        with pytest.raises(ApiError) as refused:
            scene.here.operate(scene.call_id, "mute", request)
        assert (refused.value.status, refused.value.code, refused.value.target) == (400, "8523", target)
        assert words in refused.value.message
        assert scene.told() == []
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act)
