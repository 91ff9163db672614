"""SRTP by SDES: who offers what, what is answered, and every way in which two sides miss each other."""

from base64 import b64encode

import pytest

from onhook.effects import Srtp
from onhook.sip.offer import Negotiated, answer_offer, make_offer, read_answer, read_offer
from onhook.sip.sdes import SUITES
from onhook.sip.sdp import SessionDescription, Unusable, parse_sdp
from onhook.sip.terms import SECRECIES, Secrecy, Terms

HEAD = ("v=0", "o=- 7 1 IN IP4 198.51.100.9", "s=-", "c=IN IP4 198.51.100.9", "t=0 0")
SUITE_80, SUITE_32 = SUITES
THEIRS = bytes(range(30))
INLINE = f"inline:{b64encode(THEIRS).decode()}"
NEAR, FAR = b"n" * 32, b"f" * 32


def described(*media_lines: str) -> SessionDescription:
    parsed = parse_sdp("\r\n".join((*HEAD, *media_lines, "")).encode())
    assert isinstance(parsed, SessionDescription), parsed
    return parsed


def terms(srtp: Secrecy, secret: bytes = NEAR) -> Terms:
    return Terms(("PCMU", "PCMA"), srtp, secret)


def offer(srtp: Secrecy) -> SessionDescription:
    return make_offer("192.0.2.1", 4000, 11, 1, terms=terms(srtp))


def test_off_offers_plain_rtp_and_no_key() -> None:
    (media,) = offer("off").media
    assert media.protocol == "RTP/AVP"
    assert media.attributes("crypto") == []


@pytest.mark.parametrize(("srtp", "protocol"), [("optional", "RTP/AVP"), ("required", "RTP/SAVP")])
def test_an_offer_of_srtp_has_a_key_for_each_suite(srtp: Secrecy, protocol: str) -> None:
    (media,) = offer(srtp).media
    assert media.protocol == protocol
    lines = media.attributes("crypto")
    assert [line.split()[:2] for line in lines] == [["1", SUITE_80], ["2", SUITE_32]]
    keys = {line.split()[2] for line in lines}
    assert len(keys) == 2
    assert offer(srtp) == offer(srtp)


def test_without_a_secret_srtp_is_off() -> None:
    bare = make_offer("192.0.2.1", 4000, 11, 1, terms=terms("required", b""))
    assert bare.media[0].protocol == "RTP/AVP"


@pytest.mark.parametrize(("suite", "tag"), [(SUITE_80, 1), (SUITE_32, 2)])
@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/AVP", "RTP/SAVPF"])
@pytest.mark.parametrize("srtp", ["optional", "required"])
def test_an_answer_with_a_key_agrees(srtp: Secrecy, protocol: str, suite: str, tag: int) -> None:
    agreed = read_answer(
        offer(srtp), described(f"m=audio 30000 {protocol} 0", f"a=crypto:{tag} {suite} {INLINE}|2^31")
    )
    assert isinstance(agreed, Negotiated)
    assert agreed.srtp == Srtp(suite, terms(srtp).key(suite), THEIRS)


def test_a_wrong_tag_is_forgiven_if_the_suite_is_clear() -> None:
    agreed = read_answer(
        offer("required"), described("m=audio 30000 RTP/SAVP 0", f"a=crypto:9 {SUITE_32} {INLINE}")
    )
    assert isinstance(agreed, Negotiated)
    assert agreed.srtp is not None
    assert agreed.srtp.suite == SUITE_32


def test_optional_is_content_with_plain_rtp() -> None:
    agreed = read_answer(offer("optional"), described("m=audio 30000 RTP/AVP 0"))
    assert isinstance(agreed, Negotiated)
    assert agreed.srtp is None


def test_a_key_that_nobody_asked_for_is_passed_over() -> None:
    agreed = read_answer(
        offer("off"), described("m=audio 30000 RTP/AVP 0", f"a=crypto:1 {SUITE_80} {INLINE}")
    )
    assert isinstance(agreed, Negotiated)
    assert agreed.srtp is None


@pytest.mark.parametrize(
    ("srtp", "lines", "why"),
    [
        ("required", ("m=audio 30000 RTP/AVP 0",), "SRTP was offered as required, and the answer is plain"),
        ("required", ("m=audio 30000 RTP/SAVP 0",), "no key that can be used: there is no a=crypto line"),
        ("required", ("m=audio 30000 RTP/SAVP 0", "a=crypto:1 X inline:A"), "the suite 'X' is not spoken"),
        ("optional", ("m=audio 30000 RTP/SAVP 0",), "no key that can be used"),
        ("optional", ("m=audio 30000 RTP/AVP 0", "a=crypto:1 X inline:A"), "the suite 'X' is not spoken"),
        ("off", ("m=audio 30000 RTP/SAVP 0", f"a=crypto:1 {SUITE_80} {INLINE}"), "plain RTP/AVP was offered"),
    ],
)
def test_each_mismatch_of_an_answer_is_named(srtp: Secrecy, lines: tuple[str, ...], why: str) -> None:
    fault = read_answer(offer(srtp), described(*lines))
    assert isinstance(fault, Unusable)
    assert why in fault.why
    assert fault.line == 6


def test_a_suite_that_was_not_offered_is_named() -> None:
    ours = offer("required")
    lines = tuple(line for line in ours.media[0].lines if SUITE_32 not in line)
    (media,) = ours.media
    only_80 = SessionDescription(
        ours.lines, (type(media)(media.kind, media.port, media.protocol, media.formats, lines),)
    )
    fault = read_answer(only_80, described("m=audio 30000 RTP/SAVP 0", f"a=crypto:1 {SUITE_32} {INLINE}"))
    assert fault == Unusable(f"the answer takes the suite {SUITE_32}, which was not offered", 6)


# Offers of others


@pytest.mark.parametrize(
    ("srtp", "lines", "secured"),
    [
        ("off", ("m=audio 30000 RTP/AVP 0",), False),
        ("off", ("m=audio 30000 RTP/AVP 0", f"a=crypto:1 {SUITE_80} {INLINE}"), False),
        ("optional", ("m=audio 30000 RTP/AVP 0",), False),
        ("optional", ("m=audio 30000 RTP/AVP 0", f"a=crypto:4 {SUITE_32} {INLINE}"), True),
        ("optional", ("m=audio 30000 RTP/AVP 0", "a=crypto:1 X inline:A"), False),
        ("optional", ("m=audio 30000 RTP/SAVP 0", f"a=crypto:4 {SUITE_32} {INLINE}"), True),
        ("required", ("m=audio 30000 RTP/SAVP 0", f"a=crypto:4 {SUITE_32} {INLINE}"), True),
        ("required", ("m=audio 30000 RTP/AVP 0", f"a=crypto:4 {SUITE_32} {INLINE}"), True),
    ],
)
def test_an_offer_is_answered_in_kind(srtp: Secrecy, lines: tuple[str, ...], *, secured: bool) -> None:
    theirs = described(*lines)
    agreed = read_offer(theirs, terms=terms(srtp))
    answer = answer_offer(theirs, "192.0.2.1", 4000, 11, 1, terms=terms(srtp))
    assert isinstance(agreed, Negotiated)
    assert isinstance(answer, SessionDescription)
    (media,) = answer.media
    assert media.protocol == theirs.media[0].protocol
    ours = terms(srtp).key(SUITE_32)
    if secured:
        assert agreed.srtp == Srtp(SUITE_32, ours, THEIRS)
        assert media.attributes("crypto") == [f"4 {SUITE_32} inline:{b64encode(ours).decode()}"]
    else:
        assert agreed.srtp is None
        assert media.attributes("crypto") == []


@pytest.mark.parametrize(
    ("srtp", "lines", "why"),
    [
        (
            "off",
            ("m=audio 30000 RTP/SAVP 0", f"a=crypto:1 {SUITE_80} {INLINE}"),
            "srtp is off for this trunk",
        ),
        ("required", ("m=audio 30000 RTP/AVP 0",), "SRTP is required for this trunk, and plain RTP/AVP is"),
        ("required", ("m=audio 30000 RTP/AVP 0", "a=crypto:1 X inline:A"), "no key that can be used"),
        ("optional", ("m=audio 30000 RTP/SAVP 0",), "no key that can be used: there is no a=crypto line"),
    ],
)
def test_each_offer_that_is_refused_is_named(srtp: Secrecy, lines: tuple[str, ...], why: str) -> None:
    fault = read_offer(described(*lines), terms=terms(srtp))
    assert isinstance(fault, Unusable)
    assert why in fault.why
    assert answer_offer(described(*lines), "192.0.2.1", 4000, 11, 1, terms=terms(srtp)) == fault


@pytest.mark.parametrize(("srtp", "taken"), [("off", 30002), ("optional", 30000), ("required", 30000)])
def test_of_an_encrypted_and_a_plain_audio_the_first_that_fits_is_taken(srtp: Secrecy, taken: int) -> None:
    """As SBCs offer "best effort" in two m= lines."""
    agreed = read_offer(
        described("m=audio 30000 RTP/SAVP 0", f"a=crypto:1 {SUITE_80} {INLINE}", "m=audio 30002 RTP/AVP 0"),
        terms=terms(srtp),
    )
    assert isinstance(agreed, Negotiated)
    assert agreed.port == taken


@pytest.mark.parametrize("here", SECRECIES)
@pytest.mark.parametrize("there", SECRECIES)
def test_two_of_us_agree_unless_one_requires_what_the_other_has_not(here: Secrecy, there: Secrecy) -> None:
    ours, theirs = terms(here), terms(there, FAR)
    offered = make_offer("192.0.2.1", 4000, 1, 1, terms=ours)
    answer = answer_offer(offered, "198.51.100.9", 30000, 2, 1, terms=theirs)
    far = read_offer(offered, terms=theirs)
    if {here, there} == {"off", "required"}:
        assert isinstance(answer, Unusable)
        assert far == answer
        return
    assert isinstance(answer, SessionDescription)
    assert isinstance(far, Negotiated)
    near = read_answer(offered, answer)
    assert isinstance(near, Negotiated)
    if "off" in {here, there}:
        assert near.srtp is far.srtp is None
        return
    assert near.srtp is not None
    assert far.srtp is not None
    assert near.srtp.suite == far.srtp.suite == SUITE_80
    assert (near.srtp.send_key, near.srtp.receive_key) == (far.srtp.receive_key, far.srtp.send_key)
    assert near.srtp.send_key != near.srtp.receive_key
