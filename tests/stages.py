"""What is configured for calls that run on virtual time, and far ends to call there."""

from onhook.calls.directory import Directory, Resource, Trunk, VoiceRoute
from onhook.lab.far_end import FarEnd
from onhook.lab.rehearsal import CALLER, Inbox, Stage, World
from onhook.lab.scenario import parse_scenario
from onhook.lab.scenario_steps import Scenario
from onhook.lab.virtual_network import VirtualNetwork
from onhook.sip.messages import Request
from onhook.sip.uri import phone_number
from onhook.store.memory import MemoryStore
from onhook.switch import Limits

OWN = Resource("dev", "0d0e0f00-0000-4000-8000-000000000001", ("",), (CALLER,))
OTHER = Resource("other", "0d0e0f00-0000-4000-8000-000000000002", ("",), ("+14255550900",))
CARRIER = Trunk("carrier", "192.0.2.2", 5060)
ANSWERS = "carrier: 180 Ringing\ncarrier: wait 1 s\ncarrier: 200 OK\n"
RINGS = "carrier: 180 Ringing\n"
SILENT = "carrier: silence\n"


def stage(*trunks: Trunk, limits: Limits | None = None, routes: tuple[VoiceRoute, ...] = ()) -> Stage:
    """One resource and another, and by default one trunk to which everything goes."""
    found = trunks or (CARRIER,)
    named = {trunk.name: trunk for trunk in found}
    return Stage(
        Directory((OWN, OTHER), named, routes or (VoiceRoute("world", r"\+[0-9]+", tuple(named)),)),
        limits or Limits(),
    )


def far_end(scenario: str = ANSWERS, **by_number: str) -> FarEnd:
    """Plays `scenario`; or another one for a number, given as `n14255550200="…"`."""
    scenarios = {f"+{name[1:]}": parse_scenario(text) for name, text in by_number.items()}
    default = parse_scenario(scenario)

    def choose(invite: Request) -> Scenario:
        return scenarios.get(phone_number(invite.uri), default)

    return FarEnd(choose)


async def world(
    scenario: str | FarEnd = ANSWERS,
    on: Stage | None = None,
    *,
    store: MemoryStore | None = None,
    inbox: Inbox | None = None,
    network: VirtualNetwork | None = None,
) -> World:
    """A server on virtual time with this far end behind its trunk; to be made on a VirtualTimeLoop."""
    made = World(
        on or stage(), scenario if isinstance(scenario, FarEnd) else far_end(scenario), network=network
    )
    if store is not None or inbox is not None:
        made.crash()
        made.store, made.inbox = store or made.store, inbox or made.inbox
        made.start()
    await made.open()
    return made
