"""What every generated model, enumeration and operation of the ACS wire is made of."""

from enum import StrEnum
from typing import NamedTuple

import msgspec


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """A JSON object: camelCase there, snake_case here.

    Absent and `null` are both None here, and None is left out when written. Unknown properties are
    ignored, though the specification forbids them, because previews and other SDKs add some.
    """


class AnyCase(StrEnum):
    """An enumeration read in any case and written as the specification spells it.

    validated: the Python SDK sends `PUBLIC` where the specification says `public`, and SDKs up to
    2025-06-15 spell the recording kinds with a capital.
    """

    @classmethod
    def _missing_(cls, value: object) -> "AnyCase | None":
        wanted = str(value).lower()
        return next((member for member in cls if member.value.lower() == wanted), None)


class Operation(NamedTuple):
    """One row of the API: what is asked for, and which answers the SDKs accept."""

    name: str
    method: str
    path: str
    """Template with literal colons, e.g. `/calling/callConnections/{callConnectionId}:play`."""
    request: type[Model] | None
    success: tuple[int, ...]
    """SDKs raise on any other status, other 2xx included (validated)."""
    response: type[Model] | None
    repeatable: bool
    """SDKs send Repeatability-Request-ID and Repeatability-First-Sent."""
    optional_body: bool = False
    """No body at all means the same as `{}`."""
