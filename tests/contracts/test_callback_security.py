"""A callback as an application that trusts nobody checks it: by our OpenID configuration and our keys."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.request import urlopen

import jwt
import pytest
from azure.communication.callautomation import CallAutomationClient, PhoneNumberIdentifier

from onhook.config.schema import DEVELOPMENT_RESOURCE_ID
from running_server import ServerThread

pytestmark = pytest.mark.interop

SECONDS = 20
STRANGE_CALLER = PhoneNumberIdentifier("+19995550100")
"""A caller id that nobody owns: the call fails at once, and the application is told."""


class Application:
    """Takes callbacks on loopback; `told` gets (Authorization, path, event) of each."""

    def __init__(self) -> None:
        self.told: Queue[tuple[str, str, dict[str, Any]]] = Queue()
        application = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                (event,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                application.told.put((self.headers.get("Authorization", ""), self.path, event))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://localhost:{self._http.server_port}/events?code=a%2Fb%3D"

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=SECONDS)


@pytest.fixture
def application() -> Iterator[Application]:
    made = Application()
    yield made
    made.stop()


def place(running: ServerThread, application: Application) -> None:
    client = CallAutomationClient.from_connection_string(running.connection_string(), **running.trust)
    client.create_call(
        PhoneNumberIdentifier("+14255550123"), application.url, source_caller_id_number=STRANGE_CALLER
    )


def verified(running: ServerThread, authorization: str) -> dict[str, Any]:
    """As Microsoft's page on securing the endpoint tells an application to do it."""
    scheme, _, token = authorization.partition(" ")
    assert scheme == "Bearer"
    context = ssl.create_default_context(cafile=running.trust["connection_verify"])
    address = f"{running.server.url}/calling/.well-known/acsopenidconfiguration"
    with urlopen(address, context=context, timeout=SECONDS) as answer:
        configuration = json.load(answer)
    assert configuration["issuer"] == running.server.url
    keys = jwt.PyJWKClient(configuration["jwks_uri"], ssl_context=context)
    claims: dict[str, Any] = jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token),
        algorithms=configuration["id_token_signing_alg_values_supported"],
        audience=DEVELOPMENT_RESOURCE_ID,
        issuer=configuration["issuer"],
        leeway=5,
        options={"require": ["exp", "nbf", "iat", "jti"]},
    )
    return claims


def test_each_callback_proves_where_it_comes_from(tmp_path: Path, application: Application) -> None:
    running = ServerThread(tmp_path)
    try:
        for _ in range(2):
            place(running, application)
        seen = [application.told.get(timeout=SECONDS) for _ in range(2)]
        claims = [verified(running, authorization) for authorization, _, _ in seen]
    finally:
        running.stop()
    assert [event["type"] for _, _, event in seen] == ["Microsoft.Communication.CreateCallFailed"] * 2
    assert {path for _, path, _ in seen} == {"/events?code=a%2Fb%3D"}
    assert all(each["exp"] - each["iat"] == 300 for each in claims)
    assert claims[0]["jti"] != claims[1]["jti"]


def test_the_keys_outlive_a_restart(tmp_path: Path, application: Application) -> None:
    running = ServerThread(tmp_path, SERVER__TOKEN_ISSUER="https://issuer.example")
    place(running, application)
    authorization, _, _ = application.told.get(timeout=SECONDS)
    running.stop()
    running.start()
    try:
        public = running.server.identities._keys.public
        token = authorization.removeprefix("Bearer ")
        key = public[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=DEVELOPMENT_RESOURCE_ID,
            issuer="https://issuer.example",
        )
    finally:
        running.stop()
    assert claims["iss"] == "https://issuer.example"


def test_nothing_is_posted_into_a_refused_network(tmp_path: Path, application: Application) -> None:
    refusing = {"DELIVERY__REFUSED_NETWORKS": "127.0.0.0/8,::1/128", "DELIVERY__GIVE_UP_SECONDS": "0"}
    running = ServerThread(tmp_path, **refusing)

    async def attempts() -> list[str]:
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*running.server.courier._tasks)  # until nothing waits to be posted
            await running.server.switch.written()
        (record,) = running.server.store.calls(1)
        return [str(getattr(fact, "error", "")) for fact in running.server.store.facts(record.id)]

    try:
        place(running, application)
        errors = [error for error in running.wait_for(attempts()) if error]
        assert "delivery.refused_networks" in errors[0]
    finally:
        running.stop()
    assert application.told.empty()
