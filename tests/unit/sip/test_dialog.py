"""Dialogs (RFC 3261 section 12): where requests go, and what stands in them."""

import pytest

from onhook.effects import Destination
from onhook.sip.dialog import Dialog, destination_of
from onhook.sip.messages import Headers, Request, Response

PEER = Destination("udp", "192.0.2.2", 5060)
VIA = "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport"
REQUEST_URI = "sip:+14255550200@192.0.2.2:5060;user=phone"


def dialog(*headers: tuple[str, str]) -> Dialog:
    """Made by a 200 with these headers beside its To tag."""
    invite = Request(
        "INVITE",
        REQUEST_URI,
        Headers.of(
            ("from", "<sip:+14255550100@192.0.2.1>;tag=ours"),
            ("to", f"<{REQUEST_URI}>"),
            ("call-id", "c1"),
            ("cseq", "7 INVITE"),
        ),
    )
    answer = Response(200, "OK", Headers.of(("to", f"<{REQUEST_URI}>;tag=theirs"), *headers))
    return Dialog.of_client(invite, answer, PEER)


def contact(value: str) -> Dialog:
    return dialog(("contact", value))


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("<sip:far@192.0.2.9:5090>", "sip:far@192.0.2.9:5090"),
        ('"Far <end>" <sip:far@192.0.2.9>;q=1', "sip:far@192.0.2.9"),
        ("sip:far@192.0.2.9;q=1", "sip:far@192.0.2.9"),
        ("<sips:far@192.0.2.9;transport=tcp>", "sips:far@192.0.2.9;transport=tcp"),
        ("<sip:#31#200@192.0.2.9>", "sip:#31#200@192.0.2.9"),
        ("<sip:one@192.0.2.9>, <sip:two@192.0.2.9>", "sip:one@192.0.2.9"),
    ],
)
def test_the_contact_is_the_target(written: str, target: str) -> None:
    request = contact(written).request("BYE", via=VIA)
    assert request.uri == target
    assert request.to_bytes().startswith(f"BYE {target} SIP/2.0\r\n".encode())


@pytest.mark.parametrize(
    "written", ["<>", "&lt;sip:far@192.0.2.9&gt;", "<sip:a b@192.0.2.9>", "nobody", "<http://x>"]
)
def test_a_contact_that_is_no_target_leaves_the_number_dialled(written: str) -> None:
    made = contact(written)
    assert made.remote_target == REQUEST_URI
    assert made.next_hop == PEER


def test_without_a_contact_too() -> None:
    assert dialog().remote_target == REQUEST_URI


def test_a_refresh_moves_the_target() -> None:
    made = contact("<sip:far@192.0.2.9>")
    made.refresh("<sip:elsewhere@192.0.2.8:5099>")
    assert made.remote_target == "sip:elsewhere@192.0.2.8:5099"
    assert made.next_hop == Destination("udp", "192.0.2.8", 5099)


def test_a_refresh_without_a_uri_does_not() -> None:
    made = contact("<sip:far@192.0.2.9>")
    made.refresh("<>")
    assert made.remote_target == "sip:far@192.0.2.9"


def test_via_comes_first() -> None:
    request = contact("<sip:far@192.0.2.9>").request("BYE", via=VIA)
    assert request.to_bytes().split(b"\r\n")[1] == f"Via: {VIA}".encode()
    assert request.headers.items()[0] == ("via", VIA)


def test_requests_are_numbered_on_and_an_ack_is_not() -> None:
    made = contact("<sip:far@192.0.2.9>")
    assert made.request("ACK", cseq=7).headers.get("cseq") == "7 ACK"
    assert made.request("BYE").headers.get("cseq") == "8 BYE"
    assert made.request("BYE").headers.get("cseq") == "9 BYE"


def test_loose_routers_are_named_nearest_first() -> None:
    made = dialog(
        ("contact", "<sip:far@192.0.2.9>"),
        ("record-route", "<sip:far-proxy.example;lr>, <sip:middle.example;lr>"),
        ("record-route", "<sip:near.example:5088;transport=tcp;lr>"),
    )
    request = made.request("BYE", via=VIA)
    assert request.uri == "sip:far@192.0.2.9"
    assert request.headers.all("route") == [
        "<sip:near.example:5088;transport=tcp;lr>",
        "<sip:middle.example;lr>",
        "<sip:far-proxy.example;lr>",
    ]
    assert made.next_hop == Destination("tcp", "near.example", 5088)


def test_a_strict_router_becomes_the_request_uri() -> None:
    made = dialog(("contact", "<sip:far@192.0.2.9>"), ("record-route", "<sip:strict.example>"))
    request = made.request("BYE")
    assert request.uri == "sip:strict.example"
    assert request.headers.all("route") == ["<sip:far@192.0.2.9>"]
    assert made.next_hop == Destination("udp", "strict.example", 5060)


def test_requests_of_the_peer_are_known_by_both_tags_and_come_in_order() -> None:
    made = contact("<sip:far@192.0.2.9>")
    headers = Headers.of(("from", "<sip:x>;tag=theirs"), ("to", "<sip:y>;tag=ours"), ("cseq", "5 BYE"))
    request = Request("BYE", "sip:y", headers)
    assert made.matches(request)
    assert made.in_order(request)
    assert not made.in_order(request)
    request.headers.set("from", "<sip:x>;tag=another")
    assert not made.matches(request)


@pytest.mark.parametrize(
    ("uri", "where"),
    [
        ("sip:a@192.0.2.9", Destination("udp", "192.0.2.9", 5060)),
        ("sip:192.0.2.9:5071", Destination("udp", "192.0.2.9", 5071)),
        ("sip:a@[2001:db8::9]:5071", Destination("udp", "2001:db8::9", 5071)),
        ("sip:a@host.example;transport=TCP", Destination("tcp", "host.example", 5060)),
        ("sip:a@host.example;transport=tls", Destination("tls", "host.example", 5061)),
        ("tel:+14255550200", PEER),
        ("sip:", PEER),
        ("sip:a@", PEER),
    ],
)
def test_where_a_uri_leads(uri: str, where: Destination) -> None:
    assert destination_of(uri, PEER) == where
