"""Reading what was pasted: which codes, statuses, causes and words are in it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.endings.asked import Asked, is_code
from onhook.endings.lookup import look_up
from onhook.endings.question import (
    MAX_ASKED,
    MAX_INPUT_CHARS,
    MAX_JSON_NODES,
    MAX_WORDS,
    read,
)


def only(text: str) -> Asked:
    (asked,) = read(text).asked
    return asked


def json_of(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def read_pairs(text: str) -> list[tuple[int | None, int | None]]:
    return [(asked.code, asked.subcode) for asked in read(text).asked]


# --- numbers ---


@pytest.mark.parametrize(
    ("number", "answer"),
    [(0, True), (99, False), (100, True), (486, True), (699, True), (700, False), (560486, False)],
)
def test_what_can_be_a_code(number: int, answer: bool) -> None:  # noqa: FBT001 (a column of the table above)
    assert is_code(number) is answer


@pytest.mark.parametrize("text", ["560486", " 560486 ", "(560486)", "560486."])
def test_a_number_alone_may_be_code_or_subcode(text: str) -> None:
    assert only(text) == Asked(how="number", number=560486)


@pytest.mark.parametrize(
    ("text", "code", "subcode"),
    [
        ("486/560486", 486, 560486),
        ("560486/486", 486, 560486),
        ("0/0", 0, 0),
        ("0#7000", 0, 7000),
        ("487 0", 487, 0),
        ("404 404", 404, 404),
        ("496,7", 496, 7),
        ("480 and 560480", 480, 560480),
        ("at 12:30 it ended: 480 | 560480", 480, 560480),
    ],
)
def test_two_numbers_side_by_side_are_a_pair(text: str, code: int, subcode: int) -> None:
    assert (code, subcode) in read_pairs(text)


def test_numbers_with_words_between_are_no_pair() -> None:
    asked = read("first 560480 then later 8535").asked
    assert [one.number for one in asked] == [560480, 8535]


def test_two_numbers_of_which_none_is_a_code_are_two_questions() -> None:
    assert [one.number for one in read("560486 540486").asked] == [560486, 540486]


def test_numbers_inside_words_are_no_codes() -> None:
    asked = only("ev486x")
    assert asked.number is None
    assert asked.code is None


def test_a_phone_number_is_passed_over_and_said() -> None:
    question = read("+14255550123 got 560404")
    assert question.asked == (Asked(how="words", number=560404, words=("got",)),)
    assert "ten digits" in question.remarks[0]


def test_digits_of_other_scripts_are_no_codes() -> None:
    assert read("٤٨٦").asked == ()


# --- words ---


def test_words_keep_their_code() -> None:
    assert only("400 Play Failed") == Asked(how="words", code=400, words=("Play", "Failed"))


def test_words_beside_a_number_that_is_no_code_keep_the_number() -> None:
    assert only("error 8535").number == 8535


def test_only_so_many_words_are_read() -> None:
    assert len(only(" ".join(["word"] * 50)).words) == MAX_WORDS


# --- labels ---


@pytest.mark.parametrize(
    "text",
    [
        "code 486 subcode 560486",
        "subcode 560486 code 486",
        "code is 486, sub code is 560486",
        "Code=486;SubCode=560486",
        'code: "486", subCode: "560486"',
        "participantEndReason: 486, ParticipantEndSubCode: 560486",
        "DiagCode: 486#560486.@",
        "diagcode 486 # 560486",
        "…ended. DiagCode: 486#560486.@ Please retry",
    ],
)
def test_labels_tell_code_from_subcode(text: str) -> None:
    assert read_pairs(text) == [(486, 560486)]


def test_a_label_for_the_subcode_alone() -> None:
    assert read_pairs("subcode 560486") == [(None, 560486)]


def test_labels_that_cannot_be_matched_up_give_the_subcodes_alone() -> None:
    assert read_pairs("subcode 1 subcode 2 code 3") == [(None, 1), (None, 2)]


def test_several_diag_codes_are_several_questions() -> None:
    assert read_pairs("DiagCode: 0#7000.@ DiagCode: 487#0.@") == [(0, 7000), (487, 0)]


# --- SIP ---


@pytest.mark.parametrize(
    ("text", "status", "cause"),
    [
        ("SIP/2.0 486 Busy Here", 486, None),
        ("sip 603", 603, None),
        ("SIP status 480", 480, None),
        ('Reason: SIP;cause=200;text="Call completed elsewhere"', 200, None),
        ("Q.850;cause=17", None, 17),
        ("Q850;cause=17", None, 17),
        ("Q.850 ;cause=17;text=x", None, 17),
        ("q.850 17", None, 17),
        ("cause 17", None, 17),
        ("SIP/2.0 503 Service Unavailable\r\nReason: Q.850;cause=34", 503, 34),
    ],
)
def test_status_lines_and_reason_headers(text: str, status: int | None, cause: int | None) -> None:
    asked = only(text)
    assert (asked.sip_status, asked.q850_cause) == (status, cause)


def test_a_whole_response_is_one_question() -> None:
    response = (
        "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCSeq: 1 INVITE\r\n"
        'Reason: Q.850;cause=17;text="User busy"\r\nContent-Length: 0\r\n\r\n'
    )
    assert only(response) == Asked(how="SIP status", sip_status=486, q850_cause=17)


# --- JSON ---


def test_a_call_end_reason() -> None:
    asked = only(
        json_of({"code": 410, "subCode": 3112, "message": "", "resultCategories": ["ExpectedError"]})
    )
    assert asked == Asked(how="JSON", code=410, subcode=3112, category="ExpectedError")


def test_a_callback_event_with_its_details() -> None:
    result = {
        "code": 486,
        "subCode": 560486,
        "sipDetails": {"code": 486, "message": "Busy Here"},
        "q850Details": {"code": 17, "message": "User busy"},
    }
    event = {"type": "Microsoft.Communication.CreateCallFailed", "data": {"resultInformation": result}}
    assert only(json_of([event])) == Asked(
        how="JSON", code=486, subcode=560486, sip_status=486, q850_cause=17, event="CreateCallFailed"
    )


def test_names_in_pascal_case_are_read_too() -> None:
    result = {"Code": 500, "SubCode": 560503, "SipDetails": {"Code": 486}, "Q850Details": {"Code": 17}}
    asked = only(json_of({"ResultInformation": result}))
    assert (asked.sip_status, asked.q850_cause) == (486, 17)


def test_details_that_are_null_or_odd_are_passed_over() -> None:
    asked = only('{"code":487,"subCode":0,"sipDetails":null,"q850Details":[1]}')
    assert (asked.sip_status, asked.q850_cause) == (None, None)


@pytest.mark.parametrize(
    ("row", "pair"),
    [
        ({"participantEndReason": "480", "ParticipantEndSubCode": "560480"}, (480, 560480)),
        ({"ResultCode": 400, "ResultSubcode": 8535}, (400, 8535)),
        ({"ResultSignature": 410, "OperationPayload": '{"Code":410,"SubCode":3112}'}, (410, 3112)),
    ],
)
def test_rows_of_logs(row: dict[str, Any], pair: tuple[int, int]) -> None:
    assert read_pairs(json_of(row)) == [pair]


def test_the_table_of_a_query_result() -> None:
    table = {
        "columns": [
            {"name": "ParticipantEndReason"},
            {"name": "ParticipantEndSubCode"},
            {"name": "ResultCategory"},
        ],
        "rows": [["480", "560480", "UnexpectedServerError"], ["497", "560487", ""], "odd"],
    }
    asked = read(json_of({"tables": [table]})).asked
    assert [(one.code, one.subcode, one.category) for one in asked] == [
        (480, 560480, "UnexpectedServerError"),
        (497, 560487, ""),
    ]


def test_an_api_error_whose_code_is_a_subcode() -> None:
    assert read_pairs('{"error":{"code":"8523","message":"bad"}}') == [(None, 8523)]


def test_an_api_error_with_a_plain_code() -> None:
    assert read_pairs('{"error":{"code":"404","message":"no call"}}') == [(404, None)]


def test_a_message_with_a_diag_code_is_read_when_the_json_has_no_pair() -> None:
    assert read_pairs('{"message":"The conversation has ended. DiagCode: 0#7000.@"}') == [(0, 7000)]


def test_json_without_codes_says_so() -> None:
    question = read('{"a": [1, 2, {"b": null}]}')
    assert "no code with a subCode" in question.remarks[0]


def test_true_is_no_code() -> None:
    assert read_pairs('{"code": true, "subCode": 560486}') == [(None, 560486)]


def test_json_that_is_broken_is_read_as_text() -> None:
    assert read_pairs('{"code": 486, "subCode": 560486') == [(486, 560486)]
    assert read_pairs("{ code: 486, subCode: 560486 }") == [(486, 560486)]


def test_text_in_json_that_only_begins_like_json_is_passed_over() -> None:
    assert read_pairs('{"payload": "{broken", "code": 487, "subCode": 0}') == [(487, 0)]


def test_deep_json_is_no_harm() -> None:
    assert read("[" * 10_000).asked == ()
    deep = "[" * 500 + '{"code":487,"subCode":0}' + "]" * 500
    assert read_pairs(deep) == [(487, 0)]


def test_json_is_walked_only_so_far() -> None:
    long = json_of([0] * (MAX_JSON_NODES * 2) + [{"code": 487, "subCode": 0}])
    assert len(long) < MAX_INPUT_CHARS
    assert (487, 0) not in read_pairs(long)


# --- limits ---


def test_only_so_many_pairs_are_answered_and_the_rest_counted() -> None:
    rows = [{"code": 400, "subCode": 8500 + number} for number in range(MAX_ASKED + 5)]
    question = read(json_of(rows))
    assert len(question.asked) == MAX_ASKED
    assert question.remarks == (f"{MAX_ASKED + 5} codes were found; the first {MAX_ASKED} are answered.",)


def test_a_pair_that_stands_twice_is_asked_once() -> None:
    assert read_pairs(json_of([{"code": 487, "subCode": 0}] * 3)) == [(487, 0)]


def test_text_beyond_the_limit_is_not_read() -> None:
    question = read("x" * MAX_INPUT_CHARS + " 560486")
    assert all(asked.number is None for asked in question.asked)
    assert str(MAX_INPUT_CHARS) in question.remarks[0]


def test_half_characters_do_no_harm() -> None:
    question = read("560486 \ud800")
    assert question.asked[0].number == 560486
    assert question.text.encode()


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_nothing_is_nothing(text: str) -> None:
    assert read(text).asked == ()
    assert read(text).remarks == ("Nothing was asked.",)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters()))
def test_any_text_is_read(text: str) -> None:
    question = read(text)
    assert len(question.asked) <= MAX_ASKED
    for asked in question.asked:
        assert asked.code is None or asked.code < 10**9
        assert len(asked.words) <= MAX_WORDS


@given(
    st.integers(100, 699) | st.just(0),
    st.integers(700, 999_999),
    st.sampled_from(["/", " ", "#", ", ", " - "]),
)
def test_any_pair_is_read_in_either_order(code: int, subcode: int, between: str) -> None:
    assert read_pairs(f"{code}{between}{subcode}") == [(code, subcode)]
    assert read_pairs(f"{subcode}{between}{code}") == [(code, subcode)]


def test_the_type_of_an_event_chooses_among_the_rows_of_a_subcode() -> None:
    result = {"code": 401, "subCode": 8565, "message": "x"}
    for event in ("PlayFailed", "TranscriptionFailed"):
        text = json_of([{"type": f"Microsoft.Communication.{event}", "data": {"resultInformation": result}}])
        assert look_up(text).matches[0].note == f"event={event}"


def test_an_event_without_codes_says_so_and_lists_the_codes_it_can_bring() -> None:
    answer = look_up(json_of({"type": "Microsoft.Communication.PlayFailed", "data": {}}))
    assert "holds no code" in answer.remarks[0]
    assert {match.note for match in answer.matches} == {"event=PlayFailed"}
    assert not look_up(json_of({"type": "Microsoft.Communication.Unheard", "data": {}})).matches


def test_calls_named_in_the_text_are_told() -> None:
    call = "8F8A2D5E-0000-4000-8000-00000000ABCD"
    for text in (
        json_of({"callConnectionId": call, "code": 0, "subCode": 7000}),
        f"POST /calling/callConnections/{call}:play failed with 8501",
        f"callConnectionId={call} DiagCode: 0#7000.@",
    ):
        assert look_up(text).calls == (call.lower(),), text
    assert look_up("486/560486").calls == ()
