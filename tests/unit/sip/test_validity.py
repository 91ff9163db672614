"""What a user agent answers to requests that are wrong, and which responses it ignores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.sip.messages import METHODS, Headers, Malformed, Request, Response, parse
from onhook.sip.validity import CALL_METHODS, Refusal, check_malformed, check_request, check_response

SDP = b"v=0\r\n"


def make(method: str = "INVITE", uri: str = "sip:a@b", body: bytes = b"", **changed: str | None) -> Request:
    """A request with nothing wrong but what `changed` says: other values, more headers, None to leave out."""
    lines: dict[str, str | None] = {
        "via": "SIP/2.0/UDP h:5060;branch=z9hG4bKx",
        "max_forwards": "70",
        "from_": '"A, B" <sip:a@b>;tag=f',
        "to": "<sip:c@d>",
        "call_id": "x@y",
        "cseq": f"1 {method}",
        "contact": "<sip:a@h;lr>;q=1",
    }
    lines |= changed
    pairs = [
        (name.rstrip("_").replace("_", "-"), value) for name, value in lines.items() if value is not None
    ]
    return Request(method, uri, Headers.of(*pairs), body)


def refused(request: Request, **options: object) -> Refusal:
    refusal = check_request(request, **options)  # type: ignore[arg-type]  # each test passes what it means
    assert refusal is not None
    return refusal


# Nothing wrong


@pytest.mark.parametrize(
    "request_",
    [
        make(),
        make("BYE", contact=None),
        make("OPTIONS", uri="sips:b"),
        make("ACK", max_forwards=None),
        make("CANCEL", contact=None),
        make(uri="tel:+14255550123"),
        make(uri="SIP:+14255550123@b;user=phone"),
        make(body=SDP, content_type="application/sdp"),
        make(body=SDP, content_type="Application / SDP ; charset=x"),
        make(body=SDP, content_type="application/sdp", content_encoding="identity"),
        make(body=b"x", content_type="image/png", content_disposition="icon; handling = optional"),
        make(body=b"x", content_disposition="icon;handling=optional"),
        make(accept="text/plain, application/sdp;level=1"),
        make(accept="application/*"),
        make(accept="*/*;q=0.1"),
        make("OPTIONS", accept="text/plain"),
        make(max_forwards="0"),
        make(max_forwards="255"),
        make(max_forwards=None, contact=None, via="SIP/2.0/UDP h", from_="sip:a@b"),
        make(to="<isbn:2983792873>"),
        make(contact="*"),
        make(contact='"a;;b,,c" <sip:a@b>, <sip:c@d>'),
        make(contact="<sip:a@b>;"),
        make(contact="<sip:a@b?x=y>"),
        make(date="nonsense", warning="1812 nonsense", unknown=";;,,"),
        make(proxy_require="nobodyKnows"),
        make("CANCEL", require="nobodyKnows"),
        make("ACK", body=b"x", content_type="text/plain"),
    ],
    ids=lambda request: f"{request.method} {request.uri}",
)
def test_requests_with_nothing_wrong(request_: Request) -> None:
    assert check_request(request_) is None


# Wrong syntax


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (make(via=None), "Via is missing or unreadable"),
        (make(via="nowhere"), "Via is missing or unreadable"),
        (make(via=",,"), "Via is missing or unreadable"),
        (make(via="SIP/2.0/UDP h;branch=z9hG4bK"), "Via branch has no id after z9hG4bK"),
        (make(via="SIP/2.0/UDP h;;branch=x"), "Via has empty values or parameters"),
        (make(via="SIP/2.0/UDP h;branch=x,,SIP/2.0/UDP i"), "Via has empty values or parameters"),
        (make(via="SIP/2.0/UDP h; ;branch=x"), "Via has empty values or parameters"),
        (make(contact="<sip:a@b>;;"), "Contact has empty values or parameters"),
        (make(contact='"a" <sip:a@b>, ,<sip:c@d>'), "Contact has empty values or parameters"),
        (make(contact='"a'), "Contact is unreadable"),
        (make(contact="<sip:a@b>, nonsense"), "Contact is unreadable"),
        (make(contact="sip:a@b?x=y"), "Contact with headers in its URI needs angle brackets"),
        (make(call_id=None), "Missing Call-ID"),
        (make(call_id=""), "Call-ID is empty"),
        (make(cseq=None), "Missing CSeq"),
        (make(cseq="x INVITE"), "CSeq is not a number below 2**31 and a method"),
        (make(cseq="2147483648 INVITE"), "CSeq is not a number below 2**31 and a method"),
        (make(cseq="1"), "CSeq is not a number below 2**31 and a method"),
        (make(cseq="1 BYE"), "CSeq is of BYE, the request is INVITE"),
        (make(cseq="1 invite"), "CSeq is of invite, the request is INVITE"),
        (make(from_=None), "Missing From"),
        (make(from_='"A <sip:a@b>'), "From is unreadable"),
        (make(to=None), "Missing To"),
        (make(to="<>"), "To is unreadable"),
        (make(max_forwards="256"), "Max-Forwards is not one number from 0 to 255"),
        (make(max_forwards="-1"), "Max-Forwards is not one number from 0 to 255"),
        (make(max_forwards="many"), "Max-Forwards is not one number from 0 to 255"),
        (make(uri="<sip:a@b>"), "Request-URI is no URI"),
        (make(uri="a@b"), "Request-URI is no URI"),
        (make(uri="sip:a@b:x"), "Request-URI: host or port 'b:x' is unreadable"),
        (make(uri="tel:x"), "Request-URI: number 'x' is not digits with an optional + before them"),
        (make(uri="sip:a@b?Route=x"), "Request-URI holds headers"),
        (make(body=SDP), "Missing Content-Type"),
    ],
)
def test_bad_requests_say_what_is_wrong(request_: Request, reason: str) -> None:
    refusal = refused(request_)
    assert (refusal.status, refusal.reason) == (400, reason)
    assert refusal.headers == ()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("Call-ID", "other", "More than one Call-ID"),
        ("CSeq", "1 INVITE", "More than one CSeq"),
        ("From", "<sip:a@b>", "More than one From"),
        ("To", "<sip:a@b>", "More than one To"),
        ("Max-Forwards", "70", "Max-Forwards is not one number from 0 to 255"),
    ],
)
def test_what_may_be_there_once(name: str, value: str, reason: str) -> None:
    request = make()
    request.headers.add(name, value)
    assert refused(request) == Refusal(400, reason)


def test_a_reason_is_printable_and_short_whatever_the_peer_sent() -> None:
    refusal = refused(make(cseq="1 " + "~" * 500))
    assert len(refusal.reason) < 200
    malformed = parse(b"OPTIONS sip:a@b SIP/2.0 \x00\x1b[1m\xff SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n")
    assert isinstance(malformed, Malformed)
    answer = check_malformed(malformed)
    assert answer is not None
    assert answer.reason.isprintable()
    assert answer.reason.encode()


# Methods


@pytest.mark.parametrize("method", sorted(METHODS - CALL_METHODS))
def test_methods_that_are_known_but_not_served(method: str) -> None:
    assert refused(make(method)) == Refusal(
        405, "Method Not Allowed", (("Allow", "ACK, BYE, CANCEL, INVITE, OPTIONS"),)
    )


@pytest.mark.parametrize("method", ["NEWMETHOD", "invite", "RE%47IST%45R"])
def test_methods_that_nobody_knows(method: str) -> None:
    assert refused(make(method)) == Refusal(
        501, "Not Implemented", (("Allow", "ACK, BYE, CANCEL, INVITE, OPTIONS"),)
    )


def test_the_methods_served_are_the_callers_choice() -> None:
    assert check_request(make("REGISTER"), known_methods={"REGISTER"}) is None
    assert refused(make("INVITE"), known_methods={"REGISTER"}).headers == (("Allow", "REGISTER"),)


# Schemes of the Request-URI


@pytest.mark.parametrize("uri", ["http://example.com", "soap.beep://x", "nobodyKnows:x"])
def test_unknown_schemes(uri: str) -> None:
    assert refused(make(uri=uri)) == Refusal(416, "Unsupported URI Scheme")


def test_the_schemes_known_are_the_callers_choice() -> None:
    assert check_request(make(uri="urn:service:sos"), known_schemes={"sip", "urn"}) is None
    assert refused(make(uri="tel:911"), known_schemes={"sip"}).status == 416


# Hops left


def test_only_a_proxy_refuses_zero_hops() -> None:
    assert check_request(make(max_forwards="0")) is None
    assert refused(make(max_forwards="0"), forwarding=True) == Refusal(483, "Too Many Hops")
    assert check_request(make(max_forwards="1"), forwarding=True) is None


# Extensions asked for


def test_unknown_extensions_are_named() -> None:
    request = make(require="100rel, Timer", supported="timer")
    request.headers.add("Require", "nobodyKnows")
    assert refused(request) == Refusal(420, "Bad Extension", (("Unsupported", "100rel, Timer, nobodyKnows"),))
    assert refused(request, supported_extensions={"100rel", "timer"}).headers == (
        ("Unsupported", "nobodyKnows"),
    )


def test_known_extensions() -> None:
    assert check_request(make(require="100REL"), supported_extensions={"100rel"}) is None


# Content, ours and theirs


@pytest.mark.parametrize("accept", ["text/plain", "", "text/*, image/png", "application/sdp-ng"])
def test_an_invite_whose_answer_could_not_be_read(accept: str) -> None:
    assert refused(make(accept=accept)) == Refusal(406, "Not Acceptable")


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/sdpx", "multipart/mixed;boundary=x"])
def test_unknown_content(content_type: str) -> None:
    assert refused(make(body=SDP, content_type=content_type)) == Refusal(
        415, "Unsupported Media Type", (("Accept", "application/sdp"),)
    )


def test_the_content_accepted_is_the_callers_choice() -> None:
    info = make("INFO", body=b"5", content_type="application/dtmf-relay")
    assert check_request(info, known_methods={"INFO"}, accepted_types={"application/dtmf-relay"}) is None
    assert refused(info, known_methods={"INFO"}, accepted_types={"text/b", "text/a"}).headers == (
        ("Accept", "text/a, text/b"),
    )


def test_compressed_content() -> None:
    assert refused(make(body=SDP, content_type="application/sdp", content_encoding="gzip")) == Refusal(
        415, "Unsupported Media Type", (("Accept-Encoding", "identity"),)
    )


# Order


def test_the_first_thing_wrong_decides() -> None:
    request = make("NEWMETHOD", uri="nobody:x", require="x", body=SDP, cseq="1 BYE")
    assert refused(request).status == 400
    request.headers.set("cseq", "1 NEWMETHOD")
    assert refused(request).status == 501
    assert refused(request, known_methods={"NEWMETHOD"}).status == 416
    request.uri = "sip:a@b"
    request.headers.set("max-forwards", "0")
    assert refused(request, known_methods={"NEWMETHOD"}, forwarding=True).status == 483
    assert refused(request, known_methods={"NEWMETHOD"}).status == 420
    assert refused(request, known_methods={"NEWMETHOD"}, supported_extensions={"x"}).status == 400
    request.headers.set("content-type", "text/plain")
    assert refused(request, known_methods={"NEWMETHOD"}, supported_extensions={"x"}).status == 415


# Answers


def test_the_answer_to_a_refused_request() -> None:
    request = make(require="nobodyKnows")
    response = refused(request).response(request, "t1")
    assert response is not None
    assert response.start_line == "SIP/2.0 420 Bad Extension"
    assert response.headers.items() == [
        ("via", "SIP/2.0/UDP h:5060;branch=z9hG4bKx"),
        ("from", '"A, B" <sip:a@b>;tag=f'),
        ("to", "<sip:c@d>;tag=t1"),
        ("call-id", "x@y"),
        ("cseq", "1 INVITE"),
        ("unsupported", "nobodyKnows"),
    ]
    assert check_response(response) is None


@pytest.mark.parametrize(
    "request_", [make("ACK", uri="nobody:x"), make("ACK", cseq=None), make(via=None), make(via="x")]
)
def test_nobody_to_answer(request_: Request) -> None:
    refusal = refused(request_)
    assert not refusal.answerable
    assert refusal.response(request_, "t1") is None


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"INVITE sip:a@b SIP/7.0\r\nVia: SIP/7.0/UDP h\r\n\r\n", Refusal(505, "Version Not Supported")),
        (
            b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nl: 4\r\n\r\nabc",
            Refusal(400, "Content-Length is 4, but only 3 bytes follow the header"),
        ),
        (
            b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nl: -4\r\n\r\nabc",
            Refusal(400, "Content-Length is not one number: '-4'"),
        ),
        (
            b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n" + b"X: y\r\n" * 300 + b"\r\n",
            Refusal(513, "Message Too Large"),
        ),
        (
            b"INVITE sip:" + b"a" * 9000 + b" SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n",
            Refusal(414, "Request-URI Too Long"),
        ),
        (b"ACK sip:a@b SIP/7.0\r\nVia: SIP/7.0/UDP h\r\n\r\n", None),
        (b"INVITE sip:a@b SIP/7.0\r\n\r\n", None),
        (b"SIP/2.0 900 No\r\nVia: SIP/2.0/UDP h\r\n\r\n", None),
        (b"\r\n\r\n", None),
    ],
)  # fmt: skip
def test_answers_to_what_is_no_message(data: bytes, refusal: Refusal | None) -> None:
    malformed = parse(data)
    assert isinstance(malformed, Malformed)
    assert check_malformed(malformed) == refusal


# Responses


def answer(name: str = "subject", value: str | None = "x") -> Response:
    """A response with nothing wrong but that header; None leaves it out."""
    headers = make().headers
    headers.remove(name)
    if value is not None:
        headers.add(name, value)
    return Response(200, "OK", headers)


def test_responses_with_nothing_wrong() -> None:
    assert check_response(answer()) is None
    assert check_response(answer("via", 'SIP/2.0/UDP h;branch=x;text="a, b"')) is None
    assert check_response(answer("retry-after", "9" * 40)) is None
    assert check_response(answer("contact", "nonsense")) is None


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (answer("via", None), "Via is missing or unreadable"),
        (answer("via", "x"), "Via is missing or unreadable"),
        (answer("via", "SIP/2.0/UDP h, SIP/2.0/UDP i"), "more than one Via"),
        (answer("call-id", None), "Missing Call-ID"),
        (answer("call-id", ""), "Call-ID is empty"),
        (answer("cseq", None), "Missing CSeq"),
        (answer("cseq", "9292394834772304023312 OPTIONS"), "CSeq is not a number"),
        (answer("from", None), "Missing From"),
        (answer("from", "x"), "From is unreadable"),
        (answer("to", None), "Missing To"),
        (answer("to", '"'), "To is unreadable"),
    ],
)
def test_responses_to_ignore(response: Response, why: str) -> None:
    ignored = check_response(response)
    assert ignored is not None
    assert why in ignored


def test_a_response_with_two_lines_of_via() -> None:
    response = answer()
    response.headers.add("via", "SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKy")
    assert check_response(response) == "more than one Via: it was not meant for us"


# Chance


@given(
    st.sampled_from(
        [
            "via",
            "from",
            "to",
            "call_id",
            "cseq",
            "contact",
            "max_forwards",
            "require",
            "accept",
            "content_type",
        ]
    ),
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=40)
    | st.text('<>;,"=:/ 1sip', max_size=30),
    st.text(max_size=20),
)
def test_whatever_a_header_holds_there_is_an_answer_or_nothing_wrong(
    name: str, value: str, rest: str
) -> None:
    request = make(uri="sip:" + rest, body=SDP, content_type="application/sdp")
    request.headers.set(name.replace("_", "-"), value)
    refusal = check_request(request)
    if refusal is None:
        assert request.via is not None
        assert request.cseq is not None
        assert request.to is not None
        return
    assert 400 <= refusal.status < 600
    response = refusal.response(request, "t1")
    assert (response is None) == (request.via is None)
    if response is not None:
        assert isinstance(parse(response.to_bytes()), Response)
