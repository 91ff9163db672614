"""Reads SSML of applications and writes what eSpeak NG may be given: known elements with known values.

Nothing is passed through. eSpeak would open files that <audio> names, and a document type could name files
or grow without end; neither gets past here. Sources: W3C SSML 1.1; Microsoft, "SSML document structure and
events" and "Customize voice and sound with SSML" (documented).
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from onhook.media.speech.voices import Wish

MAX_CHARACTERS: Final = 64_000
MAX_DEPTH: Final = 64
MAX_BREAK_MS: Final = 20_000
"""Documented: longer breaks are cut to this."""

SPOKEN_AS_IT_IS: Final = frozenset(
    {"phoneme", "w", "token", "lexicon", "metadata", "meta", "desc", "bookmark", "mark"}
)
NOT_SPOKEN: Final = frozenset({"lexicon", "metadata", "meta", "desc", "bookmark", "mark"})
SAID_AS: Final = {
    "characters": "characters",
    "spell-out": "characters",
    "letters": "characters",
    "digits": "tts:digits",
    "number_digit": "tts:digits",
    "telephone": "tts:digits",
    "ordinal": "ordinal",
}
LEVELS: Final = frozenset({"strong", "moderate", "none", "reduced"})
STRENGTHS: Final = frozenset({"none", "x-weak", "weak", "medium", "strong", "x-strong"})
PROSODY: Final = {
    "rate": re.compile(r"x-slow|slow|medium|fast|x-fast|default|[+-]?\d{1,3}(\.\d{1,4})?%?"),
    "pitch": re.compile(r"x-low|low|medium|high|x-high|default|[+-]?\d{1,3}(\.\d{1,4})?%"),
    "volume": re.compile(r"silent|x-soft|soft|medium|loud|x-loud|default|[+-]?\d{1,3}(\.\d{1,4})?%?"),
}
DECIBEL: Final = re.compile(r"([+-]?\d{1,2}(\.\d{1,4})?)dB")
TIME: Final = re.compile(r"\+?(\d{1,7}(?:\.\d{1,4})?)(ms|s)")
NOT_OF_XML: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class Unreadable(Exception):
    """The text says what is wrong, and on which line."""


class Part(NamedTuple):
    """SSML for one voice, without a root; it is well-formed by itself."""

    wish: Wish
    ssml: str


def read_ssml(ssml: str) -> tuple[Part, ...]:
    """The parts in which something is to be spoken; none if there is nothing. Raises Unreadable."""
    return _Reader().read(ssml)


def from_text(text: str) -> str:
    """Plain text as it may stand in SSML."""
    return escape(NOT_OF_XML.sub(" ", text))


class _Element(NamedTuple):
    name: str
    begin: str
    """What was written for it; empty if nothing was."""
    wish: Wish
    """The voice outside of it."""
    silent: bool
    """Was nothing to be spoken outside of it?"""
    texts: int
    """Texts before it."""


class _Reader:
    """Follows the parser: writes each element that is known, and a new part at each other voice."""

    def __init__(self) -> None:
        self._open: list[_Element] = []
        self._parts: list[Part] = []
        self._written: list[str] = []
        self._texts = 0
        """Texts to be spoken so far, in all parts."""
        self._silent = False
        self._wish = Wish()
        self._parser = expat.ParserCreate(namespace_separator=None)
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.buffer_text = True

    def read(self, ssml: str) -> tuple[Part, ...]:
        try:
            self._parser.Parse(ssml.strip().encode("utf-8", "replace"), True)  # noqa: FBT003  # the last piece
        except expat.ExpatError as error:
            problem = expat.ErrorString(error.code)
            raise Unreadable(f"the SSML cannot be read: line {error.lineno}: {problem}") from None
        self._close_part()
        return tuple(self._parts) if self._texts else ()

    def _refuse_doctype(self, *_: Any) -> None:
        raise self._unreadable("a document type is not taken")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise self._unreadable(f"more than {MAX_DEPTH} elements within one another")
        if not self._open and name != "speak":
            raise self._unreadable(f"the root is <{name}> instead of <speak>")
        outside, was_silent, texts = self._wish, self._silent, self._texts
        begin = ""
        if name in {"speak", "voice", "lang"}:
            self._change_voice(self._wished(name, attributes))
        elif name == "sub" and attributes.get("alias"):
            self._text(attributes["alias"])
            self._silent = True
        elif name in NOT_SPOKEN:
            self._silent = True
        elif name in {"break", "mstts:silence"}:
            self._written.append(_pause(attributes))
        elif ":" not in name and name not in SPOKEN_AS_IT_IS:
            begin = self._begin_of(name, attributes)
        self._written.append(begin)
        self._open.append(_Element(name, begin, outside, was_silent, texts))

    def _end(self, name: str) -> None:
        element = self._open.pop()
        self._silent = element.silent
        if element.begin:
            self._written.append(f"</{_bare(element.begin)}>")
        if name == "audio" and self._texts == element.texts:
            raise self._unreadable(
                "<audio> is not fetched by the built-in engine, and has no text to speak instead; "
                "play the file as a source of its own"
            )
        self._change_voice(element.wish)

    def _text(self, text: str) -> None:
        if not self._silent:
            self._texts += not text.isspace()
            self._written.append(from_text(text))

    def _begin_of(self, name: str, attributes: Mapping[str, str]) -> str:
        """The element as eSpeak gets it."""
        match name:
            case "p" | "s":
                return f"<{name}>"
            case "emphasis":
                return _element(name, "level", attributes.get("level", "moderate"), LEVELS)
            case "say-as":
                return _element(name, "interpret-as", SAID_AS.get(attributes.get("interpret-as", ""), ""))
            case "prosody":
                return _prosody(attributes)
            case "sub" | "audio":
                return ""
            case _:
                raise self._unreadable(f"<{name}> is no element of SSML")

    def _wished(self, name: str, attributes: Mapping[str, str]) -> Wish:
        locale = attributes.get("xml:lang", "")
        if name == "voice":
            gender = attributes.get("gender", attributes.get("xml:gender", "")).lower()
            return Wish(attributes.get("name", ""), locale or self._wish.locale, gender)
        if name == "lang" and locale:
            return Wish("", locale, self._wish.gender)  # another language: the named person does not speak it
        return self._wish._replace(locale=locale or self._wish.locale)

    def _change_voice(self, wish: Wish) -> None:
        """End the part, and begin another in which the same elements are open."""
        if wish == self._wish:
            return
        self._close_part()
        self._wish = wish
        self._written = [element.begin for element in self._open if element.begin]

    def _close_part(self) -> None:
        ends = [f"</{_bare(element.begin)}>" for element in reversed(self._open) if element.begin]
        if any(written.strip() for written in self._written[len(ends) :]):
            self._parts.append(Part(self._wish, "".join((*self._written, *ends))))
        self._written = []

    def _unreadable(self, problem: str) -> Unreadable:
        return Unreadable(f"the SSML cannot be read: line {self._parser.CurrentLineNumber}: {problem}")


def _bare(begin: str) -> str:
    """The name of the element that begins so."""
    return begin[1:-1].partition(" ")[0]


def _element(name: str, attribute: str, value: str, allowed: frozenset[str] | None = None) -> str:
    if not value or (allowed is not None and value not in allowed):
        return ""
    return f"<{name} {attribute}={quoteattr(value)}>"


def _prosody(attributes: Mapping[str, str]) -> str:
    """With the values that eSpeak understands; what it cannot do is left out."""
    taken: list[str] = []
    for name, pattern in PROSODY.items():
        value = attributes.get(name, "").strip()
        if name == "volume" and (decibel := DECIBEL.fullmatch(value)):
            value = f"{100 * 10 ** (min(float(decibel[1]), 12.0) / 20):.0f}%"
        if pattern.fullmatch(value):
            taken.append(f"{name}={quoteattr(value)}")
    return f"<prosody {' '.join(taken)}>" if taken else ""


def _pause(attributes: Mapping[str, str]) -> str:
    time = TIME.fullmatch(attributes.get("time", attributes.get("value", "")).strip())
    if time:
        ms = float(time[1]) * (1 if time[2] == "ms" else 1000)
        return f'<break time="{min(ms, MAX_BREAK_MS):.0f}ms"/>'
    strength = attributes.get("strength", "medium")
    return f'<break strength="{strength if strength in STRENGTHS else "medium"}"/>'
