"""Tokens: signed once, readable by strangers' libraries, refused when anything was changed."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.tokens import (
    MAX_TOKEN_LENGTH,
    STREAM_TOKEN_SECONDS,
    TokenKey,
    Unreadable,
    callback_claims,
    public_jwk,
    read_token,
    sign,
    thumbprint,
    user_claims,
)

NOW = 1_795_433_981.75
RESOURCE = "11111111-2222-3333-4444-555555555555"
USER = f"8:acs:{RESOURCE}_aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


@cache
def made(_number: int) -> TokenKey:
    """Making one takes long."""
    return TokenKey.of(rsa.generate_private_key(65537, 2048))


def key(number: int = 0) -> TokenKey:
    return made(number)


def keys(*numbers: int) -> dict[str, rsa.RSAPublicKey]:
    return {key(number).id: key(number).private.public_key() for number in numbers or (0,)}


def callback(now: float = NOW, jti: str = "j") -> str:
    return sign(callback_claims(issuer="https://onhook", resource_id=RESOURCE, jti=jti, now=now), key())


def unreadable(token: str, *known: int) -> str:
    read = read_token(token, keys(*known))
    assert isinstance(read, Unreadable), read
    return read.why


def test_a_token_for_a_websocket_lives_for_a_day() -> None:
    claims = callback_claims(
        issuer="https://onhook", resource_id=RESOURCE, jti="j", now=NOW, life_seconds=STREAM_TOKEN_SECONDS
    )
    assert claims["exp"] == 1_795_433_981 + 24 * 3600


def test_a_callback_token_says_who_and_for_whom_and_dies_in_five_minutes() -> None:
    assert read_token(callback(), keys()) == {
        "iss": "https://onhook",
        "aud": RESOURCE,
        "jti": "j",
        "iat": 1_795_433_981,
        "nbf": 1_795_433_981,
        "exp": 1_795_434_281,
    }


def test_a_users_token_has_the_claims_of_acs() -> None:
    claims = user_claims(
        issuer="https://onhook",
        user_id=USER,
        resource_id=RESOURCE,
        scopes=("chat", "voip"),
        expires_at=1_795_500_000,
        generation=2,
        jti="j",
        now=NOW,
    )
    read = read_token(sign(claims, key()), keys())
    assert read == {
        "skypeid": USER.removeprefix("8:"),
        "scp": 1792,
        "csi": "1795433981",
        "iat": 1_795_433_981,
        "exp": 1_795_500_000,
        "acsScope": "chat,voip",
        "resourceId": RESOURCE,
        "iss": "https://onhook",
        "jti": "j",
        "gen": 2,
    }


def test_times_are_not_looked_at() -> None:
    assert isinstance(read_token(callback(now=0.0), keys()), dict)
    assert isinstance(read_token(callback(now=4e9), keys()), dict)


def test_the_header_names_algorithm_and_key() -> None:
    header = jwt.get_unverified_header(callback())
    assert header == {"alg": "RS256", "kid": key().id, "typ": "JWT"}


def test_another_library_call_verifies_it_with_the_published_key() -> None:
    published = jwt.PyJWK.from_dict(public_jwk(key().id, key().private.public_key()))
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(
        callback(),
        published,
        audience=RESOURCE,
        issuer="https://onhook",
        algorithms=["RS256"],
        options=options,
    )
    assert claims["jti"] == "j"


def test_a_published_key_has_no_private_part() -> None:
    published = public_jwk("k", key().private.public_key())
    assert published.keys() == {"kty", "n", "e", "kid", "use", "alg"}
    assert (published["kty"], published["e"], published["kid"]) == ("RSA", "AQAB", "k")
    modulus = int.from_bytes(urlsafe_b64decode(published["n"] + "=="), "big")
    assert modulus == key().private.public_key().public_numbers().n


def test_the_thumbprint_is_that_of_the_rfc() -> None:
    """RFC 7638 section 3.1 gives a key and its thumbprint."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXj"
        "BZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqz"
        "s8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ"
        "-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    numbers = rsa.RSAPublicNumbers(65537, int.from_bytes(urlsafe_b64decode(modulus + "=="), "big"))
    assert thumbprint(numbers.public_key()) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_keys_have_ids_of_their_own() -> None:
    assert key(0).id != key(1).id
    assert key(0).id == TokenKey.of(key(0).private).id


def test_the_key_of_another_server_is_unknown() -> None:
    assert "none of this server's" in unreadable(callback(), 1)
    assert isinstance(read_token(callback(), keys(1, 0)), dict)


def test_a_signature_by_another_key_under_our_name_is_refused() -> None:
    forged = sign({"aud": RESOURCE}, TokenKey(key(0).id, key(1).private))
    assert "its signature is not that key's" in unreadable(forged)


def with_header(token: str, **header: object) -> str:
    _, payload, signature = token.split(".")
    text = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{text}.{payload}.{signature}"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512", "PS256", ""])
def test_no_other_algorithm_is_taken(algorithm: str) -> None:
    assert "signature" in unreadable(with_header(callback(), alg=algorithm, kid=key().id, typ="JWT"))


def test_our_public_key_is_no_shared_secret() -> None:
    """The classic confusion: a token signed by HMAC with the published key as its secret."""
    secret = public_jwk(key().id, key().private.public_key())["n"]
    forged = jwt.encode({"aud": RESOURCE}, secret, "HS256", headers={"kid": key().id})
    assert "signature" in unreadable(forged)


@pytest.mark.parametrize("kid", [None, 7, ["a"], "unknown"])
def test_a_key_id_that_is_none_of_ours(kid: object) -> None:
    assert unreadable(with_header(callback(), alg="RS256", kid=kid))


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "....", "é.è.à", "\x00", "Bearer x"])
def test_no_token_at_all(text: str) -> None:
    assert "no JSON Web Token" in unreadable(text)


def test_a_token_has_a_greatest_length() -> None:
    assert str(MAX_TOKEN_LENGTH) in unreadable("a" * (MAX_TOKEN_LENGTH + 1))


@given(st.integers(0, 10_000), st.sampled_from("abcXYZ019-_."))
def test_a_changed_letter_is_noticed(place: int, letter: str) -> None:
    token = callback()
    place %= len(token) - 1  # the last letter holds bits that say nothing
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        assert isinstance(read_token(changed, keys()), Unreadable)
