"""The official Phone Numbers SDK, synchronous and asynchronous, against the whole server over TLS."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.communication.phonenumbers import (
    PhoneNumberAssignmentType,
    PhoneNumberCapabilities,
    PhoneNumberCapabilityType,
    PhoneNumbersClient,
    PhoneNumberType,
)
from azure.communication.phonenumbers.aio import PhoneNumbersClient as AsyncClient
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from onhook.config import DEVELOPMENT_KEY
from onhook.config.schema import DEVELOPMENT_NUMBERS
from running_server import ServerThread

pytestmark = pytest.mark.interop

OTHER_KEY = "YW5vdGhlciBrZXkgZm9yIHRlc3Rz"
CAPABILITIES = PhoneNumberCapabilities(
    calling=PhoneNumberCapabilityType.OUTBOUND, sms=PhoneNumberCapabilityType.NONE
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    other = {
        "RESOURCE__OTHER__ACCESS_KEYS": OTHER_KEY,
        "RESOURCE__OTHER__NUMBERS": "+4930901820,+18005550100",
    }
    dev = {
        "RESOURCE__DEV__ACCESS_KEYS": DEVELOPMENT_KEY,
        "RESOURCE__DEV__NUMBERS": ",".join(DEVELOPMENT_NUMBERS),
    }
    server = ServerThread(tmp_path_factory.mktemp("server"), **dev, **other)
    yield server
    server.stop()


def client(running: ServerThread, key: str = DEVELOPMENT_KEY) -> PhoneNumbersClient:
    return PhoneNumbersClient.from_connection_string(running.connection_string(key), **running.trust)


def test_the_list_holds_the_resources_own_numbers(running: ServerThread) -> None:
    ours = [number.phone_number for number in client(running).list_purchased_phone_numbers()]
    assert ours == list(DEVELOPMENT_NUMBERS)
    other = client(running, OTHER_KEY).list_purchased_phone_numbers()
    assert [(n.phone_number, n.country_code, n.phone_number_type) for n in other] == [
        ("+4930901820", "DE", "geographic"),
        ("+18005550100", "US", "tollFree"),
    ]


@pytest.mark.parametrize("top", [1, 3, 10, 11])
def test_the_list_comes_in_pages(running: ServerThread, top: int) -> None:
    pages = list(client(running).list_purchased_phone_numbers(top=top).by_page())
    numbers = [[number.phone_number for number in page] for page in pages]
    assert [len(page) for page in numbers[:-1]] == [top] * (len(numbers) - 1)
    assert [number for page in numbers for number in page] == list(DEVELOPMENT_NUMBERS)


def test_the_list_can_begin_later(running: ServerThread) -> None:
    rest = client(running).list_purchased_phone_numbers(skip=8)
    assert [number.phone_number for number in rest] == list(DEVELOPMENT_NUMBERS[8:])
    assert list(client(running).list_purchased_phone_numbers(skip=50)) == []


def test_one_number_with_all_its_fields(running: ServerThread) -> None:
    number = client(running).get_purchased_phone_number("+14255550100")
    assert (number.id, number.phone_number, number.country_code) == ("14255550100", "+14255550100", "US")
    assert (number.phone_number_type, number.assignment_type) == ("geographic", "application")
    assert (number.capabilities.calling, number.capabilities.sms) == ("inbound+outbound", "none")
    assert (number.cost.amount, number.cost.currency_code) == (0.0, "USD")
    assert number.purchase_date.timestamp() == 0


@pytest.mark.parametrize("number", ["+4930901820", "+19995550100", "14255550100"])
def test_numbers_of_nobody_and_of_others_are_not_found(running: ServerThread, number: str) -> None:
    with pytest.raises(ResourceNotFoundError) as raised:
        client(running).get_purchased_phone_number(number)
    assert raised.value.error
    assert (raised.value.error.code, raised.value.error.target) == ("NotFound", "phonenumber")
    assert raised.value.error.message == f"Input phoneNumber {number} cannot be found."


SHOPPING: list[tuple[str, Callable[[PhoneNumbersClient], Any]]] = [
    ("listAvailableCountries", lambda shop: list(shop.list_available_countries())),
    ("listAvailableLocalities", lambda shop: list(shop.list_available_localities("US"))),
    ("listOfferings", lambda shop: list(shop.list_available_offerings("US"))),
    (
        "searchAvailablePhoneNumbers",
        lambda shop: shop.begin_search_available_phone_numbers(
            "US",
            PhoneNumberType.GEOGRAPHIC,
            PhoneNumberAssignmentType.APPLICATION,
            CAPABILITIES,
            polling=True,
        ),
    ),
    ("purchasePhoneNumbers", lambda shop: shop.begin_purchase_phone_numbers("a-search", polling=True)),
    ("releasePhoneNumber", lambda shop: shop.begin_release_phone_number("+14255550100")),
    (
        "updateCapabilities",
        lambda shop: shop.begin_update_phone_number_capabilities("+14255550100", calling="none"),
    ),
    ("operatorInformationSearch", lambda shop: shop.search_operator_information(["+14255550100"])),
    ("listReservations", lambda shop: list(shop.list_reservations())),
]


@pytest.mark.parametrize(("operation", "shop"), SHOPPING, ids=[name for name, _ in SHOPPING])
def test_what_makes_no_sense_here_is_refused_with_its_name(
    running: ServerThread, operation: str, shop: Callable[[PhoneNumbersClient], Any]
) -> None:
    with pytest.raises(HttpResponseError) as raised:
        shop(client(running))
    assert raised.value.status_code == 501
    assert raised.value.error
    assert (raised.value.error.code, raised.value.error.target) == ("NotSupported", operation)
    assert str(raised.value.error.message).startswith(f"{operation} is not possible here: ")


def test_the_asynchronous_client(running: ServerThread) -> None:
    async def everything() -> tuple[list[str], str]:
        connection = running.connection_string()
        async with AsyncClient.from_connection_string(connection, **running.trust) as numbers:
            listed = [number.phone_number async for number in numbers.list_purchased_phone_numbers(top=4)]
            one = await numbers.get_purchased_phone_number("+14255550109")
            return listed, one.phone_number

    assert asyncio.run(everything()) == (list(DEVELOPMENT_NUMBERS), "+14255550109")
