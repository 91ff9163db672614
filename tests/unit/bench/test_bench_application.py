"""The benchmark's parts: what it asks must be what an SDK asks, and what it counts must be so."""

import argparse
import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from application import CALLER, CONNECTED, FAILED, OVER, Application, CallFailed, Heard, Listener
from calls import QUICK, keep_busy, offer, read_arguments
from onhook.acs.bodies import read_body
from onhook.acs.models import CreateCallRequest
from onhook.acs.signature import Denied, Signed, SigningKey, check_signature
from onhook.config import load
from onhook.config.schema import DEVELOPMENT_KEY
from onhook.effects import Destination
from processes import (
    Cores,
    Cpu,
    cpu_beside_main,
    cpu_of,
    free_port,
    free_sip_port,
    memory_mb,
    percentile,
    start,
    stop,
)
from results import Result, as_json, as_text
from sides import Onhook

PATIENCE_SECONDS = 5.0


def make(key: str = DEVELOPMENT_KEY) -> Application:
    return Application(8443, key, ssl.create_default_context(), connections=1)


def read(request: bytes) -> tuple[str, str, dict[str, str], bytes]:
    """Method, target, headers, body."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    method, target, version = first.split(" ")
    assert version == "HTTP/1.1"
    return method, target, {name.lower(): value for name, _, value in pairs}, body


# What it asks


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/calling/callConnections", b'{"a":1}'), ("DELETE", "/calling/callConnections/1-2", b"")],
)
def test_requests_are_signed_as_the_server_checks_them(method: str, path: str, body: bytes) -> None:
    asked, target, headers, sent = read(make()._request(method, path, body))
    assert (asked, sent, headers["content-length"]) == (method, body, str(len(body)))
    keys = [SigningKey.of("dev", DEVELOPMENT_KEY)]
    outcome = check_signature(asked, target, headers, sent, keys=keys, now=time.time(), endpoints=())
    assert outcome == Signed("dev")
    other = [SigningKey.of("dev", "b3RoZXI=")]
    refused = check_signature(asked, target, headers, sent, keys=other, now=time.time(), endpoints=())
    assert isinstance(refused, Denied)


def test_only_creation_is_repeatable_and_every_request_has_an_id_of_its_own() -> None:
    application = make()
    *_, first, _ = read(application._request("POST", "/calling/callConnections", b"{}"))
    *_, second, _ = read(application._request("POST", "/calling/callConnections", b"{}"))
    assert first["repeatability-request-id"] != second["repeatability-request-id"]
    assert first["x-ms-client-request-id"] != second["x-ms-client-request-id"]
    *_, hung_up, _ = read(application._request("DELETE", "/calling/callConnections/1", b""))
    assert "repeatability-request-id" not in hung_up


# What it hears


async def test_waiting_ends_with_the_last_event_wanted() -> None:
    heard = Heard()
    heard.add("CallConnected")
    waiting = asyncio.ensure_future(heard.wait(CONNECTED))
    await asyncio.sleep(0)
    assert not waiting.done()
    heard.add("ParticipantsUpdated")
    await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    await heard.wait(CONNECTED)  # at once
    over = asyncio.ensure_future(heard.wait(OVER))
    await asyncio.sleep(0)
    heard.add("CallDisconnected")
    await asyncio.wait_for(over, PATIENCE_SECONDS)


async def test_a_failed_call_ends_the_waiting() -> None:
    heard = Heard()
    waiting = asyncio.ensure_future(heard.wait(CONNECTED))
    await asyncio.sleep(0)
    heard.add(FAILED)
    with pytest.raises(CallFailed, match=FAILED):
        await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    with pytest.raises(CallFailed, match=FAILED):
        await heard.wait(OVER)


async def test_events_are_taken_whatever_the_pieces_they_come_in() -> None:
    heard: list[tuple[str, str]] = []
    listener = Listener(lambda call_id, event: heard.append((call_id, event)))
    reader, writer = await asyncio.open_connection("127.0.0.1", await listener.start())
    body = json.dumps(
        [{"type": "Microsoft.Communication.CallConnected", "data": {"callConnectionId": "1", "more": 2}}]
    ).encode()
    request = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    for piece in (request[:20], request[20:90], request[90:] + request + request[:30], request[30:]):
        writer.write(piece)
        await writer.drain()
    for _ in range(3):
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert heard == [("1", "CallConnected")] * 3
    writer.close()
    listener.stop()


# Load


class Obedient(Application):
    """Its calls last a moment, and every `fails_every`th one fails."""

    def __init__(self, fails_every: int = 0) -> None:
        super().__init__(8443, DEVELOPMENT_KEY, ssl.create_default_context(), connections=1)
        self.fails_every, self.placed, self.open, self.most_open = fails_every, 0, 0, 0

    async def call(self, hold: asyncio.Event | None = None) -> str:
        assert hold is None
        self.placed += 1
        number = self.placed
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(0.001)
        self.open -= 1
        if self.fails_every and not number % self.fails_every:
            raise CallFailed("createCall: 503")
        return str(number)


async def test_offered_load_places_every_call_and_counts_what_failed() -> None:
    application = Obedient(fails_every=10)
    load = await offer(application, calls=50, rate=5_000)
    assert (load.calls, load.failures, application.placed) == (50, 5, 50)
    assert len(load.call_ids) == 45
    assert set(load.reasons) == {"createCall: 503"}
    assert load.seconds >= load.drain_seconds >= 0


async def test_full_load_keeps_so_many_calls_open_and_no_more() -> None:
    application = Obedient(fails_every=25)
    load = await keep_busy(application, calls=100, at_a_time=7)
    assert (load.calls, load.failures, application.placed, application.most_open) == (100, 4, 100, 7)


def test_the_call_that_is_asked_for_is_one_that_the_server_reads() -> None:
    request: Any = read_body(CreateCallRequest, Application.creation(8080))
    assert request.targets[0].phone_number.value.startswith("+")
    assert request.callback_uri.startswith("http://127.0.0.1:8080/")


# Arguments, figures, processes


@pytest.mark.parametrize("given", [["--calls", "0"], ["--calls", "x"], ["--rate", "5001"], ["--calls", "-1"]])
def test_senseless_arguments_are_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(given)
    assert "expected a whole number 1 to" in capsys.readouterr().err


def test_arguments_are_read() -> None:
    arguments: argparse.Namespace = read_arguments(["--calls", "100", "--quick", "--json"])
    assert (arguments.calls, arguments.rate, arguments.quick, arguments.json) == (100, 0, True, True)
    assert QUICK.calls < 1000


@pytest.mark.parametrize(
    ("values", "part", "expected"),
    [([], 0.5, 0.0), ([3.0], 0.99, 3.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 3.0), (list(range(100)), 0.99, 99)],
)
def test_percentiles(values: list[float], part: float, expected: float) -> None:
    assert percentile(values, part) == expected


def test_cpu_is_told_apart() -> None:
    spent = Cpu(2.0, 0.5).since(Cpu(0.5, 0.25))
    assert (spent.user, spent.system, spent.total) == (1.5, 0.25, 1.75)


def test_the_kernel_is_asked_about_this_process() -> None:
    before = cpu_of(os.getpid())
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert cpu_of(os.getpid()).since(before).total >= 0.02
    assert cpu_beside_main(os.getpid()) >= 0
    assert 5 < memory_mb(os.getpid()) < 10_000


def test_a_program_runs_on_its_core_and_is_stopped(tmp_path: Path) -> None:
    core = Cores.choose().measured
    command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    process: subprocess.Popen[bytes] = start(command, core=core, log=tmp_path / "said.log")
    assert os.sched_getaffinity(process.pid) == {core}
    stop(process)
    assert process.poll() is not None
    stop(process)  # again does no harm


def test_a_free_port_can_be_taken() -> None:
    assert 1024 <= free_port(socket.SOCK_STREAM) <= 65_535


def test_a_port_for_sip_is_free_for_udp_and_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        offered = [int(taken.getsockname()[1]), free_sip_port()]
        left = iter(offered)
        monkeypatch.setattr("processes.free_port", lambda _: next(left))
        assert free_sip_port() == offered[1]
        monkeypatch.setattr("processes.free_port", lambda _: offered[0])
        with pytest.raises(OSError, match="no port is free for UDP and TCP alike"):
            free_sip_port()


@pytest.mark.parametrize("token_reuse_seconds", [0, 60])
def test_the_server_under_measurement_is_configured_as_meant(
    tmp_path: Path, token_reuse_seconds: int
) -> None:
    server = Onhook(tmp_path / "server", Cores(0, 0), far_end=5080, token_reuse_seconds=token_reuse_seconds)
    config = load(server.config, {})
    assert config.server.port == server.port
    assert config.directory.trunks["sipp"].destination == Destination("udp", "127.0.0.1", 5080)
    assert CALLER in config.directory.resources[0].numbers
    assert config.delivery.token_reuse_seconds == token_reuse_seconds
    assert Path(config.store.path) == server.store
    assert not config.carrier.enabled


def spread() -> dict[str, float]:
    return {"p50": 0.4, "p99": 1.25}


def measured(sippy: dict[str, float] | None) -> Result:
    return Result(
        calls=10,
        cpu_ms_a_call=1.23456,
        last_sip_to_verdict_stored_ms=spread(),
        last_sip_to_event_out_ms=spread(),
        last_sip_to_event_taken_ms=spread(),
        sippy=sippy,
    )


def test_results_are_told_to_people_and_programs() -> None:
    text = as_text(measured(None))
    assert "1.23 ms" in text
    assert "p50 0.40 ms, p99 1.25 ms" in text
    assert "not installed" in text
    values = json.loads(as_json(measured(None)))
    assert values["cpu_ms_a_call"] == 1.2346
    assert values["sippy"] is None
    assert values["machine"]


def test_the_peer_is_told_with_its_failures() -> None:
    peer = {
        "calls": 10,
        "failures": 2,
        "cpu_ms_a_call": 3.3,
        "user_ms_a_call": 3.0,
        "system_ms_a_call": 0.3,
        "full_load_calls_a_second": 290.0,
        "full_load_cpu_ms_a_call": 3.2,
    }
    text = as_text(measured(peer))
    assert "3.30 ms" in text
    assert "2 of 10 failed" in text
