"""Digest authentication, the caller's half (RFC 3261 section 22, RFC 7616, RFC 8760).

A cnonce is random, so the shell draws it and hands it in. digest.py is the door to both halves.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from onhook.sip.digest_response import QOPS, STRENGTHS, Digest, parse_auth_values
from onhook.sip.messages import Response
from onhook.sip.quoted import quote

MAX_CHALLENGES = 16
"""Challenges read of one response."""
MAX_REALMS = 8
"""Realms that one leg answers."""
MAX_ANSWERS = 4
"""Times that requests of one method are answered in one realm without being accepted."""
MAX_ANSWERS_UNSTATED = 2
"""The same where the server does not say stale: some send a fresh nonce and forget to say so."""

Header: TypeAlias = tuple[str, str]
_ANSWERED_BY = {"www-authenticate": "authorization", "proxy-authenticate": "proxy-authorization"}
_INFORMED_BY = {"authorization": "authentication-info", "proxy-authorization": "proxy-authentication-info"}


@dataclass(frozen=True, slots=True)
class Credentials:
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """`algorithm` as written, empty if unsaid; `qop` the qualities offered, empty for the RFC 2069 form."""

    realm: str
    nonce: str
    algorithm: str = ""
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    @property
    def strength(self) -> int:
        """How much its algorithm is preferred; 0 if it asks for something that we do not know."""
        if self.qop and self.chosen_qop == "":
            return 0
        return STRENGTHS.get(self.algorithm.upper(), 0)

    @property
    def is_session(self) -> bool:
        return self.algorithm.upper().endswith("-SESS")

    @property
    def chosen_qop(self) -> str:
        return next((qop for qop in QOPS if qop in self.qop), "")


def parse_challenge(value: str) -> Challenge | None:
    """The first digest challenge of a line of WWW- or Proxy-Authenticate; None if it holds none."""
    return next(iter(parse_challenges([value])), None)


def parse_challenges(lines: Iterable[str]) -> list[Challenge]:
    """Every digest challenge that has realm and nonce, in order; other schemes are passed over."""
    challenges: list[Challenge] = []
    for value in (value for line in lines for value in parse_auth_values(line)):
        params = value.params
        if value.scheme.lower() != "digest" or "realm" not in params or not params.get("nonce"):
            continue
        challenges.append(
            Challenge(
                params["realm"],
                params["nonce"],
                params.get("algorithm", ""),
                tuple(params.get("qop", "").lower().replace(",", " ").split()),
                params.get("opaque"),
                params.get("stale", "").lower() == "true",
            )
        )
        if len(challenges) == MAX_CHALLENGES:
            break
    return challenges


def strongest(challenges: Iterable[Challenge]) -> Challenge | None:
    """The challenge to answer: the strongest algorithm that we know, of equals the first (RFC 8760 2.4)."""
    best = max(challenges, key=lambda challenge: challenge.strength, default=None)
    return best if best and best.strength else None


def answer_challenge(
    challenge: Challenge,
    credentials: Credentials,
    method: str,
    uri: str,
    body: bytes = b"",
    *,
    cnonce: str,
    nonce_count: int = 1,
) -> str:
    """The value of Authorization or Proxy-Authorization. `uri` is the Request-URI as sent.

    Raises ValueError for a challenge of strength 0, which `strongest` never gives.
    """
    if not challenge.strength:
        raise ValueError(
            f"no answer to algorithm {challenge.algorithm!r} with qop {challenge.qop!r} is known"
        )
    qop = challenge.chosen_qop
    digest = Digest(
        algorithm=challenge.algorithm,
        username=credentials.username,
        realm=challenge.realm,
        nonce=challenge.nonce,
        method=method,
        uri=uri,
        qop=qop,
        nonce_count=f"{nonce_count:08x}",
        cnonce=cnonce,
        body=body,
    )
    parts = [
        f"Digest username={quote(digest.username)}",
        f"realm={quote(digest.realm)}",
        f"nonce={quote(digest.nonce)}",
        f"uri={quote(uri)}",
        f'response="{digest.response(credentials.password)}"',
    ]
    if challenge.algorithm:
        parts.append(f"algorithm={challenge.algorithm}")
    if qop or challenge.is_session:  # a session key needs the cnonce even where no qop was offered
        parts.append(f"cnonce={quote(cnonce)}")
    if challenge.opaque is not None:
        parts.append(f"opaque={quote(challenge.opaque)}")
    if qop:
        parts += [f"qop={qop}", f"nc={digest.nonce_count}"]
    return ", ".join(parts)


@dataclass(slots=True)
class _Realm:
    """What one realm asked for last, and how often its nonce was used.

    `cnonce` is the first one used with the nonce. A session variant keeps to it: some servers make the key
    once, others for every request, and so both find the same (RFC 7616 section 3.4.2).
    `answered` has the nonces answered since a request was last accepted, by method.
    """

    challenge: Challenge
    nonce_count: int = 0
    cnonce: str = ""
    answered: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def renew(self, challenge: Challenge) -> None:
        if challenge.nonce != self.challenge.nonce:
            self.nonce_count, self.cnonce = 0, ""
        self.challenge = challenge

    def authorize(
        self, credentials: Credentials, method: str, uri: str, body: bytes = b"", *, cnonce: str
    ) -> str:
        self.nonce_count += 1
        self.cnonce = self.cnonce or cnonce
        if self.challenge.is_session:
            cnonce = self.cnonce
        return answer_challenge(
            self.challenge, credentials, method, uri, body, cnonce=cnonce, nonce_count=self.nonce_count
        )


class Authenticator:
    """The credentials of one leg, and what every realm on its path asked for (RFC 3261 section 22)."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.gave_up = ""
        """Why the last challenge was not answered; empty if it was."""
        self._realms: dict[tuple[str, str], _Realm] = {}

    def answer(
        self, response: Response, *, method: str, uri: str, body: bytes = b"", cnonce: str
    ) -> Header | None:
        """The header that answers a 401 or 407, or None: `gave_up` says why.

        It is enough where one realm asks. Where several may, call `take`, then `authorize`.
        """
        keys = self.take(response, method)
        if not keys:
            return None
        realm = self._realms[keys[0]]
        return keys[0][0], realm.authorize(self.credentials, method, uri, body, cnonce=cnonce)

    def take(self, response: Response, method: str) -> list[tuple[str, str]]:
        """Learn what a 401 or 407 asks for; the (header, realm) pairs to answer, none if giving up."""
        self.gave_up = ""
        asked = [
            (name, challenge)
            for asks, name in _ANSWERED_BY.items()
            for challenge in parse_challenges(response.headers.all(asks))
        ]
        keys = list(dict.fromkeys((name, challenge.realm) for name, challenge in asked))
        if not keys:
            self.gave_up = f"the {response.status} holds no digest challenge that can be read"
        for key in keys:
            offered = [challenge for name, challenge in asked if (name, challenge.realm) == key]
            self.gave_up = self.gave_up or self._take(key, offered, method)
        return [] if self.gave_up else keys

    def authorize(self, *, method: str, uri: str, body: bytes = b"", cnonce: str) -> list[Header]:
        """Headers for a request, one for each realm met so far; none before the first challenge."""
        return [
            (name, realm.authorize(self.credentials, method, uri, body, cnonce=cnonce))
            for (name, _), realm in self._realms.items()
        ]

    def accept(self, response: Response) -> None:
        """A request was accepted (2xx): forget refusals, and take the next nonce if one is given."""
        for (name, _), realm in self._realms.items():
            realm.answered.clear()
            informed = parse_auth_values("Digest " + response.headers.get(_INFORMED_BY[name]))
            nonce = informed[0].params.get("nextnonce") if informed else None
            # The header names no realm, so it speaks of the only one or of none.
            if nonce and sum(other == name for other, _ in self._realms) == 1:
                realm.renew(replace(realm.challenge, nonce=nonce))

    def _take(self, key: tuple[str, str], offered: list[Challenge], method: str) -> str:
        """Keep the strongest challenge of a realm; a text if it cannot be answered, or was in vain."""
        challenge = strongest(offered)
        if challenge is None:
            asked = ", ".join(f"{c.algorithm or 'MD5'} {'/'.join(c.qop)}".strip() for c in offered)
            return f"realm {key[1]!r} asks for what is not known here: {asked}"
        realm = self._realms.get(key)
        if realm is None:
            if len(self._realms) == MAX_REALMS:
                return f"more than {MAX_REALMS} realms ask for credentials"
            realm = self._realms[key] = _Realm(challenge)
        answered = realm.answered.setdefault(method, [])
        if challenge.nonce in answered and not challenge.stale:
            return f"realm {key[1]!r} refused the credentials of {self.credentials.username!r}"
        if len(answered) >= (MAX_ANSWERS if challenge.stale else MAX_ANSWERS_UNSTATED):
            return f"realm {key[1]!r} refused {len(answered)} nonces of its own"
        realm.renew(challenge)
        answered.append(challenge.nonce)
        return ""
