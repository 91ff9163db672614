"""The code tables: whole, consistent, and honest about what the sources leave empty."""

import csv
from collections import Counter
from importlib import resources

import pytest

from onhook.endings import codes
from onhook.endings.codes import (
    CodeRow,
    aliases,
    by_code,
    by_subcode,
    canonical,
    category_of,
    category_rules,
    documents,
    find,
    find_all,
    known_subcodes,
    q850_causes,
    q850_name,
    q850_to_sip,
    read_category,
    rows,
    sip_phrase,
    sip_statuses,
    sip_to_q850,
)
from onhook.endings.tables import read_table
from onhook.sip.messages import REASONS

TABLES = ("catalogue", "sources", "sip_status", "q850", "categories", "families", "aliases")
CATEGORIES = {"Success", "ExpectedError", "UnexpectedClientError", "UnexpectedServerError"}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_as_many_cells_in_every_row_as_it_has_columns(name: str) -> None:
    text = resources.files("onhook.endings.tables").joinpath(f"{name}.csv").read_text("utf-8")
    lines = list(csv.reader(text.splitlines()))
    assert len(lines) > 1
    assert {len(line) for line in lines} == {len(lines[0])}
    assert all(cell == cell.strip() for line in lines for cell in line)


def test_a_table_that_is_not_there_is_named_in_the_error() -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_table("nothing")


def test_the_catalogue_holds_every_known_row() -> None:
    assert len(rows()) == 861
    assert Counter(row.origin for row in rows()) == {"newer": 814, "seed": 47}
    assert Counter(row.family for row in rows()) == {
        "calling-client": 466,
        "call-automation": 236,
        "calling-server": 87,
        "pstn": 72,
    }


def test_every_row_is_reached_by_its_pair_and_by_its_subcode_or_code() -> None:
    for row in rows():
        assert row in find_all(row.code, row.subcode)
        if row.subcode is not None:
            assert row in by_subcode(row.subcode)
        if row.code is not None:
            assert row in by_code(row.code)
        assert find(row.code, row.subcode) is not None


def test_every_row_has_a_name_a_meaning_and_a_source_that_is_listed() -> None:
    for row in rows():
        assert row.name, row
        assert row.meaning, row
        for citation in row.source.split("; "):
            assert citation in documents(), row
        assert "-" not in {row.category, row.advice, row.sip, row.direction}


def test_a_text_is_empty_exactly_where_its_basis_is_none() -> None:
    for row in rows():
        assert (row.category == "") == (row.category_basis == "none"), row
        assert (row.advice == "") == (row.advice_basis == "none"), row
        assert row.category in CATEGORIES | {""}


def test_sources_are_named_by_document_and_never_by_a_host() -> None:
    for citation, document in documents().items():
        assert document, citation
        assert "://" not in document
        assert any(citation in row.source.split("; ") for row in rows()), citation


def test_numbers_keep_to_their_shapes() -> None:
    for row in rows():
        assert row.code is None or row.code == 0 or 200 <= row.code <= 699, row
        assert row.subcode is None or 0 <= row.subcode <= 999_999, row
        assert row.code is not None or row.subcode is not None, row


# --- pairs ---


def test_the_newer_row_of_a_pair_stands_before_that_of_2023_and_both_are_kept() -> None:
    origins = [row.origin for row in find_all(403, 510403)]
    assert origins == ["newer", "newer", "seed"]
    row = find(403, 510403)
    assert row is not None
    assert row.category == "ExpectedError"


def test_the_row_of_a_phone_leg_stands_before_that_of_an_event() -> None:
    assert [row.family for row in find_all(503, 560503)] == ["pstn", "call-automation", "pstn"]


@pytest.mark.parametrize(
    ("asked", "family"),
    [((0, 7000), "calling-server"), ((200, 7000), "call-automation"), ((200, 560000), "pstn")],
)
def test_code_0_and_code_200_are_one_ending(asked: tuple[int, int], family: str) -> None:
    row = find(*asked)
    assert row is not None
    assert row.family == family
    code, subcode = asked
    assert set(find_all(0, subcode)) == set(find_all(200, subcode))
    assert row.code == code or not any(other.code == code for other in find_all(*asked))


def test_a_subcode_is_not_enough_to_find_a_row() -> None:
    assert {row.code for row in by_subcode(8565)} == {400, 401, 403, 408, 429, None}
    assert {row.code for row in by_subcode(0)} == {0, 200, 408, 487, 603, None}
    found = {code: find(code, 0) for code in (0, 408, 487, 603)}
    assert len({row.name for row in found.values() if row}) == 4


def test_rows_without_a_code_stand_last() -> None:
    assert [row.code for row in by_subcode(7000)] == [0, 200, None]
    assert by_subcode(8565)[-1].code is None


def test_a_line_for_a_code_alone_has_no_subcode() -> None:
    row = find(429, None)
    assert row is not None
    assert row.subcode is None
    assert row.advice_basis == "documented"
    assert row.name == "Too many requests"


@pytest.mark.parametrize("pair", [(486, 1), (999, None), (None, 1), (None, None), (-1, -1), (404, 560403)])
def test_an_unknown_pair_finds_nothing(pair: tuple[int | None, int | None]) -> None:
    assert find(*pair) is None
    assert find_all(*pair) == ()


def test_unknown_numbers_have_no_rows() -> None:
    assert by_subcode(1) == ()
    assert by_code(1) == ()
    assert 560486 in known_subcodes()
    assert 1 not in known_subcodes()


def test_events_are_read_from_the_note() -> None:
    row = find(400, 8535)
    assert row is not None
    assert row.events == ("PlayFailed",)
    names = {event for row in rows() for event in row.events}
    assert {"CallDisconnected", "CreateCallFailed", "RecognizeFailed", "AnswerFailed"} <= names
    assert all(name.isalpha() for name in names), names


def test_a_row_without_an_event_has_none() -> None:
    row = find(486, 560486)
    assert row is not None
    assert row.events == ()


# --- categories ---


@pytest.mark.parametrize(
    ("pair", "category", "basis"),
    [
        ((0, 0), "Success", "documented"),
        ((0, 560000), "Success", "documented"),
        ((486, 560486), "Success", "documented"),
        ((487, 540487), "Success", "documented"),
        ((403, 510403), "ExpectedError", "documented"),
        ((403, 560403), "UnexpectedClientError", "published-in-query"),
        ((404, 560404), "ExpectedError", "published-in-query"),
        ((408, 500001), "ExpectedError", "published-in-query"),
        ((480, 560480), "UnexpectedServerError", "published-in-query"),
        ((503, 560503), "UnexpectedServerError", "published-in-query"),
        ((400, 580040), "ExpectedError", "published-in-query"),
        ((500, 40113), "ExpectedError", "published-in-query"),
        ((400, 41016), "UnexpectedClientError", "documented"),
        ((487, 560487), "Success", "inferred"),
        ((486, 540486), "Success", "inferred"),
        ((600, 560600), "Success", "inferred"),
        ((408, 560408), "ExpectedError", "inferred"),
        ((484, 560484), "ExpectedError", "inferred"),
        ((603, 560603), "ExpectedError", "inferred"),
        ((500, 560500), "UnexpectedServerError", "inferred"),
        ((410, 531004), "UnexpectedClientError", "inferred"),
        ((403, 511532), "ExpectedError", "inferred"),
        ((404, 511404), "ExpectedError", "inferred"),
        ((504, 569002), "UnexpectedServerError", "inferred"),
        ((504, 549002), "UnexpectedServerError", "inferred"),
        ((400, 560400), "UnexpectedClientError", "inferred"),
        ((502, 560502), "UnexpectedServerError", "inferred"),
        ((606, 560606), "ExpectedError", "inferred"),
        ((200, 99), "Success", "inferred"),
        ((None, 531123), "UnexpectedClientError", "inferred"),
        ((None, 7509), "", "none"),
        ((999, 1), "", "none"),
        ((None, None), "", "none"),
    ],
)
def test_a_category_and_where_it_comes_from(
    pair: tuple[int | None, int | None], category: str, basis: str
) -> None:
    found = category_of(*pair)
    assert (found.name, found.basis) == (category, basis)
    assert found.why


def test_a_misprinted_pair_has_the_category_of_the_right_one() -> None:
    assert category_of(486, 60486) == category_of(486, 560486)
    assert category_of(497, 560487) == category_of(487, 560487)


def test_a_category_that_sources_dispute_names_the_other_side() -> None:
    logs, event = category_of(0, 4521), category_of(200, 4521)
    assert (logs.name, event.name) == ("ExpectedError", "Success")
    assert "Success for 200/4521" in logs.why
    assert "ExpectedError for 0/4521" in event.why


def test_a_subcode_without_code_has_the_category_that_its_rows_share() -> None:
    assert category_of(None, 7000).name == "Success"
    disputed = category_of(None, 8522)
    assert disputed.name == "UnexpectedClientError"
    depends = category_of(None, 0)
    assert depends.basis == "none"
    assert "depends on the code" in depends.why


def test_every_row_with_a_code_has_a_category_or_says_why_not() -> None:
    for row in rows():
        found = category_of(row.code, row.subcode)
        assert found.name in CATEGORIES | {""}
        if row.code is not None:
            assert found.name, row


def test_category_rules_give_only_the_four_categories_and_say_inferred() -> None:
    for rule in category_rules():
        assert rule.category in CATEGORIES
        assert rule.basis == "inferred"
        assert rule.first <= rule.last
        assert (rule.code is not None) == (rule.of == "pair")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("UnxpectedClientError", "UnexpectedClientError"),
        (" ExpectedError ", "ExpectedError"),
        ("Failure", "Failure"),
        ("Success", "Success"),
        ("", ""),
        ("Odd", "Odd"),
    ],
)
def test_misspelt_categories_are_read(text: str, read: str) -> None:
    assert read_category(text) == read


# --- misprints ---


@pytest.mark.parametrize(
    ("printed", "right"),
    [
        ((486, 60486), (486, 560486)),
        ((497, 560487), (487, 560487)),
        ((500, 511404), (404, 511404)),
        ((400, 44214), (400, 40214)),
        ((415, 510415), (415, 540415)),
        ((486, 560486), (486, 560486)),
        ((1, 2), (1, 2)),
    ],
)
def test_a_misprint_is_read_as_the_right_pair(printed: tuple[int, int], right: tuple[int, int]) -> None:
    assert canonical(*printed) == right
    assert canonical(*right) == right


def test_what_a_misprint_is_read_as_is_listed_and_is_no_misprint_itself() -> None:
    printed = {alias.printed for alias in aliases()}
    for alias in aliases():
        assert find(*alias.read_as) is not None, alias
        assert alias.read_as not in printed
        assert alias.why


# --- SIP and Q.850 ---


def test_sip_phrases_are_those_of_the_sip_stack() -> None:
    for status, phrase in REASONS.items():
        assert sip_phrase(status) == phrase, status


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(486, "Busy Here"), (504, "Server Time-out"), (608, "Rejected"), (699, ""), (0, "")],
)
def test_sip_phrases(status: int, phrase: str) -> None:
    assert sip_phrase(status) == phrase


def test_every_status_has_a_phrase_an_rfc_and_a_cause_that_exists() -> None:
    for status, known in sip_statuses().items():
        assert 100 <= status <= 699
        assert known.phrase
        assert known.rfc >= 3261
        assert known.q850 is None or known.q850 in q850_causes()


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (1, 404), (2, 404), (3, 404), (17, 486), (18, 408), (19, 480), (20, 480), (21, 403), (22,
        410), (26, 404),
        (27, 502), (28, 484), (29, 501), (31, 480), (34, 503), (38, 503), (41, 503), (42, 503),
        (47, 503), (55, 403),
        (57, 403), (58, 503), (65, 488), (70, 488), (79, 501), (87, 403), (88, 503), (102, 504), (111, 500),
        (127, 500), (16, None), (44, None), (128, None), (-1, None),
    ],
)  # fmt: skip
def test_causes_become_statuses_as_rfc_3398_says(cause: int, status: int | None) -> None:
    assert q850_to_sip(cause) == status


def test_a_call_rejected_by_the_user_is_a_decline() -> None:
    assert q850_to_sip(21, location_is_user=True) == 603
    assert q850_to_sip(17, location_is_user=True) == 486


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (404, 1), (403, 21), (408, 102), (410, 22), (480, 18), (484, 28), (486, 17), (500, 41),
        (502, 38), (503, 41),
        (504, 102), (600, 17), (603, 21), (604, 1), (487, None), (200, None), (999, None),
    ],
)  # fmt: skip
def test_statuses_become_causes_as_rfc_3398_says(status: int, cause: int | None) -> None:
    assert sip_to_q850(status) == cause


def test_causes_are_named() -> None:
    assert q850_name(16) == "Normal call clearing"
    assert q850_name(17) == "User busy"
    assert q850_name(128) == ""
    assert all(known.name and 1 <= cause <= 127 for cause, known in q850_causes().items())
    assert all(known.sip_status is None or sip_phrase(known.sip_status) for known in q850_causes().values())


# --- reading ---


def test_tables_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = rows()

    def refuse(name: str) -> list[dict[str, str]]:
        raise AssertionError(f"{name} was read again")

    monkeypatch.setattr(codes, "read_table", refuse)
    assert rows() is first
    assert isinstance(find(486, 560486), CodeRow)
