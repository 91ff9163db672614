import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.sip.sdp_lines import (
    MAX_HOST_LENGTH,
    STATIC_CODECS,
    Connection,
    MediaLine,
    Origin,
    attributes,
    by_payload_type,
    number,
    parse_connection,
    parse_encoding,
    parse_media_line,
    parse_origin,
    shown,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("65535", 65535), ("65536", None), ("", None), ("-1", None), ("+1", None), ("1.0", None)],
)
def test_numbers_have_a_top(text: str, value: int | None) -> None:
    assert number(text, 65_535) == value


@pytest.mark.parametrize("text", ["²", "٣", "1" * 5000, " 1", "0x10", "1_000"])
def test_what_only_python_takes_for_a_number_is_none(text: str) -> None:
    assert number(text, 10**12) is None


@given(st.integers(0, 65_535))
def test_every_number_up_to_the_top_is_read(value: int) -> None:
    assert number(str(value), 65_535) == value


def test_strangers_text_is_shown_in_ascii() -> None:
    assert shown("é\x1b[2J") == r"'\xe9\x1b[2J'"
    assert shown("x" * 60) == f"'{'x' * 60}'"
    assert shown("x" * 61) == f"'{'x' * 57}...'"


def test_an_origin_keeps_its_numbers_as_text() -> None:
    huge = "9" * 40
    assert parse_origin(f"- {huge} 0007 IN IP6 2001:db8::1") == Origin("-", huge, "0007", "2001:db8::1")


@pytest.mark.parametrize(
    ("value", "connection"),
    [
        ("IN IP4 192.0.2.1", Connection("192.0.2.1")),
        ("IN IP4 0.0.0.0", Connection("0.0.0.0")),
        ("IN IP4 media-1.example.com", Connection("media-1.example.com")),
        ("IN IP4 localhost", Connection("localhost")),
        ("IN IP4 224.2.36.42/127", Connection("224.2.36.42", "IP4", "127")),
        ("IN IP6 2001:db8::1", Connection("2001:db8::1", "IP6")),
        ("IN IP6 ::", Connection("::", "IP6")),
        ("IN IP6 ::ffff:192.0.2.1", Connection("::ffff:192.0.2.1", "IP6")),
        ("IN IP6 ff15::101/3", Connection("ff15::101", "IP6", "3")),
        ("IN IP6 media.example.com", Connection("media.example.com", "IP6")),
        ("  IN   IP4 192.0.2.1 ", Connection("192.0.2.1")),
    ],
)
def test_connections_are_read(value: str, connection: Connection) -> None:
    assert parse_connection(value) == connection


@pytest.mark.parametrize(
    "value",
    [
        "",
        "IN",
        "IN IP4",
        "IN IP4 192.0.2.1 more",
        "ATM IP4 192.0.2.1",
        "IN IP4 192.0.2",
        "IN IP4 192.0.2.1.1",
        "IN IP4 192.0.2.0001",
        "IN IP4 192.0.2.-1",
        "IN IP4 300.0.2.1",
        "IN IP4 12345",
        "IN IP4 ²",
        "IN IP4 2001:db8::1",
        "IN IP4 /127",
        "IN IP4 a@b",
        "IN IP4 a..b",
        "IN IP4 -a.b",
        f"IN IP4 {'x' * (MAX_HOST_LENGTH + 1)}",
        "IN IP6 192.0.2.1",
        "IN IP6 2001:db8::1::2",
        "IN IP6 2001:xyz::1",
        "IN IP6 fe80::1%eth0",
        "IN IPX 192.0.2.1",
    ],
)
def test_connections_that_lead_nowhere_are_named(value: str) -> None:
    fault = parse_connection(value)
    assert isinstance(fault, str)
    assert fault.startswith("c= ")


@pytest.mark.parametrize(
    ("connection", "unspecified", "multicast"),
    [
        (Connection("192.0.2.1"), False, False),
        (Connection("0.0.0.0"), True, False),
        (Connection("::", "IP6"), True, False),
        (Connection("223.255.255.255"), False, False),
        (Connection("224.0.0.1"), False, True),
        (Connection("239.255.255.255"), False, True),
        (Connection("240.0.0.1"), False, False),
        (Connection("ff02::1", "IP6"), False, True),
        (Connection("FF02::1", "IP6"), False, True),
        (Connection("ffm.example.com", "IP6"), False, False),
        (Connection("224.example.com"), False, False),
        (Connection("192.0.2.1", "IP4", "127"), False, True),
    ],
)
def test_hold_and_multicast_are_seen_in_the_address(
    connection: Connection, *, unspecified: bool, multicast: bool
) -> None:
    assert connection.unspecified is unspecified
    assert connection.multicast is multicast


@pytest.mark.parametrize(
    ("value", "media"),
    [
        ("audio 4000 RTP/AVP 0 8", MediaLine("audio", 4000, "RTP/AVP", ("0", "8"))),
        ("audio 0 RTP/AVP 0", MediaLine("audio", 0, "RTP/AVP", ("0",))),
        ("video 0 RTP/AVP", MediaLine("video", 0, "RTP/AVP", ())),
        ("audio 49170/2 RTP/AVP 31", MediaLine("audio", 49170, "RTP/AVP", ("31",), 2)),
        ("audio  4000  RTP/AVP  0 ", MediaLine("audio", 4000, "RTP/AVP", ("0",))),
    ],
)
def test_media_lines_are_read(value: str, media: MediaLine) -> None:
    assert parse_media_line(value) == media


@pytest.mark.parametrize(
    "value",
    ["", "audio", "audio 4000", "audio -1 RTP/AVP 0", "audio 4000/ RTP/AVP 0", "audio 4000/x RTP/AVP 0"],
)
def test_media_lines_that_cannot_be_read_are_named(value: str) -> None:
    fault = parse_media_line(value)
    assert isinstance(fault, str)
    assert fault.startswith("m= ")


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        ("PCMU/8000", ("PCMU", 8000, 1)),
        ("opus/48000/2", ("opus", 48000, 2)),
        ("PCMU", None),
        ("", None),
        ("/8000", None),
        ("PCMU/0", None),
        ("PCMU/8000/0", None),
        ("PCMU/fast", None),
        ("PCMU/8000/1/1", None),
    ],
)
def test_encodings(value: str, encoding: tuple[str, int, int] | None) -> None:
    assert parse_encoding(value) == encoding


def test_attributes_are_found_by_their_whole_name() -> None:
    lines = ("a=rtpmap:0 PCMU/8000", "a=rtpmapper:1 x", "b=rtpmap:2 y", "a=rtpmap: 8 PCMA/8000")
    assert attributes(lines, "rtpmap") == ["0 PCMU/8000", "8 PCMA/8000"]


def test_values_by_payload_type_leave_out_what_has_none() -> None:
    lines = ("a=fmtp:101 0-16", "a=fmtp:x 1", "a=fmtp:128 2", "a=fmtp:101 0-15", "a=fmtp:8")
    assert by_payload_type(lines, "fmtp") == {101: "0-16", 8: ""}


def test_static_codecs_are_names_and_rates_of_7_bit_types() -> None:
    assert all(0 <= payload_type < 96 for payload_type in STATIC_CODECS)
    assert STATIC_CODECS[0] == ("PCMU", 8000)
    assert STATIC_CODECS[8] == ("PCMA", 8000)


@given(st.text(max_size=60))
def test_no_text_breaks_a_reader(value: str) -> None:
    assert isinstance(parse_origin(value), Origin | str)
    assert isinstance(parse_connection(value), Connection | str)
    assert isinstance(parse_media_line(value), MediaLine | str)
    assert parse_encoding(value) is None or value.count("/") in {1, 2}
