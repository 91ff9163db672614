"""What a subscription must be before it is created, whoever asks for it."""

import re
from collections.abc import Collection

import msgspec

from onhook.acs.callback_uri import PlainHttp, check_callback_uri
from onhook.acs.cloud_events import TYPE_PREFIX
from onhook.acs.errors import ApiError, shown
from onhook.calls.grid import MAX_ATTEMPTS, MAX_TTL_MINUTES, Subscription

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
EVENT_TYPE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
MAX_EVENT_TYPES = 100
MAX_EVENT_TYPE_CHARACTERS = 200
MAX_SUBJECT_CHARACTERS = 1_000


def full_type(event_type: str) -> str:
    """`IncomingCall` is short for `Microsoft.Communication.IncomingCall`."""
    return event_type if "." in event_type else TYPE_PREFIX + event_type


def checked(subscription: Subscription, *, resources: Collection[str], http: PlainHttp) -> Subscription:
    """The subscription with full event types and its resource named; raises ApiError 400 for what is wrong.

    documented: the ranges of attempts and minutes. assumed: the form of names (Azure wants 3 to 64 letters,
    digits and hyphens; here a name may be shorter and hold dots and underscores, as sections of the
    configuration do).
    """
    if not NAME.fullmatch(subscription.name):
        raise _wrong("name", f"{shown(subscription.name)} is not 1 to 64 letters, digits, -, _ and dots")
    resource = subscription.resource or (next(iter(resources)) if len(resources) == 1 else "")
    if resource not in resources:
        named = f"{shown(resource)} is none of them" if resource else "there are several"
        raise _wrong("resource", f"{named}; name one of {', '.join(sorted(resources))}")
    check_callback_uri(subscription.endpoint, http=http, field="Endpoint", target="endpoint")
    _range("max_attempts", subscription.max_attempts, MAX_ATTEMPTS)
    _range("ttl_minutes", subscription.ttl_minutes, MAX_TTL_MINUTES)
    if len(subscription.event_types) > MAX_EVENT_TYPES:
        raise _wrong("event_types", f"{len(subscription.event_types)} are more than {MAX_EVENT_TYPES}")
    for event_type in subscription.event_types:
        if not is_event_type(event_type):
            raise _wrong("event_types", f"{shown(event_type)} is no event type such as IncomingCall")
    for field in ("subject_begins_with", "subject_ends_with"):
        length = len(getattr(subscription, field))
        if length > MAX_SUBJECT_CHARACTERS:
            raise _wrong(field, f"{length} characters are more than {MAX_SUBJECT_CHARACTERS}")
    if subscription.dead_letter_file and not FILE_NAME.fullmatch(subscription.dead_letter_file):
        raise _wrong(
            "dead_letter_file",
            f"{shown(subscription.dead_letter_file)} is no file name of letters, digits, -, _ and dots",
        )
    types = tuple(dict.fromkeys(full_type(each) for each in subscription.event_types))
    return msgspec.structs.replace(subscription, resource=resource, event_types=types)


def is_event_type(text: str) -> bool:
    return len(text) <= MAX_EVENT_TYPE_CHARACTERS and EVENT_TYPE.fullmatch(text) is not None


def _range(field: str, value: int, highest: int) -> None:
    if not 1 <= value <= highest:
        raise _wrong(field, f"{value} is not 1 to {highest}")


def _wrong(field: str, why: str) -> ApiError:
    return ApiError(400, "InvalidSubscription", f"{field}: {why}.", target=field)
