"""key_lines: every key on the line where it stands, in any form TOML allows."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.config.lines import Path, key_lines

EVERY_FORM = '''\
# a comment with [table] and key = 1 in it
title = "one # no comment"

[server]
port = 8443   # trailing
"quoted key" = 1
'literal.key' = 2
"tab\\tbed" = 3
hosts = [
  "a",   # first ]
  "b, c",

  ["d", "e"],
]
text = """
[not.a.table]
key = "inside \\""""
after = 1
raw = \'\'\'
[[route]]
it''s\'\'\'
inline = { a = 1, b.c = "}", d = [1, 2] }
date = 1979-05-27T07:32:00Z

[ trunk . "my sbc" ]
host = 'h'
a.b.c = 1
a.b.d = 2

[[route]]
name = "one"
[route.extra]
deep = 1

[[route]]

name = "two"
[[route.leg]]
x = 1
[[route.leg]]
x = 2
'''


def test_keys_of_every_form_are_found_on_their_lines() -> None:
    lines = key_lines(EVERY_FORM)
    expected: dict[Path, int] = {
        ("title",): 2,
        ("server",): 4,
        ("server", "port"): 5,
        ("server", "quoted key"): 6,
        ("server", "literal.key"): 7,
        ("server", "tab\tbed"): 8,
        ("server", "hosts"): 9,
        ("server", "hosts", 0): 10,
        ("server", "hosts", 1): 11,
        ("server", "hosts", 2): 13,
        ("server", "hosts", 2, 0): 13,
        ("server", "hosts", 2, 1): 13,
        ("server", "text"): 15,
        ("server", "after"): 18,
        ("server", "raw"): 19,
        ("server", "inline"): 22,
        ("server", "inline", "a"): 22,
        ("server", "inline", "b"): 22,
        ("server", "inline", "b", "c"): 22,
        ("server", "inline", "d"): 22,
        ("server", "inline", "d", 0): 22,
        ("server", "inline", "d", 1): 22,
        ("server", "date"): 23,
        ("trunk",): 25,
        ("trunk", "my sbc"): 25,
        ("trunk", "my sbc", "host"): 26,
        ("trunk", "my sbc", "a"): 27,
        ("trunk", "my sbc", "a", "b"): 27,
        ("trunk", "my sbc", "a", "b", "c"): 27,
        ("trunk", "my sbc", "a", "b", "d"): 28,
        ("route",): 30,
        ("route", 0): 30,
        ("route", 0, "name"): 31,
        ("route", 0, "extra"): 32,
        ("route", 0, "extra", "deep"): 33,
        ("route", 1): 35,
        ("route", 1, "name"): 37,
        ("route", 1, "leg"): 38,
        ("route", 1, "leg", 0): 38,
        ("route", 1, "leg", 0, "x"): 39,
        ("route", 1, "leg", 1): 40,
        ("route", 1, "leg", 1, "x"): 41,
    }
    assert lines == expected


def test_the_example_of_every_form_is_valid_and_every_key_of_it_has_a_line() -> None:
    assert _paths(tomllib.loads(EVERY_FORM), ()) == set(key_lines(EVERY_FORM))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_both_line_endings_count_once(newline: str) -> None:
    text = newline.join(["a = 1", '"b" = """', 'x"""', "", "c = [", "1,", "]", "d = 4"])
    assert key_lines(text) == {
        ("a",): 1,
        ("b",): 2,
        ("c",): 5,
        ("c", 0): 6,
        ("d",): 8,
    }


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only a comment", "a = 1", "a = 'x'", 'a = """x"""', "a = []", "a = {}"]
)
def test_a_text_may_end_anywhere(text: str) -> None:
    assert key_lines(text) == ({("a",): 1} if "a = " in text else {})


def test_quotes_just_before_the_closing_three_belong_to_the_text() -> None:
    text = 'a = """x"""""\nb = 1\n'
    assert tomllib.loads(text) == {"a": 'x""', "b": 1}
    assert key_lines(text)["b",] == 2


KEYS = st.text("abcDEF019_-", min_size=1, max_size=5) | st.text(min_size=1, max_size=5).map(
    lambda text: text.replace("\n", " ")
)
LEAVES = (
    st.integers(-(2**60), 2**60)
    | st.booleans()
    | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


@given(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_document_agrees_with_tomllib_and_with_the_line_it_was_written_on(
    plain: dict[str, Any], tables: dict[str, dict[str, Any]], newline: str
) -> None:
    written: list[str] = []
    expected: dict[Path, int] = {}
    for key, value in plain.items():
        written += ["# comment", f"{_key(key)} = {_toml(value)} # after"]
        expected[key,] = len(written)
    for name, table in tables.items():
        written.append(f"[table.{_key(name)}]")
        expected["table", name] = len(written)
        for key, value in table.items():
            written.append(f"\t{_key(key)}={_toml(value)}")
            expected["table", name, key] = len(written)
    if "table" in plain:
        return  # a key cannot be a value and a table
    text = newline.join(written)
    found = key_lines(text)
    assert {path: found[path] for path in expected} == expected
    assert set(found) == _paths(tomllib.loads(text), ())


def _paths(value: Any, at: Path) -> set[Path]:
    if isinstance(value, dict):
        return {(*at, key) for key in value}.union(*(_paths(each, (*at, key)) for key, each in value.items()))
    if isinstance(value, list):
        return {(*at, n) for n in range(len(value))}.union(
            *(_paths(each, (*at, n)) for n, each in enumerate(value))
        )
    return set()


def _key(key: str) -> str:
    return (
        key
        if key and all(char.isascii() and (char.isalnum() or char in "_-") for char in key)
        else _toml(key)
    )


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = "".join(
            char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in value
        )
        return f'"{escaped}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(key)} = {_toml(each)}' for key, each in value.items())}}}"
    return repr(value)
