"""The benchmark of calls that come in: its application answers as an SDK does, and it counts rightly."""

import asyncio
import json
import re
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import incoming
from application import (
    INCOMING_CALL,
    VALIDATION,
    Answering,
    CallFailed,
    GridListener,
    Heard,
    Taken,
)
from incoming import (
    ENDING,
    MAX_REASONS,
    QUICK,
    Plan,
    Run,
    Stretch,
    judge,
    read_latencies,
    sent_by_sipp,
    spread,
)
from incoming_results import Burden, IncomingResult, incoming_as_text
from onhook.acs.bodies import read_body
from onhook.acs.models import AnswerCallRequest
from onhook.config import load
from onhook.config.schema import DEVELOPMENT_KEY, DEVELOPMENT_NUMBERS
from onhook.endings.verdict import Verdict
from onhook.facts import GridAttempted, SipSeen, Timeline
from onhook.sip.messages import Request, parse
from onhook.store.batch import Batch
from onhook.store.sqlite import SqliteStore
from processes import Cores
from results import as_json
from sides import CALLS_IN, Onhook
from store_samples import record

PATIENCE_SECONDS = 5.0
CONNECTED = ("CallConnected", "ParticipantsUpdated")


# The endpoint of Event Grid


async def post(port: int, *bodies: object) -> list[bytes]:
    """Post each body on one connection; the bodies of the answers, all of them 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers: list[bytes] = []
    for value in bodies:
        body = json.dumps(value).encode()
        head = b"POST /incoming HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write(head + body)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        length = re.search(rb"Content-Length: (\d+)", answer)
        assert length
        answers.append(await asyncio.wait_for(reader.readexactly(int(length[1])), PATIENCE_SECONDS))
    writer.close()
    return answers


async def test_the_endpoint_agrees_and_is_told_of_calls() -> None:
    rung: list[str] = []
    listener = GridListener(rung.append)
    port = await listener.start()
    handshake = [{"eventType": VALIDATION, "data": {"validationCode": "abc", "validationUrl": "x"}}]
    call = [{"eventType": INCOMING_CALL, "data": {"incomingCallContext": "ctx-1", "more": 2}, "id": "1"}]
    other = [{"eventType": "Microsoft.Communication.CallStarted", "data": {}}]
    validated, *taken = await post(port, handshake, call, other)
    listener.stop()
    assert json.loads(validated) == {"validationResponse": "abc"}
    assert taken == [b"", b""]
    assert rung == ["ctx-1"]


# The application


class Scripted(Answering):
    """Its server is a script: what each request is answered, and which events follow."""

    def __init__(self, fail_at: str = "", status: int = 503) -> None:
        super().__init__(8443, DEVELOPMENT_KEY, ssl.create_default_context(), connections=1)
        self.fail_at, self.status = fail_at, status
        self.asked: list[tuple[str, str]] = []
        self.answered = 0

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self.asked.append((method, path))
        await asyncio.sleep(0)
        if method == self.fail_at:
            return self.status, b"no"
        if method == "POST":
            self.answered += 1
            call_id = f"call-{self.answered}"
            events = ("AnswerFailed",) if self.fail_at == "event" else CONNECTED
            asyncio.get_running_loop().call_soon(self._say, call_id, *events)
            return 200, json.dumps({"callConnectionId": call_id}).encode()
        asyncio.get_running_loop().call_soon(self._say, path.rpartition("/")[2], "CallDisconnected")
        return 204, b""

    def _say(self, call_id: str, *events: str) -> None:
        for event in events:
            self._of(call_id).add(event)


async def settled(application: Answering, *contexts: str) -> Taken:
    for context in contexts:
        application.ring(context)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await application.settle()
    return application.taken


async def test_each_call_is_answered_hung_up_and_noted() -> None:
    application = Scripted()
    began = time.time()
    taken = await settled(application, "a", "b", "c")
    assert sorted(taken.over) == ["call-1", "call-2", "call-3"]
    assert taken.reasons == []
    assert application.asked[0] == ("POST", "/calling/callConnections:answer")
    assert ("DELETE", "/calling/callConnections/call-2") in application.asked
    assert set(taken.heard_at) == set(taken.over)
    assert began <= taken.first_at <= min(taken.heard_at.values()) <= taken.last_at <= time.time()
    assert not application._heard, "what was heard of a call that is over is forgotten"


@pytest.mark.parametrize(
    ("fail_at", "reason"),
    [("POST", "answerCall: 503 b'no'"), ("DELETE", "hangUp: 503 b'no'"), ("event", "AnswerFailed")],
)
async def test_a_call_that_fails_says_at_which_step(fail_at: str, reason: str) -> None:
    taken = await settled(Scripted(fail_at), "a")
    assert (taken.over, taken.reasons) == ([], [reason])
    assert taken.last_at >= taken.first_at > 0


async def test_a_call_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("application.CALL_SECONDS", 0.01)
    application = Scripted()
    monkeypatch.setattr(application, "_say", lambda *_: None)
    taken = await settled(application, "a")
    assert (taken.over, taken.reasons) == ([], ["not over in time"])


async def test_a_stretch_begins_with_nothing_noted() -> None:
    application = Scripted()
    first = await settled(application, "a")
    application.taken = Taken()
    second = await settled(application, "b")
    assert (first.over, second.over) == (["call-1"], ["call-2"])


async def test_an_answer_that_failed_ends_the_waiting() -> None:
    heard = Heard()
    heard.add("AnswerFailed")
    with pytest.raises(CallFailed, match="AnswerFailed"):
        await heard.wait(frozenset({"CallConnected"}))


def test_the_answer_that_is_asked_for_is_one_that_the_server_reads() -> None:
    application = Scripted()
    application._listening = 8080
    request: Any = read_body(AnswerCallRequest, application.acceptance("ctx"))
    assert request.incoming_call_context == "ctx"
    assert request.callback_uri == "http://127.0.0.1:8080/events"


# What SIPp does, and what the server is told


def scenario() -> list[ET.Element]:
    return list(ET.fromstring(CALLS_IN.read_text()))


def test_the_telephone_calls_acknowledges_and_is_hung_up() -> None:
    steps = [
        step.get("response") or step.get("request") or (step.text or "").split()[0] for step in scenario()
    ]
    assert steps == ["INVITE", "100", "180", "200", "ACK", "BYE", "SIP/2.0"]


def test_what_sipp_sends_is_sip_with_the_time_of_its_sending() -> None:
    text = next(step.text or "" for step in scenario()).strip()
    head, _, body = text.partition("\n\n")
    lines = head.replace("[timestamp]", "2026-11-23\t10:00:00.5\t1700000000.250000").replace("[len]", "0")
    filled = re.sub(r"\[\w+\]", "1", lines.replace("[transport]", "UDP").replace("[local_ip]", "127.0.0.1"))
    message = parse(filled.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert isinstance(message, Request)
    assert (message.method, message.headers.get("sent").rpartition("\t")[2]) == (
        "INVITE",
        "1700000000.250000",
    )
    assert "m=audio" in body


def test_the_server_is_told_where_calls_are_announced(tmp_path: Path) -> None:
    server = Onhook(tmp_path, Cores(0, 0), far_end=9, grid_port=8081)
    config = load(server.config, {})
    (subscription,) = config.subscriptions
    assert subscription.endpoint == "http://127.0.0.1:8081/incoming"
    assert [name.rpartition(".")[2] for name in subscription.event_types] == ["IncomingCall"]
    assert config.sip.port == server.sip_port
    assert DEVELOPMENT_NUMBERS[0] in config.directory.resources[0].numbers


def test_without_a_listener_there_is_no_subscription(tmp_path: Path) -> None:
    assert load(Onhook(tmp_path, Cores(0, 0), far_end=9).config, {}).subscriptions == ()


# What is counted


@pytest.fixture
def run(tmp_path: Path) -> Run:
    server = Onhook(tmp_path, Cores(0, 0), far_end=9, grid_port=8081)
    return Run(tmp_path, Cores(0, 0), server, pid=0, application=Scripted())


def calling(run: Run, rings: int, failed: int) -> Callable[..., int]:
    """In SIPp's place: the application hears of `rings` calls, and SIPp counts `failed`."""
    loop = asyncio.get_running_loop()

    def place(*_: object, calls: int, rate: int, at_a_time: int, number: str, scenario: Path) -> int:
        assert (scenario, number) == (CALLS_IN, DEVELOPMENT_NUMBERS[0])
        assert rate >= 1
        assert at_a_time > 0
        for each in range(min(rings, calls)):
            loop.call_soon_threadsafe(run.application.ring, str(each))
        return failed

    return place


@pytest.mark.parametrize(
    ("rings", "failed", "failures", "reasons"),
    [
        (5, 0, 0, []),
        (3, 0, 2, ["2 calls the application never heard of"]),
        (5, 1, 1, ["SIPp counts 1 failed calls"]),
        (4, 1, 1, ["SIPp counts 1 failed calls", "1 calls the application never heard of"]),
    ],
)
async def test_a_failure_is_counted_once_whoever_noticed_it(  # noqa: PLR0917  # fixtures and a case
    run: Run, monkeypatch: pytest.MonkeyPatch, rings: int, failed: int, failures: int, reasons: list[str]
) -> None:
    monkeypatch.setattr(incoming, "sipp_caller", calling(run, rings, failed))
    stretch = await run.calls(5, rate=0.4)
    assert (stretch.calls, stretch.failures, stretch.reasons) == (5, failures, reasons)
    assert stretch.drain_seconds == 0.0
    assert stretch.calls_a_second > 0


async def test_what_comes_late_is_counted_from_the_planned_beginning_of_the_last(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "sipp_caller", calling(run, 2, 0))
    stretch = await run.calls(2, rate=1_000_000)
    taken = stretch.taken
    assert stretch.drain_seconds == pytest.approx(taken.last_at - taken.first_at, abs=1e-4)


VERDICT = Verdict(
    ending="hung-up-by-app",
    code=0,
    subcode=7000,
    event_code=200,
    message="over",
    category="Success",
    fault="nobody",
    evidence=(),
)
BUSY = Verdict(
    ending="inbound-busy",
    code=486,
    subcode=540486,
    event_code=486,
    message="busy",
    category="Unknown",
    fault="callee",
    evidence=(),
)


def stamped(method: str, at: float, sent: float, direction: Any = "received") -> SipSeen:
    message = f"{method} sip:1@x SIP/2.0\r\nSent: 2026-11-23\t10:00:00.5\t{sent:.6f}\r\nTo: y\r\n\r\n"
    return SipSeen(at=at, direction=direction, transport="udp", peer="127.0.0.1:9", message=message.encode())


def timeline() -> Timeline:
    posted = GridAttempted(
        at=100.020,
        event_id="e",
        event_type=INCOMING_CALL,
        subscription="bench",
        endpoint="http://127.0.0.1/",
        attempt=1,
        status=200,
        elapsed_ms=5.0,
        fate="delivered",
    )
    return [stamped("INVITE", 100.010, 100.0), posted, stamped("ACK", 100.060, 100.050)]


def stored(folder: Path, verdicts: dict[str, Verdict | None]) -> Onhook:
    server = Onhook(folder, Cores(0, 0), far_end=9)
    store = SqliteStore(server.store)
    records = {name: record(name, verdict=each, ended_at=101.0) for name, each in verdicts.items()}
    store.save(Batch(records=records, facts=[(name, timeline()) for name in verdicts]))
    store.close()
    return server


def stretch_of(*call_ids: str, failures: int = 0, reasons: tuple[str, ...] = ()) -> Stretch:
    taken = Taken(over=list(call_ids), heard_at=dict.fromkeys(call_ids, 100.030))
    return Stretch(len(call_ids) + failures, failures, list(reasons), taken, 0.0)


def test_calls_with_another_verdict_or_none_have_failed(tmp_path: Path) -> None:
    server = stored(tmp_path, {"good": VERDICT, "busy": BUSY, "open": None})
    result = IncomingResult()
    judge(
        server, [stretch_of("good", "busy"), stretch_of("open", "lost", failures=1, reasons=("x",))], result
    )
    assert result.endings == {ENDING: 1, "486/540486": 1, "none stored": 2}
    assert (result.calls, result.failures) == (5, 4)
    assert "busy: verdict 486/540486, not 0/7000" in result.reasons
    assert "x" in result.reasons


def test_servers_of_one_run_are_counted_together(tmp_path: Path) -> None:
    server = stored(tmp_path, {"good": VERDICT})
    result = IncomingResult()
    judge(server, [stretch_of("good")], result)
    judge(server, [stretch_of("good", failures=20, reasons=("x",) * 20)], result)
    assert (result.calls, result.failures, result.endings) == (22, 20, {ENDING: 2})
    assert len(result.reasons) == MAX_REASONS


def test_delays_are_read_from_the_facts_and_the_stamps(tmp_path: Path) -> None:
    server, result = stored(tmp_path, {"good": VERDICT}), IncomingResult()
    read_latencies(server, stretch_of("good").taken, result)
    assert result.invite_to_incoming_call_ms["p50"] == pytest.approx(30.0)
    assert result.invite_to_incoming_call_out_ms["p50"] == pytest.approx(5.0)
    assert result.invite_to_answer_ms == pytest.approx({"p50": 50.0, "p99": 50.0, "most": 50.0})


def test_a_stamp_is_the_one_of_the_first_that_came() -> None:
    facts: Timeline = [
        stamped("ACK", 1.0, 1.0),
        stamped("INVITE", 2.0, 1.5, direction="sent"),
        stamped("INVITE", 3.0, 2.5),
        stamped("INVITE", 4.0, 3.5),
    ]
    fact, sent = sent_by_sipp(facts, b"INVITE")
    assert (fact.at, sent) == (3.0, 2.5)
    with pytest.raises(ValueError, match="no BYE with the time of its sending among 4 facts"):
        sent_by_sipp(facts, b"BYE")


def test_spreads_include_the_worst() -> None:
    assert spread([1.0, 2.0, 30.0]) == {"p50": 2.0, "p99": 30.0, "most": 30.0}
    assert spread([]) == {"p50": 0.0, "p99": 0.0, "most": 0.0}


# The search for the highest rate


class Limited(Run):
    """Takes up to 200 calls a second, and is late beyond."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.offered: list[float] = []

    async def calls(self, calls: int, rate: float, at_a_time: int = 20_000) -> Stretch:
        self.offered.append(rate)
        over = rate > 200
        return Stretch(calls, int(over and self.fails), [], Taken(), 3.0 if over else 0.1)


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "is late"])
async def test_the_search_ends_where_calls_fail_or_pile_up(*, fails: bool) -> None:
    run, result = Limited(fails=fails), IncomingResult(full_load=Burden(calls_a_second=250))
    await incoming._find_sustained_rate(run, Plan(steps=(0.4, 0.8, 0.9, 1.0)), result)
    assert run.offered == [100, 200, 225]
    assert result.sustained_calls_a_second == 200
    assert [step["failures"] for step in result.steps] == [0, 0, int(fails)]
    assert (result.calls, result.failures) == (0, 0), "the end of the search is no failure of the run"


# What is told


def test_results_are_told_to_people_and_to_programs() -> None:
    delays = {"p50": 1.0, "p99": 2.345, "most": 30.0}
    result = IncomingResult(
        calls=7,
        endings={ENDING: 7},
        cpu_ms_a_call=3.456789,
        full_load=Burden(300.0, 3.33333, 300.0),
        invite_to_incoming_call_ms=delays,
        invite_to_incoming_call_out_ms=delays,
        invite_to_answer_ms=delays,
    )
    text = incoming_as_text(result)
    for said in ("0/7000: 7", "3.46 ms", "300 calls/s a core", "p50 1.00 ms, p99 2.35 ms, most 30.00 ms"):
        assert said in text
    values = json.loads(as_json(result))
    assert values["cpu_ms_a_call"] == 3.4568
    assert values["full_load"] == {
        "calls_a_second": 300.0,
        "cpu_ms_a_call": 3.3333,
        "calls_a_second_a_core": 300.0,
    }
    assert values["invite_to_answer_ms"] == delays


def test_a_quick_run_is_quick() -> None:
    assert QUICK.calls + QUICK.warm_up_calls < 200
    assert sum(QUICK.steps) * QUICK.step_seconds < 1
