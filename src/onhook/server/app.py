"""The HTTP application: ACS operations under /calling/, Onhook's own pages under /onhook/."""

import time
from collections.abc import Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from onhook.calls.directory import Directory
from onhook.server.calling import CallingApi, Faults
from onhook.server.endings_api import EndingsApi
from onhook.server.own_api import OwnApi
from onhook.server.settings import ServerSettings
from onhook.server.surface import Surface
from onhook.server.switchboard import Archive, Switchboard


class Everything(BaseRoute):
    """Hands every request that comes so far to one ASGI application, path untouched.

    Starlette's own routes work on the decoded path, in which `%3A` and `:` are one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class HttpApplication(Starlette):
    """Starlette, but for the operations of Call Automation: they are asked most, answer every fault
    themselves, and go past its layers.
    """

    def __init__(self, calling: ASGIApp, routes: Sequence[BaseRoute], public: Sequence[Route] = ()) -> None:
        super().__init__(routes=[*public, *routes])
        self._calling = calling
        self._public = frozenset(route.path for route in public)
        """Some of them begin with /calling/ too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path.startswith("/calling/") and path not in self._public:
            await self._calling(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def make_app(
    directory: Directory,
    switchboard: Switchboard,
    archive: Archive,
    settings: ServerSettings | None = None,
    *,
    now: Callable[[], float] = time.time,
    ready: Callable[[], bool] = lambda: True,
    health: Callable[[], Mapping[str, object]] = dict,
    surfaces: Sequence[Surface] = (),
    public: Sequence[Route] = (),
    faults: Faults | None = None,
) -> Starlette:
    """`now` gives Unix seconds; `ready` and `health` are what /onhook/health reports; `surfaces` are the APIs
    beside Call Automation; `public` goes without signature, such as the keys of tokens;
    `faults` are what the lab provokes.

    Raises ValueError if an access key of the directory is not base64.
    """
    settings = settings or ServerSettings()
    calling = CallingApi(directory, switchboard, settings, now, surfaces, faults=faults)
    own = OwnApi(archive, settings, ready, health)
    # Whatever is nobody's is answered by the calling API's own 404, in the form that SDKs can read.
    pages = [*own.routes(), *EndingsApi(settings).routes()]
    return HttpApplication(calling, [*pages, Everything(calling)], public)
