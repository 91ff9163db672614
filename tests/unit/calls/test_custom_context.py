"""customCallingContext: what may be sent, what is refused by name, and what of an INVITE is passed on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.acs.models import CustomCallingContext
from onhook.calls.custom_context import MAX_HEADERS, headers_of, read_context


def context(sip: dict[str, str] | None = None, voip: dict[str, str] | None = None) -> CustomCallingContext:
    return CustomCallingContext(sip_headers=sip, voip_headers=voip)


def test_nothing_given_is_nothing_sent() -> None:
    assert read_context(None) == ((), ())
    assert read_context(context()) == ((), ())
    assert read_context(context({}, {})) == ((), ())


def test_both_kinds_are_read_in_their_order() -> None:
    sip = {"User-To-User": "56a390f3d2b7310023a;encoding=hex", "X-MS-Custom-b": "2", "x-other": "ü"}
    assert read_context(context(sip, {"key": "any\nvalue"})) == (tuple(sip.items()), (("key", "any\nvalue"),))


@pytest.mark.parametrize(
    ("sip", "voip", "words", "target"),
    [
        ({"Via": "x"}, {}, "cannot be sent", "$.customCallingContext.sipHeaders"),
        ({"X-": "x"}, {}, "cannot be sent", "$.customCallingContext.sipHeaders"),
        ({"X-a b": "x"}, {}, "cannot be sent", "$.customCallingContext.sipHeaders"),
        ({"X-a\r\nVia": "x"}, {}, "cannot be sent", "$.customCallingContext.sipHeaders"),
        ({"X-a": "1\r\nVia: evil"}, {}, "control characters", "$.customCallingContext.sipHeaders"),
        ({"X-a": "1" * 257}, {}, "257 characters; 256", "$.customCallingContext.sipHeaders"),
        ({"X-" + "a" * 63: "1"}, {}, "65 characters; 1 to 64", "$.customCallingContext.sipHeaders"),
        ({}, {"a": "1" * 1025}, "1025 characters; 1024", "$.customCallingContext.voipHeaders"),
        ({}, {"": "1"}, "0 characters", "$.customCallingContext.voipHeaders"),
        ({}, {str(n): "1" for n in range(MAX_HEADERS + 1)}, "21 headers; 20", "$.customCallingContext"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(
    sip: dict[str, str], voip: dict[str, str], words: str, target: str
) -> None:
    with pytest.raises(ApiError) as refused:
        read_context(context(sip, voip))
    assert (refused.value.status, refused.value.code, refused.value.target) == (400, "8523", target)
    assert words in refused.value.message


def test_an_invite_passes_on_what_is_meant_for_applications() -> None:
    invite = (
        b"INVITE sip:x SIP/2.0\r\nVia: v\r\nUser-to-User: 616d617a;encoding=hex\r\n"
        b"X-MS-Custom-MyHeader : 35567842\r\nx-ms-custom-other:  two words \r\nX-Other: no\r\n\r\n"
        b"X-MS-Custom-Body: no\r\n"
    )
    assert headers_of(invite) == (
        ("userToUser", "616d617a;encoding=hex"),
        ("X-MS-Custom-MyHeader", "35567842"),
        ("x-ms-custom-other", "two words"),
    )


def test_too_long_and_too_many_are_left_out() -> None:
    lines = [f"X-MS-Custom-{n}: {n}" for n in range(30)]
    invite = "\r\n".join(["INVITE sip:x SIP/2.0", f"X-MS-Custom-Long: {'1' * 257}", *lines]).encode()
    found = headers_of(invite)
    assert len(found) == MAX_HEADERS
    assert found[0] == ("X-MS-Custom-0", "0")


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    for name, value in headers_of(b"INVITE sip:x SIP/2.0\r\nUser-To-User: " + data):
        assert name
        assert "\n" not in value
