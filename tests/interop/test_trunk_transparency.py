"""A trunk through Kamailio that rewrites some causes: measured, tabulated, and what verdicts make of it."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from interop.baresip.desk import desk, ignore
from interop.kamailio.sbc import SIP_PORT, kamailio
from interop.test_replayed_calls import OTHER, ask, call_out
from interop.whole_server import free_port, run

pytestmark = pytest.mark.interop
HOST = "127.0.0.61"
CHANGED = {
    (486, None): (480, None),
    (486, 17): (480, None),
    (600, None): (480, None),
    (604, None): (404, None),
}


@asynccontextmanager
async def rewriting(folder: Path, far_port: int) -> AsyncIterator[None]:
    definitions = (f"OWN=udp:{HOST}:{SIP_PORT}", f'FAR="sip:127.0.0.1:{far_port}"')
    async with kamailio(folder, "rewriting.cfg", HOST, definitions):
        yield


async def test_what_a_trunk_rewrites_is_measured_and_judged(tmp_path: Path) -> None:
    far_port = free_port()
    settings = {
        "carrier__port": far_port,
        "trunk__sbc__host": HOST,
        "trunk__sbc__port": SIP_PORT,
        "route__0__name": "all",
        "route__0__pattern": r"\+.*",
        "route__0__trunks": '["sbc"]',
    }
    async with (
        rewriting(tmp_path / "kamailio", far_port),
        desk(tmp_path, ignore, subscribed=False, **settings) as opened,
    ):
        environment = {
            "ONHOOK_SERVER__PORT": str(opened.server.http.port),
            "ONHOOK_SERVER__DATA_DIRECTORY": str(tmp_path / "authority"),
        }
        command = (sys.executable, "-m", "onhook", "lab", "transparency", "--trunk", "sbc")
        ran = await run(*command, "--number", OTHER, "--json", environment=environment, folder=tmp_path)
        assert ran.status == 0, ran.said
        table = json.loads(ran.said)
        seen = {key(row["sent"]): key(row["seen"]) for row in table["rows"]}
        assert {sent: came for sent, came in CHANGED.items() if seen[sent] != came} == {}
        finals = {sent: came for sent, came in seen.items() if sent[0] and sent not in CHANGED}
        assert len(finals) > 60
        # A proxy keeps a 503 to itself, and says 500 instead (RFC 3261 section 16.7, step 6).
        others = {(sent[0], came[0]) for sent, came in finals.items() if sent[0] != came[0]}
        assert others == {(503, 500), (600, 480), (604, 404)}
        byes = {sent: came for sent, came in seen.items() if not sent[0]}
        assert set(byes.values()) == {(0, None)}
        assert all(0 <= row["delay_ms"] < 2_000 for row in table["rows"])

        shown = await run(*command, "--markdown", environment=environment, folder=tmp_path)
        assert "| 486 Busy Here | 480 Temporarily Unavailable |" in shown.said

        carrier = opened.server.carrier
        assert carrier is not None
        carrier.will(OTHER, "carrier: 486 Busy Here")
        why = await ask(opened, "GET", f"/onhook/calls/{await call_out(opened)}/why")
        assert (why["code"], why["confidence"]) == (480, "medium")
        doubt = next(proof["shows"] for proof in why["evidence"] if "measured to rewrite" in proof["shows"])
        assert "486 Busy Here" in doubt
        assert "600 Busy Everywhere" in doubt
        carrier.will(OTHER, "carrier: 603 Decline")
        why = await ask(opened, "GET", f"/onhook/calls/{await call_out(opened)}/why")
        assert why["code"] == 603
        assert not any("measured" in proof["shows"] for proof in why["evidence"])


def key(cause: dict[str, Any]) -> tuple[int, int | None]:
    return cause["status"], cause.get("q850")
