"""How far each published code is explained: by a page, by its row, or by no more than what it means.

No code is forgotten: each row of the catalogue is on one of the three levels, and those on the last are
listed in docs/reference/unexplained.md, so that a code that nobody can act on is at least counted.
"""

from collections import Counter
from typing import Literal, TypeAlias

from onhook.endings.codes import CodeRow, rows
from onhook.endings.match import pair_text
from onhook.endings.pages import pages_by_codes

Level: TypeAlias = Literal["page", "advice", "meaning"]
LEVELS: dict[Level, str] = {
    "page": "an ending's page stands for it",
    "advice": "its row says what it means and what to do",
    "meaning": "its row says what it means, and no source what to do",
}


def level_of(row: CodeRow) -> Level:
    """How far a row is explained."""
    by_codes = pages_by_codes()
    code, subcode = row.code, row.subcode
    if code is not None and subcode is not None:
        same = {code, 0} if code == 200 else {code}
        if any((each, subcode) in by_codes for each in same):
            return "page"
    if code is not None and any((event, code) in by_codes for event in row.events):
        return "page"
    return "advice" if row.advice else "meaning"


def unexplained() -> list[CodeRow]:
    """Rows that say no more than what they mean, in file order."""
    return [row for row in rows() if level_of(row) == "meaning"]


def unexplained_markdown() -> str:
    """What docs/reference/unexplained.md says."""
    counted = Counter(map(level_of, rows()))
    lines = [f"| {words} | {counted[level]} |" for level, words in LEVELS.items()]
    listed = [
        f"| {pair_text(row.code, row.subcode)} | {row.name} | {row.meaning} | {row.source} |".replace(
            "\n", " "
        )
        for row in unexplained()
    ]
    return UNEXPLAINED.format(
        total=len(rows()), levels="\n".join(lines), count=len(listed), listed="\n".join(listed)
    )


UNEXPLAINED = """\
# Unexplained codes

How far the {total} published rows are explained. `onhook why` knows each of them.

| | Rows |
|---|---|
{levels}

## What no source says what to do about

These {count} are named and described, without advice: nothing better than a guess is known.

| Code/subcode | Name | Meaning | Source |
|---|---|---|---|
{listed}
"""
