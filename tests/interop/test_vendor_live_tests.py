"""`make vendor-tests`: the vendor's own live tests of Call Automation pass, all of them."""

import os
import sys
from pathlib import Path

import pytest

from interop.whole_server import run

pytestmark = [pytest.mark.interop, pytest.mark.timeout(620)]

ROOT = Path(__file__).parents[2]
TESTS = 44
"""Of both clients, in version 1.6.0."""


async def test_all_of_the_vendors_live_tests_pass() -> None:
    """Unmodified, out of the source package that pip downloads."""
    command = (sys.executable, "-m", "tools.vendor_tests", "--all")
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    ran = await run(*command, environment=environment, folder=ROOT, max_seconds=600)
    assert ran.status == 0, ran.said
    assert f"{TESTS}/{TESTS} of the vendor's live tests pass" in ran.said
