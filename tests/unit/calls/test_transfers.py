"""transferToParticipant: by REFER and by calling the target from here, in calls of two and of more."""

import asyncio
from typing import Any

import pytest

from onhook.acs.errors import ApiError
from onhook.acs.identifiers import identify
from onhook.acs.models import (
    CallConnectionStateModel,
    CustomCallingContext,
    PhoneNumberIdentifierModel,
    TransferCallResponse,
    TransferToParticipantRequest,
)
from onhook.calls.directory import Trunk, VoiceRoute
from onhook.calls.features.transfer import Transfer
from onhook.facts import LegDismissed, SipSeen
from onhook.lab.rehearsal import CALLEE, CALLER
from onhook.lab.scenario import parse_scenario
from onhook.lab.virtual_time import run
from onhook.machine import Machine, Row
from participants_scene import ANSWERS, SECOND, THIRD, USER, Scene, by_number, far_calls, play
from stages import CARRIER, stage, world

UPDATED = "ParticipantsUpdated"
RINGS = "carrier: 180 Ringing\n"
BUSY = "carrier: 486 Busy Here | Reason: Q.850;cause=17\n"
LEAVES_LATER = f"{ANSWERS}carrier: wait 20 s\ncarrier: bye\n"


def transfer(scene: Scene, target: str = SECOND, *, transferee: str = "", **more: Any) -> None:
    request = TransferToParticipantRequest(
        target_participant=identify(target),
        transferee=identify(transferee) if transferee else None,
        source_caller_id_number=PhoneNumberIdentifierModel(value=CALLER),
        operation_context="hand over",
        **more,
    )
    made = scene.here.operate(scene.call_id, "transferToParticipant", request)
    assert isinstance(made, TransferCallResponse)
    assert made.operation_context == "hand over"


def refers(how: str, then: str = ANSWERS) -> str:
    return f"carrier: refer {how}\n{then}"


def sent(scene: Scene, method: str) -> list[str]:
    facts = [each for each in scene.here.store.facts(scene.call_id) if isinstance(each, SipSeen)]
    lines = [each.start_line for each in facts if each.direction == "sent"]
    return [line for line in lines if line.startswith(method)]


def refused(scene: Scene, target: str = SECOND, *, transferee: str = "", **more: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        transfer(scene, target, transferee=transferee, **more)
    return caught.value


# By calling the target from here


def test_the_target_answers_and_the_two_telephones_go_on_without_the_application() -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        assert scene.call.connection_state is CallConnectionStateModel.TRANSFERRING
        await asyncio.sleep(3)
        assert scene.told() == ["CallTransferAccepted", "CallDisconnected"]
        told = scene.last("CallTransferAccepted")
        assert told["operationContext"] == "hand over"
        assert told["transferTarget"]["rawId"] == f"4:{SECOND}"
        assert told["transferee"]["rawId"] == f"4:{CALLEE}"
        assert scene.result("CallTransferAccepted") == (200, 0)
        assert scene.result("CallDisconnected") == (200, 7015)
        assert scene.rooms == [[CALLEE, SECOND]]
        assert not any(call.over for call in far_calls(scene.here))
        scene.check_replay()
        with pytest.raises(ApiError):
            scene.here.operate(scene.call_id, "hold", None)
        await scene.ends("transferred")
        record = scene.here.store.call(scene.call_id)
        assert record is not None
        assert record.verdict is not None
        remarks = [each.shows for each in record.verdict.remarks]
        assert any("ended the call (BYE)" in each for each in remarks), remarks
        assert scene.told() == ["CallTransferAccepted", "CallDisconnected"]

    play(act, by_number(n14255550201=LEAVES_LATER))


@pytest.mark.parametrize(
    ("scenario", "code", "subcode"),
    [
        (BUSY, 486, 560486),
        ("carrier: 603 Decline", 603, 560603),
        ("carrier: silence", 408, 500001),
    ],
)
def test_the_target_does_not_answer_and_the_call_goes_on(scenario: str, code: int, subcode: int) -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(20)
        assert scene.told() == ["CallTransferFailed"]
        assert scene.result("CallTransferFailed") == (code, subcode)
        assert scene.last("CallTransferFailed")["operationContext"] == "hand over"
        assert scene.present == [CALLEE]
        assert scene.call.connection_state is CallConnectionStateModel.CONNECTED
        scene.check_replay()
        transfer(scene, THIRD)
        await asyncio.sleep(3)
        assert scene.told() == ["CallTransferFailed", "CallTransferAccepted", "CallDisconnected"]
        await scene.ends("transferred")

    play(act, by_number(n14255550201=scenario, n14255550202=LEAVES_LATER))


def test_a_transfer_takes_sixty_seconds_at_most() -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(59.9)
        assert scene.told() == []
        await asyncio.sleep(1)
        assert scene.told() == ["CallTransferFailed"]
        assert scene.result("CallTransferFailed") == (487, 560487)
        assert sent(scene, "CANCEL")
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act, by_number(n14255550201=RINGS))


def test_a_trunk_that_ignores_the_cancel_is_not_waited_for() -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(66)
        assert scene.told() == ["CallTransferFailed"]
        scene.here.hang_up(scene.call_id)
        await scene.ends(released=False)

    play(act, by_number(n14255550201=f"carrier: ignore cancel\n{RINGS}"))


@pytest.mark.parametrize("how", ["terminate", "transferee", "withdrawn"])
def test_the_call_ends_before_the_transfer(how: str) -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(61 if how == "withdrawn" else 1)
        if how != "transferee":
            scene.here.hang_up(scene.call_id, everyone=True)
        await scene.ends("hung-up-by-phone" if how == "transferee" else "hung-up-by-app", released=False)
        assert scene.told() == ["CallTransferFailed", "CallDisconnected"]
        assert scene.result("CallTransferFailed") == (400, 8528)
        assert sent(scene, "CANCEL")

    leaves = f"{ANSWERS}carrier: wait 4 s\ncarrier: bye\n" if how == "transferee" else ANSWERS
    rings = f"carrier: ignore cancel\n{RINGS}" if how == "withdrawn" else RINGS
    play(act, by_number(n14255550200=leaves, n14255550201=rings))


def test_an_application_that_leaves_gives_its_transfer_up() -> None:
    async def act(scene: Scene) -> None:
        other = scene.here.connect(scene.call_id)
        transfer(scene, transferee=CALLEE)
        await asyncio.sleep(1)
        scene.here.hang_up(scene.call_id)
        await asyncio.sleep(1)
        assert scene.told()[-2:] == ["CallTransferFailed", "CallDisconnected"]
        assert scene.result("CallTransferFailed") == (400, 8528)
        scene.here.hang_up(other)
        await scene.ends()

    play(act, by_number(n14255550201=RINGS))


def test_no_route_to_the_target() -> None:
    async def act(scene: Scene) -> None:
        transfer(scene, "+4930123456")
        await asyncio.sleep(1)
        assert scene.told() == ["CallTransferFailed"]
        assert scene.result("CallTransferFailed") == (403, 510403)
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act, on=stage(routes=(VoiceRoute("america", r"\+1[0-9]+", ("carrier",)),)))


def test_a_held_transferee_is_heard_by_the_target() -> None:
    async def act(scene: Scene) -> None:
        next(leg for leg in scene.call.legs if leg.party == CALLEE).held = True
        transfer(scene)
        await asyncio.sleep(3)
        voices = scene.here.media.rooms[scene.call_id].voices
        assert [(each.held, each.muted) for each in voices] == [(False, False)] * 2
        await scene.ends("transferred")

    play(act, by_number(n14255550201=LEAVES_LATER))


def test_two_telephones_without_an_application_outlive_a_crash_no_better_than_others() -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(3)
        scene.here.crash()
        scene.here.start()
        await scene.ends("transferred")
        assert scene.told() == ["CallTransferAccepted", "CallDisconnected"]

    play(act)


# To and from users


def test_to_a_user_whose_application_goes_on_with_the_call() -> None:
    async def act(scene: Scene) -> None:
        context = CustomCallingContext(sip_headers={"X-MS-Custom-A": "1"}, voip_headers={"b": "2"})
        transfer(scene, USER, custom_calling_context=context)
        heard = scene.here.subscribers.heard[-1].data
        assert heard["customContext"]["voipHeaders"] == {"b": "2"}
        await asyncio.sleep(1)
        other = scene.here.answer()
        await asyncio.sleep(1)
        assert scene.told() == ["CallTransferAccepted", "CallDisconnected"]
        assert scene.result("CallDisconnected") == (200, 7015)
        names = [each["type"].rpartition(".")[2] for each in scene.events(other)]
        assert names == ["CallConnected", UPDATED]
        listed = [each["identifier"]["rawId"] for each in scene.last(UPDATED, other)["participants"]]
        assert sorted(listed) == sorted([f"4:{CALLEE}", USER])
        scene.check_replay()
        scene.here.hang_up(other)
        await scene.ends()
        assert scene.result("CallDisconnected", other) == (200, 7000)

    play(act)


def test_a_user_is_handed_to_a_telephone() -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(3)
        assert scene.told() == ["CallTransferAccepted", "CallDisconnected"]
        other = next(each for each in scene.call.open_connections)
        assert scene.events(other.id)[-1]["type"].endswith(UPDATED)
        scene.here.hang_up(other.id)
        await scene.ends()

    play(act, target=USER)


# By REFER


def test_the_trunk_calls_the_target_itself() -> None:
    async def act(scene: Scene) -> None:
        context = CustomCallingContext(sip_headers={"User-To-User": "abc;encoding=hex"})
        transfer(scene, custom_calling_context=context)
        await asyncio.sleep(1.5)
        assert scene.told() == []
        scene.check_replay()
        await asyncio.sleep(1)
        assert scene.told() == ["CallTransferAccepted", "CallDisconnected"]
        assert scene.result("CallDisconnected") == (200, 7015)
        told = scene.last("CallTransferAccepted")
        assert told["transferTarget"]["rawId"] == f"4:{SECOND}"
        assert told["transferee"]["rawId"] == f"4:{CALLEE}"
        await scene.ends("transferred")
        (call,) = far_calls(scene.here)
        assert call.referred_to == [
            f"<sip:{SECOND}@192.0.2.2:5060;user=phone?User-to-User=abc%3Bencoding%3Dhex>".replace(
                "User-to-User", "User-To-User"
            )
        ]
        assert len(sent(scene, "INVITE")) == 1
        assert len(sent(scene, "BYE")) == 1

    play(act, refers("accepted"))


@pytest.mark.parametrize(
    ("how", "seconds", "code", "subcode"),
    [
        ("refused 603", 1, 603, 560603),
        ("refused 503", 1, 503, 560503),
        ("target 486", 3, 486, 560486),
        ("silent", 61, 408, 10057),
        ("ignored", 33, 408, 10057),
    ],
)
def test_a_refer_that_comes_to_nothing(how: str, seconds: float, code: int, subcode: int) -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(seconds)
        assert scene.told() == ["CallTransferFailed"]
        assert scene.result("CallTransferFailed") == (code, subcode)
        details = scene.last("CallTransferFailed")["resultInformation"].get("sipDetails") or {}
        assert details.get("code") == (code if subcode > 560_000 else None)
        assert scene.present == [CALLEE]
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")
        assert len(sent(scene, "INVITE")) == 1

    play(act, refers(how))


def test_a_far_end_that_leaves_after_it_agreed_has_gone_to_the_target() -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await scene.ends("transferred")
        assert scene.told() == ["CallTransferAccepted", "CallDisconnected"]
        assert not sent(scene, "BYE")

    play(act, refers("bye"))


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_trunk_that_takes_no_refer_after_all_gets_the_call_bridged(status: int) -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(3)
        assert scene.told() == ["CallTransferAccepted", "CallDisconnected"]
        assert scene.rooms == [[CALLEE, SECOND]]
        assert len(sent(scene, "REFER")) == 1
        scene.check_replay()
        await scene.ends("transferred")

    play(act, by_number(n14255550200=refers(f"refused {status}"), n14255550201=LEAVES_LATER))


def test_a_trunk_that_may_not_be_asked_is_not() -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(3)
        assert not sent(scene, "REFER")
        assert scene.told() == ["CallTransferAccepted", "CallDisconnected"]
        await scene.ends("transferred")

    quiet = Trunk("carrier", CARRIER.host, CARRIER.port, refer="never")
    play(act, by_number(n14255550200=refers("accepted"), n14255550201=LEAVES_LATER), stage(quiet))


def test_a_target_on_another_trunk_is_called_from_here() -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(3)
        assert not sent(scene, "REFER")
        await scene.ends("transferred")

    other = Trunk("other", "192.0.2.3", 5060)
    routes = (VoiceRoute("one", r"\+14255550201", ("other",)), VoiceRoute("rest", r"\+[0-9]+", ("carrier",)))
    scenarios = by_number(n14255550200=refers("accepted"), n14255550201=LEAVES_LATER)
    play(act, scenarios, stage(CARRIER, other, routes=routes))


def test_a_caller_who_came_in_is_referred_too() -> None:
    async def main() -> None:
        here = await world()
        text = "carrier: call from +14255550200 to +14255550100\ncarrier: refer accepted"
        caller = here.call_in(parse_scenario(text))
        await asyncio.sleep(1)
        scene = Scene(here, here.answer())
        await asyncio.sleep(1)
        transfer(scene)
        await asyncio.sleep(1.5)
        scene.check_replay()
        await scene.ends("transferred")
        assert scene.told() == ["CallTransferAccepted", "CallDisconnected"]
        assert caller.referred_to == [f"<sip:{SECOND}@192.0.2.2:5060;user=phone>"]
        assert caller.over
        here.switch.close()
        await here.network.close()

    run(main())


def test_the_call_ends_while_the_trunk_is_asked() -> None:
    async def act(scene: Scene) -> None:
        transfer(scene)
        await asyncio.sleep(1)
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")
        assert scene.told() == ["CallTransferFailed", "CallDisconnected"]
        assert scene.result("CallTransferFailed") == (400, 8528)

    play(act, refers("silent"))


def test_the_port_kept_for_a_target_that_the_trunk_calls_is_free_again() -> None:
    async def act(scene: Scene) -> None:
        before = scene.here.media.legs
        transfer(scene)
        assert scene.here.media.legs == before + 1
        await asyncio.sleep(3)
        assert scene.here.media.legs == 0
        await scene.ends("transferred")

    play(act, refers("accepted"))


# In a group call


async def group(scene: Scene) -> None:
    scene.add(THIRD)
    await asyncio.sleep(3)
    assert scene.present == [CALLEE, THIRD]


def test_one_of_a_group_goes_and_the_others_stay() -> None:
    async def act(scene: Scene) -> None:
        await group(scene)
        transfer(scene, transferee=CALLEE)
        await asyncio.sleep(3)
        assert scene.told()[2:] == ["CallTransferAccepted", UPDATED]
        assert scene.present == [THIRD]
        assert scene.rooms == [[THIRD], [CALLEE, SECOND]]
        scene.check_replay()
        await asyncio.sleep(30)
        assert scene.present == [THIRD]
        assert scene.rooms == [[THIRD]]
        assert sum(call.over for call in far_calls(scene.here)) == 2
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")
        whys = [f.why for f in scene.here.store.facts(scene.call_id) if isinstance(f, LegDismissed)]
        assert whys == ["transferred", "transferred"]

    play(act, by_number(n14255550201=LEAVES_LATER))


@pytest.mark.parametrize("how", ["hangUp", "terminate", "phone"])
def test_those_who_went_speak_on_when_the_applications_call_is_over(how: str) -> None:
    async def act(scene: Scene) -> None:
        await group(scene)
        transfer(scene, transferee=CALLEE)
        await asyncio.sleep(3)
        if how != "phone":
            scene.here.hang_up(scene.call_id, everyone=how == "terminate")
        await asyncio.sleep(6)
        assert scene.told()[-1] == "CallDisconnected"
        expected = (200, 560000) if how == "phone" else (200, 7000)
        assert scene.result("CallDisconnected") == expected
        assert scene.rooms == [[CALLEE, SECOND]]
        assert sum(not call.over for call in far_calls(scene.here)) == 2
        scene.check_replay()
        await scene.ends("hung-up-by-phone" if how == "phone" else "hung-up-by-app")

    third = f"{ANSWERS}carrier: wait 10 s\ncarrier: bye\n" if how == "phone" else ANSWERS
    play(act, by_number(n14255550201=LEAVES_LATER, n14255550202=third))


def test_two_pairs_speak_apart_and_end_apart() -> None:
    async def act(scene: Scene) -> None:
        await group(scene)
        fourth, fifth = "+14255550203", "+14255550204"
        scene.add(fourth)
        await asyncio.sleep(3)
        transfer(scene, SECOND, transferee=CALLEE)
        transfer(scene, fifth, transferee=THIRD)
        await asyncio.sleep(3)
        assert scene.present == [fourth]
        assert sorted(map(sorted, scene.rooms)) == sorted(
            map(sorted, [[fourth], [CALLEE, SECOND], [THIRD, fifth]])
        )
        scene.here.hang_up(scene.call_id)
        await asyncio.sleep(2)
        assert len(scene.rooms) == 2
        await asyncio.sleep(20)
        assert scene.rooms == [[THIRD, fifth]]
        await scene.ends("hung-up-by-app")

    later = f"{ANSWERS}carrier: wait 60 s\ncarrier: bye\n"
    play(act, by_number(n14255550201=LEAVES_LATER, n14255550204=later))


def test_the_application_and_one_more_are_too_few_when_all_others_went() -> None:
    async def act(scene: Scene) -> None:
        await group(scene)
        transfer(scene, transferee=CALLEE)
        await asyncio.sleep(3)
        scene.remove(THIRD)
        await asyncio.sleep(1)
        assert scene.told()[-2:] == ["RemoveParticipantSucceeded", "CallDisconnected"]
        assert scene.result("CallDisconnected") == (200, 5010)
        assert scene.rooms == [[CALLEE, SECOND]]
        await scene.ends("left-alone")

    play(act, by_number(n14255550201=LEAVES_LATER))


def test_one_of_a_group_is_referred_by_its_trunk() -> None:
    async def act(scene: Scene) -> None:
        await group(scene)
        transfer(scene, transferee=CALLEE)
        await asyncio.sleep(4)
        assert scene.told()[2:] == ["CallTransferAccepted", UPDATED]
        assert scene.present == [THIRD]
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act, by_number(n14255550200=refers("accepted")))


def test_one_who_is_removed_while_its_trunk_is_asked() -> None:
    async def act(scene: Scene) -> None:
        await group(scene)
        transfer(scene, transferee=CALLEE)
        await asyncio.sleep(0.5)
        scene.remove(CALLEE)
        await asyncio.sleep(5)
        assert scene.told()[2:] == ["RemoveParticipantSucceeded", UPDATED, "CallTransferFailed"]
        assert scene.result("CallTransferFailed") == (400, 8528)
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act, by_number(n14255550200=refers("silent")))


def test_a_group_transfer_that_fails_changes_nothing() -> None:
    async def act(scene: Scene) -> None:
        await group(scene)
        transfer(scene, transferee=CALLEE)
        await asyncio.sleep(3)
        assert scene.told()[2:] == ["CallTransferFailed"]
        assert scene.present == [CALLEE, THIRD]
        scene.here.hang_up(scene.call_id, everyone=True)
        await scene.ends("hung-up-by-app")

    play(act, by_number(n14255550201=BUSY))


# Refused


def test_what_cannot_be_transferred_is_refused_by_name() -> None:
    async def act(scene: Scene) -> None:
        assert refused(scene, CALLEE).target == "$.targetParticipant"
        assert refused(scene, "+1 425").target == "$.targetParticipant"
        assert refused(scene, transferee="+14255550999").target == "$.transferee"
        own = refused(scene, transferee=scene.call.connections[0].user)
        assert own.target == "$.transferee"
        assert "itself" in own.message
        evil = CustomCallingContext(sip_headers={"Via": "x"})
        assert refused(scene, custom_calling_context=evil).status == 400
        transfer(scene)
        again = refused(scene, THIRD)
        assert (again.status, again.code) == (409, "8607")
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act, by_number(n14255550201=RINGS))


def test_in_a_group_somebody_has_to_be_named_and_users_stay() -> None:
    async def act(scene: Scene) -> None:
        await group(scene)
        unnamed = refused(scene)
        assert (unnamed.status, unnamed.code, unnamed.target) == (400, "8523", "$.transferee")
        assert refused(scene, USER, transferee=CALLEE).status == 501
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act)


def test_every_row_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    run_rows: set[tuple[str, Row]] = set()
    monkeypatch.setattr(Machine, "rows_run", run_rows)
    test_a_held_transferee_is_heard_by_the_target()
    test_the_target_does_not_answer_and_the_call_goes_on(BUSY, 486, 560486)
    test_a_transfer_takes_sixty_seconds_at_most()
    test_a_trunk_that_ignores_the_cancel_is_not_waited_for()
    for how in ("terminate", "transferee", "withdrawn"):
        test_the_call_ends_before_the_transfer(how)
    test_the_trunk_calls_the_target_itself()
    test_a_refer_that_comes_to_nothing("refused 603", 1, 603, 560603)
    test_a_trunk_that_takes_no_refer_after_all_gets_the_call_bridged(405)
    test_the_call_ends_while_the_trunk_is_asked()
    test_one_who_is_removed_while_its_trunk_is_asked()
    withdrawn_and_left()
    monkeypatch.undo()
    Machine.rows_run.update(run_rows)
    ran = {f"{row[0].name} <- {row[1].__name__}" for name, row in run_rows if name == "Transfer"}
    assert {f"{state.name} <- {kind.__name__}" for state, kind in Transfer.TABLE} - ran == set()


def withdrawn_and_left() -> None:
    """The transferee hangs up just after the time was over."""

    async def act(scene: Scene) -> None:
        transfer(scene)
        await scene.ends("hung-up-by-phone", released=False)

    leaves = f"{ANSWERS}carrier: wait 62500 ms\ncarrier: bye\n"
    play(act, by_number(n14255550200=leaves, n14255550201=f"carrier: ignore cancel\n{RINGS}"))
