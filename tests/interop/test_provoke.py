"""Faults beside the endings of calls, in a real server: by `onhook provoke`, as the guide writes it."""

import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

from provoking_scene import Scene, short

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "provoke-an-ending.md"
NUMBER = "+14255550200"

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("provoke"))
    yield made
    made.stop()


def onhook(scene: Scene, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "onhook", *words, "--config", str(scene.config)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=scene.folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_of_the_guide_is_taken(scene: Scene) -> None:
    (scene.folder / "mine.txt").write_text(
        "carrier: 100 Trying\ncarrier: 606 Not Acceptable\n", encoding="utf-8"
    )
    commands = re.findall(
        r"^onhook provoke(?! crash)(.*?)(?: +#.*)?$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(commands) >= 8
    for command in commands:
        assert onhook(scene, "provoke", *command.split())
    scene.disarm()


def test_the_steps_of_the_guide(scene: Scene) -> None:
    assert "armed (carrier) for number +14255550200, once" in onhook(
        scene, "provoke", "callee-busy", "--number", NUMBER
    )
    call = scene.call(NUMBER)
    assert scene.end_of(call) == ("CreateCallFailed", 486, "560486")
    text = onhook(scene, "why", call)
    assert "This was provoked" in text
    assert text.rstrip().endswith(f"onhook provoke callee-busy --number {NUMBER}")
    assert "provoked (" in scene.ladder(call)
    assert "1 of 1" in onhook(scene, "provoke", "--armed")
    (scene.folder / "mine.txt").write_text("carrier: 606 Not Acceptable\n", encoding="utf-8")
    onhook(scene, "provoke", "--scenario", "mine.txt", "--number", NUMBER)
    assert scene.end_of(scene.call(NUMBER)) == ("CreateCallFailed", 606, "560606")


def test_a_refusal_with_retry_after_is_asked_again_by_the_sdk(scene: Scene) -> None:
    made = scene.arm("throttled", operation="createCall")
    call = scene.call("+14255550486", retry_total=3)
    assert scene.end_of(call)[0] == "CreateCallFailed"
    assert scene.armed(made["id"])["hits"] == 1


def test_a_connection_that_is_cut(scene: Scene) -> None:
    scene.arm("connection-cut")
    with pytest.raises((ServiceResponseError, ServiceRequestError)):
        scene.call(NUMBER)


def test_a_store_that_is_full_places_no_call(scene: Scene) -> None:
    before = len(scene.get("/onhook/calls")["calls"])
    scene.arm("store-full")
    with pytest.raises(HttpResponseError) as refused:
        scene.call(NUMBER)
    assert refused.value.status_code == 503
    assert len(scene.get("/onhook/calls")["calls"]) == before
    until_ready(scene)


def until_ready(scene: Scene) -> None:
    """The store is tried again after a second."""
    until = time.monotonic() + 20
    while not scene.get("/onhook/health")["ready"]:
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("callbacks-twice", ["CallConnected", "CallConnected", "ParticipantsUpdated", "CallDisconnected"]),
        ("callbacks-lost", ["ParticipantsUpdated", "CallDisconnected"]),
        ("callbacks-out-of-order", ["ParticipantsUpdated", "CallConnected", "CallDisconnected"]),
    ],
)
def test_what_happens_to_callbacks(scene: Scene, fault: str, kinds: list[str]) -> None:
    scene.arm(fault)
    call = scene.call("+14255550201")
    scene.end_of(call)
    assert [short(event) for event in scene.application.events[call]] == kinds
    assert "provoked (" in scene.ladder(call)


def test_our_own_fault_ends_the_call(scene: Scene) -> None:
    scene.arm("server-fault", number=NUMBER)
    call = scene.call(NUMBER)
    assert scene.end_of(call)[1:] == (500, "9999")
    assert scene.why(call)["ending"] == "server-fault"


def test_an_expired_certificate(scene: Scene) -> None:
    made = scene.arm("certificate-expired", count=0)
    trust = ssl.create_default_context(cafile=scene.verify)
    with pytest.raises(urllib.error.URLError, match="expired"):
        urllib.request.urlopen(f"{scene.url}/onhook/health", timeout=10, context=trust)
    no_trust = ssl._create_unverified_context()  # only to disarm what makes it unusable
    request = urllib.request.Request(f"{scene.url}/onhook/lab/provocations/{made['id']}", method="DELETE")
    with urllib.request.urlopen(request, timeout=10, context=no_trust) as answer:
        assert answer.status == 200
    assert scene.get("/onhook/health")["ready"]


def test_a_crash_ends_calls_with_the_restart(scene: Scene) -> None:
    call = scene.call(NUMBER)
    scene.application.event(call, {"CallConnected"})
    scene.arm("crash")
    assert scene.process.wait(20) == -9
    scene.start()
    assert scene.end_of(call)[1:] == (500, "9999")
    assert scene.why(call)["ending"] == "server-restarted"
