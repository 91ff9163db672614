"""What an endpoint's answer to a validation request means.

Ruling "Creating" means: ask again. documented: only 200 counts, 202 does not; a 200 without the code waits
for the validation URL; no answer in time is tried again; untrusted certificates are not accepted; redirects
are not followed; a CloudEvents endpoint agrees by WebHook-Allowed-Origin (our name or *) and
WebHook-Allowed-Rate, and withholds both to agree by callback. assumed: which other failures are tried
again, and that a code other than ours is a 200 without the code.
"""

import json
from typing import Any, NamedTuple, cast

from onhook.calls.grid import ProvisioningState, SubscriptionRecord
from onhook.delivery.grid.answer import Answer
from onhook.delivery.grid.wire import ORIGIN

PASSING = frozenset({408, 425, 429})
"""Refusals that may be over at the next attempt, as those from 500 on."""
HOW = 'answer 200 with {"validationResponse": code} within 30 s'


class Ruling(NamedTuple):
    state: ProvisioningState
    why: str


def rule(record: SubscriptionRecord, answer: Answer) -> Ruling:
    if answer.status is None:
        return Ruling("Failed" if answer.is_final else "Creating", answer.error)
    if record.settings.schema == "cloudevents":
        return _cloud_events(answer)
    return _event_grid(answer, record.code)


def _event_grid(answer: Answer, code: str) -> Ruling:
    if answer.status == 200:
        echoed = _echoed(answer.body)
        if echoed == code:
            return Ruling("Succeeded", "the endpoint echoed the validation code")
        said = "another validationResponse than the code" if echoed else "no validationResponse"
        return Ruling(
            "AwaitingManualAction",
            f"the endpoint answered 200 with {said}: {HOW}, or open the validation URL",
        )
    if answer.status == 202:
        return Ruling("Creating", f"the endpoint answered 202, which validates nothing: {HOW}")
    return _refused(answer, f"the endpoint answered {answer.told} to the validation event: {HOW}")


def _cloud_events(answer: Answer) -> Ruling:
    assert answer.status is not None
    if not 200 <= answer.status < 300:
        return _refused(answer, f"the endpoint answered {answer.told} to OPTIONS")
    origin = answer.headers.get("webhook-allowed-origin", "").strip()
    rate = answer.headers.get("webhook-allowed-rate", "").strip()
    if not origin and not rate:
        return Ruling(
            "AwaitingManualAction",
            f"the endpoint answered {answer.status} without WebHook-Allowed-Origin and WebHook-Allowed-Rate: "
            "it may still agree by opening the WebHook-Request-Callback",
        )
    if origin != "*" and origin.lower() != ORIGIN:
        said = f"allows {origin}" if origin else "sent no WebHook-Allowed-Origin"
        return Ruling("Failed", f"the endpoint {said}; {ORIGIN} or * is needed")
    if rate != "*" and not (rate.isascii() and rate.isdecimal() and int(rate[:9]) > 0):
        said = f"says {rate[:20]!r}" if rate else "is missing"
        return Ruling("Failed", f"WebHook-Allowed-Rate {said}; a number of requests a minute or * is needed")
    return Ruling("Succeeded", "the endpoint allowed our origin")


def _refused(answer: Answer, why: str) -> Ruling:
    status = answer.status or 0
    if 300 <= status < 400:
        return Ruling("Failed", f"{why}; redirects are not followed, subscribe the address it points to")
    passing = status >= 500 or status in PASSING or status < 300
    return Ruling("Creating" if passing else "Failed", why)


def _echoed(body: bytes) -> str:
    """The validationResponse, its name in any case (assumed: .NET programs write it so); empty if none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    fields = cast("dict[str, Any]", value)
    found = next((fields[name] for name in fields if name.lower() == "validationresponse"), "")
    return found if isinstance(found, str) else ""
