"""Voices, digits and noise: which are offered, which are answered, and under which numbers they come."""

import pytest

from onhook.sip.offer import Negotiated, answer_offer, make_offer, read_answer, read_offer
from onhook.sip.sdp import SessionDescription, Unusable, parse_sdp
from onhook.sip.terms import Terms

HEAD = ("v=0", "o=- 7 1 IN IP4 198.51.100.9", "s=-", "c=IN IP4 198.51.100.9", "t=0 0")
NOISE = (13, "CN")
EVENTS = "telephone-event"
OPUS = "a=rtpmap:96 opus/48000/2"


def described(*media_lines: str) -> SessionDescription:
    parsed = parse_sdp("\r\n".join((*HEAD, *media_lines, "")).encode())
    assert isinstance(parsed, SessionDescription), parsed
    return parsed


def offered(*codecs: str) -> SessionDescription:
    return make_offer("192.0.2.1", 4000, 11, 1, terms=Terms(codecs))


def answered(*media_lines: str, offer: SessionDescription | None = None) -> Negotiated:
    agreed = read_answer(offer or offered("PCMU", "PCMA", "G722", "opus"), described(*media_lines))
    assert isinstance(agreed, Negotiated), agreed
    return agreed


def taken(*media_lines: str, terms: Terms | None = None) -> tuple[Negotiated, SessionDescription]:
    offer, terms = described(*media_lines), terms or Terms()
    agreed = read_offer(offer, terms=terms)
    answer = answer_offer(offer, "192.0.2.1", 4000, 11, 1, terms=terms)
    assert isinstance(agreed, Negotiated), agreed
    assert isinstance(answer, SessionDescription), answer
    return agreed, answer


# Our offers


@pytest.mark.parametrize(
    ("codecs", "formats"),
    [
        (("PCMU", "PCMA", "G722", "opus"), "0 8 9 111 101 110"),
        (("PCMA", "PCMU"), "8 0 101"),
        (("opus",), "111 101 110"),
        (("opus", "PCMU"), "111 0 101 110"),
        (("G722",), "9 101"),
    ],
)
def test_an_offer_has_the_codecs_of_the_terms_in_their_order(codecs: tuple[str, ...], formats: str) -> None:
    assert " ".join(offered(*codecs).media[0].formats) == formats


def test_every_offer_names_its_codecs_and_opus_as_two_channels() -> None:
    lines = offered("opus", "PCMA").media[0].lines
    assert "a=rtpmap:111 opus/48000/2" in lines
    assert "a=rtpmap:8 PCMA/8000" in lines
    assert "a=rtpmap:110 telephone-event/48000" in lines


# Answers to them


def test_an_answer_with_our_numbers() -> None:
    agreed = answered(
        "m=audio 30000 RTP/AVP 111 110", "a=rtpmap:111 opus/48000/2", "a=rtpmap:110 telephone-event/48000"
    )
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == ("opus", 111, 110)
    assert agreed.hears == ((111, "opus"), (110, EVENTS))


def test_an_answer_with_numbers_of_its_own_is_sent_to_under_them_and_heard_under_both() -> None:
    agreed = answered(
        "m=audio 30000 RTP/AVP 96 97", "a=rtpmap:96 OPUS/48000/2", "a=rtpmap:97 telephone-event/48000"
    )
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == ("opus", 96, 97)
    assert agreed.hears == ((111, "opus"), (110, EVENTS), (96, "opus"), (97, EVENTS))


def test_a_number_that_means_something_else_here_keeps_our_meaning() -> None:
    """They answer with 101 for opus, which in our offer is telephone-event: RTP of type 101 is digits."""
    agreed = answered("m=audio 30000 RTP/AVP 101 0", "a=rtpmap:101 opus/48000/2")
    assert (agreed.codec, agreed.payload_type) == ("opus", 101)
    assert agreed.hears == ((111, "opus"), (0, "PCMU"), NOISE)


def test_several_voices_in_an_answer_may_all_come() -> None:
    agreed = answered("m=audio 30000 RTP/AVP 9 0 8")
    assert (agreed.codec, agreed.payload_type) == ("G722", 9)
    assert agreed.hears == ((9, "G722"), (0, "PCMU"), (8, "PCMA"), NOISE)


def test_digits_go_with_the_clock_of_the_voice() -> None:
    both = ("a=rtpmap:101 telephone-event/8000", "a=rtpmap:110 telephone-event/48000")
    narrow = answered("m=audio 30000 RTP/AVP 0 110 101", *both)
    wide = answered("m=audio 30000 RTP/AVP 111 101 110", "a=rtpmap:111 opus/48000/2", *both)
    assert (narrow.telephone_event, wide.telephone_event) == (101, 110)
    assert (narrow.event_clock, wide.event_clock) == (8000, 48_000)


def test_digits_of_another_clock_are_better_than_none() -> None:
    agreed = answered(
        "m=audio 30000 RTP/AVP 111 101", "a=rtpmap:111 opus/48000/2", "a=rtpmap:101 telephone-event/8000"
    )
    assert agreed.telephone_event == 101


def test_opus_needs_its_two_channels() -> None:
    fault = read_answer(offered("opus"), described("m=audio 30000 RTP/AVP 111", "a=rtpmap:111 opus/48000"))
    assert isinstance(fault, Unusable)
    assert fault.why == "no codec in common: 111 opus here, 111 opus there"


def test_an_answer_with_a_codec_that_was_not_offered_is_named() -> None:
    fault = read_answer(offered("PCMA"), described("m=audio 30000 RTP/AVP 0"))
    assert fault == Unusable("no codec in common: 8 PCMA here, 0 PCMU there", 6)


# Offers of others


def test_of_an_offer_the_first_voice_that_the_terms_have_is_taken() -> None:
    lines = ("m=audio 30000 RTP/AVP 18 96 8 0", OPUS)
    assert taken(*lines)[0].codec == "opus"
    assert taken(*lines, terms=Terms(("PCMU", "PCMA")))[0].codec == "PCMA"
    fault = read_offer(described(*lines), terms=Terms(("G722",)))
    assert isinstance(fault, Unusable)
    assert fault.why == "no codec in common: 9 G722 here, 18 G729, 96 opus, 8 PCMA, 0 PCMU there"


def test_keys_of_a_phone_that_knows_their_old_clock_only_are_taken_beside_opus() -> None:
    """As baresip 1.0 offers them."""
    eights = "a=rtpmap:100 telephone-event/8000"
    agreed, answer = taken("m=audio 30000 RTP/AVP 96 100", OPUS, eights, terms=Terms(("opus",)))
    assert (agreed.telephone_event, agreed.event_clock) == (100, 8000)
    assert answer.media[0].formats == ("96", "100")
    assert eights in answer.media[0].lines


def test_an_answer_repeats_the_offers_numbers() -> None:
    agreed, answer = taken(
        "m=audio 30000 RTP/AVP 96 13 100 101",
        OPUS,
        "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:100 telephone-event/8000",
        "a=rtpmap:101 telephone-event/48000",
    )
    assert agreed.hears == ((96, "opus"), (101, EVENTS), NOISE)
    assert answer.media[0].m_line == "m=audio 4000 RTP/AVP 96 101 13"
    assert answer.media[0].lines[:4] == (
        OPUS,
        "a=rtpmap:101 telephone-event/48000",
        "a=fmtp:101 0-16",
        "a=rtpmap:13 CN/8000",
    )


def test_comfort_noise_is_answered_where_it_is_offered_and_heard_anyway() -> None:
    agreed, answer = taken("m=audio 30000 RTP/AVP 0 13")
    assert answer.media[0].formats == ("0", "13")
    assert agreed.hears == ((0, "PCMU"), NOISE)
    agreed, answer = taken("m=audio 30000 RTP/AVP 0")
    assert answer.media[0].formats == ("0",)
    assert agreed.hears == ((0, "PCMU"), NOISE)


def test_comfort_noise_may_have_a_number_of_its_own() -> None:
    agreed, answer = taken("m=audio 30000 RTP/AVP 0 98", "a=rtpmap:98 CN/8000")
    assert answer.media[0].formats == ("0", "98")
    assert agreed.hears == ((0, "PCMU"), (98, "CN"), NOISE)


def test_feedback_profiles_and_rtcp_attributes_are_borne() -> None:
    agreed, answer = taken("m=audio 30000 RTP/AVPF 0", "a=rtcp:30001", "a=rtcp-mux", "a=rtcp-fb:0 nack")
    assert (agreed.codec, agreed.port) == ("PCMU", 30000)
    assert answer.media[0].protocol == "RTP/AVPF"
    assert not answer.media[0].attributes("rtcp-mux")  # not answered: RTCP comes and goes on the port above


@pytest.mark.parametrize(
    ("lines", "sending", "receiving"),
    [
        ((), True, True),
        (("a=sendonly",), False, True),
        (("a=recvonly",), True, False),
        (("a=inactive",), False, False),
        (("c=IN IP4 0.0.0.0",), False, False),
        (("c=IN IP6 ::",), False, False),
        (("c=IN IP4 0.0.0.0", "a=sendonly"), False, False),
    ],
)
def test_every_form_of_hold(lines: tuple[str, ...], *, sending: bool, receiving: bool) -> None:
    agreed, _ = taken("m=audio 30000 RTP/AVP 0", *lines)
    assert (agreed.sending, agreed.receiving) == (sending, receiving)
    mine = answered("m=audio 30000 RTP/AVP 0", *lines)
    assert (mine.sending, mine.receiving) == (sending, receiving)
