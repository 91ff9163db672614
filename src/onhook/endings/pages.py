"""The catalogue of endings: one Markdown page each, read from `pages/`.

A page is TOML between two `+++` lines, then prose in fixed sections, a `scenario` block that makes the
ending happen and a `ladder` block that shows it. The file name is the id of the ending; ids are never
reused. The category of a pair of codes is in the code tables, not here.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

import msgspec

from onhook.endings.verdict import Confidence

Fault: TypeAlias = Literal[
    "callee", "caller", "trunk", "network", "application", "service", "nobody", "unknown"
]
Basis: TypeAlias = Literal["validated", "documented", "assumed"]

SECTIONS = (
    "What happened",
    "Whose side",
    "How we know",
    "What to do",
    "Look-alikes",
    "What would change the verdict",
)
"""The headings of every page, in this order."""

HUNG_UP = ((0, 560000), (0, 540000))
"""The pairs of a normal hang-up of the far end: of the phone that was called, and of the caller."""

BLOCKS = ("scenario", "ladder")


class PageError(Exception):
    """A page of the catalogue cannot be read: a defect of the package, named with its file."""


class Front(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The front matter of a page."""

    code: int
    subcode: int
    event_code: int | None = None
    """Where events show another code: 200 for 0."""
    name: str
    message: str
    """Text for events; `{status}` and `{phrase}` stand for what the trunk wrote."""
    fault: Fault
    confidence: Confidence
    basis: Basis
    source: str
    """What the codes rest on: a page of Microsoft's by name, or the reason of an assumption."""
    statuses: tuple[str, ...] = ()
    """SIP statuses that the page stands for ("407", "400-499"): the codes of a verdict follow the status."""
    hung_up: bool = False
    """The far end may hang up on it first: the pair is then that of the hang-up, 0/560000 or 0/540000."""
    provoked: str = ""
    """Why no scenario can provoke it yet; empty means that the scenario block does."""
    rule: str = ""
    """Why no rule yields it yet; empty means that one does."""
    events: tuple[str, ...] = ()
    """Events that tell of it, for an operation that fails within a call; empty for the ending of a call."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    front: Front
    sections: dict[str, str]
    scenario: str
    ladder: str
    text: str
    """The whole body, as written."""

    def codes(self, status: int | None = None) -> tuple[int, int]:
        """(code, subcode); for a page of many statuses, those of `status`: NNN beside 560NNN or 540NNN."""
        front = self.front
        if not front.statuses or status is None:
            return front.code, front.subcode
        return status, front.subcode - front.subcode % 1000 + status

    def statuses(self) -> list[int]:
        """Every SIP status that the page stands for, if its codes follow the status."""
        found: list[int] = []
        for text in self.front.statuses:
            first, _, last = text.partition("-")
            found += range(int(first), int(last or first) + 1)
        return found


def page(ending: str) -> Page:
    """The page of an ending; KeyError for an id that is none."""
    return pages()[ending]


@cache
def pages() -> dict[str, Page]:
    """Every page by id, in alphabetical order. Read once."""
    folder = files("onhook.endings") / "pages"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".md"))
    return {
        name.removesuffix(".md"): read_page(
            name.removesuffix(".md"), (folder / name).read_text(encoding="utf-8")
        )
        for name in names
    }


@cache
def pages_by_codes() -> dict[tuple[int | str, int], list[str]]:
    """Ids of the pages that stand for a pair of codes, and for an event of an operation with its code.

    Those written for this very pair; where there is none, those of its status, the narrowest first. Of two
    pages for one pair the one whose pair is assumed comes second.
    """
    exact: dict[tuple[int | str, int], list[str]] = {}
    ranges: dict[tuple[int | str, int], list[str]] = {}
    for ending, found in sorted(pages().items(), key=_rank):
        if not found.front.statuses:
            exact.setdefault(found.codes(), []).append(ending)
        for status in found.statuses():
            ranges.setdefault(found.codes(status), []).append(ending)
    both = ranges | exact
    for ending, found in pages().items():
        for pair in HUNG_UP if found.front.hung_up else ():
            both.setdefault(pair, []).append(ending)
        for event in found.front.events:
            both.setdefault((event, found.front.code), []).append(ending)
    return both


def _rank(item: tuple[str, Page]) -> tuple[int, bool, str]:
    ending, found = item
    return len(found.statuses()), found.front.basis == "assumed", ending


def read_page(ending: str, text: str) -> Page:
    """Read one page; PageError says what is wrong with it."""
    opening, _, rest = text.partition("+++\n")
    matter, fence, body = rest.partition("\n+++\n")
    if opening or not fence:
        raise PageError(f"{ending}.md: write the front matter between two lines of +++, at the very top")
    try:
        front = msgspec.convert(tomllib.loads(matter), Front)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PageError(f"{ending}.md, front matter: {error}") from None
    sections = _sections(ending, body)
    blocks = {name: _block(ending, body, name) for name in BLOCKS}
    return Page(id=ending, front=front, sections=sections, text=body.strip(), **blocks)


def _sections(ending: str, body: str) -> dict[str, str]:
    prose = body.split("```", 1)[0]
    found: dict[str, str] = {}
    for part in prose.split("\n## ")[1:]:
        heading, _, text = part.partition("\n")
        found[heading.strip()] = text.strip()
    if tuple(found) != SECTIONS:
        wrong = [name for name in SECTIONS if name not in found] or list(found)
        raise PageError(
            f"{ending}.md: expected the sections {', '.join(SECTIONS)}; look at {', '.join(wrong)}"
        )
    return found


def _block(ending: str, body: str, name: str) -> str:
    start = body.find(f"```{name}\n")
    end = body.find("```", start + 3)
    if start < 0 or end < 0:
        raise PageError(f"{ending}.md: no ```{name} block")
    return body[start + len(name) + 4 : end]
