import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onhook.sip.messages import Headers
from onhook.sip.quoted import is_quoted, quote, unquote
from onhook.sip.reason import (
    MAX_REASONS,
    MAX_TEXT_LENGTH,
    Reason,
    parse_reasons,
    q850,
    sip,
    write_reason,
)

# Reading


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('Q.850;cause=16;text="Terminated"', Reason("Q.850", 16, "Terminated")),
        ('SIP ;cause=200 ;text="Call completed elsewhere"', Reason("SIP", 200, "Call completed elsewhere")),
        ("q.850;cause=17", Reason("Q.850", 17)),
        ("sip;CAUSE=486", Reason("SIP", 486)),
        ("Q.850; cause = 17 ; text = Busy", Reason("Q.850", 17, "Busy")),
        ("Preemption;cause=1;text=UA", Reason("Preemption", 1, "UA")),
        ("Q.850", Reason("Q.850")),
        ('Q.850;text="no number"', Reason("Q.850", None, "no number")),
        ("Q.850;cause=31;location=LN;x", Reason("Q.850", 31)),
        ('Q.850;text="first";text="second";cause=17', Reason("Q.850", 17, "first")),
        ('Q.850;cause=17;text=""', Reason("Q.850", 17)),
        ("Q.850;cause=016", Reason("Q.850", 16)),
    ],
)
def test_one_value(line: str, reason: Reason) -> None:
    assert parse_reasons([line]) == [reason]


def test_commas_semicolons_and_escapes_within_a_text() -> None:
    line = r'Q.850;cause=17;text="busy, say \"engaged\"; line=1, 2",SIP;cause=486;text="a\\b"'
    assert parse_reasons([line]) == [
        Reason("Q.850", 17, 'busy, say "engaged"; line=1, 2'),
        Reason("SIP", 486, r"a\b"),
    ]


def test_several_values_on_one_line_and_on_several() -> None:
    lines = ["SIP;cause=603, Q.850;cause=21", 'X-Trunk;cause=9;text="own"']
    assert [(r.protocol, r.cause) for r in parse_reasons(lines)] == [
        ("SIP", 603),
        ("Q.850", 21),
        ("X-Trunk", 9),
    ]


@pytest.mark.parametrize(
    "value",
    [
        "",
        ";cause=16",
        ";SIP;cause=486",
        "Q.850;cause=",
        "Q.850;cause",
        "Q.850;cause=busy",
        "Q.850;cause=-1",
        "Q.850;cause=1.5",
        "Q.850;cause=²",
        "Q.850;cause=1234567",
        "Q.850;cause=16;cause=17",
        "Q 850;cause=16",
        '"Q.850";cause=16',
        "Q.850=16",
    ],
)
def test_malformed_values_are_left_out_and_their_neighbours_kept(value: str) -> None:
    assert parse_reasons([value]) == []
    assert parse_reasons([f"SIP;cause=480,{value},Q.850;cause=19"]) == [
        Reason("SIP", 480),
        Reason("Q.850", 19),
    ]


def test_a_text_that_was_cut_off_keeps_its_cause() -> None:
    assert parse_reasons(['Q.850;cause=17;text="User bu']) == [Reason("Q.850", 17, "User bu")]


def test_a_quoted_cause_is_no_number() -> None:
    assert parse_reasons(['Q.850;cause="16"']) == []


def test_limits() -> None:
    assert len(parse_reasons(["SIP;cause=480"] * (MAX_REASONS + 1))) == MAX_REASONS
    assert len(parse_reasons([",".join(["SIP;cause=480"] * 40)])) == MAX_REASONS
    (reason,) = parse_reasons([f'SIP;cause=480;text="{"x" * 5000}"'])
    assert len(reason.text) == MAX_TEXT_LENGTH


# Picking


def test_the_first_with_a_cause_of_each_protocol() -> None:
    headers = Headers.of(
        ("Reason", 'Q.850;text="none", SIP;cause=486'),
        ("Reason", "Q.850;cause=17, Q.850;cause=16, SIP;cause=603"),
    )
    assert q850(headers) == Reason("Q.850", 17)
    assert sip(headers) == Reason("SIP", 486)


def test_no_reason_header_is_none() -> None:
    assert q850(Headers()) is None
    assert sip(Headers()) is None


def test_only_another_protocol_is_none() -> None:
    assert q850(Headers.of(("Reason", "SIP;cause=486"))) is None
    assert sip(Headers.of(("Reason", "Q.850;cause=17"))) is None


# Writing


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (Reason("Q.850", 16, "Normal call clearing"), 'Q.850;cause=16;text="Normal call clearing"'),
        (Reason("SIP", 480), "SIP;cause=480"),
        (Reason("Q.850"), "Q.850"),
        (Reason("SIP", 0, 'say "no"'), r'SIP;cause=0;text="say \"no\""'),
    ],
)
def test_writing(reason: Reason, line: str) -> None:
    assert write_reason(reason) == line


def test_a_text_cannot_add_a_header() -> None:
    line = write_reason(Reason("SIP", 480, "x\r\nVia: evil\0"))
    assert line == 'SIP;cause=480;text="x  Via: evil "'


texts = st.text(st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]), max_size=40)
reasons = st.builds(
    Reason,
    st.sampled_from(["Q.850", "SIP", "Preemption", "x-own.1"]),
    st.none() | st.integers(0, 999_999),
    texts,
)


@given(st.lists(reasons, max_size=MAX_REASONS))
def test_what_is_written_is_read(written: list[Reason]) -> None:
    assert parse_reasons([",".join(write_reason(reason) for reason in written)]) == written
    assert parse_reasons([write_reason(reason) for reason in written]) == written


@given(st.lists(st.text(max_size=80), max_size=4))
@example(['Q.850;cause=17;text="\\'])
@example(['";cause'])
def test_no_text_breaks_the_reader(lines: list[str]) -> None:
    read = parse_reasons(lines)
    assert all(reason.protocol for reason in read)
    assert all(reason.cause is None or 0 <= reason.cause <= 999_999 for reason in read)


# Quoted strings


@given(texts)
def test_quoting_round_trips(value: str) -> None:
    assert is_quoted(quote(value))
    assert unquote(quote(value)) == value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("token", "token"),
        ("", ""),
        ('""', ""),
        ('"', ""),
        ('"cut', "cut"),
        (r'"cut\"', 'cut"'),
        (r'"a\\"', "a\\"),
        (r"a\b", r"a\b"),
    ],
)
def test_unquoting(value: str, says: str) -> None:
    assert unquote(value) == says


@pytest.mark.parametrize("line", [";;;", ";", ";cause=17", " ; ; ", ",;,"])
def test_a_value_without_a_protocol_is_left_out(line: str) -> None:
    assert parse_reasons([line, "Q.850;cause=17"]) == [Reason("Q.850", 17)]
