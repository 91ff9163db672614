"""Requests that belong to no call (RFC 3261 section 8.2.7) and where answers go (18.2, RFC 3581)."""

import pytest

from onhook.effects import Destination, Transmit
from onhook.sip.messages import Malformed, Request, Response, parse
from onhook.sip.reply import mark_source, reply_to
from onhook.sip.stray import answer_malformed, answer_stray

SOURCE = Destination("udp", "192.0.2.9", 33000)


def request(
    method: str, via: str = "SIP/2.0/UDP sbc.example:5080;branch=z9hG4bKx", to_tag: str = ""
) -> Request:
    tail = f";tag={to_tag}" if to_tag else ""
    text = (
        f"{method} sip:us@192.0.2.1 SIP/2.0\r\nVia: {via}\r\nVia: SIP/2.0/UDP far.example\r\n"
        f"From: <sip:a@far.example>;tag=f\r\nTo: <sip:us@192.0.2.1>{tail}\r\nCall-ID: c\r\n"
        f"CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContact: <sip:a@far.example>\r\nContent-Length: 0\r\n\r\n"
    )
    read = parse(text.encode())
    assert isinstance(read, Request)
    return read


def response(sent: Transmit | None) -> Response:
    assert sent is not None
    read = parse(sent.data)
    assert isinstance(read, Response)
    return read


@pytest.mark.parametrize(
    ("method", "to_tag", "status"),
    [
        ("OPTIONS", "", 200),
        ("INVITE", "", 501),
        ("BYE", "gone", 481),
        ("CANCEL", "", 481),
        ("INVITE", "gone", 481),
        ("REGISTER", "", 405),
        ("NONSENSE", "", 501),
        ("REFER", "", 481),
    ],
)
def test_a_stray_request_gets_the_answer_of_the_standard(method: str, to_tag: str, status: int) -> None:
    answered = response(answer_stray(request(method, to_tag=to_tag), SOURCE, "our"))
    assert answered.status == status
    assert answered.to_tag == (to_tag or "our")
    assert len(answered.headers.all("via")) == 2
    assert ("INVITE" in answered.headers.get("allow").upper()) == (status in {200, 501, 405})


def test_an_ack_and_a_request_without_via_get_no_answer() -> None:
    assert answer_stray(request("ACK"), SOURCE, "our") is None
    assert answer_stray(request("OPTIONS", via="nonsense"), SOURCE, "our") is None


def test_a_request_that_is_wrong_is_told_what_is_wrong() -> None:
    wrong = request("OPTIONS")
    wrong.headers.set("cseq", "1 BYE")
    answered = response(answer_stray(wrong, SOURCE, "our"))
    assert answered.status == 400
    assert "CSeq" in answered.reason


def test_without_rport_the_answer_goes_to_the_port_of_the_via() -> None:
    asked = request("OPTIONS")
    sent = answer_stray(asked, SOURCE, "our")
    assert sent is not None
    assert sent.to == Destination("udp", "192.0.2.9", 5080)
    assert (
        response(sent).headers.get("via") == "SIP/2.0/UDP sbc.example:5080;branch=z9hG4bKx;received=192.0.2.9"
    )


def test_with_rport_the_answer_goes_to_where_the_request_came_from() -> None:
    asked = request("OPTIONS", "SIP/2.0/UDP sbc.example;rport;branch=z9hG4bKx;received=1.2.3.4")
    sent = answer_stray(asked, SOURCE, "our")
    assert sent is not None
    assert sent.to == SOURCE
    via = response(sent).headers.get("via")
    assert via == "SIP/2.0/UDP sbc.example;rport=33000;branch=z9hG4bKx;received=192.0.2.9"


def test_several_vias_in_one_line_stay_in_order() -> None:
    asked = request("OPTIONS", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx, SIP/2.0/TCP b.example")
    mark_source(asked, SOURCE)
    assert [value.split(";")[0] for value in asked.headers.values("via")] == [
        "SIP/2.0/UDP 192.0.2.9",
        "SIP/2.0/TCP b.example",
        "SIP/2.0/UDP far.example",
    ]


def test_a_reliable_transport_answers_on_its_connection() -> None:
    over_tcp = Destination("tcp", "192.0.2.9", 41000)
    assert reply_to(request("OPTIONS"), over_tcp) == over_tcp


def test_half_a_request_is_refused_and_noise_is_dropped() -> None:
    data = request("OPTIONS").to_bytes().replace(b"Content-Length: 0", b"Content-Length: 99")
    read = parse(data)
    assert isinstance(read, Malformed)
    assert response(answer_malformed(read, SOURCE, "our")).status == 400
    noise = parse(b"\x00\x01\x02")
    assert isinstance(noise, Malformed)
    assert answer_malformed(noise, SOURCE, "our") is None


def test_the_vias_of_an_answer_come_first() -> None:
    sent = answer_stray(request("OPTIONS"), SOURCE, "our")
    assert sent
    assert [line.split(b":")[0] for line in sent.data.split(b"\r\n")[1:3]] == [b"Via", b"Via"]
