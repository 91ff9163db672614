"""Who is in a call without a telephone: users that are rung, and the connections of applications.

A connection is an application's handle on the call, with a leg of its own; a user who answered is the own
leg of the connection that answered for it. The call goes on while two legs are connected and one of them
is a connection's (documented: ACS cuts the phones when the last application leaves).
"""

import msgspec

from onhook.facts import (
    ApiRequested,
    ConnectionJoined,
    ConnectionLeft,
    IncomingCallAnnounced,
    UserLegChanged,
)

DECISIONS = {"answercall": "answer", "rejectcall": "reject", "redirectcall": "redirect"}
"""What an application may decide on a leg that rings."""


JOINING = frozenset({"createcall", "answercall", "connect", "connectcall"})
"""Requests that make a connection."""


class UserLeg(msgspec.Struct, eq=False):
    """A leg that rang at an ACS user. Numbers are numbers of facts; 0 means that it was never seen."""

    user: str
    ringing: int = 0
    connected: int = 0
    over: int = 0
    why: str = ""
    """`UserLegChanged.why` of the fact that ended it."""


class Connection(msgspec.Struct, eq=False):
    """An application's handle. `left` is the request or the fact by which it went, 0 while it is there."""

    id: str
    joined: int = 0
    left: int = 0
    why: str = ""
    """`ConnectionLeft.why`, where such a fact is known."""


class Asked(msgspec.Struct, frozen=True):
    """hangUp of one connection, or terminate (`everyone`)."""

    number: int
    connection: str
    everyone: bool


class Parties(msgspec.Struct, eq=False):
    """What was seen of users and connections, in the order in which they came."""

    users: dict[str, UserLeg] = {}
    """By leg."""
    connections: dict[str, Connection] = {}
    asked: list[Asked] = []
    emptied: Asked | None = None
    """The connection that left too few behind, where no request to hang up says so."""
    announced: int = 0
    """The first IncomingCall."""
    decisions: list[tuple[int, str]] = []
    """Requests that decided on a ringing leg, each with what it decided."""

    @property
    def decided(self) -> str:
        """The last decision: answer, reject, redirect, or "" if there was none."""
        return self.decisions[-1][1] if self.decisions else ""

    def connection(self, name: str) -> Connection:
        """The one of that id; a name not heard of is the one of createCall, whose facts need not name it."""
        known = self.connections.get(name) or self.connections.get("")
        if known is None and not name:
            known = next(iter(self.connections.values()), None)
        if known is None:
            known = self.connections[name] = Connection(name)
        return known

    def connected(self, number: int) -> list[Connection]:
        """Connections that are in the call just after fact `number`."""
        return [
            each
            for each in self.connections.values()
            if each.joined <= number and not 0 < each.left <= number
        ]

    @property
    def user(self) -> UserLeg | None:
        """The user that decides: one who answered, else the last that was lost, else the last that rings."""
        if not self.users:
            return None
        users = list(self.users.values())
        talking = [each for each in users if each.connected]
        if talking:
            return talking[-1]
        ringing = [each for each in users if not each.over]
        return ringing[-1] if ringing else max(users, key=lambda each: each.over, default=None)

    def request(self, fact: ApiRequested, number: int) -> None:
        """Note an accepted request that makes a connection or decides on a leg that rings."""
        name = fact.operation.replace("_", "").lower()
        if name in JOINING and (fact.connection or name == "createcall"):
            self._join(fact.connection, number)
        if name in DECISIONS:
            self.decisions.append((number, DECISIONS[name]))

    def join(self, fact: ConnectionJoined, number: int) -> None:
        if fact.operation == "createCall" and "" in self.connections:  # its request did not name it yet
            first = self.connections[fact.connection] = self.connections.pop("")
            first.id = fact.connection
        else:
            self._join(fact.connection, number)

    def _join(self, name: str, number: int) -> None:
        if name not in self.connections:
            self.connections[name] = Connection(name, joined=number)

    def ask(self, asked: Asked) -> None:
        """Somebody hangs up: one connection goes, or all."""
        self.asked.append(asked)
        one = [] if asked.everyone else [self.connection(asked.connection)]
        for each in one or self.connections.values():
            each.left = each.left or asked.number

    def leave(self, fact: ConnectionLeft, number: int) -> None:
        left = self.connection(fact.connection)
        left.left, left.why = left.left or number, left.why or fact.why

    def change(self, fact: UserLegChanged, number: int) -> None:
        leg = self.users.get(fact.leg)
        if leg is None:
            if fact.state != "ringing":  # the own leg of a connection: the connection stands for it
                return
            leg = self.users[fact.leg] = UserLeg(fact.user)
        if fact.state == "ringing":
            leg.ringing = leg.ringing or number
        elif fact.state == "connected":
            leg.connected = leg.connected or number
        else:
            self.lose(leg, number, fact.why)

    @staticmethod
    def lose(leg: UserLeg, number: int, why: str) -> None:
        """The leg is over; what is seen first of it stands."""
        if not leg.over:
            leg.over, leg.why = number, why

    def announce(self, _fact: IncomingCallAnnounced, number: int) -> None:
        self.announced = self.announced or number
