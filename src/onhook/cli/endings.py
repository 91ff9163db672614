"""`onhook endings`: list, search and show the pages of endings."""

import difflib
from collections.abc import Iterable
from typing import get_args

from onhook.cli import colours
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import print_json, print_table, say
from onhook.endings.pages import Fault, Page, pages
from onhook.endings.shelf import codes_text, detail_of, page_text, search_pages, summary_of

HEADINGS = ("ending", "codes", "name", "fault", "basis")
MAX_SUGGESTIONS = 3


def list_all(fault: str | None, *, json: bool) -> int:
    """Every page, or those of one side's fault."""
    if fault is not None and fault not in get_args(Fault):
        raise CommandError(f"fault {fault[:40]!r} is none of {', '.join(get_args(Fault))}.", Exit.USAGE)
    found = [page for page in pages().values() if fault in {None, page.front.fault}]
    if json:
        print_json({"endings": [summary_of(page) for page in found]})
    else:
        _table(found)
    return Exit.DONE


def search(text: str, *, json: bool) -> int:
    """Pages that fit, best first; status 1 if none does."""
    found = search_pages(text)
    if json:
        endings = [summary_of(hit.page) | {"how_found": hit.how} for hit in found.hits]
        print_json({"query": text, "endings": endings, "suggestions": found.suggestions})
    elif found.hits:
        _table(hit.page for hit in found.hits)
    else:
        say(f"No ending fits {text[:80]!r}.{_did_you_mean(found.suggestions)}")
    return Exit.DONE if found.hits else Exit.NO


def show(ending: str, form: str) -> int:
    """One page; `form` is text, markdown or json."""
    page = pages().get(ending.lower())
    if page is None:
        near = difflib.get_close_matches(ending.lower(), pages(), MAX_SUGGESTIONS)
        more = _did_you_mean(near) or " `onhook endings list` lists them."
        raise CommandError(f"no ending is called {ending[:80]}.{more}", Exit.NO)
    if form == "json":
        print_json(detail_of(page))
    elif form == "markdown":
        say(page.text)
    else:
        text = page_text(page).rstrip("\n")
        say(colours.painted(text) if colours.wanted() else text)
    return Exit.DONE


def _did_you_mean(near: Iterable[str]) -> str:
    told = ", ".join(near)
    return f" Did you mean {told}?" if told else ""


def _table(found: Iterable[Page]) -> None:
    lines = [
        (page.id, codes_text(page), page.front.name, page.front.fault, page.front.basis) for page in found
    ]
    print_table(HEADINGS, lines)
