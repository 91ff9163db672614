"""What every store must do. The one in memory is trusted because it passes this too."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.calls.outbox import Settlement
from onhook.calls.record import CallRecord, Connection, LegPlan
from onhook.facts import Fact, FaultRaised, MediaMeasured, SipSeen, SipUnreadable
from onhook.store.batch import MAX_FORGOTTEN_AT_A_TIME, Batch, KeptReply
from onhook.store.memory import MemoryStore
from onhook.store.sqlite import SqliteStore
from store_samples import FACT_KINDS, any_struct, asked, event, record, verdict

Store: TypeAlias = MemoryStore | SqliteStore
Reopen: TypeAlias = Callable[[Store], Store]
NUMBERS = count(1)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "calls.db")
    yield opened
    opened.close()


@pytest.fixture
def reopen(tmp_path: Path) -> Reopen:
    """What a restarted server finds: for the store in memory, itself."""

    def again(store: Store) -> Store:
        if isinstance(store, MemoryStore):
            return store
        store.close()
        return SqliteStore(tmp_path / "calls.db")

    return again


def records(*kept: CallRecord) -> Batch:
    return Batch(records={each.id: each for each in kept})


# Facts


def test_facts_come_back_in_the_order_in_which_they_were_saved(store: Store, reopen: Reopen) -> None:
    first, second, third = (asked(at) for at in (1.0, 2.0, 3.0))
    store.save(Batch(facts=[("a", [first]), ("b", [third]), ("a", [second])]))
    store.save(Batch(facts=[("a", [third])]))
    again = reopen(store)
    assert again.facts("a") == [first, second, third]
    assert again.facts("b") == [third]
    assert again.facts("nobody") == []
    again.close()


def test_facts_handed_out_are_a_copy(store: Store) -> None:
    store.save(Batch(facts=[("a", [asked()])]))
    store.facts("a").clear()
    assert len(store.facts("a")) == 1


def test_a_list_of_facts_that_grows_after_the_save_is_not_saved_again(store: Store) -> None:
    facts: list[Fact] = [asked()]
    store.save(Batch(facts=[("a", facts)]))
    facts.append(asked(2.0))
    assert store.facts("a") == [asked()]


@pytest.mark.parametrize("kind", FACT_KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_fact_comes_back_as_it_was(store: Store, kind: type[Fact], data: st.DataObject) -> None:
    fact: Fact = data.draw(any_struct(kind))
    call_id = f"call-{next(NUMBERS)}"
    store.save(Batch(facts=[(call_id, [fact])]))
    assert store.facts(call_id) == [fact]


def test_text_that_utf8_cannot_write_keeps_nothing_out(store: Store) -> None:
    """Bytes of strangers become text with lone surrogates; a batch with such a text must still be saved."""
    media = MediaMeasured(at=1.0, sent=1, received=2, remote="caf\udce9:4000")
    garbage = SipUnreadable(
        at=2.0, transport="udp", peer="192.0.2.2:5060", data=b"\xe9", why="\udce9 begins it"
    )
    store.save(Batch(facts=[("a", [media, garbage])], events=[event("e1", uri="https://x/\udce9")]))
    store.save(records(record("a", source_display_name="Jos\udce9", verdict=verdict("\udce9"))))
    first, second = store.facts("a")
    assert isinstance(first, MediaMeasured)
    assert (first.sent, first.received, first.remote[:3]) == (1, 2, "caf")
    assert isinstance(second, SipUnreadable)
    assert second.data == b"\xe9"
    kept = store.call("a")
    assert kept is not None
    assert kept.source_display_name.startswith("Jos")
    assert len(store.undelivered()) == 1


# Calls


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=any_struct(CallRecord))
def test_any_record_comes_back_with_its_verdict(store: Store, kept: CallRecord) -> None:
    store.save(records(kept))
    assert store.call(kept.id) == kept


def test_a_record_is_saved_as_it_was_then(store: Store) -> None:
    kept = record()
    store.save(records(kept))
    kept.ended_at = 200.0
    found = store.call("call-1")
    assert found is not None
    assert found.ended_at is None
    found.target = "changed by a reader"
    assert store.calls(1)[0].target == kept.target


def test_a_call_saved_again_is_the_newer_one(store: Store, reopen: Reopen) -> None:
    store.save(records(record()))
    store.save(records(record(ended_at=150.0, verdict=verdict())))
    again = reopen(store)
    assert again.call("call-1") == record(ended_at=150.0, verdict=verdict())
    assert len(again.calls(10)) == 1
    again.close()


def test_an_unknown_call_is_none(store: Store) -> None:
    assert store.call("nobody") is None


def test_calls_are_listed_the_newest_first_and_no_more_than_asked(store: Store) -> None:
    store.save(records(*(record(name, started_at=at) for name, at in (("b", 2.0), ("c", 3.0), ("a", 1.0)))))
    assert [each.id for each in store.calls(2)] == ["c", "b"]
    assert [each.id for each in store.calls(10)] == ["c", "b", "a"]
    assert store.calls(0) == []


def test_open_calls_are_those_without_an_end_the_oldest_first(store: Store, reopen: Reopen) -> None:
    store.save(
        records(
            record("late", started_at=30.0),
            record("over", started_at=20.0, ended_at=25.0),
            record("early", started_at=10.0, connected_at=11.0),
        )
    )
    again = reopen(store)
    assert [each.id for each in again.open_calls()] == ["early", "late"]
    again.save(records(record("early", started_at=10.0, ended_at=40.0)))
    assert [each.id for each in again.open_calls()] == ["late"]
    again.close()


def test_the_calls_that_ended_last_are_found_by_their_end(store: Store, reopen: Reopen) -> None:
    assert store.ended_last(10.0) == []
    ends = {"long ago": 50.0, "last": 100.0, "before": 90.0, "too early": 89.9}
    kept = [record(name, started_at=1.0, ended_at=at) for name, at in ends.items()]
    store.save(records(record("open"), *kept))
    again = reopen(store)
    assert [each.id for each in again.ended_last(10.0)] == ["before", "last"]
    assert [each.id for each in again.ended_last(0.0)] == ["last"]
    assert len(again.ended_last(1e9)) == 4
    again.close()


# The outbox


def test_undelivered_events_keep_the_order_of_their_publication(store: Store, reopen: Reopen) -> None:
    store.save(Batch(events=[event("z", due=300.0), event("a", "call-2")]))
    store.save(Batch(events=[event("m", due=50.0)]))
    again = reopen(store)
    assert again.undelivered() == [event("z", due=300.0), event("a", "call-2"), event("m", due=50.0)]
    again.close()


def test_a_delivered_event_is_gone(store: Store) -> None:
    store.save(Batch(events=[event("a"), event("b")]))
    store.save(Batch(settlements=[Settlement("a", "delivered", 1)]))
    assert [each.id for each in store.undelivered()] == ["b"]
    assert store.abandoned() == []


def test_a_retried_event_keeps_its_place_its_attempts_and_when_it_is_due(
    store: Store, reopen: Reopen
) -> None:
    store.save(Batch(events=[event("a"), event("b")]))
    store.save(Batch(settlements=[Settlement("a", "retry", 1, 101.0), Settlement("a", "retry", 2, 103.0)]))
    again = reopen(store)
    assert again.undelivered() == [event("a", attempts=2, due=103.0), event("b")]
    again.close()


def test_an_abandoned_event_is_kept_aside(store: Store, reopen: Reopen) -> None:
    store.save(Batch(events=[event("a"), event("b")]))
    store.save(Batch(settlements=[Settlement("a", "abandoned", 7)]))
    again = reopen(store)
    assert [each.id for each in again.undelivered()] == ["b"]
    assert [(each.id, each.attempts) for each in again.abandoned()] == [("a", 7)]
    again.close()


def test_an_event_and_its_settlement_may_come_in_one_batch(store: Store) -> None:
    store.save(Batch(events=[event("a")], settlements=[Settlement("a", "delivered", 1)]))
    assert store.undelivered() == []


def test_settling_what_is_not_there_changes_nothing(store: Store) -> None:
    store.save(Batch(events=[event("a")]))
    store.save(
        Batch(settlements=[Settlement("nobody", "delivered", 1), Settlement("nobody", "retry", 1, 5.0)])
    )
    assert store.undelivered() == [event("a")]


@pytest.mark.parametrize("fate", ["none", "abandoned"])
def test_an_event_saved_twice_stays_as_it_was_first(store: Store, fate: str) -> None:
    """A save whose success was not told is tried again."""
    store.save(Batch(events=[event("a", attempts=3)]))
    if fate == "abandoned":
        store.save(Batch(settlements=[Settlement("a", "abandoned", 4)]))
    store.save(Batch(events=[event("a"), event("b")]))
    assert [each.id for each in store.undelivered()] == (["b"] if fate == "abandoned" else ["a", "b"])
    assert [each.attempts for each in (*store.undelivered(), *store.abandoned())] in ([3, 0], [0, 4])


# Replies


def test_the_first_reply_stands(store: Store, reopen: Reopen) -> None:
    store.save(Batch(replies=[KeptReply("k", 1.0, b"first"), KeptReply("k", 2.0, b"second")]))
    store.save(Batch(replies=[KeptReply("k", 3.0, b"third")]))
    again = reopen(store)
    assert again.reply("k") == b"first"
    assert again.reply("other") is None
    again.close()


# Retention


def test_old_calls_go_with_their_facts_and_given_up_events(store: Store) -> None:
    store.save(
        Batch(
            facts=[("old", [asked()]), ("new", [asked()]), ("open", [asked()])],
            records={
                "old": record("old", started_at=10.0, ended_at=20.0),
                "new": record("new", started_at=15.0, ended_at=40.0),
                "open": record("open", started_at=5.0),
            },
            events=[event("o1", "old"), event("o2", "old"), event("n1", "new")],
            settlements=[Settlement("o1", "abandoned", 9), Settlement("n1", "abandoned", 9)],
        )
    )
    assert store.forget(calls_before=30.0, replies_before=0.0) == 1
    assert store.call("old") is None
    assert store.facts("old") == []
    assert [each.id for each in store.calls(10)] == ["new", "open"]
    assert store.facts("new") == store.facts("open") == [asked()]
    assert [each.id for each in store.abandoned()] == ["n1"]
    assert [each.id for each in store.undelivered()] == ["o2"]
    assert store.forget(calls_before=30.0, replies_before=0.0) == 0


def connected(name: str) -> Connection:
    return Connection(
        id=name,
        leg=name,
        resource="dev",
        begun_by="connect",
        user="8:acs:u",
        callback_uri="https://app.example/2",
        api_version="2026-03-12",
    )


def test_a_call_is_found_by_each_of_its_connections(store: Store) -> None:
    call = record("c1", started_at=1.0, ended_at=2.0)
    call.connections = [connected("k1"), connected("k2")]
    call.legs = [LegPlan(id="l1", party="+14255550123", seed="aa", local=("h", 1), media=("h", 2))]
    store.save(Batch(records={"c1": call, "c2": record("c2", started_at=3.0)}))
    assert store.call("k1") == store.call("k2") == store.call("c1") == call
    assert store.call("k3") is None
    assert [each.id for each in store.calls(10)] == ["c2", "c1"]
    store.forget(calls_before=10.0, replies_before=0.0)
    assert store.call("k1") is None


def test_connections_that_come_later_are_found_too(store: Store) -> None:
    call = record("c1", started_at=1.0)
    store.save(Batch(records={"c1": call}))
    call.connections.append(connected("k1"))
    assert store.call("k1") is None
    store.save(Batch(records={"c1": call}))
    call.connections[0].connected_at = 5.0  # not saved yet
    kept = store.call("k1")
    assert kept is not None
    assert [each.connected_at for each in kept.connections] == [None]


def test_old_replies_go(store: Store) -> None:
    store.save(Batch(replies=[KeptReply("old", 1.0, b"1"), KeptReply("new", 2.0, b"2")]))
    store.forget(calls_before=0.0, replies_before=2.0)
    assert store.reply("old") is None
    assert store.reply("new") == b"2"


def test_one_cleaning_drops_a_limited_number_the_oldest_first(store: Store) -> None:
    many = MAX_FORGOTTEN_AT_A_TIME + 5
    store.save(
        Batch(
            records={f"{n}": record(f"{n}", started_at=float(n), ended_at=n + 0.5) for n in range(many)},
            facts=[(f"{n}", [asked()]) for n in range(many)],
        )
    )
    assert store.forget(calls_before=1e9, replies_before=0.0) == MAX_FORGOTTEN_AT_A_TIME
    assert sorted(each.id for each in store.calls(many)) == sorted(
        f"{n}" for n in range(MAX_FORGOTTEN_AT_A_TIME, many)
    )
    assert store.facts(f"{many - 1}") == [asked()]
    assert store.forget(calls_before=1e9, replies_before=0.0) == 5
    assert store.calls(1) == []


# All of it together


def test_an_empty_batch_is_no_work_and_no_fault(store: Store) -> None:
    batch = Batch()
    assert not batch
    store.save(batch)
    assert store.calls(1) == []


def test_one_batch_carries_everything(store: Store, reopen: Reopen) -> None:
    fault = FaultRaised(at=3.0, where="calls", traceback="Traceback")
    seen = SipSeen(at=2.0, direction="sent", transport="udp", peer="x:1", message=bytes(range(256)))
    store.save(
        Batch(
            facts=[("call-1", [asked(), seen, fault])],
            records={"call-1": record(verdict=verdict(), ended_at=3.0)},
            events=[event("e")],
            replies=[KeptReply("k", 1.0, b"\x00")],
        )
    )
    again = reopen(store)
    assert again.facts("call-1") == [asked(), seen, fault]
    assert again.call("call-1") == record(verdict=verdict(), ended_at=3.0)
    assert again.undelivered() == [event("e")]
    assert again.reply("k") == b"\x00"
    again.close()
