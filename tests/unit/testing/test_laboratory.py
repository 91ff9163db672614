"""Telephones, calls and time of a test, against the whole server and through the official SDK."""

import time
import urllib.request
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from onhook.facts import ClockSkipped
from onhook.lab.skipping import NotOurs
from onhook.testing import Laboratory, Server, ServerFailed, UnknownEnding
from unit.testing.own_application import FRIEND, OWN, Application


def test_a_telephone_does_what_it_was_told_and_then_what_its_number_says(
    lab: Laboratory, application: Application
) -> None:
    lab.phone(FRIEND).will("declined").will("busy")
    for ending in ("callee-declined", "callee-busy", "number-not-found"):
        call_id = application.call()
        call = lab.calls.last.ended(ending)
        assert call.id == call_id
        assert application.events[-1]["type"].endswith("CreateCallFailed"), "it was told already"
    assert [call.ending for call in lab.calls] == ["callee-declined", "callee-busy", "number-not-found"]
    assert lab.account() == []


def test_a_scenario_and_what_holds_for_every_call(lab: Laboratory, application: Application) -> None:
    lab.phone(FRIEND).will("carrier: 503 Out of Order", times=None)
    for _ in range(2):
        application.call()
        lab.calls.last.ended("trunk-unavailable")
    assert lab.account() == []


def test_two_minutes_of_ringing_pass_at_once_and_it_is_said(
    lab: Laboratory, application: Application
) -> None:
    lab.phone(FRIEND).will("rang-out")
    began = time.monotonic()
    application.call()
    call = lab.calls.last.ended("rang-out")
    assert time.monotonic() - began < 10
    record = call.record
    assert record.ended_at is not None
    assert record.ended_at - record.started_at > 115
    assert 100 < record.skipped_seconds <= 115
    skips = [fact for fact in call.facts if isinstance(fact, ClockSkipped)]
    assert sum(skip.seconds for skip in skips) == pytest.approx(record.skipped_seconds)
    assert "passed at once" in call.ladder()
    assert "were not waited for: both ends were ours" in call.why()
    assert [fact.at for fact in call.facts] == sorted(fact.at for fact in call.facts)


def test_32_seconds_of_silence_pass_at_once(lab: Laboratory, application: Application) -> None:
    lab.phone(FRIEND).will("trunk-silent")
    began = time.monotonic()
    application.call()
    lab.calls.last.ended("trunk-silent")
    assert time.monotonic() - began < 10


def test_a_call_that_is_up_stays_so_until_it_is_ended_or_time_is_passed(
    lab: Laboratory, application: Application
) -> None:
    lab.phone(FRIEND).will("carrier: 200 OK\ncarrier: wait 300 s\ncarrier: bye")
    application.call()
    call = lab.calls.last.connected()
    lab.pass_time(200)
    assert call.is_open
    assert call.state == "connected"
    assert call.ending is None
    began = time.monotonic()
    lab.pass_time(101)
    call.ended("hung-up-by-phone")
    assert time.monotonic() - began < 10
    assert call.record.skipped_seconds == pytest.approx(300, abs=5)
    assert call.events == ["CallConnected", "ParticipantsUpdated", "CallDisconnected"]


def test_time_cannot_be_passed_while_the_application_does_not_take_its_events(
    lab: Laboratory, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onhook.lab.skipping.MAX_BUSY_SECONDS", 0.2)
    application.deaf = True
    lab.phone(FRIEND).will("busy")
    application.call()
    lab.calls.wait_for(1)
    with pytest.raises(NotOurs, match="the application has been busy"):
        lab.pass_time(10)


def test_calls_that_come_in(lab: Laboratory, application: Application) -> None:
    lab.subscribe(f"{application.url}/incoming", "IncomingCall")
    call = lab.phone(FRIEND).calls(OWN).connected()
    assert call.record.direction == "inbound"
    assert FRIEND in call.name
    application.hang_up(call.id)
    call.ended("hung-up-by-app")
    lab.phone(FRIEND).calls(OWN, then="caller-hung-up").ended("caller-hung-up")
    application.answers = False
    lab.phone(FRIEND).calls(OWN, then="gives-up").ended("caller-gave-up")
    lab.phone(FRIEND).calls(OWN).ended("inbound-unanswered")
    assert len(lab.calls.by(FRIEND)) == 4
    assert len(lab.calls.by(FRIEND).to(OWN)) == 4
    assert len(lab.calls.to(FRIEND)) == 0
    assert lab.account() == []


def test_an_endpoint_that_does_not_prove_itself(lab: Laboratory) -> None:
    def elsewhere(_environ: Any, start: Any) -> list[bytes]:
        start("404 Not Found", [])
        return []

    url = lab.serve(elsewhere)
    with pytest.raises(AssertionError, match=r"did not prove that it wants events: Failed, .*404"):
        lab.subscribe(url)


def test_a_call_to_a_number_that_nobody_owns_comes_in_and_ends(lab: Laboratory) -> None:
    lab.phone(FRIEND).calls("+14255559999").ended("inbound-number-unknown")


def test_another_ending_is_told_with_its_evidence(lab: Laboratory, application: Application) -> None:
    lab.phone(FRIEND).will("declined")
    application.call()
    with pytest.raises(AssertionError) as raised:
        lab.calls.last.ended("busy", "rang-out")
    told = str(raised.value)
    assert "ended as callee-declined, and was to end as callee-busy or rang-out" in told
    assert "Evidence" in told
    assert "INVITE +14255550123" in told


def test_a_call_that_does_not_end_in_time(lab: Laboratory, application: Application) -> None:
    lab.phone(FRIEND).will("answers")
    call_id = application.call()
    with pytest.raises(
        AssertionError, match=r"is still connected after 0\.3 s, and was to end as callee-busy"
    ):
        lab.calls.last.connected().ended("busy", within=0.3)
    application.hang_up(call_id)


def test_nobody_answers(lab: Laboratory, application: Application) -> None:
    lab.phone(FRIEND).will("busy")
    application.call()
    with pytest.raises(AssertionError, match="ended as callee-busy, and nobody had answered"):
        lab.calls.last.connected()


def test_an_application_that_does_not_take_its_events(lab: Laboratory, application: Application) -> None:
    application.deaf = True
    lab.phone(FRIEND).will("busy")
    application.call()
    with pytest.raises(AssertionError, match=r"did not take its events within 0\.3 s"):
        lab.calls.last.ended("busy", within=0.3)
    (fault,) = lab.account()
    assert "has events that the application did not take (CreateCallFailed)" in fault


def test_no_call_at_all(lab: Laboratory) -> None:
    with pytest.raises(AssertionError, match="0 calls came within 0 s, and 1 were to come"):
        lab.calls.wait_for(1, within=0)
    with pytest.raises(IndexError, match="there is no call 0: this test has 0 calls so far"):
        _ = lab.calls[0]


def test_what_is_left_open_is_told_and_then_hung_up(server: Server) -> None:
    lab = Laboratory(server)
    application = Application(lab)
    lab.phone(FRIEND).will("answers").will("rings")
    call = application.call()
    lab.calls.last.connected()
    application.call()
    faults = lab.account()
    assert len(faults) == 2
    assert f"the call {call} to {FRIEND} is still connected, and nobody ends it:" in faults[0]
    assert "SIP/2.0 200 OK" in faults[0]
    assert "is still connecting, and nobody ends it:" in faults[1]
    lab.close()
    assert [each.ending for each in lab.calls] == ["hung-up-by-app", "cancelled-by-app"]
    after = Laboratory(server)
    assert len(after.calls) == 0
    assert after.account() == []
    after.close()


def test_a_caller_whom_nobody_answered_is_hung_up_too(server: Server) -> None:
    lab = Laboratory(server)
    application = Application(lab)
    application.answers = False
    lab.subscribe(f"{application.url}/incoming")
    call = lab.phone(FRIEND).calls(OWN)
    (fault,) = lab.account()
    assert "is still connecting" in fault
    lab.close()
    assert call.ending == "caller-gave-up"


def test_a_telephone_that_was_not_called_is_told(lab: Laboratory, application: Application) -> None:
    lab.phone(FRIEND).will("busy").will("declined", times=2)
    application.call()
    lab.calls.last.ended("busy")
    assert lab.account() == [f"{FRIEND} was to meet 'declined' in 2 more calls, and was not called"]


def test_an_ending_that_is_none_is_told_at_once(lab: Laboratory) -> None:
    with pytest.raises(UnknownEnding, match="Do you mean"):
        lab.phone(FRIEND).will("bussy")
    with pytest.raises(ServerFailed, match="not started"):
        _ = Server(lab.server.folder).running


def test_asgi_applications_are_served_too(lab: Laboratory) -> None:
    asgi = Starlette(routes=[Route("/", lambda _request: PlainTextResponse("here"))])
    with urllib.request.urlopen(lab.serve(asgi), timeout=10) as answer:
        assert answer.read() == b"here"
    with pytest.raises(TypeError, match="no WSGI or ASGI application"):
        lab.serve("app:main")


def test_a_server_that_cannot_be_cleared_is_started_anew(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Laboratory(server)
    application = Application(lab)
    lab.phone(FRIEND).will("rang-out").will("answers")
    application.call()
    skipped = lab.calls.last.ended("rang-out").record
    application.call()
    lab.calls.last.connected()
    before = server.running
    with monkeypatch.context() as patch:
        patch.setattr("onhook.testing.closing.CLOSING_SECONDS", 0.1)
        patch.setattr("onhook.testing.closing.Closing._terminate", lambda _self, _call: None)
        lab.close()
    assert server.running is not before
    after = Laboratory(server)
    assert len(after.calls) == 0
    assert skipped.ended_at is not None
    assert server.running.switch.now() >= skipped.ended_at, "what was skipped stays skipped"
    again = Application(after)
    again.call("+14255550486")
    after.calls.last.ended("busy")
    assert after.account() == []
    after.close()


def test_what_is_in_no_telephones_hand_is_provoked_for_one_test(server: Server) -> None:
    lab = Laboratory(server)
    application = Application(lab)
    assert lab.provoke("forbidden", operation="createCall", count=0)
    with pytest.raises(HttpResponseError) as refused:
        application.call()
    assert refused.value.status_code == 403
    with pytest.raises(ValueError, match="no-such-ending"):
        lab.provoke("no-such-ending")
    lab.close()

    after = Laboratory(server)
    Application(after).call("+14255550486")
    after.calls.last.ended("busy")
    after.close()
