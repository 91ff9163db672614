"""External storage of the application: a folder of this machine, or a container that takes blobs over HTTP.

documented (Microsoft, "Bring your own Azure storage"): the request names a container's URL. Written is by
Put Blob of the Blob service (REST reference: PUT, x-ms-blob-type: BlockBlob), with the query of the
container's URL, where a SAS stands; managed identities do not exist here. assumed: the names,
`YYYYMMDD/CALL/RECORDING/DOCUMENT.wav` and `….json`. What fails stays in the folder of recordings.
"""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import aiohttp
from yarl import URL

from onhook.acs.callback_uri import is_loopback
from onhook.media.recordings.settings import RecordingSettings
from onhook.media.recordings.shelf import CONTENT_TYPES, Plan, Shelf

BLOB_VERSION: Final = "2021-08-06"
PAUSES_SECONDS: Final = (1.0, 2.0, 4.0, 8.0)
"""After the first, second … failed try; the last one repeats."""
TRIED_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
MAX_ANSWER_CHARACTERS: Final = 200
log = logging.getLogger(__name__)


class StorageFailed(Exception):
    """A file could not be handed over; the text says which, where to, and the last answer."""


class Placed(NamedTuple):
    """Where a chunk is now: URLs without any query."""

    content: str
    metadata: str


class _Refused(Exception):
    """One try failed; `again` says whether another may help."""

    def __init__(self, why: str, *, again: bool) -> None:
        super().__init__(why)
        self.again = again


class ExternalStorage:
    """`session` verifies and refuses as other requests of the server do."""

    def __init__(
        self,
        shelf: Shelf,
        settings: RecordingSettings,
        session: Callable[[], aiohttp.ClientSession],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._shelf, self._settings, self._session, self._sleep = shelf, settings, session, sleep

    def fault_in(self, url: str) -> str:
        """Why nothing can be stored there, before anything is recorded; empty if it may do."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError as fault:
            return f"the storage is no URL: {fault}"
        if parts.scheme == "file":
            return self._fault_in_folder(unquote(parts.path))
        if parts.scheme not in {"http", "https"} or not host:
            return f"the storage {parts.scheme or 'without scheme'}://{host} is neither https:// nor file://"
        if parts.scheme == "http" and not self._may_be_plain(host):
            return f"the storage http://{host} is not https:// (recording.storage_http)"
        return ""

    async def place(self, plan: Plan, document: str) -> Placed:
        """Hand over a finished chunk and its metadata. Raises StorageFailed."""
        content = self._shelf.content(document, plan.format)
        files = [(content, CONTENT_TYPES[plan.format]), (self._shelf.metadata(document), "application/json")]
        places: list[str] = []
        for path, content_type in files:
            name = f"{datetime.fromtimestamp(plan.began_at, UTC):%Y%m%d}"
            name = "/".join(quote(each, safe="") for each in (name, plan.call_id, plan.recording, path.name))
            places.append(await self._placed(plan.storage, name, path, content_type))
        return Placed(places[0], places[1])

    async def _placed(self, storage: str, name: str, path: Path, content_type: str) -> str:
        tries = self._settings.upload_tries
        for attempt in range(tries):
            try:
                if storage.startswith("file:"):
                    return await asyncio.to_thread(self._copy, storage, name, path)
                return await self._put(storage, name, path, content_type)
            except _Refused as refused:
                log.warning("recording %s, try %d: %s", path.name, attempt + 1, refused)
                if not refused.again or attempt + 1 == tries:
                    times = f" after {attempt + 1} tries" if attempt else ""
                    raise StorageFailed(f"{path.name} could not be stored{times}: {refused}") from None
                await self._sleep(PAUSES_SECONDS[min(attempt, len(PAUSES_SECONDS) - 1)])
        raise StorageFailed(f"{path.name} could not be stored: recording.upload_tries is 0")

    async def _put(self, storage: str, name: str, path: Path, content_type: str) -> str:
        container, mark, query = storage.partition("?")
        bare = f"{container.rstrip('/')}/{name}"
        headers = {"x-ms-blob-type": "BlockBlob", "x-ms-version": BLOB_VERSION, "Content-Type": content_type}
        timeout = aiohttp.ClientTimeout(total=self._settings.upload_seconds)
        try:
            file = await asyncio.to_thread(path.open, "rb")
            with file:  # aiohttp reads it in a thread
                putting = self._session().put(
                    URL(bare + mark + query, encoded=True),
                    data=file,
                    headers=headers,
                    timeout=timeout,
                    allow_redirects=False,
                )
                async with putting as answer:
                    if 200 <= answer.status < 300:
                        return bare
                    raise _Refused(await _told(answer, bare), again=answer.status in TRIED_AGAIN)
        except TimeoutError:
            seconds = self._settings.upload_seconds
            raise _Refused(f"{bare} took longer than {seconds:g} s", again=True) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            again = not isinstance(error, ValueError)
            raise _Refused(f"{bare}: {type(error).__name__}: {error}", again=again) from None

    def _copy(self, storage: str, name: str, path: Path) -> str:
        folder = unquote(urlsplit(storage).path)
        if fault := self._fault_in_folder(folder):
            raise _Refused(fault, again=False)
        target = Path(folder) / unquote(name)
        beside = target.with_name(f"{target.name}.new")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, beside)
            beside.replace(target)
        except OSError as error:
            raise _Refused(str(error), again=True) from None
        return target.absolute().as_uri()

    def _fault_in_folder(self, folder: str) -> str:
        """A folder of this machine must lie below the one that the setting opens, links followed."""
        root = self._settings.storage_folder
        if not root:
            return f"the storage {folder} is a folder; recording.storage_folder opens none"
        if not Path(folder).resolve().is_relative_to(Path(root).resolve()):
            return f"the storage {folder} is not below {root} (recording.storage_folder)"
        return ""

    def _may_be_plain(self, host: str) -> bool:
        http = self._settings.storage_http
        return http == "always" or (http == "loopback" and is_loopback(host))


async def _told(answer: aiohttp.ClientResponse, bare: str) -> str:
    """What the store says: status, its own code, the begin of its words."""
    code = answer.headers.get("x-ms-error-code", "")
    words = (await answer.content.read(MAX_ANSWER_CHARACTERS)).decode(errors="replace")
    told = " ".join(each for each in (str(answer.status), code or answer.reason or "", words) if each)
    return f"{bare} answered {told.strip()}"
