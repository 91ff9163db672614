"""Which requests pass through Starlette, and which go past it."""

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from onhook.server.app import Everything, HttpApplication


class Seen:
    """An ASGI application that remembers the scopes it was given."""

    def __init__(self, says: str) -> None:
        self.says = says
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        await PlainTextResponse(self.says)(scope, receive, send)


async def page(_: Request) -> Response:
    return PlainTextResponse("page")


def make() -> tuple[Seen, HttpApplication]:
    calling = Seen("calling")
    return calling, HttpApplication(calling, [Route("/onhook/health", page), Everything(calling)])


async def get(application: HttpApplication, path: str) -> str:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get(path)).text


@pytest.mark.parametrize(
    "path", ["/calling/callConnections", "/calling/callConnections/1/participants/4%3A%2B1", "/calling/"]
)
async def test_operations_go_past_starlette_with_their_path_untouched(path: str) -> None:
    calling, application = make()
    assert await get(application, path) == "calling"
    (scope,) = calling.scopes
    assert scope["raw_path"] == path.encode()
    assert "app" not in scope  # Starlette leaves itself there


async def test_pages_are_routed() -> None:
    calling, application = make()
    assert await get(application, "/onhook/health") == "page"
    assert calling.scopes == []


@pytest.mark.parametrize("path", ["/", "/onhook/nothing", "/callings", "/Calling/callConnections"])
async def test_whatever_is_nobodys_is_answered_by_the_calling_api(path: str) -> None:
    calling, application = make()
    assert await get(application, path) == "calling"
    assert calling.scopes[0]["app"] is application
