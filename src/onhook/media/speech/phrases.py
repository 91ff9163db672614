"""Phrases that a caller may say: brought to the words of a dictionary, and found again in what was heard."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

MAX_PHRASES: Final = 500
MAX_WORDS: Final = 12
"""Of a phrase; what is longer is not said to a machine."""
POLITE: Final = ("please", "thanks")
"""May follow each phrase."""
DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS: Final = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_TOKEN: Final = re.compile(r"[a-z]+(?:'[a-z]+)*|[0-9]+")


def words_of(phrase: str) -> tuple[str, ...]:
    """In lower case, without accents, numbers spelled; empty for what has no letters of ours."""
    plain = unicodedata.normalize("NFKD", phrase.replace("’", "'").replace("&", " and ")).casefold()
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words: list[str] = []
    for token in _TOKEN.findall(bare):
        words += spelled(token) if token.isdecimal() else [token]
    return tuple(words)


def spelled(number: str) -> list[str]:
    """Up to 99 as a number, longer ones digit by digit, as callers say them."""
    if len(number) > 2 or (len(number) == 2 and number[0] == "0"):
        return [DIGITS[int(digit)] for digit in number]
    value = int(number)
    if value < 10:
        return [DIGITS[value]]
    if value < 20:
        return [TEENS[value - 10]]
    return [TENS[value // 10], DIGITS[value % 10]] if value % 10 else [TENS[value // 10]]


class Phrases:
    """What is reckoned with. `unusable` are those without letters or with too many words."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._by_words: dict[tuple[str, ...], str] = {}
        self.unusable: list[str] = []
        for phrase in phrases:
            words = words_of(phrase)
            if 0 < len(words) <= MAX_WORDS and len(self._by_words) < MAX_PHRASES:
                self._by_words.setdefault(words, phrase)
            else:
                self.unusable.append(phrase)

    def __bool__(self) -> bool:
        return bool(self._by_words)

    @property
    def all_words(self) -> tuple[tuple[str, ...], ...]:
        return tuple(self._by_words)

    def said_in(self, text: str) -> str:
        """The longest phrase that stands in a text, as the application wrote it; empty if none does."""
        said = words_of(text)
        for words in sorted(self._by_words, key=len, reverse=True):
            size = len(words)
            if any(said[at : at + size] == words for at in range(len(said) - size + 1)):
                return self._by_words[words]
        return ""


def grammar(phrases: Iterable[tuple[str, ...]]) -> str:
    """JSGF for one of the phrases (words as from `words_of`), and politeness after it."""
    choices = " | ".join(f"({' '.join(words)})" for words in phrases)
    return f"#JSGF V1.0;\ngrammar menu;\npublic <menu> = ({choices}) [{' | '.join(POLITE)}];\n"
