"""Cutting messages out of a stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.sip.messages import MAX_LINE_CHARACTERS, MAX_MESSAGE_BYTES, Malformed, Request, parse
from onhook.sip.stream import PING, PONG, Framer, FramingError

BYE = b"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx\r\nCall-ID: x\r\nContent-Length: 0\r\n\r\n"
INFO = b"INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKy\r\nl: 11\r\n\r\nbody\r\n\r\nend"
NO_LENGTH = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKz\r\n\r\n"
BARE_LF = b"OPTIONS sip:a@b SIP/2.0\nVia: SIP/2.0/TCP h\nContent-Length : 4\n\n\r\n\r\n"


def head(*lines: bytes) -> bytes:
    return b"\r\n".join([b"OPTIONS sip:a@b SIP/2.0", b"Via: SIP/2.0/TCP h;branch=z9hG4bKx", *lines, b"", b""])


def failed(framer: Framer) -> FramingError:
    assert framer.error is not None
    return framer.error


# Whole messages


def test_one_message_in_one_piece() -> None:
    framer = Framer()
    assert framer.feed(BYE) == [BYE]
    assert framer.waiting_bytes == 0
    assert framer.error is None


def test_several_messages_in_one_piece() -> None:
    assert Framer().feed(BYE + INFO + NO_LENGTH + BARE_LF + BYE) == [BYE, INFO, NO_LENGTH, BARE_LF, BYE]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 50])
def test_messages_in_small_pieces(size: int) -> None:
    framer = Framer()
    data = BYE + INFO + NO_LENGTH + BARE_LF + INFO
    found = [message for at in range(0, len(data), size) for message in framer.feed(data[at : at + size])]
    assert found == [BYE, INFO, NO_LENGTH, BARE_LF, INFO]
    assert framer.waiting_bytes == 0


def test_a_message_waits_for_its_body() -> None:
    framer = Framer()
    assert framer.feed(INFO[:-1]) == []
    assert framer.waiting_bytes == len(INFO) - 1
    assert framer.feed(INFO[-1:] + BYE[:10]) == [INFO]
    assert framer.feed(BYE[10:]) == [BYE]


def test_nothing_fed_nothing_found() -> None:
    framer = Framer()
    assert framer.feed(b"") == []
    assert framer.feed(BYE) == [BYE]


def test_without_content_length_there_is_no_body() -> None:
    framer = Framer()
    assert framer.feed(NO_LENGTH + b"body") == [NO_LENGTH]
    assert framer.waiting_bytes == 4


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length: 4",
        b"content-LENGTH:4",
        b"l : 4",
        b"L\t:\t4 ",
        b"Content-Length:\r\n 4",
        b"l: 4\r\nContent-Length: 004",
    ],
)
def test_content_length_in_every_spelling(line: bytes) -> None:
    message = head(line) + b"abcd"
    assert Framer().feed(message + BYE) == [message, BYE]
    read = parse(message)
    assert isinstance(read, Request)
    assert read.body == b"abcd"


@pytest.mark.parametrize(
    "line",
    [b"X-Content-Length: 4", b"Subject: x\r\n l: 4", b"Subject: Content-Length: 4", b"Content-Length-X: 4"],
)
def test_what_only_looks_like_content_length(line: bytes) -> None:
    assert Framer().feed(head(line) + BYE) == [head(line), BYE]


# Keep-alives


def test_a_ping_between_messages() -> None:
    assert Framer().feed(BYE + PING + INFO) == [BYE, PING, INFO]
    assert PONG == b"\r\n"


def test_a_ping_in_pieces() -> None:
    framer = Framer()
    assert [framer.feed(piece) for piece in (b"\r", b"\n\r", b"\n", b"")] == [[], [], [PING], []]
    assert framer.waiting_bytes == 0


def test_a_single_line_end_is_no_ping() -> None:
    framer = Framer()
    assert framer.feed(BYE + b"\r\n") == [BYE]
    assert framer.feed(INFO) == [INFO]


def test_many_pings_at_once_are_answered_once() -> None:
    framer = Framer()
    assert framer.feed(PING * 10_000) == [PING]
    assert framer.waiting_bytes == 0


def test_stray_line_ends_do_not_pile_up() -> None:
    framer = Framer()
    for _ in range(100):
        assert framer.feed(b"\n\n\n\n\r") == []
    assert framer.waiting_bytes <= 3
    assert framer.feed(BYE) == [BYE]


# When the stream is lost


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"Content-Length: -1", "'-1'"),
        (b"Content-Length: x", "'x'"),
        (b"Content-Length:", "''"),
        (b"Content-Length: 4\r\nl: 5", "'4, 5'"),
        (b"Content-Length: \xff", "not one number"),
        (b"Content-Length: " + b"9" * 5000, "not one number"),
    ],
)
def test_a_length_that_says_nothing_ends_the_stream(line: bytes, why: str) -> None:
    framer = Framer()
    assert framer.feed(BYE + head(line) + b"body" + BYE) == [BYE]
    assert why in failed(framer).why
    assert failed(framer).data == head(line)
    refused = parse(failed(framer).data)
    assert isinstance(refused, Malformed)
    assert refused.request is not None


def test_nothing_is_read_after_that() -> None:
    framer = Framer()
    framer.feed(head(b"Content-Length: x"))
    error = failed(framer)
    assert framer.feed(BYE) == []
    assert framer.error is error
    assert framer.waiting_bytes == 0


def test_a_message_too_long() -> None:
    framer = Framer()
    assert framer.feed(head(b"Content-Length: 65535")) == []
    assert f"longer than {MAX_MESSAGE_BYTES}" in failed(framer).why
    assert isinstance(parse(failed(framer).data), Malformed)


def test_the_longest_message() -> None:
    start = head(b"Content-Length: 65000")
    size = MAX_MESSAGE_BYTES - len(start)
    message = start.replace(b"65000", b"%d" % size) + b"x" * size
    assert len(message) == MAX_MESSAGE_BYTES
    assert Framer().feed(message + BYE) == [message, BYE]


def test_a_head_that_never_ends() -> None:
    framer = Framer()
    line = b"X: y\r\n"
    framer.feed(b"OPTIONS sip:a@b SIP/2.0\r\n")
    for _ in range(MAX_MESSAGE_BYTES // len(line) + 1):
        assert framer.feed(line) == []
    assert "header longer than" in failed(framer).why
    assert len(failed(framer).data) <= MAX_MESSAGE_BYTES


def test_bytes_without_any_line_end() -> None:
    framer = Framer()
    assert framer.feed(b"\x16\x03\x01" * MAX_LINE_CHARACTERS) == []
    assert "no SIP" in failed(framer).why


def test_another_protocol_with_a_head_is_the_parsers_to_refuse() -> None:
    framer = Framer()
    (message,) = framer.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert isinstance(parse(message), Malformed)
    assert framer.error is None


# Chance


@given(
    st.lists(st.sampled_from([BYE, INFO, NO_LENGTH, BARE_LF, PING]), max_size=8),
    st.lists(st.integers(1, 200), min_size=1, max_size=30),
)
def test_however_a_stream_is_cut_the_messages_are_the_same(messages: list[bytes], sizes: list[int]) -> None:
    data = b"".join(messages)
    framer = Framer()
    found: list[bytes] = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        found += framer.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert [message for message in found if message != PING] == [
        message for message in messages if message != PING
    ]
    assert (PING in found) == (PING in messages)
    assert framer.error is None


@given(
    st.lists(
        st.binary(max_size=50) | st.sampled_from([BYE, b"\r\n", b"\n\n", b"l: 3\r\n", b"Content-Length:"]),
        max_size=20,
    )
)
def test_any_bytes(pieces: list[bytes]) -> None:
    framer = Framer()
    for piece in pieces:
        for message in framer.feed(piece):
            assert message
            assert parse(message) is not None
            assert message in b"".join(pieces)
    assert framer.waiting_bytes <= sum(map(len, pieces))


@given(
    st.lists(st.sampled_from([BYE, INFO, BARE_LF, b"\xff", b"l: 2\r\n", b"\r\n", b"\n"]), max_size=12).map(
        b"".join
    )
)
def test_stream_and_parser_agree_on_where_a_message_ends(data: bytes) -> None:
    for message in Framer().feed(data):
        read = parse(message)
        if isinstance(read, Request) and "content-length" in read.headers:
            assert message.endswith(read.body)
            assert int(read.headers.get("content-length")) == len(read.body)
