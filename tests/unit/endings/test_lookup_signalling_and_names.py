"""SIP statuses, Q.850 causes, names and typing errors: what they find when no pair is given."""

import pytest

from onhook.endings.answer import MAX_SUGGESTIONS, Answer
from onhook.endings.lookup import look_up
from onhook.endings.match import Match


def best(text: str) -> Match:
    return look_up(text).matches[0]


def pairs(answer: Answer) -> list[tuple[int | None, int | None]]:
    return [(match.code, match.subcode) for match in answer.matches]


# --- SIP and Q.850 ---


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("SIP/2.0 486 Busy Here", (486, 560486)),
        ("SIP 603", (603, 560603)),
        ("486 Busy Here", (486, 560486)),
        ("480 Temporarily Unavailable", (480, 560480)),
        ('Reason: SIP;cause=404;text="x"', (404, 560404)),
        ("Q.850;cause=17", (486, 560486)),
        ('Reason: Q.850;cause=17;text="User busy"', (486, 560486)),
        ("q850 cause 1", (404, 560404)),
        ("cause=21", (403, 560403)),
        ("Q.850;cause=16", (0, 560000)),
        ("SIP/2.0 200 OK", (0, 560000)),
        ("SIP/2.0 502 Bad Gateway", (502, 560502)),
    ],
)
def test_signalling_is_answered_by_the_rows_of_the_trunk_legs(text: str, first: tuple[int, int]) -> None:
    assert pairs(look_up(text))[0] == first


def test_both_legs_are_answered() -> None:
    answer = look_up("SIP/2.0 486 Busy Here")
    assert pairs(answer) == [(486, 560486), (486, 540486)]
    assert answer.matches[1].how_found == "SIP 486 on the inbound leg"


def test_a_status_without_a_row_is_decoded() -> None:
    match = best("SIP/2.0 502 Bad Gateway")
    assert match.origin == "grammar"
    assert match.name == "Bad Gateway, outbound leg"
    assert match.category == "UnexpectedServerError"


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("SIP/2.0 180 Ringing", "provisional"),
        ("Q.850;cause=44", "no SIP status"),
        ("Q.850;cause=128", "has no cause 128"),
        ("Q.850;cause=17", "is SIP 486 by RFC 3398"),
    ],
)
def test_remarks_on_signalling(text: str, remark: str) -> None:
    assert any(remark in line for line in look_up(text).remarks)


def test_a_status_and_a_cause_that_do_not_fit_are_a_contradiction() -> None:
    answer = look_up('SIP/2.0 480 Temporarily Unavailable\r\nReason: Q.850;cause=17;text="User busy"')
    (said,) = answer.contradictions
    assert said.startswith("SIP 480 Temporarily Unavailable and Q.850 cause 17 (User busy) do not fit")
    assert said.endswith("RFC 3398 pairs the cause with 486.")
    assert look_up("SIP/2.0 480 x\r\nReason: Q.850;cause=18").contradictions == ()


# --- names ---


@pytest.mark.parametrize(
    ("text", "first", "how"),
    [
        ("Ring timeout", (487, 10004), "exact name"),
        ("ring-timeout", (487, 10004), "exact name"),
        ("RecognizeFailed", (400, None), "exact name"),
        ("TranscriptionFailed", (400, 8581), "exact name"),
        ("AnswerFailed", (490, 4502), "exact event"),
        ("hmac", (None, 7509), "words of the name"),
        ("browser finish request", (490, 4502), "words of the meaning"),
        ("No relay, path blocked", (410, 3112), "exact name"),
    ],
)
def test_names_events_and_words_are_found(text: str, first: tuple[int | None, int | None], how: str) -> None:
    answer = look_up(text)
    assert first in pairs(answer)
    assert answer.matches[0].how_found == how


def test_most_of_the_words_are_enough_but_trusted_little() -> None:
    answer = look_up("organizer ended meeting quickly")
    assert (0, 4097) in pairs(answer)
    assert {match.confidence for match in answer.matches} == {"low"}
    assert answer.matches[0].how_found == "some words"


def test_a_misspelt_name_is_mended_and_said() -> None:
    answer = look_up("Recognise Failed")
    assert pairs(answer)[:2] == [(400, None), (500, None)]
    assert "reading 'recognise' as 'recognize'" in answer.matches[0].how_found
    assert answer.suggestions == ("recognize failed",)
    assert answer.matches[0].confidence == "low"


def test_a_name_that_does_not_go_with_its_code_falls_back_to_the_code() -> None:
    answer = look_up("603 Recognize")
    assert pairs(answer)[0] == (603, None)
    assert any("No row of code 603 has these words" in remark for remark in answer.remarks)


# --- unknown ---


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("56486", "486/560486"),
        ("506486", "486/560486"),
        ("5604866", "486/560486"),
        ("860486", "486/560486"),
        ("85351", "400/8535"),
    ],
)
def test_a_mistyped_subcode_is_suggested(text: str, suggestion: str) -> None:
    answer = look_up(text)
    assert not answer.known
    assert any(line.startswith(suggestion) for line in answer.suggestions), answer.suggestions
    assert len(answer.suggestions) <= MAX_SUGGESTIONS


def test_an_unlisted_subcode_is_decoded_and_marked_as_inferred() -> None:
    answer = look_up("560502")
    match = answer.matches[0]
    assert not answer.known
    assert answer.nearest_layer == "outbound leg (service to SBC)"
    assert (match.code, match.subcode, match.confidence) == (502, 560502, "high")
    assert (match.advice_basis, match.category_basis) == ("inferred", "inferred")
    assert match.how_found == "six-digit family"
    assert answer.suggestions == ()


def test_what_is_not_known_says_so_and_names_the_nearest_layer() -> None:
    answer = look_up("545123")
    assert not answer.known
    assert answer.matches[0].name == "Not known"
    assert answer.matches[0].confidence == "low"
    assert answer.nearest_layer == "inbound leg (SBC to service)"
    assert "not known" in answer.remarks[0]


def test_an_unknown_subcode_with_a_known_code_falls_back_to_the_code() -> None:
    answer = look_up("503/123456")
    assert pairs(answer)[0] == (503, 123456)
    assert answer.matches[1].how_found == "code alone"
    assert answer.matches[0].confidence == "low"


@pytest.mark.parametrize("text", ["xyzzy plugh", "?!", "the of and", "999"])
def test_text_that_means_nothing_is_not_known(text: str) -> None:
    answer = look_up(text)
    assert not answer.known
    assert answer.remarks


def test_nothing_asked_is_nothing_answered() -> None:
    answer = look_up("  ")
    assert (answer.known, answer.matches, answer.remarks) == (False, (), ("Nothing was asked.",))


# --- together ---


def test_an_answer_that_is_known_has_no_nearest_layer_of_its_own() -> None:
    answer = look_up("486/560486")
    assert answer.known
    assert answer.nearest_layer == ""
    assert answer.suggestions == ()


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("486/560486", "code 486, subcode 560486"),
        ("560486", "number 560486"),
        ("subcode 560486", "subcode 560486"),
        ("SIP/2.0 486 Busy Here", "SIP status 486 Busy Here"),
        ("SIP/2.0 699 x", "SIP status 699"),
        ("Q.850;cause=17", "Q.850 cause 17 User busy"),
        ("400 Play Failed", "code 400, words Play Failed"),
        ("Play Failed", "words Play Failed"),
        ('{"a":1}', "no code"),
    ],
)
def test_the_answer_says_what_was_understood(text: str, understood: str) -> None:
    assert look_up(text).understood == (understood,)


def test_a_status_of_no_rfc_is_decoded_with_less_confidence() -> None:
    match = best("SIP/2.0 699 x")
    assert match.subcode == 560699
    assert match.confidence == "medium"
    assert "No RFC defines" in match.note


def test_the_phrase_of_a_status_may_also_be_the_name_of_a_row() -> None:
    answer = look_up("403 Forbidden")
    assert answer.matches[0].how_found == "exact name"
    assert any(match.how_found == "SIP 403 on the outbound leg" for match in answer.matches)


def test_a_known_number_among_words_is_answered_and_the_words_are_not_needed() -> None:
    assert pairs(look_up("my call failed with 560480 again"))[0] == (480, 560480)


def test_the_words_error_code_add_nothing_to_a_number() -> None:
    assert pairs(look_up("error code 486")) == pairs(look_up("486"))


def test_codes_of_the_platform_that_are_also_sip_statuses_keep_their_own_meaning() -> None:
    assert best("491").name == "Local network trouble"
    assert best("SIP/2.0 491 Request Pending").subcode == 560491


@pytest.mark.parametrize(
    ("text", "pair", "said"),
    [
        ("User busy", (486, 560486), "Q.850 cause 17"),
        ("no circuit or channel available", (503, 560503), "Q.850 cause 34"),
        ("Normal call clearing", (0, 560000), "Q.850 cause 16"),
        ("Address Incomplete", (484, 560484), ""),
    ],
)
def test_the_name_of_a_cause_or_a_phrase_is_enough(text: str, pair: tuple[int, int], said: str) -> None:
    answer = look_up(text)
    assert (answer.matches[0].code, answer.matches[0].subcode) == pair
    assert any(said in remark for remark in (*answer.remarks, ""))
