"""`make vendor-tests`, for the operations that are built: the vendor's own tests of them pass."""

import os
import sys
from pathlib import Path

import pytest

from interop.whole_server import run

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
NEEDED = (
    "test_create_VOIP_call_and_answer_then_hangup",  # by this name in both clients
    "test_create_VOIP_call_and_connect_call_then_hangup",
    "test_create_VOIP_call_connect_call_hangup_async",
)
"""Create, answer, hang up, connect: each with the synchronous and the asynchronous client."""


async def test_the_vendors_live_tests_of_what_is_built() -> None:
    """Unmodified, out of the source package that pip downloads."""
    command = (sys.executable, "-m", "tools.vendor_tests", "-k", " or ".join(NEEDED), "--need", *NEEDED)
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    ran = await run(*command, environment=environment, folder=ROOT, max_seconds=380)
    assert ran.status == 0, ran.said
    assert "4/4 of the vendor's live tests pass" in ran.said
