"""The Phone Numbers API over HTTP, without an SDK."""

import pytest

from onhook.server.app import make_app
from onhook.server.phone_api import REFUSED, phone_surface
from unit.server.fake_switchboard import DIRECTORY, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import KEY, NOW, OTHER_KEY, Answered, ask

VERSION = "api-version=2025-06-01"


async def get(
    path: str, query: str = VERSION, *, method: str = "GET", key: str = KEY, body: bytes = b""
) -> Answered:
    surfaces = [phone_surface()]
    app = make_app(DIRECTORY, FakeSwitchboard(), FakeArchive(), now=lambda: NOW, surfaces=surfaces)
    return await ask(app, method, path, body, query=query, key=key)


async def test_the_numbers_of_the_resource_that_signed() -> None:
    answered = (await get("/phoneNumbers", f"skip=0&top=100&{VERSION}")).json()
    assert [number["phoneNumber"] for number in answered["phoneNumbers"]] == ["+14255550100"]
    assert "nextLink" not in answered
    assert (await get("/phoneNumbers", key=OTHER_KEY)).json() == {"phoneNumbers": []}


@pytest.mark.parametrize("path", ["/phoneNumbers/%2B14255550100", "/phoneNumbers/+14255550100"])
async def test_one_number_in_both_encodings(path: str) -> None:
    assert (await get(path)).json()["id"] == "14255550100"


async def test_the_number_of_another_is_not_found() -> None:
    answered = await get("/phoneNumbers/%2B14255550100", key=OTHER_KEY)
    assert answered.status == 404
    assert answered.error == {
        "code": "NotFound",
        "message": "Input phoneNumber +14255550100 cannot be found.",
        "target": "phonenumber",
    }


@pytest.mark.parametrize(
    ("query", "target"), [("top=0", "top"), ("top=x", "top"), ("skip=-1", "skip"), ("skip=1.0", "skip")]
)
async def test_a_page_that_is_none(query: str, target: str) -> None:
    answered = await get("/phoneNumbers", f"{query}&{VERSION}")
    assert (answered.status, answered.error["target"]) == (400, target)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("api-version=2022-12-01", 200),
        ("api-version=2022-01-11-preview2", 200),
        ("api-version=2099-01-01", 200),
        ("api-version=2023-10-01", 400),
        ("api-version=preview", 400),
    ],
)
async def test_versions_are_those_of_this_api(query: str, status: int) -> None:
    assert (await get("/phoneNumbers", query)).status == status


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/availablePhoneNumbers/countries", "listAvailableCountries"),
        ("GET", "/availablePhoneNumbers/countries/US/areaCodes", "listAreaCodes"),
        ("GET", "/availablePhoneNumbers/searchResults/1", "getSearchResult"),
        ("GET", "/phoneNumbers/operations/1", "getOperation"),
        ("DELETE", "/phoneNumbers/operations/1", "cancelOperation"),
        ("DELETE", "/phoneNumbers/%2B14255550100", "releasePhoneNumber"),
        ("DELETE", "/availablePhoneNumbers/reservations/1", "deleteReservation"),
        ("POST", "/availablePhoneNumbers/reservations/1/:purchase", "purchaseReservation"),
    ],
)
async def test_there_is_no_shop(method: str, path: str, name: str) -> None:
    body = b"{}" if method == "POST" else b""
    answered = await get(path, method=method, body=body)
    assert (answered.status, answered.error["code"], answered.error["target"]) == (501, "NotSupported", name)
    assert REFUSED[name] in answered.error["message"]
    assert "Retry-After" not in answered.headers
