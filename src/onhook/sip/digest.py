"""Digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760): one door to its two halves."""

from onhook.sip.digest_client import (
    Authenticator,
    Challenge,
    Credentials,
    answer_challenge,
    parse_challenge,
    parse_challenges,
    strongest,
)
from onhook.sip.digest_server import Check, Checked, check_authorization, make_challenge

__all__ = [
    "Authenticator",
    "Challenge",
    "Check",
    "Checked",
    "Credentials",
    "answer_challenge",
    "check_authorization",
    "make_challenge",
    "parse_challenge",
    "parse_challenges",
    "strongest",
]
