"""The evidence of every ending, word for word, and the fact with which it is decided."""

from typing import NamedTuple

import pytest

from media_evidence import MEDIA_EVIDENCE
from onhook.endings.judge import judge
from onhook.endings.rules import RULES
from timelines import SAMPLES


class Expected(NamedTuple):
    """`decided_at` is the fact from which on the verdict is this ending; the rest may follow or not."""

    decided_at: int
    evidence: list[tuple[int, str]]


EXPECTED: dict[str, Expected] = {
    "server-fault": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "trunk carrier reported 180: the phone rang"),
            (5, "our own code failed in calls.call: ValueError: no such leg"),
        ],
    ),
    "server-restarted": Expected(
        8,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "the server started again and found the call open; nothing had been noted for 4.0 s"),
        ],
    ),
    "number-invalid": Expected(
        2,
        [
            (2, "no trunk was chosen for +14255550200: because of number-invalid"),
        ],
    ),
    "number-unknown": Expected(
        2,
        [
            (2, "no trunk was chosen for +14255550200: because of number-unknown"),
        ],
    ),
    "caller-id-missing": Expected(
        2,
        [
            (2, "no trunk was chosen for +14255550200: because of caller-id-missing"),
        ],
    ),
    "caller-id-not-owned": Expected(
        2,
        [
            (2, "no trunk was chosen for +14255550200: because of caller-id-not-owned"),
        ],
    ),
    "no-route": Expected(
        2,
        [
            (2, "no trunk was chosen for +14255550200: because of no-route"),
        ],
    ),
    "no-trunk": Expected(
        2,
        [
            (2, "no trunk was chosen for +14255550200: because of no-trunk"),
        ],
    ),
    "trunk-full": Expected(
        2,
        [
            (2, "no trunk was chosen for +14255550200: because of trunk-full"),
        ],
    ),
    "cancel-crossed-answer": Expected(
        7,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "trunk carrier reported 180: the phone rang"),
            (5, "the application asked to end the call (hangUp)"),
            (6, "we took the call back (CANCEL, Q.850 cause 16 (Normal call clearing))"),
            (7, "trunk carrier answered"),
            (9, "we ended the call (BYE)"),
        ],
    ),
    "caller-cancel-crossed-answer": Expected(
        4,
        [
            (1, "trunk carrier offered the call"),
            (2, "we reported 180: the phone rang"),
            (3, "we answered"),
            (4, "trunk carrier took the call back (CANCEL, Q.850 cause 16 (Normal call clearing))"),
        ],
    ),
    "call-too-long": Expected(
        8,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "the time a call may last, 60 s, ran out"),
            (9, "we ended the call (BYE)"),
        ],
    ),
    "hung-up-by-app": Expected(
        8,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "the application asked to end the call (hangUp)"),
            (9, "we ended the call (BYE)"),
        ],
    ),
    "ack-lost": Expected(
        20,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (7, "we acknowledged the answer"),
            (8, "the same answer came again, as if our ACK had not arrived"),
            (18, "it came for the last time, 6 repeats after our ACK"),
            (20, "trunk carrier ended the call (BYE)"),
        ],
    ),
    "hung-up-by-network": Expected(
        8,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "trunk carrier ended the call (BYE, Q.850 cause 38 (Network out of order))"),
        ],
    ),
    "hung-up-by-phone": Expected(
        8,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "trunk carrier ended the call (BYE)"),
        ],
    ),
    "caller-hung-up": Expected(
        6,
        [
            (1, "trunk carrier offered the call"),
            (3, "we reported 180: the phone rang"),
            (4, "we answered"),
            (6, "trunk carrier ended the call (BYE)"),
        ],
    ),
    "answer-unacknowledged": Expected(
        4,
        [
            (1, "trunk carrier offered the call"),
            (2, "we reported 180: the phone rang"),
            (3, "we answered"),
            (4, "timer ACK ran out after 32 s: no ACK of our answer had come"),
        ],
    ),
    "session-expired": Expected(
        9,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "timer session-expires ran out after 90 s: trunk carrier did not refresh the session"),
            (9, "we ended the call (BYE)"),
        ],
    ),
    "answer-unusable": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "trunk carrier reported 180: the phone rang"),
            (
                5,
                (
                    "trunk carrier answered with a session description that cannot be used: "
                    "line 2: no letter and equals sign: 'nonsense'"
                ),
            ),
            (7, "we ended the call (BYE)"),
        ],
    ),
    "ended-locally": Expected(
        8,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "we ended the call (BYE)"),
        ],
    ),
    "caller-gave-up": Expected(
        3,
        [
            (1, "trunk carrier offered the call"),
            (2, "we reported 180: the phone rang"),
            (3, "trunk carrier took the call back (CANCEL, Q.850 cause 16 (Normal call clearing))"),
        ],
    ),
    "inbound-busy": Expected(
        2,
        [
            (1, "trunk carrier offered the call"),
            (2, "we refused with 486 Busy Here"),
        ],
    ),
    "inbound-refused": Expected(
        2,
        [
            (1, "trunk carrier offered the call"),
            (2, "we refused with 415 Unsupported Media Type"),
        ],
    ),
    "cancelled-by-app": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "trunk carrier reported 180: the phone rang"),
            (5, "the application asked to end the call (hangUp)"),
            (6, "we took the call back (CANCEL, Q.850 cause 16 (Normal call clearing))"),
            (8, "trunk carrier confirmed our CANCEL with 487 Request Terminated"),
        ],
    ),
    "malformed-answer": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "9 bytes came that are no SIP message: start line '\\x00\\x01not sip'"),
            (5, "timer no-response ran out after 10 s: no readable response had come"),
        ],
    ),
    "rang-out": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "trunk carrier reported 180: the phone rang"),
            (5, "the time allowed for the set-up, 115 s, ran out"),
            (6, "we took the call back (CANCEL, Q.850 cause 16 (Normal call clearing))"),
            (8, "trunk carrier confirmed our CANCEL with 487 Request Terminated"),
        ],
    ),
    "trunk-stalled": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "trunk carrier took note of the call"),
            (5, "the time allowed for the set-up, 115 s, ran out"),
            (6, "we took the call back (CANCEL, Q.850 cause 16 (Normal call clearing))"),
            (7, "trunk carrier confirmed our CANCEL with 487 Request Terminated"),
        ],
    ),
    "trunk-name-unknown": Expected(
        4,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "TCP to 192.0.2.20:5060 failed: name-unknown: sbc.example"),
        ],
    ),
    "trunk-certificate-expired": Expected(
        4,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "TCP to 192.0.2.20:5060 failed: certificate-expired: certificate has expired"),
        ],
    ),
    "trunk-certificate-untrusted": Expected(
        4,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "TCP to 192.0.2.20:5060 failed: certificate-untrusted: self-signed certificate"),
        ],
    ),
    "trunk-certificate-name": Expected(
        4,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "TCP to 192.0.2.20:5060 failed: certificate-name: of other.example"),
        ],
    ),
    "trunk-refused-certificate": Expected(
        4,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "TCP to 192.0.2.20:5060 failed: certificate-refused: unknown ca"),
        ],
    ),
    "trunk-tls-failed": Expected(
        4,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "TCP to 192.0.2.20:5060 failed: tls: it speaks no TLS"),
        ],
    ),
    "trunk-unreachable": Expected(
        4,
        [
            (3, "the call was offered to trunk carrier"),
            (4, "TCP to 192.0.2.20:5060 failed: refused: nobody listens"),
        ],
    ),
    "trunk-silent": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "timer no-response ran out after 10 s: the trunk had sent nothing at all"),
        ],
    ),
    "trunk-refused-credentials": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 407 Proxy Authentication Required"),
        ],
    ),
    "callee-busy": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 486 Busy Here"),
        ],
    ),
    "callee-declined": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 603 Decline"),
        ],
    ),
    "call-forbidden": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 403 Forbidden"),
        ],
    ),
    "number-not-found": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 404 Not Found"),
        ],
    ),
    "callee-no-response": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 408 Request Timeout"),
        ],
    ),
    "callee-unavailable": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 480 Temporarily Unavailable"),
        ],
    ),
    "number-incomplete": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 484 Address Incomplete"),
        ],
    ),
    "cancelled-by-trunk": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 487 Request Terminated"),
        ],
    ),
    "media-refused": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 488 Not Acceptable Here"),
        ],
    ),
    "trunk-failed": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 500 Server Internal Error"),
        ],
    ),
    "trunk-unavailable": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 503 Service Unavailable"),
        ],
    ),
    "busy-everywhere": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 600 Busy Everywhere"),
        ],
    ),
    "redirected": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 302 Moved Temporarily"),
        ],
    ),
    "trunk-client-error": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 410 Gone"),
        ],
    ),
    "trunk-server-error": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 502 Bad Gateway"),
        ],
    ),
    "trunk-global-failure": Expected(
        5,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier refused with 604 Does Not Exist Anywhere"),
        ],
    ),
    "caller-id-full": Expected(
        2,
        [
            (2, "no trunk was chosen for +14255550200: because of caller-id-full"),
        ],
    ),
    "trunk-too-fast": Expected(2, [(2, "no trunk was chosen for +14255550200: because of trunk-too-fast")]),
    "trunk-resting": Expected(2, [(2, "no trunk was chosen for +14255550200: because of trunk-resting")]),
    "inbound-number-unknown": Expected(
        2,
        [
            (1, "trunk carrier offered the call"),
            (2, "the call for +14255550999 was not let in: no resource owns +14255550999"),
            (3, "we refused with 404 Not Found"),
        ],
    ),
    "transferred": Expected(
        12,
        [
            (7, "this application joined the call"),
            (11, "it was asked for (transferToParticipant)"),
            (12, "the target had taken the call, and this application left it"),
        ],
    ),
    "removed-from-call": Expected(
        9,
        [
            (1, "this application joined the call"),
            (8, "it was asked for (removeParticipant)"),
            (9, "another application took this one out of the call"),
        ],
    ),
    "left-alone": Expected(
        8,
        [
            (1, "this application joined the call"),
            (2, "user …anna01 was called"),
            (3, "IncomingCall was published for resource dev"),
            (5, "the application answered the call (answerCall)"),
            (6, "user …anna01 answered"),
            (8, "another application left the call, and one participant remained"),
        ],
    ),
    "caller-unreachable": Expected(
        7,
        [
            (1, "trunk carrier offered the call"),
            (4, "IncomingCall was published for resource dev"),
            (5, "we reported 180: the phone rang"),
            (7, "TCP to 192.0.2.20:5060 failed: reset: connection reset"),
        ],
    ),
    "inbound-nobody-heard": Expected(
        7,
        [
            (1, "trunk carrier offered the call"),
            (4, "IncomingCall was published for resource dev"),
            (5, "we reported 180: the phone rang"),
            (6, "resource dev has no event subscription, so nobody heard of IncomingCall"),
            (7, "timer ring ran out after 30 s: nobody answered, for nobody knew"),
            (8, "we refused with 480 Temporarily Unavailable"),
        ],
    ),
    "inbound-unanswered": Expected(
        7,
        [
            (1, "trunk carrier offered the call"),
            (4, "IncomingCall was published for resource dev"),
            (5, "we reported 180: the phone rang"),
            (7, "timer ring ran out after 30 s: no application had answered or rejected it"),
            (8, "we refused with 480 Temporarily Unavailable"),
        ],
    ),
    "rejected-by-app": Expected(
        8,
        [
            (1, "trunk carrier offered the call"),
            (4, "IncomingCall was published for resource dev"),
            (5, "we reported 180: the phone rang"),
            (7, "the application rejected the call (rejectCall, none)"),
            (8, "we refused with 603 Decline"),
        ],
    ),
    "forbidden-by-app": Expected(
        8,
        [
            (1, "trunk carrier offered the call"),
            (4, "IncomingCall was published for resource dev"),
            (5, "we reported 180: the phone rang"),
            (7, "the application rejected the call (rejectCall, forbidden)"),
            (8, "we refused with 403 Forbidden"),
        ],
    ),
    "redirected-by-app": Expected(
        13,
        [
            (1, "trunk carrier (+14255550200) offered the call"),
            (4, "IncomingCall was published for resource dev"),
            (5, "we reported 180: the phone rang"),
            (7, "the application redirected the call to +14255550300 (redirectCall)"),
            (9, "the call was offered to trunk carrier (+14255550300)"),
            (11, "trunk carrier (+14255550300) refused with 404 Not Found"),
            (13, "we refused with 404 Not Found"),
        ],
    ),
    "user-declined": Expected(
        6,
        [
            (2, "user …anna01 was called"),
            (3, "IncomingCall was published for resource dev"),
            (5, "the application rejected the call (rejectCall, none)"),
            (6, "user …anna01 declined the call (none)"),
        ],
    ),
    "user-not-registered": Expected(
        5,
        [
            (2, "user …anna01 was called"),
            (3, "IncomingCall was published for resource dev"),
            (4, "resource dev has no event subscription, so nobody heard of IncomingCall"),
            (5, "timer ring ran out after 30 s: nobody had answered or declined"),
        ],
    ),
    "user-rang-out": Expected(
        5,
        [
            (2, "user …anna01 was called"),
            (3, "IncomingCall was published for resource dev"),
            (5, "timer ring ran out after 30 s: nobody had answered or declined"),
        ],
    ),
    **{ending: Expected(*told) for ending, told in MEDIA_EVIDENCE.items()},
}


def test_every_rule_is_here() -> None:
    assert sorted(EXPECTED) == sorted(rule.ending for rule in RULES)


@pytest.mark.parametrize("ending", sorted(EXPECTED))
def test_evidence(ending: str) -> None:
    verdict = judge(SAMPLES[ending])
    assert [(proof.fact, proof.shows) for proof in verdict.evidence] == EXPECTED[ending].evidence


@pytest.mark.parametrize("ending", sorted(EXPECTED))
def test_the_deciding_fact(ending: str) -> None:
    """Judged before it the call is another, or not over; from it on the ending stays."""
    timeline, decided_at = SAMPLES[ending], EXPECTED[ending].decided_at
    assert judge(timeline[: decided_at - 1]).ending != ending
    for length in range(decided_at, len(timeline) + 1):
        assert judge(timeline[:length]).ending == ending


@pytest.mark.parametrize("ending", sorted(EXPECTED))
def test_the_deciding_fact_is_evidence(ending: str) -> None:
    assert EXPECTED[ending].decided_at in [fact for fact, _ in EXPECTED[ending].evidence]
