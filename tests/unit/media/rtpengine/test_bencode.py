"""Bencode as rtpengine writes it, and what is none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.media.rtpengine.bencode import MAX_DEPTH, Unreadable, decode, encode

VALUES = st.recursive(
    st.integers(-(10**18), 10**18) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    assert decode(encode(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = decode(data)
    except Unreadable:
        return
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (0, b"i0e"),
        (-42, b"i-42e"),
        ("", b"0:"),
        ("ping", b"4:ping"),
        ("ü", b"2:\xc3\xbc"),
        ([], b"le"),
        (("a", 1), b"l1:ai1ee"),
        ({"command": "ping"}, b"d7:command4:pinge"),
        ({"b": ["x"], "a": {"n": 1}}, b"d1:bl1:xe1:ad1:ni1eee"),
    ],
)
def test_it_looks_so(value: Any, wire: bytes) -> None:
    assert encode(value) == wire


def test_keys_may_stand_in_any_order() -> None:
    assert decode(b"d6:result2:ok3:sdp3:v=0e") == {"result": "ok", "sdp": "v=0"}


def test_bytes_that_are_no_text_survive() -> None:
    text = decode(b"2:\xff\xfe")
    assert encode(text) == b"2:\xff\xfe"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it ends too early"),
        (b"x", "nothing that begins a value at byte 0"),
        (b"5:abc", "a string of 5 bytes at byte 0 goes beyond the end"),
        (b"1000000:a", "nothing that begins a value at byte 0"),
        (b"i12", "no integer at byte 0"),
        (b"ie", "no integer at byte 0"),
        (b"i1ee", "1 bytes too many after byte 3"),
        (b"l", "it ends too early"),
        (b"d1:a", "it ends too early"),
        (b"di1e1:ae", "nothing that begins a value at byte 1"),
        (b"l" * (MAX_DEPTH + 2), f"more than {MAX_DEPTH} levels"),
    ],
)
def test_what_cannot_be_read_says_where(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        decode(data)
