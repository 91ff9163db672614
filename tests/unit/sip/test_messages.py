"""Reading and writing SIP messages that are as they should be, or nearly."""

import dataclasses

import pytest

from onhook.sip.headers import CSeq
from onhook.sip.messages import METHODS, REASONS, Headers, Malformed, Request, Response, parse, respond

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
)
INVITE = (
    b"INVITE sip:+14255550123@sbc.example.com;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKa1;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "Contoso" <sip:+14255550100@192.0.2.10>;tag=f1\r\n'
    b"To: <sip:+14255550123@sbc.example.com>\r\n"
    b"Call-ID: 3848276298220188511@192.0.2.10\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:onhook@192.0.2.10:5060>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: %d\r\n\r\n" % len(SDP)
) + SDP


def read_request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request), message
    return message


def read_response(data: bytes) -> Response:
    message = parse(data)
    assert isinstance(message, Response), message
    return message


def with_head(*lines: bytes, start: bytes = b"OPTIONS sip:a@b SIP/2.0", end: bytes = b"\r\n") -> bytes:
    return end.join([start, *lines, b"", b""])


# Reading


def test_an_invite() -> None:
    invite = read_request(INVITE)
    assert invite.method == "INVITE"
    assert invite.uri == "sip:+14255550123@sbc.example.com;user=phone"
    assert invite.start_line == "INVITE sip:+14255550123@sbc.example.com;user=phone SIP/2.0"
    assert invite.body == SDP
    assert invite.call_id == "3848276298220188511@192.0.2.10"
    assert invite.branch == "z9hG4bKa1"
    assert invite.from_tag == "f1"
    assert invite.to_tag == ""
    assert invite.cseq == CSeq(1, "INVITE")
    assert invite.via is not None
    assert (invite.via.host, invite.via.port) == ("192.0.2.10", 5060)


def test_a_response() -> None:
    response = read_response(b"SIP/2.0 486 Busy Here\r\nTo: <sip:a@b>;tag=t1\r\nCSeq: 7 INVITE\r\n\r\n")
    assert (response.status, response.reason) == (486, "Busy Here")
    assert response.start_line == "SIP/2.0 486 Busy Here"
    assert response.to_tag == "t1"
    assert response.via is None
    assert response.from_ is None
    assert (response.branch, response.from_tag, response.call_id) == ("", "", "")


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"SIP/2.0 200 OK", 200, "OK"),
        (b"SIP/2.0 200 ", 200, ""),
        (b"SIP/2.0 200", 200, ""),
        (b"SIP/2.0 699  two  spaces ", 699, " two  spaces "),
        ("SIP/2.0 183 вызов".encode(), 183, "вызов"),
        (b"SIP/2.0 180 \xff\xfe", 180, "\udcff\udcfe"),
        (b"sip/2.0 100 Trying", 100, "Trying"),
    ],
)
def test_status_lines(line: bytes, status: int, reason: str) -> None:
    response = read_response(line + b"\r\n\r\n")
    assert (response.status, response.reason) == (status, reason)
    assert parse(response.to_bytes()) == response


@pytest.mark.parametrize("method", [*sorted(METHODS), "NEWMETHOD", "invite", "it's~odd%41"])
def test_methods_are_tokens_and_case_counts(method: str) -> None:
    request = read_request(f"{method} sip:a@b SIP/2.0\r\n\r\n".encode())
    assert request.method == method
    assert parse(request.to_bytes()) == request


def test_a_version_in_another_case_is_the_same_version() -> None:
    request = read_request(b"OPTIONS sip:a@b sip/2.0\r\n\r\n")
    assert request.to_bytes().startswith(b"OPTIONS sip:a@b SIP/2.0\r\n")


def test_compact_names_are_the_long_ones() -> None:
    request = read_request(
        with_head(b"v: SIP/2.0/UDP h;branch=b", b"F: <sip:a@b>;tag=f", b"t: <sip:c@d>", b"i: x", b"l: 0")
    )
    assert (request.branch, request.from_tag, request.call_id) == ("b", "f", "x")
    assert b"\r\nCall-ID: x\r\n" in request.to_bytes()


def test_names_in_odd_cases_with_spaces_before_the_colon() -> None:
    request = read_request(with_head(b"CALL-id  : x", b"cSEQ\t: 1 OPTIONS", b"x-odd:y"))
    assert request.call_id == "x"
    assert request.cseq == CSeq(1, "OPTIONS")
    assert request.headers.get("X-Odd") == "y"


def test_folded_lines_are_one_value() -> None:
    request = read_request(
        with_head(b"Subject: one", b" two", b"\tthree", b"To:", b"  <sip:a@b>", b"Call-ID: x")
    )
    assert request.headers.get("subject") == "one two three"
    assert request.headers.get("to") == "<sip:a@b>"
    assert request.call_id == "x"


def test_a_folded_line_that_looks_like_a_header_is_none() -> None:
    request = read_request(with_head(b"Subject: one", b" Call-ID: forged", b"Call-ID: real"))
    assert request.headers.get("subject") == "one Call-ID: forged"
    assert request.call_id == "real"


def test_a_name_alone_on_its_line_continues_in_the_next() -> None:
    request = read_request(with_head(b"To", b" : <sip:a@b>"))
    assert request.headers.get("to") == "<sip:a@b>"


def test_lines_of_one_header_keep_their_order() -> None:
    request = read_request(with_head(b"Via: one", b"To: x", b"v: two, three"))
    assert request.headers.all("via") == ["one", "two, three"]


def test_an_empty_value() -> None:
    assert read_request(with_head(b"Subject:")).headers.all("subject") == [""]
    assert read_request(with_head(b"s :  ")).headers.all("subject") == [""]


def test_line_ends_before_the_start_line_are_ignored() -> None:
    assert parse(b"\r\n\r\n" + INVITE) == parse(INVITE)


def test_a_head_of_bare_line_feeds() -> None:
    request = read_request(
        with_head(b"Subject: one", b" two", b"Call-ID: x", b"Content-Length: 4", end=b"\n") + b"a\r\n\nb"
    )
    assert request.headers.get("subject") == "one two"
    assert request.call_id == "x"
    assert request.body == b"a\r\n\n"


def test_an_empty_line_with_cr_in_the_body_of_a_bare_line_feed_message() -> None:
    assert read_request(with_head(b"To: x", end=b"\n") + b"body\r\n\r\nrest").body == b"body\r\n\r\nrest"


def test_values_are_utf_8_and_other_bytes_come_back_out() -> None:
    data = with_head(b"Subject: \xd0\xb4\xd0\xb0", b"X-Raw: \xff\x00\xc3", b"Content-Length: 0")
    request = read_request(data)
    assert request.headers.get("subject") == "да"
    assert b"X-Raw: \xff\x00\xc3\r\n" in request.to_bytes()


def test_only_spaces_and_tabs_are_taken_off_a_value() -> None:
    request = read_request(with_head("Subject: \t\u00a0x\u2003\x1f \t".encode()))
    assert request.headers.get("subject") == "\u00a0x\u2003\x1f"


def test_a_binary_body_is_kept_exactly() -> None:
    body = bytes(range(256)) + b"\r\n\r\n\xff"
    request = read_request(with_head(b"Content-Length: %d" % len(body)) + body)
    assert request.body == body
    assert request.to_bytes().endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize(
    ("length", "body"),
    [
        (b"Content-Length: 4", b"body"),
        (b"l:2", b"bo"),
        (b"Content-Length: 0", b""),
        (b"Content-Length: 0003", b"bod"),
        (b"Content-Length: 1\r\nl: 1", b"b"),
        (b"Content-Length:\r\n 2", b"bo"),
        (b"Subject: none", b"body"),
    ],
)
def test_the_body_is_as_long_as_content_length_says(length: bytes, body: bytes) -> None:
    assert read_request(with_head(length) + b"body").body == body


# Writing


def test_a_message_is_written_with_its_length() -> None:
    request = Request(
        "MESSAGE", "sip:a@b", Headers.of(("Call-ID", "x"), ("l", "99"), ("x-ms-y", "z")), b"hello"
    )
    assert request.to_bytes() == (
        b"MESSAGE sip:a@b SIP/2.0\r\nCall-ID: x\r\nX-Ms-Y: z\r\nContent-Length: 5\r\n\r\nhello"
    )
    assert Response(200, "OK").to_bytes() == b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_what_was_read_is_written_as_it_was() -> None:
    assert read_request(INVITE).to_bytes() == INVITE


@pytest.mark.parametrize(
    "message",
    [
        Request("INVITE", "sip:a@b", Headers.of(("Subject", "x\r\nVia: forged"))),
        Request("INVITE", "sip:a@b", Headers.of(("Subject", "x\ny"))),
        Request("INVITE", "sip:a@b", Headers.of(("Subject", "x\ry"))),
        Request("INVITE", "sip:a@b", Headers.of(("Sub\r\nject", "x"))),
        Request("INVITE", "sip:a@b\r\nVia: forged"),
        Response(200, "OK\r\n\r\n"),
    ],
)
def test_a_line_end_in_a_value_cannot_be_sent(message: Request | Response) -> None:
    with pytest.raises(ValueError, match="cannot hold a line end"):
        message.to_bytes()


# Equality and change


def test_equality_leaves_content_length_out() -> None:
    built = Request("OPTIONS", "sip:a@b", Headers.of(("To", "x")), b"abc")
    read = parse(built.to_bytes())
    assert read == built
    assert isinstance(read, Request)
    assert read.headers.get("content-length") == "3"


def test_what_differs_is_not_equal() -> None:
    one = Request("OPTIONS", "sip:a@b", Headers.of(("To", "x")), b"abc")
    assert one != dataclasses.replace(one, method="INFO")
    assert one != dataclasses.replace(one, uri="sip:a@c")
    assert one != dataclasses.replace(one, body=b"abd")
    assert one != dataclasses.replace(one, headers=Headers.of(("To", "y")))
    assert one != Response(200, "OK")
    assert Response(200, "OK") != Response(200, "Ok")
    assert Response(200, "OK") != one


def test_messages_can_change_so_they_have_no_hash() -> None:
    with pytest.raises(TypeError):
        hash(Response(200, "OK"))


def test_typed_values_follow_the_headers() -> None:
    request = read_request(INVITE)
    assert request.to_tag == ""
    request.headers.set("To", "<sip:a@b>;tag=new")
    assert request.to_tag == "new"
    request.headers.remove("via")
    assert request.via is None
    request.headers = Headers.of(("Via", "SIP/2.0/TCP h;branch=other"))
    assert request.branch == "other"


def test_unreadable_typed_values_are_none() -> None:
    request = read_request(with_head(b"Via: ,,", b"CSeq: x", b'From: "', b"To:"))
    assert request.via is None
    assert request.cseq is None
    assert request.from_ is None
    assert request.to is None


def test_names_that_do_not_exist_cannot_be_set() -> None:
    with pytest.raises(AttributeError):
        setattr(read_request(INVITE), "boddy", b"")  # noqa: B010  # a plain assignment is no valid type


# respond


def test_a_response_copies_what_identifies_the_transaction() -> None:
    identity = [
        b"Via: one",
        b"Via: two",
        b"From: <sip:f@g>;tag=f",
        b"To: <sip:t@u>",
        b"i: x",
        b"CSeq: 1 OPTIONS",
    ]
    request = read_request(with_head(*identity, b"Subject: s", b"Timestamp: 5"))
    response = respond(request, 180, to_tag="new")
    assert response.reason == "Ringing"
    assert response.headers.items() == [
        ("via", "one"),
        ("via", "two"),
        ("from", "<sip:f@g>;tag=f"),
        ("to", "<sip:t@u>;tag=new"),
        ("call-id", "x"),
        ("cseq", "1 OPTIONS"),
    ]
    response.headers.add("via", "three")
    assert request.headers.all("via") == ["one", "two"]


def test_trying_takes_the_timestamp_along() -> None:
    request = read_request(with_head(b"Timestamp: 5", b"To: <sip:t@u>"))
    assert respond(request, 100).headers.get("timestamp") == "5"
    assert "timestamp" not in respond(request, 200).headers


def test_a_tag_that_is_there_stays() -> None:
    request = read_request(with_head(b"To: <sip:t@u>;tag=old"))
    assert respond(request, 200, to_tag="new").to_tag == "old"


def test_a_request_without_to_gets_none_invented() -> None:
    assert "to" not in respond(read_request(with_head(b"Via: one")), 400, to_tag="new").headers


@pytest.mark.parametrize(("status", "reason"), [*REASONS.items(), (299, "Unknown")])
def test_reasons(status: int, reason: str) -> None:
    assert respond(Request("OPTIONS", "sip:a"), status).reason == reason
    assert respond(Request("OPTIONS", "sip:a"), status, "Because").reason == "Because"


def test_malformed_is_no_message() -> None:
    assert not isinstance(parse(b"garbage"), Request | Response)
    assert isinstance(parse(b"garbage"), Malformed)
