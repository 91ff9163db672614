"""The 49 torture messages of RFC 4475, and what a user agent that is no registrar does with each.

The RFC's messages address user agents, proxies and registrars. Ours is a user agent for calls: REGISTER and
MESSAGE are known methods that it does not serve (405), whatever else they hold. Where the RFC lets an element
choose, the row says what was chosen.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from onhook.sip.headers import parse_name_addr, parse_via
from onhook.sip.messages import Malformed, Request, Response, parse
from onhook.sip.stream import Framer
from onhook.sip.uri import SipUri, parse_uri
from onhook.sip.validity import check_malformed, check_request, check_response

VECTORS = Path(__file__).parent / "vectors"


class Row(NamedTuple):
    section: str
    name: str
    does: str | int
    """ "handles" (a request to act on), "uses" (a response to act on), "drops", or the status it answers."""
    because: str


TABLE = [
    Row("3.1.1.1", "wsinv", "handles", "spaces, folding and odd cases are all within the grammar"),
    Row("3.1.1.2", "intmeth", 501, "a strange method is a token still, and nobody's method"),
    Row("3.1.1.3", "esc01", "handles", "escapes stand where they may"),
    Row("3.1.1.4", "escnull", 405, "an escaped zero byte is a character; REGISTER is not served"),
    Row("3.1.1.5", "esc02", 501, "percent in a method is no escape: it is not REGISTER"),
    Row("3.1.1.6", "lwsdisp", "handles", "no space is needed before <"),
    Row("3.1.1.7", "longreq", "handles", "long, and within the limits"),
    Row("3.1.1.8", "dblreq", 405, "the first message counts, what follows its length does not; REGISTER"),
    Row("3.1.1.9", "semiuri", "handles", "semicolons before @ belong to the user"),
    Row("3.1.1.10", "transports", "handles", "Via of a request may name any transport"),
    Row("3.1.1.11", "mpart01", 405, "multipart with bytes that are no text; MESSAGE is not served"),
    Row("3.1.1.12", "unreason", "uses", "a reason phrase in Cyrillic"),
    Row("3.1.1.13", "noreason", "uses", "a reason phrase may be empty"),
    Row("3.1.2.1", "badinv01", 400, "empty parameters and values in Via and Contact"),
    Row("3.1.2.2", "clerr", 400, "the body is shorter than Content-Length"),
    Row("3.1.2.3", "ncl", 400, "a negative Content-Length"),
    Row("3.1.2.4", "scalar02", 400, "CSeq beyond 2**31"),
    Row("3.1.2.5", "scalarlg", "drops", "CSeq of a response beyond 2**31"),
    Row("3.1.2.6", "quotbal", 400, "a quote that never closes in To"),
    Row("3.1.2.7", "ltgtruri", 400, "angle brackets around the Request-URI"),
    Row("3.1.2.8", "lwsruri", 400, "a space in the Request-URI"),
    Row("3.1.2.9", "lwsstart", 400, "two spaces in the request line (chosen: no repair)"),
    Row("3.1.2.10", "trws", 400, "spaces after the version (chosen: no repair)"),
    Row("3.1.2.11", "escruri", 400, "headers in the Request-URI (chosen: not ignored)"),
    Row("3.1.2.12", "baddate", "handles", "a wrong Date is not needed, so it is ignored"),
    Row("3.1.2.13", "regbadct", 400, "Contact with headers in its URI, without angle brackets"),
    Row("3.1.2.14", "badaspec", "handles", "spaces inside angle brackets (chosen: ignored)"),
    Row("3.1.2.15", "baddn", "handles", "a comma in an unquoted name (chosen: quotes are inferred)"),
    Row("3.1.2.16", "badvers", 505, "SIP/7.0"),
    Row("3.1.2.17", "mismatch01", 400, "CSeq of another method"),
    Row("3.1.2.18", "mismatch02", 400, "CSeq of another method, which is known (chosen: 400 before 501)"),
    Row("3.1.2.19", "bigcode", "drops", "a status of 4294967301"),
    Row("3.2.1", "badbranch", 400, "a branch that is only the cookie (chosen: not the RFC 2543 way)"),
    Row("3.3.1", "insuf", 400, "no Call-ID, From, To"),
    Row("3.3.2", "unkscm", 416, "an unknown scheme in the Request-URI"),
    Row("3.3.3", "novelsc", 416, "a registered scheme that is none of ours"),
    Row("3.3.4", "unksm2", 405, "other schemes in To and From are fine; REGISTER is not served"),
    Row("3.3.5", "bext01", 420, "Require of unknown tags; Proxy-Require is not for user agents"),
    Row("3.3.6", "invut", 415, "a body of an unknown type"),
    Row("3.3.7", "regaut01", 405, "an unknown authorization scheme; REGISTER is not served"),
    Row("3.3.8", "multi01", 400, "several values where one is allowed"),
    Row("3.3.9", "mcl01", 400, "two Content-Lengths that differ"),
    Row("3.3.10", "bcast", "drops", "a response with two Vias is not for a user agent"),
    Row("3.3.11", "zeromf", "handles", "Max-Forwards 0 has reached its end: us"),
    Row("3.3.12", "cparam01", 405, "a parameter of Contact; REGISTER is not served"),
    Row("3.3.13", "cparam02", 405, "a parameter of the URI in Contact; REGISTER is not served"),
    Row("3.3.14", "regescrt", 405, "headers in the URI of Contact; REGISTER is not served"),
    Row("3.3.15", "sdp01", 406, "Accept leaves no room for an SDP answer (chosen: refused at once)"),
    Row("3.4.1", "inv2543", "handles", "RFC 2543: no branch, no From tag, no Max-Forwards, no length"),
]


def load(name: str) -> bytes:
    return (VECTORS / f"{name}.dat").read_bytes()


def request(name: str) -> Request:
    message = parse(load(name))
    assert isinstance(message, Request)
    return message


def response(name: str) -> Response:
    message = parse(load(name))
    assert isinstance(message, Response)
    return message


def malformed(name: str) -> Malformed:
    message = parse(load(name))
    assert isinstance(message, Malformed)
    return message


def what_we_do(data: bytes) -> str | int:
    message = parse(data)
    if isinstance(message, Response):
        return "drops" if check_response(message) else "uses"
    refusal = check_malformed(message) if isinstance(message, Malformed) else check_request(message)
    if refusal is None:
        return "drops" if isinstance(message, Malformed) else "handles"
    asked = message.request if isinstance(message, Malformed) else message
    assert asked is not None
    answer = refusal.response(asked, to_tag="ours")
    assert answer is not None
    assert answer.headers.all("via") == asked.headers.all("via")
    assert parse(answer.to_bytes()) == answer
    return answer.status


def test_all_49_messages_have_a_row() -> None:
    assert sorted(row.name for row in TABLE) == sorted(path.stem for path in VECTORS.glob("*.dat"))
    assert len({row.section for row in TABLE}) == len(TABLE) == 49


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.section}-{row.name}")
def test_what_a_user_agent_does(row: Row) -> None:
    assert what_we_do(load(row.name)) == row.does, row.because


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_what_was_read_can_be_written_and_read_again(row: Row) -> None:
    message = parse(load(row.name))
    if isinstance(message, Malformed):
        assert message.data == load(row.name)
        assert message.call_id.partition(".")[0] == row.name
    else:
        assert parse(message.to_bytes()) == message


UNFRAMEABLE = {"ncl": "-999", "mcl01": "13, 5"}
"""What a stream cannot get past: nobody can say where the next message begins."""
NEVER_WHOLE = {"clerr"}
"""In a stream, a body that is too short is only not there yet."""


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_in_a_stream_each_comes_out_as_from_a_datagram(row: Row) -> None:
    framer = Framer()
    data = load(row.name)
    found = framer.feed(data)
    if row.name in UNFRAMEABLE:
        assert found == []
        assert framer.error is not None
        assert UNFRAMEABLE[row.name] in framer.error.why
        assert what_we_do(framer.error.data) == 400
    elif row.name in NEVER_WHOLE:
        assert found == []
        assert framer.waiting_bytes == len(data)
    else:
        assert framer.error is None
        assert data.startswith(found[0])
        if row.name != "inv2543":  # it has no length, so a stream sees no body
            assert parse(found[0]) == parse(data)


# What the RFC says can be read in the messages that are valid


def read_wsinv() -> None:
    message = request("wsinv")
    assert message.headers.get("subject") == ""
    assert message.headers.get("max-forwards") == "0068"
    assert message.to_tag == "1918181833n"
    assert message.from_tag == "98asjd8"
    assert message.from_ is not None
    assert message.from_.display_name == 'J Rosenberg \\"'
    assert message.cseq is not None
    assert message.cseq.number == 9
    assert message.via is not None
    assert (message.via.transport, message.via.host, message.branch) == ("UDP", "192.0.2.2", "390skdjuw")
    vias = [parse_via(value) for value in message.headers.values("v")]
    assert [(via.transport, via.host, via.branch) for via in vias if via] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    contact = parse_name_addr(message.headers.get("m"))
    assert contact is not None
    assert contact.display_name == 'Quoted string ""'
    assert contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert message.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert message.headers.get("newfangledheader") == "newfangled value continued newfangled value"
    assert len(message.body) == 150


def read_intmeth() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.to is not None
    assert message.to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_ is not None
    assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert message.from_.params["fromparam''~+*_!.-%"] == "работающий"
    assert message.from_tag == "_token~1'+`*%!-."
    assert message.headers.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"
    uri = parse_uri(message.uri)
    assert isinstance(uri, SipUri)
    assert uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"


def read_esc01() -> None:
    message = request("esc01")
    uri = parse_uri(message.uri)
    assert isinstance(uri, SipUri)
    assert uri.user_text == "sips:user@example.com"
    assert message.from_ is not None
    from_uri = parse_uri(message.from_.uri)
    assert isinstance(from_uri, SipUri)
    assert from_uri.user_text == "I have spaces"
    contact = parse_name_addr(message.headers.get("contact"))
    assert contact is not None
    contact_uri = parse_uri(contact.uri)
    assert isinstance(contact_uri, SipUri)
    assert contact_uri.user_text == "caller"
    assert contact_uri.has_param("lr")
    assert contact_uri.param("name") == "value%41"


def read_escnull() -> None:
    users = [parse_uri(value.strip("<>")) for value in request("escnull").headers.values("contact")]
    assert [uri.user_text for uri in users if isinstance(uri, SipUri)] == ["\0", "\0\0"]


def read_esc02() -> None:
    message = request("esc02")
    assert message.method == "RE%47IST%45R"
    assert len(message.headers.all("contact")) == 2
    assert "c%6fntact" in message.headers
    assert message.to is not None
    assert message.to.display_name == "%Z%45"
    assert message.branch == "z9hG4bK209%fzsnel234"


def read_lwsdisp() -> None:
    from_ = request("lwsdisp").from_
    assert from_ is not None
    assert (from_.display_name, from_.uri) == ("caller", "sip:caller@example.com")


def read_longreq() -> None:
    message = request("longreq")
    assert message.headers.count("via") > 5
    assert message.branch == ""
    assert message.from_tag.startswith("12982982982")
    assert message.to is not None
    assert message.to.display_name.startswith("I have a user name of extreme")
    assert len(message.body) == 150


def read_dblreq() -> None:
    message = request("dblreq")
    assert (message.method, message.body) == ("REGISTER", b"")


def read_semiuri() -> None:
    message = request("semiuri")
    uri = parse_uri(message.uri)
    assert isinstance(uri, SipUri)
    assert uri.user_text == "user;par=u@example.net"
    assert len(message.headers.values("accept")) == 6


def read_transports() -> None:
    vias = [parse_via(value) for value in request("transports").headers.values("via")]
    assert [via.transport for via in vias if via] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def read_mpart01() -> None:
    message = request("mpart01")
    assert len(message.body) == 553
    assert b"0\x82\x01R" in message.body
    assert load("mpart01").endswith(message.body)
    assert message.to_bytes().endswith(message.body)


def read_unreason() -> None:
    assert response("unreason").reason == "= 2**3 * 5**2 но сто девяносто девять - простое"


def read_noreason() -> None:
    assert (response("noreason").status, response("noreason").reason) == (100, "")


def read_badaspec() -> None:
    to = request("badaspec").to
    assert to is not None
    assert (to.display_name, to.uri) == ("Watson, Thomas", "sip:t.watson@example.org")


def read_baddn() -> None:
    from_ = request("baddn").from_
    assert from_ is not None
    assert (from_.display_name, from_.tag) == ("Bell, Alexander", "43")


def read_cparam01() -> None:
    contact = parse_name_addr(request("cparam01").headers.get("contact"))
    assert contact is not None
    assert (contact.uri, contact.params) == ("sip:+19725552222@gw1.example.net", {"unknownparam": None})


def read_cparam02() -> None:
    contact = parse_name_addr(request("cparam02").headers.get("contact"))
    assert contact is not None
    assert (contact.uri, contact.params) == ("sip:+19725552222@gw1.example.net;unknownparam", {})


def read_regescrt() -> None:
    contact = parse_name_addr(request("regescrt").headers.get("contact"))
    assert contact is not None
    uri = parse_uri(contact.uri)
    assert isinstance(uri, SipUri)
    assert uri.headers == (("Route", "%3Csip:sip.example.com%3E"),)


def read_badvers() -> None:
    message = malformed("badvers")
    assert message.request is not None
    assert (message.request.method, message.status) == ("OPTIONS", 505)
    assert "SIP/7.0" in message.why


def read_unksm2() -> None:
    message = request("unksm2")
    assert message.to is not None
    assert message.to.uri == "isbn:2983792873"
    assert message.from_ is not None
    assert message.from_.uri == "http://www.example.com"


def read_inv2543() -> None:
    message = request("inv2543")
    assert (message.branch, message.from_tag) == ("", "")
    assert "content-length" not in message.headers
    assert message.body.startswith(b"v=0\r\n")


READERS: list[Callable[[], None]] = [
    read_wsinv, read_intmeth, read_esc01, read_escnull, read_esc02, read_lwsdisp, read_longreq, read_dblreq,
    read_semiuri, read_transports, read_mpart01, read_unreason, read_noreason, read_badaspec, read_baddn,
    read_cparam01, read_cparam02, read_regescrt, read_badvers, read_unksm2, read_inv2543,
]  # fmt: skip


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_what_can_be_read(read: Callable[[], None]) -> None:
    read()


def test_refusals_say_what_would_be_accepted() -> None:
    def headers(name: str) -> dict[str, str]:
        refusal = check_request(request(name))
        assert refusal is not None
        return dict(refusal.headers)

    assert headers("bext01") == {"Unsupported": "nothingSupportsThis, nothingSupportsThisEither"}
    assert headers("invut") == {"Accept": "application/sdp"}
    assert headers("regaut01") == {"Allow": "ACK, BYE, CANCEL, INVITE, OPTIONS"}
    assert headers("esc02") == {"Allow": "ACK, BYE, CANCEL, INVITE, OPTIONS"}


def test_a_proxy_would_refuse_zero_hops() -> None:
    refusal = check_request(request("zeromf"), forwarding=True)
    assert refusal is not None
    assert refusal.status == 483
