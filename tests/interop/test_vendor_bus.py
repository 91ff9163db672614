"""What stands in for the vendor's cloud around its live tests: bus, modules, lock and report."""

import json
import os
import sys
import wave
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tools.vendor_bus import GRID_PATH, MAX_MESSAGES, PROMPT_PATH, Bus, queue_of
from tools.vendor_tests import PACKAGE, ROOT, SHIMS, Outcome, locked, main, read_results, summary

from interop.whole_server import run

RESOURCE, ALICE, BOB = (f"{digit * 8}-2222-3333-4444-555555555555" for digit in "123")
QUEUE = f"8acs{RESOURCE}_{ALICE}8acs{RESOURCE}_{BOB}"
INCOMING: dict[str, Any] = {
    "from": {"rawId": f"8:acs:{RESOURCE}_{ALICE}"},
    "to": {"rawId": f"8:acs:{RESOURCE}_{BOB}"},
    "incomingCallContext": "opaque",
}


@pytest.fixture
async def bus() -> AsyncIterator[Bus]:
    started = Bus()
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def http(bus: Bus) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(bus.url) as session:
        yield session


async def subscribe(http: aiohttp.ClientSession, queue: str) -> int:
    async with http.post("/api/servicebuscallback/subscribe", params={"q": queue}) as answer:
        return answer.status


async def tell(http: aiohttp.ClientSession, body: str, queue: str | None) -> int:
    params = {} if queue is None else {"q": queue}
    async with http.post("/api/servicebuscallback/events", params=params, data=body) as answer:
        return answer.status


async def received(http: aiohttp.ClientSession, queue: str, wait: float = 0) -> list[str]:
    async with http.get(f"/queues/{queue}", params={"wait": str(wait)}) as answer:
        messages: list[str] = await answer.json()
        return messages


async def grid(http: aiohttp.ClientSession, event_type: str, data: object) -> Any:
    event = {"eventType": event_type, "data": data}
    async with http.post(GRID_PATH, json=[event]) as answer:
        assert answer.status == 200
        return json.loads(await answer.text() or "null")


def test_an_incoming_call_has_a_queue_by_its_two_parties() -> None:
    assert queue_of(INCOMING) == QUEUE
    phone = {"from": {"rawId": "4:+14255550123"}, "to": {"rawId": "4:+14255550100"}}
    assert queue_of(phone) == "4+142555501234+14255550100"


async def test_events_wait_in_their_order(http: aiohttp.ClientSession) -> None:
    assert await subscribe(http, "a") == 200
    assert await subscribe(http, "b") == 200
    for number in range(3):
        assert await tell(http, f"a{number}", "a") == 200
    assert await tell(http, "b0", "b") == 200
    assert await received(http, "a") == ["a0", "a1", "a2"]
    assert await received(http, "a") == []
    assert await received(http, "b") == ["b0"]


async def test_events_without_a_queue_are_taken_and_dropped(bus: Bus, http: aiohttp.ClientSession) -> None:
    assert await tell(http, "of the side that answered", None) == 200
    assert bus.dropped == 0
    assert await tell(http, "for nobody", "unknown") == 200
    assert bus.dropped == 1


async def test_a_queue_needs_a_name(http: aiohttp.ClientSession) -> None:
    assert await subscribe(http, "") == 400


async def test_a_queue_is_not_endless(bus: Bus, http: aiohttp.ClientSession) -> None:
    await subscribe(http, "a")
    for number in range(MAX_MESSAGES + 1):
        await tell(http, str(number), "a")
    assert bus.dropped == 1
    assert len(await received(http, "a")) == MAX_MESSAGES


async def test_the_handshake_of_event_grid(http: aiohttp.ClientSession) -> None:
    answer = await grid(http, "Microsoft.EventGrid.SubscriptionValidationEvent", {"validationCode": "code"})
    assert answer == {"validationResponse": "code"}


async def test_of_an_incoming_call_only_the_data_is_queued(http: aiohttp.ClientSession) -> None:
    await subscribe(http, QUEUE)
    await grid(http, "Microsoft.Communication.CallStarted", {"serverCallId": "other"})
    await grid(http, "Microsoft.Communication.IncomingCall", INCOMING)
    (message,) = await received(http, QUEUE)
    assert json.loads(message) == INCOMING


async def test_the_prompt_is_what_call_automation_plays(http: aiohttp.ClientSession) -> None:
    async with http.get(PROMPT_PATH) as answer:
        file = BytesIO(await answer.read())
    with wave.open(file) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 16_000)
        assert sound.getnframes() == 16_000


async def test_whatever_is_streamed_is_taken(bus: Bus, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(bus.stream_url) as websocket:
        await websocket.send_str('{"kind": "AudioMetadata"}')
    assert (bus.streams, bus.streamed) == (1, 1)


CLIENT = """
import os
from azure.identity import AzureCliCredential
from azure.servicebus import ServiceBusClient
from azure.communication.callautomation import CallAutomationClient  # the real one, beside the stand-ins
client = ServiceBusClient(fully_qualified_namespace=os.environ["BUS"], credential=AzureCliCredential())
receiver = client.get_queue_receiver(queue_name=os.environ["QUEUE"])
for message in receiver.receive_messages(max_wait_time=20):
    print(b"".join(message.body).decode())
    receiver.complete_message(message)
print(len(receiver.receive_messages(max_wait_time=0.01)), "left")
"""


async def test_the_stand_in_for_the_queue_client(bus: Bus, http: aiohttp.ClientSession) -> None:
    await subscribe(http, QUEUE)
    await grid(http, "Microsoft.Communication.IncomingCall", INCOMING)
    environment = {"PYTHONPATH": str(SHIMS), "BUS": bus.address, "QUEUE": QUEUE}
    ran = await run(sys.executable, "-c", CLIENT, environment=environment)
    first, left = ran.said.splitlines()
    assert json.loads(first) == INCOMING
    assert (ran.status, left) == (0, "0 left")


LIVE_TEST = """
import pytest
from azure.identity.aio import AzureCliCredential, DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient
from devtools_testutils import AzureRecordedTestCase, is_live, recorded_by_proxy, test_proxy
from devtools_testutils import add_general_regex_sanitizer, set_default_session_settings
from devtools_testutils.aio import recorded_by_proxy_async
from devtools_testutils.helpers import get_test_id

@pytest.fixture(scope="session", autouse=True)
def start_proxy(test_proxy):
    set_default_session_settings()
    add_general_regex_sanitizer(regex="a", value="b")

class TestOne(AzureRecordedTestCase):
    @recorded_by_proxy
    def test_passes(self):
        assert is_live() and get_test_id() == "test_live.py.TestOne.test_passes"

    def test_fails(self):
        raise ValueError("(NotImplemented) play (POST /calling/x:play) is not built in Onhook yet.")

    @recorded_by_proxy_async
    async def test_waits(self):
        raise ValueError("something else")
"""


async def test_a_live_test_runs_and_its_report_is_read(tmp_path: Path) -> None:
    """The stand-ins as the vendor's own files import them, and pytest's report of it."""
    (tmp_path / "test_live.py").write_text(LIVE_TEST)
    options = ("-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "-o", "asyncio_mode=auto")
    ran = await run(
        *(sys.executable, "-m", "pytest", "-q", "--junitxml=report.xml", *options, "test_live.py"),
        environment={"PYTHONPATH": str(SHIMS)},
        folder=tmp_path,
    )
    assert ran.status == 1, ran.said
    outcomes = read_results(tmp_path / "report.xml")
    assert [(outcome.name, bool(outcome.why), outcome.missing) for outcome in outcomes] == [
        ("test_live::test_fails", True, "play"),
        ("test_live::test_passes", False, ""),
        ("test_live::test_waits", True, ""),
    ]
    assert "something else" in outcomes[2].why


def test_the_summary() -> None:
    outcomes = [
        Outcome("a::test_1"),
        Outcome(
            "a::test_2", "(NotImplemented) play (POST /calling/x:play) is not built in Onhook yet. And more"
        ),
        Outcome("b::test_3", "\nValueError: incoming_call_event is None\ntrace"),
    ]
    assert summary(outcomes).splitlines() == [
        "  ok      a::test_1",
        "  FAILED  a::test_2",
        "          play is not built",
        "  FAILED  b::test_3",
        "          ValueError: incoming_call_event is None",
        "",
        "1/3 of the vendor's live tests pass",
        "operations that the others miss first: play",
    ]


def test_a_clean_sweep_misses_nothing() -> None:
    assert summary([Outcome("a::test_1")]).splitlines()[-1] == "1/1 of the vendor's live tests pass"


def test_the_package_is_downloaded_by_its_locked_hashes() -> None:
    requirement = locked(PACKAGE, ROOT / "locks/dev.txt")
    assert requirement.startswith(f"{PACKAGE}==1.6.0 \\\n")
    assert requirement.count("--hash=sha256:") >= 2  # a wheel and the source package
    assert "\nazure-core" not in requirement
    assert "# via" not in requirement


def test_a_package_that_is_not_locked(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("azure-core==1.0 \\\n    --hash=sha256:00\n")
    with pytest.raises(LookupError, match="has no azure-communication-callautomation"):
        locked(PACKAGE, lock)


def test_a_wrong_argument_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--no-such-option"])
    assert raised.value.code == 2
    assert "--no-such-option" in capsys.readouterr().err
