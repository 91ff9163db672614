"""Finding rows by name, event, or words, and mending typing errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.endings.codes import rows
from onhook.endings.names import correct, one_edit_away, search, search_some, squash, tokens


@pytest.mark.parametrize("text", ["Play Failed", "play-failed", "PlayFailed", "PLAY  FAILED!"])
def test_spelling_of_a_name_does_not_matter(text: str) -> None:
    assert squash(text) == "playfailed"


def test_tokens_leave_out_words_that_tell_nothing() -> None:
    assert tokens("The PlayFailed event of a call") == ["play", "failed", "call"]
    assert tokens("what is the code") == []


def test_every_row_is_found_by_its_own_name() -> None:
    for row in rows():
        found = search([row.name], row.code)
        assert any(one.row is row and one.fit == "name" for one in found), row


def test_a_name_is_found_without_its_aside() -> None:
    found = [one for one in search(["Play", "failed"]) if one.fit == "name"]
    assert {one.row.name for one in found} == {"Play failed (request)", "Play failed (service)"}


def test_a_code_narrows_the_search() -> None:
    assert {one.row.code for one in search(["Play", "failed"], 500)} == {500}
    assert search(["Play", "failed"], 603) == []


def test_fits_come_best_first() -> None:
    fits = [one.fit for one in search(["RecognizeFailed"])]
    order = ["name", "event", "words of the name", "words of the meaning"]
    assert fits == sorted(fits, key=order.index)
    assert {"name", "event"} <= set(fits)


def test_a_row_is_offered_once() -> None:
    found = [id(one.row) for one in search(["declined"])]
    assert len(found) == len(set(found))


def test_all_words_must_be_there() -> None:
    assert search(["hmac"])
    assert search(["hmac", "xyzzy"]) == []


def test_words_that_tell_nothing_find_nothing() -> None:
    assert search(["the", "of"]) == []
    assert search([]) == []
    assert search_some([]) == []


def test_more_than_half_of_the_words_will_do_when_asked() -> None:
    found = search_some(["hmac", "check", "xyzzy"])
    assert found[0].row.subcode == 7509
    assert {one.fit for one in found} == {"some words"}
    assert search_some(["hmac", "xyzzy"]) == []


def test_rare_words_weigh_most() -> None:
    names = [one.row.name for one in search_some(["organizer", "call", "ended", "meeting", "xyzzy"])]
    assert names[0] == "Organizer ended for all"


def test_some_words_keep_to_the_code() -> None:
    assert {one.row.code for one in search_some(["call", "declined", "xyzzy"], 487)} == {487}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("recognise", "recognize"),
        ("timout", "timeout"),
        ("registred", "registered"),
        ("participnat", "participant"),
        ("transcriptionn", "transcription"),
    ],
)
def test_a_word_one_edit_away_is_mended(wrong: str, right: str) -> None:
    assert correct([wrong]) == {wrong: right}


@pytest.mark.parametrize("word", ["recognize", "xyzzyplugh", "teh", "x" * 200])
def test_known_strange_short_and_long_words_are_left_alone(word: str) -> None:
    assert correct([word]) == {}


def test_one_edit_away_is_deletion_swap_replacement_or_insertion() -> None:
    near = one_edit_away("12", "12")
    assert near == {"1", "2", "21", "11", "22", "112", "212", "122", "121"}


@given(st.text("0123456789", min_size=1, max_size=6), st.integers(0, 5), st.sampled_from("0123456789"))
def test_every_single_replacement_can_be_undone(text: str, where: int, digit: str) -> None:
    at = where % len(text)
    typed = text[:at] + digit + text[at + 1 :]
    assert typed == text or text in one_edit_away(typed, "0123456789")


@given(st.lists(st.text(max_size=30), max_size=6), st.none() | st.integers(0, 700))
def test_any_words_are_searched(words: list[str], code: int | None) -> None:
    for one in [*search(words, code), *search_some(words, code)]:
        assert code is None or one.row.code == code
