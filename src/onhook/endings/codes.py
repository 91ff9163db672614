"""The code tables: what is published of every (code, subcode), SIP status and Q.850 cause.

A code alone and a subcode alone are both ambiguous; the pair is the key. Code 0 (Calling SDK, logs)
and code 200 (Call Automation events, Graph) mean the same ending: a pair asked for with one finds the
rows of the other too. Tables are read on first use and kept.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Literal, TypeAlias

import msgspec

from onhook.endings.tables import read_table

Family: TypeAlias = Literal["calling-server", "calling-client", "call-automation", "pstn"]
Basis: TypeAlias = Literal["documented", "published-in-query", "inferred", "none"]
"""Where a category or advice comes from: a Microsoft page; the SubCodesMapping table inside a query
that Microsoft publishes; our own inference; nowhere (the text is then empty)."""

Pair: TypeAlias = tuple[int | None, int | None]

CACHED_PAIRS = 4096

_FAMILY_RANK = {"pstn": 0, "calling-server": 1, "calling-client": 2, "call-automation": 3}


class CodeRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of the catalogue. `code` or `subcode` is None where the source gives only the other.

    `origin` is "seed" for rows of the page of 2023-11-24 and "newer" for rows of any later source.
    `note` may hold `event=Name` for rows that belong to one callback event. Text is empty, and its
    basis "none", where the sources leave it empty.
    """

    family: Family
    code: int | None
    subcode: int | None
    direction: Literal["inbound", "outbound", ""]
    origin_of_response: Literal["client", "service", "sbc"]
    category: str
    category_basis: Basis
    name: str
    meaning: str
    advice: str
    advice_basis: Basis
    sip: str
    source: str
    origin: Literal["seed", "newer"]
    note: str

    @property
    def basis(self) -> Basis:
        """Where the row as a whole comes from: a page if one of its sources is, else the published query."""
        kinds = source_kinds()
        told = {kinds.get(citation, "documented") for citation in self.source.split("; ")}
        return "documented" if "documented" in told else "published-in-query"

    @property
    def events(self) -> tuple[str, ...]:
        """Callback events that carry this row, e.g. ("PlayFailed",); empty for most rows."""
        _, marker, names = self.note.partition("event=")
        return tuple(names.replace(" or ", "/").replace(" ", "").split("/")) if marker else ()


class Category(msgspec.Struct, frozen=True, gc=False):
    """`why` says which rule or row gave the category, and names rows that disagree."""

    name: str
    basis: Basis
    why: str


class SipStatus(msgspec.Struct, frozen=True, gc=False):
    status: int
    phrase: str
    rfc: int
    q850: int | None


class Q850Cause(msgspec.Struct, frozen=True, gc=False):
    """`sip_status_user` is the status where the location is the user and it differs."""

    cause: int
    name: str
    sip_status: int | None
    sip_status_user: int | None


class Alias(msgspec.Struct, frozen=True, gc=False):
    """A pair as printed somewhere, and the pair to read instead. Never emitted."""

    printed: tuple[int, int]
    read_as: tuple[int, int]
    why: str


class CategoryRule(msgspec.Struct, frozen=True, gc=False):
    """A rule for what the sources leave empty: a pair, a range of subcodes, or a range of codes."""

    of: Literal["pair", "subcode", "code"]
    first: int
    last: int
    code: int | None
    category: str
    basis: Basis
    why: str


def _number(text: str) -> int | None:
    return int(text) if text else None


@cache
def rows() -> tuple[CodeRow, ...]:
    """Every row of the catalogue, in file order."""
    made: list[CodeRow] = []
    for line in read_table("catalogue"):
        values: dict[str, object] = dict(line)
        values["code"] = _number(line["code"])
        values["subcode"] = _number(line["subcode"])
        for field in ("category_basis", "advice_basis"):
            values[field] = line[field] or "none"
        made.append(msgspec.convert(values, CodeRow))
    return tuple(made)


def _ordered(found: Iterable[CodeRow], code: int | None) -> tuple[CodeRow, ...]:
    """Best first: the code as asked, rows that say more than a name, newer sources, rows with a category."""

    def rank(row: CodeRow) -> tuple[bool, bool, bool, bool, bool, int]:
        bare = not row.advice and not row.category
        other = row.code is None or (code is not None and row.code != code)
        return (
            other,
            row.code == 200,
            bare,
            row.origin == "seed",
            not row.category,
            _FAMILY_RANK[row.family],
        )

    return tuple(sorted(found, key=rank))


@cache
def _pairs() -> dict[Pair, tuple[CodeRow, ...]]:
    grouped: dict[Pair, list[CodeRow]] = defaultdict(list)
    for row in rows():
        grouped[row.code, row.subcode].append(row)
        if row.code in {0, 200} and row.subcode is not None:
            grouped[200 - row.code, row.subcode].append(row)
    return {pair: _ordered(found, pair[0]) for pair, found in grouped.items()}


@cache
def _best() -> dict[Pair, CodeRow]:
    return {pair: found[0] for pair, found in _pairs().items()}


@cache
def _subcodes() -> dict[int, tuple[CodeRow, ...]]:
    grouped: dict[int, list[CodeRow]] = defaultdict(list)
    for row in rows():
        if row.subcode is not None:
            grouped[row.subcode].append(row)
    return {subcode: _ordered(found, None) for subcode, found in grouped.items()}


@cache
def _codes() -> dict[int, tuple[CodeRow, ...]]:
    grouped: dict[int, list[CodeRow]] = defaultdict(list)
    for row in rows():
        if row.code is not None:
            grouped[row.code].append(row)
    return {code: tuple(found) for code, found in grouped.items()}


def find(code: int | None, subcode: int | None) -> CodeRow | None:
    """The best row for exactly this pair, or None. `find(403, None)` finds the row of a code alone."""
    return _best().get((code, subcode))


def find_all(code: int | None, subcode: int | None) -> tuple[CodeRow, ...]:
    """Every row for exactly this pair (0 and 200 count as one code), best first."""
    return _pairs().get((code, subcode), ())


def by_subcode(subcode: int) -> tuple[CodeRow, ...]:
    """Every row with this subcode, whatever its code, best first; rows without a code come last."""
    return _subcodes().get(subcode, ())


def by_code(code: int) -> tuple[CodeRow, ...]:
    """Every row with this code, in file order; those without a subcode are the lines for the code alone."""
    return _codes().get(code, ())


def known_subcodes() -> frozenset[int]:
    return frozenset(_subcodes())


@cache
def aliases() -> tuple[Alias, ...]:
    return tuple(
        Alias(
            (int(line["printed_code"]), int(line["printed"])),
            (int(line["read_code"]), int(line["read_as"])),
            line["why"],
        )
        for line in read_table("aliases")
        if line["kind"] == "subcode"
    )


@cache
def _canonical() -> dict[tuple[int, int], tuple[int, int]]:
    return {alias.printed: alias.read_as for alias in reversed(aliases())}


def canonical(code: int, subcode: int) -> tuple[int, int]:
    """The pair to use in place of a misprint: 497/560487 is 487/560487; others stay as they are."""
    return _canonical().get((code, subcode), (code, subcode))


@cache
def _spellings() -> dict[str, str]:
    return {line["printed"]: line["read_as"] for line in read_table("aliases") if line["kind"] == "category"}


def read_category(text: str) -> str:
    """A category as Microsoft spells it, from text that may hold one of the known misspellings."""
    return _spellings().get(text.strip(), text.strip())


@cache
def second_spellings() -> dict[str, tuple[str, str]]:
    """Categories and codes as some interface or page has them: what to read, and why ("200": "0")."""
    return {
        line["printed"]: (line["read_as"], line["why"])
        for line in read_table("aliases")
        if line["kind"] in {"category", "code"}
    }


@cache
def category_rules() -> tuple[CategoryRule, ...]:
    return tuple(
        msgspec.convert(
            {
                **line,
                "first": int(line["first"]),
                "last": int(line["last"]),
                "code": _number(line["code"]),
            },
            CategoryRule,
        )
        for line in read_table("categories")
    )


@lru_cache(maxsize=CACHED_PAIRS)
def category_of(code: int | None, subcode: int | None) -> Category:
    """The category of a pair, and where it comes from.

    A page that documents it goes before the published query, that before the rules of ours
    (rules for a pair, then for a range of subcodes, then for a range of codes). A misprinted pair
    answers as the pair it stands for.
    """
    if code is not None and subcode is not None:
        code, subcode = canonical(code, subcode)
    elif code is None and subcode is not None:
        return _category_without_code(subcode)
    said = [row for row in find_all(code, subcode) if row.category]
    if said:
        best = min(said, key=lambda row: (row.code != code, row.category_basis != "documented"))
        return Category(best.category, best.category_basis, _why(best, said))
    for rule in category_rules():
        value = code if rule.of == "code" else subcode
        if value is None or not rule.first <= value <= rule.last or rule.code not in {None, code}:
            continue
        return Category(rule.category, rule.basis, rule.why)
    return Category("", "none", "No source names a category and no rule fits.")


def _why(best: CodeRow, said: list[CodeRow]) -> str:
    others = {f"{row.category} for {row.code}/{row.subcode}" for row in said if row.category != best.category}
    disagreement = f"; other rows say {', '.join(sorted(others))}" if others else ""
    return f"{best.source}{disagreement}"


def _category_without_code(subcode: int) -> Category:
    """A subcode alone: the category that its rows agree on."""
    found = [category_of(row.code, subcode) for row in by_subcode(subcode) if row.code is not None]
    found += [
        Category(row.category, row.category_basis, row.source)
        for row in find_all(None, subcode)
        if row.category
    ]
    if not found:
        found = [
            Category(rule.category, rule.basis, rule.why)
            for rule in category_rules()
            if rule.of == "subcode" and rule.first <= subcode <= rule.last
        ]
    if len({category.name for category in found}) == 1:
        return found[0]
    if found:
        names = ", ".join(sorted({category.name for category in found}))
        return Category("", "none", f"It depends on the code: {names}.")
    return Category("", "none", "The source gives no code, and no rule fits a subcode alone.")


@cache
def sip_statuses() -> dict[int, SipStatus]:
    return {
        int(line["status"]): SipStatus(
            int(line["status"]), line["phrase"], int(line["rfc"]), _number(line["q850"])
        )
        for line in read_table("sip_status")
    }


@cache
def q850_causes() -> dict[int, Q850Cause]:
    return {
        int(line["cause"]): Q850Cause(
            int(line["cause"]), line["name"], _number(line["sip_status"]), _number(line["sip_status_user"])
        )
        for line in read_table("q850")
    }


def sip_phrase(status: int) -> str:
    """The reason phrase that the RFC of this SIP status gives it, or ""."""
    known = sip_statuses().get(status)
    return known.phrase if known else ""


def q850_name(cause: int) -> str:
    """The name ITU-T Q.850 gives to `cause`, or ""."""
    known = q850_causes().get(cause)
    return known.name if known else ""


def q850_to_sip(cause: int, *, location_is_user: bool = False) -> int | None:
    """The SIP status for a cause (RFC 3398 section 7.2.4.1), or None where the RFC names none.

    Cause 16 has no status: it becomes BYE or CANCEL. Cause 21 is 603 where the user rejected the call.
    """
    known = q850_causes().get(cause)
    if known is None:
        return None
    return known.sip_status_user if location_is_user and known.sip_status_user else known.sip_status


def sip_to_q850(status: int) -> int | None:
    """The cause for a final SIP status (RFC 3398 section 8.2.6.1), or None where the RFC names none."""
    known = sip_statuses().get(status)
    return known.q850 if known else None


@cache
def source_kinds() -> dict[str, Basis]:
    """What kind of document each citation is."""
    return {line["citation"]: msgspec.convert(line["basis"], Basis) for line in read_table("sources")}


@cache
def documents() -> dict[str, str]:
    """The document behind each citation used in `CodeRow.source`."""
    return {line["citation"]: line["document"] for line in read_table("sources")}
