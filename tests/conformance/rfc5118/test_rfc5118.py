"""The torture messages of RFC 5118: IPv6 in SIP, section by section, written anew with its addresses."""

import pytest

from onhook.effects import Destination
from onhook.sip.headers import parse_name_addr, split_host_port
from onhook.sip.messages import Malformed, Request, Response, parse
from onhook.sip.reply import mark_source
from onhook.sip.sdp import SessionDescription, parse_sdp
from onhook.sip.uri import BadUri, SipUri, parse_uri
from onhook.sip.validity import check_request

OURS = frozenset({"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"})


def message(
    *,
    uri: str = "sip:[2001:db8::10]",
    via: str = "SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3",
    body: str = "",
) -> Request:
    text = (
        f"OPTIONS {uri} SIP/2.0\r\nTo: sip:user@example.com\r\nFrom: sip:user@example.com;tag=81x2\r\n"
        f'Via: {via}\r\nCall-ID: 5118\r\nMax-Forwards: 70\r\nContact: "Caller" <sip:caller@[2001:db8::1]>\r\n'
        f"CSeq: 8 OPTIONS\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    read = parse(text.encode())
    assert isinstance(read, Request)
    return read


def test_4_1_a_reference_in_brackets_is_taken() -> None:
    read = message()
    assert check_request(read, known_methods=OURS) is None
    uri = parse_uri(read.uri)
    assert isinstance(uri, SipUri)
    assert (uri.host, uri.port, str(uri)) == ("2001:db8::10", None, "sip:[2001:db8::10]")


def test_4_2_an_address_without_brackets_in_the_request_uri_is_refused() -> None:
    refusal = check_request(message(uri="sip:2001:db8::10"), known_methods=OURS)
    assert refusal is not None
    assert refusal.status == 400
    assert isinstance(parse_uri("sip:2001:db8::10"), BadUri)


@pytest.mark.parametrize(
    ("uri", "host", "port"),
    [
        ("sip:[2001:db8::10:5070]", "2001:db8::10:5070", None),
        ("sip:[2001:db8::10]:5070", "2001:db8::10", 5070),
    ],
)
def test_4_3_and_4_4_a_port_stands_behind_the_bracket_alone(uri: str, host: str, port: int | None) -> None:
    read = parse_uri(message(uri=uri).uri)
    assert isinstance(read, SipUri)
    assert (read.host, read.port) == (host, port)


@pytest.mark.parametrize("received", ["[2001:db8::9:255]", "2001:db8::9:255"])
def test_4_5_received_is_taken_with_brackets_and_without(received: str) -> None:
    read = message(via=f"SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3-111")
    assert check_request(read, known_methods=OURS) is None
    assert read.via is not None
    assert (read.via.host, read.branch) == ("2001:db8::9:1", "z9hG4bKas3-111")


def test_4_5_our_own_received_is_the_address() -> None:
    read = message(via="SIP/2.0/UDP [2001:db8::9:1];rport;branch=z9hG4bKas3")
    mark_source(read, Destination("udp", "2001:db8::9:255", 6050))
    line = read.headers.get("via")
    assert ";rport=6050" in line
    assert line.endswith(";received=2001:db8::9:255")


SDP = (
    "v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=Live video feed\r\n"
    "c=IN IP6 2001:db8::20\r\nt=3338481189 3370017201\r\nm=audio 6000 RTP/AVP 2\r\na=ptime:20\r\n"
)


def test_4_6_addresses_in_sdp_have_no_brackets() -> None:
    read = parse_sdp(SDP.encode())
    assert isinstance(read, SessionDescription)
    assert read.media[0].port == 6_000
    assert not isinstance(
        parse_sdp(SDP.replace("c=IN IP6 2001:db8::20", "c=IN IP6 [2001:db8::20]").encode()),
        SessionDescription,
    )


def test_4_7_several_addresses_in_one_header_are_each_read() -> None:
    read = message(
        via="SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKb"
    )
    hosts = [split_host_port(value.split()[1].partition(";")[0]) for value in read.headers.values("via")]
    assert hosts == [("2001:db8::9:1", 6050), ("192.0.2.1", None)]


def test_4_8_media_of_both_families_in_one_session() -> None:
    both = SDP + "m=video 6024 RTP/AVP 107\r\nc=IN IP4 192.0.2.1\r\na=rtpmap:107 H263-1998/90000\r\n"
    read = parse_sdp(both.encode())
    assert isinstance(read, SessionDescription)
    assert [media.port for media in read.media] == [6_000, 6_024]


def test_4_9_an_ipv4_mapped_address_is_an_address() -> None:
    uri = parse_uri("sip:user@[::ffff:192.0.2.10]:5070")
    assert isinstance(uri, SipUri)
    assert (uri.host, uri.port) == ("::ffff:192.0.2.10", 5070)
    assert uri.matches(SipUri("::ffff:c000:20a", "user", 5070))


def test_4_10_a_response_comes_back_with_brackets_kept() -> None:
    text = (
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas;received=2001:db8::9:2\r\n"
        "To: <sip:user@[2001:db8::10]>;tag=1\r\nFrom: <sip:a@[2001:db8::1]>;tag=2\r\nCall-ID: 5118\r\n"
        "CSeq: 8 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    read = parse(text.encode())
    assert not isinstance(read, Malformed)
    assert isinstance(read, Response)
    address = parse_name_addr(read.headers.get("to"))
    assert address is not None
    assert (address.uri, address.tag) == ("sip:user@[2001:db8::10]", "1")


@pytest.mark.parametrize("place", [("2001:db8::1", 5070), ("2001:db8::1", 0)])
def test_what_we_write_has_brackets_too(place: tuple[str, int]) -> None:
    peer = Destination("udp", *place).peer
    assert split_host_port(peer) == (place[0], place[1] or None)
