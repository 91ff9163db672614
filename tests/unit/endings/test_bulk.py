"""Codes of many log rows at once: the same answers as one at a time, and fast."""

import time
from collections import Counter, deque

from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.endings.bulk import MAX_KEPT, Explanations, tally
from onhook.endings.codes import aliases, rows
from onhook.endings.lookup import explain_pair, explain_with, look_up
from onhook.endings.pages import pages_by_codes

PAIRS = [(row.code, row.subcode) for row in rows() if row.subcode is not None]
KNOWN = Explanations()
BARE = Explanations({})


def question(code: int | None, subcode: int) -> str:
    return f"subcode {subcode}" if code is None else f"code {code} subcode {subcode}"


class TestOneAndMany:
    def test_every_pair_of_the_catalogue_has_the_answer_that_why_gives(self) -> None:
        for code, subcode in PAIRS:
            assert KNOWN[code, subcode] == look_up(question(code, subcode), pages_by_codes()).matches[0]

    def test_misprints_too(self) -> None:
        for alias in aliases():
            match = KNOWN[alias.printed]
            assert (match.code, match.subcode) in {
                one.read_as for one in aliases() if one.printed == alias.printed
            }
            assert match == look_up(question(*alias.printed), pages_by_codes()).matches[0]

    @settings(deadline=None)  # the machine is shared
    @given(st.one_of(st.none(), st.integers(0, 999_999_999)), st.integers(0, 999_999_999))
    def test_any_pair_of_numbers_too(self, code: int | None, subcode: int) -> None:
        best = look_up(question(code, subcode)).matches[0]
        assert BARE[code, subcode] == best
        assert explain_pair(code, subcode) == explain_with(code, subcode, {}) == best

    def test_in_order_and_as_often_as_asked(self) -> None:
        asked = [(486, 560486), (0, 7000), (486, 560486), (403, 560777)]
        assert [match.subcode for match in KNOWN.of(asked)] == [560486, 7000, 560486, 560777]
        assert list(KNOWN.of([])) == []


class TestKept:
    def test_what_was_explained_is_kept(self) -> None:
        explanations = Explanations({})
        first = explanations[418, 560418]
        assert explanations[418, 560418] is first

    def test_no_more_than_the_limit_is_kept(self) -> None:
        explanations = Explanations({})
        for number in range(MAX_KEPT):
            dict.setdefault(explanations, (None, -1 - number), explanations[486, 560486])
        before = len(explanations)
        assert before >= MAX_KEPT
        assert explanations[418, 560418].subcode == 560418
        assert len(explanations) == before


class TestTally:
    LOG = [(486, 560486)] * 3 + [(0, 560000)] * 5 + [(401, 8565)] + [(499, 123456)] * 2

    def test_pairs_are_counted_the_most_frequent_first(self) -> None:
        told = tally(self.LOG, KNOWN)
        assert told.total == 11
        assert [(line.code, line.subcode, line.count) for line in told.lines] == [
            (0, 560000, 5),
            (486, 560486, 3),
            (499, 123456, 2),
            (401, 8565, 1),
        ]
        assert told.lines[1].ending == ("callee-busy",)
        assert told.lines[2].confidence == "low"

    def test_categories_and_endings_are_counted_by_rows(self) -> None:
        told = tally(self.LOG)
        assert told.categories["Success"] == 8
        assert sum(told.categories.values()) == sum(told.endings.values()) == told.total
        assert told.endings["callee-busy"] == 3
        assert told.endings[""] == 2

    def test_nothing(self) -> None:
        told = tally(iter(()), KNOWN)
        assert (told.total, told.lines, told.categories, told.endings) == (0, (), {}, {})

    def test_no_row_of_the_catalogue_is_uncounted(self) -> None:
        told = tally(PAIRS, KNOWN)
        assert told.total == len(PAIRS)
        assert {(line.code, line.subcode) for line in told.lines} == set(PAIRS)
        assert all(line.name for line in told.lines)
        assert Counter(PAIRS)[0, 560000] == next(
            line.count for line in told.lines if (line.code, line.subcode) == (0, 560000)
        )


def test_half_a_million_explanations_take_less_than_a_second_of_one_core() -> None:
    """The promise; the bench has the real figure, beside a plain dictionary (bench/explanations.py)."""
    log = (PAIRS * (500_000 // len(PAIRS) + 1))[:500_000]
    began = time.process_time()
    deque(KNOWN.of(log), maxlen=0)
    assert time.process_time() - began < 1
