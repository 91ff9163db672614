"""The tables against each other and against the rules that the sources state."""

import re

import pytest

from onhook.endings.codes import (
    aliases,
    by_subcode,
    category_of,
    find_all,
    q850_to_sip,
    read_category,
    rows,
    sip_phrase,
    sip_statuses,
    sip_to_q850,
)
from onhook.endings.grammar import decode, family_of

PRINTED = {alias.printed for alias in aliases()}


def test_the_last_digits_of_a_leg_are_its_code_but_for_the_known_exceptions() -> None:
    """Documented on the PSTN page; 487/540200 and 503/540998 are real, the rest are misprints."""
    odd = {
        (row.code, row.subcode)
        for row in rows()
        if row.subcode is not None
        and row.subcode // 1000 in {540, 560}
        and row.code not in {row.subcode % 1000, None}
    }
    assert odd == {(497, 560487), (487, 540200), (503, 540998)}


def test_delivery_failures_always_have_code_504() -> None:
    failures = [row for row in rows() if row.subcode is not None and row.subcode // 1000 in {549, 569}]
    assert len(failures) == 9
    assert {row.code for row in failures} == {504}


def test_the_direction_of_a_row_is_that_of_its_family() -> None:
    for row in rows():
        family = family_of(row.subcode) if row.subcode is not None else None
        if family and family.direction and row.family == "pstn" and (row.code, row.subcode) not in PRINTED:
            assert row.direction == family.direction, row


def test_an_outbound_status_is_the_sbcs() -> None:
    for row in rows():
        if row.subcode is not None and row.subcode // 1000 == 560 and row.family == "pstn":
            assert row.origin_of_response == "sbc", row


def test_sip_texts_of_trunk_rows_name_the_status_and_the_cause_of_rfc_3398() -> None:
    checked = 0
    for row in rows():
        named = re.match(r"([3-6][0-9]{2}) ([A-Z][^;]+)", row.sip)
        if row.family != "pstn" or not named:
            continue
        status = int(named[1])
        assert row.code == status, row
        assert named[2] == sip_phrase(status), row
        for cause in re.findall(r"Q\.850 ([0-9/]+)", row.sip):
            checked += 1
            for one in map(int, cause.split("/")):
                assert status in {q850_to_sip(one), q850_to_sip(one, location_is_user=True)} or (
                    sip_to_q850(status) == one
                ), row
    assert checked >= 8


def test_a_success_is_coded_as_one_or_as_a_call_that_never_stood() -> None:
    for row in rows():
        if row.category == "Success" and row.code is not None:
            assert row.code in {0, 200, 486, 487, 603}, row


def test_rows_of_one_pair_agree_on_the_category_but_for_the_closed_tab() -> None:
    disputed = {
        (row.code, row.subcode)
        for row in rows()
        if row.code is not None
        and len({other.category for other in find_all(row.code, row.subcode) if other.category}) > 1
    }
    assert disputed == {(0, 4521), (200, 4521)}


def test_errors_of_the_calling_sdk_lie_in_its_range_and_have_a_category() -> None:
    for row in rows():
        if row.family == "calling-client":
            assert row.subcode is not None
            assert 40000 <= row.subcode <= 46299
            assert row.category in {"ExpectedError", "UnexpectedClientError", "UnexpectedServerError"}


@pytest.mark.parametrize("pair", [(500, 40113), (500, 41000), (400, 41016)])
def test_the_category_is_read_from_the_table_and_not_from_the_code(pair: tuple[int, int]) -> None:
    code, subcode = pair
    by_class = "UnexpectedServerError" if code == 500 else "ExpectedError"
    assert category_of(code, subcode).name != by_class
    assert category_of(code, subcode).basis != "inferred"


def test_every_final_status_of_rfc_3261_that_fails_a_call_has_a_cause_or_is_listed_here() -> None:
    without = {
        status
        for status, known in sip_statuses().items()
        if status >= 400 and known.rfc == 3261 and known.q850 is None
    }
    assert without == {487, 488, 491, 493, 606}


def test_notes_speak_of_misprints_only_where_a_misprint_is_listed() -> None:
    for row in rows():
        if row.note.startswith("Odd as printed"):
            assert (row.code, row.subcode) in PRINTED, row


def test_every_category_word_of_the_tables_is_spelt_rightly() -> None:
    for row in rows():
        assert read_category(row.category) == row.category


def test_code_and_subcode_with_the_same_digits_are_no_family_of_their_own() -> None:
    decoded = decode(404, 404)
    assert decoded.step == "exact pair"
    assert decoded.layer == "call lookup"
    assert decode(405, 405).step == "code alone"
    assert by_subcode(405) == ()
