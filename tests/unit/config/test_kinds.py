"""Kinds of setting: what each takes, what it refuses, at its edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.config import kinds
from onhook.config.kinds import Kind, Unfit

JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
EVERY = {name: kind for name, kind in vars(kinds).items() if isinstance(kind, Kind)}


@given(st.sampled_from(sorted(EVERY)), JSONISH)
def test_any_value_is_read_or_unfit_and_nothing_else(name: str, value: object) -> None:
    try:
        read = EVERY[name].read(value)
    except Unfit:
        return
    assert isinstance(read, bool | int | float | str | tuple)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_kind_says_what_it_expects(name: str) -> None:
    assert EVERY[name].expected
    assert EVERY[name].example


@pytest.mark.parametrize(
    "host",
    [
        "a",
        "sbc.example.com",
        "sbc.example.com.",
        "a-b_c.d",
        "127.0.0.1",
        "::1",
        "fe80::1%eth0",
        "2001:db8::192.0.2.1",
    ],
)
def test_hosts(host: str) -> None:
    assert kinds.HOSTNAME.read(host) == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "-a",
        "a/b",
        "http://a",
        "a:5060",
        "300.1.1.1",
        "1.2.3",
        "[::1]",
        "a\n",
        "é.example",
        "x" * 300,
        ":::::" * 20,
    ],
)
def test_no_hosts(host: str) -> None:
    with pytest.raises(Unfit):
        kinds.HOSTNAME.read(host)


def test_nothing_is_a_host_only_where_it_means_something() -> None:
    assert kinds.MAYBE_HOST.read("") == ""
    with pytest.raises(Unfit):
        kinds.MAYBE_HOST.read(" ")


@pytest.mark.parametrize("value", [0, 65536, -1, True, "5060", 5060.0, None, [5060]])
def test_no_port(value: object) -> None:
    with pytest.raises(Unfit):
        kinds.PORT.read(value)


def test_bounds_belong_to_the_range() -> None:
    assert [kinds.PORT.read(1), kinds.PORT.read(65535), kinds.LISTEN_PORT.read(0)] == [1, 65535, 0]
    assert kinds.seconds(0.5, 32, 10).read(32) == 32.0
    assert isinstance(kinds.seconds(0.5, 32, 10).read(1), float)


def test_not_a_number_is_no_length_of_time() -> None:
    for value in (float("nan"), float("inf"), -0.1):
        with pytest.raises(Unfit):
            kinds.seconds(0, 10, 1).read(value)


def test_a_list_names_the_value_at_fault() -> None:
    with pytest.raises(Unfit) as caught:
        kinds.NUMBERS.read(["+14255550100", 5])
    assert (caught.value.item, caught.value.value, caught.value.expected) == (1, 5, "an E.164 number")


def test_a_list_has_bounds_of_its_own() -> None:
    with pytest.raises(Unfit, match="1 to 2 values, here are 3"):
        kinds.KEYS.read(["a", "b", "c"])
    with pytest.raises(Unfit, match=f"0 to {kinds.MAX_LIST} values"):
        kinds.NUMBERS.read(["+14255550100"] * (kinds.MAX_LIST + 1))


def test_a_pattern_that_is_too_long_is_refused() -> None:
    assert kinds.PATTERN.read("x" * kinds.MAX_PATTERN)
    with pytest.raises(Unfit, match="at most 200 characters"):
        kinds.PATTERN.read("x" * (kinds.MAX_PATTERN + 1))


def test_limits_of_requests() -> None:
    assert kinds.LIMITS.read(["createCall 2/10", "getCall off"]) == ("createCall 2/10", "getCall off")
    with pytest.raises(Unfit, match="makeCall is no operation") as raised:
        kinds.LIMITS.read(["createCall 2/10", "makeCall 2/10"])
    assert (raised.value.item, raised.value.value) == (1, "makeCall 2/10")
    for wrong in (["createCall 0/10"], [2], ["x" * 1001], ["createCall 2/10"] * 101, "createCall 2/10"):
        with pytest.raises(Unfit):
            kinds.LIMITS.read(wrong)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("169.254.169.254", "169.254.169.254/32"),
        ("FD00::/8", "fd00::/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_networks_are_read_as_they_are_compared(given: str, read: str) -> None:
    assert kinds.NETWORK.read(given) == read


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "metadata", "", "10.0.0.0/8 ", 10, None])
def test_no_networks(network: object) -> None:
    with pytest.raises(Unfit):
        kinds.NETWORK.read(network)


@pytest.mark.parametrize("url", ["", "https://calls.example", "http://127.0.0.1:8443/path"])
def test_an_address_or_nothing(url: str) -> None:
    assert kinds.MAYBE_URL.read(url) == url


@pytest.mark.parametrize(
    "url", ["calls.example", "ftp://a", "https://", "https://a?b", "https://a#b", "https://a b"]
)
def test_no_address(url: str) -> None:
    with pytest.raises(Unfit):
        kinds.MAYBE_URL.read(url)


def test_codecs_are_known_ones_each_once() -> None:
    assert kinds.CODECS.read(["opus", "PCMA"]) == ("opus", "PCMA")
    with pytest.raises(Unfit, match="PCMU stands there twice"):
        kinds.CODECS.read(["PCMU", "opus", "PCMU"])
    with pytest.raises(Unfit, match="1 to "):
        kinds.CODECS.read([])
    with pytest.raises(Unfit) as caught:
        kinds.CODECS.read(["PCMU", "G729"])
    assert (caught.value.item, caught.value.value) == (1, "G729")


def test_srtp_is_one_of_three_words() -> None:
    assert [kinds.SRTP.read(word) for word in ("off", "optional", "required")] == [
        "off",
        "optional",
        "required",
    ]
    with pytest.raises(Unfit):
        kinds.SRTP.read("on")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("127.0.0.1:2223", ("127.0.0.1", 2223)),
        ("media-1.example:1", ("media-1.example", 1)),
        ("[2001:db8::1]:65535", ("2001:db8::1", 65535)),
    ],
)
def test_where_an_ng_socket_is(given: str, read: tuple[str, int]) -> None:
    assert kinds.NG_ENDPOINT.read(given) == given
    assert kinds.split_endpoint(given) == read


@pytest.mark.parametrize(
    "endpoint",
    ["", "127.0.0.1", "127.0.0.1:", ":2223", "a b:2223", "a:0", "a:65536", "a:99999999", "a:x", "::1:2223"],
)
def test_where_no_ng_socket_is(endpoint: str) -> None:
    with pytest.raises(Unfit):
        kinds.NG_ENDPOINT.read(endpoint)
