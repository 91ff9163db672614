"""The echo agent of docs/guides/media-streaming.md does what the guide says."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from onhook.facts import DigitHeard
from unit.media.recordings.recording_rig import tone
from unit.media.streams.stream_rig import BEGIN, scene

GUIDE = Path(__file__).parents[4] / "docs/guides/media-streaming.md"


def agent() -> Any:
    """Its handler of WebSockets, out of the guide's own text."""
    (text,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        if "def audio" in block
    ]
    namespace: dict[str, Any] = {"__name__": "agent"}
    exec(compile(text, str(GUIDE), "exec"), namespace)
    return namespace["audio"]


async def test_the_agent_of_the_guide_echoes_and_falls_silent(capsys: pytest.CaptureFixture[str]) -> None:
    site = web.Application()
    site.router.add_get("/audio", agent())
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    said = tone(440, 1)
    async with scene() as streams:
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/audio"
        streams.open(url, bidirectional=True, digits=True)
        await streams.until("opened")
        streams.room.play({"a": said})
        streams.room.play({}, seconds=0.2)
        await streams.until_received(50)
        (feed,) = streams.room.feeds
        assert np.array_equal(np.concatenate([clip.samples for clip in feed.clips]), said)
        streams.streams.hear(DigitHeard(at=BEGIN, leg="a", digit="7"))
        await streams.until_cleared()
        assert not feed.clips
    await runner.cleanup()
    told = capsys.readouterr().out
    assert "call connection\n" in told
    assert "key 7\n" in told
