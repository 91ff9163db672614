"""Every rule on a timeline of its own, every look-alike beside its double, and no rule to spare."""

import pytest

from onhook.endings.judge import judge
from onhook.endings.pages import page
from onhook.endings.rules import RULES, UNEXPLAINED
from onhook.endings.verdict import Verdict
from onhook.facts import Timeline
from timelines import (
    ANNA,
    ANSWER,
    FIRST,
    SAMPLES,
    SECOND,
    Story,
    answered,
    begun,
    between_users,
    incoming,
    refusal,
)

ENDINGS = [rule.ending for rule in RULES]


def test_every_rule_has_a_sample_and_every_ending_one_rule() -> None:
    assert sorted(SAMPLES) == sorted(ENDINGS)
    assert len(set(ENDINGS)) == len(ENDINGS)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_rule_decides_its_sample(ending: str) -> None:
    verdict = judge(SAMPLES[ending])
    assert verdict.ending == ending
    assert verdict.evidence


@pytest.mark.parametrize("index", range(len(RULES)), ids=ENDINGS)
def test_without_the_rule_the_verdict_is_another(index: int) -> None:
    """No rule can be taken away without being missed."""
    ending = RULES[index].ending
    without = [rule for place, rule in enumerate(RULES) if place != index]
    assert judge(SAMPLES[ending], rules=without).ending != ending


@pytest.mark.parametrize("ending", ENDINGS)
def test_evidence_is_in_order_names_real_facts_and_has_words(ending: str) -> None:
    timeline = SAMPLES[ending]
    numbers = [proof.fact for proof in judge(timeline).evidence]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= len(timeline) for number in numbers)
    assert all(proof.shows.strip() for proof in judge(timeline).evidence)


CODES = {
    "hung-up-by-phone": (0, 560000, 200),
    "hung-up-by-network": (0, 560000, 200),
    "hung-up-by-app": (0, 7000, 200),
    "ended-locally": (0, 0, 200),
    "ack-lost": (0, 560000, 200),
    "caller-hung-up": (0, 540000, 200),
    "call-too-long": (429, 10110, 429),
    "answer-unusable": (410, 531000, 410),
    "answer-unacknowledged": (408, 1106, 408),
    "session-expired": (408, 560408, 408),
    "callee-busy": (486, 560486, 486),
    "busy-everywhere": (600, 560600, 600),
    "callee-declined": (603, 560603, 603),
    "call-forbidden": (403, 560403, 403),
    "number-not-found": (404, 560404, 404),
    "callee-no-response": (408, 560408, 408),
    "callee-unavailable": (480, 560480, 480),
    "number-incomplete": (484, 560484, 484),
    "media-refused": (488, 560488, 488),
    "trunk-failed": (500, 560500, 500),
    "trunk-unavailable": (503, 560503, 503),
    "trunk-refused-credentials": (407, 560407, 407),
    "redirected": (302, 560302, 302),
    "trunk-client-error": (410, 560410, 410),
    "trunk-server-error": (502, 560502, 502),
    "trunk-global-failure": (604, 560604, 604),
    "cancelled-by-app": (487, 560487, 487),
    "cancelled-by-trunk": (487, 560487, 487),
    "cancel-crossed-answer": (487, 560487, 487),
    "rang-out": (487, 560487, 487),
    "trunk-stalled": (487, 560487, 487),
    "trunk-silent": (408, 500001, 408),
    "trunk-unreachable": (504, 569002, 504),
    "trunk-name-unknown": (504, 569015, 504),
    "trunk-certificate-expired": (504, 569008, 504),
    "trunk-certificate-untrusted": (504, 569009, 504),
    "trunk-certificate-name": (504, 569003, 504),
    "trunk-refused-certificate": (504, 569003, 504),
    "trunk-tls-failed": (504, 569003, 504),
    "malformed-answer": (504, 569018, 504),
    "number-invalid": (484, 560484, 484),
    "number-unknown": (404, 511404, 404),
    "caller-id-missing": (403, 510403, 403),
    "caller-id-not-owned": (403, 510403, 403),
    "no-route": (403, 510403, 403),
    "no-trunk": (403, 511532, 403),
    "trunk-full": (603, 560603, 603),
    "server-restarted": (500, 9999, 500),
    "server-fault": (500, 9999, 500),
    "caller-gave-up": (487, 540487, 487),
    "caller-cancel-crossed-answer": (487, 540200, 487),
    "caller-id-full": (603, 560603, 603),
    "trunk-too-fast": (603, 560603, 603),
    "trunk-resting": (503, 560503, 503),
    "caller-unreachable": (504, 549002, 504),
    "inbound-number-unknown": (404, 511404, 404),
    "inbound-nobody-heard": (480, 10037, 480),
    "inbound-unanswered": (480, 540480, 480),
    "rejected-by-app": (603, 540603, 603),
    "forbidden-by-app": (403, 540403, 403),
    "redirected-by-app": (404, 540404, 404),
    "user-declined": (603, 0, 603),
    "user-not-registered": (480, 10037, 480),
    "user-rang-out": (487, 10004, 487),
    "left-alone": (0, 5010, 200),
    "no-rtp-ever": (410, 301004, 410),
    "rtp-stopped": (410, 531005, 410),
    "one-way-audio": (0, 560000, 200),
    "media-relay-failed": (0, 560000, 200),
    "srtp-mismatch": (0, 560000, 200),
    "codec-not-agreed": (0, 540000, 200),
    "transferred": (0, 7015, 200),
    "removed-from-call": (0, 5000, 200),
    "inbound-busy": (486, 540486, 486),
    "inbound-refused": (415, 540415, 415),
}


def test_the_codes_of_every_rule_are_written_down_here() -> None:
    assert sorted(CODES) == sorted(ENDINGS)


@pytest.mark.parametrize("ending", ENDINGS)
def test_codes(ending: str) -> None:
    verdict = judge(SAMPLES[ending])
    assert (verdict.code, verdict.subcode, verdict.event_code) == CODES[ending]


def test_odd_pairs_of_older_pages_are_never_given() -> None:
    given = {(verdict.code, verdict.subcode) for verdict in map(judge, SAMPLES.values())}
    assert not given & {(497, 560487), (486, 60486), (500, 511404)}


def normal(reason: str) -> Timeline:
    return begun().up().bye("received", reason).facts


LOOK_ALIKES: list[tuple[str, Timeline]] = [
    # Our side took somebody out
    ("left-alone", begun().up().api("removeParticipant", 202).dismissed("removed").bye("sent").facts),
    ("hung-up-by-app", begun().up().api("terminate").dismissed("removed").bye("sent").facts),
    ("hung-up-by-phone", begun().up().api("transferToParticipant", 202).bye("received").facts),
    ("transferred", begun().up().bye("received").left("", "transferred").facts),
    # Who hung up first
    ("hung-up-by-app", begun().up().api("terminate").bye("received").facts),
    ("hung-up-by-phone", begun().up().bye("received").api("hangUp").bye("sent").facts),
    ("ended-locally", begun().up().api("hangUp", 404).bye("sent").facts),
    ("call-too-long", begun().up().timer("duration", 60).api("hangUp").bye("sent").facts),
    ("hung-up-by-app", begun().up().api("hangUp").timer("duration", 60).bye("sent").facts),
    # Before the BYE is sent the cause is known already
    ("hung-up-by-app", begun().up().api("hangUp").facts),
    ("call-too-long", begun().up().timer("duration", 60).facts),
    # Normal and abnormal causes of a BYE
    ("hung-up-by-phone", normal("Reason: Q.850;cause=16")),
    ("hung-up-by-phone", normal("Reason: Q.850;cause=31")),
    ("hung-up-by-phone", normal("Reason: SIP;cause=200")),
    ("hung-up-by-phone", normal("Reason: nonsense")),
    ("hung-up-by-network", normal("Reason: Q.850;cause=102")),
    ("hung-up-by-network", normal("Reason: SIP;cause=503")),
    # An answer repeated once or twice is no lost ACK
    ("hung-up-by-phone", begun().up().answer().ack().answer().ack().bye("received").facts),
    # Answer against CANCEL
    ("cancelled-by-app", begun().invite().ringing().api("hangUp").cancel().cancel_ok().facts),
    ("cancelled-by-app", begun().invite().api("hangUp").wait(10).timer("no-response", 10).facts),
    ("cancelled-by-app", begun().invite().ringing().api("hangUp").cancel().timer("CANCEL", 32).facts),
    ("cancelled-by-app", begun().invite().ringing().api("hangUp").cancel().response(486, "Busy").facts),
    ("cancelled-by-app", Story().created().api("hangUp").facts),
    ("cancel-crossed-answer", begun().invite().api("hangUp").answer().ack().bye("sent").facts),
    (
        "cancel-crossed-answer",
        begun().invite().ringing().timer("setup", 115).cancel().answer().ack().bye("sent").facts,
    ),
    ("hung-up-by-app", begun().invite().ringing().answer().api("hangUp").ack().bye("sent").facts),
    ("cancelled-by-trunk", begun().invite().ringing().response(487, "Request Terminated").facts),
    # Time limits
    ("rang-out", begun().invite().ringing().timer("setup", 115).facts),
    ("rang-out", begun().invite().ringing().timer("setup", 115).cancel().response(480, "Gone").facts),
    ("rang-out", begun().invite().ringing().timer("setup", 115).cancel().api("hangUp").facts),
    ("rang-out", begun().invite().response(183, "Session Progress").timer("setup", 115).facts),
    ("callee-unavailable", begun().invite().ringing().wait(30).response(480, "No answer").facts),
    ("trunk-silent", begun().invite().timer("setup", 115).facts),
    ("trunk-silent", begun().invite().timer("B", 32).facts),
    ("callee-no-response", refusal(408, "Request Timeout")),
    # Garbage
    ("malformed-answer", begun().invite().ringing().garbage().timer("setup", 115).facts),
    ("callee-busy", begun().invite().garbage().response(486, "Busy Here").facts),
    ("hung-up-by-phone", begun().invite().garbage().answer().ack().bye("received").facts),
    # Transport
    ("trunk-unreachable", begun().fails("timeout: no answer").facts),
    ("trunk-name-unknown", begun().fails("name-unknown: sbc.example has no address").facts),
    ("hung-up-by-phone", begun().up().fails("reset: gone").bye("received").facts),
    # Credentials
    ("trunk-refused-credentials", refusal(401, "Unauthorized")),
    ("call-forbidden", refusal(403, "Forbidden")),
    # What is wrong with an answer
    ("answer-unusable", begun().invite().answer(body="").ack().bye("sent").facts),
    (
        "answer-unusable",
        begun().invite().answer(body=ANSWER.replace("RTP/AVP 0", "RTP/AVP 9")).ack().bye("sent").facts,
    ),
    ("answer-unusable", begun().up().bye("sent", "Reason: SIP;cause=488").facts),
    ("ended-locally", begun().up().bye("sent").facts),
    # Inbound and outbound
    ("hung-up-by-app", Story(inbound=True).up().api("hangUp").bye("sent").facts),
    ("ended-locally", Story(inbound=True).up().bye("sent").facts),
    ("caller-gave-up", Story(inbound=True).invite().cancel().facts),
    ("inbound-refused", Story(inbound=True).invite().response(603, "Decline").facts),
    # Who refused a call that came in, and why
    ("inbound-refused", incoming().response(403, "Forbidden").facts),
    ("inbound-refused", incoming().api("rejectCall", 400).response(603, "Decline").facts),
    ("inbound-refused", incoming().api("answerCall", 200).response(488, "Not Acceptable Here").facts),
    ("inbound-refused", Story(inbound=True).invite().door("flood", 503).response(503, "Busy").facts),
    ("inbound-refused", incoming().response(480, "Temporarily Unavailable").facts),
    ("inbound-busy", incoming().api("rejectCall", 204, "busy").response(486, "Busy Here").facts),
    ("caller-gave-up", incoming().api("rejectCall", 204).cancel().response(603, "Decline").facts),
    ("caller-gave-up", incoming().unheard().cancel().facts),
    ("caller-gave-up", incoming().timer("ring", 30).cancel().response(487, "Terminated").facts),
    ("inbound-unanswered", incoming().timer("ring", 30).response(480, "Gone").cancel().facts),
    ("inbound-unanswered", incoming().timer("ring", 30).facts),
    ("inbound-nobody-heard", incoming().heard(None).timer("ring", 30).facts),
    ("caller-hung-up", answered().bye("received").facts),
    ("caller-hung-up", answered().fails("reset: gone").bye("received").facts),
    ("rejected-by-app", incoming().api("rejectCall", 204).response(603, "Decline").fails("reset").facts),
    ("caller-unreachable", incoming().api("rejectCall", 204).fails("reset: gone").facts),
    ("server-restarted", answered().restart().facts),
    ("server-restarted", incoming().restart().response(480, "Gone").facts),
    ("hung-up-by-app", answered().api("terminateCall", connection=FIRST).bye("sent").facts),
    # Users
    ("user-declined", Story().created().rings(ANNA).declines(ANNA, "busy").facts),
    ("user-declined", Story().created().rings(ANNA).declines(ANNA, "forbidden").restart().facts),
    ("user-rang-out", Story().created().rings(ANNA).ring_timer(ANNA).facts),
    ("user-not-registered", Story().created().rings(ANNA).heard(500).ring_timer(ANNA).facts),
    ("user-rang-out", Story().created().rings(ANNA).heard(500).heard().ring_timer(ANNA).facts),
    ("user-rang-out", Story().created().rings(ANNA).heard().ring_timer(ANNA).unheard().facts),
    ("cancelled-by-app", Story().created().rings(ANNA).api("hangUp").user(ANNA, "ended").facts),
    ("server-restarted", Story().created().rings(ANNA).restart().facts),
    ("server-restarted", between_users().restart().facts),
    ("server-fault", between_users().fault().facts),
    ("hung-up-by-app", between_users().api("terminateCall", connection=SECOND).facts),
    ("hung-up-by-app", between_users().api("hangUp").facts),
    (UNEXPLAINED, Story().created().rings(ANNA).facts),
    (UNEXPLAINED, between_users().facts),
    (UNEXPLAINED, incoming().facts),
    # Ours
    ("hung-up-by-phone", begun().up().bye("received").restart().facts),
    ("hung-up-by-phone", begun().up().bye("received").fault().facts),
    ("server-restarted", begun().invite().ringing().api("hangUp").restart().facts),
    ("server-fault", begun().up().fault().bye("sent").facts),
    # Classes
    ("redirected", refusal(399, "Odd")),
    ("trunk-client-error", refusal(499, "Odd")),
    ("trunk-server-error", refusal(599, "Odd")),
    ("trunk-global-failure", refusal(699, "Odd")),
    # Nobody knows
    (UNEXPLAINED, []),
    (UNEXPLAINED, begun().invite().ringing().facts),
    (UNEXPLAINED, begun().up().facts),
    (UNEXPLAINED, refusal(799, "Odd")),
]


@pytest.mark.parametrize(
    ("ending", "timeline"), LOOK_ALIKES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_look_alikes(ending: str, timeline: Timeline) -> None:
    assert judge(timeline).ending == ending


def after_credentials(status: int, phrase: str) -> Verdict:
    story = begun().invite().response(401, "Unauthorized").ack()
    story.cseq = 2
    return judge(story.invite("Authorization: Digest x").response(status, phrase).ack().facts)


def test_a_403_after_a_challenge_is_a_matter_of_credentials() -> None:
    verdict = after_credentials(403, "Forbidden")
    assert verdict.ending == "trunk-refused-credentials"
    assert (verdict.code, verdict.subcode) == (403, 560403)
    assert [proof.fact for proof in verdict.evidence] == [4, 6, 7]


def test_any_other_status_after_a_challenge_is_judged_by_itself() -> None:
    assert after_credentials(486, "Busy Here").ending == "callee-busy"
    assert after_credentials(401, "Unauthorized").code == 401


def failed_over(status: int, phrase: str) -> Verdict:
    story = begun("first").invite().response(503, "Service Unavailable").ack()
    story.leg = "second"
    return judge(story.routed("second").invite().response(status, phrase).ack().facts)


def test_the_last_trunk_decides() -> None:
    verdict = failed_over(486, "Busy Here")
    assert verdict.ending == "callee-busy"
    assert {proof.fact for proof in verdict.evidence} == {7, 8}


def test_sip_and_q850_details_are_those_of_the_far_end() -> None:
    verdict = judge(begun().busy('Reason: Q.850;cause=17;text="User busy"').facts)
    assert (verdict.sip_status, verdict.sip_reason) == (486, "Busy Here")
    assert (verdict.q850_cause, verdict.q850_text) == (17, "User busy")


@pytest.mark.parametrize(
    "ending", ["hung-up-by-app", "inbound-busy", "caller-gave-up", "no-route", "trunk-silent"]
)
def test_no_sip_details_where_the_far_end_sent_no_status(ending: str) -> None:
    assert judge(SAMPLES[ending]).sip_status is None


def test_our_own_reason_is_not_reported_as_theirs() -> None:
    verdict = judge(begun().up().api("hangUp").bye("sent", "Reason: Q.850;cause=31").facts)
    assert (verdict.q850_cause, verdict.q850_text) == (None, "")


@pytest.mark.parametrize("ending", ENDINGS)
def test_fault_and_confidence_are_those_of_the_page(ending: str) -> None:
    verdict, front = judge(SAMPLES[ending]), page(ending).front
    assert (verdict.fault, verdict.confidence) == (front.fault, front.confidence)
