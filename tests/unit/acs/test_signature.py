"""Access key signatures: what is accepted, and what each refusal says."""

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.signature import Denied, Outcome, Signed, SigningKey, check_signature
from unit.server.signed_requests import HOST, KEY, NOW, OTHER_KEY, http_date, signed

TARGET = "/calling/callConnections/abc?api-version=2026-03-12"
BODY = b'{"a":1}'
KEYS = [SigningKey.of("first", OTHER_KEY), SigningKey.of("second", KEY)]


def check(
    headers: dict[str, str],
    *,
    method: str = "POST",
    target: str = TARGET,
    body: bytes = BODY,
    now: float = NOW,
    endpoints: tuple[str, ...] = (),
) -> Outcome:
    return check_signature(method, target, headers, body, keys=KEYS, now=now, endpoints=endpoints)


def why(outcome: Outcome) -> str:
    assert isinstance(outcome, Denied)
    return outcome.why


def test_the_key_tells_the_resource() -> None:
    assert check(signed("POST", TARGET, BODY)) == Signed("second")
    assert check(signed("POST", TARGET, BODY, key=OTHER_KEY)) == Signed("first")


def test_an_example_worked_out_by_hand() -> None:
    """The formula once more, step by step, so that a slip in the shared test code cannot hide."""
    content_hash = b64encode(sha256(b"").digest()).decode()
    assert content_hash == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    date = "Mon, 23 Nov 2026 11:39:41 GMT"
    text = f"GET\n/calling/x?api-version=2026-03-12\n{date};localhost:8443;{content_hash}"
    made = b64encode(hmac.new(b64decode(KEY), text.encode(), sha256).digest()).decode()
    headers = {
        "host": "localhost:8443",
        "x-ms-date": date,
        "x-ms-content-sha256": content_hash,
        "authorization": f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={made}",
    }
    outcome = check(headers, method="GET", target="/calling/x?api-version=2026-03-12", body=b"")
    assert outcome == Signed("second")


@pytest.mark.parametrize("offset_seconds", [-900, -1, 0, 1, 900])
def test_dates_within_the_allowed_skew(offset_seconds: int) -> None:
    assert check(signed("POST", TARGET, BODY, at=NOW + offset_seconds)) == Signed("second")


@pytest.mark.parametrize(
    ("offset_seconds", "side"), [(-901, "behind"), (901, "ahead of"), (-86400, "behind")]
)
def test_a_stale_date_says_how_stale(offset_seconds: int, side: str) -> None:
    told = why(check(signed("POST", TARGET, BODY, at=NOW + offset_seconds)))
    assert f"{abs(offset_seconds)} s {side} the clock" in told
    assert "900 s are allowed" in told


@pytest.mark.parametrize("date", ["yesterday", "2026-11-23T11:39:41Z", "Mon, 31 Feb 2026 11:39:41 GMT", "0"])
def test_a_date_that_is_none(date: str) -> None:
    headers = signed("POST", TARGET, BODY) | {"x-ms-date": date}
    assert f"x-ms-date {date!r} is no date" in why(check(headers))


def test_a_changed_body_says_both_hashes() -> None:
    told = why(check(signed("POST", TARGET, BODY), body=BODY + b"!"))
    assert b64encode(sha256(BODY).digest()).decode() in told
    assert b64encode(sha256(BODY + b"!").digest()).decode() in told


@pytest.mark.parametrize("name", ["x-ms-date", "host", "x-ms-content-sha256"])
def test_a_missing_signed_header_is_named(name: str) -> None:
    headers = signed("POST", TARGET, BODY)
    del headers[name]
    assert why(check(headers)) == f"the signed header {name} is missing"


@pytest.mark.parametrize(
    ("authorization", "says"),
    [
        (None, "the Authorization header is missing"),
        ("Bearer eyJ", "Entra tokens are not accepted here yet"),
        ("bearer eyJ", "Entra tokens are not accepted here yet"),
        ("Basic dXNlcjpwYXNz", "scheme 'Basic' is unknown"),
        ("", "scheme '' is unknown"),
        ("HMAC-SHA256", "no &Signature="),
        ("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256", "no &Signature="),
        ("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=", "no &Signature="),
        ("HMAC-SHA256 SignedHeaders=host;x-ms-date;x-ms-content-sha256&Signature=AA==", "is expected"),
        ("HMAC-SHA256 Credential=x&SignedHeaders=x-ms-date&Signature=AA==", "is expected"),
    ],
)
def test_a_broken_authorization_header(authorization: str | None, says: str) -> None:
    headers = signed("POST", TARGET, BODY)
    del headers["authorization"]
    if authorization is not None:
        headers["authorization"] = authorization
    assert says in why(check(headers))


def test_a_wrong_key_shows_the_text_to_sign_and_no_key() -> None:
    stranger = b64encode(b"a key that this server does not have").decode()
    told = why(check(signed("POST", TARGET, BODY, key=stranger)))
    assert "no access key of this server made this signature" in told
    assert TARGET in told
    for key in (KEY, OTHER_KEY, stranger):
        assert key not in told
        assert b64decode(key).decode() not in told


@pytest.mark.parametrize("signature", ["x", "=", "ü", "A" * 44, "A" * 10_000])
def test_garbage_as_signature_is_denied(signature: str) -> None:
    headers = signed("POST", TARGET, BODY)
    headers["authorization"] = (
        headers["authorization"].partition("&Signature=")[0] + "&Signature=" + signature
    )
    assert "no access key" in why(check(headers))


def test_a_long_target_is_cut_in_the_message() -> None:
    target = TARGET + "x" * 5000
    assert len(why(check(signed("POST", TARGET, BODY), target=target))) < 700


class TestReadingsOfOneRequest:
    """Each is what some client does; see the wire report, §2."""

    def test_path_segments_sent_decoded_and_signed_encoded(self) -> None:
        sent = "/calling/callConnections/c/participants/4:%2B14255550123?api-version=2026-03-12"
        signed_target = sent.replace("4:", "4%3A")
        headers = signed("GET", sent, signed_target=signed_target)
        assert check(headers, method="GET", target=sent, body=b"") == Signed("second")

    @pytest.mark.parametrize(
        ("sent", "signed_query"),
        [
            ("y=a:b", "y=a%3Ab"),
            ("y=a%20b", "y=a+b"),
            ("y=a~b*c", "y=a%7Eb*c"),
            ("y=a b&z=", "y=a%20b&z="),
        ],
    )
    def test_queries_sent_one_way_and_signed_another(self, sent: str, signed_query: str) -> None:
        headers = signed("GET", f"/p?{sent}", signed_target=f"/p?{signed_query}")
        assert check(headers, method="GET", target=f"/p?{sent}", body=b"") == Signed("second")

    def test_an_endpoint_with_a_slash_at_its_end(self) -> None:
        assert check(signed("POST", TARGET, BODY, signed_host=f"{HOST}/")) == Signed("second")

    def test_a_recording_is_signed_for_the_endpoint(self) -> None:
        headers = signed("GET", "/rec/1?x=1", host="rec.example:8443", signed_host=HOST)
        headers["x-ms-host"] = "localhost"
        outcome = check(headers, method="GET", target="/rec/1?x=1", body=b"", endpoints=(HOST,))
        assert outcome == Signed("second")
        assert isinstance(check(headers, method="GET", target="/rec/1?x=1", body=b""), Denied)

    def test_a_recording_signed_without_its_query(self) -> None:
        headers = signed("GET", "/rec/1?x=1", signed_target="/rec/1", host="rec.example", signed_host=HOST)
        headers["x-ms-host"] = HOST
        assert check(headers, method="GET", target="/rec/1?x=1", body=b"") == Signed("second")

    def test_the_query_is_never_left_out_otherwise(self) -> None:
        headers = signed("GET", "/p?x=1", signed_target="/p")
        assert isinstance(check(headers, method="GET", target="/p?x=1", body=b""), Denied)

    def test_another_host_alone_is_not_enough(self) -> None:
        headers = signed("GET", "/p", signed_host="elsewhere")
        assert isinstance(
            check(headers, method="GET", target="/p", body=b"", endpoints=("elsewhere",)), Denied
        )


def test_a_repeated_signature_is_no_replay() -> None:
    headers = signed("POST", TARGET, BODY)
    assert check(headers) == check(headers, now=NOW + 60) == Signed("second")


def test_an_access_key_that_is_no_base64_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="resource dev is not base64") as raised:
        SigningKey.of("dev", "not base64!")
    assert "not base64!" not in str(raised.value)


def test_an_empty_access_key_is_refused() -> None:
    with pytest.raises(ValueError, match="resource dev is empty"):
        SigningKey.of("dev", "")


SEGMENT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#%"), max_size=12)


@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.lists(SEGMENT, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    body=st.binary(max_size=200),
    key=st.binary(min_size=1, max_size=80),
    offset=st.integers(-900, 900),
)
def test_whatever_is_signed_verifies_and_with_nothing_else(
    method: str, path: str, body: bytes, key: bytes, offset: int
) -> None:
    secret = b64encode(key).decode()
    headers = signed(method, path, body, key=secret, at=NOW + offset)
    ours = [SigningKey.of("dev", secret)]
    assert check_signature(method, path, headers, body, keys=ours, now=NOW) == Signed("dev")
    another = [SigningKey.of("dev", b64encode(key + b"x").decode())]
    assert isinstance(check_signature(method, path, headers, body, keys=another, now=NOW), Denied)
    assert isinstance(check_signature("PUT", path, headers, body, keys=ours, now=NOW), Denied)
    assert isinstance(check_signature(method, path, headers, body + b"x", keys=ours, now=NOW), Denied)
    assert isinstance(check_signature(method, path, headers, body, keys=[], now=NOW), Denied)


@given(
    headers=st.dictionaries(
        st.sampled_from(["authorization", "x-ms-date", "host", "x-ms-content-sha256", "x-ms-host"]),
        st.text(max_size=60)
        | st.just("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=AAAA")
        | st.just(http_date(NOW))
        | st.just(b64encode(sha256(b"").digest()).decode()),
    ),
    target=st.text(max_size=60),
)
def test_any_headers_are_denied_without_failing(headers: dict[str, str], target: str) -> None:
    outcome = check_signature("GET", target, headers, b"", keys=KEYS, now=NOW, endpoints=("e",))
    assert isinstance(outcome, Denied)
    assert outcome.why
