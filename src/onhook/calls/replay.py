"""A call rebuilt from its facts: equal inputs give equal calls, down to the bytes on the wire.

After a crash the switch replays each open call, so that the restarted server knows its dialog and can
release the telephone properly instead of leaving it off the hook.

When did timers fire? A call lets everything that is due happen before it takes an input, so the facts tell:
what is due at an input's time fired before it, and what fired by itself shows in the messages and timers
that it brought forth, which are facts with their own times and follow from no input. Timers that show in
nothing change nothing that an input could tell.
"""

from onhook.calls.call import Call, State
from onhook.calls.directory import Trunk, VoiceRoute
from onhook.calls.record import CallRecord
from onhook.calls.routing import Chosen
from onhook.effects import Destination, Effect, Record
from onhook.endings.reading import ends_call
from onhook.facts import (
    ApiRequested,
    Fact,
    MediaMeasured,
    RouteTaken,
    ServerRestarted,
    SipSeen,
    SipUnreadable,
    Timeline,
    TimerFired,
    TransportFailed,
)
from onhook.sip.headers import split_host_port
from onhook.sip.messages import parse


def replay(
    record: CallRecord, timeline: Timeline, trunk: Trunk, *, setup_seconds: float, max_seconds: float
) -> tuple[Call, list[Effect]]:
    """The call as it stood after the last fact, and every effect that led there.

    `timeline` begins with createCall; a call that was refused a route ended in the same turn, and is
    never replayed. `record` is changed as the call goes.
    """
    call = Call(record, setup_seconds=setup_seconds, max_seconds=max_seconds)
    effects: list[Effect] = []
    created: ApiRequested | None = None
    brought_forth = 0  # facts to come that follow from the last input
    for fact in timeline:
        if isinstance(fact, ApiRequested) and created is None:
            created = fact
            continue
        if isinstance(fact, RouteTaken) and created is not None:
            route = VoiceRoute(fact.pattern, fact.pattern, (trunk.name,))
            fed = call.place(Chosen(trunk, route), created)
        elif brought_forth and isinstance(fact, SipSeen | TimerFired):
            brought_forth -= 1
            continue
        else:
            fed = _feed(call, fact)
        effects += fed
        brought_forth = _after(fact, fed)
    return call, effects


def _after(fact: Fact, effects: list[Effect]) -> int:
    """How many facts of `effects` come after `fact`."""
    facts = [effect.fact for effect in effects if isinstance(effect, Record)]
    return len(facts) - facts.index(fact) - 1 if fact in facts else 0


def _feed(call: Call, fact: Fact) -> list[Effect]:
    """Give a fact from outside back to the call; what the call observed of itself it observes again."""
    match fact:
        case SipSeen(direction="received"):
            return call.receive(parse(fact.message), fact.message, _destination(fact), fact.at)
        case SipSeen() | TimerFired():
            due = call.deadline is not None and call.deadline <= fact.at
            return call.handle_timeout(fact.at) if due else []
        case SipUnreadable():
            message, source = parse(fact.data), _destination(fact)
            return call.receive(message, fact.data, source, fact.at, candidates=fact.candidates)
        case TransportFailed():
            return call.fail(_destination(fact), fact.error, fact.at)
        case ApiRequested() if ends_call(fact.operation):
            return call.hang_up(fact)
        case ServerRestarted():
            return call.restart(fact.at)
        case MediaMeasured():
            return call.media_closed(fact) if call.state is State.CLOSING else call.media_seen(fact)
        case _:
            call.note(fact)
            return []


def _destination(fact: SipSeen | SipUnreadable | TransportFailed) -> Destination:
    host, port = split_host_port(fact.peer) or (fact.peer, None)
    return Destination(fact.transport, host, port or 0)
