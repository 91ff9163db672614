"""Every recorded request of the official SDKs, put to the application again.

The key of the recordings was not kept, so each request is signed anew with a key of ours, over the very
text that the recording says was signed: which host, which reading of the path and query.
"""

import json
from base64 import b64encode
from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from starlette.types import ASGIApp

from onhook.acs.operations import BY_NAME, OPERATIONS
from onhook.acs.signature import Denied, Signed, SigningKey, check_signature
from onhook.server.app import make_app
from onhook.server.handlers import BUILT
from onhook.server.settings import ServerSettings
from unit.server.fake_switchboard import DIRECTORY, SERVER_CALL, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import KEY, OTHER_KEY, http_date, put, signature_of

WIRE = Path(__file__).parent.parent.parent / "spec/wire"
ENDPOINT = "localhost:18443"
CALL = "401f1200-cc"
KEYS = [SigningKey.of("other", OTHER_KEY), SigningKey.of("dev", KEY)]


def recorded() -> list[Any]:
    records: list[Any] = []
    for file in sorted(WIRE.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            record = json.loads(line)
            records.append(pytest.param(record, id=f"{file.stem}-{record['seq']}-{record['op']}"))
    return records


RECORDED = recorded()
CALLING = [p for p in RECORDED if p.values[0]["target"].startswith("/calling/")]
SIGNED = [
    p for p in RECORDED if "signedHeaders" in p.values[0]["hmac"] and "/acs/" not in p.values[0]["target"]
]


def body_of(record: Any) -> bytes:
    """The bytes that were sent: the recording holds the parsed body and the hash of the bytes."""
    if record["body"] is None:
        return b""
    wanted = lower(record)["x-ms-content-sha256"]
    for separators in ((", ", ": "), (",", ":")):
        raw = json.dumps(
            record["body"], separators=separators, ensure_ascii=separators == (", ", ": ")
        ).encode()
        if b64encode(sha256(raw).digest()).decode() == wanted:
            return raw
    raise AssertionError("the recorded body cannot be rebuilt")


def live_body_of(record: Any, switchboard: FakeSwitchboard) -> bytes:
    """The body, but where it names a call of the recording's server, one that is there now."""
    switchboard.now = record["t"]
    body = record["body"]
    if body and "incomingCallContext" in body:
        return json.dumps(body | {"incomingCallContext": switchboard.ring("ringing")}).encode()
    if body and "serverCallId" in body.get("callLocator", {}) and record["specPath"].endswith(":connect"):
        locator = body["callLocator"] | {"serverCallId": SERVER_CALL}
        return json.dumps(body | {"callLocator": locator}).encode()
    return body_of(record)


def lower(record: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in record["headers"].items()}


def signed_text_of(record: Any) -> tuple[str, str]:
    """(target, host) as the SDK signed them, by the recording's own note or by what §2 explains."""
    target, headers = record["target"], lower(record)
    forms = record["hmac"]["verifiesWith"]
    if "raw|host=Host" in forms:
        return target, headers["host"]
    if "raw|host=endpoint(host:port)" in forms:
        return target, ENDPOINT
    if "path-only|host=x-ms-host" in forms:
        return target.partition("?")[0], headers["x-ms-host"]
    path, _, query = target.partition("?")
    strict_path = "/".join(quote(unquote(segment), safe="") for segment in path.split("/"))
    if record["specPath"] == "recording-content":
        return f"{path}?{query.replace(':', '%3A')}", ENDPOINT
    if "participants/" in path:
        return f"{strict_path}?{query}", headers["host"]
    return target, headers["host"] + "/"


def resigned(record: Any, body: bytes, key: str = KEY) -> dict[str, str]:
    headers = lower(record) | {"x-ms-content-sha256": b64encode(sha256(body).digest()).decode()}
    target, host = signed_text_of(record)
    made = signature_of(record["method"], target, host, headers["x-ms-date"], body, key=key)
    headers["authorization"] = f"HMAC-SHA256 SignedHeaders={record['hmac']['signedHeaders']}&Signature={made}"
    return headers


def checked(
    record: Any, headers: dict[str, str], body: bytes, *, target: str | None = None
) -> Signed | Denied:
    return check_signature(
        record["method"],
        target or record["target"],
        headers,
        body,
        keys=KEYS,
        now=record["t"],
        endpoints=[ENDPOINT],
    )


@pytest.fixture
def switchboard() -> FakeSwitchboard:
    return FakeSwitchboard(CALL, "x")


@pytest.fixture
def app(switchboard: FakeSwitchboard, request: pytest.FixtureRequest) -> ASGIApp:
    record: Any = request.getfixturevalue("record")
    settings = ServerSettings(endpoints=(ENDPOINT,))
    return make_app(DIRECTORY, switchboard, FakeArchive(), settings, now=lambda: record["t"])


def test_there_is_something_to_replay() -> None:
    assert len(RECORDED) == 308
    assert len(CALLING) > 240


@pytest.mark.parametrize("record", SIGNED)
def test_the_signature_of_a_recorded_request_is_accepted(record: Any) -> None:
    body = body_of(record)
    assert checked(record, resigned(record, body), body) == Signed("dev")


@pytest.mark.parametrize("record", SIGNED)
def test_it_is_denied_once_anything_signed_is_changed(record: Any) -> None:
    body = body_of(record)
    headers = resigned(record, body)
    assert isinstance(checked(record, headers, body + b" "), Denied)
    path, mark, query = record["target"].partition("?")
    assert isinstance(checked(record, headers, body, target=f"{path}x{mark}{query}"), Denied)
    for_another = resigned(record, body) | {
        "authorization": resigned(record, body, "b3RoZXI=")["authorization"]
    }
    assert isinstance(checked(record, for_another, body), Denied)
    late = {**headers, "x-ms-date": http_date(record["t"] + 7)}
    assert isinstance(checked(record, late, body), Denied)


def test_an_endpoint_with_a_path_is_not_accepted() -> None:
    """The Python SDK signs `host/path` as host then; nothing could verify that sanely."""
    (record,) = [p.values[0] for p in RECORDED if p.values[0]["target"].startswith("/acs/")]
    headers = lower(record)
    target = record["target"].removeprefix("/acs")
    made = signature_of("GET", target, headers["host"] + "/acs", headers["x-ms-date"], b"")
    headers["authorization"] = (
        f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={made}"
    )
    assert isinstance(checked(record, headers, b""), Denied)


@pytest.mark.parametrize("record", CALLING)
async def test_a_recorded_request_is_routed_and_its_body_accepted(
    record: Any, app: ASGIApp, switchboard: FakeSwitchboard
) -> None:
    body = live_body_of(record, switchboard)
    bearer = "signedHeaders" not in record["hmac"]
    headers = lower(record) if bearer else resigned(record, body)
    answer = await put(app, record["method"], record["target"], headers, body)
    if bearer:
        assert answer.status == 401
        assert "Entra" in answer.error["message"]
        return
    (operation,) = [o for o in OPERATIONS if (o.method, o.path) == (record["method"], record["specPath"])]
    if operation.name not in BUILT:
        assert (answer.status, answer.error["target"]) == (501, operation.name)
        return
    locator: Any = record["body"].get("callLocator") if isinstance(record["body"], dict) else None
    if locator and "serverCallId" not in locator:
        assert (answer.status, answer.error["code"]) == (501, "NotImplemented")  # groups and rooms
        return
    participant = unquote(record["target"].partition("/participants/")[2].partition("?")[0])
    if participant.startswith("8:"):
        assert answer.status == 404  # the fake call has a phone only; routed, decoded and refused by name
        assert participant in answer.error["message"]
        return
    assert answer.status in operation.success, answer.body
    assert bool(answer.body) == (operation.response is not None)
    returns_id = "x-ms-return-client-request-id" in headers
    assert answer.headers.get("x-ms-client-request-id") == (
        headers["x-ms-client-request-id"] if returns_id else None
    )
    assert answer.headers["x-ms-request-id"]


async def test_retries_of_the_recordings_are_answered_from_the_first(switchboard: FakeSwitchboard) -> None:
    """faults.jsonl holds attempts with the same Repeatability-Request-ID: one call each, answers alike."""
    attempts = [
        p.values[0]
        for p in CALLING
        if p.id and p.id.startswith("faults") and p.values[0]["specPath"] == "/calling/callConnections"
    ]
    answers: dict[str, list[bytes]] = {}
    for attempt in attempts:
        app = make_app(DIRECTORY, switchboard, FakeArchive(), now=partial(float, attempt["t"]))
        body = body_of(attempt)
        headers = resigned(attempt, body)
        answer = await put(app, attempt["method"], attempt["target"], headers, body)
        assert (answer.status, answer.headers["Repeatability-Result"]) == (201, "accepted")
        answers.setdefault(headers["repeatability-request-id"], []).append(answer.body)
    assert max(map(len, answers.values())) == 4  # a first attempt and three retries
    assert all(len(set(bodies)) == 1 for bodies in answers.values())
    assert len(switchboard.requests) == len(answers)


def test_every_operation_occurs_in_the_recordings_of_both_sdks() -> None:
    paths = {(o.method, o.path): o.name for o in OPERATIONS}
    for sdk in ("wire-python", "wire-js"):
        seen = Counter(
            paths[p.values[0]["method"], p.values[0]["specPath"]]
            for p in CALLING
            if p.id and p.id.startswith(sdk)
        )
        assert set(BY_NAME) == set(seen), f"{sdk} lacks {set(BY_NAME) - set(seen)}"


TAKEN = [p for p in CALLING if p.id and p.id.startswith("wire-")]


@pytest.mark.parametrize("record", TAKEN)
def test_the_status_that_the_sdk_took_is_in_our_table(record: Any) -> None:
    (operation,) = [o for o in OPERATIONS if (o.method, o.path) == (record["method"], record["specPath"])]
    assert record["status"] in operation.success
