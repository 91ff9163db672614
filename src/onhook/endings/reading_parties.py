"""Reading of a timeline: users that ring, connections of applications, and what they ask for."""

from onhook.endings.attempts import Reading
from onhook.endings.parties import Asked, Parties
from onhook.facts import (
    ApiRequested,
    ConnectionJoined,
    ConnectionLeft,
    InboundRefused,
    IncomingCallAnnounced,
    TimerFired,
    UserLegChanged,
)


def read_ring_timer(reading: Reading, fact: TimerFired, number: int) -> None:
    user = reading.parties.users.get(fact.leg)
    if user is not None:
        reading.parties.lose(user, number, "rang-out")
        _user_lost(reading, number)
    elif reading.attempt is not None and reading.attempt.inbound and not reading.attempt.answer:
        reading.rung_out = number


def _user_lost(reading: Reading, number: int) -> None:
    """A user will not answer: the end, if nobody else rings or talks."""
    users = reading.parties.users.values()
    if any(each.connected or not each.over for each in users):
        return
    if reading.attempt is None and not reading.stop:
        reading.end(number, "user")


def read_request(reading: Reading, fact: ApiRequested, number: int) -> None:
    if reading.too_late or fact.status >= 300:
        return
    parties = reading.parties
    if not ends_call(fact.operation):
        parties.request(fact, number)
        return
    asked = Asked(number, fact.connection, "terminate" in fact.operation.lower())
    parties.ask(asked)
    if not reading.several and (asked.everyone or not goes_on(parties, _phones(reading), number)):
        reading.stop_for(number, "hang-up")
        if parties.users and reading.attempt is None:
            reading.end(number, "left")


def _phones(reading: Reading) -> int:
    """Telephones that are connected."""
    return sum(1 for each in reading.attempts if each.answer and each.bye is None)


def goes_on(parties: Parties, phones: int, number: int) -> bool:
    """Are two legs left after fact `number`, one of them a connection's?"""
    left = len(parties.connected(number))
    return left > 0 and left + phones >= 2


def ends_call(operation: str) -> bool:
    """Is this API operation hangUp or terminate, as the specification or the SDKs spell it?"""
    name = operation.replace("_", "").lower()
    return "hangup" in name or "terminate" in name


def read_door(reading: Reading, _fact: InboundRefused, number: int) -> None:
    reading.door = reading.door or number


def read_announced(reading: Reading, fact: IncomingCallAnnounced, number: int) -> None:
    reading.parties.announce(fact, number)


def read_user_leg(reading: Reading, fact: UserLegChanged, number: int) -> None:
    if reading.too_late:
        return
    reading.parties.change(fact, number)
    if fact.state == "ringing" and any(each.invite and not each.inbound for each in reading.attempts):
        reading.several = True
    if fact.state in {"rejected", "ended"} and fact.why != "redirected":  # then another one rings next
        _user_lost(reading, number)


def read_joined(reading: Reading, fact: ConnectionJoined, number: int) -> None:
    if not reading.too_late:
        reading.parties.join(fact, number)


def read_left(reading: Reading, fact: ConnectionLeft, number: int) -> None:
    if reading.too_late and fact.why != "transferred":  # its far end may hang up before we can
        return
    parties = reading.parties
    parties.leave(fact, number)
    if not reading.stop and not reading.several and not goes_on(parties, _phones(reading), number):
        parties.emptied = parties.emptied or Asked(number, fact.connection, everyone=False)
