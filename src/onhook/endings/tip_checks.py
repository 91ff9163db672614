"""Tips that facts can show: each check reads a call and gives the facts that prove it, or none.

Nothing here decides how the call ended. Thresholds are ours (assumed) unless a source is named.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from onhook.endings.attempts import Reading
from onhook.endings.quality import quality_of
from onhook.endings.verdict import Proof
from onhook.facts import ApiRequested, InboundRefused, SipSeen
from onhook.sip.headers import parse_name_addr
from onhook.sip.messages import Message, Request, Response, parse
from onhook.sip.uri import phone_number

Check: TypeAlias = Callable[[Reading], list[Proof]]

MAX_DATAGRAM = 1_472
"""Bytes of a SIP message that fit into an Ethernet frame with UDP and IP headers (1,500 in all)."""
AT_ONCE_SECONDS = 1.0
"""A person does not decline a call that has not rung, and not within a second (assumed)."""
NEAR_SECONDS = 3.0
LIMITS_SECONDS = (85.0, 115.0, 120.0)
"""Documented: set-up limits of the service, to users and to phones; ringing lasts about two minutes."""
FAILS_OVER = frozenset({408, 503, 504})
"""Documented: after these the next SBC of a route is tried, and after no others."""
MAX_PROOFS = 3


def _messages(reading: Reading, *, direction: str = "received") -> Iterator[tuple[int, SipSeen, Message]]:
    """Messages that could be read, with the numbers of their facts."""
    for number, fact in enumerate(reading.timeline, 1):
        if isinstance(fact, SipSeen) and fact.direction == direction:
            message = parse(fact.message)
            if isinstance(message, Request | Response):
                yield number, fact, message


def _invites(reading: Reading) -> Iterator[tuple[int, Request]]:
    """INVITEs from the far end that begin a call."""
    for number, _, message in _messages(reading):
        if isinstance(message, Request) and message.method == "INVITE" and not message.to_tag:
            yield number, message


def number_without_plus(reading: Reading) -> list[Proof]:
    found: list[Proof] = []
    for number, invite in _invites(reading):
        dialled = phone_number(invite.uri)
        if dialled.isdecimal() and len(dialled) > 6:  # shorter ones are extensions and services
            found.append(Proof(number, f"the Request-URI has {dialled}, without +"))
    return found[:MAX_PROOFS]


def _refused(reading: Reading, words: tuple[str, ...], statuses: frozenset[int]) -> list[Proof]:
    """Requests of the application about `words` that were refused with one of `statuses`."""
    return [
        Proof(number, f"{fact.operation} was refused with {fact.status}: {fact.detail or 'no detail'}")
        for number, fact in enumerate(reading.timeline, 1)
        if isinstance(fact, ApiRequested)
        and fact.status in statuses
        and any(word in fact.operation.lower() for word in words)
    ][:MAX_PROOFS]


def refused_beside_another(reading: Reading) -> list[Proof]:
    words = ("play", "recognize", "dtmf", "transcription", "stream", "hold")
    return _refused(reading, words, frozenset({409, 412}))


def recording_refused(reading: Reading) -> list[Proof]:
    return _refused(reading, ("recording",), frozenset({400, 409}))


def tones_refused(reading: Reading) -> list[Proof]:
    return _refused(reading, ("senddtmf",), frozenset({400, 405}))


def throttled(reading: Reading) -> list[Proof]:
    return _refused(reading, ("",), frozenset({429}))


def asked_too_late(reading: Reading) -> list[Proof]:
    """Requests that were refused after the end of the call, or within the second before it."""
    if not reading.ended:
        return []
    end = reading.timeline[reading.ended - 1].at
    return [
        Proof(number, f"{fact.operation} was refused with {fact.status}, {fact.at - end:+.3f} s from the end")
        for number, fact in enumerate(reading.timeline, 1)
        if isinstance(fact, ApiRequested) and fact.status >= 400 and fact.at >= end - AT_ONCE_SECONDS
    ][:MAX_PROOFS]


def near_the_limit(reading: Reading) -> list[Proof]:
    attempt = reading.attempt
    if attempt is None or attempt.final is None or not attempt.invite:
        return []
    at = reading.timeline[attempt.final.fact - 1].at - reading.timeline[attempt.invite - 1].at
    near = [limit for limit in LIMITS_SECONDS if abs(at - limit) <= NEAR_SECONDS]
    return (
        [Proof(attempt.final.fact, f"it came {at:.1f} s after the INVITE: near {near[0]:.0f} s")]
        if near
        else []
    )


def poor_audio(reading: Reading) -> list[Proof]:
    return [
        Proof(leg.fact, f"{leg.party}: {', '.join(leg.causes) or leg.rating}")
        for leg in quality_of(reading.timeline)
        if leg.rating == "poor"
    ][:MAX_PROOFS]


def no_failover(reading: Reading) -> list[Proof]:
    attempt = reading.attempt
    if attempt is None or attempt.inbound or attempt.final is None:
        return []
    status = attempt.final.status
    if status < 500 or status > 599 or status in FAILS_OVER:  # a class of statuses
        return []
    return [Proof(attempt.final.fact, f"{status} ends the call: only 408, 503 and 504 move it on")]


def retry_after(reading: Reading) -> list[Proof]:
    return [
        Proof(number, f"503 asks for {message.headers.get('retry-after')[:40]} s of rest")
        for number, _, message in _messages(reading)
        if isinstance(message, Response) and message.status == 503 and message.headers.get("retry-after")
    ][:MAX_PROOFS]


def asserted_identity(reading: Reading) -> list[Proof]:
    found: list[Proof] = []
    for number, invite in _invites(reading):
        asserted = parse_name_addr(invite.headers.get("p-asserted-identity"))
        named = parse_name_addr(invite.headers.get("from"))
        if asserted is None or named is None:
            continue
        one, other = phone_number(asserted.uri), phone_number(named.uri)
        if one and one != other:
            found.append(Proof(number, f"From says {other or 'nobody'}, P-Asserted-Identity says {one}"))
    return found[:MAX_PROOFS]


def invite_out_of_form(reading: Reading) -> list[Proof]:
    found: list[Proof] = []
    for number, invite in _invites(reading):
        if invite.uri.lower().startswith("sips:"):
            found.append(Proof(number, "the Request-URI is sips:"))
        if invite.headers.get("replaces"):
            found.append(Proof(number, "the INVITE has Replaces"))
        if not invite.body:
            found.append(Proof(number, "the INVITE has no offer (SDP)"))
    return found[:MAX_PROOFS]


def long_datagram(reading: Reading) -> list[Proof]:
    return [
        Proof(number, f"{len(fact.message)} bytes over UDP: more than fit into one packet")
        for number, fact in enumerate(reading.timeline, 1)
        if isinstance(fact, SipSeen) and fact.transport == "udp" and len(fact.message) > MAX_DATAGRAM
    ][:MAX_PROOFS]


def offer_unusable(reading: Reading) -> list[Proof]:
    return [
        Proof(number, f"refused with {fact.status}: {fact.detail or 'no codec of ours'}")
        for number, fact in enumerate(reading.timeline, 1)
        if isinstance(fact, InboundRefused) and fact.why == "media-unusable"
    ][:MAX_PROOFS]


def session_timer(reading: Reading) -> list[Proof]:
    return [
        Proof(number, "422: the session timer is too short for the far end")
        for number, _, message in _messages(reading)
        if isinstance(message, Response) and message.status == 422
    ][:MAX_PROOFS]


def declined_at_once(reading: Reading) -> list[Proof]:
    attempt = reading.attempt
    if attempt is None or attempt.inbound or attempt.final is None or not attempt.invite:
        return []
    if attempt.final.status not in {403, 603} or attempt.ringing:
        return []
    took = reading.timeline[attempt.final.fact - 1].at - reading.timeline[attempt.invite - 1].at
    if took > AT_ONCE_SECONDS:
        return []
    return [
        Proof(
            attempt.final.fact,
            f"{attempt.final.status} after {took:.3f} s, and nothing rang: no person did that",
        )
    ]


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        number_without_plus, refused_beside_another, asked_too_late, recording_refused, throttled,
        near_the_limit, tones_refused, poor_audio, no_failover, retry_after, asserted_identity,
        invite_out_of_form, long_datagram, offer_unusable, session_timer, declined_at_once,
    )
}  # fmt: skip
"""By the name that tables/tips.csv gives."""
