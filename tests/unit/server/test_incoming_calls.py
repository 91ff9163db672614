"""answerCall, rejectCall, redirectCall and connect over HTTP: bodies of both SDKs, and every refusal."""

from typing import Any

import pytest
from starlette.applications import Starlette

from onhook.acs.incoming_context import make_context
from onhook.acs.models import CallRejectReason
from onhook.acs.requests import Asked
from onhook.server.app import make_app
from onhook.server.handlers import BUILT, Request
from onhook.server.settings import ServerSettings
from unit.server.fake_switchboard import (
    CONTEXT_KEY,
    DIRECTORY,
    GUID,
    OTHER_RESOURCE,
    RESOURCE,
    FakeArchive,
    FakeSwitchboard,
)
from unit.server.signed_requests import NOW, OTHER_KEY, Answered, ask

ANSWER = "/calling/callConnections:answer"
REJECT = "/calling/callConnections:reject"
REDIRECT = "/calling/callConnections:redirect"
CONNECT = "/calling/callConnections:connect"
CALLBACK = "https://app.example/events?code=secret"
USER = f"8:acs:{GUID}_{GUID}"
REPEATABLE = {
    "Repeatability-Request-ID": "6a0e1f50-7e3a-4f0f-9c6c-0a1b2c3d4e5f",
    "Repeatability-First-Sent": "Mon, 23 Nov 2026 11:39:41 GMT",
}


class Desk:
    """A server with one call that rings."""

    def __init__(self, settings: ServerSettings | None = None) -> None:
        self.switchboard = FakeSwitchboard()
        self.context = self.switchboard.ring("ringing")
        self.app: Starlette = make_app(
            DIRECTORY, self.switchboard, FakeArchive(), settings, now=lambda: self.switchboard.now
        )

    async def answer(self, **changes: Any) -> Answered:
        body = {"incomingCallContext": self.context, "callbackUri": CALLBACK}
        return await ask(self.app, "POST", ANSWER, body | changes)

    async def reject(self, **changes: Any) -> Answered:
        return await ask(self.app, "POST", REJECT, {"incomingCallContext": self.context} | changes)

    async def redirect(self, target: object, **changes: Any) -> Answered:
        body = {"incomingCallContext": self.context, "target": target}
        return await ask(self.app, "POST", REDIRECT, body | changes)

    async def connect(self, locator: object, **changes: Any) -> Answered:
        return await ask(
            self.app, "POST", CONNECT, {"callLocator": locator, "callbackUri": CALLBACK} | changes
        )

    async def ask_with(self, operation: str, context: str) -> Answered:
        """One of the three operations on a call that rings."""
        if operation == "answer":
            return await self.answer(incomingCallContext=context)
        if operation == "reject":
            return await self.reject(incomingCallContext=context)
        return await self.redirect({"rawId": USER}, incomingCallContext=context)


@pytest.fixture
def desk() -> Desk:
    return Desk()


each_operation = pytest.mark.parametrize("operation", ["answer", "reject", "redirect"])


# answerCall


async def test_answering(desk: Desk) -> None:
    answered = await desk.answer(
        operationContext="mine", answeredBy={"id": USER}, unknownProperty={"of": "a preview"}
    )
    assert answered.status == 200
    assert answered.json()["callConnectionId"] == "ringing-answered"
    (request,) = desk.switchboard.answers
    assert (request.callback_uri, request.operation_context) == (CALLBACK, "mine")
    assert request.answered_by
    assert request.answered_by.id == USER
    ((resource, asked),) = desk.switchboard.asked
    assert (resource, asked.operation) == (RESOURCE, "answerCall")


@pytest.mark.parametrize(
    ("changes", "target", "words"),
    [
        ({"incomingCallContext": ""}, "$.incomingCallContext", "pass on the one of the IncomingCall event"),
        ({"incomingCallContext": None}, "$.incomingCallContext", "Expected a string, got null"),
        ({"callbackUri": "http://app.example/"}, "$.callbackUri", "The field CallbackUri is invalid"),
        ({"callbackUri": "nonsense"}, "$.callbackUri", "The field CallbackUri is invalid"),
        ({"callbackUri": 5}, "$.callbackUri", "Expected a string, got a whole number"),
        ({"answeredBy": "me"}, "$.answeredBy", "Expected an object"),
    ],
)
async def test_a_body_that_does_not_answer(
    desk: Desk, changes: dict[str, Any], target: str, words: str
) -> None:
    refused = await desk.answer(**changes)
    assert (refused.status, refused.error["code"], refused.error["target"]) == (400, "8523", target)
    assert words in refused.error["message"]
    assert desk.switchboard.waiting == {"ringing": ""}


async def test_a_loopback_callback_is_taken_with_a_warning(desk: Desk) -> None:
    answered = await desk.answer(callbackUri="http://127.0.0.1:8000/events")
    assert answered.status == 200
    assert "refused by Azure" in answered.headers["Warning"]


async def test_a_server_that_is_as_strict_as_acs() -> None:
    desk = Desk(ServerSettings(callback_http="never"))
    refused = await desk.answer(callbackUri="http://127.0.0.1:8000/events")
    assert (refused.status, refused.error["code"]) == (400, "8523")


async def test_an_answer_sent_again_is_the_same_answer(desk: Desk) -> None:
    body = {"incomingCallContext": desk.context, "callbackUri": CALLBACK}
    first = await ask(desk.app, "POST", ANSWER, body, headers=REPEATABLE)
    again = await ask(desk.app, "POST", ANSWER, body, headers=REPEATABLE)
    assert first.status == again.status == 200
    assert first.body == again.body
    assert len(desk.switchboard.answers) == 1


# rejectCall


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, CallRejectReason.NONE),
        ({"callRejectReason": None}, CallRejectReason.NONE),
        ({"callRejectReason": "none"}, CallRejectReason.NONE),
        ({"callRejectReason": "busy"}, CallRejectReason.BUSY),
        ({"callRejectReason": "Forbidden"}, CallRejectReason.FORBIDDEN),
    ],
)
async def test_rejecting(desk: Desk, body: dict[str, Any], reason: CallRejectReason) -> None:
    answered = await desk.reject(**body)
    assert (answered.status, answered.body) == (204, b"")
    assert desk.switchboard.rejected == [("ringing", reason)]
    assert desk.switchboard.asked[0][1].operation == "rejectCall"


async def test_a_reason_that_does_not_exist(desk: Desk) -> None:
    refused = await desk.reject(callRejectReason="tired")
    assert (refused.status, refused.error["target"]) == (400, "$.callRejectReason")
    assert "'tired' is none of none, busy, forbidden" in refused.error["message"]
    assert desk.switchboard.rejected == []


# redirectCall


@pytest.mark.parametrize(
    ("target", "raw_id"),
    [
        ({"rawId": "4:+14255550123", "phoneNumber": {"value": "+14255550123"}}, "4:+14255550123"),  # Python
        (
            {
                "kind": "phoneNumber",
                "rawId": "4:+14255550123",
                "phoneNumber": {"value": "+14255550123", "isAnonymous": False},
            },
            "4:+14255550123",
        ),  # JavaScript
        ({"rawId": USER, "communicationUser": {"id": USER}}, USER),
        ({"kind": "communicationUser", "communicationUser": {"id": USER}}, USER),
        ({"rawId": USER}, USER),
    ],
)
async def test_redirecting(desk: Desk, target: object, raw_id: str) -> None:
    answered = await desk.redirect(target)
    assert (answered.status, answered.body) == (204, b"")
    assert desk.switchboard.redirected == [("ringing", raw_id)]
    assert desk.switchboard.asked[0][1].operation == "redirectCall"


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ({}, "$.target"),
        ({"rawId": "8:orgid:someone"}, "$.target"),
        ({"rawId": "28:orgid:bot", "microsoftTeamsApp": {"appId": "bot"}}, "$.target"),
        ({"rawId": "nonsense"}, "$.target"),
        ({"phoneNumber": {"value": "+1"}, "communicationUser": {"id": USER}}, "$.target"),
        ({"phoneNumber": {}}, "$.target.phoneNumber"),
        ("+14255550123", "$.target"),
        (None, "$.target"),
    ],
)
async def test_nowhere_to_redirect_to(desk: Desk, target: object, where: str) -> None:
    refused = await desk.redirect(target)
    assert (refused.status, refused.error["code"], refused.error["target"]) == (400, "8523", where)
    assert desk.switchboard.waiting == {"ringing": ""}


# Contexts


@each_operation
async def test_a_forged_context(desk: Desk, operation: str) -> None:
    forged = make_context(bytes(32), "ringing", "leg", RESOURCE.id, NOW + 30)
    refused = await desk.ask_with(operation, forged)
    assert (refused.status, refused.error["code"]) == (400, "8523")
    assert "signature does not fit" in refused.error["message"]


@each_operation
async def test_a_context_of_another_resource(desk: Desk, operation: str) -> None:
    foreign = desk.switchboard.ring("foreign", OTHER_RESOURCE)
    refused = await desk.ask_with(operation, foreign)
    assert (refused.status, refused.error["code"]) == (404, "8522")
    assert desk.switchboard.waiting["foreign"] == ""


@each_operation
async def test_a_context_past_its_time(desk: Desk, operation: str) -> None:
    desk.switchboard.now += 31
    refused = await desk.ask_with(operation, desk.context)
    assert (refused.status, refused.error["code"]) == (404, "8522")


@each_operation
async def test_a_context_of_a_call_that_ended(desk: Desk, operation: str) -> None:
    desk.switchboard.waiting.clear()
    refused = await desk.ask_with(operation, desk.context)
    assert (refused.status, refused.error["code"]) == (400, "8528")


@each_operation
@pytest.mark.parametrize("first", ["answer", "reject", "redirect"])
async def test_a_context_used_twice(desk: Desk, first: str, operation: str) -> None:
    assert (await desk.ask_with(first, desk.context)).status in {200, 204}
    refused = await desk.ask_with(operation, desk.context)
    assert (refused.status, refused.error["code"]) == (400, "8585")
    assert f"was {first.rstrip('e')}ed already" in refused.error["message"]
    assert refused.error["target"] == "$.incomingCallContext"


async def test_two_resources_answer_each_its_own(desk: Desk) -> None:
    context = desk.switchboard.ring("theirs", OTHER_RESOURCE)
    body = {"incomingCallContext": context, "callbackUri": CALLBACK}
    assert (await ask(desk.app, "POST", ANSWER, body, key=OTHER_KEY)).status == 200
    assert (await desk.answer()).status == 200
    assert desk.switchboard.waiting == {"ringing": "answered", "theirs": "answered"}


async def test_contexts_are_made_with_the_key_of_the_fake() -> None:
    """What the refusals above prove rests on it: the right key is taken."""
    desk = Desk()
    context = make_context(CONTEXT_KEY, "ringing", "leg", RESOURCE.id, NOW + 30)
    assert (await desk.answer(incomingCallContext=context)).status == 200


# connect


@pytest.mark.parametrize(
    "locator",
    [
        {"serverCallId": "c2VydmVy", "kind": "serverCallLocator"},
        {"serverCallId": "c2VydmVy"},
        {"serverCallId": "c2VydmVy", "kind": "ServerCallLocator", "groupCallId": None},
    ],
)
async def test_connecting(desk: Desk, locator: object) -> None:
    await desk.answer()
    answered = await desk.connect(locator, operationContext="second")
    assert answered.status == 200
    assert answered.json()["callConnectionId"] == "joined-1"
    ((server_call_id, request),) = desk.switchboard.joined
    assert (server_call_id, request.operation_context) == ("c2VydmVy", "second")
    assert desk.switchboard.asked[-1][1].operation == "connect"


async def test_no_such_call_to_connect_to(desk: Desk) -> None:
    refused = await desk.connect({"serverCallId": "unknown"})
    assert (refused.status, refused.error["code"]) == (404, "8522")


@pytest.mark.parametrize(
    ("locator", "said"),
    [
        ({}, "here: none"),
        ({"serverCallId": ""}, "here: none"),
        ({"kind": "serverCallLocator"}, "here: none"),
        ({"serverCallId": "a", "roomId": "b"}, "here: serverCallId and roomId"),
    ],
)
async def test_a_locator_that_names_not_one_call(desk: Desk, locator: object, said: str) -> None:
    refused = await desk.connect(locator)
    assert (refused.status, refused.error["code"]) == (400, "8523")
    assert refused.error["target"] == "$.callLocator"
    assert said in refused.error["message"]


@pytest.mark.parametrize("name", ["groupCallId", "roomId"])
async def test_groups_and_rooms_are_not_built(desk: Desk, name: str) -> None:
    refused = await desk.connect({name: "some"})
    assert (refused.status, refused.error["target"]) == (501, f"$.callLocator.{name}")


# All four


@pytest.mark.parametrize("operation", ["answerCall", "rejectCall", "redirectCall", "connect"])
def test_a_handler_given_the_wrong_body_is_a_defect_of_ours(operation: str) -> None:
    asked = Asked(api_version="2026-03-12", request_id="1", operation=operation)
    asked_nothing = Request(RESOURCE, (), None, asked)
    with pytest.raises(TypeError, match="was given NoneType"):
        BUILT[operation].handler(FakeSwitchboard(), asked_nothing)
