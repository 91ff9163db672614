"""Bencode, the form of rtpengine's ng messages (BEP 3): integers, byte strings, lists and dictionaries.

Text is UTF-8; bytes that are none survive as surrogates. rtpengine writes the keys of a dictionary in any
order, so any order is read.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Value: TypeAlias = "int | str | Sequence[Value] | Mapping[str, Value]"
Dictionary: TypeAlias = dict[str, Value]

MAX_DEPTH: Final = 16
_INTEGER = re.compile(rb"i(-?[0-9]{1,20})e")
_LENGTH = re.compile(rb"([0-9]{1,6}):")


class Unreadable(ValueError):
    """Bytes that are no bencode; says where."""


def encode(value: Value) -> bytes:
    parts: list[bytes] = []
    _write(value, parts)
    return b"".join(parts)


def decode(data: bytes) -> Value:
    """The one value that `data` is. Raises Unreadable."""
    value, end = _read(data, 0, 0)
    if end != len(data):
        raise Unreadable(f"{len(data) - end} bytes too many after byte {end}")
    return value


def _write(value: Value, parts: list[bytes]) -> None:
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogateescape")
        parts.append(b"%d:%b" % (len(text), text))
    elif isinstance(value, int):
        parts.append(b"i%de" % value)
    elif isinstance(value, Mapping):
        parts.append(b"d")
        for key, each in value.items():
            _write(key, parts)
            _write(each, parts)
        parts.append(b"e")
    else:
        parts.append(b"l")
        for each in value:
            _write(each, parts)
        parts.append(b"e")


def _read(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    """The value that begins at `at`, and where it ends."""
    if depth > MAX_DEPTH:
        raise Unreadable(f"more than {MAX_DEPTH} levels at byte {at}")
    kind = data[at : at + 1]
    if kind == b"d":
        return _read_dictionary(data, at + 1, depth)
    if kind == b"l":
        items: list[Value] = []
        at += 1
        while data[at : at + 1] != b"e":
            item, at = _read(data, at, depth + 1)
            items.append(item)
        return items, at + 1
    if kind == b"i":
        found = _INTEGER.match(data, at)
        if found is None:
            raise Unreadable(f"no integer at byte {at}")
        return int(found[1]), found.end()
    return _read_text(data, at)


def _read_dictionary(data: bytes, at: int, depth: int) -> tuple[Dictionary, int]:
    pairs: Dictionary = {}
    while data[at : at + 1] != b"e":
        key, at = _read_text(data, at)
        pairs[key], at = _read(data, at, depth + 1)
    return pairs, at + 1


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    found = _LENGTH.match(data, at)
    if found is None:
        raise Unreadable(
            f"nothing that begins a value at byte {at}" if at < len(data) else "it ends too early"
        )
    end = found.end() + int(found[1])
    if end > len(data):
        raise Unreadable(f"a string of {int(found[1])} bytes at byte {at} goes beyond the end")
    return data[found.end() : end].decode("utf-8", "surrogateescape"), end
