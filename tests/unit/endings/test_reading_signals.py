"""Status, CSeq, To tag and Reason, read straight from the bytes of a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.endings.signals import (
    MAX_PHRASE_CHARACTERS,
    NO_REASONS,
    Signal,
    body_of,
    cseq_of,
    printable,
    reasons_of,
    status_of,
    to_tag_of,
)


def response(*lines: str, body: str = "") -> bytes:
    return ("\r\n".join(("SIP/2.0 486 Busy Here", *lines)) + "\r\n\r\n" + body).encode()


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"SIP/2.0 486 Busy Here\r\n", 486),
        (b"SIP/2.0 180 \r\n", 180),
        (b"SIP/2.0 200\r\n", 200),
        (b"SIP/2.0 200", 200),
        (b"SIP/2.0 20\r\n", 0),
        (b"SIP/2.0 2000 OK\r\n", 0),
        (b"SIP/2.0 abc OK\r\n", 0),
        (b"INVITE sip:x SIP/2.0\r\n", 0),
        (b"", 0),
    ],
)
def test_status(message: bytes, status: int) -> None:
    assert status_of(message) == status


@pytest.mark.parametrize(
    ("line", "cseq"),
    [
        ("CSeq: 1 INVITE", (1, b"INVITE")),
        ("cseq:7 BYE", (7, b"BYE")),
        ("CSEQ:   9   CANCEL  ", (9, b"CANCEL")),
        ("CSeq : 3 ACK", (3, b"ACK")),
        ("CSeq: 12345678901234567890 INVITE", (0, b"")),
        ("CSeq: x INVITE", (0, b"")),
        ("CSeq:", (0, b"")),
        ("X-CSeq: 1 INVITE", (0, b"")),
    ],
)
def test_cseq(line: str, cseq: tuple[int, bytes]) -> None:
    assert cseq_of(response("Via: SIP/2.0/UDP a", line, "Call-ID: x")) == cseq


def test_a_cseq_in_the_body_is_not_read() -> None:
    assert cseq_of(response("Call-ID: x", body="a\r\nCSeq: 5 BYE\r\n")) == (0, b"")


@pytest.mark.parametrize(
    ("line", "tag"),
    [
        ("To: <sip:a@b>;tag=abc", b"abc"),
        ("to: <sip:a@b>;TAG=abc;x=y", b"abc"),
        ('To: "a;tag=no" <sip:a@b;tag=no>;tag=yes', b"yes"),
        ("To: <sip:a@b>", b""),
        ("To: sip:a@b;tag=abc", b"abc"),
        ("t: <sip:a@b>;tag=compact", b"compact"),
        ("From: <sip:a@b>;tag=other", b""),
    ],
)
def test_to_tag(line: str, tag: bytes) -> None:
    assert to_tag_of(response(line, "CSeq: 1 INVITE")) == tag


def test_reasons_of_both_protocols() -> None:
    message = response('Reason: SIP;cause=486;text="Busy", Q.850;cause=17;text="User busy"')
    reasons = reasons_of(message)
    assert (reasons.q850_cause, reasons.q850_text) == (17, "User busy")
    assert (reasons.sip_cause, reasons.sip_text) == (486, "Busy")


def test_the_first_reason_of_a_protocol_counts() -> None:
    message = response("Reason: Q.850;cause=17", "REASON: q.850;cause=34")
    assert reasons_of(message).q850_cause == 17


@pytest.mark.parametrize(
    "line", ["Reason: Q.850", "Reason: ;;;", "Reason: ;\x0b;", "Reason:", "X-Reason: Q.850;cause=1", "A: b"]
)
def test_no_readable_reason_is_none(line: str) -> None:
    assert reasons_of(response(line)) == NO_REASONS


def test_the_phrase_is_made_fit_to_print() -> None:
    assert Signal(1, 486, b"SIP/2.0 486 Busy Here\r\n\r\n", NO_REASONS).phrase == "Busy Here"
    assert Signal(1, 486, b"SIP/2.0 486\r\n\r\n", NO_REASONS).phrase == ""
    assert Signal(1, 486, "SIP/2.0 486 Besetzt \u00fc\x07!\r\n".encode(), NO_REASONS).phrase == "Besetzt ü !"
    long = Signal(1, 486, b"SIP/2.0 486 " + b"x" * 500, NO_REASONS).phrase
    assert len(long) == MAX_PHRASE_CHARACTERS
    assert long.endswith("…")


def test_printable_keeps_what_fits() -> None:
    assert printable("abc", 3) == "abc"
    assert printable("abcd", 3) == "ab…"
    assert printable("a\nb") == "a b"


def test_body() -> None:
    assert body_of(response("Content-Length: 3", body="abc")) == b"abc"
    assert body_of(b"garbage") == b""


@given(st.binary(max_size=300))
def test_nothing_raises(data: bytes) -> None:
    for message in (data, b"SIP/2.0 486 " + data, b"SIP/2.0 200 OK\r\n" + data + b"\r\n\r\n"):
        assert 0 <= status_of(message) <= 999
        assert cseq_of(message)[0] >= 0
        assert isinstance(to_tag_of(message), bytes)
        reasons_of(message + b"\r\nReason: " + data)
        assert Signal(1, 486, message, NO_REASONS).phrase.isprintable()
