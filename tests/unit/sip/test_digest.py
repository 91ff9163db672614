"""Challenges and their answers, checked against the examples that the RFCs print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.sip.digest import (
    Challenge,
    Credentials,
    answer_challenge,
    check_authorization,
    make_challenge,
    parse_challenge,
    parse_challenges,
    strongest,
)
from onhook.sip.digest_client import MAX_CHALLENGES
from onhook.sip.digest_response import MAX_LINE_LENGTH, AuthValue, parse_auth_values

MUFASA = Credentials("Mufasa", "Circle of Life")


def fields(header: str) -> dict[str, str]:
    (value,) = parse_auth_values(header)
    assert value.scheme == "Digest"
    return value.params


# The examples of the RFCs


def test_rfc_2617_section_3_5() -> None:
    challenge = parse_challenge(
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",'
        ' opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    assert challenge is not None
    answer = answer_challenge(
        challenge, Credentials("Mufasa", "Circle Of Life"), "GET", "/dir/index.html", cnonce="0a4f113b"
    )
    assert fields(answer) == {
        "username": "Mufasa",
        "realm": "testrealm@host.com",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "uri": "/dir/index.html",
        "response": "6629fae49393a05397450978507c4ef1",
        "cnonce": "0a4f113b",
        "opaque": "5ccc069c403ebaf9f0171e9517f40e41",
        "qop": "auth",
        "nc": "00000001",
    }


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    challenge = parse_challenge(
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",'
        ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    assert challenge is not None
    answer = answer_challenge(
        challenge,
        MUFASA,
        "GET",
        "/dir/index.html",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert fields(answer)["response"] == response
    assert fields(answer)["algorithm"] == algorithm


def test_the_form_of_rfc_2069_without_qop() -> None:
    """RFC 2069 section 2.4, with the value that its erratum 749 gives."""
    challenge = Challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093")
    answer = fields(
        answer_challenge(
            challenge, Credentials("Mufasa", "CircleOfLife"), "GET", "/dir/index.html", cnonce="unused"
        )
    )
    assert answer["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert {"qop", "nc", "cnonce", "opaque", "algorithm"}.isdisjoint(answer)


# Reading challenges


def test_a_challenge_is_read_whole() -> None:
    assert parse_challenge(
        'digest realm="a, b", NONCE=token , algorithm="SHA-256", qop="auth-int,auth", opaque="", stale=TRUE'
    ) == Challenge("a, b", "token", "SHA-256", ("auth-int", "auth"), "", stale=True)


def test_escapes_in_quoted_values_are_taken_off() -> None:
    challenge = parse_challenge(r'Digest realm="say \"hi\" \\ there", nonce="n"')
    assert challenge is not None
    assert challenge.realm == r'say "hi" \ there'


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Digest",
        "Basic realm=x",
        'Digest nonce="n"',
        'Digest realm="r"',
        'Digest realm="r", nonce=""',
        'realm="r", nonce="n"',
        "Digest realm=r, nonce=" + "n" * MAX_LINE_LENGTH,
    ],
)
def test_what_is_no_digest_challenge_is_none(value: str) -> None:
    assert parse_challenge(value) is None


def test_a_realm_may_be_empty() -> None:
    assert parse_challenge('Digest realm="", nonce="n"') == Challenge("", "n")


def test_several_challenges_on_one_line_are_told_apart() -> None:
    line = (
        'Basic realm="b", Digest realm="r1", nonce="n1", qop="auth,auth-int", Digest realm="r2", nonce="n2"'
    )
    assert [(c.realm, c.nonce) for c in parse_challenges([line])] == [("r1", "n1"), ("r2", "n2")]


def test_the_first_of_a_repeated_parameter_counts() -> None:
    assert parse_challenge('Digest realm="r", nonce="first", nonce="second"') == Challenge("r", "first")


def test_only_so_many_challenges_are_read() -> None:
    lines = [f'Digest realm="{at}", nonce="n"' for at in range(MAX_CHALLENGES + 5)]
    assert len(parse_challenges(lines)) == MAX_CHALLENGES


def test_schemes_without_parameters_are_read_as_such() -> None:
    assert parse_auth_values("Negotiate") == [AuthValue("Negotiate")]
    assert parse_auth_values("NTLM, Digest realm=r") == [
        AuthValue("NTLM"),
        AuthValue("Digest", {"realm": "r"}),
    ]
    assert parse_auth_values("Digest\trealm=r") == [AuthValue("Digest", {"realm": "r"})]
    assert parse_auth_values("") == []


# Choosing


@pytest.mark.parametrize(
    ("algorithms", "chosen"),
    [
        (["MD5"], "MD5"),
        (["MD5", "SHA-256"], "SHA-256"),
        (["SHA-256", "MD5"], "SHA-256"),
        (["MD5", "SHA-512-256", "AKAv1-MD5"], "MD5"),
        (["md5-sess", "MD5"], "md5-sess"),
        (["sha-256-sess", "MD5"], "sha-256-sess"),
        (["", "SHA-256"], "SHA-256"),
    ],
)
def test_the_strongest_known_algorithm_is_chosen_of_equals_the_first(
    algorithms: list[str], chosen: str
) -> None:
    best = strongest([Challenge("r", "n", algorithm, ("auth",)) for algorithm in algorithms])
    assert best is not None
    assert best.algorithm == chosen


def test_nothing_known_is_none() -> None:
    assert strongest([]) is None
    assert strongest([Challenge("r", "n", "SHA-512-256")]) is None
    assert strongest([Challenge("r", "n", "MD5", ("auth-conf",))]) is None


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((), ""),
        (("auth",), "auth"),
        (("auth-int",), "auth-int"),
        (("auth-int", "auth"), "auth"),
        (("x",), ""),
    ],
)
def test_plain_auth_goes_before_auth_int(offered: tuple[str, ...], chosen: str) -> None:
    assert Challenge("r", "n", qop=offered).chosen_qop == chosen


@pytest.mark.parametrize("challenge", [Challenge("r", "n", "AKAv1-MD5"), Challenge("r", "n", "", ("x",))])
def test_an_answer_that_is_not_known_is_an_error_of_the_caller(challenge: Challenge) -> None:
    with pytest.raises(ValueError, match="no answer to algorithm"):
        answer_challenge(challenge, MUFASA, "INVITE", "sip:a@b", cnonce="c")


# Answering


def test_the_algorithm_is_given_back_as_written_and_only_if_it_was_said() -> None:
    said = answer_challenge(Challenge("r", "n", "md5"), MUFASA, "INVITE", "sip:a@b", cnonce="c")
    unsaid = answer_challenge(Challenge("r", "n"), MUFASA, "INVITE", "sip:a@b", cnonce="c")
    assert fields(said)["algorithm"] == "md5"
    assert "algorithm" not in fields(unsaid)
    assert fields(said)["response"] == fields(unsaid)["response"]


def test_a_session_variant_sends_its_cnonce_even_without_qop() -> None:
    answer = fields(
        answer_challenge(Challenge("r", "n", "MD5-sess"), MUFASA, "INVITE", "sip:a@b", cnonce="c")
    )
    assert answer["cnonce"] == "c"
    assert "nc" not in answer


def test_the_nonce_count_is_eight_hexadecimal_digits() -> None:
    challenge = Challenge("r", "n", "", ("auth",))
    answer = answer_challenge(challenge, MUFASA, "INVITE", "sip:a@b", cnonce="c", nonce_count=255)
    assert fields(answer)["nc"] == "000000ff"


def test_auth_int_covers_the_body_and_auth_does_not() -> None:
    def response(qop: str, body: bytes) -> str:
        challenge = Challenge("r", "n", "SHA-256", (qop,))
        return fields(answer_challenge(challenge, MUFASA, "INVITE", "sip:a@b", body, cnonce="c"))["response"]

    assert response("auth-int", b"one") != response("auth-int", b"two")
    assert response("auth", b"one") == response("auth", b"two")


def test_everything_that_should_changes_the_response() -> None:
    challenge = Challenge("r", "n", "MD5", ("auth",))
    answers = {
        fields(answer_challenge(challenge, MUFASA, method, uri, cnonce=cnonce, nonce_count=count))["response"]
        for method in ("INVITE", "BYE")
        for uri in ("sip:a@b", "sip:a@c")
        for cnonce in ("1", "2")
        for count in (1, 2)
    }
    assert len(answers) == 16


def test_what_has_quotes_or_line_ends_stays_one_quoted_string() -> None:
    challenge = Challenge('r"ealm', "no\\nce", opaque='o"p')
    answer = answer_challenge(
        challenge, Credentials('a "b"\r\nEvil: 1', "p"), "INVITE", "sip:a@b", cnonce="c"
    )
    assert "\r" not in answer
    assert "\n" not in answer
    assert fields(answer)["username"] == 'a "b"  Evil: 1'
    assert (fields(answer)["realm"], fields(answer)["nonce"]) == ('r"ealm', "no\\nce")
    assert fields(answer)["opaque"] == 'o"p'


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(Credentials("user", "secret"))


# Properties: what one half makes the other half takes

values = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)
names = values.filter(bool)


@given(
    realm=values,
    nonce=names,
    algorithm=st.sampled_from(["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"]),
    qop=st.sampled_from(["", "auth", "auth-int", "auth,auth-int"]),
    opaque=values,
    username=names,
    password=values,
    body=st.binary(max_size=40),
    cnonce=names,
    count=st.integers(1, 2**32 - 1),
)
def test_every_answer_satisfies_its_challenge(  # noqa: PLR0917  # hypothesis passes them by name
    realm: str,
    nonce: str,
    algorithm: str,
    qop: str,
    opaque: str,
    username: str,
    password: str,
    body: bytes,
    cnonce: str,
    count: int,
) -> None:
    challenge = parse_challenge(make_challenge(realm, nonce, algorithm, qop=qop, opaque=opaque))
    assert challenge is not None
    assert (challenge.realm, challenge.nonce, challenge.opaque or "") == (realm, nonce, opaque)
    answer = answer_challenge(
        challenge,
        Credentials(username, password),
        "INVITE",
        "sip:+14255550100@example.com",
        body,
        cnonce=cnonce,
        nonce_count=count,
    )
    checked = check_authorization(
        answer,
        "INVITE",
        "sip:+14255550100@example.com",
        {username: password}.get,
        nonce.__eq__,
        realm=realm,
        algorithm=algorithm,
        body=body,
    )
    assert checked.accepted, checked
    assert (checked.username, checked.nonce) == (username, nonce)
    assert checked.nonce_count == (count if qop else 0)


@given(st.text(max_size=200))
def test_no_text_breaks_the_readers(value: str) -> None:
    for challenge in parse_challenges([value, f"Digest realm=r, nonce=n, {value}"]):
        assert challenge.nonce
        assert challenge.strength in {0, 1, 2}
    for auth in parse_auth_values(value):
        assert all(name == name.lower() for name in auth.params)
