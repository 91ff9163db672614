"""Signing keys: made once, kept secret, rotated, published; the tokens of callbacks."""

import stat
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette

from onhook.acs.tokens import read_token
from onhook.calls.outbox import OutboxEvent
from onhook.server.keys import (
    CONFIGURATION_PATH,
    DAY_SECONDS,
    KEYS_PATH,
    LONGEST_TOKEN_SECONDS,
    CallbackAuthorization,
    KeyFileError,
    TokenKeys,
)
from unit.server.signed_requests import NOW, Answered, put

URL = "https://calls.example:8443"
RESOURCE = "11111111-2222-3333-4444-555555555555"
PEM = b"-----%s PRIVATE KEY-----\nAAAA\n-----%s PRIVATE KEY-----\n"


def keys(directory: Path, *, now: float = NOW, **settings: Any) -> TokenKeys:
    return TokenKeys(directory, now=now, url=URL, **settings)


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("token-key-*"))


def signer(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


# Files


def test_the_first_start_makes_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    keys(tmp_path / "data")
    (only,) = files(tmp_path / "data")
    assert stat.S_IMODE(only.stat().st_mode) == 0o600
    assert stat.S_IMODE(only.parent.stat().st_mode) == 0o700


def test_the_next_start_reads_it_again(tmp_path: Path) -> None:
    before = keys(tmp_path).callback_token(RESOURCE, NOW)
    again = keys(tmp_path, now=NOW + 60)
    assert len(files(tmp_path)) == 1
    assert signer(again.callback_token(RESOURCE, NOW)) == signer(before)
    assert isinstance(read_token(before, again.public), dict)


def test_a_file_that_others_could_read_is_closed(tmp_path: Path) -> None:
    keys(tmp_path)
    (only,) = files(tmp_path)
    only.chmod(0o644)
    keys(tmp_path)
    assert stat.S_IMODE(only.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"no key", PEM % (b"BEGIN", b"END")])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    keys(tmp_path)
    (only,) = files(tmp_path)
    only.write_bytes(content)
    with pytest.raises(KeyFileError) as raised:
        keys(tmp_path)
    assert str(only) in str(raised.value)
    assert "Delete it" in str(raised.value)
    assert only.read_bytes() == content


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "token-key-7.pem").write_bytes(other)
    with pytest.raises(KeyFileError, match="no RSA key"):
        keys(tmp_path)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("token-key-.pem", "token-key-x.pem", "token-key-1.pem.bak", "ca-key.pem"):
        (tmp_path / name).write_text("not ours")
    keys(tmp_path)
    assert (tmp_path / "token-key-x.pem").read_text() == "not ours"


# Rotation


def test_a_key_signs_for_its_days_then_a_new_one_does(tmp_path: Path) -> None:
    made = keys(tmp_path, days=2)
    first = made.callback_token(RESOURCE, NOW)
    made.rotate(NOW + 2 * DAY_SECONDS - 1)
    assert signer(made.callback_token(RESOURCE, NOW)) == signer(first)
    made.rotate(NOW + 2 * DAY_SECONDS)
    second = made.callback_token(RESOURCE, NOW)
    assert signer(second) != signer(first)
    assert [key["kid"] for key in made.key_set()["keys"]] == [signer(second), signer(first)]


def test_the_old_key_verifies_until_its_last_token_is_dead(tmp_path: Path) -> None:
    made = keys(tmp_path, days=2)
    first = made.callback_token(RESOURCE, NOW)
    rotated = NOW + 2 * DAY_SECONDS
    made.rotate(rotated)
    made.rotate(rotated + LONGEST_TOKEN_SECONDS - 1)
    assert isinstance(read_token(first, made.public), dict)
    assert len(files(tmp_path)) == 2
    made.rotate(rotated + LONGEST_TOKEN_SECONDS + 1)
    assert signer(first) not in made.public
    assert len(files(tmp_path)) == 1


def test_keys_of_earlier_rotations_are_read_in_order(tmp_path: Path) -> None:
    made = keys(tmp_path, days=1)
    made.rotate(NOW + DAY_SECONDS)
    newest = signer(made.callback_token(RESOURCE, NOW))
    again = keys(tmp_path, now=NOW + DAY_SECONDS + 60, days=1)
    assert signer(again.callback_token(RESOURCE, NOW)) == newest
    assert set(again.public) == set(made.public)


def test_a_start_long_after_makes_a_new_key_and_drops_the_old(tmp_path: Path) -> None:
    old = keys(tmp_path)
    later = keys(tmp_path, now=NOW + 1000 * DAY_SECONDS)
    later.rotate(NOW + 1002 * DAY_SECONDS)
    assert set(old.public).isdisjoint(later.public)
    assert len(files(tmp_path)) == 1


def test_a_clock_set_back_makes_no_key(tmp_path: Path) -> None:
    keys(tmp_path)
    keys(tmp_path, now=NOW - 365 * DAY_SECONDS)
    assert len(files(tmp_path)) == 1


def test_when_no_key_can_be_written_the_old_one_goes_on(tmp_path: Path) -> None:
    made = keys(tmp_path, days=1)
    (tmp_path / f"token-key-{int(NOW + DAY_SECONDS)}.pem").mkdir()
    with pytest.raises(OSError, match="token-key"):
        made.rotate(NOW + DAY_SECONDS)
    assert isinstance(read_token(made.callback_token(RESOURCE, NOW), made.public), dict)


# What others see


async def get(made: TokenKeys, path: str, method: str = "GET") -> Answered:
    return await put(Starlette(routes=made.routes()), method, path, {"host": "calls.example:8443"})


async def test_a_verifier_finds_the_keys_from_the_configuration(tmp_path: Path) -> None:
    made = keys(tmp_path)
    answered = await get(made, CONFIGURATION_PATH)
    configuration = answered.json()
    assert configuration["issuer"] == URL
    assert configuration["id_token_signing_alg_values_supported"] == ["RS256"]
    assert configuration["jwks_uri"] == f"{URL}{KEYS_PATH}"
    published = (await get(made, KEYS_PATH)).json()
    token = made.callback_token(RESOURCE, NOW)
    found = jwt.PyJWKSet.from_dict(published)[signer(token)]
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(
        token, found, algorithms=["RS256"], audience=RESOURCE, issuer=configuration["issuer"], options=options
    )
    assert claims["exp"] - claims["iat"] == 300


async def test_the_answers_may_be_cached_and_hold_nothing_private(tmp_path: Path) -> None:
    answered = await get(keys(tmp_path), KEYS_PATH)
    assert answered.headers["content-type"] == "application/json; charset=utf-8"
    assert answered.headers["cache-control"] == "public, max-age=300"
    assert all(set(key) == {"kty", "n", "e", "kid", "use", "alg"} for key in answered.json()["keys"])
    assert (await get(keys(tmp_path), KEYS_PATH, "POST")).status == 405


def test_the_issuer_may_be_set_the_keys_stay_ours(tmp_path: Path) -> None:
    made = keys(tmp_path, issuer="https://acscallautomation.communication.azure.com")
    configuration = made.openid_configuration()
    assert configuration["issuer"] == "https://acscallautomation.communication.azure.com"
    assert configuration["jwks_uri"] == f"{URL}{KEYS_PATH}"


def test_our_address_may_be_known_late(tmp_path: Path) -> None:
    made = keys(tmp_path)
    made.url = "https://localhost:50123"
    claims = read_token(made.callback_token(RESOURCE, NOW), made.public)
    assert isinstance(claims, dict)
    assert claims["iss"] == "https://localhost:50123"


# Callbacks


def event(call_id: str = "call") -> OutboxEvent:
    return OutboxEvent(
        id="e", call_id=call_id, type="CallConnected", uri="https://app", body=b"[]", created_at=NOW, due=NOW
    )


def authorization(made: TokenKeys, clock: list[float], **settings: Any) -> CallbackAuthorization:
    owners = {"call": RESOURCE, "other": "another resource"}
    return CallbackAuthorization(made, owners.get, lambda: clock[0], **settings)


def bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    assert scheme == "Bearer"
    return token


def test_every_event_has_a_token_of_its_own(tmp_path: Path) -> None:
    made = keys(tmp_path)
    authorize = authorization(made, [NOW])
    read = [read_token(bearer(authorize(event())), made.public) for _ in range(3)]
    assert len({claims["jti"] for claims in read if isinstance(claims, dict)}) == 3
    assert all(claims["aud"] == RESOURCE for claims in read if isinstance(claims, dict))


def test_every_websocket_has_a_token_of_its_own_for_a_day(tmp_path: Path) -> None:
    made = keys(tmp_path)
    tokens = [made.stream_token(RESOURCE, NOW) for _ in range(2)]
    read = [claims for token in tokens if isinstance(claims := read_token(token, made.public), dict)]
    assert len({claims["jti"] for claims in read}) == 2
    assert {(claims["aud"], claims["exp"] - claims["iat"]) for claims in read} == {(RESOURCE, 24 * 3600)}
    assert LONGEST_TOKEN_SECONDS >= 24 * 3600  # so that its key is kept until it is dead


def test_an_event_of_nobodys_call_goes_without(tmp_path: Path) -> None:
    assert authorization(keys(tmp_path), [NOW])(event("gone")) == ""


def test_a_token_may_be_used_for_a_while_by_its_resource(tmp_path: Path) -> None:
    made, clock = keys(tmp_path), [NOW]
    authorize = authorization(made, clock, reuse_seconds=10.0)
    first = authorize(event())
    clock[0] = NOW + 9.9
    assert authorize(event()) == first
    assert authorize(event("other")) != first
    clock[0] = NOW + 10
    second = authorize(event())
    assert second != first
    clock[0] = NOW - 3600  # the clock was set back
    assert authorize(event()) not in {first, second}


def test_a_reused_token_lives_when_it_arrives(tmp_path: Path) -> None:
    made, clock = keys(tmp_path), [NOW]
    authorize = authorization(made, clock, reuse_seconds=10_000.0)
    first = authorize(event())
    clock[0] = NOW + 150
    assert authorize(event()) != first
