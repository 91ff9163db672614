"""The last line of every verdict: the command that provokes this ending once more, or why none can."""

from collections.abc import Iterator

import msgspec

from onhook.calls.record import CallRecord
from onhook.endings.pages import pages
from onhook.facts import Provoked, RouteRefused, Timeline
from onhook.lab.causes import causes, command, reasons


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """`command` is empty if there is none, and `why_not` says why. `then` is the application's own part."""

    command: str = ""
    why_not: str = ""
    then: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    provoked_by: tuple[str, ...] = ()
    """Ids of what was armed and hit this call: it was asked for."""


def again(ending: str, record: CallRecord, timeline: Timeline) -> Again:
    """How an ending is provoked again for the number of this call."""
    by = provoked_by(timeline)
    cause = causes().get(ending)
    if cause is None:
        return Again(why_not=reasons().get(ending, f"no page is called {ending}"), provoked_by=by)
    made = command(ending, number=record.target if record.target.startswith("+") else "")
    return Again(command=made, then=cause.then, needs=cause.needs, provoked_by=by)


def provoked_by(timeline: Timeline) -> tuple[str, ...]:
    """What the lab did to this call, in order."""
    found: dict[str, None] = {}
    for fact in timeline:
        if isinstance(fact, Provoked):
            found[fact.provocation] = None
        elif isinstance(fact, RouteRefused) and fact.detail.startswith("provoked ("):
            found[fact.detail.removeprefix("provoked (").partition(")")[0]] = None
    return tuple(found)


def again_of_ending(ending: str) -> str:
    """The command for an ending that no call is at hand of; empty if there is none."""
    return command(ending) if ending in pages() else ""


def again_text(told: Again | None) -> Iterator[str]:
    """Lines for a terminal; nothing while the call is open."""
    if told is None:
        return
    yield ""
    if told.provoked_by:
        yield f"This was provoked ({', '.join(told.provoked_by)}): nothing is broken."
    for label, lines in (("Settings it needs", told.needs), ("Your application then", told.then)):
        if lines:
            yield f"{label}: {'; '.join(lines)}"
    if told.command:
        yield "Provoke it again"
        yield f"  {told.command}"
    else:
        yield "It cannot be provoked again by command"
        yield f"  {told.why_not}"


def again_markdown(told: Again | None) -> str:
    """A section for a ticket."""
    lines = list(again_text(told))[1:]
    if told is None or not lines:
        return ""
    if told.command:
        return "\n".join(["## Provoke it again", "", *lines[:-2], "```", told.command, "```", ""])
    return "\n".join(["## Provoke it again", "", *lines[:-2], told.why_not, ""])
