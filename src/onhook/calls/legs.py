"""The legs of one call, in the order in which they were begun."""

from collections.abc import Iterator
from typing import TypeAlias

from onhook.acs.identifiers import identify
from onhook.acs.models import CallParticipant
from onhook.calls.inbound_leg import InboundLeg
from onhook.calls.leg import PhoneLeg
from onhook.calls.signals import Standing
from onhook.calls.user_leg import UserLeg
from onhook.effects import Destination, Voice

Telephone: TypeAlias = PhoneLeg | InboundLeg
Leg: TypeAlias = Telephone | UserLeg
PARTIES_OF_TWO = 2


def takes_refer(leg: Leg) -> bool:
    """May the far end of a leg be asked to call somebody in our place, and does it say that it can?"""
    if isinstance(leg, UserLeg) or leg.trunk.refer == "never":
        return False
    return "REFER" in leg.session.inside.allowed_there


class Legs:
    """`own` are the ids of legs that are an application's identity and no party that was called."""

    def __init__(self) -> None:
        self._legs: dict[str, Leg] = {}
        self.telephones: list[Telephone] = []
        self.users: list[UserLeg] = []
        self.caller: InboundLeg | None = None
        """The telephone that called us."""
        self.own: set[str] = set()

    def add(self, leg: Leg, *, own: bool = False) -> None:
        self._legs[leg.id] = leg
        if isinstance(leg, UserLeg):
            self.users.append(leg)
        else:
            self.telephones.append(leg)
        if isinstance(leg, InboundLeg):
            self.caller = leg
        if own:
            self.own.add(leg.id)

    def take_out(self, leg: Telephone) -> None:
        """It belongs to another call now."""
        del self._legs[leg.id]
        self.telephones.remove(leg)
        if self.caller is leg:
            self.caller = None

    def take_in(self, leg: Telephone) -> None:
        """It began in another call: here it is nobody's caller."""
        self._legs[leg.id] = leg
        self.telephones.append(leg)

    def __iter__(self) -> Iterator[Leg]:
        return iter(self._legs.values())

    def __len__(self) -> int:
        return len(self._legs)

    def get(self, leg: str) -> Leg | None:
        return self._legs.get(leg)

    def user(self, leg: str) -> UserLeg | None:
        found = self._legs.get(leg)
        return found if isinstance(found, UserLeg) else None

    def ringing_as(self, name: str) -> UserLeg | None:
        """The party that rings under this name; once it rings no more, the one that did last."""
        return next((leg for leg in reversed(self.users) if leg.rings_as == name), None)

    def of_session(self, sip_call_id: str) -> Telephone | None:
        return next((leg for leg in self.telephones if leg.sip_call_id == sip_call_id), None)

    def speaking_to(self, to: Destination) -> list[Telephone]:
        return [leg for leg in self.telephones if leg.speaks_to(to)]

    def alive(self, *, but: Leg | None = None) -> list[Leg]:
        return [leg for leg in self if leg is not but and leg.standing is not Standing.ENDED]

    @property
    def telephones_alive(self) -> list[Telephone]:
        return [leg for leg in self.telephones if leg.standing is not Standing.ENDED]

    @property
    def connected(self) -> list[Leg]:
        """The participants of the call."""
        return [leg for leg in self if leg.standing is Standing.CONNECTED and not leg.aside]

    @property
    def group(self) -> bool:
        """More than two are connected, the applications' own legs among them (assumed for a group call)."""
        return len(self.connected) > PARTIES_OF_TWO

    @property
    def aside(self) -> list[Leg]:
        """Those who speak in pairs, apart from the call, and have not ended."""
        return [leg for leg in self if leg.aside and leg.standing is not Standing.ENDED]

    def rooms(self, main: str) -> dict[str, tuple[Voice, ...]]:
        """Those whose sound passes through our media, by room; `main` is the call's own."""
        rooms: dict[str, tuple[Voice, ...]] = {}
        for leg in self.telephones:
            if leg.media is not None and leg.standing is Standing.CONNECTED:
                room = f"{main}/{leg.aside}" if leg.aside else main
                rooms[room] = (*rooms.get(room, ()), Voice(leg.id, leg.muted, leg.held))
        return rooms

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """The raw id of each leg that is connected."""
        return tuple((leg.id, identify(leg.party).raw_id or "") for leg in self.connected)

    @property
    def participants(self) -> list[CallParticipant]:
        """Those connected: the ones called or calling first, then the applications' own (order assumed)."""
        ordered = sorted(self.connected, key=lambda leg: leg.id in self.own)
        return [
            CallParticipant(identifier=identify(leg.party), is_muted=leg.muted, is_on_hold=leg.held)
            for leg in ordered
        ]
