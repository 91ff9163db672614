"""docs/guides/phones.md as it is written: its files, its command line, and a real server that is called."""

import re
import shutil
from pathlib import Path

import pytest
from azure.communication.callautomation import CallRejectReason

from interop.baresip.desk import NUMBER, desk, reject
from interop.baresip.phone import NUMBER as CALLER
from interop.whole_server import run

pytestmark = pytest.mark.interop

GUIDE = (Path(__file__).parents[2] / "docs/guides/phones.md").read_text()
SECONDS = "2"


def block(after: str) -> str:
    """The first block of code after those words, without its indentation."""
    found = re.search(r"```\n(.*?)```", GUIDE[GUIDE.index(after) :], re.DOTALL)
    assert found, after
    return "".join(line.lstrip(" ") for line in found[1].splitlines(keepends=True))


@pytest.mark.parametrize("transport", ["", ";transport=tcp"])
async def test_the_phone_of_the_guide_calls(tmp_path: Path, transport: str) -> None:
    program = shutil.which("baresip")
    assert program, "baresip is missing: apt-get install baresip-core"
    for name in ("config", "accounts"):
        (tmp_path / name).write_text(block(f"`phone/{name}`"))
    (tmp_path / "contacts").write_text("")
    assert f'-f phone -e "/dial sip:{NUMBER}@127.0.0.1:5070" -t 10' in GUIDE
    assert f"sip:{NUMBER}@127.0.0.1:5070;transport=tcp" in GUIDE
    async with desk(tmp_path / "server", reject(CallRejectReason.BUSY)) as opened:
        dial = f"/dial sip:{NUMBER}@127.0.0.1:{opened.sip_port}{transport}"
        ran = await run(program, "-f", tmp_path, "-e", dial, "-t", SECONDS, environment={})
        told = await opened.told()
    assert told.codes == (486, 540486, "inbound-busy")
    assert opened.incoming[0]["from"]["rawId"] == f"4:{CALLER}"
    assert "session closed: 486 Busy Here" in ran.said
