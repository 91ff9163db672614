"""a=crypto lines: read, written, and every reason why one cannot be used; and the keys that we make."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from onhook.sip.sdes import KEY_BYTES, SUITES, Crypto, first_usable, key_for, leg_secret, parse_crypto

KEY = bytes(range(KEY_BYTES))
TEXT = b64encode(KEY).decode()
SUITE_80, SUITE_32 = SUITES


@pytest.mark.parametrize("suite", SUITES)
def test_a_line_survives_the_wire(suite: str) -> None:
    crypto = Crypto(1, suite, KEY)
    assert crypto.line == f"a=crypto:1 {suite} inline:{TEXT}"
    assert parse_crypto(crypto.line.removeprefix("a=crypto:")) == crypto


@pytest.mark.parametrize(
    "value",
    [
        f"7 {SUITE_80} inline:{TEXT}",
        f"  7  {SUITE_80}  inline:{TEXT}  ",
        f"7 {SUITE_80} inline:{TEXT}|2^20",
        f"7 {SUITE_80} inline:{TEXT}|2^48",
        f"7 {SUITE_80} inline:{TEXT}|1000000",
        f"7 {SUITE_80} inline:{TEXT} WSH=64",
    ],
)
def test_what_changes_no_packet_is_borne(value: str) -> None:
    assert parse_crypto(value) == Crypto(7, SUITE_80, KEY)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "has to be tag, suite and inline:key"),
        ("x AES inline:AAAA", "has to be tag, suite and inline:key"),
        (f"1 AES_256_CM_HMAC_SHA1_80 inline:{TEXT}", "'AES_256_CM_HMAC_SHA1_80' is not spoken here"),
        (f"1 F8_128_HMAC_SHA1_80 inline:{TEXT}", "is not spoken here"),
        (f"1 {SUITE_80} uri:{TEXT}", "has to hold one key, written inline:"),
        (f"1 {SUITE_80} inline:{TEXT}|2^20|1:4;inline:{TEXT}|2^20|2:4", "has to hold one key"),
        (f"1 {SUITE_80} inline:{TEXT}|2^20|1:4", "master key identifier (MKI)"),
        (f"1 {SUITE_80} inline:{TEXT}|1:4", "master key identifier (MKI)"),
        (f"1 {SUITE_80} inline:{TEXT}|2^49", "lifetime"),
        (f"1 {SUITE_80} inline:{TEXT}|soon", "lifetime"),
        (f"1 {SUITE_80} inline:****", "no base64"),
        (f"1 {SUITE_80} inline:ééé", "no base64"),
        (f"1 {SUITE_80} inline:AAAA", "has 3 bytes"),
        (f"1 {SUITE_80} inline:{TEXT} UNENCRYPTED_SRTP", "'UNENCRYPTED_SRTP' of a=crypto"),
        (f"1 {SUITE_80} inline:{TEXT} UNAUTHENTICATED_SRTP", "'UNAUTHENTICATED_SRTP' of a=crypto"),
        (f"1 {SUITE_80} inline:{TEXT} KDR=4", "'KDR=4' of a=crypto"),
    ],
)
def test_each_line_that_cannot_be_used_says_why(value: str, why: str) -> None:
    fault = parse_crypto(value)
    assert isinstance(fault, str)
    assert why in fault
    assert fault.isascii()


@given(st.text(max_size=120))
def test_whatever_comes_is_read_or_named(value: str) -> None:
    assert parse_crypto(value)


def test_the_first_usable_line_counts() -> None:
    bad, good = "1 NULL_NULL inline:AAAA", f"2 {SUITE_32} inline:{TEXT}"
    assert first_usable([bad, good, f"3 {SUITE_80} inline:{TEXT}"]) == Crypto(2, SUITE_32, KEY)
    fault = first_usable([bad, "x"])
    assert isinstance(fault, str)
    assert "NULL_NULL" in fault
    assert first_usable([]) == "there is no a=crypto line"


def test_keys_differ_by_call_by_leg_and_by_suite_and_are_always_the_same() -> None:
    legs = [leg_secret(secret, leg) for secret in ("s1", "s2") for leg in ("l1", "l2")]
    keys = [key_for(leg, suite) for leg in legs for suite in SUITES]
    assert len(set(keys)) == 8
    assert {len(key) for key in keys} == {KEY_BYTES}
    assert key_for(leg_secret("s1", "l1"), SUITE_80) == keys[0]


def test_no_key_comes_of_no_secret() -> None:
    assert leg_secret("", "l1") == b""
    with pytest.raises(AssertionError, match="no key without a secret"):
        key_for(b"", SUITE_80)


def test_the_key_is_hkdf_expand_of_rfc_5869() -> None:
    """HKDF-Expand(secret, label, 30): its first block, T(1) = HMAC(secret, label | 0x01)."""
    secret = leg_secret("5e" * 32, "0123456789abcdef")
    expected = HKDFExpand(SHA256(), KEY_BYTES, b"onhook sdes " + SUITE_80.encode()).derive(secret)
    assert key_for(secret, SUITE_80) == expected
