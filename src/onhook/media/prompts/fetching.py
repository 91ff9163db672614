"""Fetches prompts from where applications say: https, and http and files as the settings allow.

The address is an application's, so nothing of it is trusted: each redirect is checked like the first
address, networks may be refused, and size, time and redirects are limited. What counts is the address that
is connected to, whatever name or redirect led to it.
"""

import asyncio
import ipaddress
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import aiohttp
from yarl import URL

from onhook.media.prompts.settings import PromptSettings
from onhook.media.prompts.source_failed import SourceFailed

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
PIECE_BYTES: Final = 65_536
MAX_SHOWN_CHARACTERS: Final = 200
SocketFactory = Callable[[Any], Any]


class Fetching:
    """`trust` is how https is verified; `open_socket` raises OSError for an address that is refused."""

    def __init__(
        self,
        settings: PromptSettings | None = None,
        *,
        trust: ssl.SSLContext | None = None,
        open_socket: SocketFactory | None = None,
        user_agent: str = "onhook",
    ) -> None:
        self._settings = settings or PromptSettings()
        self._trust, self._open_socket, self._user_agent = trust, open_socket, user_agent
        self._turns = asyncio.Semaphore(self._settings.max_fetches)
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, uri: str) -> bytes:
        """Every byte of it. Raises SourceFailed: uri, unreachable, status, too-slow, too-large."""
        url = _read(uri)
        async with self._turns:
            try:
                async with asyncio.timeout(self._settings.fetch_seconds):
                    return await self._follow(url)
            except TimeoutError:
                seconds = self._settings.fetch_seconds
                problem = f"{shown(url)} was not there within {seconds:g} s (prompt.fetch_seconds)"
                raise SourceFailed("too-slow", problem) from None

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def _follow(self, url: URL) -> bytes:
        first = url
        for _ in range(self._settings.max_redirects + 1):
            self._check(url, first)
            if url.scheme == "file":
                return await asyncio.to_thread(self._read_file, url)
            found = await self._get(url)
            if isinstance(found, bytes):
                return found
            url = found
        problem = f"{shown(first)} was redirected more than {self._settings.max_redirects} times"
        raise SourceFailed("unreachable", problem)

    def _check(self, url: URL, first: URL) -> None:
        """Raises SourceFailed for an address that may not be fetched."""
        led = "" if url is first else f" (where {shown(first)} leads)"
        if url.scheme == "file":
            if url is not first or not self._settings.file_root:
                problem = "files may be played once prompt.file_root names their folder"
                raise SourceFailed("uri", f"{shown(url)}{led}: {problem}")
            return
        if url.scheme not in {"http", "https"} or not url.host:
            raise SourceFailed("uri", f"{shown(url)}{led} is no https address")
        allowed = self._settings.http
        if url.scheme == "http" and (
            allowed == "never" or (allowed == "loopback" and not _is_loopback(url.host))
        ):
            problem = f"prompts are fetched by https (prompt.http is {allowed})"
            raise SourceFailed("uri", f"{shown(url)}{led}: {problem}")

    async def _get(self, url: URL) -> bytes | URL:
        """The body, or where a redirect leads."""
        try:
            async with self._opened().get(url, allow_redirects=False) as answer:
                if answer.status in REDIRECTS:
                    return _target(url, answer)
                if answer.status != 200:
                    problem = f"{shown(url)} answered {answer.status} {answer.reason or ''}".rstrip()
                    raise SourceFailed("status", problem, answer.status)
                return await self._body(url, answer)
        except TimeoutError:
            raise
        except aiohttp.InvalidURL as error:
            raise SourceFailed("uri", f"{shown(url)} is no https address: {error}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SourceFailed("unreachable", f"{shown(url)} could not be fetched: {_told(error)}") from error

    async def _body(self, url: URL, answer: aiohttp.ClientResponse) -> bytes:
        coding = answer.headers.get("Content-Encoding", "identity").lower()
        if coding != "identity":
            problem = f"{shown(url)} came with Content-Encoding {coding[:40]!r}, which was not asked for"
            raise SourceFailed("format", problem)
        limit = self._settings.max_bytes
        announced = answer.content_length or 0
        body = bytearray()
        while announced <= limit and len(body) <= limit:
            piece = await answer.content.read(PIECE_BYTES)
            if not piece:
                return bytes(body)
            body += piece
        size = f"{announced} bytes" if announced > limit else "more"
        problem = f"{shown(url)} has {size}, and {limit} are the most (prompt.max_bytes)"
        raise SourceFailed("too-large", problem)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._trust or True, limit=0, ttl_dns_cache=60, socket_factory=self._open_socket
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a small body must not become a large one
            )
        return self._session

    def _read_file(self, url: URL) -> bytes:
        """Below the root only, links followed; and only what is a plain file."""
        root, limit = Path(self._settings.file_root).resolve(), self._settings.max_bytes
        try:
            path = Path(unquote(url.raw_path)).resolve()
            if url.host not in {None, "", "localhost"} or not path.is_relative_to(root):
                raise SourceFailed("uri", f"{shown(url)} is not below prompt.file_root")
            if not stat.S_ISREG(path.stat().st_mode):
                raise SourceFailed("unreachable", f"{shown(url)} is no file")
            with path.open("rb") as file:
                body = file.read(limit + 1)
        except (OSError, ValueError) as error:
            problem = f"{shown(url)} could not be read: {getattr(error, 'strerror', None) or error}"
            raise SourceFailed("unreachable", problem) from error
        if len(body) > limit:
            problem = f"{shown(url)} has more than {limit} bytes, the most (prompt.max_bytes)"
            raise SourceFailed("too-large", problem)
        return body


def shown(url: URL) -> str:
    """For people: without query and user, where keys stand."""
    try:
        return str(url.with_query(None).with_fragment(None).with_user(None))[:MAX_SHOWN_CHARACTERS]
    except ValueError:  # no absolute URL has a user
        return str(url.with_query(None).with_fragment(None))[:MAX_SHOWN_CHARACTERS]


def _read(uri: str) -> URL:
    """Letter by letter as the application wrote it: its query may be a signature."""
    try:
        url = URL(uri, encoded=uri.isascii())
        _ = url.host, url.port  # some mistakes show only when asked for
    except ValueError as error:
        raise SourceFailed("uri", f"{uri[:MAX_SHOWN_CHARACTERS]!r} is no address: {error}") from error
    return url


def _target(url: URL, answer: aiohttp.ClientResponse) -> URL:
    where = answer.headers.get("Location", "")
    if not where:
        problem = f"{shown(url)} answered {answer.status} without saying where to"
        raise SourceFailed("status", problem, answer.status)
    return url.join(_read(where))


def _is_loopback(host: str) -> bool:
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _told(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off before its end"
    if isinstance(error, aiohttp.ClientResponseError):
        return "what it answered is no HTTP"
    return f"{str(error) or type(error).__name__}"[:MAX_SHOWN_CHARACTERS]
