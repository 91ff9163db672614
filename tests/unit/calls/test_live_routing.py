"""The routing table while the server runs: configuration, changes over it, patches."""

import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.acs.sip_routing import MAX_TRUNKS
from onhook.acs.sip_routing_models import SipConfigurationPatch, SipTrunk
from onhook.calls.directory import Directory, Resource, Trunk, VoiceRoute
from onhook.calls.live_routing import (
    RoutingChanges,
    TrunkChange,
    changed,
    forgotten,
    missing_targets,
    patched,
    shown_table,
)

SBC = Trunk("sbc", "10.0.0.1", 5060, "tcp", "user", "password", max_calls=7)
SPARE = Trunk("spare", "10.0.0.2")
CONFIGURED = Directory(
    (Resource("dev", "id", ("key",), ("+14255550100",)),),
    {"sbc": SBC, "spare": SPARE},
    (VoiceRoute("everything", r"\+\d+", ("sbc",), direct_routing=False),),
)
NOTHING = RoutingChanges()


def patch(**fields: Any) -> SipConfigurationPatch:
    """As it comes over the wire: null and absent are two things."""
    return msgspec.json.decode(msgspec.json.encode(fields), type=SipConfigurationPatch)


def trunk(port: int = 5061) -> dict[str, int]:
    return {"sipSignalingPort": port}


def route(name: str, *trunks: str, pattern: str = "^1") -> dict[str, Any]:
    return {"name": name, "numberPattern": pattern, "trunks": list(trunks)}


def after(changes: RoutingChanges = NOTHING, **fields: Any) -> RoutingChanges:
    """A patch applied, and what was kept of it read again as after a restart."""
    result = patched(CONFIGURED, changes, patch(**fields), transport="udp")
    assert msgspec.json.decode(msgspec.json.encode(result), type=RoutingChanges) == result
    return result


def live(changes: RoutingChanges, configured: Directory = CONFIGURED) -> Directory:
    return changed(configured, changes, transport="udp")


def inner_code(raised: "pytest.ExceptionInfo[ApiError]") -> str:
    assert raised.value.inner
    return raised.value.inner.code


def test_without_changes_the_configuration_is_in_force() -> None:
    assert live(NOTHING) == CONFIGURED


def test_a_new_trunk_is_named_after_its_host() -> None:
    directory = live(after(trunks={"a.example": trunk(5071)}))
    assert directory.trunks == {
        **CONFIGURED.trunks,
        "a.example": Trunk("a.example", "a.example", 5071, "udp"),
    }
    assert directory.routes == CONFIGURED.routes
    assert directory.resources == CONFIGURED.resources


def test_the_transport_of_new_trunks_is_the_settings() -> None:
    changes = after(trunks={"a.example": trunk()})
    assert changed(CONFIGURED, changes, transport="tcp").trunks["a.example"].transport == "tcp"


def test_a_configured_trunk_changes_its_port_only() -> None:
    directory = live(after(trunks={"sbc": trunk(5099)}))
    assert directory.trunks["sbc"] == dataclasses.replace(SBC, port=5099)


def test_trunks_that_a_patch_does_not_name_stay() -> None:
    changes = after(after(trunks={"a.example": trunk()}), trunks={"b.example": trunk()})
    assert list(live(changes).trunks) == ["sbc", "spare", "a.example", "b.example"]


def test_null_removes_a_trunk_and_another_patch_brings_it_back() -> None:
    gone = after(trunks={"spare": None})
    assert list(live(gone).trunks) == ["sbc"]
    back = after(gone, trunks={"spare": trunk(5063)})
    assert live(back).trunks["spare"] == dataclasses.replace(SPARE, port=5063)


def test_removing_what_the_api_made_leaves_no_trace() -> None:
    made = after(trunks={"a.example": trunk()})
    assert after(made, trunks={"a.example": None}) == NOTHING


def test_removing_what_is_not_there_changes_nothing() -> None:
    assert after(trunks={"nobody.example": None, "-1": None}) == NOTHING


def test_routes_are_replaced_as_one_list() -> None:
    directory = live(after(routes=[route("one", "sbc"), route("two")]))
    assert [(r.name, r.trunks, r.direct_routing) for r in directory.routes] == [
        ("one", ("sbc",), True),
        ("two", (), True),
    ]
    assert live(after(routes=[])).routes == ()


def test_patterns_of_the_api_match_a_part_those_of_the_file_all_of_the_number() -> None:
    (by_api,) = live(after(routes=[route("one", "sbc", pattern=r"\+49")])).routes
    assert by_api.matches("+4930")
    assert not CONFIGURED.routes[0].matches("tel:+4930")
    assert CONFIGURED.routes[0].matches("+4930")


def test_null_is_not_absent() -> None:
    """RFC 7396: null removes the member, that is all trunks or all routes."""
    no_routes = after(routes=None)
    assert live(no_routes).routes == ()
    nothing_left = after(no_routes, trunks=None)
    assert live(nothing_left).trunks == {}
    both = after(trunks=None, routes=None)
    assert (live(both).trunks, live(both).routes) == ({}, ())


@pytest.mark.parametrize("fields", [{}, {"trunks": {}}, {"others": 1}])
def test_an_empty_patch_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as raised:
        after(**fields)
    assert inner_code(raised) == "EmptyPatch"


@pytest.mark.parametrize(
    "fields",
    [
        {"trunks": {"sbc": None}},
        {"trunks": None},
        {"routes": [route("one", "nobody.example")]},
        {"trunks": {"a.example": None}, "routes": [route("one", "a.example")]},
    ],
)
def test_a_route_keeps_its_trunks(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as raised:
        after(**fields)
    assert (raised.value.status, inner_code(raised)) == (422, "MissingTrunk")


def test_trunk_and_route_may_come_together_and_go_together() -> None:
    changes = after(trunks={"a.example": trunk()}, routes=[route("one", "a.example")])
    assert live(changes).routes[0].trunks == ("a.example",)
    gone = after(changes, trunks={"a.example": None}, routes=[])
    assert "a.example" not in live(gone).trunks


def test_there_is_a_greatest_number_of_trunks() -> None:
    many = {f"t{n}.example": trunk() for n in range(MAX_TRUNKS - 2)}
    changes = after(trunks=many)
    assert len(live(changes).trunks) == MAX_TRUNKS
    after(changes, trunks={"sbc": trunk(1)})
    with pytest.raises(ApiError) as raised:
        after(changes, trunks={"one.more": trunk()})
    assert inner_code(raised) == "TooManyTrunks"


def test_one_fault_spoils_the_whole_patch() -> None:
    with pytest.raises(ApiError) as raised:
        after(trunks={"a.example": trunk(), "-1": trunk()}, routes=[])
    assert inner_code(raised) == "InvalidTrunkFqdn"


# A configuration that changed between two starts

WITHOUT_SBC = Directory(CONFIGURED.resources, {"spare": SPARE}, ())


def test_a_moved_trunk_is_gone_with_its_configuration_a_made_one_stays() -> None:
    changes = after(trunks={"sbc": trunk(5099), "a.example": trunk()})
    assert list(live(changes, WITHOUT_SBC).trunks) == ["spare", "a.example"]
    (told,) = forgotten(WITHOUT_SBC, changes)
    assert "'sbc'" in told
    assert "5099" in told


def test_routes_to_what_is_no_longer_there_are_told_once_and_do_not_stop_other_patches() -> None:
    changes = after(routes=[route("one", "sbc"), route("two", "spare", "sbc")])
    told = forgotten(WITHOUT_SBC, changes)
    assert [("'one'" in each, "'two'" in each) for each in told] == [(True, False), (False, True)]
    assert missing_targets(live(changes, WITHOUT_SBC)) == [("one", "sbc"), ("two", "sbc")]
    moved = patched(WITHOUT_SBC, changes, patch(trunks={"a.example": trunk()}), transport="udp")
    assert "a.example" in live(moved, WITHOUT_SBC).trunks
    with pytest.raises(ApiError):
        patched(WITHOUT_SBC, changes, patch(trunks={"spare": None}), transport="udp")


def test_nothing_is_told_while_all_fits() -> None:
    changes = after(trunks={"sbc": trunk(1), "spare": None}, routes=[route("one", "sbc")])
    assert forgotten(CONFIGURED, changes) == []


def test_a_trunk_that_the_file_takes_over_keeps_the_port_of_the_api() -> None:
    changes = after(trunks={"a.example": trunk(5071)})
    configured = Directory((), {"a.example": Trunk("a.example", "10.0.0.9", 5060, "tcp")}, ())
    taken = live(changes, configured).trunks["a.example"]
    assert (taken.host, taken.port, taken.transport) == ("10.0.0.9", 5071, "tcp")


# What the API shows


def test_configured_routes_are_shown_with_anchors() -> None:
    shown = shown_table(CONFIGURED, NOTHING)
    assert shown.trunks == {
        "sbc": SipTrunk(sip_signaling_port=5060),
        "spare": SipTrunk(sip_signaling_port=5060),
    }
    assert shown.routes
    assert shown.routes[0].number_pattern == r"^(?:\+\d+)$"


def test_routes_of_the_api_are_shown_as_they_came() -> None:
    example = {"name": "one", "numberPattern": "^+[1-9]{3}$", "description": "d"}
    changes = after(routes=[example, route("two", "sbc")])
    shown = msgspec.to_builtins(shown_table(live(changes), changes))
    assert shown["routes"] == [{**example, "trunks": []}, route("two", "sbc")]


def test_an_empty_table_is_shown_as_empty_not_as_absent() -> None:
    changes = after(trunks=None, routes=[])
    assert msgspec.to_builtins(shown_table(live(changes), changes)) == {"trunks": {}, "routes": []}


NAMES = st.sampled_from(["sbc", "spare", "a.example", "b.example"])
ROUTES = st.lists(
    st.builds(lambda name, trunks: route(name, *trunks), NAMES, st.lists(NAMES, max_size=3)), max_size=3
)
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "trunks": st.none() | st.dictionaries(NAMES, st.none() | st.builds(trunk, st.integers(1, 65535))),
        "routes": st.none() | ROUTES,
    },
)


@given(st.lists(PATCHES, max_size=6))
def test_after_any_patches_no_route_names_a_trunk_that_is_not_there(patches: list[dict[str, Any]]) -> None:
    changes = NOTHING
    for fields in patches:
        try:
            changes = after(changes, **fields)
        except ApiError as refusal:
            assert refusal.status in {400, 422}  # noqa: PT017  # no other is possible
        assert missing_targets(live(changes)) == []
        assert set(changes.trunks) <= {"sbc", "spare", "a.example", "b.example"}


def test_what_is_kept_of_a_change() -> None:
    changes = after(trunks={"sbc": trunk(1), "spare": None, "a.example": trunk(2)})
    assert changes == RoutingChanges(
        trunks={
            "sbc": TrunkChange(port=1),
            "spare": TrunkChange(port=None),
            "a.example": TrunkChange(port=2, made=True),
        }
    )
