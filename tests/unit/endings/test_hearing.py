"""Who heard of a call, told from facts alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.endings.hearing import INCOMING_CALL, heard, unheard_call
from onhook.endings.judge import judge
from onhook.endings.ladder import draw
from onhook.endings.lines import describe
from onhook.facts import Fact, GridAttempted, GridFate, GridListener, GridUnheard, Timeline
from timelines import START, Story

NOT_HEARD = "IncomingCall was not heard: subscription calls"
ENDED = "Microsoft.Communication.CallEnded"


def tried(
    fate: GridFate = "delivered",
    status: int | None = 200,
    *,
    attempt: int = 1,
    error: str = "",
    subscription: str = "calls",
    event: str = "e1",
    kind: str = INCOMING_CALL,
) -> GridAttempted:
    return GridAttempted(
        at=START + attempt,
        event_id=event,
        event_type=kind,
        subscription=subscription,
        endpoint="https://app.example/events",
        attempt=attempt,
        status=status,
        elapsed_ms=12.5,
        fate=fate,
        error=error,
    )


def listener(name: str = "calls", **changes: object) -> GridListener:
    fields: dict[str, object] = {
        "subscription": name,
        "state": "Failed",
        "why": "the endpoint answered 404 Not Found to the validation event",
        "last_attempt": "404 Not Found",
        "last_attempt_at": START - 60,
    }
    return GridListener(**(fields | changes))  # type: ignore[arg-type]  # as the fields are


def missed(*listeners: GridListener, event: str = "e1", kind: str = INCOMING_CALL) -> GridUnheard:
    return GridUnheard(at=START, event_id=event, event_type=kind, resource="dev", listeners=listeners)


def shows(timeline: Timeline) -> list[str]:
    return [proof.shows for proof in unheard_call(timeline)]


class TestNobodyHeard:
    def test_the_subscription_its_state_and_its_last_attempt_are_named(self) -> None:
        (hearing,) = heard([missed(listener())])
        (each,) = hearing.missed_by
        assert not hearing.heard
        assert (each.fact, each.subscription, each.state) == (1, "calls", "Failed")
        assert (each.last_attempt, each.last_attempt_at) == ("404 Not Found", START - 60)
        assert shows([missed(listener())]) == [
            (f"{NOT_HEARD} (Failed): the endpoint answered 404 Not Found to the validation event")
        ]

    def test_a_last_attempt_that_the_reason_does_not_tell_is_added(self) -> None:
        passed = listener(state="Succeeded", why="its event types are CallEnded", last_attempt="500 Broken")
        assert shows([missed(passed)]) == [
            (f"{NOT_HEARD} (Succeeded): its event types are CallEnded; its last attempt: 500 Broken")
        ]

    def test_each_subscription_has_a_line(self) -> None:
        lines = shows([missed(listener("a"), listener("b", state="AwaitingManualAction"))])
        assert ["subscription a (Failed)" in lines[0], "b (AwaitingManualAction)" in lines[1]] == [True, True]

    def test_where_there_is_none(self) -> None:
        assert shows([missed()]) == [
            "resource dev has no event subscription, so nobody heard of IncomingCall"
        ]

    def test_the_number_is_that_of_the_fact(self) -> None:
        story = Story(inbound=True).add(missed(listener()))
        (proof,) = unheard_call(story.facts)
        assert isinstance(story.facts[proof.fact - 1], GridUnheard)

    def test_an_endpoint_that_takes_nothing(self) -> None:
        timeline: Timeline = [
            tried("retry", 500, error="Internal Server Error"),
            tried("retry", None, attempt=2, error="no answer within 30 s"),
            tried("dropped", 400, attempt=3, error="Bad Request"),
        ]
        (hearing,) = heard(timeline)
        (each,) = hearing.missed_by
        assert (each.fact, each.state, each.fate, each.last_attempt_at) == (
            3,
            "Succeeded",
            "dropped",
            START + 3,
        )
        assert shows(timeline) == [
            (f"{NOT_HEARD} (Succeeded): attempt 3 came to 400 Bad Request, and it was given up")
        ]
        assert (
            "attempt 2 came to no answer within 30 s, and it was to be tried again" in shows(timeline[:2])[0]
        )

    def test_no_words_of_the_endpoint(self) -> None:
        assert "came to no answer" in shows([tried("retry", None)])[0]
        assert "came to 500, and" in shows([tried("retry", 500)])[0]

    def test_long_and_strange_words_are_cut(self) -> None:
        (line,) = shows([missed(listener(why="x\r\n\x1b[31m" + "y" * 5_000))])
        assert len(line) < 400
        assert line.isprintable()


class TestSomebodyHeard:
    def test_one_that_took_it_is_enough(self) -> None:
        timeline: Timeline = [tried("retry", 500, subscription="a"), tried(subscription="b")]
        (hearing,) = heard(timeline)
        assert hearing.heard
        assert hearing.taken_by == ("b",)
        assert [each.subscription for each in hearing.missed_by] == ["a"]
        assert hearing.proofs == []
        assert unheard_call(timeline) == []

    def test_late_is_heard_too(self) -> None:
        timeline: Timeline = [tried("retry", 500), tried("delivered", 200, attempt=2)]
        (hearing,) = heard(timeline)
        assert (hearing.taken_by, hearing.missed_by) == (("calls",), ())

    def test_sent_again_in_vain_it_stays_heard(self) -> None:
        timeline: Timeline = [tried(), tried("dropped", 400)]
        (hearing,) = heard(timeline)
        assert (hearing.taken_by, hearing.missed_by) == (("calls",), ())

    def test_sent_again_after_nobody_heard(self) -> None:
        timeline: Timeline = [missed(listener()), tried()]
        (hearing,) = heard(timeline)
        assert (hearing.fact, hearing.taken_by, hearing.missed_by) == (1, ("calls",), ())

    def test_each_event_has_a_hearing_of_its_own(self) -> None:
        timeline: Timeline = [
            missed(listener(), event="e1"),
            tried(event="e2", kind=ENDED),
            tried("retry", 500, event="e3", kind=ENDED),
        ]
        assert [(each.event_id, each.heard) for each in heard(timeline)] == [
            ("e1", False),
            ("e2", True),
            ("e3", False),
        ]

    def test_other_events_say_nothing_about_the_incoming_call(self) -> None:
        assert (
            unheard_call([missed(listener(), kind=ENDED), tried("dropped", 400, event="e2", kind=ENDED)])
            == []
        )

    def test_a_second_incoming_call_after_a_redirect_counts_as_well(self) -> None:
        assert unheard_call([missed(listener()), tried(event="e2")]) == []

    def test_a_call_without_event_grid(self) -> None:
        busy = Story().busy().facts
        assert heard(busy) == ()
        assert unheard_call(busy) == []


FACTS: "st.SearchStrategy[Fact]" = st.one_of(
    st.builds(
        tried,
        st.sampled_from(["delivered", "retry", "dead-lettering", "dropped"]),
        st.none() | st.integers(100, 599),
        attempt=st.integers(1, 30),
        error=st.text(max_size=20),
        subscription=st.sampled_from("ab"),
        event=st.sampled_from(["e1", "e2"]),
    ),
    st.builds(
        lambda names, why, event: missed(*(listener(name, why=why) for name in names), event=event),
        st.lists(st.sampled_from("ab"), max_size=2, unique=True),
        st.text(max_size=20),
        st.sampled_from(["e1", "e2"]),
    ),
)


@given(st.lists(FACTS, max_size=8))
def test_no_order_of_facts_breaks_it(timeline: Timeline) -> None:
    for hearing in heard(timeline):
        assert 1 <= hearing.fact <= len(timeline)
        assert bool(hearing.proofs) == (not hearing.heard)
        assert not set(hearing.taken_by) & {each.subscription for each in hearing.missed_by}
        assert all(proof.shows.isprintable() for proof in hearing.proofs)
    taken = any(isinstance(fact, GridAttempted) and fact.fate == "delivered" for fact in timeline)
    assert bool(timeline and not taken) == bool(unheard_call(timeline))


class TestElsewhere:
    @pytest.mark.parametrize(
        "fact", [tried(), tried("retry", None, error="slow"), missed(listener()), missed()]
    )
    def test_a_verdict_does_not_change_by_who_heard(self, fact: Fact) -> None:
        busy = Story().busy().facts
        plain, more = judge(busy), judge([*busy, fact])
        assert (more.ending, more.code, more.subcode) == (plain.ending, plain.code, plain.subcode)

    def test_lines_and_ladder_tell_of_it(self) -> None:
        timeline: Timeline = [
            missed(listener("a"), listener("b", state="Creating")),
            missed(event="e9"),
            tried("retry", 500, error="Broken"),
            tried("delivered", 200, attempt=2),
            tried("dropped", None, error="slow", attempt=3),
        ]
        labels = [line.label for line in describe(timeline).values()]
        assert labels == [
            "IncomingCall: no subscription took it (a: Failed, b: Creating)",
            "IncomingCall: no subscription took it (there is none)",
            "IncomingCall to subscription calls → 500",
            "IncomingCall to subscription calls → 200 (attempt 2)",
            "IncomingCall to subscription calls → slow (attempt 3)",
        ]
        assert [line.way for line in describe(timeline).values()] == ["lost", "lost", "out", "out", "lost"]
        ladder = draw(timeline)
        assert ladder.count("\n") == 6
        assert "application" in ladder
