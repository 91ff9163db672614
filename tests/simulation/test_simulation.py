"""Many calls on bad networks, with refusing applications and crashes: what must hold for every seed."""

from collections import Counter

import pytest

from onhook.endings.judge import judge
from onhook.facts import EventAttempted, FaultRaised, ServerRestarted
from onhook.lab.virtual_network import Faults
from simulated import TERMINAL, Day, Weather, live

LEGAL = (["CreateCallFailed"], ["CallConnected", "ParticipantsUpdated", "CallDisconnected"])
LOSSY = Faults(loss=0.15, delay_seconds=0.02, jitter_seconds=0.1)
DOUBLING = Faults(duplication=0.3, delay_seconds=0.02, jitter_seconds=0.05)
MIXING = Faults(reordering=0.3, reordering_seconds=0.4, delay_seconds=0.01, jitter_seconds=0.3)
STORM = Faults(
    loss=0.25,
    duplication=0.2,
    reordering=0.3,
    reordering_seconds=0.7,
    delay_seconds=0.05,
    jitter_seconds=0.8,
)
SLOW = Faults(delay_seconds=2.0, jitter_seconds=1.0)
WEATHERS = {
    "fair": (Faults(), "udp", 0.0, 0),
    "fair over TCP": (Faults(), "tcp", 0.0, 0),
    "lossy": (LOSSY, "udp", 0.0, 0),
    "doubling": (DOUBLING, "udp", 0.0, 0),
    "mixing": (MIXING, "udp", 0.0, 0),
    "slow": (SLOW, "udp", 0.0, 0),
    "slow over TCP": (SLOW, "tcp", 0.3, 0),
    "storm": (STORM, "udp", 0.3, 0),
    "refusing application": (Faults(), "udp", 0.6, 0),
    "crashes": (Faults(), "udp", 0.0, 3),
    "crashes over TCP": (Faults(delay_seconds=0.1), "tcp", 0.3, 3),
    "everything": (STORM, "udp", 0.5, 3),
}
SEEDS = range(4)


def weather(name: str, seed: int, calls: int = 30) -> Weather:
    faults, transport, refusing, crashes = WEATHERS[name]
    return Weather(
        seed=seed, calls=calls, crashes=crashes, transport=transport, faults=faults, refusing=refusing
    )


def check(day: Day) -> None:
    assert {table: count for table, count in day.left.items() if count} == {}
    for record in day.records:
        told, facts = day.told(record.id), day.facts[record.id]
        assert told in LEGAL, (record.id, told)
        assert sum(name in TERMINAL for name in told) == 1
        assert record.ended_at is not None
        verdict = record.verdict
        assert verdict is not None
        assert verdict.evidence, (record.id, verdict.ending)
        assert verdict.ending not in {"unexplained", "server-fault"}
        assert not any(isinstance(fact, FaultRaised) for fact in facts)
        assert [fact.at for fact in facts] == sorted(fact.at for fact in facts)
        again = judge(facts)
        assert (again.ending, again.evidence) == (verdict.ending, verdict.evidence)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", WEATHERS)
def test_every_call_ends_once_with_evidence_and_leaves_nothing(name: str, seed: int) -> None:
    day = live(weather(name, seed))
    assert len(day.records) == 30
    check(day)


@pytest.mark.parametrize("name", ["fair", "storm", "everything"])
def test_the_same_seed_gives_the_same_day(name: str) -> None:
    first, second = (live(weather(name, 7, calls=15)) for _ in range(2))
    assert first.facts == second.facts
    assert first.records == second.records
    assert first.events == second.events


def test_another_seed_gives_another_day() -> None:
    assert live(weather("fair", 1, calls=10)).facts != live(weather("fair", 2, calls=10)).facts


def test_in_fair_weather_events_come_once() -> None:
    day = live(weather("fair", 3))
    assert Counter(event["id"] for event in day.events).most_common(1)[0][1] == 1


def test_every_event_that_was_refused_came_in_the_end_and_each_try_is_a_fact() -> None:
    day = live(weather("refusing application", 5))
    check(day)
    tries = [fact for facts in day.facts.values() for fact in facts if isinstance(fact, EventAttempted)]
    refused, taken = ([fact for fact in tries if fact.status == status] for status in (503, 200))
    assert len(refused) > len(taken) / 2
    assert len(taken) == len({fact.event_id for fact in taken}) == len(day.events)


def test_crashes_end_what_was_open_and_nothing_else() -> None:
    days = [live(weather("crashes", seed)) for seed in range(20, 24)]
    for day in days:
        check(day)
        for record in day.records:
            restarts = sum(isinstance(fact, ServerRestarted) for fact in day.facts[record.id])
            assert restarts <= 1
            if record.verdict and record.verdict.ending == "server-restarted":
                assert restarts == 1
    endings = sum((day.endings for day in days), Counter[str]())
    assert endings["server-restarted"] > 5
    assert len(endings) > 8


def test_the_days_differ_enough_to_mean_something() -> None:
    """A simulation that only ever meets two endings would prove little."""
    endings = sum((live(weather("fair", seed)).endings for seed in range(10, 14)), Counter[str]())
    assert len(endings) >= 15
