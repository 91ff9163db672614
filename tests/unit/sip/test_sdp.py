import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onhook.sip.sdp import (
    MAX_LINES,
    MAX_MEDIA,
    MAX_SDP_BYTES,
    Codec,
    MediaDescription,
    SessionDescription,
    Unusable,
    parse_sdp,
)
from onhook.sip.sdp_lines import Connection, Origin

OFFER_OF_A_TRUNK = b"""v=0\r
o=SBC 20518 3 IN IP4 203.0.113.7\r
s=call\r
i=a line that nobody needs\r
c=IN IP4 203.0.113.7\r
b=AS:84\r
t=0 0\r
a=sendrecv\r
k=clear:unknown to us\r
m=audio 30000 RTP/AVP 18 8 0 96 101\r
c=IN IP4 203.0.113.8\r
a=rtpmap:18 G729/8000\r
a=fmtp:18 annexb=no\r
a=rtpmap:8 PCMA/8000/1\r
a=rtpmap:96 opus/48000/2\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
a=ptime:30\r
a=sendonly\r
a=x-vendor:kept;as it=came\r
m=video 30002/2 RTP/AVP 31\r
"""


def described(*lines: str) -> SessionDescription:
    parsed = parse_sdp("\r\n".join((*lines, "")).encode("utf-8", "surrogateescape"))
    assert isinstance(parsed, SessionDescription), parsed
    return parsed


def unusable(*lines: str) -> Unusable:
    parsed = parse_sdp("\r\n".join((*lines, "")).encode("utf-8", "surrogateescape"))
    assert isinstance(parsed, Unusable), parsed
    return parsed


def of_trunk() -> SessionDescription:
    parsed = parse_sdp(OFFER_OF_A_TRUNK)
    assert isinstance(parsed, SessionDescription)
    return parsed


HEAD = ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-")


# What is read


def test_the_session_is_read() -> None:
    trunk = of_trunk()
    assert trunk.origin == Origin("SBC", "20518", "3", "203.0.113.7")
    assert trunk.own_connection == Connection("203.0.113.7")
    assert trunk.own_direction == "sendrecv"
    assert trunk.values("t") == ["0 0"]
    assert [media.kind for media in trunk.media] == ["audio", "video"]


def test_a_media_is_read_with_its_lines_and_where_it_stood() -> None:
    audio, video = of_trunk().media
    assert (audio.port, audio.protocol, audio.formats) == (30000, "RTP/AVP", ("18", "8", "0", "96", "101"))
    assert audio.line == 10
    assert audio.ptime_ms == 30
    assert audio.attributes("x-vendor") == ["kept;as it=came"]
    assert (video.port, video.port_count, video.line, video.lines) == (30002, 2, 21, ())


def test_codecs_come_in_the_order_of_preference_with_their_settings() -> None:
    assert of_trunk().media[0].codecs == (
        Codec(18, "G729", 8000, 1, "annexb=no"),
        Codec(8, "PCMA", 8000),
        Codec(0, "PCMU", 8000),
        Codec(96, "opus", 48000, 2),
        Codec(101, "telephone-event", 8000, 1, "0-15"),
    )


def test_a_media_line_of_its_own_goes_before_the_session() -> None:
    trunk = of_trunk()
    audio, video = trunk.media
    assert trunk.connection_of(audio) == Connection("203.0.113.8")
    assert trunk.connection_of(video) == Connection("203.0.113.7")
    assert trunk.line_of_connection(audio) == 11
    assert trunk.line_of_connection(video) == 5
    assert trunk.direction_of(audio) == "sendonly"
    assert trunk.direction_of(video) == "sendrecv"


def test_direction_is_sendrecv_if_unsaid() -> None:
    description = described(*HEAD, "m=audio 4000 RTP/AVP 0")
    assert description.own_direction is None
    assert description.direction_of(description.media[0]) == "sendrecv"


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "recvonly", "inactive"])
def test_each_direction_is_read_with_blanks_behind_it(direction: str) -> None:
    description = described(*HEAD, "m=audio 4000 RTP/AVP 0", f"a={direction}  ")
    assert description.direction_of(description.media[0]) == direction


def test_the_first_direction_counts() -> None:
    description = described(*HEAD, "m=audio 4000 RTP/AVP 0", "a=inactive", "a=sendrecv")
    assert description.direction_of(description.media[0]) == "inactive"


def test_a_direction_of_the_session_is_of_each_media_without_its_own() -> None:
    description = described(*HEAD, "a=inactive", "m=audio 1 RTP/AVP 0", "m=audio 2 RTP/AVP 0", "a=recvonly")
    assert [description.direction_of(media) for media in description.media] == ["inactive", "recvonly"]


def test_no_connection_at_all_is_seen() -> None:
    description = described(*HEAD, "m=audio 4000 RTP/AVP 0")
    assert description.connection_of(description.media[0]) is None
    assert description.line_of_connection(description.media[0]) == 0


def test_what_we_made_ourselves_has_no_line_numbers() -> None:
    media = MediaDescription("audio", 4000, "RTP/AVP", ("0",), ("c=IN IP4 192.0.2.1",))
    made = SessionDescription(("v=0", "o=- 1 1 IN IP4 192.0.2.1"), (media,))
    assert made.line_of_connection(media) == 0
    assert made.connection_of(media) == Connection("192.0.2.1")


def test_a_description_made_by_hand_may_lack_an_origin() -> None:
    assert SessionDescription(("v=0",)).origin is None
    assert SessionDescription(("v=0", "o=nonsense")).origin is None
    assert SessionDescription(("v=0", "c=nonsense")).own_connection is None


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [("20", 20), ("10", 10), ("1000", 1000), ("0", None), ("1001", None), ("20.0", None), ("", None)],
)
def test_ptime_is_a_whole_number_of_milliseconds(value: str, milliseconds: int | None) -> None:
    assert described(*HEAD, "m=audio 4000 RTP/AVP 0", f"a=ptime:{value}").media[0].ptime_ms == milliseconds


def test_no_ptime_is_none() -> None:
    assert described(*HEAD, "m=audio 4000 RTP/AVP 0").media[0].ptime_ms is None


def test_static_payload_types_need_no_rtpmap_and_unknown_ones_have_no_name() -> None:
    media = described(*HEAD, "m=audio 4000 RTP/AVP 0 9 77").media[0]
    assert media.codecs == (Codec(0, "PCMU", 8000), Codec(9, "G722", 8000), Codec(77, "", 0))


def test_an_rtpmap_that_cannot_be_read_leaves_the_static_meaning() -> None:
    media = described(*HEAD, "m=audio 4000 RTP/AVP 8 99", "a=rtpmap:8 PCMA", "a=rtpmap:99 /x").media[0]
    assert media.codecs == (Codec(8, "PCMA", 8000), Codec(99, "", 0))


def test_the_first_rtpmap_of_a_type_counts() -> None:
    media = described(*HEAD, "m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMU/8000", "a=rtpmap:96 opus/48000/2")
    assert media.media[0].codecs == (Codec(96, "PCMU", 8000),)


def test_formats_that_are_no_payload_types_are_passed_over_but_kept() -> None:
    media = described(*HEAD, "m=image 4000 udptl t38", "m=audio 4002 RTP/AVP 128 -1 0").media
    assert media[0].formats == ("t38",)
    assert media[0].codecs == ()
    assert media[1].codecs == (Codec(0, "PCMU", 8000),)


def test_codec_names_ignore_case_and_compare_by_rate_and_channels() -> None:
    assert Codec(0, "pcmu", 8000).same_as(Codec(96, "PCMU", 8000))
    assert not Codec(0, "PCMU", 8000).same_as(Codec(0, "PCMU", 16000))
    assert not Codec(0, "PCMU", 8000).same_as(Codec(0, "PCMU", 8000, 2))
    assert not Codec(0, "PCMU", 8000).same_as(Codec(0, "PCMA", 8000))


# How it is written


def test_what_was_read_is_written_byte_for_byte() -> None:
    assert of_trunk().to_bytes() == OFFER_OF_A_TRUNK


def test_bare_line_feeds_are_read_and_written_as_crlf() -> None:
    assert parse_sdp(OFFER_OF_A_TRUNK.replace(b"\r\n", b"\n")) == of_trunk()


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n", b"\n\n\n"])
def test_the_end_may_lack_its_line_end_or_have_several(end: bytes) -> None:
    assert parse_sdp(OFFER_OF_A_TRUNK.rstrip() + end) == of_trunk()


def test_bytes_that_are_no_utf8_come_back_out() -> None:
    data = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=caf\xe9 \xff\r\n"
    parsed = parse_sdp(data)
    assert isinstance(parsed, SessionDescription)
    assert parsed.to_bytes() == data


def test_line_numbers_are_no_part_of_equality() -> None:
    near = described(*HEAD, "m=audio 4000 RTP/AVP 0").media[0]
    far = described(*HEAD, "t=0 0", "m=audio 4000 RTP/AVP 0").media[0]
    assert near == far
    assert near.line != far.line


# What is wrong, and where


@pytest.mark.parametrize(
    ("lines", "line", "why"),
    [
        (("",), 0, "the description is empty"),
        (("o=- 1 1 IN IP4 192.0.2.1",), 1, "the first line has to be"),
        (("v=1", *HEAD[1:]), 1, "'v=1'"),
        (("v=0 ", *HEAD[1:]), 1, "the first line has to be"),
        (("<html>",), 1, "'<html>'"),
        (("v=0", "s=-"), 0, "no o= line above the media"),
        (("v=0", "m=audio 4000 RTP/AVP 0", "o=- 1 1 IN IP4 192.0.2.1"), 3, "o= line below an m= line"),
        ((*HEAD, "o=- 2 2 IN IP4 192.0.2.1"), 4, "a second o= line"),
        ((*HEAD, "v=0"), 4, "a second v= line"),
        (("v=0", "o=- 1 1 IN IP4"), 2, "o= has to be"),
        (("v=0", "o=- 1 1 IN IP5 192.0.2.1"), 2, "o= has to be"),
        (("v=0", "o=- 1 1 ATM IP4 192.0.2.1"), 2, "o= has to be"),
        ((*HEAD, "", "t=0 0"), 4, "an empty line among the others"),
        ((*HEAD, "nonsense"), 4, "no letter and equals sign: 'nonsense'"),
        ((*HEAD, "=x"), 4, "no letter and equals sign"),
        ((*HEAD, "é=x"), 4, "no letter and equals sign"),
        ((*HEAD, "a=x\0y"), 4, "a NUL"),
        ((*HEAD, "a=x\ry"), 4, "stray carriage return"),
        ((*HEAD, "c=IN IP4"), 4, "c= has to be"),
        ((*HEAD, "c=IN IP4 192.0.2.256"), 4, "no IP4 address or host name: '192.0.2.256'"),
        ((*HEAD, "m=audio 4000 RTP/AVP 0", "c=IN IP9 192.0.2.1"), 5, "address type 'IP9'"),
        ((*HEAD, "m=audio"), 4, "m= has to be"),
        ((*HEAD, "m=audio port RTP/AVP 0"), 4, "no port from 0 to 65535: 'port'"),
        ((*HEAD, "m=audio 65536 RTP/AVP 0"), 4, "no port from 0 to 65535: '65536'"),
        ((*HEAD, "m=audio 4000/0 RTP/AVP 0"), 4, "'4000/0'"),
        ((*HEAD, "m=audio 4000 RTP/AVP"), 4, "names no payload type"),
        ((*HEAD, "m=audio 4000 RTP/AVP " + " ".join(["0"] * 129)), 4, "129 payload types"),
    ],
)
def test_each_fault_is_named_with_its_line(lines: tuple[str, ...], line: int, why: str) -> None:
    fault = unusable(*lines)
    assert fault.line == line
    assert why in fault.why


def test_the_first_of_several_faults_is_named() -> None:
    assert unusable(*HEAD, "c=IN", "m=audio").line == 4


def test_a_fault_reads_with_its_line() -> None:
    assert str(Unusable("no port", 7)) == "line 7: no port"
    assert str(Unusable("empty")) == "empty"


def test_a_long_line_is_shown_short() -> None:
    fault = unusable(*HEAD, "x" * 5000)
    assert len(fault.why) < 120
    assert "..." in fault.why


def test_too_many_bytes_lines_and_media_are_refused_by_name() -> None:
    assert "at most 32768" in str(parse_sdp(b"v" * (MAX_SDP_BYTES + 1)))
    full = [*HEAD, *["a=x"] * (MAX_LINES - len(HEAD))]
    assert len(described(*full).lines) == MAX_LINES
    assert unusable(*full, "a=x") == Unusable(f"more than {MAX_LINES} lines", MAX_LINES + 1)
    many = [*HEAD, *["m=audio 0 RTP/AVP 0"] * MAX_MEDIA]
    assert len(described(*many).media) == MAX_MEDIA
    assert unusable(*many, "m=audio 0 RTP/AVP 0") == Unusable("more than 32 m= lines", 36)


def test_missing_name_and_time_are_forgiven() -> None:
    assert described("v=0", "o=- 1 1 IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0").media[0].port == 4000


# Properties

text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n\0"), max_size=20)
word = st.text("abcXYZ0189-./", min_size=1, max_size=8)
unknown_line = st.builds("{}={}".format, st.sampled_from("abikprstuz"), text)
media_descriptions = st.builds(
    MediaDescription,
    st.sampled_from(["audio", "video", "application"]),
    st.integers(0, 65_535),
    st.sampled_from(["RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVPF"]),
    st.lists(word, min_size=1, max_size=5).map(tuple),
    st.lists(unknown_line, max_size=6).map(tuple),
    st.integers(1, 4),
)


def session(lines: list[str], media: list[MediaDescription]) -> SessionDescription:
    return SessionDescription((*HEAD, *lines), tuple(media))


sessions = st.builds(
    session,
    st.lists(unknown_line, max_size=6),
    st.lists(media_descriptions, max_size=4),
)


@given(sessions)
def test_a_description_survives_the_wire(description: SessionDescription) -> None:
    assert parse_sdp(description.to_bytes()) == description


@given(st.binary(max_size=400))
@example(b"")
@example(b"\r\n")
@example("v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\nm=audio ² RTP/AVP ²".encode())
def test_no_bytes_break_the_parser(data: bytes) -> None:
    read_everything(parse_sdp(data))


@given(st.data())
def test_no_mutation_of_a_real_description_breaks_the_parser(data: st.DataObject) -> None:
    mutated = bytearray(OFFER_OF_A_TRUNK)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        length = data.draw(st.integers(0, 8))
        mutated[at : at + length] = data.draw(st.binary(max_size=8))
        if not mutated:
            break
    read_everything(parse_sdp(bytes(mutated)))


@given(st.integers(0, len(OFFER_OF_A_TRUNK)))
def test_every_cut_is_read_or_named(length: int) -> None:
    read_everything(parse_sdp(OFFER_OF_A_TRUNK[:length]))


def read_everything(parsed: SessionDescription | Unusable) -> None:
    """Every typed value can be asked for, and what was read is written so that it reads the same."""
    if isinstance(parsed, Unusable):
        assert parsed.why
        assert 0 <= parsed.line <= MAX_LINES + 1
        return
    assert parsed.origin is not None
    for media in parsed.media:
        assert parsed.direction_of(media) in {"sendrecv", "sendonly", "recvonly", "inactive"}
        connection = parsed.connection_of(media)
        assert connection is None or connection.host
        assert len(media.codecs) <= len(media.formats)
        assert media.ptime_ms is None or media.ptime_ms > 0
    assert parse_sdp(parsed.to_bytes()) == parsed
