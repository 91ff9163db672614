"""The HTTP application: ACS operations under /calling/, Onhook's own pages under /onhook/."""

import time
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from onhook.calls.directory import Directory
from onhook.server.calling import CallingApi
from onhook.server.own_api import OwnApi
from onhook.server.settings import ServerSettings
from onhook.server.surface import Surface
from onhook.server.switchboard import Archive, Switchboard


class Everything(BaseRoute):
    """Hands every request whose path begins with `prefix` to one ASGI application, path untouched.

    Starlette's own routes work on the decoded path, in which `%3A` and `:` are one.
    """

    def __init__(self, prefix: str, app: ASGIApp) -> None:
        self.prefix, self.app = prefix, app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        mine = scope["type"] == "http" and scope["path"].startswith(self.prefix)
        return (Match.FULL if mine else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def make_app(
    directory: Directory,
    switchboard: Switchboard,
    archive: Archive,
    settings: ServerSettings | None = None,
    *,
    now: Callable[[], float] = time.time,
    ready: Callable[[], bool] = lambda: True,
    surfaces: Sequence[Surface] = (),
    public: Sequence[BaseRoute] = (),
) -> Starlette:
    """`now` gives Unix seconds; `ready` is what /onhook/health reports; `surfaces` are the APIs beside Call
    Automation; `public` goes without signature, such as the keys of tokens.

    Raises ValueError if an access key of the directory is not base64.
    """
    settings = settings or ServerSettings()
    calling = CallingApi(directory, switchboard, settings, now, surfaces)
    own = OwnApi(archive, settings, ready)
    # First what is asked most. Whatever is nobody's is answered by the calling API's own 404, in the
    # form that SDKs can read.
    acs = Everything("/calling/", calling)
    return Starlette(routes=[*public, acs, *own.routes(), Everything("/", calling)])
