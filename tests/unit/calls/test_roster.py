"""What subscribers hear of a call's life: started, ended, users added and removed."""

import asyncio

from onhook.acs.identifiers import communication_user, phone_number
from onhook.acs.models import CallParticipant
from onhook.calls.life import life_event
from onhook.calls.record import CallRecord
from onhook.calls.roster import Roster
from onhook.config.stage import stage_of
from onhook.effects import Notify
from onhook.endings.verdict import Verdict
from onhook.lab.far_end import FarEnd
from onhook.lab.rehearsal import World
from onhook.lab.scenario import parse_scenario
from onhook.lab.virtual_time import run

ANN, BOB = "8:acs:0d0e0f00-0000-4000-8000-000000000001_ann", "8:acs:0d0e0f00-0000-4000-8000-000000000001_bob"


def users(*raw_ids: str) -> list[CallParticipant]:
    phone = CallParticipant(identifier=phone_number("+14255550200"))
    return [phone, *(CallParticipant(identifier=communication_user(raw_id)) for raw_id in raw_ids)]


def test_a_call_starts_with_its_first_participants() -> None:
    roster = Roster()
    assert roster.changes([], over=False) == []
    assert roster.changes(users(ANN), over=False) == [
        Notify("CallStarted"),
        Notify("CallParticipantAdded", ANN),
    ]
    assert roster.changes(users(ANN), over=False) == []


def test_users_come_and_go_and_telephones_are_left_out() -> None:
    roster = Roster()
    roster.changes(users(ANN), over=False)
    assert roster.changes(users(ANN, BOB), over=False) == [Notify("CallParticipantAdded", BOB)]
    assert roster.changes(users(BOB), over=False) == [Notify("CallParticipantRemoved", ANN)]
    assert roster.changes([], over=True) == [Notify("CallParticipantRemoved", BOB), Notify("CallEnded")]
    assert roster.changes([], over=True) == []


def test_a_call_that_never_started_does_not_end() -> None:
    assert Roster().changes([], over=True) == []


RECORD = CallRecord(
    id="call",
    server_call_id="server-call",
    correlation_id="correlation",
    resource="dev",
    direction="outbound",
    source="+14255550100",
    source_user=ANN,
    target="+14255550200",
    callback_uri="https://app.example/events",
    api_version="2026-03-12",
    started_at=100.0,
    connected_at=110.0,
)


def test_the_end_tells_why_and_how_long_under_both_disputed_names() -> None:
    RECORD.verdict = Verdict(
        ending="hung-up-by-phone",
        code=0,
        subcode=560000,
        event_code=200,
        message="over",
        category="Success",
        fault="nobody",
        evidence=(),
    )
    event = life_event(RECORD, Notify("CallEnded"), 112.5)
    assert event.type == "Microsoft.Communication.CallEnded"
    data = event.data
    assert (data.call_duration_in_seconds, data.duration_of_call) == (2.5, 2.5)  # type: ignore[union-attr]  # of CallEnded
    assert (data.reason.code, data.reason.sub_code) == (0, 560000)  # type: ignore[union-attr]  # of CallEnded


def test_a_participant_is_named_with_both_disputed_fields() -> None:
    event = life_event(RECORD, Notify("CallParticipantAdded", BOB), 111.0)
    assert event.subject == f"call/server-call/participant/{BOB}"
    data = event.data
    assert data.user_agent == data.endpoint_type == "Call Automation"  # type: ignore[union-attr]  # of a participant
    assert data.started_by.communication_identifier.raw_id == ANN  # type: ignore[union-attr]  # as above


SCENARIO = parse_scenario("carrier: 180 Ringing\ncarrier: 200 OK\ncarrier: wait 1 s\ncarrier: bye\n")


async def follow() -> list[str]:
    stage = stage_of(SCENARIO)
    world = World(stage, FarEnd(lambda _: SCENARIO, address=("127.0.0.1", 5080)))
    await world.open()
    call_id = world.create_call()
    await asyncio.sleep(10)  # virtual
    record = world.store.call(call_id)
    assert record is not None
    assert record.ended_at is not None
    return [each.type.removeprefix("Microsoft.Communication.") for each in world.subscribers.followed]


def test_a_whole_call_is_followed_from_start_to_end() -> None:
    assert run(follow()) == ["CallStarted", "CallParticipantAdded", "CallParticipantRemoved", "CallEnded"]
