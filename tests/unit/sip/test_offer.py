import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.sip.offer import Negotiated, answer_offer, make_offer, read_answer, read_offer
from onhook.sip.sdp import (
    DIRECTIONS,
    Codec,
    Direction,
    MediaDescription,
    SessionDescription,
    Unusable,
    parse_sdp,
)

HEAD = ("v=0", "o=- 7 1 IN IP4 198.51.100.9", "s=-", "c=IN IP4 198.51.100.9", "t=0 0")
OURS = make_offer("192.0.2.1", 4000, 11, 1)
NOISE = (13, "CN")


def described(*lines: str) -> SessionDescription:
    parsed = parse_sdp("\r\n".join((*lines, "")).encode())
    assert isinstance(parsed, SessionDescription), parsed
    return parsed


def answered(*media_lines: str, offer: SessionDescription = OURS) -> Negotiated | Unusable:
    """What we read from an answer with these lines below its usual head of five."""
    return read_answer(offer, described(*HEAD, *media_lines))


def replied(offer: SessionDescription, direction: Direction = "sendrecv") -> SessionDescription:
    answer = answer_offer(offer, "192.0.2.1", 4000, 11, 1, direction=direction)
    assert isinstance(answer, SessionDescription), answer
    return answer


# The offer


def test_the_offer_on_the_wire() -> None:
    assert OURS.to_bytes().decode().split("\r\n") == [
        "v=0",
        "o=- 11 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 4000 RTP/AVP 0 8 9 111 101 110",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=rtpmap:110 telephone-event/48000",
        "a=fmtp:110 0-16",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


def test_an_offer_over_ipv6_says_so() -> None:
    offer = make_offer("2001:db8::1", 4000, 1, 1)
    assert offer.lines[1] == "o=- 1 1 IN IP6 2001:db8::1"
    assert offer.lines[3] == "c=IN IP6 2001:db8::1"


@given(
    st.ip_addresses().map(str),
    st.integers(1, 65_535),
    st.integers(0, 2**63),
    st.integers(0, 2**63),
    st.sampled_from(DIRECTIONS),
)
def test_every_offer_survives_the_wire(
    host: str, port: int, session_id: int, version: int, direction: Direction
) -> None:
    offer = make_offer(host, port, session_id, version, direction=direction)
    parsed = parse_sdp(offer.to_bytes())
    assert parsed == offer
    assert offer.origin is not None
    assert (offer.origin.session_id, offer.origin.version) == (str(session_id), str(version))
    assert offer.direction_of(offer.media[0]) == direction


# Answers that agree


def test_a_plain_answer() -> None:
    assert answered(
        "m=audio 30000 RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000"
    ) == Negotiated(
        "198.51.100.9", 30000, "PCMU", 0, 101, "sendrecv", 20, ((0, "PCMU"), (101, "telephone-event"), NOISE)
    )


def test_the_answers_own_order_of_codecs_counts() -> None:
    agreed = answered("m=audio 30000 RTP/AVP 8 0")
    assert isinstance(agreed, Negotiated)
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == ("PCMA", 8, None)


def test_codecs_that_we_did_not_offer_are_passed_over() -> None:
    agreed = answered("m=audio 30000 RTP/AVP 18 3 101 8", "a=rtpmap:101 telephone-event/8000")
    assert isinstance(agreed, Negotiated)
    assert (agreed.codec, agreed.telephone_event) == ("PCMA", 101)


def test_the_answerers_numbers_are_used_and_our_spelling() -> None:
    agreed = answered(
        "m=audio 30000 RTP/AVP 97 100", "a=rtpmap:97 pcma/8000", "a=rtpmap:100 TELEPHONE-EVENT/8000"
    )
    heard = ((8, "PCMA"), (101, "telephone-event"), (97, "PCMA"), (100, "telephone-event"), NOISE)
    assert agreed == Negotiated("198.51.100.9", 30000, "PCMA", 97, 100, hears=heard)


def test_telephone_events_of_another_clock_rate_are_not_ours() -> None:
    agreed = answered("m=audio 30000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/16000")
    assert isinstance(agreed, Negotiated)
    assert agreed.telephone_event is None


def test_telephone_events_that_we_did_not_offer_are_not_agreed() -> None:
    bare = SessionDescription(HEAD, (MediaDescription("audio", 4000, "RTP/AVP", ("0",)),))
    agreed = answered("m=audio 30000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", offer=bare)
    assert agreed == Negotiated("198.51.100.9", 30000, "PCMU", 0, hears=((0, "PCMU"), NOISE))


def test_the_media_address_goes_before_the_sessions() -> None:
    agreed = answered("m=audio 30000 RTP/AVP 0", "c=IN IP6 2001:db8::5")
    assert isinstance(agreed, Negotiated)
    assert agreed.host == "2001:db8::5"


@pytest.mark.parametrize(
    ("lines", "ptime_ms"),
    [
        ((), 20),
        (("a=ptime:20",), 20),
        (("a=ptime:30",), 20),
        (("a=ptime:40",), 40),
        (("a=ptime:10",), 20),
        (("a=ptime:200",), 60),
        (("a=ptime:60", "a=maxptime:40"), 40),
        (("a=maxptime:10",), 20),
        (("a=ptime:nonsense", "a=maxptime:0"), 20),
    ],
)
def test_packets_hold_what_the_answer_wants_as_far_as_our_beat_allows(
    lines: tuple[str, ...], ptime_ms: int
) -> None:
    agreed = answered("m=audio 30000 RTP/AVP 0", *lines)
    assert isinstance(agreed, Negotiated)
    assert agreed.ptime_ms == ptime_ms


def test_only_the_audio_that_we_offered_open_counts() -> None:
    audio = OURS.media[0]
    offer = SessionDescription(HEAD, (MediaDescription("audio", 0, "RTP/AVP", ("0",)), audio))
    agreed = answered("m=audio 0 RTP/AVP 0", "m=audio 30002 RTP/AVP 8", offer=offer)
    assert isinstance(agreed, Negotiated)
    assert agreed.port == 30002


# Direction and hold


@pytest.mark.parametrize(
    ("offered", "answer", "ours"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "sendonly", "recvonly"),
        ("sendrecv", "recvonly", "sendonly"),
        ("sendrecv", "inactive", "inactive"),
        ("sendonly", "recvonly", "sendonly"),
        ("sendonly", "sendrecv", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
        ("recvonly", "sendonly", "recvonly"),
        ("recvonly", "sendrecv", "recvonly"),
        ("recvonly", "recvonly", "inactive"),
        ("inactive", "sendrecv", "inactive"),
    ],
)
def test_direction_is_what_both_sides_leave_seen_by_us(
    offered: Direction, answer: Direction, ours: Direction
) -> None:
    offer = make_offer("192.0.2.1", 4000, 1, 1, direction=offered)
    agreed = answered("m=audio 30000 RTP/AVP 0", f"a={answer}", offer=offer)
    assert isinstance(agreed, Negotiated)
    assert agreed.direction == ours
    assert agreed.sending == (ours in {"sendrecv", "sendonly"})
    assert agreed.receiving == (ours in {"sendrecv", "recvonly"})


@pytest.mark.parametrize(
    ("lines", "ours"),
    [
        (("c=IN IP4 0.0.0.0",), "recvonly"),
        (("c=IN IP6 ::",), "recvonly"),
        (("c=IN IP4 0.0.0.0", "a=sendonly"), "recvonly"),
        (("c=IN IP4 0.0.0.0", "a=recvonly"), "inactive"),
        (("c=IN IP4 0.0.0.0", "a=inactive"), "inactive"),
    ],
)
def test_an_address_of_zeros_takes_our_sending_away(lines: tuple[str, ...], ours: Direction) -> None:
    agreed = answered("m=audio 30000 RTP/AVP 0", *lines)
    assert isinstance(agreed, Negotiated)
    assert agreed.direction == ours


def test_a_direction_of_the_session_holds_all_its_media() -> None:
    agreed = read_answer(OURS, described(*HEAD, "a=inactive", "m=audio 30000 RTP/AVP 0"))
    assert isinstance(agreed, Negotiated)
    assert agreed.direction == "inactive"


# Answers that cannot be used


@pytest.mark.parametrize(
    ("lines", "line", "why"),
    [
        ((), 0, "0 m= lines answer the 1 of the offer"),
        (("m=audio 30000 RTP/AVP 0", "m=audio 30002 RTP/AVP 0"), 7, "2 m= lines answer the 1 of the offer"),
        (("m=video 30000 RTP/AVP 31",), 6, "m='video' answers m=audio"),
        (("m=audio 0 RTP/AVP 0",), 6, "the audio is refused: its port is 0"),
        (("m=audio 0 RTP/SAVP 0",), 6, "the audio is refused: its port is 0"),
        (("m=audio 30000 RTP/SAVP 0",), 6, "is SRTP ('RTP/SAVP'), and plain RTP/AVP was offered"),
        (("m=audio 30000 udptl t38",), 6, "the audio is 'udptl'; RTP/AVP and RTP/SAVP are spoken here"),
        (("m=audio 30000 UDP/TLS/RTP/SAVPF 0",), 6, "keys come by a=crypto, not by DTLS"),
        (("m=audio 30000 RTP/AVP 0", "c=IN IP4 239.1.1.1/64"), 7, "a multicast address, 239.1.1.1"),
        (("m=audio 30000 RTP/AVP 18 4",), 6, "0 PCMU, 8 PCMA, 9 G722, 111 opus here, 18 G729, 4 G723 there"),
        (("m=audio 30000 RTP/AVP 96", "a=rtpmap:96 speex/16000"), 6, "96 speex there"),
        (("m=audio 30000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), 6, "101 telephone-event there"),
        (("m=audio 30000 RTP/AVP 77",), 6, "77 unknown there"),
        (("m=audio 30000 RTP/AVP x",), 6, "none there"),
        (("m=audio 30000 RTP/AVP 0", "a=rtpmap:0 PCMU/16000"), 6, "no codec in common"),
    ],
)
def test_each_fault_of_an_answer_is_named_with_its_line(lines: tuple[str, ...], line: int, why: str) -> None:
    fault = answered(*lines)
    assert isinstance(fault, Unusable)
    assert fault.line == line
    assert why in fault.why


def test_an_answer_that_says_no_address() -> None:
    fault = read_answer(OURS, described(*HEAD[:3], "m=audio 30000 RTP/AVP 0"))
    assert fault == Unusable("no c= line says where the audio goes", 4)


def test_many_foreign_codecs_are_named_in_short() -> None:
    fault = answered("m=audio 30000 RTP/AVP " + " ".join(str(number) for number in range(96, 127)))
    assert isinstance(fault, Unusable)
    assert fault.why.endswith("103 unknown, … there")


def test_a_strangers_codec_name_is_shown_safely() -> None:
    fault = answered("m=audio 30000 RTP/AVP 96", "a=rtpmap:96 \x1b[2Jé/8000")
    assert isinstance(fault, Unusable)
    assert fault.why.isascii()
    assert "\x1b" not in fault.why


def test_an_answer_to_no_audio_is_a_fault() -> None:
    video = SessionDescription(HEAD, (MediaDescription("video", 4000, "RTP/AVP", ("31",)),))
    fault = answered("m=video 30000 RTP/AVP 31", offer=video)
    assert fault == Unusable("the offer had no audio to answer")


# Offers that we answer


def test_the_answer_on_the_wire() -> None:
    offer = described(
        *HEAD,
        "m=audio 30000 RTP/AVP 18 8 0 96",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "m=video 30002 RTP/AVP 31 34",
    )
    assert replied(offer).to_bytes().decode().split("\r\n") == [
        "v=0",
        "o=- 11 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 4000 RTP/AVP 8 96",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-16",
        "a=ptime:20",
        "a=sendrecv",
        "m=video 0 RTP/AVP 31 34",
        "",
    ]


def test_what_we_read_of_an_offer_is_what_we_answer() -> None:
    offer = described(*HEAD, "m=audio 30000 RTP/AVP 97 100", "a=rtpmap:97 PCMA/8000", "a=sendonly")
    heard = ((97, "PCMA"), NOISE)
    assert read_offer(offer) == Negotiated("198.51.100.9", 30000, "PCMA", 97, None, "recvonly", hears=heard)
    assert replied(offer).media[0].codecs == (Codec(97, "PCMA", 8000),)


def test_the_first_audio_that_can_be_agreed_on_is_taken() -> None:
    offer = described(
        *HEAD,
        "m=audio 0 RTP/AVP 0",
        "m=audio 30000 RTP/SAVP 0",
        "m=audio 30002 RTP/AVP 0",
        "m=audio 30004 RTP/AVP 8",
    )
    assert [media.port for media in replied(offer).media] == [0, 0, 4000, 0]
    agreed = read_offer(offer)
    assert isinstance(agreed, Negotiated)
    assert agreed.port == 30002


def test_a_refused_media_keeps_a_format_even_if_it_came_without() -> None:
    offer = described(*HEAD, "m=audio 30000 RTP/AVP 0", "m=image 0 udptl")
    assert replied(offer).media[1].m_line == "m=image 0 udptl 0"


def test_the_times_of_the_offer_are_given_back() -> None:
    offer = described(*HEAD[:4], "t=3034423619 3042462419", "m=audio 30000 RTP/AVP 0")
    assert replied(offer).values("t") == ["3034423619 3042462419"]
    assert replied(described(*HEAD[:4], "m=audio 30000 RTP/AVP 0")).values("t") == ["0 0"]


@pytest.mark.parametrize(
    ("offered", "wanted", "answer"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "inactive", "inactive"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
    ],
)
def test_the_direction_of_an_offer_is_mirrored(
    offered: Direction, wanted: Direction, answer: Direction
) -> None:
    offer = described(*HEAD, "m=audio 30000 RTP/AVP 0", f"a={offered}")
    reply = replied(offer, wanted)
    assert reply.direction_of(reply.media[0]) == answer


def test_an_offer_that_holds_by_zeros_is_answered_without_sending() -> None:
    offer = described(*HEAD, "m=audio 30000 RTP/AVP 0", "c=IN IP4 0.0.0.0")
    reply = replied(offer)
    assert reply.direction_of(reply.media[0]) == "recvonly"
    agreed = read_offer(offer)
    assert isinstance(agreed, Negotiated)
    assert not agreed.sending


@pytest.mark.parametrize(
    ("lines", "line", "why"),
    [
        ((), 0, "no audio is offered"),
        (("m=video 30000 RTP/AVP 31",), 0, "no audio is offered"),
        (("m=audio 0 RTP/AVP 0",), 6, "its port is 0"),
        (("m=audio 30000 RTP/AVP 18",), 6, "no codec in common"),
        (("m=audio 30000 UDP/TLS/RTP/SAVPF 0",), 6, "'UDP/TLS/RTP/SAVPF'"),
        (("m=audio 30000 RTP/AVP 18", "m=audio 30002 RTP/SAVP 0"), 6, "no codec in common"),
    ],
)
def test_an_offer_without_media_for_us_is_refused_by_name(
    lines: tuple[str, ...], line: int, why: str
) -> None:
    offer = described(*HEAD, *lines)
    fault = answer_offer(offer, "192.0.2.1", 4000, 11, 1)
    assert isinstance(fault, Unusable)
    assert fault.line == line
    assert why in fault.why
    assert read_offer(offer) == fault


# Properties

ports = st.one_of(st.just(0), st.integers(1, 65_535))
formats = st.lists(st.sampled_from(["0", "8", "18", "96", "97", "101", "x"]), min_size=1, max_size=6)
attribute_lines = st.lists(
    st.sampled_from(
        [
            "c=IN IP4 0.0.0.0",
            "c=IN IP4 198.51.100.10",
            "c=IN IP4 232.0.0.1/1",
            "a=sendonly",
            "a=inactive",
            "a=recvonly",
            "a=ptime:40",
            "a=rtpmap:96 PCMU/8000",
            "a=rtpmap:97 telephone-event/8000",
            "a=rtpmap:101 telephone-event/8000",
        ]
    ),
    max_size=5,
)
foreign_media = st.builds(
    MediaDescription,
    st.sampled_from(["audio", "audio", "video"]),
    ports,
    st.sampled_from(["RTP/AVP", "RTP/AVP", "RTP/SAVP"]),
    formats.map(tuple),
    attribute_lines.map(tuple),
)


@given(st.lists(foreign_media, max_size=4), st.sampled_from(DIRECTIONS))
def test_every_answer_of_ours_obeys_the_rules_and_can_be_read(
    media: list[MediaDescription], direction: Direction
) -> None:
    offer = SessionDescription(HEAD, tuple(media))
    answer = answer_offer(offer, "192.0.2.1", 4000, 11, 1, direction=direction)
    if isinstance(answer, Unusable):
        assert answer.why
        return
    assert parse_sdp(answer.to_bytes()) == answer
    assert [m.kind for m in answer.media] == [m.kind for m in offer.media]
    assert [m.protocol for m in answer.media] == [m.protocol for m in offer.media]
    assert [m.port for m in answer.media if m.port] == [4000]
    taken = next(at for at, m in enumerate(answer.media) if m.port)
    assert set(answer.media[taken].formats) <= set(offer.media[taken].formats)
    here = read_offer(offer, direction)
    assert isinstance(here, Negotiated)
    assert answer.direction_of(answer.media[taken]) == here.direction


@given(st.sampled_from(DIRECTIONS), st.sampled_from(DIRECTIONS))
def test_both_ends_agree_on_who_sends(offered: Direction, wanted: Direction) -> None:
    offer = make_offer("192.0.2.1", 4000, 1, 1, direction=offered)
    answer = answer_offer(offer, "198.51.100.9", 30000, 2, 1, direction=wanted)
    assert isinstance(answer, SessionDescription)
    near, far = read_answer(offer, answer), read_offer(offer, wanted)
    assert isinstance(near, Negotiated)
    assert isinstance(far, Negotiated)
    assert near.sending == far.receiving
    assert near.receiving == far.sending
    assert (near.codec, near.payload_type, near.telephone_event) == ("PCMU", 0, 101)
    assert (far.codec, far.payload_type, far.telephone_event) == ("PCMU", 0, 101)


@given(st.lists(foreign_media, max_size=3))
def test_every_foreign_answer_is_read_or_named(media: list[MediaDescription]) -> None:
    read = read_answer(OURS, SessionDescription(HEAD, tuple(media)))
    if isinstance(read, Unusable):
        assert read.why
    else:
        assert len(media) == 1
        assert 0 < read.port < 65_536
        assert read.codec in {"PCMU", "PCMA"}
