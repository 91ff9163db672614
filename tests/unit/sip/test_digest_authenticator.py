"""The credentials of a leg over several requests, challenges and realms."""

from onhook.sip.digest import Authenticator, Checked, Credentials, check_authorization, make_challenge
from onhook.sip.digest_client import MAX_ANSWERS, MAX_REALMS, Header
from onhook.sip.digest_response import parse_auth_values
from onhook.sip.messages import Headers, Response

URI = "sip:+14255550123@sbc.example"
CREDENTIALS = Credentials("alice", "wonderland")


def challenged(*challenges: str, status: int = 401, proxy: tuple[str, ...] = ()) -> Response:
    headers = Headers()
    for challenge in challenges:
        headers.add("WWW-Authenticate", challenge)
    for challenge in proxy:
        headers.add("Proxy-Authenticate", challenge)
    return Response(status, "Unauthorized", headers)


def answered(
    authenticator: Authenticator, response: Response, *, method: str = "INVITE", cnonce: str = "c"
) -> Header:
    header = authenticator.answer(response, method=method, uri=URI, cnonce=cnonce)
    assert header is not None, authenticator.gave_up
    return header


def fields(header: Header) -> dict[str, str]:
    (value,) = parse_auth_values(header[1])
    return value.params


def checked(header: Header, *, method: str = "INVITE", body: bytes = b"") -> Checked:
    return check_authorization(header[1], method, URI, {"alice": "wonderland"}.get, lambda _: True, body=body)


# One realm


def test_a_401_is_answered_by_authorization() -> None:
    authenticator = Authenticator(CREDENTIALS)
    name, value = answered(authenticator, challenged(make_challenge("r", "n1")))
    assert name == "authorization"
    assert checked((name, value)).accepted
    assert authenticator.gave_up == ""


def test_a_407_is_answered_by_proxy_authorization() -> None:
    response = challenged(status=407, proxy=(make_challenge("proxy", "n1", "SHA-256"),))
    name, value = answered(Authenticator(CREDENTIALS), response)
    assert name == "proxy-authorization"
    assert checked((name, value)).accepted


def test_the_body_is_covered_where_auth_int_is_asked_for() -> None:
    response = challenged(make_challenge("r", "n1", qop="auth-int"))
    header = Authenticator(CREDENTIALS).answer(response, method="INVITE", uri=URI, body=b"v=0", cnonce="c")
    assert header is not None
    assert checked(header, body=b"v=0").accepted
    assert checked(header, body=b"v=1").result == "wrong-response"


def test_the_strongest_of_several_challenges_of_a_realm_is_answered() -> None:
    response = challenged(make_challenge("r", "md5"), make_challenge("r", "sha", "SHA-256"))
    assert fields(answered(Authenticator(CREDENTIALS), response))["nonce"] == "sha"


def test_the_same_nonce_refused_twice_is_given_up() -> None:
    authenticator = Authenticator(CREDENTIALS)
    response = challenged(make_challenge("r", "n1"))
    answered(authenticator, response)
    assert authenticator.answer(response, method="INVITE", uri=URI, cnonce="c") is None
    assert authenticator.gave_up == "realm 'r' refused the credentials of 'alice'"


def test_a_stale_nonce_is_renewed() -> None:
    authenticator = Authenticator(CREDENTIALS)
    answered(authenticator, challenged(make_challenge("r", "n1")))
    renewed = answered(authenticator, challenged(make_challenge("r", "n2", stale=True)))
    assert (fields(renewed)["nonce"], fields(renewed)["nc"]) == ("n2", "00000001")


def test_a_nonce_said_to_be_stale_is_taken_again_if_the_server_gives_it_again() -> None:
    authenticator = Authenticator(CREDENTIALS)
    answered(authenticator, challenged(make_challenge("r", "n1")))
    again = answered(authenticator, challenged(make_challenge("r", "n1", stale=True)))
    assert (fields(again)["nonce"], fields(again)["nc"]) == ("n1", "00000002")


def test_a_server_that_always_says_stale_is_given_up_in_the_end() -> None:
    authenticator = Authenticator(CREDENTIALS)
    for attempt in range(MAX_ANSWERS):
        answered(authenticator, challenged(make_challenge("r", f"n{attempt}", stale=True)))
    response = challenged(make_challenge("r", "one more", stale=True))
    assert authenticator.answer(response, method="INVITE", uri=URI, cnonce="c") is None
    assert authenticator.gave_up == f"realm 'r' refused {MAX_ANSWERS} nonces of its own"


def test_a_fresh_nonce_without_stale_is_tried_once_more_only() -> None:
    authenticator = Authenticator(CREDENTIALS)
    answered(authenticator, challenged(make_challenge("r", "n1")))
    assert fields(answered(authenticator, challenged(make_challenge("r", "n2"))))["nonce"] == "n2"
    third = challenged(make_challenge("r", "n3"))
    assert authenticator.answer(third, method="INVITE", uri=URI, cnonce="c") is None
    assert authenticator.gave_up


def test_a_later_challenge_that_can_be_answered_clears_the_reason() -> None:
    authenticator = Authenticator(CREDENTIALS)
    assert authenticator.answer(challenged(), method="INVITE", uri=URI, cnonce="c") is None
    assert authenticator.gave_up == "the 401 holds no digest challenge that can be read"
    answered(authenticator, challenged(make_challenge("r", "n1")))
    assert authenticator.gave_up == ""


def test_an_algorithm_that_is_not_known_is_named() -> None:
    authenticator = Authenticator(CREDENTIALS)
    response = challenged(make_challenge("r", "n", "SHA-512-256"), make_challenge("r", "n", qop="auth-conf"))
    assert authenticator.answer(response, method="INVITE", uri=URI, cnonce="c") is None
    assert (
        authenticator.gave_up == "realm 'r' asks for what is not known here: SHA-512-256 auth, MD5 auth-conf"
    )


def test_an_unreadable_challenge_beside_a_good_one_does_no_harm() -> None:
    response = challenged("Basic realm=b", "Digest garbage", make_challenge("r", "n1"))
    assert fields(answered(Authenticator(CREDENTIALS), response))["realm"] == "r"


# Later requests


def test_nothing_is_sent_before_the_first_challenge() -> None:
    assert Authenticator(CREDENTIALS).authorize(method="INVITE", uri=URI, cnonce="c") == []


def test_a_later_request_is_authorized_at_once_with_the_next_count() -> None:
    authenticator = Authenticator(CREDENTIALS)
    answered(authenticator, challenged(make_challenge("r", "n1")))
    (bye,) = authenticator.authorize(method="BYE", uri=URI, cnonce="d")
    assert checked(bye, method="BYE").nonce_count == 2
    assert checked(bye, method="BYE").accepted
    assert checked(bye, method="INVITE").result == "wrong-response"


def test_another_method_may_be_challenged_with_the_same_nonce() -> None:
    """A BYE that went out without credentials gets the nonce of the INVITE: that refuses nothing."""
    authenticator = Authenticator(CREDENTIALS)
    response = challenged(make_challenge("r", "n1"))
    answered(authenticator, response)
    bye = answered(authenticator, response, method="BYE")
    assert checked(bye, method="BYE").nonce_count == 2
    assert authenticator.answer(response, method="BYE", uri=URI, cnonce="c") is None


def test_after_an_accepted_request_a_challenge_is_new_again() -> None:
    authenticator = Authenticator(CREDENTIALS)
    response = challenged(make_challenge("r", "n1"))
    answered(authenticator, response)
    authenticator.accept(Response(200, "OK"))
    assert fields(answered(authenticator, response))["nc"] == "00000002"


def test_the_next_nonce_of_a_server_is_used() -> None:
    authenticator = Authenticator(CREDENTIALS)
    answered(authenticator, challenged(make_challenge("r", "n1", "SHA-256")))
    authenticator.accept(Response(200, "OK", Headers.of(("Authentication-Info", 'nextnonce="n2", qop=auth'))))
    (header,) = authenticator.authorize(method="BYE", uri=URI, cnonce="d")
    assert (fields(header)["nonce"], fields(header)["nc"]) == ("n2", "00000001")
    assert fields(header)["algorithm"] == "SHA-256"


def test_the_next_nonce_of_a_proxy_is_told_from_the_servers() -> None:
    authenticator = Authenticator(CREDENTIALS)
    answered(authenticator, challenged(make_challenge("r", "n1")))
    answered(authenticator, challenged(status=407, proxy=(make_challenge("p", "p1"),)))
    authenticator.accept(Response(200, "OK", Headers.of(("Proxy-Authentication-Info", 'nextnonce="p2"'))))
    headers = authenticator.authorize(method="BYE", uri=URI, cnonce="d")
    assert [(name, fields((name, value))["nonce"]) for name, value in headers] == [
        ("authorization", "n1"),
        ("proxy-authorization", "p2"),
    ]


def test_a_next_nonce_that_may_be_of_either_of_two_realms_is_not_used() -> None:
    authenticator = Authenticator(CREDENTIALS)
    authenticator.take(challenged(make_challenge("r1", "n1"), make_challenge("r2", "n2")), "INVITE")
    authenticator.accept(Response(200, "OK", Headers.of(("Authentication-Info", 'nextnonce="x"'))))
    headers = authenticator.authorize(method="BYE", uri=URI, cnonce="d")
    assert [fields(header)["nonce"] for header in headers] == ["n1", "n2"]


def test_authentication_info_without_a_next_nonce_changes_nothing() -> None:
    authenticator = Authenticator(CREDENTIALS)
    answered(authenticator, challenged(make_challenge("r", "n1")))
    authenticator.accept(
        Response(200, "OK", Headers.of(("Authentication-Info", 'rspauth="x", nextnonce=""')))
    )
    (header,) = authenticator.authorize(method="BYE", uri=URI, cnonce="d")
    assert (fields(header)["nonce"], fields(header)["nc"]) == ("n1", "00000002")


def test_a_session_variant_keeps_to_the_first_cnonce_of_a_nonce() -> None:
    authenticator = Authenticator(CREDENTIALS)
    answered(authenticator, challenged(make_challenge("r", "n1", "MD5-sess")), cnonce="first")
    (bye,) = authenticator.authorize(method="BYE", uri=URI, cnonce="second")
    assert (fields(bye)["cnonce"], fields(bye)["nc"]) == ("first", "00000002")
    assert checked(bye, method="BYE").accepted
    renewed = answered(
        authenticator, challenged(make_challenge("r", "n2", "MD5-sess", stale=True)), cnonce="third"
    )
    assert fields(renewed)["cnonce"] == "third"


def test_other_algorithms_take_each_cnonce_as_it_comes() -> None:
    authenticator = Authenticator(CREDENTIALS)
    answered(authenticator, challenged(make_challenge("r", "n1")), cnonce="first")
    (bye,) = authenticator.authorize(method="BYE", uri=URI, cnonce="second")
    assert fields(bye)["cnonce"] == "second"


# Several realms


def test_a_proxy_and_then_the_server_are_both_answered() -> None:
    authenticator = Authenticator(CREDENTIALS)
    assert authenticator.take(challenged(status=407, proxy=(make_challenge("p", "p1"),)), "INVITE")
    assert authenticator.take(challenged(make_challenge("r", "n1")), "INVITE") == [("authorization", "r")]
    headers = authenticator.authorize(method="INVITE", uri=URI, cnonce="c")
    assert [name for name, _ in headers] == ["proxy-authorization", "authorization"]
    assert all(checked(header).accepted for header in headers)


def test_a_response_with_challenges_of_several_realms_is_answered_in_each() -> None:
    authenticator = Authenticator(CREDENTIALS)
    response = challenged(
        make_challenge("r", "n1"),
        status=407,
        proxy=(make_challenge("p1", "x"), make_challenge("p2", "y"), make_challenge("p2", "z", "SHA-256")),
    )
    keys = authenticator.take(response, "INVITE")
    assert keys == [("authorization", "r"), ("proxy-authorization", "p1"), ("proxy-authorization", "p2")]
    headers = authenticator.authorize(method="INVITE", uri=URI, cnonce="c")
    assert [fields(header)["nonce"] for header in headers] == ["n1", "x", "z"]


def test_one_realm_in_vain_is_enough_to_give_up() -> None:
    authenticator = Authenticator(CREDENTIALS)
    authenticator.take(challenged(make_challenge("r", "n1")), "INVITE")
    again = challenged(make_challenge("r", "n1"), proxy=(make_challenge("p", "p1"),))
    assert authenticator.take(again, "INVITE") == []
    assert "'r'" in authenticator.gave_up


def test_realms_of_one_name_at_server_and_proxy_are_two() -> None:
    authenticator = Authenticator(CREDENTIALS)
    authenticator.take(challenged(make_challenge("same", "n1")), "INVITE")
    assert authenticator.take(challenged(status=407, proxy=(make_challenge("same", "n1"),)), "INVITE")


def test_more_realms_than_the_limit_are_given_up() -> None:
    authenticator = Authenticator(CREDENTIALS)
    response = challenged(*(make_challenge(f"r{at}", "n") for at in range(MAX_REALMS + 1)))
    assert authenticator.take(response, "INVITE") == []
    assert authenticator.gave_up == f"more than {MAX_REALMS} realms ask for credentials"
