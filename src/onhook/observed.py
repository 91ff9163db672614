"""What every fact has: when it was seen, and whose signalling it belongs to."""

import msgspec


class Observed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="kind"):
    """`at` is Unix time in seconds, never running backwards within one process.

    `leg` names the party's signalling that the fact belongs to; empty means the call as a whole.
    """

    at: float
    leg: str = ""
