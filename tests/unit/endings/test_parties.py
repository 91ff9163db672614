"""Users and connections: who is in the call, who left, who decides; and what each is called."""

import pytest

from onhook.endings.attempts import Reading
from onhook.endings.cast import APPLICATION, cast_of, raw_id_name, telephone_names, user_name
from onhook.endings.parties import Asked, Connection, Parties
from onhook.endings.reading import read, read_leg
from onhook.endings.reading_parties import ends_call, goes_on
from onhook.facts import ApiRequested, ConnectionJoined, ConnectionLeft, UserLegChanged
from timelines import (
    ANNA,
    BERT,
    FIRST,
    SECOND,
    START,
    Story,
    answered,
    begun,
    between_users,
    incoming,
    leg_of,
    redirected,
)


def joined(name: str, operation: str = "connect") -> ConnectionJoined:
    return ConnectionJoined(at=START, connection=name, operation=operation)


def left(name: str) -> ConnectionLeft:
    return ConnectionLeft(at=START, connection=name)


def changed(user: str, state: str, why: str = "") -> UserLegChanged:
    return UserLegChanged(at=START, leg=leg_of(user), user=user, state=state, why=why)  # type: ignore[arg-type]  # from tables of this test


def asked(operation: str, connection: str = "") -> ApiRequested:
    return ApiRequested(at=START, operation=operation, status=200, connection=connection)


def names(parties: Parties, number: int) -> list[str]:
    return [each.id for each in parties.connected(number)]


# Connections


def test_a_connection_is_in_the_call_from_its_joining_to_its_leaving() -> None:
    parties = Parties()
    parties.join(joined("a"), 3)
    parties.join(joined("b"), 5)
    parties.leave(left("a"), 8)
    assert [names(parties, number) for number in (2, 3, 5, 8, 9)] == [[], ["a"], ["a", "b"], ["b"], ["b"]]


def test_the_connection_of_create_call_may_be_named_later_or_never() -> None:
    parties = Parties()
    parties.request(asked("createCall"), 1)
    assert names(parties, 1) == [""]
    parties.join(joined("a", "createCall"), 2)
    assert names(parties, 2) == ["a"]
    assert parties.connection("") is parties.connection("a")


def test_a_name_not_heard_of_is_that_of_the_unnamed_first() -> None:
    parties = Parties()
    parties.request(asked("createCall"), 1)
    parties.join(joined("b"), 2)
    assert parties.connection("the id of the call") is parties.connections[""]
    assert parties.connection("b").joined == 2


def test_answers_without_a_connection_make_none() -> None:
    parties = Parties()
    parties.request(asked("answerCall"), 1)
    assert parties.connections == {}
    assert parties.decisions == [(1, "answer")]
    parties.request(asked("answerCall", "a"), 2)
    assert names(parties, 2) == ["a"]


def test_who_joins_twice_joined_at_first() -> None:
    parties = Parties()
    parties.request(asked("answerCall", "a"), 1)
    parties.join(joined("a", "answerCall"), 2)
    assert parties.connections["a"].joined == 1


def test_one_hangs_up_or_all_do() -> None:
    parties = Parties()
    parties.join(joined("a"), 1)
    parties.join(joined("b"), 2)
    parties.ask(Asked(4, "b", everyone=False))
    assert names(parties, 4) == ["a"]
    parties.ask(Asked(6, "a", everyone=True))
    assert names(parties, 6) == []
    assert [each.left for each in parties.connections.values()] == [6, 4]


def test_a_hang_up_in_a_capture_without_connections_is_taken_as_it_is() -> None:
    parties = Parties()
    parties.ask(Asked(4, "", everyone=False))
    assert parties.connections[""].left == 4


@pytest.mark.parametrize(
    ("connections", "phones", "on"),
    [(0, 2, False), (1, 0, False), (1, 1, True), (2, 0, True), (0, 0, False), (1, 2, True)],
)
def test_a_call_goes_on_with_two_legs_and_one_application(connections: int, phones: int, *, on: bool) -> None:
    parties = Parties(connections={str(n): Connection(str(n), joined=1) for n in range(connections)})
    assert goes_on(parties, phones, 5) is on


@pytest.mark.parametrize(
    ("operation", "ends"),
    [("hangupCall", True), ("hangUp", True), ("terminateCall", True), ("hang_up", True), ("getCall", False)],
)
def test_operations_that_end_a_call(operation: str, *, ends: bool) -> None:
    assert ends_call(operation) is ends


# Decisions and users


def test_the_last_decision_stands_and_none_is_lost() -> None:
    reading = read(redirected().api("rejectCall", 204).facts)
    assert [what for _, what in reading.parties.decisions] == ["redirect", "reject"]
    assert reading.parties.decided == "reject"
    assert Parties().decided == ""


def test_a_refused_request_decides_nothing() -> None:
    assert read(incoming().api("rejectCall", 400).facts).parties.decisions == []


def test_what_is_seen_first_of_a_users_end_stands() -> None:
    parties = Parties()
    parties.change(changed(ANNA, "ringing"), 1)
    parties.change(changed(ANNA, "rejected", "busy"), 2)
    parties.change(changed(ANNA, "ended", "call-ended"), 3)
    user = parties.user
    assert user is not None
    assert (user.ringing, user.over, user.why) == (1, 2, "busy")


def test_who_answered_decides_then_who_rings_then_who_was_lost_last() -> None:
    parties = Parties()
    assert parties.user is None
    parties.change(changed(ANNA, "ringing"), 1)
    parties.change(changed(BERT, "ringing"), 2)
    parties.change(changed(BERT, "ended", "rang-out"), 3)
    assert parties.user is parties.users[leg_of(ANNA)]
    parties.change(changed(ANNA, "rejected", "none"), 4)
    assert parties.user is parties.users[leg_of(ANNA)]
    parties.users[leg_of(BERT)].connected = 5
    assert parties.user is parties.users[leg_of(BERT)]


def test_the_own_leg_of_a_connection_is_no_user_who_rings() -> None:
    parties = Parties()
    parties.change(changed(ANNA, "connected"), 1)
    assert parties.users == {}


# Reading


def ended(reading: Reading) -> tuple[int, str]:
    return reading.ended, reading.ended_by


def test_the_last_user_lost_ends_the_call() -> None:
    assert ended(read(Story().created().rings(ANNA).declines(ANNA).facts)) == (5, "user")


def test_a_user_redirected_does_not_end_the_call() -> None:
    story = Story().created().rings(ANNA).user(ANNA, "ended", "redirected")
    assert ended(read(story.facts)) == (0, "")


def test_hanging_up_ends_a_call_between_users_but_not_one_of_three() -> None:
    story = between_users().api("hangupCall", connection=SECOND)
    assert ended(read(story.facts)) == (len(story.facts), "left")
    three = between_users().joined("third", "connect").api("hangupCall", connection=SECOND)
    assert ended(read(three.facts)) == (0, "")
    assert read(three.facts).stop == 0


def test_the_phone_that_leaves_two_applications_is_not_the_end() -> None:
    story = answered().joined(SECOND, "connect").bye("received")
    assert ended(read(story.facts)) == (0, "")
    assert ended(read(answered().bye("received").facts))[1] == "bye"


def test_the_ring_timer_of_a_call_that_came_in_is_kept_and_ends_nothing() -> None:
    reading = read(incoming().wait(30).timer("ring", 30).facts)
    assert (reading.rung_out, reading.ended) == (6, 0)
    assert read(answered().timer("ring", 30).facts).rung_out == 0
    assert read(begun().invite().timer("ring", 30).facts).rung_out == 0


def test_a_leg_read_by_itself_sees_nothing_of_the_signalling_of_others() -> None:
    timeline = redirected().response(486, "Busy Here").ack().facts
    caller, onward = read_leg(timeline, "carrier"), read_leg(timeline, "onward")
    assert [attempt.leg for attempt in caller.attempts] == ["carrier"]
    assert [attempt.leg for attempt in onward.attempts] == ["onward"]
    assert onward.attempt is not None
    assert onward.attempt.final is not None
    assert onward.ended == onward.attempt.final.fact == 10
    assert caller.ended == 0


def test_a_timer_of_one_leg_says_nothing_of_another() -> None:
    timeline = redirected().wait(10).timer("no-response", 10).facts
    assert read_leg(timeline, "carrier").ended == 0
    assert read_leg(timeline, "onward").ended_by == "timer"


# Names


def test_the_names_of_a_call_between_users() -> None:
    cast = cast_of(between_users().facts)
    assert cast.users == {leg_of(ANNA): "user …anna01"}
    assert cast.connections == {"": APPLICATION, SECOND: "user …anna01"}
    assert cast.speaker(asked("hangUp", SECOND)) == "user …anna01"
    assert cast.speaker(asked("hangUp")) == APPLICATION


def test_applications_that_join_are_numbered() -> None:
    cast = cast_of(answered().joined(SECOND, "connect").joined("third", "connect").facts)
    assert cast.connections == {FIRST: APPLICATION, SECOND: "application 2", "third": "application 3"}
    assert cast.speaker(left("third")) == "application 3"
    assert cast.speaker(left("nobody knows")) == APPLICATION


def test_telephones_behind_one_trunk_are_told_apart_by_number() -> None:
    cast = cast_of(redirected().facts)
    assert telephone_names(cast, ["carrier", "onward"]) == {
        "carrier": "carrier (+14255550200)",
        "onward": "carrier (+14255550300)",
    }
    assert telephone_names(cast, ["onward"]) == {"onward": "carrier"}
    assert telephone_names(cast, ["no such leg"]) == {"no such leg": "no such leg"}


@pytest.mark.parametrize(
    ("raw_id", "name"),
    [("4:+14255550100", "+14255550100"), (ANNA, "user …anna01"), ("28:orgid:x", "28:orgid:x"), ("", "")],
)
def test_raw_ids_are_said_in_short(raw_id: str, name: str) -> None:
    assert raw_id_name(raw_id) == name


def test_names_of_strangers_are_fit_to_print() -> None:
    assert user_name("8:acs:\x07\n") == "user …acs:"
    assert "\x07" not in raw_id_name("4:\x07+1")
