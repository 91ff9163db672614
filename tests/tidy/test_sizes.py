"""Files and functions that fit the eye, and more lines of test than of code."""

import statistics
from collections.abc import Callable

import pytest

from house import functions, lines_of, python, short, text

FILE_LINES, FILE_MEDIAN = 600, 200
FUNCTION_LINES, FUNCTION_P95 = 60, 40
TEST_LINES_A_SOURCE_LINE = 1.2


def lines(folder: str, *, generated: bool = True) -> list[int]:
    return [text(path).count("\n") for path in python(folder, generated=generated)]


def test_no_file_is_longer_than_its_limit() -> None:
    found = [f"{short(path)}: {n}" for path in python() if (n := text(path).count("\n")) > FILE_LINES]
    assert not found, "\n".join(found)


def test_no_function_is_longer_than_its_limit() -> None:
    found = [
        f"{short(path)}:{function.lineno} {function.name}: {lines_of(function)}"
        for path in python()
        for function in functions(path)
        if lines_of(function) > FUNCTION_LINES
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("folder", ["src", ""], ids=["the product", "everything"])
def test_the_usual_file_is_short(folder: str) -> None:
    assert statistics.median(lines(folder)) <= FILE_MEDIAN


def test_nearly_every_function_of_the_product_is_short() -> None:
    lengths = sorted(lines_of(function) for path in python("src") for function in functions(path))
    assert lengths[int(len(lengths) * 0.95)] <= FUNCTION_P95


def test_there_is_more_test_than_code(record_property: Callable[[str, object], None]) -> None:
    source, tests = sum(lines("src", generated=False)), sum(lines("tests"))
    record_property("tests_to_code", f"{tests / source:.2f}")
    said = (
        f"{tests} lines of test to {source} of code: {tests / source:.2f}, wanted {TEST_LINES_A_SOURCE_LINE}"
    )
    assert tests >= TEST_LINES_A_SOURCE_LINE * source, said
