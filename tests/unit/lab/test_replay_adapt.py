"""A recorded message made to fit: what belongs to a dialog is new, every other byte stays."""

import pytest

from onhook.lab.replay.adapt import SdpPlace, adapt, place_sdp, place_uri

HERE = SdpPlace("127.0.0.1", 20_000)
RECORDED = (
    b"SIP/2.0 183 Session  Progress\r\n"
    b"v: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKold\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKolder\r\n"
    b"f:<sip:a@192.0.2.1>;tag=old\r\n"
    b"X-Odd :  two  blanks \r\n"
    b"To: <sip:b@192.0.2.2>;tag=theirs\r\n"
    b"i: old@192.0.2.1\r\n"
    b"SUBJECT: folded\r\n over two lines\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"P-Asserted-Identity: <sip:b@192.0.2.2>\r\n"
    b"l: 0\r\n\r\n"
)


def test_only_the_dialog_is_new() -> None:
    made = adapt(
        RECORDED,
        {
            "via": ["SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bKnew"],
            "from": ["<sip:a@127.0.0.1>;tag=new"],
            "call-id": ["new"],
            "to": ["<sip:b@127.0.0.1>;tag=mine"],
            "cseq": ["7 INVITE"],
        },
    )
    assert made == (
        b"SIP/2.0 183 Session  Progress\r\n"
        b"v: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bKnew\r\n"
        b"f:<sip:a@127.0.0.1>;tag=new\r\n"
        b"X-Odd :  two  blanks \r\n"
        b"To: <sip:b@127.0.0.1>;tag=mine\r\n"
        b"i: new\r\n"
        b"SUBJECT: folded\r\n over two lines\r\n"
        b"CSeq: 7 INVITE\r\n"
        b"P-Asserted-Identity: <sip:b@192.0.2.2>\r\n"
        b"l: 0\r\n\r\n"
    )


def test_a_header_goes_comes_or_is_replaced_with_its_folded_lines() -> None:
    made = adapt(RECORDED, {"subject": [], "record-route": ["<sip:p;lr>", "<sip:q;lr>"]})
    assert b"SUBJECT" not in made
    assert b"over two lines" not in made
    assert made.startswith(
        b"SIP/2.0 183 Session  Progress\r\nRecord-Route: <sip:p;lr>\r\nRecord-Route: <sip:q;lr>\r\n"
    )


def test_bytes_that_are_no_utf8_stay() -> None:
    odd = RECORDED.replace(b"blanks", b"\xfflanks")
    assert adapt(odd, {}) == odd


def test_length_follows_the_body_and_its_place() -> None:
    sdp = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 9 RTP/AVP 0\r\n"
    made = adapt(RECORDED.replace(b"l: 0", b"l: %d" % len(sdp)) + sdp, {}, sdp=HERE)
    head, _, body = made.partition(b"\r\n\r\n")
    assert head.endswith(b"l: %d" % len(body))
    assert b"m=audio 20000 RTP/AVP 0\r\n" in body


def test_a_description_keeps_all_but_where_it_is() -> None:
    body = (
        b"v=0\r\no=gw 77 8 IN IP4 192.0.2.2\r\ns=as it was\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
        b"m=audio 4000 RTP/AVP 8 101\r\na=candidate:1 1 UDP 1 192.0.2.2 4000 typ host\r\na=rtcp:4001\r\n"
        b"a=ptime:30\r\nm=video 0 RTP/AVP 96\r\n"
    )
    assert place_sdp(body, HERE) == (
        b"v=0\r\no=gw 77 8 IN IP4 127.0.0.1\r\ns=as it was\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=audio 20000 RTP/AVP 8 101\r\na=rtcp:20001\r\n"
        b"a=ptime:30\r\nm=video 0 RTP/AVP 96\r\n"
    )


def test_held_and_refused_streams_stay_so_and_keys_are_of_today() -> None:
    body = b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 0 RTP/SAVP 0\r\na=crypto:1 AES_CM inline:old\r\n"
    made = place_sdp(body, SdpPlace("::1", 4, ("a=crypto:1 AES_CM inline:new",)))
    assert made == b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 0 RTP/SAVP 0\r\na=crypto:1 AES_CM inline:new\r\n"
    assert place_sdp(b"v=0\r\nc=IN IP4 192.0.2.2\r\n", SdpPlace("::1", 4)) == b"v=0\r\nc=IN IP6 ::1\r\n"
    assert place_sdp(b"Signal=5\r\n", HERE) == b"Signal=5\r\n"


@pytest.mark.parametrize(
    ("value", "placed"),
    [
        ("sip:192.0.2.2", "sip:127.0.0.1:5080"),
        ("sip:+1425@gw.example:5060;user=phone", "sip:+1425@127.0.0.1:5080;user=phone"),
        (
            '"A, B" <sip:a@[2001:db8::1]:5061;transport=udp>;q=1',
            '"A, B" <sip:a@127.0.0.1:5080;transport=tcp>;q=1',
        ),
        ("*", "*"),
    ],
)
def test_a_uri_moves_and_keeps_its_user_and_parameters(value: str, placed: str) -> None:
    assert place_uri(value, "127.0.0.1", 5080, "tcp") == placed
    assert place_uri("sip:a@b", "::1", 5) == "sip:a@[::1]:5"
