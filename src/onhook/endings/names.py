"""Find rows of the catalogue by name, by event, or by words of their meaning."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal, NamedTuple, TypeAlias

from onhook.endings.codes import CodeRow, rows

MAX_WORD_CHARS = 24
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NOT_LETTER = re.compile(r"[^a-z0-9]")
_TOKEN = re.compile(r"[a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ASIDE = re.compile(r"\s*\(.*?\)")
_EMPTY_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "been", "by", "can", "code", "error", "event", "failure",
    "for", "from", "has", "i", "in", "is", "it", "its", "no", "not", "of", "on", "or", "reason",
    "subcode", "that", "the", "this", "to", "was", "what", "when", "why", "with", "you", "your",
})  # fmt: skip

Fit: TypeAlias = Literal["name", "event", "words of the name", "words of the meaning", "some words"]


class Found(NamedTuple):
    fit: Fit
    row: CodeRow


class _Index(NamedTuple):
    exact: dict[str, list[int]]
    events: dict[str, list[int]]
    in_name: dict[str, set[int]]
    in_meaning: dict[str, set[int]]
    counts: Counter[str]


def squash(text: str) -> str:
    """Letters and digits only, lower-case: "Play Failed", "play-failed" and "PlayFailed" are one."""
    return _NOT_LETTER.sub("", text.lower())


def tokens(text: str) -> list[str]:
    """The words of `text` that tell something, lower-case; "PlayFailed" is two."""
    return [word for word in _TOKEN.findall(_CAMEL.sub(" ", text).lower()) if word not in _EMPTY_WORDS]


@cache
def _index() -> _Index:
    made = _Index(defaultdict(list), defaultdict(list), defaultdict(set), defaultdict(set), Counter())
    for number, row in enumerate(rows()):
        for name in {squash(row.name), squash(_ASIDE.sub("", row.name))}:
            made.exact[name].append(number)
        for event in row.events:
            made.events[squash(event)].append(number)
        for word in tokens(" ".join((row.name, *row.events))):
            made.in_name[word].add(number)
            made.counts[word] += 2
        for word in tokens(row.meaning):
            made.in_meaning[word].add(number)
            made.counts[word] += 1
    return made


def search(words: Sequence[str], code: int | None = None) -> list[Found]:
    """Rows that have all of `words`, best first; with `code`, only rows of that code."""
    index, listed = _index(), rows()
    joined = squash("".join(words))
    wanted = _wanted(words)
    best: dict[int, Found] = {}

    def offer(numbers: Iterable[int], fit: Fit) -> None:
        for number in numbers:
            if code is None or listed[number].code == code:
                best.setdefault(number, Found(fit, listed[number]))

    offer(index.exact.get(joined, ()), "name")
    offer(index.events.get(joined, ()), "event")
    if wanted:
        offer(_in_all([index.in_name.get(word, set()) for word in wanted]), "words of the name")
        offer(_in_all([_anywhere(word) for word in wanted]), "words of the meaning")
    return list(best.values())


def search_some(words: Sequence[str], code: int | None = None) -> list[Found]:
    """Rows that have more than half of `words`; those with the rarest words first."""
    listed = rows()
    wanted = _wanted(words)
    hits: Counter[int] = Counter()
    weights: Counter[int] = Counter()
    for word in wanted:
        numbers = _anywhere(word)
        for number in numbers:
            if code is None or listed[number].code == code:
                hits[number] += 1
                weights[number] += len(listed) // len(numbers)
    return [
        Found("some words", listed[number])
        for number, _ in weights.most_common()
        if hits[number] * 2 > len(wanted)
    ]


def _in_all(sets: list[set[int]]) -> list[int]:
    common = sets[0].intersection(*sets[1:])
    return sorted(common)


def _wanted(words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(tokens(" ".join(words))))


def _anywhere(word: str) -> set[int]:
    index = _index()
    return index.in_name.get(word, set()) | index.in_meaning.get(word, set())


def correct(words: Sequence[str]) -> dict[str, str]:
    """Words that no row knows, each with the known word one edit away (the commonest such word)."""
    known = _index().counts
    corrected: dict[str, str] = {}
    for word in tokens(" ".join(words)):
        if word in known or not 4 <= len(word) <= MAX_WORD_CHARS:
            continue
        near = [edit for edit in one_edit_away(word, _LETTERS) if edit in known]
        if near:
            corrected[word] = max(near, key=lambda candidate: (known[candidate], candidate))
    return corrected


def one_edit_away(text: str, alphabet: str) -> set[str]:
    """Every text that one deletion, swap of neighbours, replacement or insertion makes of `text`."""
    halves = [(text[:index], text[index:]) for index in range(len(text) + 1)]
    made = {left + right[1:] for left, right in halves if right}
    made |= {left + right[1] + right[0] + right[2:] for left, right in halves if len(right) > 1}
    made |= {left + char + right[1:] for left, right in halves if right for char in alphabet}
    made |= {left + char + right for left, right in halves for char in alphabet}
    made.discard(text)
    return made
