"""Trunks and routes of the SIP routing API: what is taken, and how the rest is refused."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.acs.sip_routing import (
    MAX_DESCRIPTION_LENGTH,
    MAX_FQDN_LENGTH,
    MAX_PATTERN_LENGTH,
    MAX_ROUTE_NAME_LENGTH,
    MAX_ROUTES,
    MAX_TRUNKS_A_ROUTE,
    check_routes,
    check_trunk,
    empty_patch,
    fault_in_pattern,
    is_host,
    missing_trunk,
    python_pattern,
)
from onhook.acs.sip_routing_models import SipTrunk, SipTrunkRoute

EXAMPLE = "^+[1-9][0-9]{3,23}$"


def route(
    name: str = "a", pattern: str = EXAMPLE, trunks: Any = None, description: str | None = None
) -> SipTrunkRoute:
    return SipTrunkRoute(name=name, number_pattern=pattern, trunks=trunks, description=description)


def refusal(raised: "pytest.ExceptionInfo[ApiError]") -> tuple[int, str, str | None]:
    """Status, reason and place; the outer code and message are always the same."""
    error = raised.value
    assert (error.code, error.message) == (
        "UnprocessableConfiguration",
        "One or more request inputs are not valid.",
    )
    assert error.inner
    return error.status, error.inner.code, error.target


# Patterns


@pytest.mark.parametrize(
    ("dotnet", "python"),
    [
        (EXAMPLE, "^[1-9][0-9]{3,23}$"),
        (r"^\+1(425|206)(\d{7})$", r"^\+1(425|206)(\d{7})$"),
        ("^*?1", "^1"),
        ("1$+", "1$"),
        (r"\^+1", r"\^+1"),
        (r"\\^+1", r"\\^1"),
        ("[^+]", "[^+]"),
        ("[$+]", "[$+]"),
        ("[]^+]1", "[]^+]1"),
        ("[^]^+]1", "[^]^+]1"),
        (r"[a\]^+]1", r"[a\]^+]1"),
        ("(?<area>42)", "(?P<area>42)"),
        ("(?'area'42)", "(?P<area>42)"),
        ("(?<=4)2(?<!3)", "(?<=4)2(?<!3)"),
        ("", ""),
    ],
)
def test_patterns_of_dotnet(dotnet: str, python: str) -> None:
    assert python_pattern(dotnet) == python
    assert fault_in_pattern(python) == ""


def test_the_vendors_example_is_refused_by_python_and_matches_as_dotnet_would() -> None:
    assert fault_in_pattern(EXAMPLE)
    ours = python_pattern(EXAMPLE)
    assert re.search(ours, "14255550100")
    assert not re.search(ours, "+14255550100")  # its plus repeats the anchor, and matches nothing


@pytest.mark.filterwarnings("ignore:Possible (nested set|set)")
@given(st.text(alphabet=r"^$+*?[]()\{}<>'|.1a", max_size=12))
def test_what_python_understands_keeps_its_meaning(pattern: str) -> None:
    if fault_in_pattern(pattern):
        return
    translated = python_pattern(pattern)
    assert fault_in_pattern(translated) == ""
    for number in ("", "1", "1a", "^+", "a]", "+1"):
        assert bool(re.search(pattern, number)) == bool(re.search(translated, number))


@pytest.mark.parametrize("pattern", ["(", "[", "a{2,1}", "*", r"\p{L}", "(?<a-b>x)", "(" * 300])
def test_what_is_no_pattern_says_why(pattern: str) -> None:
    assert fault_in_pattern(pattern)


# Trunks


@pytest.mark.parametrize("fqdn", ["sbc.example.com", "a", "10.0.0.1", "2001:db8::1", "x" * MAX_FQDN_LENGTH])
def test_a_trunk(fqdn: str) -> None:
    assert is_host(fqdn)
    check_trunk(fqdn, SipTrunk(sip_signaling_port=5061), is_new=True)


@pytest.mark.parametrize("fqdn", ["", "-1", "a b", "http://a", "a:5060", "a\n", "x" * (MAX_FQDN_LENGTH + 1)])
def test_a_name_that_no_trunk_may_have(fqdn: str) -> None:
    with pytest.raises(ApiError) as raised:
        check_trunk(fqdn, SipTrunk(sip_signaling_port=5061), is_new=True)
    assert refusal(raised)[:2] == (422, "InvalidTrunkFqdn")


def test_a_trunk_that_exists_may_be_called_anything() -> None:
    check_trunk("my trunk", SipTrunk(sip_signaling_port=5061), is_new=False)


@pytest.mark.parametrize("port", [0, -1, 65536, 10**9])
@pytest.mark.parametrize("is_new", [True, False])
def test_a_port_that_is_none(port: int, *, is_new: bool) -> None:
    with pytest.raises(ApiError) as raised:
        check_trunk("a.example", SipTrunk(sip_signaling_port=port), is_new=is_new)
    where = "$.trunks['a.example'].sipSignalingPort"
    assert refusal(raised) == (422, "InvalidTrunkSipSignalingPort", where)


# Routes


@pytest.mark.parametrize(
    "good",
    [
        [],
        [route()],
        [route(trunks=[])],
        [route(trunks=["a", "b"]), route("b", ".")],
        [
            route(
                "x" * MAX_ROUTE_NAME_LENGTH,
                "1" * MAX_PATTERN_LENGTH,
                description="d" * MAX_DESCRIPTION_LENGTH,
            )
        ],
        [route(str(n)) for n in range(MAX_ROUTES)],
        [route("A"), route("a")],
    ],
)
def test_routes(good: list[SipTrunkRoute]) -> None:
    check_routes(good)


@pytest.mark.parametrize(
    ("bad", "status", "code", "where"),
    [
        ([route("")], 422, "InvalidRouteName", "$.routes[0].name"),
        ([route(), route("x" * 257)], 422, "InvalidRouteName", "$.routes[1].name"),
        ([route(pattern="")], 422, "InvalidRouteNumberPattern", "$.routes[0].numberPattern"),
        ([route(pattern="(")], 422, "InvalidRouteNumberPattern", "$.routes[0].numberPattern"),
        ([route(pattern="1" * 1025)], 422, "InvalidRouteNumberPattern", "$.routes[0].numberPattern"),
        ([route(description="d" * 1025)], 422, "InvalidRouteDescription", "$.routes[0].description"),
        ([route(trunks=[""])], 422, "InvalidRouteTrunk", "$.routes[0].trunks"),
        (
            [route(trunks=[str(n) for n in range(MAX_TRUNKS_A_ROUTE + 1)])],
            422,
            "InvalidRouteTrunk",
            "$.routes[0].trunks",
        ),
        ([route(trunks=["a", "b", "a"])], 400, "RouteWithDuplicatedTrunk", "$.routes[0].trunks"),
        ([route(), route("b"), route()], 400, "DuplicatedRoute", "$.routes"),
        ([route(str(n)) for n in range(MAX_ROUTES + 1)], 422, "TooManyRoutes", None),
    ],
)
def test_refused_routes(bad: list[SipTrunkRoute], status: int, code: str, where: str | None) -> None:
    with pytest.raises(ApiError) as raised:
        check_routes(bad)
    assert refusal(raised) == (status, code, where)


def test_refusals_say_what_was_wrong_in_their_inner_message() -> None:
    error = missing_trunk("to germany", "gone.example", ["b.example", "a.example"])
    assert error.inner
    assert error.inner.message == (
        "Route targeting a missing trunk: route 'to germany' names 'gone.example';"
        " trunks are a.example, b.example."
    )
    assert "trunks are none" in str(missing_trunk("r", "t", []).inner)
    assert empty_patch().inner
    assert empty_patch().status == 422
