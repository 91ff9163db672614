"""docs/reference/signals-and-tips.md: what stands beside the codes, from the tables of endings."""

from collections.abc import Iterable, Sequence

from onhook.endings.beside import disputes, reports, signal_rules
from onhook.endings.codes import category_of
from onhook.endings.match import pair_text
from onhook.endings.question_errors import faults
from onhook.endings.tips import Tip, tips

PAGES = "../../src/onhook/endings/pages"

HEAD = """\
# Signals and tips

What stands behind and beside the [codes](codes.md). `onhook why` tells all of it where it fits.
"""

SIGNALS = """
## From the wire to the code

Which pair stands for what happened. Outbound is a call from the service to a telephone. The basis is that of
the pairing; the category of a pair comes from the tables of codes.
"""

TIPS = """
## Tips

The tips and known issues of Microsoft's troubleshooting pages, as rules. A tip is checked by the ending that
shows it, by facts of the call, or by the server where it takes requests; one that nothing can check says why.
"""

DISPUTES = """
## Where the documents disagree

Both sides are kept.
"""

REPORTS = """
## Codes that misled people

Public reports in which the code pointed at the wrong cause.
"""

FAULTS = """
## When an SDK gets no answer

What `onhook why` reads out of an exception that has no code in it.
"""


def signals_and_tips() -> str:
    """The page in Markdown; the five tables of it."""
    return "".join((HEAD, *_signals(), *_tips(), *_disputes(), *_reports(), *_faults()))


def _table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"\n| {' | '.join(headings)} |\n|{'---|' * len(headings)}\n"
    for line in lines:
        cells = (text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ") for text in line)
        yield f"| {' | '.join(cells)} |\n"


def _ending(ending: str) -> str:
    return f"[{ending}]({PAGES}/{ending}.md)"


def _signals() -> Iterable[str]:
    yield SIGNALS
    yield from _table(
        ("Signal", "Leg", "Q.850", "Code/subcode", "Category", "Basis", "Endings"),
        (
            (
                each.signal,
                each.leg,
                "" if each.cause is None else str(each.cause),
                f"{each.code}/{each.subcode}",
                category_of(each.code, each.subcode).name,
                each.basis,
                ", ".join(map(_ending, each.endings)) or "–",
            )
            for each in signal_rules()
        ),
    )


def _tips() -> Iterable[str]:
    yield TIPS
    yield from _table(
        ("Tip", "Title", "What to do", "Codes", "Checked by"),
        (
            (tip.id, tip.title, tip.tell, ", ".join(tip.pairs) or "–", _checked(tip))
            for tip in tips().values()
        ),
    )


def _checked(tip: Tip) -> str:
    ways = [", ".join(map(_ending, tip.endings))] if tip.endings else []
    ways += [f"facts: {tip.facts.replace('_', ' ')}"] if tip.facts else []
    ways += [f"the server: `{tip.enforced}`"] if tip.enforced else []
    return "; ".join(ways) or f"nothing: {tip.unchecked}"


def _disputes() -> Iterable[str]:
    yield DISPUTES
    yield from _table(
        ("Code/subcode", "Dispute", "Documents"),
        (
            (
                pair_text(each.code, each.first)
                if each.first == each.last
                else f"subcodes {each.first} to {each.last}",
                each.says,
                each.sources,
            )
            for each in disputes()
        ),
    )


def _reports() -> Iterable[str]:
    yield REPORTS
    yield from _table(
        ("Code/subcode", "Printed", "In truth", "Look at", "Report"),
        (
            (
                pair_text(each.code, each.subcode)
                if each.subcode is not None
                else f"SIP {each.sip_status}, Q.850 cause {each.q850}",
                each.printed,
                each.cause,
                each.check,
                each.source,
            )
            for each in reports()
        ),
    )


def _faults() -> Iterable[str]:
    yield FAULTS
    yield from _table(
        ("Name", "Side", "Meaning", "What to do", "Basis"),
        ((each.name, each.side, each.meaning, each.advice, each.basis) for each in faults().values()),
    )
