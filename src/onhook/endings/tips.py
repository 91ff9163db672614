"""The tips and known issues of Microsoft's troubleshooting pages, as rules that name their tip.

A tip is checked in one or more ways: an ending shows it (a rule of `judge` or of an operation), a check of
facts does (tip_checks.py), or the server holds it where it takes requests (`enforced` is the module). A tip
that nothing can check says why. Tips also stand beside the codes that they go with.
"""

import re
from functools import cache
from typing import Literal

import msgspec

from onhook.endings.tables import read_table

_RANGE = re.compile(r"([0-9]{3})xxx")


class Tip(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is letter and number; `origin` is "page" for the page of 2023-11-24, else "newer".

    `pairs` are codes as "486/560486", "560486" or "560xxx"; `endings` ids of pages, `facts` a check's name.
    """

    id: str
    origin: Literal["page", "newer"]
    title: str
    pairs: tuple[str, ...]
    endings: tuple[str, ...]
    facts: str
    enforced: str
    unchecked: str
    tell: str

    def goes_with(self, code: int | None, subcode: int) -> bool:
        """Does it stand beside this pair? 200 counts as 0; `code` None is any code."""
        codes = {"0", "200"} if code in {0, 200} else {str(code)}
        for pair in self.pairs:
            first, _, last = pair.rpartition("/")
            if (not first or code is None or first in codes) and _fits(last, subcode):
                return True
        return False


def _fits(text: str, subcode: int) -> bool:
    within = _RANGE.fullmatch(text)
    return subcode // 1000 == int(within[1]) if within else text == str(subcode)


@cache
def tips() -> dict[str, Tip]:
    """Every tip by its id, in the order of the pages."""
    return {
        line["id"]: msgspec.convert(
            {**line, "pairs": line["pairs"].split(), "endings": line["endings"].split()}, Tip
        )
        for line in read_table("tips")
    }


def tips_for(code: int | None, subcode: int) -> list[Tip]:
    """The tips that stand beside a pair."""
    return [tip for tip in tips().values() if tip.goes_with(code, subcode)]
