"""The built-in carrier falls silent, or sends what nobody agreed on, over real sockets; what is told then."""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from interop.sipp_trunk.rig import TALKED, Listener, Rig
from interop.whole_server import free_port, whole_server
from onhook.server.certificates import client_context

pytestmark = pytest.mark.interop
RATINGS = {
    "no-rtp-ever": {"none"},
    "rtp-stopped": {"good"},
    "codec-not-agreed": {"none", "unknown"},
    "srtp-mismatch": {"none", "unknown"},
}
"""A few packets may be of use before the carrier changes its mind: too few to say how they sounded."""
SOON = {"media__silent_after_seconds": 0.4, "media__end_after_silence_seconds": 1.5}


@contextlib.asynccontextmanager
async def rig(folder: Path, srtp: str) -> AsyncGenerator[Rig]:
    listener, port = Listener(), free_port()
    await listener.start()
    trunk = {"carrier__port": port, "trunk__carrier__port": port, "trunk__carrier__host": "127.0.0.1"}
    try:
        async with whole_server(folder, **SOON, **trunk, trunk__carrier__srtp=srtp) as server:
            trust = client_context(server.certificates) if server.certificates else None
            connector = aiohttp.TCPConnector(ssl=trust) if trust else None
            async with aiohttp.ClientSession(connector=connector) as http:
                yield Rig(server, listener, http)
    finally:
        await listener.stop()


@pytest.mark.parametrize(
    ("number", "ending", "pair"),
    [
        ("+14255550204", "no-rtp-ever", (410, 301004)),
        ("+14255550226", "rtp-stopped", (410, 531005)),
        ("+14255550229", "codec-not-agreed", (410, 301004)),
        ("+14255550232", "srtp-mismatch", (410, 301004)),
    ],
)
async def test_the_cause_of_silence_is_the_ending(
    tmp_path: Path, number: str, ending: str, pair: tuple[int, int]
) -> None:
    async with rig(tmp_path, "required" if ending == "srtp-mismatch" else "off") as made:
        told = await made.told(await made.call(number))
    assert told.codes == (*pair, ending)
    assert told.events == TALKED
    assert "rtp-stopped" in told.timeline
    (leg,) = told.why["audio"]
    assert leg["rating"] in RATINGS[ending]
    assert told.media["sent"] >= 50
    if ending == "codec-not-agreed":
        assert told.media["wrong_types"] == [18]
        assert told.media["wrong_codec"] >= 50
    if ending == "srtp-mismatch":
        assert told.media["undecipherable"] >= 50
    if ending == "rtp-stopped":
        assert 50 <= told.media["received"] <= 150
