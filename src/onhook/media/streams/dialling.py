"""Opening a WebSocket to an application: to where it may go, with which headers, and why it failed.

documented ("Secure webhook endpoints", audio streaming quickstart): the handshake carries a token of this
server, lived 24 hours and made anew for each connection, and the ids of call and connection.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from onhook.acs.callback_uri import is_loopback
from onhook.effects import OpenStream
from onhook.media.streams.link import MAX_FRAME_BYTES
from onhook.media.streams.settings import StreamSettings

TRIED_AGAIN: Final = frozenset({408, 425, 429})
"""Of the statuses below 500: those that may pass."""
SEND_BUFFER_BYTES: Final = 64 * 1024
"""Of the system: little, so that a slow application is noticed within seconds and not within a minute."""
MAX_ERROR_CHARACTERS: Final = 300
OpenSocket: TypeAlias = Callable[[Any], socket.socket]


class Missed(NamedTuple):
    """It was not opened. `again`: another try may help."""

    detail: str
    http_status: int | None = None
    again: bool = True


class _Redirected(Exception):
    """The handshake was answered with another address."""


def make_session(
    *, trust: ssl.SSLContext | None, open_socket: OpenSocket, user_agent: str
) -> aiohttp.ClientSession:
    """For WebSockets. `open_socket` refuses what is not to be connected to (AddressRefused, an OSError)."""

    def opened(found: Any) -> socket.socket:
        made = open_socket(found)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        return made

    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust or True, limit=0, ttl_dns_cache=60, socket_factory=opened),
        headers={"User-Agent": user_agent},
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[tracing],
    )


async def _refuse_redirect(_session: object, _context: object, _told: object) -> None:
    """The token is for the address that the application gave, and so is the rule for ws://."""
    raise _Redirected


class Dialler:
    """`authorize` gives the Authorization header for a resource's name; empty: none is sent."""

    def __init__(
        self,
        session: Callable[[], aiohttp.ClientSession],
        settings: StreamSettings,
        authorize: Callable[[str], str],
    ) -> None:
        self._session, self._settings, self._authorize = session, settings, authorize

    def fault_in(self, url: str) -> str:
        """Why this is no address to stream to; empty if it may be dialled."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError as fault:
            return f"the transportUrl is no URL: {fault}"
        if parts.scheme not in {"ws", "wss"} or not host:
            return f"the transportUrl {bare(url)!r} does not begin with wss:// and a host"
        plain = self._settings.plain_ws
        if parts.scheme == "ws" and not (plain == "always" or (plain == "loopback" and is_loopback(host))):
            return f"the transportUrl {bare(url)!r} is ws://, not wss:// (streaming.plain_ws)"
        return ""

    async def dial(self, stream: OpenStream) -> "aiohttp.ClientWebSocketResponse[bool] | Missed":
        """The open WebSocket, or why there is none."""
        headers = {
            "x-ms-call-correlation-id": stream.correlation_id,
            "x-ms-call-connection-id": stream.connection,
        }
        if authorization := self._authorize(stream.resource):
            headers["Authorization"] = authorization
        # The query is the application's own, often a key: it goes out letter by letter.
        url = URL(stream.url, encoded=stream.url.isascii())
        timeout = aiohttp.ClientWSTimeout(ws_close=1.0)  # pyright: ignore[reportCallIssue]  # attrs makes it
        connecting = self._session().ws_connect(
            url,
            headers=headers,
            heartbeat=self._settings.ping_seconds,
            max_msg_size=MAX_FRAME_BYTES,
            timeout=timeout,
            decode_text=False,
        )
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                return await connecting
        except TimeoutError:
            return Missed(f"no answer came within {self._settings.connect_seconds:g} s")
        except _Redirected:
            return Missed("the handshake was redirected, which is not followed", again=False)
        except aiohttp.WSServerHandshakeError as refusal:
            return _refused(refusal)
        except aiohttp.ClientConnectorCertificateError as error:
            why = str(error.certificate_error)[:MAX_ERROR_CHARACTERS]
            return Missed(f"the certificate of {error.host} is not trusted: {why}", again=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            again = not isinstance(error, ValueError)
            return Missed(f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS], again=again)


def _refused(refusal: aiohttp.WSServerHandshakeError) -> Missed:
    status = refusal.status
    if status == 101:
        return Missed(f"the handshake was answered wrongly: {refusal.message}", again=False)
    again = status >= 500 or status in TRIED_AGAIN
    return Missed(f"the handshake was answered {status}, not 101", status, again=again)


def bare(url: str) -> str:
    """Without its query, where keys stand."""
    return url.partition("?")[0]
