"""Calls of every kind at once, applications and telephones acting at random: each ends once, nothing is left.

The seed decides everything: who acts when, what is lost and doubled on the network, when the server dies.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos import check, check_nothing_left, live
from onhook.facts import SipSeen
from onhook.lab.virtual_time import run

SEEDS = range(24)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_every_connection_ends_once_and_nothing_is_left(seed: int) -> None:
    here = run(live(seed, crash=False))
    check(here)
    check_nothing_left(here)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(len(SEEDS), 10**9), crash=st.booleans())
def test_of_seeds_never_tried_before_none_breaks_it(seed: int, *, crash: bool) -> None:
    check(run(live(seed, crash=crash)))


@pytest.mark.parametrize("seed", list(SEEDS)[:8])
def test_a_crash_in_the_middle_loses_no_ending(seed: int) -> None:
    here = run(live(seed, crash=True))
    check(here)


@pytest.mark.parametrize("seed", [0, 2])
def test_the_same_seed_gives_the_same_facts(seed: int) -> None:
    def facts() -> list[bytes]:
        here = run(live(seed, crash=False))
        kept = [here.store.facts(record.id) for record in reversed(here.store.calls(1000))]
        return [fact.message for facts in kept for fact in facts if isinstance(fact, SipSeen)]

    assert facts() == facts()
