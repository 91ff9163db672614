"""Quoted strings of headers (RFC 3261 section 25.1): text between double quotes, backslash escapes."""

import re

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NO_LINE_ENDS = str.maketrans("\r\n\0", "   ")


def quote(text: str) -> str:
    """`text` as a quoted string. Line ends, which a header cannot hold, become spaces."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').translate(_NO_LINE_ENDS) + '"'


def unquote(text: str) -> str:
    """What a value says: quotes and escapes removed; a plain token is itself.

    A closing quote that never came is forgiven: a cut header still says what it said.
    """
    if not text.startswith('"'):
        return text
    inner = text[1:-1] if is_quoted(text) else text[1:]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def is_quoted(text: str) -> bool:
    """Whether `text` opens with a quote and ends with one that is not itself escaped."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return False
    inner = text[1:-1]
    return (len(inner) - len(inner.rstrip("\\"))) % 2 == 0
