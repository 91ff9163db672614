"""Phone numbers of a resource as the Phone Numbers API shows them.

The shape is validated (recordings of the vendor's tests); so is 404 NotFound with target `phonenumber`. A
number here was given in onhook.toml, not bought, so three of its required fields say as little as they may
(assumed): it costs nothing, it was bought at the beginning of Unix time, and it takes and makes calls but
no messages.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

from onhook.acs.errors import ApiError, shown
from onhook.acs.phone_countries import country_of, is_toll_free
from onhook.acs.phone_models import (
    BillingFrequency,
    PhoneNumberAssignmentType,
    PhoneNumberCapabilities,
    PhoneNumberCapabilityType,
    PhoneNumberCost,
    PhoneNumberType,
    PurchasedPhoneNumber,
    PurchasedPhoneNumbers,
)

DEFAULT_TOP = 100
MAX_TOP = 1000
"""Numbers of one page; more asked for are given in several."""
MAX_SKIP = 10_000_000
BOUGHT = "1970-01-01T00:00:00+00:00"
CAPABILITIES = PhoneNumberCapabilities(
    calling=PhoneNumberCapabilityType.INBOUND_OUTBOUND, sms=PhoneNumberCapabilityType.NONE
)
NOTHING = PhoneNumberCost(amount=0.0, currency_code="USD", billing_frequency=BillingFrequency.MONTHLY)


def purchased(number: str) -> PurchasedPhoneNumber:
    """`number` is E.164 with the plus; its id is the digits (validated)."""
    kind = PhoneNumberType.TOLL_FREE if is_toll_free(number) else PhoneNumberType.GEOGRAPHIC
    return PurchasedPhoneNumber(
        id=number.removeprefix("+"),
        phone_number=number,
        country_code=country_of(number),
        phone_number_type=kind,
        capabilities=CAPABILITIES,
        assignment_type=PhoneNumberAssignmentType.APPLICATION,
        purchase_date=BOUGHT,
        cost=NOTHING,
    )


def find(numbers: Sequence[str], asked: str) -> PurchasedPhoneNumber:
    """Raises ApiError 404 in the words of the real service (validated)."""
    if asked not in numbers:
        raise ApiError(
            404, "NotFound", f"Input phoneNumber {shown(asked)[1:-1]} cannot be found.", target="phonenumber"
        )
    return purchased(asked)


def page(numbers: Sequence[str], *, skip: int, top: int, api_version: str) -> PurchasedPhoneNumbers:
    """`top` numbers from `skip` on, with the address of the next page while there is one.

    nextLink is a path: both SDKs follow one from their own endpoint (validated for Python).
    """
    part = numbers[skip : skip + top]
    following = skip + len(part)
    link = None
    if following < len(numbers):
        link = "/phoneNumbers?" + urlencode({"skip": following, "top": top, "api-version": api_version})
    return PurchasedPhoneNumbers(phone_numbers=[purchased(number) for number in part], next_link=link)


def read_count(text: str | None, name: str, *, default: int, lowest: int, highest: int) -> int:
    """A number of the query; above `highest` it is `highest`. Raises ApiError 400 (its code is assumed)."""
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal()) or int(text[:12]) < lowest:
        raise ApiError(
            400,
            "BadRequest",
            f"{name} is {shown(text)}; a whole number from {lowest} is expected.",
            target=name,
        )
    return min(int(text[:12]), highest)
