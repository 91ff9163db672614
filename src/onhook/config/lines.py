"""On which line of a TOML text each key stands: tomllib does not say.

`key_lines` walks a text that tomllib has already accepted (TOML 1.0), so it need only know where keys
and values begin and end, not whether they are right. Paths are tuples: ("trunk", "carrier", "port"),
and for arrays of tables and values in lists with a number from 0: ("route", 0, "trunks", 1).
"""

import re
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE = re.compile(r"[^,\]}#\n]*")
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([btnfr"\\e]))')
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\", "e": "\x1b"}


def key_lines(text: str) -> dict[Path, int]:
    """Map each key, table and list value of a valid TOML text to its line, the first being 1.

    A table written in several places keeps its first line.
    """
    walk = _Walk(text.replace("\r\n", "\n"))
    walk.document()
    return walk.lines


def _unescape(match: re.Match[str]) -> str:
    short, long, letter = match.groups()
    return _ESCAPED[letter] if letter else chr(int(short or long, 16))


class _Walk:
    """One pass over the text. `at` is the next character's place."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self._line = 1
        self._counted_to = 0
        self._tables: dict[Path, int] = {}  # arrays of tables: path -> number of the last one

    def document(self) -> None:
        table: Path = ()
        while self._skip_blank():
            if self.text.startswith("[[", self.at):
                table = self._header(2)
            elif self.text[self.at] == "[":
                table = self._header(1)
            else:
                self._pair(table)

    def _note(self, path: Path) -> None:
        self._line += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        self.lines.setdefault(path, self._line)

    def _skip_blank(self) -> bool:
        """Pass white space, newlines and comments; False at the end of the text."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char in " \t\n":
                self.at += 1
            else:
                return True
        return False

    def _header(self, brackets: int) -> Path:
        begin = self.at
        self.at += brackets
        keys = self._dotted_key()
        after, self.at = self.at + brackets, begin  # the table stands where its bracket opens
        path: Path = ()
        for key in keys[:-1]:
            path = self._within((*path, key))
            self._note(path)
        path = (*path, keys[-1])
        if brackets == 2:
            self._note(path)
            self._tables[path] = self._tables.get(path, -1) + 1
            path = (*path, self._tables[path])
        self._note(path)
        self.at = after
        return path

    def _within(self, path: Path) -> Path:
        """A header that goes through an array of tables means its last table."""
        return (*path, self._tables[path]) if path in self._tables else path

    def _pair(self, table: Path) -> None:
        begin = self.at
        keys = self._dotted_key()
        after, self.at = self.at, begin
        for length in range(1, len(keys) + 1):
            self._note((*table, *keys[:length]))
        self.at = after + 1  # past "="
        self._value((*table, *keys))

    def _dotted_key(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._skip_spaces()
            keys.append(self._simple_key())
            self._skip_spaces()
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _skip_spaces(self) -> None:
        while self.text[self.at] in " \t":
            self.at += 1

    def _simple_key(self) -> str:
        quote = self.text[self.at]
        if quote in "\"'":
            begin = self.at + 1
            self._string(quote)
            key = self.text[begin : self.at - 1]
            return _ESCAPE.sub(_unescape, key) if quote == '"' else key
        match = _BARE.match(self.text, self.at)
        assert match, f"no key at {self.at}"  # tomllib has accepted the text
        self.at = match.end()
        return match.group()

    def _value(self, path: Path) -> None:
        self._skip_spaces()
        char = self.text[self.at]
        if char in "\"'":
            triple = char * 3
            self._string(triple if self.text.startswith(triple, self.at) else char)
        elif char == "[":
            self._list(path)
        elif char == "{":
            self._inline_table(path)
        else:
            match = _PLAIN_VALUE.match(self.text, self.at)
            self.at = match.end() if match else self.at

    def _string(self, quote: str) -> None:
        """Pass a string of any of the four kinds; `at` stands on its opening quote."""
        self.at += len(quote)
        while not self.text.startswith(quote, self.at):
            self.at += 2 if quote[0] == '"' and self.text[self.at] == "\\" else 1
        self.at += len(quote)
        while len(quote) == 3 and self.text.startswith(quote[0], self.at):
            self.at += 1  # up to two quotes may belong to the text, just before the closing three

    def _list(self, path: Path) -> None:
        self.at += 1
        number = 0
        while self._skip_blank() and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._note((*path, number))
            self._value((*path, number))
            number += 1
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self._skip_blank() and self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self.at += 1
            else:
                self._pair(path)
        self.at += 1
