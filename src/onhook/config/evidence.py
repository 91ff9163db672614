"""The settings of evidence that leaves the house: the section [hep] of the table."""

from dataclasses import dataclass
from typing import ClassVar

from onhook.config import kinds
from onhook.config.table import defaults, setting
from onhook.delivery.hep import HepSettings as Hep

_HEP = defaults(Hep)


@dataclass(frozen=True, kw_only=True)
class HepSettings:
    """Copies of all SIP of calls for a collector such as Homer (HEP version 3)."""

    SECTION: ClassVar = "hep"
    host: str = setting(kinds.MAYBE_HOST, _HEP["host"], "Where the collector is; nothing: none is told.")
    port: int = setting(kinds.PORT, _HEP["port"], "Its port.")
    transport: str = setting(kinds.one_of("udp", "tcp"), _HEP["transport"], "How it is reached: udp or tcp.")
    capture_id: int = setting(
        kinds.whole(0, 4_294_967_295, 2_001), _HEP["capture_id"], "By which it knows this server."
    )
    password: str = setting(
        kinds.PASSWORD, _HEP["password"], "Its authentication key, if it wants one.", secret=True
    )
    max_queue: int = setting(
        kinds.whole(1, 1_000_000, 10_000),
        _HEP["max_queue"],
        "Messages that may wait for it; more are dropped and counted, and no call waits.",
    )
