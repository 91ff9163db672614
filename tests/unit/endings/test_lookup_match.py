"""One match: what its row says, how its gaps are filled, and what is marked as inferred."""

import pytest

from onhook.endings.codes import CodeRow, aliases, by_subcode, find, find_all, rows
from onhook.endings.grammar import decode
from onhook.endings.match import Match, Pages, from_code, from_decoded, from_row, pair_text

PAGES: Pages = {
    (486, 560486): ["callee-busy"],
    (0, 7000): ["ended-by-app", "ended-by-bot"],
    (487, 560487): ["cancelled"],
    (502, 560502): ["trunk-server-error"],
}


def row_of(code: int | None, subcode: int | None, family: str = "") -> CodeRow:
    return next(row for row in find_all(code, subcode) if family in {"", row.family})


def match_of(row: CodeRow) -> Match:
    return from_row(row, how="test", confidence="high", pages={})


def seed_row(code: int, subcode: int | None) -> CodeRow:
    return next(row for row in find_all(code, subcode) if row.origin == "seed")


@pytest.mark.parametrize(
    ("pair", "text"),
    [((486, 560486), "486/560486"), ((486, None), "code 486"), ((None, 7000), "subcode 7000")],
)
def test_a_pair_is_written_in_one_way(pair: tuple[int | None, int | None], text: str) -> None:
    assert pair_text(*pair) == text


def test_a_row_keeps_what_it_says() -> None:
    row = row_of(486, 560486)
    match = match_of(row)
    assert (match.name, match.meaning, match.sip, match.source) == (
        row.name,
        row.meaning,
        row.sip,
        row.source,
    )
    assert (match.note, match.origin, match.family) == (row.note, row.origin, row.family)
    assert match.layer == "outbound leg (service to SBC)"
    assert match.decided_by == "SBC or operator"
    assert match.direction == "outbound"


def test_a_row_that_says_everything_has_no_gaps() -> None:
    match = match_of(row_of(486, 560486))
    assert match.gaps == ()
    assert (match.category_basis, match.advice_basis) == ("documented", "documented")


# --- categories ---


def test_an_empty_category_comes_from_a_newer_row_and_says_which() -> None:
    match = match_of(seed_row(403, 510403))
    assert (match.category, match.category_basis) == ("ExpectedError", "documented")
    assert match.gaps[0].startswith("This source leaves the category empty; ExpectedError is from ACS")


def test_an_empty_category_that_the_query_publishes_says_so() -> None:
    match = match_of(seed_row(480, 560480))
    assert (match.category, match.category_basis) == ("UnexpectedServerError", "published-in-query")
    assert "SubCodesMapping" in match.gaps[0]


def test_a_category_that_no_source_gives_is_inferred_and_says_why() -> None:
    match = match_of(seed_row(603, 560603))
    assert (match.category, match.category_basis) == ("ExpectedError", "inferred")
    assert match.gaps[0].startswith("The sources leave the category empty; ExpectedError is inferred.")


def test_a_category_that_nothing_tells_stays_empty() -> None:
    match = match_of(row_of(None, 7509))
    assert (match.category, match.category_basis) == ("", "none")
    assert match.gaps[0].startswith("The sources leave the category empty.")


# --- advice ---


def test_advice_that_the_source_lacks_is_marked_as_ours() -> None:
    match = match_of(seed_row(0, 560000))
    assert match.advice == "Nothing to do."
    assert match.advice_basis == "inferred"
    assert "The source gives no advice; this one is inferred." in match.gaps


def test_advice_is_borrowed_from_a_sister_row_that_documents_it() -> None:
    match = match_of(row_of(None, 7507))
    assert match.advice == row_of(403, 7507).advice
    assert match.advice_basis == "documented"
    assert "This source gives no advice; this one is that of 403/7507." in match.gaps


def test_advice_of_a_generic_code_line_is_borrowed_from_the_line_of_2023() -> None:
    generic = next(row for row in find_all(429, None) if row.origin == "newer")
    assert generic.advice == ""
    match = match_of(generic)
    assert "Retry-After" in match.advice
    assert match.advice_basis == "documented"


def test_advice_of_the_family_is_the_last_resort() -> None:
    match = match_of(row_of(None, 7509))
    assert "clock" in match.advice
    assert match.advice_basis == "inferred"


def test_every_row_gets_advice_and_says_so_when_it_is_ours() -> None:
    for row in rows():
        match = match_of(row)
        assert match.advice, row
        assert (match.advice_basis == "inferred") == any(
            "advice; this one is inferred" in gap for gap in match.gaps
        )


def test_every_row_says_when_its_category_is_not_its_own() -> None:
    for row in rows():
        match = match_of(row)
        assert bool(row.category) != any("category" in gap for gap in match.gaps), row


# --- misprints and confidence ---


def test_a_misprint_names_the_right_pairs_and_is_trusted_less() -> None:
    match = match_of(seed_row(486, 60486))
    assert match.read_as == "486/560486 or 486/540486"
    assert match.confidence == "medium"
    assert match_of(seed_row(497, 560487)).read_as == "487/560487"


def test_only_misprints_are_read_as_something_else() -> None:
    printed = {alias.printed for alias in aliases()}
    for row in rows():
        assert bool(match_of(row).read_as) == ((row.code, row.subcode) in printed), row


def test_how_it_was_found_and_how_far_to_trust_it_are_the_callers() -> None:
    match = from_row(row_of(486, 560486), how="a guess", confidence="low", pages={})
    assert (match.how_found, match.confidence) == ("a guess", "low")


# --- pages ---


@pytest.mark.parametrize(
    ("row", "ending"),
    [
        ((486, 560486), ("callee-busy",)),
        ((0, 7000), ("ended-by-app", "ended-by-bot")),
        ((200, 7000), ("ended-by-app", "ended-by-bot")),
        ((497, 560487), ("cancelled",)),
        ((486, 60486), ("callee-busy",)),
        ((480, 560480), ()),
        ((603, None), ()),
        ((None, 7000), ("ended-by-app", "ended-by-bot")),
    ],
)
def test_pages_are_found_by_the_right_pair(
    row: tuple[int | None, int | None], ending: tuple[str, ...]
) -> None:
    listed = find(*row) if row[0] != 497 else seed_row(497, 560487)
    assert listed is not None
    assert from_row(listed, how="", confidence="high", pages=PAGES).ending == ending


# --- what no table lists ---


def test_a_decoded_subcode_says_that_only_its_digits_were_read() -> None:
    match = from_decoded(decode(560502), how="", pages=PAGES)
    assert match.name == "Bad Gateway, outbound leg"
    assert (match.code, match.subcode, match.sip) == (502, 560502, "502 Bad Gateway")
    assert match.how_found == "six-digit family"
    assert match.origin == "grammar"
    assert match.ending == ("trunk-server-error",)
    assert "digits alone" in match.gaps[0]
    assert "UnexpectedServerError is inferred" in match.gaps[1]


def test_a_decoded_subcode_keeps_the_code_that_came_with_it() -> None:
    match = from_decoded(decode(560502, 503), how="", pages={})
    assert match.code == 503
    assert "Code 503 does not fit" in match.note


def test_a_family_without_a_status_is_named_by_its_layer() -> None:
    match = from_decoded(decode(531123), how="", pages={})
    assert match.name == "Not listed, media processor towards the SBC"
    assert match.code is None
    assert match.sip == ""


def test_an_unknown_subcode_is_not_dressed_up() -> None:
    match = from_decoded(decode(123456), how="", pages={})
    assert match.name == "Not known"
    assert match.source == "none"
    assert match.confidence == "low"


def test_a_code_that_no_row_has_is_told_by_its_class() -> None:
    assert not by_subcode(505)
    match = from_code(505, how="class of the code", sip="505 Version Not Supported")
    assert match is not None
    assert (match.name, match.category, match.confidence) == (
        "Version Not Supported",
        "UnexpectedServerError",
        "low",
    )
    assert match.sip == "505 Version Not Supported"


def test_a_code_of_no_rfc_is_named_by_its_class() -> None:
    match = from_code(599, how="")
    assert match is not None
    assert match.name == "Not listed, code class"


def test_a_number_that_is_no_code_has_no_class() -> None:
    assert from_code(700, how="") is None
    assert from_code(150, how="") is None
