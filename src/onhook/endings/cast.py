"""Who speaks in a timeline, by name: applications, users, and the trunks of legs."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from onhook.endings.signals import printable
from onhook.facts import (
    ApiRequested,
    CallArrived,
    ConnectionJoined,
    ConnectionLeft,
    InboundRefused,
    LegMovedIn,
    RouteTaken,
    Timeline,
    UserLegChanged,
)

APPLICATION = "application"
USER_CHARACTERS = 6
"""Of a raw id, enough to tell users apart by eye."""


class Cast(NamedTuple):
    trunks: dict[str, str]
    """Trunk name by leg."""
    numbers: dict[str, str]
    """The telephone at the far end of a leg: called, or calling."""
    users: dict[str, str]
    """Name of the user who is rung, by leg."""
    connections: dict[str, str]
    """Name by connection: "application" is the first, "application 2" the next; or the user's."""

    def speaker(self, fact: ApiRequested | ConnectionJoined | ConnectionLeft) -> str:
        """Who made a request, joined or left."""
        if fact.connection in self.connections and fact.connection:
            return self.connections[fact.connection]
        return self.users.get(fact.leg, APPLICATION)


def user_name(raw_id: str) -> str:
    """A user's raw id is long, and its beginning is that of every user of the resource."""
    return f"user …{printable(raw_id[-USER_CHARACTERS:])}"


def raw_id_name(raw_id: str) -> str:
    """A raw id as a person says it: the number of a phone, "user …" and the end of the id of a user."""
    if raw_id.startswith("4:"):
        return printable(raw_id[2:])
    return user_name(raw_id) if raw_id.startswith("8:") else printable(raw_id)


def cast_of(timeline: Timeline) -> Cast:
    """Read the names off the facts; parties that no fact names are absent."""
    cast = Cast({}, {}, {}, {})
    for fact in timeline:
        match fact:
            case RouteTaken():
                cast.trunks[fact.leg], cast.numbers[fact.leg] = fact.trunk, fact.number
            case CallArrived():
                cast.trunks[fact.leg], cast.numbers[fact.leg] = fact.trunk, fact.caller
            case LegMovedIn():
                cast.trunks[fact.leg], cast.numbers[fact.leg] = fact.trunk, fact.number
            case InboundRefused() if fact.trunk:
                cast.trunks[fact.leg] = fact.trunk
            case UserLegChanged(state="ringing"):
                cast.users.setdefault(fact.leg, user_name(fact.user))
            case ConnectionJoined():
                _join(cast, fact)
            case ApiRequested(operation="createCall"):
                cast.connections.setdefault("", APPLICATION)
            case _:
                pass
    return cast


def telephone_names(cast: Cast, legs: Iterable[str]) -> dict[str, str]:
    """The trunk of each leg; with the number of the telephone where one trunk serves several of the legs."""
    names = {leg: cast.trunks.get(leg) or leg for leg in legs}
    shared = Counter(names.values())
    for leg, name in names.items():
        if shared[name] > 1 and cast.numbers.get(leg):
            names[leg] = f"{name} ({cast.numbers[leg]})"
    return names


def _join(cast: Cast, fact: ConnectionJoined) -> None:
    if fact.operation == "createCall" or not cast.connections:
        cast.connections.setdefault(fact.connection, APPLICATION)
        return
    numbered = f"{APPLICATION} {len(set(cast.connections.values())) + 1}"
    cast.connections.setdefault(fact.connection, cast.users.get(fact.leg) or numbered)
