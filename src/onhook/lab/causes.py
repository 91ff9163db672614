"""What can be provoked, and where its cause is armed: the endings by their pages, and faults beside calls.

An ending's cause follows from the scenario of its page: what its carrier plays, that its carrier calls, or
that something of the server fails. What a scenario asks of the application, the application has to do itself:
that is told, not armed. What cannot be provoked in a running server says why.
"""

from collections.abc import Iterable
from functools import cache
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from onhook.endings.pages import Page, pages
from onhook.facts import Refusal
from onhook.lab.app_steps import ServerFail, ServerLose
from onhook.lab.scenario import parse_scenario, write_step
from onhook.lab.scenario_steps import (
    CARRIER_STEPS,
    CarrierCall,
    PhoneStep,
    Scenario,
    Step,
)

Arm: TypeAlias = Literal[
    "carrier",  # what the far end of the next calls plays
    "inbound",  # a call that comes in from the carrier
    "routing",  # the choice of a trunk refuses
    "network",  # what is sent to a trunk is not carried
    "media",  # the next prompt, recognition, recording or stream fails
    "request",  # an operation of the REST API is refused, slowed or cut
    "callback",  # events to the application come late, twice, swapped, or not
    "grid",  # Event Grid subscriptions count as not validated
    "token",  # the tokens of callbacks
    "certificate",  # the certificate that the server shows
    "store",  # the store cannot save
    "call",  # our own code fails while it handles the call
    "process",  # the server dies
]
ARMS: Final[tuple[Arm, ...]] = get_args(Arm)
OF_NUMBERS: Final[frozenset[Arm]] = frozenset(
    {"carrier", "routing", "network", "media", "callback", "call", "grid"}
)
"""Arms that a number or a trunk chooses calls for."""
AT_ONCE: Final[frozenset[Arm]] = frozenset({"inbound", "process"})
"""Arms that wait for nothing: they act when their time has come."""


class Cause(NamedTuple):
    """`name` is the id of the ending that it leads to, or of a fault that ends no call by itself.

    `scenario` is what the carrier plays; `then` says what the application has to do, `needs` which settings.
    """

    name: str
    arm: Arm
    text: str
    scenario: str = ""
    then: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def ending(self) -> str:
        """The page that it leads to; empty for a fault beside calls."""
        return self.name if self.name in pages() else ""


ROUTING: Final[frozenset[str]] = frozenset(get_args(Refusal))
"""Endings that the choice of a trunk decides."""
NETWORK: Final = {
    "trunk-unreachable": "refused: provoked, nobody listens on this port",
    "trunk-name-unknown": "name-unknown: provoked, the name of the trunk has no address",
    "trunk-down": "unreachable: provoked, no route to the trunk",
    "tcp-reset": "reset: provoked, the connection was torn down",
    "dns-failure": "name-unknown: provoked, the name of the trunk has no address",
}
"""What is told of a message to the trunk, in the words of net/failures.py."""
MEDIA: Final = frozenset({"prompt", "recognizer", "recording", "stream"})
"""What of `server: fail …` can be let fail in a running server."""
REQUESTS: Final = {
    "throttled": (429, "8516", "Too many requests"),
    "internal-error": (500, "InternalServerError", "The server failed"),
    "bad-gateway": (502, "BadGateway", "A server behind this one did not answer properly"),
    "service-unavailable": (503, "ServiceUnavailable", "The server is busy"),
    "bad-request": (400, "8523", "The request is invalid"),
    "forbidden": (403, "Forbidden", "The resource may not be used"),
    "not-found": (404, "8522", "Call not found"),
    "clock-skew": (401, "7509", "HMAC-SHA256 validation failed: the date is too far from the server's clock"),
    "token-revoked": (401, "7501", "The access token is revoked"),
}
"""Status, code and first words of the refusals of requests; 0 for what is no refusal."""

FAULTS: Final = (
    *(
        Cause(name, "request", f"the request is answered {status} {code}")
        for name, (status, code, _) in REQUESTS.items()
    ),
    Cause("slow-answer", "request", "the answer comes 5 s late; the request is carried out"),
    Cause("connection-cut", "request", "the connection breaks; the request is not carried out"),
    Cause(
        "answer-lost", "request", "the request is carried out, and the connection breaks before the answer"
    ),
    Cause("callbacks-late", "callback", "an event comes 3 s late, and those behind it too"),
    Cause("callbacks-twice", "callback", "an event comes twice, with the same id"),
    Cause("callbacks-out-of-order", "callback", "an event comes behind the next one of its call"),
    Cause("callbacks-lost", "callback", "an event is never sent; it counts as given up"),
    Cause(
        "grid-unvalidated", "grid", "subscriptions count as not validated: nobody hears of an incoming call"
    ),
    Cause("token-expired", "token", "the token of a callback has expired an hour ago"),
    Cause("trunk-down", "network", "no route leads to the trunk"),
    Cause("tcp-reset", "network", "what is sent to the trunk meets a connection that was torn down"),
    Cause("dns-failure", "network", "the trunk's name has no address"),
    Cause("certificate-expired", "certificate", "new connections are shown a certificate of last year"),
    Cause("store-full", "store", "nothing can be saved: 503, and no call leaves"),
    Cause("crash", "process", "the server kills itself (SIGKILL); whoever runs it has to start it again"),
)
BY_HAND: Final = {
    "server-fault": Cause("server-fault", "call", "our own code fails while it handles the call"),
    "server-restarted": Cause(
        "server-restarted",
        "process",
        "the server kills itself (SIGKILL) while the call is up",
        then=("place a call that is answered first, and start the server again: `onhook run`",),
    ),
}
CALLED_BY_APP: Final = "The application does it: no part of ours takes part in it. Let it: "


@cache
def causes() -> dict[str, Cause]:
    """Everything that can be provoked, by name: endings in alphabetical order, then faults."""
    found = {name: cause for name, page in pages().items() if (cause := _cause_of(page)) is not None}
    return found | {fault.name: fault for fault in FAULTS}


@cache
def reasons() -> dict[str, str]:
    """Endings that a running server cannot be made to meet, and why."""
    return {name: _why_not(page) for name, page in pages().items() if name not in causes()}


def _cause_of(page: Page) -> Cause | None:
    if page.id in BY_HAND:
        return BY_HAND[page.id]
    if page.id in ROUTING:
        return Cause(page.id, "routing", page.front.name)
    if page.id in NETWORK:
        return Cause(page.id, "network", page.front.name)
    if not page.scenario.strip():
        return None
    scenario = parse_scenario(page.scenario)
    carrier = carrier_part(scenario)
    then = application_part(scenario)
    needs = tuple(f"{each.setting} = {each.value}" for each in scenario.settings)
    if any(isinstance(step, ServerLose) for step in scenario.steps):
        return None
    failing = [step for step in scenario.steps if isinstance(step, ServerFail)]
    if any(step.what not in MEDIA for step in failing):
        return Cause(page.id, "network", page.front.name)
    if failing:
        return Cause(page.id, "media", page.front.name, carrier, then, needs)
    if not carrier:
        return None
    return Cause(
        page.id, "carrier" if scenario.calls_in is None else "inbound", page.front.name, carrier, then, needs
    )


def _why_not(page: Page) -> str:
    if page.front.provoked:
        return page.front.provoked
    if any(isinstance(step, ServerLose) for step in parse_scenario(page.scenario).steps):
        return "The application holds the other end of the stream: let it close the WebSocket."
    return CALLED_BY_APP + "; ".join(application_part(parse_scenario(page.scenario))) + "."


def carrier_part(scenario: Scenario) -> str:
    """The lines that a far end plays: of the carrier, or of the phones that it stands for."""
    mine = (*CARRIER_STEPS, CarrierCall, PhoneStep)
    return _written(
        step for step in scenario.steps if isinstance(step, mine) or write_step(step).startswith("carrier:")
    )


def application_part(scenario: Scenario) -> tuple[str, ...]:
    """What the scenario asks of the application, as it is written there."""
    return tuple(
        text.removeprefix("app: ") for step in scenario.steps if (text := write_step(step)).startswith("app:")
    )


def _written(steps: Iterable[Step]) -> str:
    return "".join(f"{write_step(step)}\n" for step in steps)


def media_fault(name: str) -> ServerFail | None:
    """How media fails for an ending whose page says `server: fail …`."""
    found = pages().get(name)
    steps = parse_scenario(found.scenario).steps if found else ()
    return next((step for step in steps if isinstance(step, ServerFail)), None)


def network_failure(name: str) -> str:
    """What is told of a message to the trunk, in the words of net/failures.py."""
    step = media_fault(name)
    return NETWORK.get(name) or (f"{step.fault}: provoked, {step.detail}" if step else "failed: provoked")


def command(name: str, *, number: str = "", operation: str = "") -> str:
    """The command line that provokes it; empty if there is none."""
    cause = causes().get(name)
    if cause is None:
        return ""
    words = ["onhook", "provoke", name]
    if number and cause.arm in OF_NUMBERS | {"inbound"}:
        words += ["--number", number]
    if operation and cause.arm == "request":
        words += ["--operation", operation]
    return " ".join(words)
