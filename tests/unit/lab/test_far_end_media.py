"""What the far end says about media: answers, offers, hold, and what it makes of nonsense."""

import pytest

from onhook.lab.audio_steps import Manner
from onhook.lab.far_end_media import BAD_SDP, Audio
from onhook.sip.offer import make_offer, read_answer
from onhook.sip.sdp import SessionDescription, Unusable, parse_sdp
from onhook.sip.terms import Secrecy, Terms

HERE = ("192.0.2.7", 7000)


def offer(host: str = "192.0.2.1", port: int = 6000, **settings: str) -> bytes:
    return make_offer(host, port, 1, 1, **settings).to_bytes()  # type: ignore[arg-type]  # settings of an offer, by name


def described(body: bytes | None) -> SessionDescription:
    assert body is not None
    read = parse_sdp(body)
    assert isinstance(read, SessionDescription)
    return read


def test_an_offer_is_answered_with_our_address() -> None:
    audio = Audio(lambda: HERE, 42)
    agreed = read_answer(described(offer()), described(audio.answer(offer())))
    assert not isinstance(agreed, Unusable)
    assert (agreed.host, agreed.port, agreed.codec) == (*HERE, "PCMU")


def test_rtp_is_wanted_where_the_offer_says() -> None:
    audio = Audio(lambda: HERE, 1)
    assert audio.wanted is None
    audio.answer(offer())
    assert audio.wanted is not None
    assert (audio.wanted.host, audio.wanted.port, audio.wanted.payload_type) == ("192.0.2.1", 6000, 0)


def test_the_first_codec_of_the_offer_that_we_know_is_taken() -> None:
    audio = Audio(lambda: HERE, 1)
    body = offer().replace(b"RTP/AVP 0 8 9", b"RTP/AVP 96 8").replace(b"rtpmap:0 PCMU", b"rtpmap:96 opus")
    answered = described(audio.answer(body))
    assert answered.media[0].formats[0] == "8"
    assert audio.wanted is not None
    assert audio.wanted.codec == "PCMA"


@pytest.mark.parametrize(
    "body",
    [
        offer(direction="sendonly"),
        offer(direction="inactive"),
        offer(host="0.0.0.0"),
    ],
    ids=["sendonly", "inactive", "unspecified"],
)
def test_a_caller_on_hold_wants_no_rtp(body: bytes) -> None:
    audio = Audio(lambda: HERE, 1)
    audio.answer(offer())
    assert audio.answer(body) is not None
    assert audio.wanted is None
    audio.answer(offer())
    assert audio.wanted is not None


def test_a_caller_that_only_listens_wants_rtp() -> None:
    audio = Audio(lambda: HERE, 1)
    audio.answer(offer(direction="recvonly"))
    assert audio.wanted is not None


@pytest.mark.parametrize("body", [b"nonsense", b"v=0\r\n", BAD_SDP, offer().replace(b"audio", b"video")])
def test_an_offer_that_cannot_be_read_or_agreed_on_has_no_answer(body: bytes) -> None:
    audio = Audio(lambda: HERE, 1)
    assert audio.answer(body) is None
    assert audio.wanted is None


def test_what_was_agreed_stays_when_a_new_offer_is_refused() -> None:
    audio = Audio(lambda: HERE, 1)
    audio.answer(offer())
    before = audio.wanted
    assert audio.answer(b"nonsense") is None
    assert audio.wanted is before


def test_versions_rise_within_one_session() -> None:
    audio = Audio(lambda: HERE, 42)
    origins = [described(audio.answer(offer())).values("o")[0].split()[1:3] for _ in range(3)]
    assert origins == [["42", "1"], ["42", "2"], ["42", "3"]]


def test_without_an_offer_we_offer_and_read_the_answer() -> None:
    audio = Audio(lambda: HERE, 1)
    ours = described(audio.answer(b""))
    assert [codec.name for codec in ours.media[0].codecs][:2] == ["PCMU", "PCMA"]
    assert audio.wanted is None
    audio.take_answer(offer(port=6002))
    assert audio.wanted is not None
    assert audio.wanted.port == 6002


@pytest.mark.parametrize("answer", [b"", b"nonsense", BAD_SDP])
def test_an_unreadable_answer_to_our_offer_leaves_us_waiting(answer: bytes) -> None:
    audio = Audio(lambda: HERE, 1)
    audio.answer(b"")
    audio.take_answer(answer)
    assert audio.wanted is None
    audio.take_answer(offer())
    assert audio.wanted is not None


def test_an_answer_without_audio_agrees_on_nothing() -> None:
    audio = Audio(lambda: HERE, 1)
    audio.answer(b"")
    audio.take_answer(offer().replace(b"audio 6000", b"audio 0"))
    assert audio.wanted is None


def test_an_answer_that_nobody_asked_for_is_dropped() -> None:
    audio = Audio(lambda: HERE, 1)
    audio.take_answer(offer())
    assert audio.wanted is None


def test_bad_sdp_is_bad_to_our_own_reader() -> None:
    assert isinstance(parse_sdp(BAD_SDP), Unusable)


# The manner that a scenario gives it


def audio(manner: Manner, secret: bytes = b"far") -> Audio:
    return Audio(lambda: HERE, 1, manner, secret)


def formats(body: bytes | None) -> tuple[str, ...]:
    return described(body).media[0].formats


def test_the_codecs_of_a_manner_are_offered_and_answered() -> None:
    assert formats(audio(Manner(("opus", "PCMA"))).answer(b"")) == ("111", "8", "101", "110")
    far = audio(Manner(("PCMA",)))
    assert formats(far.answer(offer())) == ("8", "101")
    assert far.wanted is not None
    assert far.wanted.codec == "PCMA"


def test_a_codec_that_was_not_offered_is_answered_all_the_same() -> None:
    far = audio(Manner(("G729",)))
    answer = described(far.answer(offer()))
    assert answer.media[0].formats == ("18",)
    assert "a=rtpmap:18 G729/8000" in answer.media[0].lines
    fault = read_answer(described(offer()), answer)
    assert isinstance(fault, Unusable)
    assert fault.why.startswith("no codec in common")
    assert far.wanted is None
    assert formats(audio(Manner(("G729", "PCMU"))).answer(b"")) == ("18", "0", "101")


def test_srtp_is_answered_where_it_is_offered_and_not_offered_by_itself() -> None:
    secured = make_offer("192.0.2.1", 6000, 1, 1, terms=Terms(srtp="optional", secret=b"near"))
    far = audio(Manner())
    assert described(far.answer(secured.to_bytes())).media[0].attributes("crypto")
    assert far.wanted is not None
    assert far.wanted.srtp is not None
    assert described(audio(Manner()).answer(b"")).media[0].attributes("crypto") == []


@pytest.mark.parametrize(
    ("srtp", "offered", "protocol"), [("required", "off", "RTP/SAVP"), ("off", "required", "RTP/AVP")]
)
def test_a_stubborn_side_answers_in_its_own_way(srtp: Secrecy, offered: Secrecy, protocol: str) -> None:
    near = make_offer("192.0.2.1", 6000, 1, 1, terms=Terms(srtp=offered, secret=b"near"))
    answer = described(audio(Manner(srtp=srtp)).answer(near.to_bytes()))
    assert answer.media[0].protocol == protocol
    assert isinstance(read_answer(near, answer), Unusable)


def test_without_telephone_event_nobody_speaks_of_it() -> None:
    far = audio(Manner(events=False))
    answer = described(far.answer(offer()))
    assert answer.media[0].formats == ("0",)
    assert b"telephone-event" not in answer.to_bytes()
    agreed = read_answer(described(offer()), answer)
    assert not isinstance(agreed, Unusable)
    assert agreed.telephone_event is None
    assert b"telephone-event" not in (audio(Manner(events=False)).answer(b"") or b"")
