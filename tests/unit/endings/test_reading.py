"""What `read` makes of a timeline: which facts it notes, and when the call was over."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.endings.attempts import Attempt, Reading
from onhook.endings.reading import read
from onhook.endings.reading_parties import ends_call
from onhook.facts import FaultRaised, SipSeen, Timeline
from timelines import SAMPLES, Story, begun


def attempt_of(reading: Reading) -> Attempt:
    assert reading.attempt is not None
    return reading.attempt


def test_an_empty_timeline_has_no_attempt_and_no_end() -> None:
    reading = read([])
    assert reading.attempt is None
    assert (reading.ended, reading.ended_by, reading.stop) == (0, "", 0)


def test_a_refused_call_step_by_step() -> None:
    reading = read(begun().busy('Reason: Q.850;cause=17;text="User busy"').facts)
    attempt = attempt_of(reading)
    assert (attempt.leg, attempt.inbound, attempt.cseq) == ("carrier", False, 1)
    assert (attempt.invite, attempt.first_response, attempt.ringing, attempt.ringing_status) == (3, 4, 5, 180)
    assert attempt.final is not None
    assert (attempt.final.fact, attempt.final.status, attempt.final.phrase) == (6, 486, "Busy Here")
    assert attempt.final.reasons.q850_cause == 17
    assert attempt.final.reasons.q850_text == "User busy"
    assert (reading.ended, reading.ended_by) == (6, "final")


def test_an_answered_call_ended_by_the_phone() -> None:
    reading = read(begun().up().bye("received").bye_ok("sent").facts)
    attempt = attempt_of(reading)
    assert (attempt.answer, attempt.ack) == (6, 7)
    assert attempt.answer_tag == b"them1"
    assert attempt.bye is not None
    assert (attempt.bye.fact, attempt.bye_sent) == (8, False)
    assert (reading.ended, reading.ended_by) == (8, "bye")


def test_ringing_is_the_first_provisional_response_above_100() -> None:
    attempt = attempt_of(read(begun().invite().trying().response(183, "Session Progress").ringing().facts))
    assert (attempt.first_response, attempt.ringing, attempt.ringing_status) == (4, 5, 183)


def test_a_repeated_invite_is_counted_and_begins_nothing_new() -> None:
    reading = read(begun().invite().wait(0.5).invite().wait(1).invite().trying().facts)
    assert len(reading.attempts) == 1
    assert attempt_of(reading).invites == 3
    assert attempt_of(reading).invite == 3


def test_credentials_continue_the_attempt_and_keep_the_challenge() -> None:
    story = begun().invite().response(401, "Unauthorized").ack()
    assert read(story.facts).ended == 4
    story.cseq = 2
    reading = read(story.invite("Authorization: Digest x").ringing().facts)
    assert len(reading.attempts) == 1
    assert attempt_of(reading).challenges == [4]
    assert (reading.ended, reading.ended_by) == (0, "")


def test_two_challenges_in_a_row_are_both_kept() -> None:
    story = begun().invite().response(407, "Proxy Authentication Required").ack()
    story.cseq = 2
    story.invite().response(401, "Unauthorized").ack()
    story.cseq = 3
    assert attempt_of(read(story.invite().facts)).challenges == [4, 7]


def test_the_next_trunk_opens_the_call_again() -> None:
    story = begun("first").invite().response(503, "Service Unavailable").ack()
    story.leg = "second"
    reading = read(story.routed("second").invite().ringing().facts)
    assert [attempt.leg for attempt in reading.attempts] == ["first", "second"]
    assert reading.trunks == {"first": "carrier", "second": "second"}
    assert reading.ended == 0
    assert attempt_of(reading).leg == "second"


def test_a_late_response_of_the_trunk_tried_before_does_not_count() -> None:
    story = begun("first").invite().timer("no-response", 10)
    story.leg = "second"
    story.invite().ringing()
    story.leg = "first"
    reading = read(story.response(486, "Busy Here").facts)
    assert reading.ended == 0
    assert reading.late == [7]
    assert reading.attempts[0].final is None


def test_a_response_to_cancel_or_bye_is_no_answer() -> None:
    attempt = attempt_of(read(begun().invite().ringing().api("hangUp").cancel().cancel_ok().facts))
    assert attempt.answer == 0
    assert attempt.cancel is not None
    assert attempt.cancel.fact == 6


def test_a_response_to_another_cseq_is_ignored() -> None:
    story = begun().invite().response(401, "Unauthorized")
    story.cseq = 2
    story.invite()
    story.cseq = 1
    reading = read(story.response(401, "Unauthorized").facts)
    assert attempt_of(reading).final is None


def test_a_request_within_the_dialog_is_no_new_call() -> None:
    story = begun().up()
    story.cseq = 9
    reading = read(story.invite(tag="them1", way="received").response(488, "Not Acceptable Here").facts)
    assert len(reading.attempts) == 1
    assert attempt_of(reading).final is None
    assert reading.ended == 0


def test_forks_and_repeats_of_the_answer_are_told_apart() -> None:
    story = begun().invite().answer().ack().answer().answer(tag="them2").ack().bye("sent", tag="them2")
    reading = read(story.facts)
    attempt = attempt_of(reading)
    assert attempt.answer_repeats == [6]
    assert attempt.other_answers == [7]
    assert attempt.bye is None  # it released the fork, not the call
    assert reading.ended == 0


@pytest.mark.parametrize("name", ["no-response", "B"])
def test_silence_ends_the_attempt(name: str) -> None:
    reading = read(begun().invite().timer(name, 10).facts)
    assert (reading.ended, reading.ended_by, attempt_of(reading).silent) == (4, "timer", 4)


@pytest.mark.parametrize("name", ["no-response", "B", "A", "D", "F", "K", "CANCEL", "H"])
def test_other_timers_and_timers_after_a_response_end_nothing(name: str) -> None:
    assert read(begun().invite().trying().timer(name, 32).facts).ended == 0


def test_timers_of_the_call_stop_it_but_do_not_end_it() -> None:
    reading = read(begun().invite().ringing().timer("setup", 115).facts)
    assert (reading.stop, reading.stop_kind, reading.ended) == (5, "setup", 0)


def test_the_first_cause_of_ours_stands() -> None:
    reading = read(begun().invite().ringing().api("hangUp").timer("setup", 115).facts)
    assert (reading.stop, reading.stop_kind) == (5, "hang-up")


def test_a_refused_hang_up_stops_nothing() -> None:
    assert read(begun().up().api("hangUp", 404).facts).stop == 0


def test_a_hang_up_after_the_end_stops_nothing() -> None:
    assert read(begun().up().bye("received").api("hangUp").facts).stop == 0


@pytest.mark.parametrize(
    ("operation", "ends"),
    [
        ("hangUp", True),
        ("CallConnection_hangup_call", True),
        ("hang_up_call", True),
        ("CallConnection_terminate_call", True),
        ("terminate", True),
        ("createCall", False),
        ("CallConnection_get_call", False),
        ("", False),
    ],
)
def test_operations_that_end_a_call(operation: str, ends: bool) -> None:  # noqa: FBT001  # a table row
    assert ends_call(operation) is ends


def test_a_transport_failure_before_any_response_ends_the_attempt() -> None:
    reading = read(begun().invite().fails("refused: x").facts)
    assert (reading.ended, reading.ended_by, attempt_of(reading).failure) == (4, "transport", 4)


def test_a_transport_failure_later_is_a_stray() -> None:
    reading = read(begun().up().fails("reset: x").facts)
    assert reading.ended == 0
    assert reading.strays == [8]


def test_a_repeat_after_a_transport_failure_opens_the_attempt_again() -> None:
    reading = read(begun().invite().fails("refused: x", "udp").invite().ringing().facts)
    assert reading.ended == 0
    assert (attempt_of(reading).failure, attempt_of(reading).invites) == (0, 2)


def test_a_failure_noted_before_the_invite_belongs_to_it() -> None:
    reading = read(begun().fails("name-unknown: sbc.example").facts)
    assert len(reading.attempts) == 1
    assert reading.ended_by == "transport"
    again = read(begun().fails("refused: x").invite().ringing().facts)
    assert len(again.attempts) == 1
    assert again.ended == 0


def test_unreadable_bytes_are_kept_with_their_attempt_or_as_strays() -> None:
    reading = read(begun().invite().garbage().response(486, "Busy Here").garbage().facts)
    assert attempt_of(reading).unreadable == [4]
    assert reading.strays == [6]


def test_unreadable_bytes_without_a_leg_go_to_the_last_attempt() -> None:
    story = begun().invite()
    story.leg = ""
    reading = read(story.garbage().facts)
    assert len(reading.attempts) == 1
    assert attempt_of(reading).unreadable == [4]


def test_restart_fault_and_refusal_count_once_and_only_while_the_call_is_open() -> None:
    assert read(begun().up().restart().facts).restarted == 8
    assert read(begun().up().bye("received").restart().facts).restarted == 0
    assert read(begun().up().fault().fault().facts).fault == 8
    assert read(begun().up().fault().restart().facts).restarted == 0
    assert read(Story().refused("no-route").facts).refused == 1
    assert read(begun().invite().response(503, "Busy").refused("trunk-full").facts).refused == 0


def test_an_inbound_call_mirrors_directions() -> None:
    reading = read(Story(inbound=True).up().bye("received").facts)
    attempt = attempt_of(reading)
    assert attempt.inbound
    assert (attempt.invite, attempt.ringing, attempt.answer, attempt.ack) == (1, 3, 4, 5)
    assert attempt.bye is not None


def test_a_cancel_of_the_caller_ends_the_call_unless_it_comes_after_the_ack() -> None:
    reading = read(Story(inbound=True).invite().ringing().cancel().response(487, "Terminated").facts)
    assert (reading.ended, reading.ended_by, reading.late) == (3, "cancel", [])
    assert read(Story(inbound=True).up().cancel().facts).ended == 0


def test_our_own_cancel_ends_nothing_by_itself() -> None:
    assert read(begun().invite().ringing().api("hangUp").cancel().facts).ended == 0


def test_messages_in_the_wrong_direction_say_nothing() -> None:
    story = begun().invite().sip("sent", "SIP/2.0 486 Busy Here", "1 INVITE", tag="x")
    reading = read(story.cancel(way="received").facts)
    assert attempt_of(reading).final is None
    assert attempt_of(reading).cancel is None


def test_media_and_deliveries_are_the_last_of_their_kind() -> None:
    story = begun().up().media(received=1).delivery(None).delivery(200, attempt=2).bye("received")
    reading = read(story.media(received=900).delivery(500, event="e2").facts)
    assert attempt_of(reading).media == 12
    assert reading.deliveries == {"e1": 10, "e2": 13}


def test_a_party_is_named_by_its_trunk_its_leg_or_nothing() -> None:
    reading = read(begun("leg-1").routed("sbc").facts)
    assert reading.party("leg-1") == "trunk sbc"
    assert reading.party("leg-2") == "trunk leg-2"
    assert reading.party("") == "the trunk"


def sip(message: bytes) -> SipSeen:
    return SipSeen(at=1.0, leg="carrier", direction="received", transport="udp", peer="p:1", message=message)


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_any_bytes_are_read_without_raising(messages: list[bytes]) -> None:
    reading = read([*begun().invite().facts, *map(sip, messages)])
    assert len(reading.attempts) >= 1


@settings(max_examples=200)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_damaged_messages_are_read_without_raising(ending: str, data: st.DataObject) -> None:
    timeline: Timeline = []
    for fact in SAMPLES[ending]:
        if isinstance(fact, SipSeen) and data.draw(st.booleans()):
            cut = data.draw(st.integers(0, len(fact.message)))
            insert = data.draw(st.binary(max_size=12))
            damaged = fact.message[:cut] + insert + fact.message[cut + len(insert) :]
            timeline.append(
                SipSeen(
                    at=fact.at,
                    leg=fact.leg,
                    direction=fact.direction,
                    transport=fact.transport,
                    peer=fact.peer,
                    message=damaged,
                )
            )
        else:
            timeline.append(fact)
    reading = read(timeline)
    assert 0 <= reading.ended <= len(timeline)


def test_a_fault_that_the_call_survived_ends_nothing_and_decides_nothing() -> None:
    story = begun().up()
    story.add(FaultRaised(at=story.now, where="media: PlayPrompt", traceback="Boom", survived=True))
    reading = read(story.facts)
    assert (reading.fault, reading.ended) == (0, 0)
