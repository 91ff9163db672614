"""The Phone Numbers API: the numbers that onhook.toml gives to a resource. Numbers are not for sale here."""

from urllib.parse import parse_qs

from onhook.acs.phone_models import PurchasedPhoneNumber, PurchasedPhoneNumbers
from onhook.acs.phone_numbers import DEFAULT_TOP, MAX_SKIP, MAX_TOP, find, page, read_count
from onhook.acs.phone_operations import OPERATIONS
from onhook.acs.versions import PHONE_NUMBERS
from onhook.server.handlers import Built, Request
from onhook.server.surface import Surface, bind

_NO_SHOP = (
    "Onhook sells no phone numbers. Give the resource its numbers in onhook.toml: [resource.NAME] numbers"
)
_NO_OPERATION = "no operation on phone numbers takes so long here that it could be asked about"

REFUSED = dict.fromkeys(
    (
        "listAreaCodes",
        "listAvailableCountries",
        "browseAvailableNumbers",
        "listAvailableLocalities",
        "listOfferings",
        "listReservations",
        "createOrUpdateReservation",
        "getReservation",
        "deleteReservation",
        "purchaseReservation",
        "searchAvailablePhoneNumbers",
        "getSearchResult",
        "purchasePhoneNumbers",
    ),
    _NO_SHOP,
) | {
    "releasePhoneNumber": "the numbers of a resource are those of onhook.toml; take the number out there",
    "updateCapabilities": "every number makes and takes calls here, sends no messages; nothing changes that",
    "getOperation": _NO_OPERATION,
    "cancelOperation": _NO_OPERATION,
    "operatorInformationSearch": "Onhook knows nothing of the operators of numbers",
}
BAD_REQUEST = "BadRequest"
"""The code for a body that does not fit (assumed)."""


def _list(_: object, request: Request) -> PurchasedPhoneNumbers:
    query = parse_qs(request.query)
    skip = read_count(_one(query, "skip"), "skip", default=0, lowest=0, highest=MAX_SKIP)
    top = read_count(_one(query, "top"), "top", default=DEFAULT_TOP, lowest=1, highest=MAX_TOP)
    return page(request.resource.numbers, skip=skip, top=top, api_version=request.asked.api_version)


def _get(_: object, request: Request) -> PurchasedPhoneNumber:
    return find(request.resource.numbers, request.ids[0])


def _one(query: dict[str, list[str]], name: str) -> str | None:
    return query[name][0] if name in query else None


BUILT: dict[str, Built] = {
    "listPurchasedNumbers": Built(
        _list, "shape validated; cost, purchase date and capabilities are constants, assumed"
    ),
    "getPurchasedNumber": Built(_get, "shape and 404 validated; constants as in the list"),
}


def phone_surface() -> Surface:
    return Surface(OPERATIONS, PHONE_NUMBERS, bind(BUILT, None), REFUSED, BAD_REQUEST)
