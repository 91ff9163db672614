"""Phrases become words of a dictionary, and are found again in what was heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.media.speech.phrases import MAX_PHRASES, MAX_WORDS, Phrases, grammar, spelled, words_of


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("Yes!", "yes"),
        ("  I'd like SALES,  please. ", "i'd like sales please"),
        ("I’m fine", "i'm fine"),
        ("press 1", "press one"),
        ("room 42", "room forty two"),
        ("call 911", "call nine one one"),
        ("07", "zero seven"),
        ("Café Zoë", "cafe zoe"),
        ("AT&T", "at and t"),
        ("e-mail", "e mail"),
        ("'quoted'", "quoted"),
        ("???", ""),
        ("да", ""),
    ],
)
def test_words(phrase: str, words: str) -> None:
    assert words_of(phrase) == tuple(words.split())


@pytest.mark.parametrize(
    ("number", "words"),
    [("0", "zero"), ("9", "nine"), ("10", "ten"), ("15", "fifteen"), ("20", "twenty"), ("99", "ninety nine")],
)
def test_numbers_are_spelled_as_they_are_said(number: str, words: str) -> None:
    assert spelled(number) == words.split()


def test_the_longest_phrase_is_found_as_it_was_written() -> None:
    phrases = Phrases(["Main", "Main Menu!", "Yes"])
    assert phrases.said_in("the main menu please") == "Main Menu!"
    assert phrases.said_in("Main.") == "Main"
    assert phrases.said_in("yesterday") == ""
    assert phrases.said_in("") == ""


def test_what_cannot_be_said_is_named() -> None:
    too_long = "word " * (MAX_WORDS + 1)
    phrases = Phrases(["yes", "???", too_long])
    assert phrases.all_words == (("yes",),)
    assert phrases.unusable == ["???", too_long]
    assert not Phrases(["???"])
    letters = "abcdefghijklmnopqrstuvwxyz"
    many = [f"{a}{b}" for a in letters for b in letters]
    assert len(Phrases(many).all_words) == MAX_PHRASES


def test_of_two_phrases_that_sound_the_same_the_first_is_told() -> None:
    assert Phrases(["One", "1"]).said_in("one") == "One"


def test_the_grammar_takes_each_phrase_and_a_word_of_politeness() -> None:
    made = grammar([("yes",), ("main", "menu")])
    assert "public <menu> = ((yes) | (main menu)) [please | thanks];" in made


@given(st.lists(st.text(max_size=20), max_size=5))
def test_nothing_in_a_phrase_can_leave_its_place_in_the_grammar(written: list[str]) -> None:
    made = grammar(Phrases(written).all_words)
    inside = made.partition("= (")[2].rpartition(") [")[0]
    assert set(inside) <= set("abcdefghijklmnopqrstuvwxyz' ()|")
    assert made.count(";") == 3


@given(st.text(max_size=40))
def test_a_phrase_is_found_in_itself(phrase: str) -> None:
    phrases = Phrases([phrase])
    assert phrases.said_in(phrase) == (phrase if phrases else "")
