"""Puts requests to endpoints over HTTP, and says in words what went wrong. Redirects are never followed."""

import asyncio
import contextlib
import errno
import logging
import ssl

import aiohttp
from yarl import URL

from onhook.delivery.grid.answer import Answer
from onhook.delivery.grid.wire import Outgoing
from onhook.delivery.refused_networks import AddressRefused, RefusedNetworks

MAX_ANSWER_BYTES = 65_536
"""How much of an answer is read; a longer one validates nothing."""
BODY_SECONDS = 1.0
"""How long a body may take whose content does not count."""
MAX_ERROR_CHARACTERS = 300
log = logging.getLogger(__name__)


class Poster:
    """`trust` is how https endpoints are verified; none means by the system's public authorities. `refused`
    is where no request may go.
    """

    def __init__(
        self,
        *,
        trust: ssl.SSLContext | None = None,
        user_agent: str = "onhook",
        refused: RefusedNetworks | None = None,
    ) -> None:
        self._trust, self._user_agent = trust, user_agent
        self._refused = refused or RefusedNetworks()
        self._session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        connector = aiohttp.TCPConnector(
            ssl=self._trust or True, limit=0, ttl_dns_cache=60, socket_factory=self._refused.open_socket
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": self._user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def send(self, request: Outgoing, timeout_seconds: float) -> Answer:
        """Never raises but for cancellation: whatever goes wrong is an answer."""
        try:
            assert self._session is not None, "send was called before start"
            async with asyncio.timeout(timeout_seconds):
                return await self._exchange(self._session, request)
        except TimeoutError:
            return Answer(None, f"no answer within {timeout_seconds:g} s", "TimedOut")
        except aiohttp.ClientConnectorCertificateError as error:
            return _failed(f"its certificate is not trusted: {_certificate(error)}", "Untrusted")
        except aiohttp.ClientConnectorDNSError as error:
            return _failed(f"its name {error.host} cannot be resolved", "ResolutionError")
        except aiohttp.ClientConnectorSSLError as error:
            return _failed(f"TLS failed: {error}", "SocketError")
        except aiohttp.ClientConnectorError as error:
            return _unconnected(error.os_error)
        except (aiohttp.ServerDisconnectedError, ConnectionError) as error:
            return _failed(f"it closed the connection without an answer ({error})", "SocketError")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failed(f"{type(error).__name__}: {error}", "SocketError")
        except Exception as error:
            log.exception("a request to an Event Grid endpoint failed")
            return _failed(f"{type(error).__name__}: {error}", "SocketError")

    async def _exchange(self, session: aiohttp.ClientSession, request: Outgoing) -> Answer:
        url = URL(request.url, encoded=True)  # the query goes out as it was given
        async with session.request(
            request.method,
            url,
            data=request.body or None,
            headers=request.headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(),
        ) as response:
            body = b""
            if request.wants_body:
                body = await _read(response)
            elif not response.content.at_eof():
                with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                    async with asyncio.timeout(BODY_SECONDS):
                        await _read(response)
            phrase = "" if 200 <= response.status < 300 else response.reason or ""
            if 300 <= response.status < 400:
                phrase = f"{phrase} to {response.headers.get('Location', 'nowhere')}".strip()
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, phrase[:MAX_ERROR_CHARACTERS], "", headers, body)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body up to the limit, all of its pieces."""
    pieces: list[bytes] = []
    left = MAX_ANSWER_BYTES
    while left > 0 and (piece := await response.content.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _failed(error: str, outcome: str) -> Answer:
    return Answer(None, error[:MAX_ERROR_CHARACTERS], outcome)


def _certificate(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    return getattr(cause, "verify_message", "") or str(cause)


def _unconnected(error: OSError) -> Answer:
    if isinstance(error, AddressRefused):
        return _failed(error.strerror or "", "Refused")
    if error.errno == errno.ECONNREFUSED:
        return _failed("it refused the connection: nothing listens there", "SocketError")
    return _failed(f"it cannot be reached: {error.strerror or error}", "SocketError")
