"""addParticipant and cancelAddParticipant: who is rung, who is told what, and what is left of it."""

import asyncio
from typing import Any

import pytest

from onhook.acs.errors import ApiError
from onhook.acs.models import CustomCallingContext
from onhook.calls.directory import VoiceRoute
from onhook.calls.features.invitation import Invitation
from onhook.endings.failures import failures_of
from onhook.facts import LegDismissed, RouteRefused
from onhook.lab.rehearsal import CALLEE
from onhook.machine import Machine, Row
from onhook.sip.messages import Request, parse
from participants_scene import ANSWERS, SECOND, THIRD, USER, Scene, by_number, far_calls, play
from stages import stage

BUSY = "carrier: 180 Ringing\ncarrier: wait 1 s\ncarrier: 486 Busy Here | Reason: Q.850;cause=17\n"
RINGS = "carrier: 180 Ringing\n"
UPDATED = "ParticipantsUpdated"


def test_an_added_telephone_joins_and_is_heard() -> None:
    async def act(scene: Scene) -> None:
        scene.add(operation_context="add")
        assert scene.present == [CALLEE]
        await asyncio.sleep(3)
        assert scene.present == [CALLEE, SECOND]
        assert scene.rooms == [[CALLEE, SECOND]]
        assert scene.told() == ["AddParticipantSucceeded", UPDATED]
        told = scene.last("AddParticipantSucceeded")
        assert told["operationContext"] == "add"
        assert told["participant"]["rawId"] == f"4:{SECOND}"
        assert scene.result("AddParticipantSucceeded") == (200, 0)
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act)


def test_an_added_user_hears_of_the_call_and_answers_with_a_connection_of_its_own() -> None:
    async def act(scene: Scene) -> None:
        scene.add(USER, caller="")
        heard = scene.here.subscribers.heard[-1]
        assert heard.data["to"]["rawId"] == USER
        await asyncio.sleep(1)
        other = scene.here.answer()
        await asyncio.sleep(1)
        assert scene.present == [CALLEE]
        assert [each.identifier.raw_id for each in scene.call.participants if each.identifier][1:] != []
        assert scene.told() == ["AddParticipantSucceeded", UPDATED]
        assert [each["type"].rpartition(".")[2] for each in scene.events(other)] == ["CallConnected", UPDATED]
        scene.check_replay()
        scene.here.hang_up(other)
        await asyncio.sleep(1)
        assert scene.told()[-1] == UPDATED
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act)


@pytest.mark.parametrize(
    ("scenario", "code", "subcode", "sip"),
    [
        (BUSY, 486, 560486, 486),
        ("carrier: 603 Decline", 603, 560603, 603),
        ("carrier: 404 Not Found", 404, 560404, 404),
        ("carrier: silence", 408, 500001, None),
    ],
)
def test_a_telephone_that_does_not_answer_is_told_of_as_by_createcall(
    scenario: str, code: int, subcode: int, sip: int | None
) -> None:
    async def act(scene: Scene) -> None:
        scene.add(operation_context="mine")
        await asyncio.sleep(20)
        assert scene.told() == ["AddParticipantFailed"]
        told = scene.last("AddParticipantFailed")
        assert scene.result("AddParticipantFailed") == (code, subcode)
        assert told["operationContext"] == "mine"
        assert told["participant"]["rawId"] == f"4:{SECOND}"
        details = told["resultInformation"].get("sipDetails") or {}
        assert details.get("code") == sip
        assert scene.present == [CALLEE]
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act, by_number(n14255550201=scenario))


def test_a_user_who_declines_or_is_not_heard_of() -> None:
    async def act(scene: Scene) -> None:
        scene.add(USER, caller="")
        await asyncio.sleep(1)
        scene.here.reject("busy")
        await asyncio.sleep(1)
        first = scene.result("AddParticipantFailed")
        scene.add(USER, caller="")
        await asyncio.sleep(31)
        assert scene.told() == ["AddParticipantFailed", "AddParticipantFailed"]
        assert (first, scene.result("AddParticipantFailed")) == ((603, 0), (487, 10004))
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act)


def test_the_invitation_timeout_ends_the_ringing() -> None:
    async def act(scene: Scene) -> None:
        scene.add(invitation_timeout_in_seconds=7)
        await asyncio.sleep(6.9)
        assert scene.told() == []
        await asyncio.sleep(1)
        assert scene.told() == ["AddParticipantFailed"]
        assert scene.result("AddParticipantFailed") == (487, 560487)
        assert [line for line in scene.invites(SECOND) if line.startswith("CANCEL")]
        assert scene.present == [CALLEE]
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act, by_number(n14255550201=RINGS))


def test_a_trunk_that_ignores_the_cancel_is_not_waited_for() -> None:
    async def act(scene: Scene) -> None:
        scene.add(invitation_timeout_in_seconds=7)
        await asyncio.sleep(12)
        assert scene.told() == ["AddParticipantFailed"]
        scene.here.hang_up(scene.call_id)
        await scene.ends(released=False)

    play(act, by_number(n14255550201=f"carrier: ignore cancel\n{RINGS}"))


def test_a_users_context_is_good_as_long_as_the_invitation() -> None:
    async def act(scene: Scene) -> None:
        scene.add(USER, caller="", invitation_timeout_in_seconds=120)
        await asyncio.sleep(90)
        scene.here.answer()
        await asyncio.sleep(1)
        assert scene.told() == ["AddParticipantSucceeded", UPDATED]
        scene.here.hang_up(scene.call_id, everyone=True)
        await scene.ends()

    play(act)


def test_without_a_timeout_a_telephone_rings_as_long_as_by_createcall() -> None:
    async def act(scene: Scene) -> None:
        scene.add(invitation_timeout_in_seconds=0)
        await asyncio.sleep(114)
        assert scene.told() == []
        await asyncio.sleep(2)
        assert scene.told() == ["AddParticipantFailed"]
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act, by_number(n14255550201=RINGS))


# Cancelling


def test_a_cancelled_invitation_is_told_by_the_cancellation_alone() -> None:
    async def act(scene: Scene) -> None:
        invitation = scene.add()
        await asyncio.sleep(2)
        scene.cancel(invitation, operation_context="no")
        await asyncio.sleep(2)
        assert scene.told() == ["CancelAddParticipantSucceeded"]
        told = scene.last("CancelAddParticipantSucceeded")
        assert (told["invitationId"], told["operationContext"]) == (invitation, "no")
        assert [line for line in scene.invites(SECOND) if line.startswith("CANCEL")]
        assert scene.present == [CALLEE]
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act, by_number(n14255550201=RINGS))


def test_a_cancelled_user_rings_no_more() -> None:
    async def act(scene: Scene) -> None:
        scene.cancel(scene.add(USER, caller=""))
        await asyncio.sleep(1)
        assert scene.told() == ["CancelAddParticipantSucceeded"]
        with pytest.raises(ApiError):
            scene.here.answer()
        await asyncio.sleep(60)
        assert scene.told() == ["CancelAddParticipantSucceeded"]
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act)


def test_what_is_answered_over_or_unknown_cannot_be_cancelled() -> None:
    async def act(scene: Scene) -> None:
        answered = scene.add()
        busy = scene.add(THIRD)
        await asyncio.sleep(4)
        for invitation, expected in ((answered, (400, 8585)), (busy, (400, 8585)), ("nonsense", (404, 8522))):
            scene.cancel(invitation)
            await asyncio.sleep(1)
            assert scene.result("CancelAddParticipantFailed") == expected
            assert scene.last("CancelAddParticipantFailed")["invitationId"] == invitation
        assert scene.present == [CALLEE, SECOND]
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act, by_number(n14255550202=BUSY))


def test_an_invitation_whose_time_is_over_cannot_be_cancelled() -> None:
    async def act(scene: Scene) -> None:
        invitation = scene.add(invitation_timeout_in_seconds=1)
        await asyncio.sleep(2)
        scene.cancel(invitation)
        await asyncio.sleep(1)
        assert scene.told() == ["CancelAddParticipantFailed"]
        await asyncio.sleep(5)
        assert scene.told() == ["CancelAddParticipantFailed", "AddParticipantFailed"]
        scene.here.hang_up(scene.call_id)
        await scene.ends(released=False)

    play(act, by_number(n14255550201=f"carrier: ignore cancel\n{RINGS}"))


# The call ends meanwhile


@pytest.mark.parametrize("party", [SECOND, USER])
@pytest.mark.parametrize("how", ["terminate", "phone"])
def test_the_call_ends_while_somebody_rings(party: str, how: str) -> None:
    async def act(scene: Scene) -> None:
        scene.add(party)
        await asyncio.sleep(1)
        if how == "terminate":
            scene.here.hang_up(scene.call_id, everyone=True)
        await scene.ends("hung-up-by-app" if how == "terminate" else "hung-up-by-phone")
        assert scene.told()[-2:] == ["AddParticipantFailed", "CallDisconnected"]
        assert scene.result("AddParticipantFailed") == (487, 560487)
        dismissed = [f for f in scene.here.store.facts(scene.call_id) if isinstance(f, LegDismissed)]
        assert [each.why for each in dismissed] == ["call-over"]

    leaves = f"{ANSWERS}carrier: wait 5 s\ncarrier: bye\n" if how == "phone" else ANSWERS
    play(act, by_number(n14255550200=leaves, n14255550201=RINGS))


def test_an_application_that_leaves_takes_its_invitations_along() -> None:
    async def act(scene: Scene) -> None:
        other = scene.here.connect(scene.call_id)
        scene.add()
        await asyncio.sleep(1)
        scene.here.hang_up(scene.call_id)
        await asyncio.sleep(1)
        assert scene.told()[-2:] == ["AddParticipantFailed", "CallDisconnected"]
        assert [line for line in scene.invites(SECOND) if line.startswith("CANCEL")]
        assert scene.call.open_connections
        scene.here.hang_up(other)
        await scene.ends()

    play(act, by_number(n14255550201=RINGS))


def test_the_added_one_goes_and_the_call_goes_on() -> None:
    async def act(scene: Scene) -> None:
        scene.add()
        await asyncio.sleep(10)
        assert scene.present == [CALLEE]
        assert scene.rooms == [[CALLEE]]
        assert scene.told() == ["AddParticipantSucceeded", UPDATED, UPDATED]
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act, by_number(n14255550201=f"{ANSWERS}carrier: wait 5 s\ncarrier: bye\n"))


def test_the_first_one_goes_and_the_added_one_stays() -> None:
    async def act(scene: Scene) -> None:
        scene.add()
        await asyncio.sleep(8)
        assert scene.present == [SECOND]
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act, by_number(n14255550200=f"{ANSWERS}carrier: wait 5 s\ncarrier: bye\n"))


def test_a_crash_with_an_added_party_releases_everybody() -> None:
    async def act(scene: Scene) -> None:
        scene.add()
        await asyncio.sleep(3)
        scene.add(THIRD)
        await asyncio.sleep(0.5)
        scene.here.crash()
        scene.here.start()
        await scene.ends("server-restarted")
        assert scene.told()[-1] == "CallDisconnected"
        assert all(call.over for call in far_calls(scene.here))

    play(act, by_number(n14255550202=RINGS))


# What is shown and sent


def invite_to(scene: Scene, number: str) -> Request:
    leg = next(each for each in scene.call.legs if each.party == number)
    fact = next(
        each
        for each in scene.here.store.facts(scene.call_id)
        if each.leg == leg.id and hasattr(each, "message")
    )
    message = parse(fact.message)
    assert isinstance(message, Request)
    return message


def test_the_invite_shows_the_given_number_name_and_headers() -> None:
    async def act(scene: Scene) -> None:
        context = CustomCallingContext(
            sip_headers={"User-To-User": "abc;encoding=hex", "X-MS-Custom-Ticket": "42"},
            voip_headers={"ticket": "42"},
        )
        scene.add(caller="+14255550177", source_display_name="Desk", custom_calling_context=context)
        await asyncio.sleep(3)
        invite = invite_to(scene, SECOND)
        assert invite.from_ is not None
        assert invite.from_.uri.startswith("sip:+14255550177@")
        assert invite.from_.display_name == "Desk"
        assert invite.headers.get("user-to-user") == "abc;encoding=hex"
        assert invite.headers.get("x-ms-custom-ticket") == "42"
        assert "ticket" not in invite.headers
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act)


def test_a_user_gets_both_kinds_of_headers_with_the_call() -> None:
    async def act(scene: Scene) -> None:
        context = CustomCallingContext(sip_headers={"X-MS-Custom-A": "1"}, voip_headers={"b": "2"})
        scene.add(USER, caller="", custom_calling_context=context, source_display_name="Desk")
        heard = scene.here.subscribers.heard[-1].data
        assert heard["customContext"] == {"sipHeaders": {"X-MS-Custom-A": "1"}, "voipHeaders": {"b": "2"}}
        assert heard["callerDisplayName"] == "Desk"
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act)


def test_events_go_where_the_operation_says() -> None:
    async def act(scene: Scene) -> None:
        elsewhere = "https://app.example.com/other?key=1"
        invitation = scene.add(operation_callback_uri=elsewhere)
        scene.cancel(invitation)
        await asyncio.sleep(1)
        assert scene.posted_to("CancelAddParticipantSucceeded") != elsewhere
        scene.add(THIRD, operation_callback_uri=elsewhere)
        await asyncio.sleep(3)
        assert scene.posted_to("AddParticipantSucceeded") == elsewhere
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act, by_number(n14255550201=RINGS))


# Refused


def refused(scene: Scene, party: str = SECOND, **more: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        scene.add(party, **more)
    return caught.value


def test_what_cannot_be_added_is_refused_by_name() -> None:
    async def act(scene: Scene) -> None:
        there = refused(scene, CALLEE)
        assert (there.status, there.code, there.target) == (400, "8523", "$.participantToAdd")
        assert "in the call already" in there.message
        assert refused(scene, "+1 425").status == 400
        assert refused(scene, "28:orgid:00000000-0000-0000-0000-000000000001").status == 501
        assert refused(scene, caller="nonsense").target == "$.sourceCallerIdNumber"
        scene.add()
        again = refused(scene)
        assert (again.status, again.code) == (409, "8519")
        context = CustomCallingContext(sip_headers={"Via": "evil"})
        assert (
            refused(scene, THIRD, custom_calling_context=context).target
            == "$.customCallingContext.sipHeaders"
        )
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act, by_number(n14255550201=RINGS))


def test_a_bought_number_is_needed_where_the_route_is_not_direct_routing() -> None:
    async def act(scene: Scene) -> None:
        scene.add(caller="")
        await asyncio.sleep(1)
        assert scene.told() == ["AddParticipantFailed"]
        assert scene.result("AddParticipantFailed") == (403, 510403)
        assert any(isinstance(each, RouteRefused) for each in scene.here.store.facts(scene.call_id))
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    bought = VoiceRoute("world", r"\+[0-9]+", ("carrier",), direct_routing=False)
    play(act, on=stage(routes=(bought,)))


def test_a_call_has_a_largest_number_of_legs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onhook.switch.switch.MAX_LEGS", 2)

    async def act(scene: Scene) -> None:
        full = refused(scene)
        assert (full.status, full.code) == (400, "8585")
        scene.here.hang_up(scene.call_id)
        await scene.ends()

    play(act)


def test_a_call_between_users_takes_a_telephone_in() -> None:
    async def act(scene: Scene) -> None:
        scene.add()
        await asyncio.sleep(3)
        assert scene.present == [SECOND]
        assert scene.rooms == [[SECOND]]
        scene.check_replay()
        scene.here.hang_up(scene.call_id, everyone=True)
        await scene.ends("hung-up-by-app")

    play(act, target=USER.replace("0001", "0009"))


def test_every_row_of_an_invitation_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    run: set[tuple[str, Row]] = set()
    monkeypatch.setattr(Machine, "rows_run", run)
    test_an_added_telephone_joins_and_is_heard()
    test_a_telephone_that_does_not_answer_is_told_of_as_by_createcall(BUSY, 486, 560486, 486)
    test_the_invitation_timeout_ends_the_ringing()
    test_a_trunk_that_ignores_the_cancel_is_not_waited_for()
    test_a_cancelled_invitation_is_told_by_the_cancellation_alone()
    test_the_call_ends_while_somebody_rings(SECOND, "terminate")
    withdrawn_and_hung_up()
    monkeypatch.undo()
    Machine.rows_run.update(run)
    ran = {f"{row[0].name} <- {row[1].__name__}" for name, row in run if name == "Invitation"}
    assert {f"{state.name} <- {kind.__name__}" for state, kind in Invitation.TABLE} - ran == set()


def withdrawn_and_hung_up() -> None:
    """The call ends just after an invitation's time was over."""

    async def act(scene: Scene) -> None:
        scene.add(invitation_timeout_in_seconds=1)
        await asyncio.sleep(2)
        scene.here.hang_up(scene.call_id)
        await scene.ends(released=False)

    play(act, by_number(n14255550201=f"carrier: ignore cancel\n{RINGS}"))


def test_a_party_that_did_not_join_is_a_failure_within_the_call() -> None:
    async def act(scene: Scene) -> None:
        scene.add()
        await asyncio.sleep(2)
        (failure,) = failures_of(scene.here.store.facts(scene.call_id)).told
        told = failure.explanation
        assert (failure.operation, told.ending) == ("addParticipant", "callee-busy")
        assert scene.result("AddParticipantFailed") == (told.event_code, told.subcode)
        assert scene.last("AddParticipantFailed")["resultInformation"]["message"] == told.message
        scene.check_replay()
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")

    play(act, by_number(n14255550201="carrier: 180 Ringing\ncarrier: 486 Busy Here"))
