"""Rates of operations: how they are written, how they hold, what the application is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.acs.operations import BY_NAME
from onhook.server.app import make_app
from onhook.server.settings import ServerSettings
from onhook.server.throttle import KNOWN, Limit, Rate, Throttle, read_limit
from unit.server.fake_switchboard import DIRECTORY, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import NOW, OTHER_KEY, ask

ONE, OTHER = "resource-1", "resource-2"


def admitted(throttle: Throttle, operation: str, now: float, *, resource: str = ONE) -> bool:
    try:
        throttle.admit(operation, resource, now)
    except ApiError as refusal:
        return refusal.status != 429
    return True


def wait_of(throttle: Throttle, operation: str, now: float) -> int | None:
    with pytest.raises(ApiError) as raised:
        throttle.admit(operation, ONE, now)
    return raised.value.retry_after_seconds


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("createCall 2/10", Limit("createCall", Rate(2, 10))),
        ("  CREATECALL   2/10 ", Limit("createCall", Rate(2, 10))),
        ("getCall 1/0.5", Limit("getCall", Rate(1, 0.5))),
        ("getCall off", Limit("getCall", None)),
        ("answerCall 1000000/86400", Limit("answerCall", Rate(1_000_000, 86_400))),
    ],
)
def test_limits_as_they_are_written(text: str, limit: Limit) -> None:
    assert read_limit(text) == limit


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not OPERATION"),
        ("createCall", "it is not OPERATION"),
        ("createCall 2", "it is not OPERATION"),
        ("createCall 2/10s", "it is not OPERATION"),
        ("createCall -2/10", "it is not OPERATION"),
        ("createCall 2/10 getCall 2/10", "it is not OPERATION"),
        ("makeCall 2/10", "makeCall is no operation"),
        ("createUser 2/10", "createUser is no operation"),  # it has a setting of its own
        ("createCall 0/10", "1 to 1000000 requests"),
        ("createCall 1000001/10", "1 to 1000000 requests"),
        ("createCall 1/0", "0.1 to 86400 seconds"),
        ("createCall 1/86401", "0.1 to 86400 seconds"),
    ],
)
def test_what_is_no_limit(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_limit(text)


def test_nothing_is_limited_unless_asked() -> None:
    throttle = Throttle()
    assert set(BY_NAME) < set(KNOWN.values())
    assert all(admitted(throttle, name, NOW) for name in KNOWN.values() for _ in range(2_000))


def test_a_limit_can_be_lifted_again() -> None:
    throttle = Throttle(["createCall 1/10", "createCall off"])
    assert all(admitted(throttle, "createCall", NOW) for _ in range(2_000))


def test_the_last_word_counts() -> None:
    throttle = Throttle(["createCall 1/10", "createCall 2/10"])
    assert [admitted(throttle, "createCall", NOW) for _ in range(3)] == [True, True, False]


def test_it_fills_again_drop_by_drop() -> None:
    throttle = Throttle(["createCall 2/10"])
    assert [admitted(throttle, "createCall", NOW) for _ in range(3)] == [True, True, False]
    assert not admitted(throttle, "createCall", NOW + 4.9)
    assert admitted(throttle, "createCall", NOW + 5.1)
    assert not admitted(throttle, "createCall", NOW + 5.2)
    assert [admitted(throttle, "createCall", NOW + 600) for _ in range(3)] == [True, True, False]


def test_a_refusal_costs_nothing() -> None:
    throttle = Throttle(["createCall 1/10"])
    assert admitted(throttle, "createCall", NOW)
    assert not any(admitted(throttle, "createCall", NOW + tenth / 10) for tenth in range(99))
    assert admitted(throttle, "createCall", NOW + 10)


def test_each_resource_and_operation_has_its_own() -> None:
    throttle = Throttle(["createCall 1/10", "getCall 1/10"])
    assert admitted(throttle, "createCall", NOW)
    assert admitted(throttle, "createCall", NOW, resource=OTHER)
    assert admitted(throttle, "getCall", NOW)
    assert not admitted(throttle, "createCall", NOW)


@pytest.mark.parametrize(
    ("later_seconds", "wait_seconds"), [(0, 10), (0.5, 10), (1, 9), (8.5, 2), (9.5, 1), (9.99, 1)]
)
def test_the_wait_is_until_the_next_one_is_free(later_seconds: float, wait_seconds: int) -> None:
    throttle = Throttle(["createCall 1/10"])
    throttle.admit("createCall", ONE, NOW)
    assert wait_of(throttle, "createCall", NOW + later_seconds) == wait_seconds


@given(
    requests=st.integers(1, 50),
    seconds=st.floats(0.1, 1000),
    steps=st.lists(st.floats(0, 100), min_size=1, max_size=100),
)
def test_never_more_than_the_rate_allows(requests: int, seconds: float, steps: list[float]) -> None:
    """However the requests fall: no more than a full bucket and what was filled since; waiting helps."""
    rate = Rate(requests, round(seconds, 3))
    throttle = Throttle([f"createCall {rate.requests}/{rate.seconds}"])
    now, taken = NOW, 0
    for step in steps:
        now += step
        taken += admitted(throttle, "createCall", now)
    assert taken <= requests + (now - NOW) * requests / rate.seconds + 1e-6
    while admitted(throttle, "createCall", now):
        taken += 1
    wait = wait_of(throttle, "createCall", now)
    assert wait is not None
    assert admitted(throttle, "createCall", now + wait)


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    throttle = Throttle(["createCall 1/10"])
    assert admitted(throttle, "createCall", NOW)
    assert not admitted(throttle, "createCall", NOW - 1000)
    assert not admitted(throttle, "createCall", NOW - 1000)


def test_what_the_refusal_says() -> None:
    throttle = Throttle(["createCall 1/10", "listPurchasedNumbers 1/10"])
    codes = {}
    for operation in ("createCall", "listPurchasedNumbers"):
        throttle.admit(operation, ONE, NOW)
        with pytest.raises(ApiError) as raised:
            throttle.admit(operation, ONE, NOW)
        codes[operation] = raised.value.code
        assert f"{operation} is limited to 1 in 10 s" in raised.value.message
        assert "limits.requests" in raised.value.message
    assert codes == {"createCall": "8516", "listPurchasedNumbers": "TooManyRequests"}


async def test_over_http() -> None:
    times = [NOW]
    settings = ServerSettings(request_limits=("getCall 1/10",))
    app = make_app(DIRECTORY, FakeSwitchboard("a"), FakeArchive(), settings, now=lambda: times[0])
    target = "/calling/callConnections/a"
    assert (await ask(app, "GET", target)).status == 200
    refused = await ask(app, "GET", target)
    assert (refused.status, refused.headers["Retry-After"], refused.error["code"]) == (429, "10", "8516")
    assert refused.error["target"] == "getCall"
    unsigned = await ask(app, "GET", target, headers={"authorization": "HMAC-SHA256 nonsense"})
    assert unsigned.status == 401  # a stranger neither counts nor learns of it
    other = await ask(app, "GET", target, key=OTHER_KEY)
    assert other.status == 200
    times[0] = NOW + 10
    assert (await ask(app, "GET", target)).status == 200
