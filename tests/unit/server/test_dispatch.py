"""Paths to operations."""

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.acs.operations import OPERATIONS
from onhook.server.dispatch import MAX_ID_LENGTH, Dispatcher, MethodNotAllowed

DISPATCHER = Dispatcher(OPERATIONS)
VERBS = {path.rpartition("}:")[2] for path in (operation.path for operation in OPERATIONS) if "}:" in path}


def find(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    found = DISPATCHER.find(method, path)
    return found.operation.name, found.ids


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_found_by_its_own_path(operation: object) -> None:
    (o,) = [o for o in OPERATIONS if o is operation]
    names = re.findall(r"\{(\w+)\}", o.path)
    path = re.sub(r"\{(\w+)\}", r"the-\1", o.path)
    assert find(o.method, path) == (o.name, tuple(f"the-{name}" for name in names))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/calling/callConnections/a:b:c", ("getCall", ("a:b:c",))),
        ("GET", "/calling/callConnections/a%3Aplay", ("getCall", ("a:play",))),
        ("POST", "/calling/callConnections/a:b:play", ("play", ("a:b",))),
        ("POST", "/calling/callConnections/a%20b%2Fc:play", ("play", ("a b/c",))),
        ("GET", "/calling/callConnections/c/participants/4:%2B1", ("getParticipant", ("c", "4:+1"))),
        ("GET", "/calling/callConnections/c/participants/4%3A%2B1", ("getParticipant", ("c", "4:+1"))),
        ("GET", "/calling/callConnections/c/participants/8:acs:x_y", ("getParticipant", ("c", "8:acs:x_y"))),
        ("GET", "/calling/callConnections/c/participants/x:add", ("getParticipant", ("c", "x:add"))),
        ("POST", "/calling/callConnections/c/participants:add", ("addParticipant", ("c",))),
        ("DELETE", "/calling/recordings/aGk=", ("stopRecording", ("aGk=",))),
        ("POST", "/calling/recordings/a:pause:pause", ("pauseRecording", ("a:pause",))),
    ],
)
def test_colons_and_encodings(method: str, path: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert find(method, path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/calling",
        "/calling/",
        "/calling/callConnections/",
        "/calling/callConnection",
        "/calling/callconnections",
        "/calling/callConnections:unknown",
        "/calling/callConnections//participants",
        "/calling/callConnections/c/participants/",
        "/calling/callConnections/c/participants:unknown",
        "/calling/callConnections/c/participants/x/y",
        "/calling/callConnections/c:play/participants",
        "/calling/callConnections/:play/x",
        "/calling/recordings/a/b",
        "//calling/callConnections",
        "/identities",
        "/calling/callConnections/c/",
    ],
)
def test_paths_of_nothing(path: str) -> None:
    with pytest.raises(ApiError) as raised:
        DISPATCHER.find("POST", path)
    assert (raised.value.status, raised.value.code) == (404, "NotFound")
    assert repr(path) in raised.value.message


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/calling/callConnections", "POST"),
        ("POST", "/calling/callConnections/c", "DELETE, GET"),
        ("PUT", "/calling/callConnections/c", "DELETE, GET"),
        ("POST", "/calling/callConnections/c:unmute", "DELETE, GET"),
        ("GET", "/calling/callConnections/c:play", "POST"),
        ("DELETE", "/calling/callConnections/c/participants", "GET"),
        ("DELETE", "/calling/callConnections/c/participants:add", "POST"),
        ("HEAD", "/calling/recordings/r", "DELETE, GET"),
        ("get", "/calling/recordings/r", "DELETE, GET"),
    ],
)
def test_a_wrong_method_names_the_right_ones(method: str, path: str, allow: str) -> None:
    with pytest.raises(MethodNotAllowed) as raised:
        DISPATCHER.find(method, path)
    assert raised.value.status == 405
    assert raised.value.allow == allow
    assert allow in raised.value.message


def test_an_id_has_a_greatest_length() -> None:
    longest = "x" * MAX_ID_LENGTH
    assert find("GET", f"/calling/callConnections/{longest}") == ("getCall", (longest,))
    with pytest.raises(ApiError) as raised:
        find("GET", f"/calling/callConnections/{longest}x")
    assert raised.value.status == 400


IDS = st.text(min_size=1, max_size=30).filter(lambda text: text.rpartition(":")[2] not in VERBS)


@given(operation=st.sampled_from(OPERATIONS), ids=st.tuples(IDS, IDS))
def test_any_id_comes_back_as_it_was(operation: object, ids: tuple[str, str]) -> None:
    (o,) = [o for o in OPERATIONS if o is operation]
    count = o.path.count("{")
    filled = iter(quote(identifier, safe=":") for identifier in ids)
    path = re.sub(r"\{\w+\}", lambda _: next(filled), o.path)
    assert find(o.method, path) == (o.name, ids[:count])


@given(st.text(max_size=60).map(lambda text: "/calling/" + text) | st.text(max_size=60))
def test_any_path_is_found_or_refused(path: str) -> None:
    try:
        assert DISPATCHER.find("GET", path).operation.method == "GET"
    except ApiError as refusal:
        assert refusal.status in {404, 405}  # noqa: PT017 - a third outcome is wrong
