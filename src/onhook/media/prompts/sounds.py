"""Sounds that were fetched or spoken: made once for all who want them, and kept for a while within a size."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple

from onhook.media.parts import Clip


class _Kept(NamedTuple):
    clip: Clip
    until: float


class _Making:
    """Under way; `waiting` counts who wants it."""

    def __init__(self, task: "asyncio.Task[Clip]") -> None:
        self.task, self.waiting = task, 0


class Sounds:
    """`now` gives seconds that never run backwards. A sound larger than a quarter of the room is not kept."""

    def __init__(self, max_bytes: int, now: Callable[[], float]) -> None:
        self._max_bytes, self._now = max_bytes, now
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._making: dict[Hashable, _Making] = {}
        self.bytes = 0
        """Of all that is kept."""

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Clip]], keep_seconds: float) -> Clip:
        """The sound of `key`: kept, or on its way, or made now. Raises what `make` raises.

        Who is cancelled takes nothing from the others; once nobody waits any more, the making is cancelled.
        """
        kept = self._kept.get(key)
        if kept is not None:
            if kept.until > self._now():
                self._kept.move_to_end(key)
                return kept.clip
            self._drop(key)
        making = self._making.get(key)
        if making is None:
            task = asyncio.ensure_future(self._make(key, make, keep_seconds))
            making = self._making[key] = _Making(task)
        making.waiting += 1
        try:
            return await asyncio.shield(making.task)
        finally:
            making.waiting -= 1
            if not making.waiting and not making.task.done():
                making.task.cancel()
                self._forget(key, making)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[Clip]], keep_seconds: float) -> Clip:
        own = self._making[key]
        try:
            clip = await make()
        finally:
            self._forget(key, own)
        if keep_seconds > 0 and clip.samples.nbytes <= self._max_bytes // 4:
            self._keep(key, clip, keep_seconds)
        return clip

    def _forget(self, key: Hashable, making: _Making) -> None:
        if self._making.get(key) is making:
            del self._making[key]

    def _keep(self, key: Hashable, clip: Clip, seconds: float) -> None:
        if key in self._kept:
            self._drop(key)
        self._kept[key] = _Kept(clip, self._now() + seconds)
        self.bytes += clip.samples.nbytes
        while self.bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        self.bytes -= self._kept.pop(key).clip.samples.nbytes
