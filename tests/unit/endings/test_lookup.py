"""What a person pastes about an ended call, and the rows it finds."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.endings.answer import MAX_MATCHES, Answer
from onhook.endings.codes import aliases, rows
from onhook.endings.lookup import MAX_QUERY_SHOWN, explain_pair, look_up
from onhook.endings.match import Match, Pages
from onhook.endings.question import MAX_INPUT_CHARS

KEYS = {
    "code", "subcode", "name", "meaning", "category", "category_basis", "advice", "advice_basis",
    "source", "origin",
    "confidence", "how_found", "note", "sip", "ending",
}  # fmt: skip

PAGE_OF_2023 = [
    # Calling SDK
    "403", "404", "408", "410", "430", "480", "481", "487", "490", "491", "496", "497", "498",
    "500", "503", "504",
    "603",
    # Call Automation
    "400 Bad request", "400 Play Failed", "400 Recognize Failed", "401 Unauthorized", "403 Forbidden",
    "404 Resource not found", "429 Too many requests", "500 Internal server error", "500 Play Failed",
    "500 Recognize Failed", "502 Bad gateway",
    # PSTN
    "0/0", "0/560000", "0/540000", "403/510403", "403/560403", "403/511532", "404/560404",
    "404/511404", "408/560408",
    "408/500001", "410/531004", "480/560480", "484/560484", "486/60486", "487/540487",
    "497/560487", "500/560500",
    "503/560503", "603/560603",
]  # fmt: skip


def best(text: str) -> Match:
    return look_up(text).matches[0]


def pairs(answer: Answer) -> list[tuple[int | None, int | None]]:
    return [(match.code, match.subcode) for match in answer.matches]


def expected_of(asked: str) -> tuple[int, int | None]:
    """The pair that a line of PAGE_OF_2023 asks for."""
    code, _, rest = asked.partition("/")
    return (int(code), int(rest)) if rest else (int(asked.split(" ", 1)[0]), None)


# --- the page of 2023, row by row ---


def test_the_page_of_2023_has_47_rows() -> None:
    assert len(PAGE_OF_2023) == 47
    assert len([row for row in rows() if row.origin == "seed"]) == 47


@pytest.mark.parametrize("asked", PAGE_OF_2023)
def test_every_row_of_2023_has_name_meaning_advice_and_category_or_says_what_is_empty(asked: str) -> None:
    answer = look_up(asked)
    code, subcode = expected_of(asked)
    listed = [
        match
        for match in answer.matches
        if match.origin == "seed" and (match.code, match.subcode) == (code, subcode)
    ]
    assert listed, answer
    for match in listed:
        assert match.name
        assert match.meaning
        assert match.advice
        assert match.category
        if code == 0:
            assert match.category_basis == "documented"
            assert any("no advice" in gap for gap in match.gaps)
        else:
            assert match.advice_basis == "documented"
            assert any(
                "leave the category empty" in gap or "leaves the category empty" in gap for gap in match.gaps
            )


@pytest.mark.parametrize("asked", [text for text in PAGE_OF_2023 if " " in text])
def test_a_row_that_shares_its_code_is_found_by_its_name(asked: str) -> None:
    match = best(asked)
    assert match.code == expected_of(asked)[0]
    assert match.origin == "seed"
    assert match.how_found == "exact name"
    assert match.confidence == "high"


def test_rows_that_share_a_name_are_told_apart_by_code() -> None:
    answer = look_up("Play Failed")
    assert pairs(answer)[:2] == [(400, None), (500, None)]
    assert (400, 8535) in pairs(answer), "the rows of the event PlayFailed follow"
    assert best("500 Play Failed").meaning != best("400 Play Failed").meaning
    assert any("give the code" in remark for remark in look_up("Play Failed").remarks)


# --- every row can be reached ---


def test_every_row_is_found_by_its_pair() -> None:
    for row in rows():
        if row.subcode is None:
            continue
        asked = f"subcode {row.subcode}" if row.code is None else f"{row.code}/{row.subcode}"
        found = look_up(asked)
        assert any(
            (match.code, match.subcode, match.name, match.source)
            == (row.code, row.subcode, row.name, row.source)
            for match in found.matches
        ), row


def test_every_line_for_a_code_alone_is_found_by_its_code() -> None:
    for row in rows():
        if row.subcode is None:
            found = look_up(str(row.code))
            assert any(match.subcode is None and match.name == row.name for match in found.matches), row


def test_every_row_has_every_key_and_becomes_json() -> None:
    for row in rows():
        match = msgspec.to_builtins(explain_pair(row.code, row.subcode if row.subcode is not None else 0))
        assert set(match) >= KEYS
        assert match["name"]
        assert match["meaning"]
        assert match["confidence"] in {"high", "medium", "low"}


# --- ways of writing one pair ---


@pytest.mark.parametrize(
    "text",
    [
        "560486",
        "486/560486",
        "486 560486",
        "560486/486",
        "486, 560486",
        "486#560486",
        "486:560486",
        "486-560486",
        "  486 / 560486\n",
        "code 486 subcode 560486",
        "Code: 486, SubCode: 560486",
        "subCode=560486 code=486",
        "sub-code 560486, code 486",
        "ParticipantEndReason 486 ParticipantEndSubCode 560486",
        "the call ended with 486 560486 yesterday",
        "error 560486",
        '{"code": 486, "subCode": 560486}',
        '{"code": "486", "subCode": "560486"}',
        '{"Code": 486, "SubCode": 560486, "Message": "x"}',
        "{ code: 486, subCode: 560486 }",
        "CallEndReason(code=486, sub_code=560486)",
        "ended. DiagCode: 486#560486.@",
    ],
)
def test_a_pair_is_read_however_it_is_written(text: str) -> None:
    answer = look_up(text)
    assert answer.known
    assert pairs(answer)[0] == (486, 560486)
    match = answer.matches[0]
    assert match.confidence == "high"
    assert (match.category, match.category_basis) == ("Success", "documented")
    assert match.how_found in {"exact pair", "exact subcode"}


def test_a_diag_code_is_read_out_of_a_message() -> None:
    answer = look_up("The conversation has ended. DiagCode: 0#7000.@")
    assert answer.understood == ("code 0, subcode 7000",)
    assert pairs(answer) == [(0, 7000), (200, 7000), (None, 7000)]
    assert best("DiagCode: 0#7000.@").name == "Ended by bot or automation"


def test_code_200_finds_the_rows_of_code_0_too() -> None:
    assert pairs(look_up("200/560000"))[0] == (0, 560000)
    assert pairs(look_up("200/7000"))[:2] == [(200, 7000), (0, 7000)]


def test_the_newer_row_comes_before_that_of_2023_and_both_are_there() -> None:
    found = [match for match in look_up("480/560480").matches if match.family == "pstn"]
    assert [match.origin for match in found] == ["newer", "seed"]
    assert found[1].category == "UnexpectedServerError"
    assert any("leaves the category empty" in gap for gap in found[1].gaps)


# --- codes alone ---


def test_a_code_alone_gives_every_row_that_has_it_general_lines_first() -> None:
    answer = look_up("603")
    assert pairs(answer) == [(603, None), (603, None), (603, 560603), (603, 0)]
    assert answer.matches[0].name == "Declined everywhere"
    assert "Give the subcode" in answer.remarks[0]


def test_a_code_with_many_rows_is_cut_and_says_how_many_there_are() -> None:
    answer = look_up("400")
    assert len(answer.matches) == MAX_MATCHES
    assert answer.total == len([row for row in rows() if row.code == 400])
    assert {match.name for match in answer.matches[:4]} >= {"Bad request", "Play failed (request)"}


def test_zero_is_the_normal_end_before_it_is_anything_else() -> None:
    answer = look_up("0")
    assert pairs(answer)[0] == (0, 0)
    assert (408, 0) in pairs(answer)


def test_404_is_a_code_and_a_subcode() -> None:
    answer = look_up("404")
    assert pairs(answer)[0] == (404, 404)
    assert (404, None) in pairs(answer)


def test_a_code_that_is_only_a_sip_status_is_explained_by_its_class() -> None:
    answer = look_up("482")
    assert not answer.known
    assert answer.matches[0].name == "Loop Detected"
    assert answer.matches[0].category_basis == "inferred"
    assert any("560482" in remark for remark in answer.remarks)


# --- misprints ---


@pytest.mark.parametrize(
    ("text", "first", "printed"),
    [
        ("60486", (486, 560486), (486, 60486)),
        ("486/60486", (486, 560486), (486, 60486)),
        ("497/560487", (487, 560487), (497, 560487)),
        ("500/511404", (404, 511404), None),
        ("44214", (400, 40214), (400, 44214)),
        ("415/510415", (415, 540415), None),
    ],
)
def test_a_misprint_is_answered_by_the_right_pair_and_explained(
    text: str, first: tuple[int, int], printed: tuple[int, int] | None
) -> None:
    answer = look_up(text)
    assert pairs(answer)[0] == first
    assert "is read as" in answer.matches[0].how_found
    assert any("never emitted" in remark for remark in answer.remarks)
    if printed:
        odd = answer.matches[pairs(answer).index(printed)]
        assert f"{first[0]}/{first[1]}" in odd.read_as
        assert odd.confidence == "medium"


def test_every_alias_is_answered() -> None:
    for alias in aliases():
        answer = look_up(f"{alias.printed[0]}/{alias.printed[1]}")
        assert alias.read_as in pairs(answer), alias
        assert any(alias.why in remark for remark in answer.remarks), alias


def test_60486_stands_for_either_leg() -> None:
    assert pairs(look_up("60486")) == [(486, 560486), (486, 540486), (486, 60486)]


def test_a_good_subcode_is_not_answered_by_its_misprint_first() -> None:
    answer = look_up("560487")
    assert pairs(answer) == [(487, 560487), (497, 560487)]
    assert answer.matches[0].read_as == ""
    assert answer.contradictions[0] == "The sources print subcode 560487 with codes 487 and 497."
    assert "Newer pages still print 497" in answer.contradictions[1]


# --- contradictions ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("531000", "subcode 531000 with codes 410 and 488"),
        ("10199", "subcode 10199 with codes 403 and 480"),
        ("500/511404", "list subcode 511404 with 404, not with 500"),
        ("502/560503", "list subcode 560503 with 503, not with 502"),
        ("503/560502", "Code 503 does not fit: 502 belongs with 560502"),
        ("0/4521", "categories ExpectedError and Success"),
        ("0/5003", "editions contradict one another"),
    ],
)
def test_contradictions_are_shown(text: str, said: str) -> None:
    assert any(said in line for line in look_up(text).contradictions), look_up(text).contradictions


def test_a_pair_that_all_sources_agree_on_has_no_contradiction() -> None:
    for text in ("486/560486", "0/7000", "487/0", "603/0", "8565"):
        assert look_up(text).contradictions == (), text


# --- JSON ---


def test_an_event_shows_where_its_sip_and_q850_details_disagree_with_its_subcode() -> None:
    event = {
        "type": "Microsoft.Communication.CallDisconnected",
        "data": {
            "resultInformation": {
                "code": 500,
                "subCode": 560503,
                "message": "",
                "sipDetails": {"code": 486, "message": "Busy Here"},
                "q850Details": {"code": 18, "message": "No user responding"},
            }
        },
    }
    answer = look_up(msgspec.json.encode([event]).decode())
    assert pairs(answer)[0] == (503, 560503)
    assert any("the SIP details say 486" in line for line in answer.contradictions)
    assert any("Q.850 cause 18 (No user responding) do not fit" in line for line in answer.contradictions)
    assert any("not with 500" in line for line in answer.contradictions)


def test_an_event_whose_parts_agree_has_no_contradiction() -> None:
    details = (
        '"sipDetails":{"code":486,"message":"Busy Here"},"q850Details":{"code":17,"message":"User busy"}'
    )
    answer = look_up('{"resultInformation":{"code":486,"subCode":560486,"message":"",' + details + "}}")
    assert answer.understood == (
        "code 486, subcode 560486, SIP status 486 Busy Here, Q.850 cause 17 User busy",
    )
    assert answer.contradictions == ()


@pytest.mark.parametrize(
    ("category", "disputed"),
    [
        ("ExpectedError", False),
        ("Failure", False),
        ("Success", True),
        ("UnxpectedClientError", True),
        ("Succeeded", False),
    ],
)
def test_a_category_in_the_report_is_compared_with_the_tables(category: str, disputed: bool) -> None:  # noqa: FBT001 (a column of the table above)
    answer = look_up(f'{{"code":410,"subCode":3112,"resultCategories":["{category}"]}}')
    assert any("The report says" in line for line in answer.contradictions) is disputed


def test_several_pairs_of_one_text_are_answered_in_order() -> None:
    answer = look_up('[{"code":480,"subCode":560480},{"code":487,"subCode":0}]')
    assert answer.understood == ("code 480, subcode 560480", "code 487, subcode 0")
    assert (480, 560480) in pairs(answer)
    assert (487, 0) in pairs(answer)


# --- pages, limits, totality ---


def test_ending_pages_are_named_by_pair() -> None:
    pages: Pages = {(486, 560486): ["callee-busy"], (0, 7000): ["ended-by-app"], (487, 560487): ["cancelled"]}
    assert look_up("560486", pages).matches[0].ending == ("callee-busy",)
    assert {match.ending for match in look_up("200/7000", pages).matches[:2]} == {("ended-by-app",)}
    assert [match.ending for match in look_up("497/560487", pages).matches] == [
        ("cancelled",),
        ("cancelled",),
    ]
    assert look_up("480/560480", pages).matches[0].ending == ()


def test_long_input_is_cut_and_said() -> None:
    answer = look_up("486/560486 " + "x" * MAX_INPUT_CHARS)
    assert pairs(answer)[0] == (486, 560486)
    assert "Only the first" in answer.remarks[0]
    assert len(answer.query) <= MAX_QUERY_SHOWN + 1


def test_one_pair_is_explained_without_reading_text() -> None:
    assert explain_pair(486, 560486) == best("486/560486")
    assert explain_pair(497, 560487).subcode == 560487
    assert explain_pair(None, 123456).name == "Not known"
    assert explain_pair(487, 560487) is explain_pair(487, 560487)


def test_gaps_say_where_filled_advice_comes_from() -> None:
    generic = next(match for match in look_up("7507").matches if match.code is None)
    assert generic.advice_basis == "documented"
    assert any("403/7507" in gap for gap in generic.gaps)
    inferred = best("7509")
    assert inferred.advice_basis == "inferred"
    assert inferred.category == ""
    assert any("category empty" in gap for gap in inferred.gaps)


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_is_answered_and_the_answer_becomes_json(text: str) -> None:
    answer = look_up(text)
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer
    assert len(answer.matches) <= MAX_MATCHES
    assert answer.total >= len(answer.matches)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["code", "subCode", "data", "rows", "columns", "sipDetails", "x"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(_JSON)
def test_any_json_is_answered(value: object) -> None:
    answer = look_up(msgspec.json.encode(value).decode())
    assert isinstance(answer.known, bool)
    assert len(answer.understood) <= 8


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["486", "560486", "/", " ", "code", "subcode", "SIP/2.0", "Q.850", "Play", "{", "#", "=", "٤"]
        ),
        max_size=9,
    )
)
def test_any_mixture_of_familiar_parts_is_answered(parts: list[str]) -> None:
    answer = look_up("".join(parts))
    assert answer.query == "".join(parts).strip()


# --- second spellings ---


def test_a_misspelt_category_is_read_and_named() -> None:
    answer = look_up('{"code": 410, "subCode": 3111, "resultCategories": ["UnxpectedClientError"]}')
    assert answer.matches[0].category == "UnexpectedClientError"
    assert any(remark.startswith("UnxpectedClientError is read as Unexpected") for remark in answer.remarks)
    assert not any("The report says" in line for line in answer.contradictions)


def test_code_200_is_read_as_0_and_named() -> None:
    assert any(remark.startswith("200 is read as 0.") for remark in look_up("200/7000").remarks)
    assert not any("is read as" in remark for remark in look_up("0/7000").remarks)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ExpectedError", "belongs to normal use"),
        ("UnxpectedClientError", "on the side of the client"),
        ("Failure", "Any of the three errors"),
    ],
)
def test_a_category_alone_is_told(text: str, said: str) -> None:
    answer = look_up(text)
    assert (len(answer.matches), answer.matches[0].code, answer.matches[0].subcode) == (1, None, None)
    assert said in answer.matches[0].meaning
    assert answer.matches[0].how_found == "name of a category"
