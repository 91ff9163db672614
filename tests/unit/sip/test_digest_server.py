"""The server's half: challenges written, credentials checked, each result by its name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.sip.digest import (
    Challenge,
    Checked,
    Credentials,
    answer_challenge,
    check_authorization,
    make_challenge,
)

URI = "sip:carrier@127.0.0.1"
USERS = {"alice": "wonderland"}


def header(
    *,
    username: str = "alice",
    password: str = "wonderland",
    realm: str = "r",
    nonce: str = "n",
    algorithm: str = "MD5",
    qop: tuple[str, ...] = ("auth",),
    uri: str = URI,
    count: int = 1,
) -> str:
    challenge = Challenge(realm, nonce, algorithm, qop)
    credentials = Credentials(username, password)
    return answer_challenge(challenge, credentials, "REGISTER", uri, cnonce="c", nonce_count=count)


def check(line: str, *, method: str = "REGISTER", realm: str = "", algorithm: str = "") -> Checked:
    return check_authorization(line, method, URI, USERS.get, "n".__eq__, realm=realm, algorithm=algorithm)


# Challenges


def test_a_challenge_on_the_wire() -> None:
    assert make_challenge("r", "n") == 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
    assert make_challenge("r", "n", "SHA-256", True, qop="auth,auth-int", opaque="o") == (  # noqa: FBT003  # as named
        'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth,auth-int", opaque="o", stale=true'
    )
    assert make_challenge("r", "n", qop="") == 'Digest realm="r", nonce="n", algorithm=MD5'


# Results


def test_right_credentials_are_accepted() -> None:
    assert check(header(count=10)) == Checked("accepted", "", "alice", "n", 10)


@pytest.mark.parametrize("line", ["", "Basic YWxpY2U6d29uZGVybGFuZA==", "Bearer x", "nonsense"])
def test_no_digest_at_all_is_missing(line: str) -> None:
    assert check(line).result == "missing"


@pytest.mark.parametrize("name", ["username", "realm", "nonce", "uri", "response"])
def test_each_field_that_is_needed_is_named_when_it_is_missing(name: str) -> None:
    parts = [part for part in header().removeprefix("Digest ").split(", ") if not part.startswith(f"{name}=")]
    result = check("Digest " + ", ".join(parts))
    assert (result.result, result.why) == ("unreadable", f"{name} is missing")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("algorithm=MD5", "algorithm=ROT13", "algorithm 'ROT13' is not known"),
        ("qop=auth", "qop=auth-conf", "qop 'auth-conf' is not known"),
        (", nc=00000001", "", "cnonce or nc is missing"),
        (', cnonce="c"', "", "cnonce or nc is missing"),
        ("nc=00000001", "nc=1", "nc is '1', not eight"),
        ("nc=00000001", "nc=0000000g", "nc is '0000000g', not eight"),
        ("nc=00000001", "nc=٠٠٠٠٠٠٠١", "not eight"),
    ],
)
def test_fields_that_cannot_be_read_are_named(old: str, new: str, why: str) -> None:
    line = header()
    assert old in line
    result = check(line.replace(old, new))
    assert result.result == "unreadable"
    assert why in result.why


def test_another_realm() -> None:
    result = check(header(realm="elsewhere"), realm="r")
    assert (result.result, result.why) == ("wrong-realm", "made for realm 'elsewhere', not 'r'")


def test_any_realm_is_taken_where_none_is_asked_for() -> None:
    assert check(header(realm="elsewhere")).accepted


def test_a_weaker_algorithm_than_asked_for() -> None:
    result = check(header(), algorithm="SHA-256")
    assert (result.result, result.why) == ("wrong-algorithm", "made with MD5, not SHA-256")
    assert check(header(algorithm=""), algorithm="SHA-256").result == "wrong-algorithm"


def test_an_algorithm_compares_without_case_and_unsaid_means_md5() -> None:
    assert check(header(algorithm="sha-256"), algorithm="SHA-256").accepted
    assert check(header(algorithm=""), algorithm="MD5").accepted


def test_credentials_for_another_uri() -> None:
    result = check(header(uri="sip:other@127.0.0.1"))
    assert result.result == "wrong-uri"
    assert "sip:other@127.0.0.1" in result.why


def test_an_unknown_user() -> None:
    result = check(header(username="mallory"))
    assert (result.result, result.why, result.username) == ("unknown-user", "no user 'mallory'", "mallory")


def test_a_wrong_password() -> None:
    result = check(header(password="guess"))
    assert result.result == "wrong-response"
    assert not result.accepted


def test_credentials_of_another_method() -> None:
    assert check(header(), method="INVITE").result == "wrong-response"


def test_right_credentials_for_an_old_nonce_are_stale() -> None:
    result = check(header(nonce="old"))
    assert (result.result, result.nonce) == ("stale", "old")


def test_a_wrong_password_for_an_old_nonce_is_not_stale() -> None:
    """RFC 7616 section 3.3: stale promises that the password was right."""
    assert check(header(nonce="old", password="guess")).result == "wrong-response"


def test_a_response_in_capitals_is_the_same() -> None:
    line = header()
    response = line.split('response="')[1].split('"')[0]
    assert check(line.replace(response, response.upper())).accepted


@pytest.mark.parametrize("qop", [(), ("auth",), ("auth-int",)])
@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"])
def test_every_algorithm_and_quality(algorithm: str, qop: tuple[str, ...]) -> None:
    assert check(header(algorithm=algorithm, qop=qop)).accepted
    assert check(header(algorithm=algorithm, qop=qop, password="guess")).result == "wrong-response"


# Properties


@given(st.text(max_size=300))
def test_no_text_breaks_the_check(line: str) -> None:
    assert not check(line).accepted
    assert not check(f"Digest {line}").accepted


@given(st.data())
def test_no_change_of_a_digit_is_accepted(data: st.DataObject) -> None:
    line = header(algorithm="SHA-256")
    start = line.index('response="') + len('response="')
    at = data.draw(st.integers(start, start + 63))
    other = data.draw(st.sampled_from("0123456789abcdef").filter(lambda digit: digit != line[at]))
    assert check(line[:at] + other + line[at + 1 :]).result == "wrong-response"


@given(st.data())
def test_no_mutated_header_raises(data: st.DataObject) -> None:
    line = header()
    at = data.draw(st.integers(0, len(line)))
    length = data.draw(st.integers(0, 5))
    result = check(line[:at] + data.draw(st.text(max_size=5)) + line[at + length :])
    assert result.accepted == (result.why == "")
