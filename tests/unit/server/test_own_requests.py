"""Who may change something by our own APIs, and how what they send is read."""

from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response

from onhook.acs.errors import ApiError
from onhook.server.own_requests import MAX_BODY_BYTES, answering, as_json, commanded, read_body
from onhook.server.settings import ServerSettings


class Order(msgspec.Struct, frozen=True):
    name: str
    count: int = 1


def request(body: bytes = b"", peer: str = "127.0.0.1", **headers: str) -> Request:
    named = {"host": "localhost:8443", "content-type": "application/json"} | headers
    pieces = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return pieces.pop(0) if pieces else {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "https",
        "server": ("localhost", 8443),
        "path": "/onhook/x",
        "query_string": b"",
        "client": (peer, 40_000),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    return Request(scope, receive)


async def served(_request: Request) -> Response:
    return as_json({"done": True}, 201)


async def test_who_is_at_this_machine_may_change_something() -> None:
    answer = await commanded(served, ServerSettings())(request())
    assert answer.status_code == 201
    assert msgspec.json.decode(answer.body) == {"done": True}
    assert b"\n" in answer.body  # people read it as well


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({"peer": "198.51.100.9"}, "198.51.100.9 is not this machine"),
        ({"host": "evil.example"}, "evil.example"),
        ({"origin": "https://evil.example"}, "A page of"),
        ({"origin": "null"}, "may not ask this"),
    ],
)
async def test_others_are_refused_as_acs_refuses(others: dict[str, str], says: str) -> None:
    answer = await commanded(served, ServerSettings())(request(b"", **others))
    assert answer.status_code == 403
    error = msgspec.json.decode(answer.body)["error"]
    assert error["code"] == "Forbidden"
    assert says in error["message"]


async def test_a_page_of_ours_may_ask() -> None:
    asked = request(origin="https://localhost:8443")
    assert (await commanded(served, ServerSettings())(asked)).status_code == 201


async def test_a_refusal_says_when_to_come_again() -> None:
    async def full(_request: Request) -> Response:
        raise ApiError(503, "Busy", "Later.", retry_after_seconds=7)

    answer = await answering(full)(request())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


async def test_a_body_becomes_what_is_wanted() -> None:
    assert await read_body(request(b'{"name": "a", "count": 3}'), Order) == Order("a", 3)
    assert await read_body(request(b'{"name": "a"}'), Order) == Order("a")


@pytest.mark.parametrize(
    ("body", "status", "target", "says"),
    [
        (b"", 400, None, "it is no JSON"),
        (b"[1]", 400, None, "The body"),
        (b"{}", 400, None, "name"),
        (b'{"name": 5}', 400, "name", "Expected a string"),
        (b'{"name": "a", "cout": 1}', 400, "cout", "there is no such field; there are name, count"),
        (b'{"name": "a", "count": "many"}', 400, "count", "Expected a whole number"),
        (b"[" * 60_000, 400, None, "an object"),
        (b" " * (MAX_BODY_BYTES + 1), 413, None, f"longer than {MAX_BODY_BYTES} bytes"),
    ],
)
async def test_what_is_wrong_with_a_body_is_said_with_its_place(
    body: bytes, status: int, target: str | None, says: str
) -> None:
    with pytest.raises(ApiError) as caught:
        await read_body(request(body), Order)
    refusal = msgspec.json.decode(caught.value.body())["error"]
    assert caught.value.status == status
    assert refusal.get("target") == target
    assert says in refusal["message"]


async def test_a_limit_of_its_own_counts() -> None:
    with pytest.raises(ApiError) as caught:
        await read_body(request(b'{"name": "abc"}'), Order, 10)
    assert caught.value.status == 413


async def test_another_type_of_content_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        await read_body(request(b"name=a", **{"content-type": "application/x-www-form-urlencoded"}), Order)
    assert caught.value.status == 415
