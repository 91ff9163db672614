"""The rules, in order: the first that finds evidence decides how a call ended.

Order matters where two rules can both see what they look for: our own failures come before everything,
an answer before a refusal, what our side did before what the far end answered to it, and a status with a
page of its own before its class.
"""

from typing import NamedTuple

from onhook.endings import rules_incoming as incoming
from onhook.endings import rules_media as media
from onhook.endings import rules_setup as setup
from onhook.endings import rules_talking as talking
from onhook.endings import rules_users as users
from onhook.endings.attempts import Reading
from onhook.endings.finding import Finding
from onhook.endings.rules_own import route_refused, server_fault, server_restarted
from onhook.endings.rules_setup import Find, refused_with


class Rule(NamedTuple):
    """`ending` is the id of a page in `pages/`."""

    ending: str
    find: Find


REFUSALS: tuple[tuple[str, int, int], ...] = (
    ("callee-busy", 486, 486),
    ("callee-declined", 603, 603),
    ("call-forbidden", 403, 403),
    ("number-not-found", 404, 404),
    ("callee-no-response", 408, 408),
    ("callee-unavailable", 480, 480),
    ("number-incomplete", 484, 484),
    ("cancelled-by-trunk", 487, 487),
    ("media-refused", 488, 488),
    ("trunk-failed", 500, 500),
    ("trunk-unavailable", 503, 503),
    ("busy-everywhere", 600, 600),
    ("redirected", 300, 399),
    ("trunk-client-error", 400, 499),
    ("trunk-server-error", 500, 599),
    ("trunk-global-failure", 600, 699),
)
"""Endings by the final status of a trunk: from the first number to the last."""


def ending_of_status(status: int) -> str:
    """The ending that a refusal with this status (300 to 699) stands for."""
    return next(ending for ending, first, last in REFUSALS if first <= status <= last)


def either(first: Find, second: Find) -> Find:
    """One ending that is come to by different facts."""

    def find(reading: Reading) -> Finding | None:
        return first(reading) or second(reading)

    return find


def of_no_use(words: media.Words) -> Find:
    """Packets came that could not be used: at last, or never any other where the far end hung up."""
    return either(media.silent(words), media.unheard(media.from_the_first(words)))


RULES: tuple[Rule, ...] = (
    # Gone before the call was over
    Rule("transferred", users.taken_out("transferred")),
    Rule("removed-from-call", users.taken_out("removed")),
    # Ours
    Rule("server-fault", server_fault),
    Rule("server-restarted", server_restarted),
    Rule("number-invalid", route_refused("number-invalid")),
    Rule("number-unknown", route_refused("number-unknown")),
    Rule("caller-id-missing", route_refused("caller-id-missing")),
    Rule("caller-id-not-owned", route_refused("caller-id-not-owned")),
    Rule("no-route", route_refused("no-route")),
    Rule("no-trunk", route_refused("no-trunk")),
    Rule("trunk-full", route_refused("trunk-full")),
    Rule("caller-id-full", route_refused("caller-id-full")),
    Rule("trunk-too-fast", route_refused("trunk-too-fast")),
    Rule("trunk-resting", route_refused("trunk-resting")),
    Rule("inbound-number-unknown", incoming.refused_at_the_door("number-unknown")),
    # Answered
    Rule("cancel-crossed-answer", talking.cancel_crossed_answer),
    Rule("caller-cancel-crossed-answer", talking.caller_cancel_crossed_answer),
    Rule("call-too-long", either(talking.call_too_long, users.user_call_too_long)),
    Rule("left-alone", either(users.left_alone, talking.removed_last)),
    Rule("hung-up-by-app", either(talking.ended_by_app, users.user_hung_up)),
    Rule("ack-lost", talking.ack_lost),
    Rule("hung-up-by-network", talking.phone_cut_off),
    Rule("media-relay-failed", media.relay_failed),
    Rule("srtp-mismatch", of_no_use(media.undecipherable)),
    Rule("codec-not-agreed", of_no_use(media.in_another_codec)),
    Rule("one-way-audio", either(media.silent(media.one_way), media.unheard(media.one_way))),
    Rule("no-rtp-ever", either(media.silent(media.nothing), media.unheard(media.nothing))),
    Rule("rtp-stopped", media.silent(media.stopped)),
    Rule("hung-up-by-phone", talking.phone_hung_up),
    Rule("caller-hung-up", talking.caller_hung_up),
    Rule("answer-unacknowledged", talking.answer_unacknowledged),
    Rule("answer-unusable", talking.unusable_answer),
    Rule("session-expired", talking.session_expired),
    Rule("ended-locally", talking.ended_locally),
    # Came in, never answered
    Rule("caller-gave-up", incoming.caller_gave_up),
    Rule("caller-unreachable", incoming.caller_unreachable),
    Rule("inbound-nobody-heard", incoming.unheard),
    Rule("inbound-unanswered", incoming.unanswered),
    Rule("rejected-by-app", incoming.rejected(603)),
    Rule("forbidden-by-app", incoming.rejected(403)),
    Rule("redirected-by-app", incoming.redirected_in_vain),
    Rule("inbound-busy", incoming.inbound_busy),
    Rule("inbound-refused", incoming.inbound_refused),
    # A user was called, and nobody answered
    Rule("user-declined", users.user_declined),
    Rule("user-not-registered", users.user_not_registered),
    Rule("user-rang-out", users.user_rang_out),
    # Went out, never answered: what our side did
    Rule("cancelled-by-app", setup.cancelled_by_app),
    Rule("malformed-answer", setup.malformed_answer),
    Rule("rang-out", setup.rang_out),
    Rule("trunk-stalled", setup.trunk_stalled),
    Rule("trunk-name-unknown", setup.undelivered("name-unknown")),
    Rule("trunk-certificate-expired", setup.undelivered("certificate-expired")),
    Rule("trunk-certificate-untrusted", setup.undelivered("certificate-untrusted")),
    Rule("trunk-certificate-name", setup.undelivered("certificate-name")),
    Rule("trunk-refused-certificate", setup.undelivered("certificate-refused")),
    Rule("trunk-tls-failed", setup.undelivered("tls")),
    Rule("trunk-unreachable", setup.trunk_unreachable),
    Rule("trunk-silent", setup.trunk_silent),
    # Went out, never answered: what the trunk said
    Rule("trunk-refused-credentials", setup.credentials_refused),
    *(Rule(ending, refused_with(first, last)) for ending, first, last in REFUSALS),
)

UNEXPLAINED = "unexplained"
"""The page for a timeline that no rule knows."""

WITHOUT_RULE: frozenset[str] = frozenset({UNEXPLAINED, "ice-failed"})
"""Pages that no rule yields; each says why in its front matter (`rule`)."""
