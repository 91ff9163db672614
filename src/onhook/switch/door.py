"""The door: which INVITEs begin a call, and what the others are told.

A trunk is known by the name in the certificate that it showed, by the address that it calls from, whatever
the port and transport (its host may be a name: then by the address of that name), or by its digest
credentials. Where certificates are required, who calls by TLS is known by the name in his alone. Everybody
else is a stranger and gets 403; if some trunk has credentials, a stranger is asked for them first (401).
Nothing is kept of strangers but a bounded report, and of a flood only the beginning is answered.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping

from onhook.calls.directory import Directory, Resource, Trunk
from onhook.calls.numbers import is_e164
from onhook.effects import Destination, Transmit
from onhook.facts import DoorRefusal, InboundRefused
from onhook.sip.digest_server import check_authorization, make_challenge
from onhook.sip.headers import parse_name_addr
from onhook.sip.inside import ALLOWED, UNDERSTOOD
from onhook.sip.messages import REASONS, Request
from onhook.sip.session_timer import LEAST_SECONDS, too_brief
from onhook.sip.stray import refuse_stray
from onhook.sip.uri import phone_number
from onhook.sip.validity import Refusal, check_request

MAX_REPORTS = 100
"""Refused INVITEs that are remembered."""
MAX_REFUSALS_A_SECOND = 50
"""Answers to strangers; beyond it their INVITEs are dropped, so that a flood is not doubled by us."""
MAX_NONCES = 1_000
NONCE_SECONDS = 60.0
RETRY_AFTER_SECONDS = 5
REALM = "onhook"
log = logging.getLogger(__name__)


class Door:
    """`make_tag` draws 32 random hexadecimal digits; `reports` are the last refusals, the newest last."""

    def __init__(
        self,
        make_tag: Callable[[], str],
        serves: Callable[[str, Destination], bool] = lambda address, domain: address == domain.host,
        certified: Callable[[Destination, str], bool | None] = lambda _source, _name: None,
    ) -> None:
        """`serves` says whether a trunk is at that address, as far as is known of its name now.

        `certified` says whether who sends from there proved to have that name; None: he need not.
        """
        self._make_tag, self._serves, self._certified = make_tag, serves, certified
        self.reports: deque[InboundRefused] = deque(maxlen=MAX_REPORTS)
        self.dropped = 0
        """INVITEs of strangers that got no answer."""
        self._second, self._answered = 0, 0
        self._nonces: dict[str, float] = {}

    def trunk_of(
        self, invite: Request, source: Destination, directory: Directory, now: float
    ) -> Trunk | Transmit | None:
        """The trunk that calls; else what to answer, None for nothing."""
        refusal = check_request(invite, known_methods=ALLOWED, supported_extensions=UNDERSTOOD)
        if refusal is None and too_brief(invite):
            refusal = Refusal(422, REASONS[422], (("Min-SE", str(LEAST_SECONDS)),))
        if refusal is None:
            found = self._by_place(source, directory) or self._by_credentials(invite, directory.trunks, now)
            if isinstance(found, Trunk):
                return found
            why = f"{source.peer} is the address of no trunk, and its credentials are those of none"
            if source.transport == "tls":
                why += "; nor is the name in its certificate"
            self._report(invite, "stranger", found.status, why, now)
            refusal = found
        return self._refuse(invite, refusal, source, now)

    def _by_place(self, source: Destination, directory: Directory) -> Trunk | None:
        """The trunk with that certificate, or, if none is required, at that address."""
        trunks, proven = directory.trunks.values(), self._certified
        answers = [(trunk, proven(source, trunk.certified_name)) for trunk in trunks]
        known = next((trunk for trunk, answer in answers if answer), None)
        if known or any(answer is False for _, answer in answers):
            return known
        return next((trunk for trunk in trunks if self._serves(source.host, trunk.destination)), None)

    def full(
        self, invite: Request, source: Destination, trunk: str, detail: str, now: float
    ) -> Transmit | None:
        """503 for a call beyond a limit; `detail` names it."""
        self._report(invite, "flood", 503, detail, now, trunk=trunk)
        refusal = Refusal(503, "Too Many Calls", (("Retry-After", str(RETRY_AFTER_SECONDS)),))
        return refuse_stray(invite, refusal, source, self._make_tag())

    def _by_credentials(self, invite: Request, trunks: Mapping[str, Trunk], now: float) -> Trunk | Refusal:
        named = {trunk.username: trunk for trunk in trunks.values() if trunk.username}
        passwords = {name: trunk.password for name, trunk in named.items()}
        lines = invite.headers.all("authorization") + invite.headers.all("proxy-authorization")
        if not named:
            return Refusal(403, "Forbidden")
        stale = False
        for line in lines:
            checked = check_authorization(
                line,
                invite.method,
                invite.uri,
                passwords.get,
                lambda nonce: self._nonces.get(nonce, 0.0) > now,
                realm=REALM,
                body=invite.body,
            )
            if checked.accepted:
                return named[checked.username]
            stale = stale or checked.result == "stale"
        if lines and not stale:
            return Refusal(403, "Forbidden")
        challenge = make_challenge(REALM, self._nonce(now), "SHA-256", stale)
        older = make_challenge(REALM, self._nonce(now), "MD5", stale)
        return Refusal(401, "Unauthorized", (("WWW-Authenticate", challenge), ("WWW-Authenticate", older)))

    def _nonce(self, now: float) -> str:
        if len(self._nonces) >= MAX_NONCES:
            oldest = next(iter(self._nonces))
            del self._nonces[oldest]
        nonce = self._make_tag()
        self._nonces[nonce] = now + NONCE_SECONDS
        return nonce

    def _refuse(self, invite: Request, refusal: Refusal, source: Destination, now: float) -> Transmit | None:
        if int(now) != self._second:
            self._second, self._answered = int(now), 0
        self._answered += 1
        if self._answered > MAX_REFUSALS_A_SECOND:
            self.dropped += 1
            return None
        return refuse_stray(invite, refusal, source, self._make_tag())

    def _report(  # all of them are what the report says
        self, invite: Request, why: DoorRefusal, status: int, detail: str, now: float, *, trunk: str = ""
    ) -> None:
        report = InboundRefused(
            at=now, why=why, status=status, number=dialled(invite), trunk=trunk, detail=detail
        )
        self.reports.append(report)
        if self._answered < MAX_REFUSALS_A_SECOND:
            log.warning("INVITE for %s refused with %d: %s", report.number or "no number", status, detail)


def dialled(invite: Request) -> str:
    """The number that was called, in E.164 where it can be: trunks often leave the plus out."""
    number = phone_number(invite.uri)
    return f"+{number}" if number and is_e164(f"+{number}") else number


def calling(invite: Request) -> tuple[str, str]:
    """Number (E.164, empty if withheld or none) and display name of the caller.

    A trunk is trusted: what it asserts (RFC 3325) counts before From.
    """
    asserted = invite.headers.values("p-asserted-identity")
    for value in [*asserted, invite.headers.get("from")]:
        address = parse_name_addr(value)
        if address is None:
            continue
        number = phone_number(address.uri)
        number = number if number.startswith("+") else f"+{number}"
        if is_e164(number):
            return number, address.display_name
    return "", ""


def owner_of(directory: Directory, number: str) -> Resource | None:
    return next((resource for resource in directory.resources if number in resource.numbers), None)
