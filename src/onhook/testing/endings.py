"""Endings by name: pages of the catalogue, the words that people use for them, and scenarios of one's own.

The part of a page's scenario that a telephone plays is what a test arms. What the application or the server
does in it is left to the test, or is said to be needed.
"""

from difflib import get_close_matches
from typing import Literal, NamedTuple, TypeAlias

from onhook.endings.pages import Page, pages
from onhook.lab.scenario import parse_scenario
from onhook.lab.scenario_steps import Scenario

Way: TypeAlias = Literal["called", "calling"]

ALIASES = {
    "busy": "callee-busy",
    "declined": "callee-declined",
    "declines": "callee-declined",
    "no-answer": "callee-unavailable",
    "unavailable": "callee-unavailable",
    "rings-for-ever": "rang-out",
    "not-found": "number-not-found",
    "forbidden": "call-forbidden",
    "hangs-up": "hung-up-by-phone",
    "network-fails": "hung-up-by-network",
    "silent": "trunk-silent",
    "out-of-service": "trunk-unavailable",
    "gives-up": "caller-gave-up",
    "caller-hangs-up": "caller-hung-up",
}
"""Words for endings, by the page that they mean. The names of pages themselves are good too."""
MANNERS = {"answers": "carrier: 180 Ringing\ncarrier: 200 OK\n", "rings": "carrier: 180 Ringing\n"}
"""What is no ending: a telephone that does this and leaves the end to others."""
CARRIER, CALLS_IN = "carrier:", "carrier: call from"


class UnknownEnding(ValueError):
    """No ending is called so, or no telephone can bring it about; the text says what to write instead."""


class Part(NamedTuple):
    """What a telephone does: lines of a scenario, without the call itself where the telephone calls."""

    lines: tuple[str, ...]

    def called(self) -> Scenario:
        return parse_scenario("".join(f"{line}\n" for line in self.lines))

    def calling(self, source: str, target: str) -> Scenario:
        first = f"{CALLS_IN} {source or 'anonymous'} to {target}"
        return parse_scenario("".join(f"{line}\n" for line in (first, *self.lines)))


def ending_id(name: str) -> str:
    """The id of the page that `name` means. Raises UnknownEnding with what is near."""
    known = ALIASES.get(name, name)
    if known not in pages():
        near = get_close_matches(name, [*pages(), *ALIASES], 3)
        hint = f"Do you mean {' or '.join(near)}?" if near else "`onhook endings list` shows all."
        raise UnknownEnding(f"no ending is called {name!r}. {hint}")
    return known


def part_of(what: str, way: Way) -> Part:
    """What a telephone has to do for `what`: the name of an ending or manner, or lines of a scenario.

    Raises UnknownEnding, and ScenarioError for lines that are none.
    """
    if what in MANNERS:
        return Part(tuple(MANNERS[what].splitlines()))
    if ":" in what or "\n" in what:
        lines = tuple(line.strip() for line in what.splitlines() if line.strip())
        return Part(tuple(line for line in lines if not line.startswith(CALLS_IN)))
    return _part_of_page(pages()[ending_id(what)], way)


def _part_of_page(page: Page, way: Way) -> Part:
    lines = [line.strip() for line in page.scenario.splitlines() if line.strip()]
    if page.front.provoked:
        raise UnknownEnding(f"no telephone can bring about {page.id}: {page.front.provoked}")
    if server := [line for line in lines if line.startswith("server:")]:
        raise UnknownEnding(
            f"{page.id} takes more than a telephone: `{server[0]}`. "
            "Give settings by the fixture onhook_settings."
        )
    calls_in = any(line.startswith(CALLS_IN) for line in lines)
    own = tuple(line for line in lines if line.startswith(CARRIER) and not line.startswith(CALLS_IN))
    if way == "called" and calls_in:
        raise UnknownEnding(
            f"{page.id} is an ending of a call that comes in: write "
            f'onhook.phone("+1…").calls("+1…", then="{page.id}")'
        )
    if way == "calling" and not calls_in:
        raise UnknownEnding(
            f'{page.id} is an ending of a call to a telephone: write onhook.phone("+1…").will("{page.id}")'
        )
    if way == "called" and not own:
        raise UnknownEnding(
            f"{page.id} is not for a telephone to bring about: it is the application's own doing."
        )
    return Part(own)
