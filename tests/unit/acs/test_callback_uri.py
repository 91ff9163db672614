"""Which callback addresses are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.callback_uri import MAX_CALLBACK_URI_LENGTH, PlainHttp, check_callback_uri, is_loopback
from onhook.acs.errors import ApiError

LOOPBACK = ["localhost", "LOCALHOST", "localhost.", "app.localhost", "127.0.0.1", "127.9.9.9", "[::1]"]
ELSEWHERE = ["app.example", "10.0.0.1", "[2001:db8::1]", "127.0.0.1.example", "localhost.example", "0.0.0.0"]


def refused(uri: str, http: PlainHttp = "loopback") -> str:
    with pytest.raises(ApiError) as raised:
        check_callback_uri(uri, http=http)
    assert (raised.value.status, raised.value.code) == (400, "8523")
    assert raised.value.target == "$.callbackUri"
    assert raised.value.message.startswith("The field CallbackUri is invalid")
    return raised.value.message


@pytest.mark.parametrize("host", [*LOOPBACK, *ELSEWHERE])
@pytest.mark.parametrize("http", ["never", "loopback", "always"])
def test_https_is_always_taken(host: str, http: PlainHttp) -> None:
    assert check_callback_uri(f"https://{host}:8080/events?code=a%2Fb==", http=http) is None


@pytest.mark.parametrize("host", LOOPBACK)
def test_http_of_this_machine_is_taken_with_a_warning(host: str) -> None:
    for setting in ("loopback", "always"):
        warning = check_callback_uri(f"http://{host}:8080/events", http=setting)
        assert warning
        assert "refused by Azure Communication Services" in warning
    assert "no address may be http" in refused(f"http://{host}/events", "never")


@pytest.mark.parametrize("host", ELSEWHERE)
def test_http_elsewhere_is_refused_as_acs_does(host: str) -> None:
    assert "only addresses of this machine may be http" in refused(f"http://{host}/events")
    refused(f"http://{host}/events", "never")
    assert check_callback_uri(f"http://{host}/events", http="always")


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("", "does not begin with https://"),
        ("/events", "does not begin with https://"),
        ("app.example/events", "does not begin with https://"),
        ("ftp://app.example/", "does not begin with https://"),
        ("wss://app.example/", "does not begin with https://"),
        ("javascript:alert(1)", "does not begin with https://"),
        ("https://", "names no host"),
        ("https:///events", "names no host"),
        ("https://?x", "names no host"),
        ("https://a b/", "contains spaces"),
        ("https://app.example/\nX: y", "contains spaces"),
        ("https://app.example:port/", "is no URI"),
        ("https://app.example:99999/", "is no URI"),
        ("https://[::1/", "is no URI"),
    ],
)
def test_what_is_no_https_address(uri: str, says: str) -> None:
    assert says in refused(uri, "always")


def test_the_query_is_never_repeated_in_a_message() -> None:
    assert "secret" not in refused("ftp://app.example/?code=secret")
    assert "secret" not in refused("http://app.example/?code=secret")


def test_the_length_is_limited() -> None:
    longest = "https://app.example/" + "x" * (MAX_CALLBACK_URI_LENGTH - len("https://app.example/"))
    assert check_callback_uri(longest) is None
    assert f"{MAX_CALLBACK_URI_LENGTH} are allowed" in refused(longest + "x")


def test_other_fields_are_named() -> None:
    with pytest.raises(ApiError, match="The field OperationCallbackUri is invalid") as raised:
        check_callback_uri("no", field="OperationCallbackUri", target="$.operationCallbackUri")
    assert raised.value.target == "$.operationCallbackUri"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "a.b.localhost"])
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "::", "127.1", "localhosts", "example.com", "0177.0.0.1"])
def test_names_of_others(host: str) -> None:
    assert not is_loopback(host)


@given(st.text(max_size=60) | st.text(max_size=30).map(lambda text: f"https://{text}"))
def test_any_text_is_taken_or_refused_with_400(uri: str) -> None:
    try:
        assert check_callback_uri(uri, http="never") is None
    except ApiError as refusal:
        assert refusal.status == 400  # noqa: PT017 - either outcome is right, a third is not
