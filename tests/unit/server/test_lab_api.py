"""/onhook/lab/provocations: what is armed, listed, disarmed and refused; what requests then meet."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.applications import Starlette

from onhook.acs.errors import ApiError
from onhook.endings.pages import pages
from onhook.lab.causes import REQUESTS, causes, reasons
from onhook.lab.provocations import Wanted
from onhook.lab.provoking import Provoking
from onhook.server import lab_api
from onhook.server.calling import ConnectionCut
from onhook.server.certificates import prepare
from onhook.server.lab_api import LabApi, RequestFaults, catalogue, follow_http
from onhook.server.serving import HttpServer, TlsFiles
from onhook.server.settings import ServerSettings
from unit.server.signed_requests import Answered, put

ROOT = "/onhook/lab"
NAMES = ("localhost",)
ARMED = f"{ROOT}/provocations"


class Rig:
    """The API over a register whose clock is ours; nothing of a running server is attached."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.provoking = Provoking(lambda: self.now)
        self.app = Starlette(routes=LabApi(self.provoking, ServerSettings()).routes())

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        data = b"" if body is None else json.dumps(body).encode()
        given = {"host": "localhost:8443", "content-type": "application/json"} | headers
        return await put(self.app, method, path, given, data)

    async def arms(self, ending: str, **more: Any) -> dict[str, Any]:
        answered = await self.ask("POST", ARMED, {"ending": ending, **more})
        assert answered.status == 201, answered.body
        told: dict[str, Any] = answered.json()
        return told


async def refusal(rig: Rig, body: dict[str, Any]) -> tuple[int, str, str]:
    answered = await rig.ask("POST", ARMED, body)
    error = answered.json()["error"]
    return answered.status, error["code"], error["message"]


# Arming


async def test_what_is_armed_is_told_listed_and_found() -> None:
    rig = Rig()
    made = await rig.arms("throttled", operation="createCall", count=2, skip=1)
    assert (made["name"], made["arm"], made["operation"]) == ("throttled", "request", "createCall")
    assert (made["count"], made["skip"], made["hits"], made["in_force"]) == (2, 1, 0, True)
    listed = (await rig.ask("GET", ARMED)).json()["provocations"]
    assert listed == [made]
    assert (await rig.ask("GET", f"{ARMED}/{made['id']}")).json() == made


async def test_what_is_spent_is_still_listed_as_such() -> None:
    rig = Rig()
    made = await rig.arms("throttled")
    assert rig.provoking.request("createCall", "") is not None
    told = (await rig.ask("GET", f"{ARMED}/{made['id']}")).json()
    assert (told["hits"], told["in_force"]) == (1, False)


async def test_one_or_all_are_disarmed() -> None:
    rig = Rig()
    first, second, third = [await rig.arms("throttled") for _ in range(3)]
    gone = await rig.ask("DELETE", f"{ARMED}/{second['id']}")
    assert gone.json() == {"disarmed": [second["id"]]}
    assert sorted((await rig.ask("DELETE", f"{ARMED}/all")).json()["disarmed"]) == sorted(
        [first["id"], third["id"]]
    )
    assert rig.provoking.request("createCall", "") is None
    assert (await rig.ask("DELETE", f"{ARMED}/all")).json() == {"disarmed": []}


async def test_states_follow_what_is_armed() -> None:
    rig, seen = Rig(), list[bool]()
    rig.provoking.changed = lambda: seen.append(rig.provoking.holds("grid"))
    made = await rig.arms("grid-unvalidated", count=0)
    await rig.ask("DELETE", f"{ARMED}/{made['id']}")
    assert seen == [True, False]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"ending": "callee-bussy"}, "callee-busy"),
        ({"ending": ""}, "nothing is called"),
        ({"ending": "callee-busy"}, "built-in carrier"),
        ({"ending": "unexplained"}, "unexplained"),
        ({"ending": "throttled", "operation": "makeCoffee"}, "is no operation; COVERAGE.md"),
        ({"ending": "throttled", "count": -1}, "count"),
        ({"ending": "", "scenario": "carrier: dance"}, "dance"),
    ],
)
async def test_what_cannot_be_armed_says_why(body: dict[str, Any], says: str) -> None:
    rig = Rig()
    status, _, message = await refusal(rig, body)
    assert status == 400
    assert says.lower() in message.lower()
    assert rig.provoking.in_force() == []


@pytest.mark.parametrize(("method", "name"), [("GET", "p-99"), ("DELETE", "p-99"), ("GET", "all")])
async def test_what_is_not_there_is_404(method: str, name: str) -> None:
    answered = await Rig().ask(method, f"{ARMED}/{name}")
    assert (answered.status, answered.json()["error"]["code"]) == (404, "NotFound")
    assert name in answered.json()["error"]["message"]


async def test_strangers_and_pages_of_other_sites_arm_nothing() -> None:
    rig = Rig()
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        answered = await rig.ask("POST", ARMED, {"ending": "throttled"}, **headers)
        assert answered.status == 403
    assert rig.provoking.listed() == []


# The catalogue


async def test_every_page_can_be_provoked_or_says_why_not() -> None:
    told = (await Rig().ask("GET", f"{ROOT}/endings")).json()
    assert told == json.loads(json.dumps(catalogue()))
    can = {each["name"] for each in told["provokable"]}
    cannot = {each["name"]: each["why"] for each in told["not_provokable"]}
    assert can == set(causes())
    assert cannot == reasons()
    assert set(pages()) <= can | set(cannot)
    assert not can & set(cannot)
    assert all(why.strip() for why in cannot.values())
    assert all(each["name"] in each["command"] for each in told["provokable"])


# What armed requests meet


@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_a_refusal_is_an_acs_error_that_says_it_was_provoked(name: str) -> None:
    rig = Rig()
    made = await rig.arms(name)
    with pytest.raises(ApiError) as caught:
        await RequestFaults(rig.provoking).meet("createCall", "")
    status, code, _ = REQUESTS[name]
    error = json.loads(caught.value.body())["error"]
    assert (caught.value.status, error["code"]) == (status, code)
    assert made["id"] in error["message"]
    later = lab_api.RETRY_AFTER_SECONDS if status in {429, 503} else None
    assert caught.value.retry_after_seconds == later
    assert await RequestFaults(rig.provoking).meet("createCall", "") is False  # once


async def test_only_the_operation_that_was_named_is_met() -> None:
    rig = Rig()
    await rig.arms("connection-cut", operation="hangUp")
    faults = RequestFaults(rig.provoking)
    assert await faults.meet("createCall", "") is False
    with pytest.raises(ConnectionCut):
        await faults.meet("hangUp", "")


async def test_an_answer_may_be_lost_or_late(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, slept = Rig(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("onhook.server.lab_api.asyncio.sleep", sleep)
    await rig.arms("answer-lost")
    assert await RequestFaults(rig.provoking).meet("createCall", "") is True
    await rig.arms("slow-answer")
    assert await RequestFaults(rig.provoking).meet("createCall", "") is False
    assert slept == [lab_api.SLOW_SECONDS]


def test_a_connection_is_broken_where_the_lab_says() -> None:
    rig, cut = Rig(), list[tuple[str, int]]()
    rig.provoking.cut = cut.append
    RequestFaults(rig.provoking).cut(("127.0.0.1", 4711))
    assert cut == [("127.0.0.1", 4711)]


# Certificates


class Http:
    """What follow_http needs of a server."""

    def __init__(self) -> None:
        self.shown: list[TlsFiles] = []
        self.broken: list[tuple[str, int]] = []

    def show(self, files: TlsFiles) -> None:
        self.shown.append(files)

    def cut(self, client: tuple[str, int]) -> None:
        self.broken.append(client)


async def test_an_expired_certificate_is_shown_as_long_as_it_is_armed(tmp_path: Path) -> None:
    rig, http, own = Rig(), Http(), prepare(tmp_path, NAMES, datetime.now(UTC))
    follow_http(rig.provoking, cast("HttpServer", http), own, NAMES)
    made = rig.provoking.arm(Wanted(ending="certificate-expired", count=0))
    rig.provoking.disarm(made.id)
    expired, good = http.shown
    assert good == TlsFiles(own.certificate, own.key)
    assert expired.certificate != own.certificate
    rig.provoking.cut(("127.0.0.1", 1))
    assert http.broken == [("127.0.0.1", 1)]


async def test_without_certificates_of_ours_only_connections_break() -> None:
    rig, http = Rig(), Http()
    follow_http(rig.provoking, cast("HttpServer", http), None, ())
    rig.provoking.arm(Wanted(ending="certificate-expired"))
    assert http.shown == []
    rig.provoking.cut(("127.0.0.1", 2))
    assert http.broken == [("127.0.0.1", 2)]
