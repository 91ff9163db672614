"""What a leg offers and answers over the whole of its session, and what media is told of it."""

from base64 import b64decode

import pytest

from onhook.calls.directory import Trunk
from onhook.calls.negotiation import Negotiation
from onhook.effects import Srtp, StartMedia
from onhook.sip.offer import answer_offer, make_offer
from onhook.sip.sdes import SUITES
from onhook.sip.sdp import SessionDescription, Unusable, parse_sdp
from onhook.sip.terms import Secrecy, Terms

SECRET, SEED = "5e" * 32, "0123456789abcdef"
FAR = Terms(("PCMA", "PCMU"), "optional", b"f" * 32)


def negotiation(srtp: Secrecy = "off", *codecs: str, seed: str = SEED, secret: str = SECRET) -> Negotiation:
    trunk = Trunk("carrier", "192.0.2.2", codecs=codecs or ("PCMU", "PCMA"), srtp=srtp)
    return Negotiation("leg", ("192.0.2.1", 4000), seed, trunk.terms(secret, seed))


def described(body: bytes | None) -> SessionDescription:
    read = parse_sdp(body or b"")
    assert isinstance(read, SessionDescription), read
    return read


def far_answer(offer: bytes, terms: Terms = FAR) -> bytes:
    answer = answer_offer(described(offer), "198.51.100.9", 30_000, 1, 1, terms=terms)
    assert isinstance(answer, SessionDescription), answer
    return answer.to_bytes()


def far_offer(terms: Terms = FAR) -> bytes:
    return make_offer("198.51.100.9", 30_000, 1, 1, terms=terms).to_bytes()


def own_key(body: bytes) -> bytes:
    return b64decode(described(body).media[0].attributes("crypto")[0].partition("inline:")[2])


def test_media_is_told_all_that_an_answer_says() -> None:
    talk = negotiation()
    body = far_answer(talk.offer).replace(b"a=ptime:20", b"a=ptime:40").replace(b"sendrecv", b"sendonly")
    assert talk.take_answer(body) == StartMedia(
        "leg",
        "198.51.100.9",
        30_000,
        0,
        "PCMU",
        sending=False,
        receiving=True,
        telephone_event=101,
        hears=((0, "PCMU"), (101, "telephone-event"), (13, "CN")),
        ptime_ms=40,
    )


def test_the_codecs_are_those_of_the_trunk() -> None:
    talk = negotiation("off", "opus", "G722")
    assert described(talk.offer).media[0].formats == ("111", "9", "101", "110")
    fault = talk.take_answer(far_offer())
    assert isinstance(fault, Unusable)
    assert fault.why.startswith("no codec in common: 111 opus, 9 G722 here")


def test_the_clock_of_keys_is_told() -> None:
    talk = negotiation("off", "opus")
    both = talk.take_answer(far_answer(talk.offer, Terms(("opus",))))
    assert isinstance(both, StartMedia)
    assert (both.codec, both.telephone_event, both.event_clock) == ("opus", 110, 48_000)


def test_both_ends_of_srtp_have_the_same_keys() -> None:
    talk = negotiation("required")
    answer = far_answer(talk.offer)
    started = talk.take_answer(answer)
    assert isinstance(started, StartMedia)
    assert started.srtp == Srtp(SUITES[0], own_key(talk.offer), own_key(answer))


def test_an_offer_of_srtp_is_answered_with_a_key_of_ours() -> None:
    answered = negotiation("optional").answer(far_offer(Terms(srtp="required", secret=b"f" * 32)))
    assert not isinstance(answered, Unusable)
    body, started = answered
    assert described(body).media[0].protocol == "RTP/SAVP"
    assert started.srtp is not None
    assert started.srtp.send_key == own_key(body)


def test_keys_differ_by_leg_and_by_call_and_stay_for_the_session() -> None:
    talk = negotiation("required")
    others = [
        negotiation("required", seed="fedcba9876543210"),
        negotiation("required", secret="another call"),
    ]
    first = own_key(talk.offer)
    assert len({first, *(own_key(other.offer) for other in others)}) == 3
    again = talk.renegotiate(b"")  # a re-INVITE without a description asks for our offer
    assert again is not None
    assert own_key(again) == first
    assert described(again).values("o")[0].split()[2] == "2"


def test_nothing_public_of_a_leg_is_in_its_key() -> None:
    """The seed stands in every Call-ID and tag: who reads them must not be able to make the key."""
    with_secret, without = negotiation("required"), negotiation("required", secret="")
    assert b"a=crypto" in with_secret.offer
    assert b"a=crypto" not in without.offer  # a call of an older version, taken up after a restart
    assert SECRET.encode() not in with_secret.offer


@pytest.mark.parametrize(
    ("srtp", "terms", "why"),
    [
        ("required", Terms(), "SRTP is required for this trunk"),
        ("off", Terms(srtp="required", secret=b"f" * 32), "srtp is off for this trunk"),
        ("off", Terms(("G722",)), "no codec in common"),
    ],
)
def test_an_offer_that_does_not_fit_is_refused_by_name(srtp: Secrecy, terms: Terms, why: str) -> None:
    talk = negotiation(srtp)
    fault = talk.answer(far_offer(terms))
    assert isinstance(fault, Unusable)
    assert why in fault.why
    assert talk.renegotiate(far_offer(terms)) is None
    assert talk.changed == []


@pytest.mark.parametrize("body", [b"", b"nonsense"])
def test_what_is_no_description_is_refused_by_name(body: bytes) -> None:
    assert isinstance(negotiation().take_answer(body), Unusable)
    assert isinstance(negotiation().answer(body), Unusable)


def test_hold_and_resume_within_the_session_change_media() -> None:
    talk = negotiation()
    talk.take_answer(far_answer(talk.offer))
    for direction, sending, receiving in (("inactive", False, False), ("sendrecv", True, True)):
        held = make_offer("198.51.100.9", 30_000, 1, 2, direction=direction, terms=FAR).to_bytes()  # type: ignore[arg-type]  # both are directions
        assert talk.renegotiate(held) is not None
        changed = talk.changed.pop()
        assert (changed.sending, changed.receiving) == (sending, receiving)
