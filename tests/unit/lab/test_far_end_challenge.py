"""The door that a scripted challenge puts before a call."""

import pytest

from onhook.lab.far_end_challenge import Door
from onhook.lab.scenario_steps import Algorithm, Challenge
from onhook.sip.digest import Credentials, answer_challenge, parse_challenge
from onhook.sip.messages import Headers, Request

URI = "sip:+14255550401@192.0.2.2"


def invite(*headers: tuple[str, str], uri: str = URI) -> Request:
    return Request("INVITE", uri, Headers.of(*headers))


def credentials(door: Door, user: str, password: str, *, uri: str = URI) -> str:
    challenge = parse_challenge(door.refusal.headers[0][1])
    assert challenge is not None
    return answer_challenge(challenge, Credentials(user, password), "INVITE", uri, cnonce="c")


def test_a_401_asks_the_agent_and_a_407_the_proxy() -> None:
    agent, proxy = Door(Challenge(401), "n").refusal, Door(Challenge(407), "n").refusal
    assert (agent.status, agent.reason, agent.headers[0][0]) == (401, "Unauthorized", "WWW-Authenticate")
    assert (proxy.status, proxy.headers[0][0]) == (407, "Proxy-Authenticate")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_the_challenge_names_realm_nonce_and_algorithm(algorithm: Algorithm) -> None:
    challenge = parse_challenge(Door(Challenge(401, "r.example", algorithm), "nonce-1").refusal.headers[0][1])
    assert challenge is not None
    assert (challenge.realm, challenge.nonce, challenge.algorithm) == ("r.example", "nonce-1", algorithm)


def test_the_nonce_stays_so_that_wrong_credentials_are_seen_to_be_wrong() -> None:
    door = Door(Challenge(401), "n")
    assert door.refusal == door.refusal
    assert "stale" not in door.refusal.headers[0][1]


@pytest.mark.parametrize(("status", "header"), [(401, "Authorization"), (407, "Proxy-Authorization")])
def test_right_credentials_open(status: int, header: str) -> None:
    door = Door(Challenge(status, user="u", password="p"), "n")
    assert door.opens_to(invite((header, credentials(door, "u", "p"))))


def test_credentials_for_another_realm_beside_the_right_ones_do_no_harm() -> None:
    door = Door(Challenge(401, user="u", password="p"), "n")
    other = Door(Challenge(401, "other.example", user="u", password="p"), "n")
    lines = [("Authorization", credentials(other, "u", "p")), ("Authorization", credentials(door, "u", "p"))]
    assert door.opens_to(invite(*lines))
    assert not door.opens_to(invite(lines[0]))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Digest",
        "Basic dTpw",
        'Digest username="u"',
        "nonsense",
    ],
)
def test_unreadable_credentials_do_not_open(line: str) -> None:
    assert not Door(Challenge(401, user="u", password="p"), "n").opens_to(invite(("Authorization", line)))


def test_wrong_credentials_do_not_open() -> None:
    door = Door(Challenge(401, user="u", password="p"), "n")
    assert not door.opens_to(invite())
    assert not door.opens_to(invite(("Authorization", credentials(door, "u", "wrong"))))
    assert not door.opens_to(invite(("Authorization", credentials(door, "stranger", "p"))))
    assert not door.opens_to(invite(("Proxy-Authorization", credentials(door, "u", "p"))))
    elsewhere = Door(Challenge(401, user="u", password="p"), "another nonce")
    assert not door.opens_to(invite(("Authorization", credentials(elsewhere, "u", "p"))))
