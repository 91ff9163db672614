"""Bytes that are no message, limits, and whatever chance makes of messages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.sip.messages import (
    MAX_HEADER_LINES,
    MAX_LINE_CHARACTERS,
    MAX_MESSAGE_BYTES,
    Headers,
    Malformed,
    Request,
    Response,
    parse,
)

START = b"OPTIONS sip:a@b SIP/2.0\r\n"
NEEDED = (
    b"Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:c@d>\r\nCall-ID: x@y\r\n"
    b"CSeq: 1 OPTIONS\r\n"
)
OK = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKa1\r\n"
    b"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n"
    b'From: "A \\"B\\", C" <sip:a@b>;tag=f1\r\nTo: <sip:c@d>;tag=t1\r\nCall-ID: x@y\r\nCSeq: 1 INVITE\r\n'
    b"Contact:\r\n <sip:c@192.0.2.11>\r\nServer: \xd0\xb4\xd0\xb0\r\nl: 4\r\n\r\nv=0\xff"
)


def read(data: bytes) -> Malformed:
    message = parse(data)
    assert isinstance(message, Malformed), message
    return message


# What is wrong is named


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "keep-alive"),
        (b"\r\n\r\n", "keep-alive"),
        (b"\0\0\0\0", "keep-alive"),
        (b"garbage", "no empty line"),
        (START + NEEDED, "no empty line"),
        (b"OPTIONS sip:a@b SIP/2.0\nTo: x\n", "no empty line"),
        (b"OPTIONS sip:a@b SIP/2.0\r\nTo: x\nFrom: y\r\n\r\n", "CR or LF alone"),
        (b"OPTIONS sip:a@b SIP/2.0\r\nTo: x\rFrom: y\r\n\r\n", "CR or LF alone"),
        (b"OPTIONS sip:a@b SIP/2.0\nTo: x\r\n\r\n", "CR or LF alone"),
        (b"OPTIONS sip:a@b SIP/2.0\nTo: x\rFrom: y\n\n", "CR or LF alone"),
        (START + b"To Bob\r\n\r\n", "without a colon: 'To Bob'"),
        (START + b"To\r\n\r\n", "without a colon: 'To'"),
        (START + b": x\r\n\r\n", "name is no token: ''"),
        (START + b"Ca ll: x\r\n\r\n", "name is no token: 'Ca ll'"),
        (START + "Tö: x\r\n\r\n".encode(), "name is no token: 'Tö'"),
        (START + b" To: x\r\n\r\n", "start line"),
        (START + b"Content-Length: -1\r\n\r\n", "not one number: '-1'"),
        (START + b"Content-Length: 1\r\nl: 2\r\n\r\nab", "not one number: '1, 2'"),
        (START + b"Content-Length:\r\n\r\n", "not one number: ''"),
        (START + b"Content-Length: 1e3\r\n\r\n", "not one number: '1e3'"),
        (START + "Content-Length: ²\r\n\r\n".encode(), "not one number: '²'"),
        (START + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "not one number: '999"),
        (START + b"Content-Length: 5\r\n\r\nabcd", "is 5, but only 4 bytes follow"),
        (b"OPTIONS  sip:a@b SIP/2.0\r\n\r\n", "start line"),
        (b"OPTIONS sip:a@b SIP/2.0 \r\n\r\n", "start line"),
        (b"OPTIONS sip:a b SIP/2.0\r\n\r\n", "start line"),
        (b"OPTIONS  SIP/2.0\r\n\r\n", "start line"),
        (b"OPT(ONS sip:a@b SIP/2.0\r\n\r\n", "start line"),
        (b"OPTIONS sip:a@b\r\n\r\n", "start line"),
        (b"GET / HTTP/1.1\r\n\r\n", "start line"),
        (b"OPTIONS sip:a@b SIP/7.0\r\n\r\n", "version 'SIP/7.0'"),
        (b"SIP/7.0 200 OK\r\n\r\n", "start line"),
        (b"SIP/2.0\r\n\r\n", "start line"),
        (b"SIP/2.0  200 OK\r\n\r\n", "status is not a number from 100 to 699: ''"),
        (b"SIP/2.0 099 OK\r\n\r\n", "status is not"),
        (b"SIP/2.0 700 OK\r\n\r\n", "status is not"),
        (b"SIP/2.0 20 OK\r\n\r\n", "status is not"),
        (b"SIP/2.0 2000 OK\r\n\r\n", "status is not"),
        (b"SIP/2.0 -20 OK\r\n\r\n", "status is not"),
        ("SIP/2.0 ²00 OK\r\n\r\n".encode(), "status is not"),
        ("SIP/2.0 ٢٠٠ OK\r\n\r\n".encode(), "status is not"),
        (b"SIP/2.0 4294967301 OK\r\n\r\n", "status is not"),
        (b"sip/2.0 x OK\r\n\r\n", "status is not"),
    ],
)
def test_what_is_wrong_is_named_and_no_byte_is_lost(data: bytes, why: str) -> None:
    malformed = read(data)
    assert why in malformed.why
    assert malformed.data == data


def test_keep_alives_are_told_from_garbage() -> None:
    assert read(b"").is_keep_alive
    assert read(b"\r\n").is_keep_alive
    assert read(b"\0").is_keep_alive
    assert not read(b"x").is_keep_alive
    assert not read(START).is_keep_alive


# What can be saved of it


def test_a_wrong_request_can_still_be_answered() -> None:
    malformed = read(START + NEEDED + b"Content-Length: 5\r\n\r\nabcd")
    assert malformed.status == 400
    assert malformed.call_id == "x@y"
    assert malformed.request is not None
    assert malformed.request.method == "OPTIONS"
    assert malformed.request.uri == "sip:a@b"
    assert malformed.request.branch == "z9hG4bKx"
    assert malformed.request.from_tag == "f"
    assert malformed.request.body == b""


def test_another_version_is_answered_505() -> None:
    malformed = read(b"OPTIONS sip:a@b SIP/7.0\r\n" + NEEDED + b"\r\n")
    assert malformed.status == 505
    assert malformed.request is not None


def test_a_request_line_with_odd_spaces_is_read_for_the_answer() -> None:
    malformed = read(b"INVITE  sip:a@b; lr  SIP/2.0 \r\n" + NEEDED + b"\r\n")
    assert malformed.request is not None
    assert (malformed.request.method, malformed.request.uri) == ("INVITE", "sip:a@b; lr")


def test_a_broken_line_among_good_ones_is_passed_over() -> None:
    malformed = read(START + b"broken\r\n(bad): y\r\n" + NEEDED.replace(b"Call-ID: ", b"i :\r\n ") + b"\r\n")
    assert malformed.call_id == "x@y"
    assert malformed.request is not None
    assert [name for name, _ in malformed.request.headers.items()] == ["via", "from", "to", "call-id", "cseq"]


def test_mixed_line_ends_are_read_for_the_answer() -> None:
    malformed = read(START + NEEDED.replace(b"\r\nTo", b"\nTo") + b"\r\n")
    assert malformed.request is not None
    assert malformed.request.headers.get("to") == "<sip:c@d>"


def test_a_head_that_never_ends_is_read_for_the_answer() -> None:
    malformed = read(START + NEEDED)
    assert malformed.request is not None
    assert malformed.request.cseq is not None


@pytest.mark.parametrize(
    "data",
    [
        b"ACK sip:a@b SIP/2.0\r\n" + NEEDED,  # an ACK is never answered
        START + NEEDED.replace(b"Via", b"Vaia"),
        START + NEEDED.replace(b"SIP/2.0/UDP h", b"nowhere"),
        b"(\r\n" + NEEDED,
        b"GET / HTTP/1.1\r\n" + NEEDED,
        b"SIP/2.0 2000 OK\r\n" + NEEDED,
    ],
)
def test_what_cannot_or_must_not_be_answered(data: bytes) -> None:
    malformed = read(data)
    assert malformed.request is None
    assert malformed.call_id == "x@y"


# Limits


def test_the_longest_message() -> None:
    head = START + NEEDED + b"Content-Length: 64000\r\n\r\n"
    assert isinstance(parse(head + b"x" * 64_000), Request)
    assert len(parse(head + b"x" * (MAX_MESSAGE_BYTES - len(head))).body) == 64_000  # type: ignore[union-attr]  # Malformed fails the test too


def test_a_message_too_long() -> None:
    malformed = read(START + NEEDED + b"\r\n" + b"x" * MAX_MESSAGE_BYTES)
    assert malformed.status == 513
    assert malformed.why == f"longer than {MAX_MESSAGE_BYTES} bytes"
    assert len(malformed.data) == MAX_MESSAGE_BYTES
    assert malformed.request is not None
    assert malformed.call_id == "x@y"


def test_as_many_header_lines_as_may_be() -> None:
    message = parse(START + b"X: y\r\n" * MAX_HEADER_LINES + b"\r\n")
    assert isinstance(message, Request)
    assert message.headers.count("x") == MAX_HEADER_LINES


def test_too_many_header_lines() -> None:
    malformed = read(START + NEEDED + b"X: y\r\n" * MAX_HEADER_LINES + b"\r\n")
    assert malformed.why == f"more than {MAX_HEADER_LINES} header lines"
    assert malformed.status == 513
    assert malformed.request is not None
    assert malformed.request.headers.count("x") < MAX_HEADER_LINES


def test_folded_lines_count_as_one() -> None:
    message = parse(START + b"X: y\r\n" + b" z\r\n" * MAX_HEADER_LINES + b"\r\n")
    assert isinstance(message, Request)
    assert message.headers.get("x") == "y" + " z" * MAX_HEADER_LINES


def test_the_longest_line() -> None:
    value = "y" * (MAX_LINE_CHARACTERS - 3)
    message = parse(START + f"X: {value}\r\n\r\n".encode())
    assert isinstance(message, Request)
    assert message.headers.get("x") == value


@pytest.mark.parametrize("filler", [b"y" * MAX_LINE_CHARACTERS, b"y\r\n " * (MAX_LINE_CHARACTERS // 2)])
def test_a_line_too_long(filler: bytes) -> None:
    malformed = read(START + NEEDED + b"X-Long: " + filler + b"\r\n\r\n")
    assert malformed.why == f"header line longer than {MAX_LINE_CHARACTERS} characters: 'X-Long'"
    assert malformed.status == 513
    assert malformed.call_id == "x@y"


def test_a_start_line_too_long() -> None:
    malformed = read(b"OPTIONS sip:" + b"a" * MAX_LINE_CHARACTERS + b" SIP/2.0\r\n" + NEEDED + b"\r\n")
    assert malformed.status == 414
    assert malformed.request is not None


# Chance

tokens = st.text(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~", min_size=1, max_size=20
)
texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=40)
values = texts.map(lambda text: text.strip(" \t"))
header_pairs = st.lists(st.tuples(tokens, values), max_size=12).map(
    lambda pairs: Headers.of(*[pair for pair in pairs if pair[0].lower() not in {"l", "content-length"}])
)
uris = st.text(st.characters(exclude_characters="\r\n ", exclude_categories=["Cs"]), min_size=1, max_size=40)
requests = st.builds(Request, tokens, uris, header_pairs, st.binary(max_size=200))
responses = st.builds(Response, st.integers(100, 699), texts, header_pairs, st.binary(max_size=200))


def touch(message: Request | Response | Malformed) -> None:
    if isinstance(message, Malformed):
        assert message.why
        if message.request:
            assert message.request.via
            touch(message.request)
        return
    assert isinstance(message.branch + message.from_tag + message.to_tag + message.call_id, str)
    assert message.cseq is None or message.cseq.number < 2**31


@given(requests | responses)
def test_what_is_written_is_read_back(message: Request | Response) -> None:
    assert parse(message.to_bytes()) == message


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    touch(parse(data))


@given(
    st.lists(
        st.sampled_from([*OK.replace(b"\r\n", b"\n\r\n ").split(b" "), b"\r\n", b" ", b":", b"\r\n\r\n"]),
        max_size=40,
    )
)
def test_any_pieces_of_a_message(pieces: list[bytes]) -> None:
    message = parse(b"".join(pieces))
    touch(message)
    if not isinstance(message, Malformed):
        assert parse(message.to_bytes()) == message


@settings(max_examples=400)
@given(
    st.sampled_from([OK, START + NEEDED + b"\r\n", (START + NEEDED + b"\r\n").replace(b"\r\n", b"\n")]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=4)), min_size=1, max_size=4),
)
def test_a_real_message_with_bytes_changed(message: bytes, changes: list[tuple[float, int, bytes]]) -> None:
    data = bytearray(message)
    for place, removed, added in changes:
        at = int(place * len(data))
        data[at : at + removed] = added
    read_message = parse(bytes(data))
    touch(read_message)
    if isinstance(read_message, Malformed):
        assert read_message.data == bytes(data)
    else:
        assert parse(read_message.to_bytes()) == read_message


@given(st.integers(0, len(OK)))
def test_a_message_cut_anywhere_is_never_a_shorter_one(size: int) -> None:
    message = parse(OK[:size])
    if size < len(OK):
        touch(message)
        assert isinstance(message, Malformed)
    else:
        assert message == parse(OK)
