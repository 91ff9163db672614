"""The official Python SDK, synchronous and asynchronous, against the real server over real HTTPS."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.communication.callautomation import (
    CallAutomationClient,
    CallParticipant,
    CallRejectReason,
    CommunicationIdentifier,
    CommunicationUserIdentifier,
    FileSource,
    PhoneNumberIdentifier,
)
from azure.communication.callautomation.aio import CallAutomationClient as AsyncClient
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from onhook.acs.errors import ApiError
from onhook.acs.models import PlayOptions, PlayRequest
from onhook.server.app import make_app
from onhook.server.certificates import CertificatePaths, prepare
from onhook.server.serving import HttpServer, TlsFiles, serve
from onhook.server.settings import ServerSettings
from unit.server.fake_switchboard import DIRECTORY, GUID, SERVER_CALL, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import KEY, OTHER_KEY

pytestmark = pytest.mark.interop

PHONE = PhoneNumberIdentifier("+14255550123")
CALLER = PhoneNumberIdentifier("+14255550100")
CALLBACK = "https://app.example/events?code=secret"
CALL = "call-known"
USER = CommunicationUserIdentifier(f"8:acs:{GUID}_{GUID}")


class Running:
    """A server in a thread of its own, so that the synchronous SDK may block ours."""

    def __init__(self, directory: Path, settings: ServerSettings | None = None) -> None:
        self.switchboard = FakeSwitchboard(CALL)
        self._settings = settings
        self.paths: CertificatePaths = prepare(directory, [], datetime.now(UTC))
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._wait_for(self._serve())

    async def _serve(self) -> HttpServer:
        app = make_app(DIRECTORY, self.switchboard, FakeArchive(), self._settings)
        server = await serve(app, "127.0.0.1", 0, TlsFiles(self.paths.certificate, self.paths.key))
        self.port = server.port
        return server

    def _wait_for(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=20)

    def stop(self) -> None:
        self._wait_for(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=20)
        self._loop.close()

    def ring(self, call: str) -> str:
        """A call comes in; its incomingCallContext."""
        return self.switchboard.ring(call)

    def connection_string(self, key: str = KEY) -> str:
        return f"endpoint=https://localhost:{self.port}/;accesskey={key}"

    def client(self, key: str = KEY) -> CallAutomationClient:
        return CallAutomationClient.from_connection_string(
            self.connection_string(key), connection_verify=str(self.paths.bundle), retry_total=0
        )

    def async_client(self, key: str = KEY) -> AsyncClient:
        return AsyncClient.from_connection_string(
            self.connection_string(key), connection_verify=str(self.paths.bundle), retry_total=0
        )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
def running(certificates: Path) -> Iterator[Running]:
    server = Running(certificates)
    yield server
    server.stop()


def raw_id_of(participant: CallParticipant) -> str | None:
    return participant.identifier.raw_id if participant.identifier else None


def test_create_call(running: Running) -> None:
    made = running.client().create_call(
        PHONE, CALLBACK, source_caller_id_number=CALLER, source_display_name="Bot", operation_context="mine"
    )
    assert made.call_connection_id == "call-1"
    assert made.call_connection_state == "connecting"
    (target,) = made.targets or []
    assert target.raw_id == "4:+14255550123"
    assert isinstance(target, PhoneNumberIdentifier)
    assert isinstance(made.source, CommunicationUserIdentifier)
    (request,) = running.switchboard.requests
    assert (request.callback_uri, request.source_display_name) == (CALLBACK, "Bot")
    assert request.source_caller_id_number
    assert request.source_caller_id_number.value == "+14255550100"
    ((resource, asked),) = running.switchboard.asked
    assert (resource.name, asked.operation, asked.api_version) == ("dev", "createCall", "2026-03-12")
    assert asked.repeatability_id


def test_get_call_and_participants(running: Running) -> None:
    call = running.client().get_call_connection(CALL)
    assert call.get_call_properties().call_connection_state == "connected"
    assert [raw_id_of(p) for p in call.list_participants()] == ["4:+14255550123"]
    assert call.get_participant(PHONE).is_muted is False


def test_hang_up_and_terminate(running: Running) -> None:
    call = running.client().get_call_connection(CALL)
    call.hang_up(is_for_everyone=False)
    call.hang_up(is_for_everyone=True)
    assert running.switchboard.ended == [(CALL, False), (CALL, True)]


def test_answer_call(running: Running) -> None:
    context = running.ring("in")
    made = running.client().answer_call(context, CALLBACK, operation_context="mine")
    assert (made.call_connection_id, made.callback_url) == ("in-answered", CALLBACK)
    (request,) = running.switchboard.answers
    assert (request.incoming_call_context, request.operation_context) == (context, "mine")


@pytest.mark.parametrize("reason", [None, *CallRejectReason])
def test_reject_call(running: Running, reason: CallRejectReason | None) -> None:
    options = {"call_reject_reason": reason} if reason else {}
    running.client().reject_call(running.ring("in"), **options)
    assert running.switchboard.rejected == [("in", reason.value if reason else "none")]


@pytest.mark.parametrize("target", [PHONE, USER])
def test_redirect_call(running: Running, target: CommunicationIdentifier) -> None:
    running.client().redirect_call(running.ring("in"), target)
    assert running.switchboard.redirected == [("in", target.raw_id)]


def test_connect_call(running: Running) -> None:
    made = running.client().connect_call(CALLBACK, server_call_id=SERVER_CALL, operation_context="second")
    assert (made.call_connection_id, made.server_call_id) == ("joined-1", SERVER_CALL)
    ((_, request),) = running.switchboard.joined
    assert request.operation_context == "second"


def test_a_context_is_good_for_one_answer(running: Running) -> None:
    context = running.ring("in")
    running.client().answer_call(context, CALLBACK)
    with pytest.raises(HttpResponseError, match="was answered already") as raised:
        running.client().reject_call(context)
    assert raised.value.error
    assert (raised.value.status_code, raised.value.error.code) == (400, "8585")


def test_a_context_of_somewhere_else(running: Running) -> None:
    running.ring("in")
    with pytest.raises(HttpResponseError, match="incomingCallContext is not valid") as raised:
        running.client().answer_call("a.context.of-the-cloud", CALLBACK)
    assert raised.value.error
    assert (raised.value.error.code, raised.value.error.target) == ("8523", "$.incomingCallContext")
    with pytest.raises(ResourceNotFoundError, match="another resource"):
        running.client(OTHER_KEY).answer_call(running.ring("in"), CALLBACK)


def test_too_many_requests_are_asked_again_after_the_wait(certificates: Path) -> None:
    """The SDK waits as Retry-After says, by itself."""
    server = Running(certificates, ServerSettings(request_limits=("getCall 1/1",)))
    try:
        connection = server.connection_string()
        patient = CallAutomationClient.from_connection_string(
            connection, connection_verify=str(server.paths.bundle)
        )
        states = [patient.get_call_connection(CALL).get_call_properties() for _ in range(2)]
        assert [state.call_connection_state for state in states] == ["connected"] * 2
        with pytest.raises(HttpResponseError, match="limited to 1 in 1 s") as raised:
            server.client().get_call_connection(CALL).get_call_properties()
        assert raised.value.status_code == 429
    finally:
        server.stop()


def test_a_wrong_key(running: Running) -> None:
    with pytest.raises(ClientAuthenticationError) as raised:
        running.client("bm90IHRoZSBrZXk=").get_call_connection(CALL).get_call_properties()
    assert raised.value.error
    assert raised.value.error.code == "7509"
    assert "access key" in raised.value.message


def test_the_other_resource_signs_for_itself(running: Running) -> None:
    running.client(OTHER_KEY).create_call(PHONE, CALLBACK, source_caller_id_number=CALLER)
    assert running.switchboard.asked[0][0].name == "other"


def test_a_call_that_is_not_there(running: Running) -> None:
    with pytest.raises(ResourceNotFoundError) as raised:
        running.client().get_call_connection("no-such-call").get_call_properties()
    assert raised.value.error
    assert raised.value.error.code == "8522"
    assert "'no-such-call'" in raised.value.message


def test_an_operation_on_a_call_reaches_it_whole_and_its_empty_answer_is_taken(running: Running) -> None:
    connection = running.client().get_call_connection(CALL)
    connection.play_media_to_all(FileSource(url="https://app.example/a.wav"), loop=True)
    ((name, request),) = running.switchboard.operated
    assert isinstance(request, PlayRequest)
    assert name == "play"
    assert request.play_sources[0].file
    assert request.play_sources[0].file.uri == "https://app.example/a.wav"
    assert (request.play_to, request.play_options) == ([], PlayOptions(loop=True))


def test_our_crash_is_readable_and_hides_its_traceback(running: Running) -> None:
    running.switchboard.breaks = ZeroDivisionError("a secret of ours")
    with pytest.raises(HttpResponseError) as raised:
        running.client().get_call_connection(CALL).get_call_properties()
    assert raised.value.status_code == 500
    assert raised.value.error
    assert raised.value.error.code == "InternalServerError"
    assert "secret" not in str(raised.value)


def test_the_sdk_repeats_after_503_and_gets_one_call(running: Running) -> None:
    """The switch is full once; the SDK waits Retry-After and comes again with the same ids."""
    running.switchboard.breaks_once = ApiError(503, "8589", "full", retry_after_seconds=1)
    client = CallAutomationClient.from_connection_string(
        running.connection_string(), connection_verify=str(running.paths.bundle)
    )
    made = client.create_call(PHONE, CALLBACK, source_caller_id_number=CALLER)
    assert made.call_connection_id == "call-1"
    assert running.switchboard.breaks_once is None
    assert len(running.switchboard.requests) == 1


def test_without_trust_in_the_authority_tls_refuses(running: Running) -> None:
    client = CallAutomationClient.from_connection_string(running.connection_string(), retry_total=0)
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        client.get_call_connection(CALL).get_call_properties()


async def test_asynchronous(running: Running) -> None:
    async with running.async_client() as client:
        made = await client.create_call(PHONE, CALLBACK, source_caller_id_number=CALLER)
        assert made.call_connection_id == "call-1"
        call = client.get_call_connection(CALL)
        assert (await call.get_call_properties()).call_connection_state == "connected"
        assert [raw_id_of(p) async for p in call.list_participants()] == ["4:+14255550123"]
        # Its HTTP library sends 4:%2B1… and the SDK signs 4%3A%2B1…
        assert (await call.get_participant(PHONE)).is_muted is False
        user = CommunicationUserIdentifier(f"8:acs:{GUID}_{GUID}")
        with pytest.raises(ResourceNotFoundError, match="8:acs:"):
            await call.get_participant(user)
        await call.hang_up(is_for_everyone=False)
        await call.hang_up(is_for_everyone=True)
        answered = await client.answer_call(running.ring("in"), CALLBACK)
        assert answered.call_connection_id == "in-answered"
        await client.reject_call(running.ring("in"), call_reject_reason=CallRejectReason.BUSY)
        await client.redirect_call(running.ring("in"), PHONE)
        joined = await client.connect_call(CALLBACK, server_call_id=SERVER_CALL)
        assert joined.call_connection_id == "joined-1"
    assert running.switchboard.rejected == [("in", "busy")]
    assert running.switchboard.redirected == [("in", "4:+14255550123")]
    assert running.switchboard.ended == [(CALL, False), (CALL, True)]


async def test_asynchronous_refusals(running: Running) -> None:
    async with running.async_client("bm90IHRoZSBrZXk=") as stranger:
        with pytest.raises(ClientAuthenticationError):
            await stranger.get_call_connection(CALL).get_call_properties()
    async with running.async_client() as client:
        with pytest.raises(ResourceNotFoundError):
            await client.get_call_connection("no-such-call").get_call_properties()
        await client.get_call_connection(CALL).cancel_all_media_operations()
        assert running.switchboard.operated == [("cancelAllMediaOperations", None)]
        running.switchboard.breaks = ApiError(412, "8583", "It does not go with play.")
        with pytest.raises(HttpResponseError, match="does not go with play") as raised:
            await client.get_call_connection(CALL).cancel_all_media_operations()
        assert raised.value.status_code == 412


@pytest.mark.parametrize("uri", ["http://app.example/events", "ftp://app.example", "no uri"])
def test_a_callback_address_that_acs_refuses(running: Running, uri: str) -> None:
    with pytest.raises(HttpResponseError, match="The field CallbackUri is invalid") as raised:
        running.client().create_call(PHONE, uri, source_caller_id_number=CALLER)
    assert raised.value.status_code == 400
    assert running.switchboard.requests == []
