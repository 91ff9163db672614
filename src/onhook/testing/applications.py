"""Applications under test: WSGI or ASGI, each served on a free port by a thread of its own."""

import inspect
import socketserver
import threading
from collections.abc import Callable
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import uvicorn

from onhook.testing.calls import wait_until

START_SECONDS = 20.0
STOP_SECONDS = 5.0


class Serving:
    """`application` is served from `start` on; `url` is where. Raises TypeError for what is neither kind."""

    def __init__(self, application: Any) -> None:
        if not callable(application):
            raise TypeError(f"{application!r} is no WSGI or ASGI application: it cannot be called")
        self._stop: Callable[[], None]
        self.url, self._stop = _serve_asgi(application) if is_asgi(application) else _serve_wsgi(application)

    def stop(self) -> None:
        self._stop()


def is_asgi(application: Any) -> bool:
    """Is it called with scope, receive and send, and awaited?"""
    called = getattr(application, "__call__", None)  # noqa: B004  # the method itself is looked at
    return inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(called)


class _Threads(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # its name in the base
        """What came is in the facts of the call."""


def _serve_wsgi(application: Any) -> tuple[str, Callable[[], None]]:
    server = _Threads(("127.0.0.1", 0), _Quiet)
    server.set_app(application)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="application", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(STOP_SECONDS)

    return f"http://127.0.0.1:{server.server_port}", stop


def _serve_asgi(application: Any) -> tuple[str, Callable[[], None]]:
    config = uvicorn.Config(application, host="127.0.0.1", port=0, log_level="warning", lifespan="auto")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="application", daemon=True)
    thread.start()
    if not wait_until(lambda: server.started or not thread.is_alive(), START_SECONDS) or not server.started:
        raise RuntimeError("the application did not start: its own log says why")
    port = cast("int", server.servers[0].sockets[0].getsockname()[1])

    def stop() -> None:
        server.should_exit = True
        thread.join(STOP_SECONDS)

    return f"http://127.0.0.1:{port}", stop
