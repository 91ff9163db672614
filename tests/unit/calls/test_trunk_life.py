"""How a trunk is: every state, by every way into it."""

from onhook.calls.trunk_life import MAX_REASON_CHARACTERS, State, TrunkLife


def life() -> TrunkLife:
    return TrunkLife("carrier", 100.0, misses_borne=2)


def test_nothing_is_known_at_first() -> None:
    made = life()
    assert (made.state, made.since, made.last_heard_at) == (State.UNKNOWN, 100.0, None)


def test_what_it_sends_puts_it_online_from_every_state() -> None:
    made = life()
    assert made.hear("200 to OPTIONS", 101.0)
    assert (made.state, made.since, made.reason) == (State.ONLINE, 101.0, "200 to OPTIONS")
    assert not made.hear("200 to INVITE", 105.0)
    assert (made.since, made.reason, made.last_heard_at) == (101.0, "200 to INVITE", 105.0)
    assert made.falter("silent", 106.0)
    assert made.state is State.DEGRADED
    assert made.hear("it sent OPTIONS", 107.0)
    assert (made.state, made.misses) == (State.ONLINE, 0)


def test_one_miss_degrades_it_and_the_last_that_is_borne_takes_it_offline() -> None:
    made = life()
    assert made.falter("silent", 101.0)
    assert (made.state, made.misses) == (State.DEGRADED, 1)
    assert made.falter("503 to OPTIONS", 102.0)
    assert (made.state, made.since, made.reason) == (State.OFFLINE, 102.0, "503 to OPTIONS")
    assert not made.falter("silent", 103.0)
    assert (made.state, made.since, made.reason, made.misses) == (State.OFFLINE, 102.0, "silent", 3)
    assert made.hear("200 to OPTIONS", 104.0)
    assert made.state is State.ONLINE


def test_misses_count_in_a_row_only() -> None:
    made = life()
    for at in range(10):
        made.falter("silent", 101.0 + at)
        assert made.state is State.DEGRADED
        made.hear("200 to OPTIONS", 101.5 + at)


def test_where_one_miss_is_too_many_it_is_offline_at_once_from_any_state() -> None:
    for heard in (False, True):
        made = TrunkLife("carrier", 100.0, misses_borne=1)
        if heard:
            made.hear("200 to OPTIONS", 100.5)
        assert made.falter("silent", 101.0)
        assert made.state is State.OFFLINE


def test_a_degraded_trunk_stays_so_while_misses_are_borne() -> None:
    made = TrunkLife("carrier", 100.0, misses_borne=3)
    made.falter("one", 101.0)
    assert not made.falter("two", 102.0)
    assert (made.state, made.since, made.reason) == (State.DEGRADED, 101.0, "two")


def test_a_reason_has_its_limit() -> None:
    made = life()
    made.falter("x" * 10_000, 101.0)
    assert len(made.reason) == MAX_REASON_CHARACTERS
