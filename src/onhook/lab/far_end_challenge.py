"""A scripted challenge: INVITEs are refused until one brings the right credentials (RFC 3261 section 22)."""

from onhook.lab.scenario_steps import Challenge, Respond
from onhook.sip.digest_server import check_authorization, make_challenge
from onhook.sip.messages import REASONS, Request


class Door:
    """`opens_to` says whether an INVITE may pass; `refusal` is the answer to one that may not.

    The nonce stays the same, so that a caller can see that its credentials were wrong, not outdated.
    """

    __slots__ = ("_asks", "_gives", "_nonce", "_step")

    def __init__(self, step: Challenge, nonce: str) -> None:
        self._step, self._nonce = step, nonce
        proxy = step.status == 407
        self._asks = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        self._gives = "Proxy-Authorization" if proxy else "Authorization"

    def opens_to(self, invite: Request) -> bool:
        return any(self._accepts(line, invite) for line in invite.headers.all(self._gives))

    @property
    def refusal(self) -> Respond:
        step = self._step
        challenge = make_challenge(step.realm, self._nonce, step.algorithm)
        return Respond(step.status, REASONS[step.status], ((self._asks, challenge),))

    def _accepts(self, line: str, invite: Request) -> bool:
        step = self._step
        return check_authorization(
            line,
            invite.method,
            invite.uri,
            lambda user: step.password if user == step.user else None,
            lambda nonce: nonce == self._nonce,
            realm=step.realm,
            algorithm=step.algorithm,
            body=invite.body,
        ).accepted
