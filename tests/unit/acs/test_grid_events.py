"""What events about calls say: types, subjects, data as written."""

import json

import msgspec
import pytest

from onhook.acs import grid_events
from onhook.acs.grid_events import AcsCallEndedBy, AcsCallEndReason, CallOf, GridEvent, Joined
from onhook.acs.identifiers import communication_user, from_raw_id, phone_number

USER = communication_user("8:acs:a_b")
OTHER = communication_user("8:acs:a_c")
CALL = CallOf("server-call", "correlation", USER)
WHO = Joined(OTHER, "participant-1", "Sharif", "acs-web/1.0")


def data(event: GridEvent) -> object:
    return json.loads(msgspec.json.encode(event.data))


class TestIncomingCall:
    def test_a_phone_calls_a_number(self) -> None:
        event = grid_events.incoming_call(
            to=phone_number("+14255550100"),
            from_=phone_number("+14255550123"),
            server_call_id="server-call",
            incoming_call_context="opaque",
            correlation_id="correlation",
        )
        assert event.type == "Microsoft.Communication.IncomingCall"
        assert event.subject == "/caller/4:+14255550123/recipient/4:+14255550100"
        assert data(event) == {
            "to": {
                "kind": "phoneNumber",
                "rawId": "4:+14255550100",
                "phoneNumber": {"value": "+14255550100"},
            },
            "from": {
                "kind": "phoneNumber",
                "rawId": "4:+14255550123",
                "phoneNumber": {"value": "+14255550123"},
            },
            "callerDisplayName": "",
            "serverCallId": "server-call",
            "incomingCallContext": "opaque",
            "correlationId": "correlation",
        }

    @pytest.mark.parametrize(
        ("headers", "context"),
        [
            (
                {"sip_headers": {"User-To-User": "x"}},
                {"sipHeaders": {"User-To-User": "x"}, "voipHeaders": {}},
            ),
            ({"voip_headers": {"a": "b"}}, {"sipHeaders": {}, "voipHeaders": {"a": "b"}}),
        ],
    )
    def test_headers_are_passed_on(self, headers: dict[str, dict[str, str]], context: object) -> None:
        event = grid_events.incoming_call(
            to=USER,
            from_=OTHER,
            server_call_id="s",
            incoming_call_context="o",
            correlation_id="c",
            caller_display_name="Zoë",
            on_behalf_of_callee=from_raw_id("8:orgid:t"),
            **headers,
        )
        told = data(event)
        assert isinstance(told, dict)
        assert told["customContext"] == context
        assert told["callerDisplayName"] == "Zoë"
        assert told["onBehalfOfCallee"]["rawId"] == "8:orgid:t"
        assert event.subject == "/caller/8:acs:a_c/recipient/8:acs:a_b"


class TestCalls:
    def test_started(self) -> None:
        event = grid_events.call_started(CALL)
        assert event.type == "Microsoft.Communication.CallStarted"
        assert event.subject == "call/server-call/startedBy/8:acs:a_b"
        assert data(event) == {
            "startedBy": {
                "communicationIdentifier": {
                    "kind": "communicationUser",
                    "rawId": "8:acs:a_b",
                    "communicationUser": {"id": "8:acs:a_b"},
                },
                "role": "",
            },
            "serverCallId": "server-call",
            "isTwoParty": True,
            "correlationId": "correlation",
            "isRoomsCall": False,
        }

    def test_a_call_in_a_room_of_a_group(self) -> None:
        call = CALL._replace(group_id="g", room_id="r", is_two_party=False, role="Presenter")
        told = data(grid_events.call_started(call))
        assert isinstance(told, dict)
        assert (told["group"], told["room"]) == ({"id": "g"}, {"id": "r"})
        assert (told["isRoomsCall"], told["isTwoParty"]) == (True, False)
        assert told["startedBy"]["role"] == "Presenter"

    def test_ended(self) -> None:
        event = grid_events.call_ended(
            CALL,
            duration_seconds=12.5,
            reason=AcsCallEndReason(code=487, sub_code=10003, phrase="answered elsewhere"),
            ended_by=AcsCallEndedBy(communication_identifier=OTHER, type="User", name=""),
        )
        assert (event.type, event.subject) == ("Microsoft.Communication.CallEnded", "call/server-call")
        told = data(event)
        assert isinstance(told, dict)
        assert told["reason"] == {"code": 487, "subCode": 10003, "phrase": "answered elsewhere"}
        assert told["endedBy"]["communicationIdentifier"]["rawId"] == "8:acs:a_c"
        assert told["callDurationInSeconds"] == told["durationOfCall"] == 12.5

    @pytest.mark.parametrize(
        ("build", "name"),
        [
            (grid_events.participant_added, "CallParticipantAdded"),
            (grid_events.participant_removed, "CallParticipantRemoved"),
        ],
    )
    def test_participants(self, build: object, name: str) -> None:
        assert callable(build)
        event = build(CALL, WHO)
        assert event.type == f"Microsoft.Communication.{name}"
        assert event.subject == "call/server-call/participant/8:acs:a_c"
        told = data(event)
        assert isinstance(told, dict)
        assert told["user"]["communicationIdentifier"]["rawId"] == "8:acs:a_c"
        assert told["startedBy"]["communicationIdentifier"]["rawId"] == "8:acs:a_b"
        assert told["displayName"] == "Sharif"
        assert told["participantId"] == "participant-1"
        assert told["userAgent"] == told["endpointType"] == "acs-web/1.0"
