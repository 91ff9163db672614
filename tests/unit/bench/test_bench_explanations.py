"""The bench of explanations measures what it says."""

import json

import pytest

import explanations as bench
from onhook.endings.codes import find_all
from onhook.endings.lookup import look_up


def test_the_log_holds_pairs_of_the_catalogue_the_same_each_time() -> None:
    log = bench.drawn(20_000)
    assert log == bench.drawn(20_000)
    assert len(log) == 20_000
    assert all(find_all(*pair) for pair in set(log))
    assert len(set(log)) > 700, "rare pairs are there too"


def test_what_is_called_unlisted_is_different_each_time_and_mostly_in_no_table() -> None:
    new = bench.unlisted(2_000)
    assert len(set(new)) == 2_000
    assert sum(1 for pair in new if find_all(*pair)) < 10


@pytest.mark.parametrize("question", bench.QUESTIONS)
def test_every_question_has_an_answer(question: str) -> None:
    assert look_up(question).matches


def test_the_best_of_several_rounds() -> None:
    done: list[int] = []
    assert bench.best_seconds(lambda: done.append(1), 3) >= 0
    assert len(done) == 3


def test_it_measures_and_says_so_in_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["--json", "--rows", "20000", "--rounds", "1"])
    told = json.loads(capsys.readouterr().out)
    assert told["plain_dictionary_per_second"] > told["new_per_second"] > 0
    assert told["explained_per_second"] > 0
    assert 0 < told["slowest_question_ms"] < 1_000
    bench.main(["--rows", "20000", "--rounds", "1"])
    assert "explained per second" in capsys.readouterr().out
