"""Which api-version is served for which is asked.

The stable versions are documented (the SDKs' own lists and the specification's directories). The error
code UnsupportedApiVersion was seen on the real service for an unknown version (Azure-Samples/
communication-services-web-calling-tutorial issue 8); the other two names are assumed. Serving versions
that we do not know by their nearest is our own choice.
"""

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from onhook.acs.errors import ApiError, shown

STABLE = (
    "2023-03-06",
    "2023-10-15",
    "2024-04-15",
    "2024-09-15",
    "2025-05-15",
    "2025-06-15",
    "2026-03-12",
)
"""Of Call Automation."""
NEWEST = STABLE[-1]
IDENTITY = ("2021-03-07", "2022-06-01", "2022-10-01", "2023-10-01")
PHONE_NUMBERS = ("2021-03-07", "2022-12-01", "2025-02-11", "2025-04-01", "2025-06-01")
SIP_ROUTING = ("2023-03-01",)
VERSION = re.compile(r"(\d{4}-\d\d-\d\d)(-preview\d*)?")


class Version(NamedTuple):
    served: str
    """One of the stable ones."""
    warning: str | None = None
    """For the caller, if it is not the version asked for."""


@lru_cache(maxsize=256)
def choose_version(asked: str | None, stable: tuple[str, ...] = STABLE) -> Version:
    """Stable versions as asked; newer ones as the newest; previews as the stable one nearest in time.

    `stable` are the versions of one API, the newest last. Raises ApiError 400 if `asked` is absent, is no
    version, or never existed.
    """
    newest = stable[-1]
    if not asked:
        raise _refused(
            "ApiVersionUnspecified", "The query parameter api-version is missing. Add ?api-version=" + newest
        )
    if asked in stable:
        return Version(asked)
    match = VERSION.fullmatch(asked)
    day = _day(match[1]) if match else None
    if match is None or day is None:
        raise _refused(
            "InvalidApiVersion",
            f"api-version {shown(asked)} is no version. It looks like {newest} or {newest}-preview",
        )
    if match[2]:
        nearest = min(stable, key=lambda one: abs((date.fromisoformat(one) - day).days))
        return Version(nearest, f"api-version {asked} is a preview; served as {nearest}")
    if asked > newest:
        return Version(newest, f"api-version {asked} is newer than {newest}, which it is served as")
    raise _refused(
        "UnsupportedApiVersion", f"api-version {asked} never existed. Known are {', '.join(stable)}"
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _refused(code: str, message: str) -> ApiError:
    return ApiError(400, code, f"{message}.", target="api-version")
