"""SSML is read, and written anew with what is known; nothing else passes."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.media.speech.ssml import MAX_DEPTH, Part, Unreadable, from_text, read_ssml
from onhook.media.speech.voices import Wish


def spoken(ssml: str) -> list[str]:
    return [part.ssml for part in read_ssml(ssml)]


@pytest.mark.parametrize(
    ("inside", "written"),
    [
        ("Hello &amp; &lt;you&gt;", "Hello &amp; &lt;you&gt;"),
        ("<p><s>One.</s><s>Two.</s></p>", "<p><s>One.</s><s>Two.</s></p>"),
        ('a<break time="300ms"/>b', 'a<break time="300ms"/>b'),
        ('a<break time="1.5s"/>b', 'a<break time="1500ms"/>b'),
        ('a<break time="99999s"/>b', 'a<break time="20000ms"/>b'),
        ('a<break time="never"/>b', 'a<break strength="medium"/>b'),
        ('a<break strength="weak"/>b', 'a<break strength="weak"/>b'),
        ("a<break/>b", 'a<break strength="medium"/>b'),
        ('a<mstts:silence type="Leading" value="200ms"/>b', 'a<break time="200ms"/>b'),
        ('<mstts:express-as style="cheerful">a</mstts:express-as>', "a"),
        ('<sub alias="World Wide Web">WWW</sub> now', "World Wide Web now"),
        ("<sub>WWW</sub>", "WWW"),
        ('<say-as interpret-as="spell-out">abc</say-as>', '<say-as interpret-as="characters">abc</say-as>'),
        ('<say-as interpret-as="telephone">112</say-as>', '<say-as interpret-as="tts:digits">112</say-as>'),
        ('<say-as interpret-as="currency">5</say-as>', "5"),
        ('<emphasis level="strong">a</emphasis>', '<emphasis level="strong">a</emphasis>'),
        ("<emphasis>a</emphasis>", '<emphasis level="moderate">a</emphasis>'),
        ('<emphasis level="&quot;/>">a</emphasis>', "a"),
        ('<prosody rate="+20.00%">a</prosody>', '<prosody rate="+20.00%">a</prosody>'),
        ('<prosody rate="1.2" pitch="high">a</prosody>', '<prosody rate="1.2" pitch="high">a</prosody>'),
        ('<prosody volume="+6dB">a</prosody>', '<prosody volume="200%">a</prosody>'),
        ('<prosody volume="-6dB">a</prosody>', '<prosody volume="50%">a</prosody>'),
        ('<prosody volume="+99dB">a</prosody>', '<prosody volume="398%">a</prosody>'),
        ('<prosody rate="very" contour="(0%,+20Hz)">a</prosody>', "a"),
        ('<phoneme alphabet="ipa" ph="x">a</phoneme>', "a"),
        ('<audio src="https://example.com/a.wav">beep</audio>', "beep"),
        ('a<bookmark mark="m"/><mark name="n"/>b', "ab"),
        ("a<metadata>not this</metadata><desc>nor this</desc>b", "ab"),
        ("<!-- not this -->a<?php nor this ?>", "a"),
        ("<![CDATA[a < b]]>", "a &lt; b"),
        ("a\x85b\u2028c", "a\x85b\u2028c"),
    ],
)
def test_what_is_known_is_written_as_espeak_has_it(inside: str, written: str) -> None:
    assert spoken(f'<speak version="1.0" xmlns:mstts="m">{inside}</speak>') == [written]


def test_each_voice_is_a_part_in_which_the_same_elements_are_open() -> None:
    ssml = (
        '<speak version="1.0" xml:lang="en-US"><voice name="en-US-JennyNeural">Hello '
        '<prosody rate="+20%">fast <lang xml:lang="de-DE">Guten Tag</lang> again</prosody></voice>'
        '<voice xml:lang="fr-FR" gender="Male">Salut</voice></speak>'
    )
    jenny = Wish("en-US-JennyNeural", "en-US")
    assert read_ssml(ssml) == (
        Part(jenny, 'Hello <prosody rate="+20%">fast </prosody>'),
        Part(Wish("", "de-DE"), '<prosody rate="+20%">Guten Tag</prosody>'),
        Part(jenny, '<prosody rate="+20%"> again</prosody>'),
        Part(Wish("", "fr-FR", "male"), "Salut"),
    )


def test_a_break_between_voices_is_kept() -> None:
    ssml = '<speak><voice name="a">x</voice><break time="1s"/><voice name="b">y</voice></speak>'
    assert spoken(ssml) == ["x", '<break time="1000ms"/>', "y"]


@pytest.mark.parametrize(
    "ssml",
    [
        "<speak/>",
        "<speak>  \n </speak>",
        '<speak><break time="1s"/></speak>',
        '<speak><voice name="a"> </voice></speak>',
        "<speak><desc>x</desc></speak>",
    ],
)
def test_where_nothing_is_spoken_there_is_no_part(ssml: str) -> None:
    assert read_ssml(ssml) == ()


@pytest.mark.parametrize(
    ("ssml", "problem"),
    [
        ("hello", "line 1: syntax error"),
        ("", "line 1: no element found"),
        ("<speak>\n<p>one</speak>", "line 2: mismatched tag"),
        ("<speak>a & b</speak>", "line 1: not well-formed"),
        ("<p>one</p>", "line 1: the root is <p> instead of <speak>"),
        ("<speak>\n\n<bold>one</bold></speak>", "line 3: <bold> is no element of SSML"),
        (
            '<speak>a<audio src="/etc/passwd"/></speak>',
            "line 1: <audio> is not fetched by the built-in engine",
        ),
        ('<!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak>a</speak>', "a document type is not taken"),
        ('<!DOCTYPE s [<!ENTITY a "aaaa">]><speak>&a;</speak>', "a document type is not taken"),
        ("<speak>&a;</speak>", "line 1: undefined entity"),
        (
            "<speak>" + "<p>" * MAX_DEPTH + "a" + "</p>" * MAX_DEPTH + "</speak>",
            f"more than {MAX_DEPTH} elements within one another",
        ),
    ],
)
def test_what_cannot_be_read_says_where_and_why(ssml: str, problem: str) -> None:
    with pytest.raises(Unreadable, match=f"the SSML cannot be read: .*{re.escape(problem)}"):
        read_ssml(ssml)


KNOWN = {"p", "s", "break", "say-as", "emphasis", "prosody", "x"}
NAMES = st.sampled_from(
    ["p", "voice", "lang", "prosody", "audio", "sub", "emphasis", "say-as", "mstts:x", "desc"]
)
VALUES = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8) | st.sampled_from(
    ["fast", "+10%", "de-DE"]
)


def element(name: str, attributes: dict[str, str], inside: list[str]) -> str:
    made = ET.Element(name, attributes)
    return ET.tostring(made, encoding="unicode", short_empty_elements=False).replace(
        "></", f">{''.join(inside)}</"
    )


TREES = st.recursive(
    st.text("ab &<>\"'é", max_size=6).map(from_text),
    lambda below: st.builds(
        element,
        NAMES,
        st.dictionaries(
            st.sampled_from(["rate", "level", "alias", "xml:lang", "name", "src"]), VALUES, max_size=2
        ),
        st.lists(below, max_size=3),
    ),
    max_leaves=12,
)


@given(st.lists(TREES, max_size=3))
def test_what_is_written_is_well_formed_and_known(trees: list[str]) -> None:
    try:
        parts = read_ssml(f'<speak xmlns:mstts="m">{"".join(trees)}</speak>')
    except Unreadable as problem:
        assert "<audio>" in str(problem)  # noqa: PT017  # the only mistake that can be drawn
        return
    for part in parts:
        assert {each.tag for each in ET.fromstring(f"<x>{part.ssml}</x>").iter()} <= KNOWN


@given(st.text())
def test_any_text_can_stand_in_ssml(text: str) -> None:
    if not any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        ET.fromstring(f"<x>{from_text(text)}</x>")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for ssml in (text, f"<speak>{text}</speak>"):
        try:
            said = "".join(spoken(ssml))
        except Unreadable as problem:
            said = str(problem)
        assert isinstance(said, str)
