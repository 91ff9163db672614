"""Which trunk carries a call: every refusal, and the order of routes and trunks."""

from typing import get_args

import pytest

from onhook.calls.directory import Directory, Resource, Trunk, VoiceRoute
from onhook.calls.routing import Chosen, NotRouted, choose_trunk
from onhook.facts import Refusal

OWNED, FOREIGN, STRANGER = "+14255550100", "+14255550101", "+14255550199"
TARGET = "+442079460000"
OWN = Resource("own", "id-1", ("key",), (OWNED,))
OTHER = Resource("other", "id-2", ("key",), (FOREIGN,))
FIRST, SECOND = Trunk("first", "192.0.2.2", max_calls=2), Trunk("second", "192.0.2.3", max_calls=1)
UK = VoiceRoute("uk", r"\+44[0-9]+", ("first", "second"))
BOUGHT = VoiceRoute("bought", r"\+[0-9]+", ("second",), direct_routing=False)


def directory(*routes: VoiceRoute, trunks: tuple[Trunk, ...] = (FIRST, SECOND)) -> Directory:
    return Directory((OWN, OTHER), {trunk.name: trunk for trunk in trunks}, routes)


def chosen(found: Chosen | NotRouted) -> tuple[str, str]:
    assert isinstance(found, Chosen), found
    return found.route.name, found.trunk.name


def refused(found: Chosen | NotRouted) -> tuple[Refusal, str]:
    assert isinstance(found, NotRouted), found
    return found.why, found.detail


def test_the_first_trunk_of_the_first_route_takes_the_call() -> None:
    assert chosen(choose_trunk(directory(UK, BOUGHT), OWN, TARGET, OWNED, {})) == ("uk", "first")


@pytest.mark.parametrize("caller", ["", OWNED, FOREIGN, STRANGER])
def test_direct_routing_takes_any_caller_id(caller: str) -> None:
    assert chosen(choose_trunk(directory(UK), OWN, TARGET, caller, {})) == ("uk", "first")


@pytest.mark.parametrize(
    ("busy", "expected"),
    [
        ({}, ("uk", "first")),
        ({"first": 1}, ("uk", "first")),
        ({"first": 2}, ("uk", "second")),
        ({"first": 3, "second": 0}, ("uk", "second")),
    ],
)
def test_a_full_trunk_hands_on_to_the_next(busy: dict[str, int], expected: tuple[str, str]) -> None:
    assert chosen(choose_trunk(directory(UK), OWN, TARGET, OWNED, busy)) == expected


def test_when_a_route_is_full_the_next_route_that_fits_is_tried() -> None:
    spare = VoiceRoute("spare", r"\+.*", ("third",))
    trunks = (FIRST, SECOND, Trunk("third", "192.0.2.4"))
    found = choose_trunk(directory(UK, spare, trunks=trunks), OWN, TARGET, OWNED, {"first": 2, "second": 1})
    assert chosen(found) == ("spare", "third")


def test_a_route_that_needs_an_owned_number_is_passed_over_without_one() -> None:
    world = VoiceRoute("world", r"\+.*", ("first",))
    assert chosen(choose_trunk(directory(BOUGHT, world), OWN, TARGET, STRANGER, {})) == ("world", "first")
    assert chosen(choose_trunk(directory(BOUGHT, world), OWN, TARGET, OWNED, {})) == ("bought", "second")


def test_a_pattern_must_match_all_of_the_number() -> None:
    part = VoiceRoute("part", r"\+44", ("first",))
    assert refused(choose_trunk(directory(part), OWN, TARGET, OWNED, {}))[0] == "no-route"


@pytest.mark.parametrize(
    ("target", "caller", "said"),
    [
        ("00442079460000", OWNED, "'00442079460000' is no E.164 number: it begins with 00"),
        ("", OWNED, "'' is no E.164 number: the number is empty"),
        (TARGET, "4255550100", "caller id '4255550100' is no E.164 number: the leading + is missing"),
        ("+1" * 40, OWNED, "is no E.164 number"),
    ],
)
def test_a_number_that_is_none_is_refused_first(target: str, caller: str, said: str) -> None:
    why, detail = refused(choose_trunk(Directory((OWN,)), OWN, target, caller, {}))
    assert why == "number-invalid"
    assert said in detail


REFUSALS: list[tuple[Refusal, Directory, tuple[str, str], dict[str, int], str]] = [
    ("number-invalid", directory(UK), ("12", OWNED), {}, "'12' is no E.164 number"),
    (
        "number-unknown",
        directory(BOUGHT),
        (TARGET, STRANGER),
        {},
        f"caller id {STRANGER} belongs to no resource; 'own' owns {OWNED}",
    ),
    (
        "caller-id-missing",
        directory(BOUGHT),
        (TARGET, ""),
        {},
        "route 'bought' is not direct routing, so sourceCallerIdNumber must be a number of the resource",
    ),
    (
        "caller-id-not-owned",
        directory(BOUGHT),
        (TARGET, FOREIGN),
        {},
        f"caller id {FOREIGN} belongs to resource 'other', not to 'own'",
    ),
    ("no-route", directory(UK), (OWNED, OWNED), {}, f"{OWNED} matches none of the 1 voice routes"),
    ("no-trunk", directory(UK, trunks=()), (TARGET, OWNED), {}, "no trunk is configured"),
    (
        "no-trunk",
        directory(VoiceRoute("lost", ".*", ("gone", "away"))),
        (TARGET, OWNED),
        {},
        "route 'lost' names no trunk that exists (gone, away)",
    ),
    (
        "no-trunk",
        directory(VoiceRoute("bare", ".*", ())),
        (TARGET, OWNED),
        {},
        "route 'bare' names no trunk that exists (none)",
    ),
    (
        "trunk-full",
        directory(UK),
        (TARGET, OWNED),
        {"first": 2, "second": 1},
        "first (2 of max_calls 2), second (1 of max_calls 1)",
    ),
]


@pytest.mark.parametrize(("why", "known", "numbers", "busy", "said"), REFUSALS)
def test_every_refusal_says_what_and_where(
    why: Refusal, known: Directory, numbers: tuple[str, str], busy: dict[str, int], said: str
) -> None:
    found = refused(choose_trunk(known, OWN, *numbers, busy))
    assert found[0] == why
    assert said in found[1]


def test_there_is_a_case_for_every_refusal() -> None:
    # Of what the switch counts: tests/unit/switch/test_switch_incoming.py; of rests, below.
    of_the_switch = {"caller-id-full", "trunk-resting", "trunk-too-fast"}
    assert {case[0] for case in REFUSALS} | of_the_switch == set(get_args(Refusal))


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((), "'many' owns no number"),
        (("+12",), "'many' owns +12"),
        (("+12", "+13", "+14"), "'many' owns +12, +13, +14"),
        (("+12", "+13", "+14", "+15", "+16"), "'many' owns +12, +13, +14 and 2 more"),
    ],
)
def test_owned_numbers_are_named_and_the_rest_counted(numbers: tuple[str, ...], said: str) -> None:
    many = Resource("many", "id-3", ("key",), numbers)
    _, detail = refused(choose_trunk(directory(BOUGHT), many, TARGET, STRANGER, {}))
    assert detail.endswith(said)


def test_the_first_allowed_route_without_a_trunk_does_not_hide_a_later_one_with_one() -> None:
    lost = VoiceRoute("lost", ".*", ("gone",))
    assert chosen(choose_trunk(directory(lost, UK), OWN, TARGET, OWNED, {})) == ("uk", "first")


def names(found: Chosen | NotRouted) -> list[str]:
    assert isinstance(found, Chosen), found
    return [each.trunk.name for each in (found, *found.others)]


def test_every_other_trunk_of_the_routes_may_take_the_call_over() -> None:
    third = Trunk("third", "192.0.2.4")
    known = directory(UK, VoiceRoute("spare", ".*", ("second", "third")), trunks=(FIRST, SECOND, third))
    assert names(choose_trunk(known, OWN, TARGET, OWNED, {})) == ["first", "second", "third"]
    assert names(choose_trunk(known, OWN, TARGET, OWNED, {"second": 1})) == ["first", "third"]


@pytest.mark.parametrize(("drawn", "order"), [([0, 0], ["first", "second"]), ([1, 0], ["second", "first"])])
def test_a_route_of_random_order_draws_each_place(drawn: list[int], order: list[str]) -> None:
    asked: list[int] = []

    def draw(count: int) -> int:
        asked.append(count)
        return drawn.pop(0)

    route = VoiceRoute("uk", r"\+44[0-9]+", ("first", "second"), order="random")
    assert names(choose_trunk(directory(route), OWN, TARGET, OWNED, {}, draw=draw)) == order
    assert asked == [2, 1]


def test_trunks_that_are_offline_come_last() -> None:
    found = choose_trunk(directory(UK), OWN, TARGET, OWNED, {}, offline={"first"})
    assert names(found) == ["second", "first"]
    assert names(choose_trunk(directory(UK), OWN, TARGET, OWNED, {}, offline={"first", "second"})) == [
        "first",
        "second",
    ]


def test_trunks_that_rest_are_left_alone() -> None:
    assert names(choose_trunk(directory(UK), OWN, TARGET, OWNED, {}, resting={"first": 9.0})) == ["second"]
    why, detail = refused(
        choose_trunk(directory(UK), OWN, TARGET, OWNED, {"second": 1}, resting={"first": 9.0})
    )
    assert why == "trunk-resting"
    assert detail.endswith("first (for 9 s more), second (1 of max_calls 1)")
