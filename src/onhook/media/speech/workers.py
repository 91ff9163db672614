"""Worker processes for speech: libraries that are slow, may crash, or have another licence stay outside.

Each process answers one request at a time. One that dies or takes too long is replaced, and its request
tried once more with another; who waits longer than a queue of a set length is turned away at once.
"""

import asyncio
import contextlib
import logging
import os
import sys
from typing import Final

from onhook.media.speech.worker_loop import ANSWER, FAULT, HEADER, MAX_BODY_BYTES, READY, REFUSED, REQUEST

START_SECONDS: Final = 30.0
TRIES: Final = 2
log = logging.getLogger(__name__)


class WorkFailed(Exception):
    """No answer: the worker died, was too slow, found a fault of its own, or too many wait."""


class _Died(WorkFailed):
    """Worth another try, with another process."""


class WorkRefused(Exception):
    """The worker's own answer that it cannot be done; its text says why."""


class _Worker:
    """One process, while it lives."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def exchange(self, body: bytes) -> tuple[bytes, bytes]:
        """The kind and body of the answer. Raises EOFError or OSError if the process dies."""
        assert self.process.stdin
        self.process.stdin.write(HEADER.pack(len(body), REQUEST) + body)
        await self.process.stdin.drain()
        return await self.read()

    async def read(self) -> tuple[bytes, bytes]:
        assert self.process.stdout
        length, kind = HEADER.unpack(await self.process.stdout.readexactly(HEADER.size))
        if length > MAX_BODY_BYTES:
            raise EOFError
        return kind, await self.process.stdout.readexactly(length)

    def kill(self) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()


class Workers:
    """Up to `count` processes that run `module`; each is started when it is first needed.

    `seconds` is the longest that an answer may take; `max_waiting` how many requests may wait for a process.
    """

    def __init__(self, module: str, *, count: int, max_waiting: int, seconds: float) -> None:
        self._module, self.count, self._max_waiting, self._seconds = module, count, max_waiting, seconds
        self._turns = asyncio.Semaphore(count)
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._under_way: set[asyncio.Task[bytes]] = set()
        self._reaping: set[asyncio.Task[int]] = set()
        self._closed = False
        self.waiting = 0
        """Requests that wait for a process or for its answer."""
        self.died = 0
        """Processes that died or had to be ended."""

    @property
    def processes(self) -> list[int]:
        """Process ids of those that live."""
        return [worker.process.pid for worker in self._all if worker.alive]

    async def ask(self, body: bytes) -> bytes:
        """The answer's body. Raises WorkFailed and WorkRefused.

        If the one who asks is cancelled, the process goes on to its answer: it can be used again sooner
        than a new one starts.
        """
        if self._closed:
            raise WorkFailed("the server stops")
        if self.waiting >= self.count + self._max_waiting:
            raise WorkFailed(f"{self._max_waiting} requests wait already, the most")
        self.waiting += 1
        task = asyncio.ensure_future(self._ask(body))
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End all processes; what is asked then fails."""
        self._closed = True
        for worker in self._all:
            worker.kill()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await asyncio.gather(*(worker.process.wait() for worker in self._all), *self._reaping)
        self._all.clear()
        self._idle.clear()

    async def _ask(self, body: bytes) -> bytes:
        async with self._turns:
            for _ in range(TRIES - 1):
                try:
                    return await self._once(body)
                except _Died:
                    if self._closed:
                        raise
            return await self._once(body)

    async def _once(self, body: bytes) -> bytes:
        worker = await self._take()
        try:
            async with asyncio.timeout(self._seconds):
                kind, answer = await worker.exchange(body)
        except TimeoutError:
            self._lose(worker)
            raise WorkFailed(f"no answer within {self._seconds:g} s") from None
        except (EOFError, OSError):
            self._lose(worker)
            raise _Died("its process died") from None
        except BaseException:
            self._lose(worker)
            raise
        self._idle.append(worker)
        if kind == REFUSED:
            raise WorkRefused(answer.decode(errors="replace"))
        if kind == ANSWER:
            return answer
        text = answer.decode(errors="replace")
        log.error("%s failed:\n%s", self._module, text)
        raise WorkFailed(text.strip().rpartition("\n")[2] if kind == FAULT else "its answer made no sense")

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            self._lose(worker)
        if self._closed:
            raise WorkFailed("the server stops")
        return await self._start()

    async def _start(self) -> _Worker:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # no module of the working directory is taken for one of ours
                "-m",
                self._module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the server; workers end when it lets go of them
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        except OSError as error:
            raise WorkFailed(f"its process could not be started: {error.strerror or error}") from error
        worker = _Worker(process)
        self._all.add(worker)
        try:
            async with asyncio.timeout(START_SECONDS):
                kind, _ = await worker.read()
        except (EOFError, OSError, TimeoutError):
            kind = b""
        if self._closed:
            self._lose(worker)
            raise WorkFailed("the server stops")
        if kind != READY:
            self._lose(worker)
            raise WorkFailed("its process could not be started; standard error has why")
        return worker

    def _lose(self, worker: _Worker) -> None:
        self.died += 1
        worker.kill()
        self._all.discard(worker)
        reaping = asyncio.ensure_future(worker.process.wait())
        self._reaping.add(reaping)
        reaping.add_done_callback(self._reaping.discard)

    def _done(self, task: "asyncio.Task[bytes]") -> None:
        self.waiting -= 1
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # who asked may be gone
