"""The call: every row of its table, one terminal event, and what it keeps of what happened."""

from collections.abc import Callable

import pytest

from call_scene import MAX_SECONDS, PEER, SETUP_SECONDS, TERMINAL, TRUNK, CallScene
from onhook.acs.models import CallConnectionStateModel
from onhook.calls.call import MAX_TRACEBACK, MAX_UNREADABLE, RELEASE_SECONDS, Call, State
from onhook.calls.directory import VoiceRoute
from onhook.calls.leg import PhoneLeg
from onhook.calls.routing import Chosen, NotRouted
from onhook.calls.signals import LegConnected
from onhook.effects import CloseMedia
from onhook.facts import (
    ApiRequested,
    EventAttempted,
    FaultRaised,
    MediaMeasured,
    RouteRefused,
    RouteTaken,
    ServerRestarted,
    SipSeen,
    SipUnreadable,
    TimerFired,
    TransportFailed,
)
from onhook.machine import Machine, Row, UnexpectedInput

CONNECTED = ["CallConnected", "ParticipantsUpdated"]
Story = Callable[[CallScene], CallScene]

STORIES: dict[str, tuple[Story, str, tuple[int, int], list[str]]] = {
    "refused a route": (
        lambda scene: scene.place(NotRouted("no-route", "none matches")),
        "no-route",
        (403, 510403),
        [],
    ),
    "busy": (lambda scene: scene.place().gets(180).gets(486), "callee-busy", (486, 560486), []),
    "cannot be used": (lambda scene: scene.place().gets(200, body=""), "answer-unusable", (410, 531000), []),
    "rang out": (
        lambda scene: scene.place().gets(180).wait(SETUP_SECONDS).gets(200, "CANCEL").gets(487),
        "rang-out",
        (487, 560487),
        [],
    ),
    "rang out, CANCEL unanswered": (
        lambda scene: scene.place().gets(180).wait(SETUP_SECONDS + RELEASE_SECONDS),
        "rang-out",
        (487, 560487),
        [],
    ),
    "cancelled": (
        lambda scene: scene.place().gets(180).hang_up().gets(200, "CANCEL").gets(487),
        "cancelled-by-app",
        (487, 560487),
        [],
    ),
    "hung up by us": (
        lambda scene: scene.connected().hang_up().gets(200, "BYE"),
        "hung-up-by-app",
        (200, 7000),
        CONNECTED,
    ),
    "hung up by us, BYE unanswered": (
        lambda scene: scene.connected().hang_up().wait(RELEASE_SECONDS),
        "hung-up-by-app",
        (200, 7000),
        CONNECTED,
    ),
    "hung up by them": (
        lambda scene: scene.connected().asked("BYE"),
        "hung-up-by-phone",
        (200, 560000),
        CONNECTED,
    ),
    "too long": (
        lambda scene: scene.connected().wait(MAX_SECONDS).gets(200, "BYE"),
        "call-too-long",
        (429, 10110),
        CONNECTED,
    ),
    "silent": (lambda scene: scene.place().wait(10), "trunk-silent", (408, 500001), []),
    "unreachable": (lambda scene: scene.place().fails(), "trunk-unreachable", (504, 569002), []),
    "restarted while it rang": (
        lambda scene: scene.place().gets(180).wait(5).restarts(),
        "server-restarted",
        (500, 9999),
        [],
    ),
    "restarted while connected": (
        lambda scene: scene.connected().wait(5).restarts(),
        "server-restarted",
        (500, 9999),
        CONNECTED,
    ),
    "restarted while releasing": (
        lambda scene: scene.connected().hang_up().restarts(),
        "hung-up-by-app",
        (200, 7000),
        CONNECTED,
    ),
    "fault while it rang": (lambda scene: scene.place().gets(180).faults(), "server-fault", (500, 9999), []),
    "fault while connected": (
        lambda scene: scene.connected().faults(),
        "server-fault",
        (500, 9999),
        CONNECTED,
    ),
    "fault while releasing": (
        lambda scene: scene.connected().hang_up().faults(),
        "hung-up-by-app",
        (200, 7000),
        CONNECTED,
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_each_story_ends_once_and_as_it_should(name: str) -> None:
    story, ending, result, before = STORIES[name]
    scene = story(CallScene())
    assert scene.told == [*before, "CallDisconnected" if before else "CreateCallFailed"]
    assert (scene.ending, scene.result) == (ending, result)
    verdict = scene.call.record.verdict
    assert verdict is not None
    assert verdict.evidence
    assert scene.call.record.ended_at == scene.now
    assert scene.call.state is State.ENDED
    scene.wait(300)
    assert scene.call.done
    assert scene.call.deadline is None
    assert len(scene.told) == len(before) + 1


def test_the_stories_run_every_row_of_a_call_to_one_telephone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of other calls, with inputs of their own, are run in test_call_parties.py."""
    run: set[tuple[str, Row]] = set()
    monkeypatch.setattr(Machine, "rows_run", run)
    for story, *_ in STORIES.values():
        story(CallScene()).wait(300)
    plain = {row for row in Call.TABLE if row[1].__module__ != "onhook.calls.inputs"}
    plain.discard((State.CONNECTED, LegConnected))  # of another telephone
    assert {row for name, row in run if name == "Call"} == plain


def test_what_the_table_does_not_list_is_refused() -> None:
    call = CallScene().call
    with pytest.raises(UnexpectedInput, match="Call NEW <- Restarted"):
        call.restart(1000.0)


# Events


def test_events_carry_the_ids_of_the_call_and_the_context() -> None:
    scene = CallScene()
    scene.call.record.operation_context = "my context"
    scene.connected().asked("BYE")
    for event in scene.events:
        assert event.callback_uri == "https://app.example/events"
        assert event.data["callConnectionId"] == "call-1"
        assert event.data["serverCallId"] == "server-call"
        assert event.data["correlationId"] == "correlation"
    assert [event.data.get("operationContext") for event in scene.events] == [
        "my context",
        None,
        "my context",
    ]


def test_participants_are_the_telephone_and_the_application_while_it_talks() -> None:
    scene = CallScene()
    scene.call.record.source_user = "8:acs:dev_bot"
    scene.place().gets(180)
    assert scene.call.participants == []
    scene.gets(200)
    shown = [each.identifier.raw_id for each in scene.call.participants if each.identifier]
    assert shown == ["4:+14255550200", "8:acs:dev_bot"]
    told = scene.events[1].data
    assert told["sequenceNumber"] == 1
    assert [each["identifier"]["rawId"] for each in told["participants"]] == shown
    scene.asked("BYE")
    assert scene.call.participants == []


def test_sip_and_q850_details_are_those_of_the_far_end() -> None:
    reason = ("reason", 'Q.850;cause=17;text="User busy"')
    scene = CallScene().place().gets(486, "INVITE", "far", reason)
    result = scene.events[-1].data["resultInformation"]
    assert (result["sipDetails"]["code"], result["q850Details"]["code"]) == (486, 17)
    assert result["q850Details"]["message"] == "User busy"


@pytest.mark.parametrize(
    ("story", "state"),
    [
        (lambda scene: scene, CallConnectionStateModel.CONNECTING),
        (lambda scene: scene.place(), CallConnectionStateModel.CONNECTING),
        (lambda scene: scene.place().gets(180), CallConnectionStateModel.CONNECTING),
        (lambda scene: scene.connected(), CallConnectionStateModel.CONNECTED),
        (lambda scene: scene.connected().hang_up(), CallConnectionStateModel.DISCONNECTING),
        (lambda scene: scene.place().gets(180).hang_up(), CallConnectionStateModel.DISCONNECTING),
        (lambda scene: scene.connected().asked("BYE"), CallConnectionStateModel.DISCONNECTED),
    ],
)
def test_the_state_that_the_application_sees(story: Story, state: CallConnectionStateModel) -> None:
    assert story(CallScene()).call.connection_state == state


# Races


def test_a_hang_up_that_comes_twice_is_done_once_and_noted_twice() -> None:
    scene = CallScene().connected().hang_up().hang_up("terminateCall").gets(200, "BYE").hang_up()
    assert scene.methods.count("BYE") == 1
    asked = [fact.operation for fact in scene.facts if isinstance(fact, ApiRequested)]
    assert asked == ["createCall", "hangupCall", "terminateCall", "hangupCall"]
    assert scene.told == [*CONNECTED, "CallDisconnected"]


def test_an_answer_that_crosses_our_cancel_is_released_and_was_no_call() -> None:
    scene = CallScene().place().gets(180).hang_up().gets(200)
    assert scene.methods == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert scene.told == ["CreateCallFailed"]
    assert scene.ending == "cancel-crossed-answer"


def test_an_answer_long_after_the_end_was_told_is_still_released() -> None:
    scene = CallScene().place().gets(180).hang_up().wait(20)
    assert scene.told == ["CreateCallFailed"]
    assert not scene.call.done
    scene.gets(200)
    assert scene.methods[-2:] == ["ACK", "BYE"]
    assert scene.told == ["CreateCallFailed"]
    assert scene.gets(200, "BYE").wait(300).call.done


def test_byes_that_cross_end_the_call_once() -> None:
    scene = CallScene().connected().hang_up().asked("BYE").gets(200, "BYE")
    assert scene.told == [*CONNECTED, "CallDisconnected"]
    assert scene.ending == "hung-up-by-app"


def test_what_is_due_happens_before_what_comes_later() -> None:
    """The loop was busy: the timer's time is past, and a message is read before the timer was woken."""
    scene = CallScene().place().late(10.5).gets(180)
    kinds = [type(fact) for fact in scene.facts[3:]]
    assert kinds == [TimerFired, SipSeen, SipSeen, MediaMeasured]  # no-response, 180, CANCEL
    assert scene.methods == ["INVITE", "CANCEL"]
    assert (scene.told, scene.ending) == (["CreateCallFailed"], "trunk-silent")


def test_a_call_that_is_due_to_be_released_is_so_even_by_a_hang_up() -> None:
    scene = CallScene().connected().hang_up().late(RELEASE_SECONDS + 1).hang_up()
    assert scene.told == [*CONNECTED, "CallDisconnected"]
    assert scene.call.state is State.ENDED


# Facts


def test_the_facts_of_a_short_call_in_order() -> None:
    scene = CallScene().place().gets(180).gets(200).hears_rtp().hang_up().gets(200, "BYE")
    kinds = [type(fact) for fact in scene.facts]
    assert kinds == [
        ApiRequested,
        RouteTaken,
        SipSeen,  # INVITE
        SipSeen,  # 180
        SipSeen,  # 200
        SipSeen,  # ACK
        MediaMeasured,
        ApiRequested,
        SipSeen,  # BYE
        SipSeen,  # 200
        MediaMeasured,
    ]
    assert all(fact.leg == scene.call.record.seed[:12] for fact in scene.facts if isinstance(fact, SipSeen))
    route = scene.facts[1]
    assert isinstance(route, RouteTaken)
    assert (route.number, route.trunk, route.pattern) == ("+14255550200", "carrier", r"\+.*")


def test_a_refused_route_is_a_fact_with_its_reason() -> None:
    scene = CallScene().place(NotRouted("trunk-full", "carrier (2 of max_calls 2)"))
    refused = scene.facts[1]
    assert isinstance(refused, RouteRefused)
    assert (refused.why, refused.detail) == ("trunk-full", "carrier (2 of max_calls 2)")
    assert scene.sent == []
    assert scene.call.record.trunk == ""


def test_unreadable_bytes_change_nothing_but_the_timeline() -> None:
    scene = CallScene().place().hears(b"\x00garbage", candidates=3)
    fact = scene.facts[-1]
    assert isinstance(fact, SipUnreadable)
    assert (fact.data, fact.candidates, fact.peer) == (b"\x00garbage", 3, PEER.peer)
    assert scene.call.state is State.CONNECTING


def test_a_flood_of_garbage_is_kept_up_to_a_limit() -> None:
    scene = CallScene().place()
    for _ in range(MAX_UNREADABLE + 50):
        scene.hears(b"\x00")
    assert sum(isinstance(fact, SipUnreadable) for fact in scene.facts) == MAX_UNREADABLE


def test_messages_after_the_end_are_facts_still() -> None:
    scene = CallScene().place().gets(486).gets(486)
    assert scene.methods == ["INVITE", "ACK", "ACK"]
    assert [fact.start_line[:11] for fact in scene.facts if isinstance(fact, SipSeen)][-2:] == [
        "SIP/2.0 486",
        "ACK sip:+14",
    ]


def test_a_transport_failure_during_the_call_does_not_end_it() -> None:
    scene = CallScene().connected().fails("reset: by peer")
    assert isinstance(scene.facts[-1], TransportFailed)
    assert scene.call.state is State.CONNECTED


def test_a_count_of_media_that_arrives_late_does_not_turn_time_back() -> None:
    scene = CallScene().connected()
    leg = scene.call.record.seed[:12]
    counted = MediaMeasured(at=scene.now - 3, leg=leg, sent=0, received=1, first_received_at=scene.now - 3)
    scene.do(scene.call.media_seen(counted))
    fact = scene.facts[-1]
    assert isinstance(fact, MediaMeasured)
    assert (fact.at, fact.first_received_at) == (scene.now, scene.now - 3)
    assert scene.call.now == scene.now


def test_evidence_counts_the_facts_that_others_noted() -> None:
    """Deliveries are noted by the courier; the numbers of the evidence are those of the whole timeline."""
    scene = CallScene().connected()
    attempted = EventAttempted(
        at=scene.now, event_id="e", event_type="CallConnected", uri="u", attempt=1, status=200, elapsed_ms=1.0
    )
    scene.facts.append(attempted)
    scene.call.note(attempted)
    scene.asked("BYE")
    verdict = scene.call.record.verdict
    assert verdict is not None
    bye = scene.facts[verdict.evidence[-1].fact - 1]
    assert isinstance(bye, SipSeen)
    assert bye.start_line.startswith("BYE")
    scene.call.note(attempted)
    assert scene.call.timeline == []  # what comes after the verdict is in the store only


def test_times_of_facts_never_run_backwards() -> None:
    scene = CallScene().connected().wait(3).hears_rtp().hang_up().late(1).gets(200, "BYE").wait(100)
    times = [fact.at for fact in scene.facts]
    assert times == sorted(times)


# Faults of our own


def test_a_fault_keeps_its_traceback_and_releases_the_telephone() -> None:
    scene = CallScene().connected()
    scene.do(scene.call.fault("ValueError: no such leg", "x" * (MAX_TRACEBACK * 2), scene.now))
    assert scene.methods[-1] == "BYE"
    fact = next(fact for fact in scene.facts if isinstance(fact, FaultRaised))
    assert (fact.where, len(fact.traceback)) == ("ValueError: no such leg", MAX_TRACEBACK)
    assert scene.gets(200, "BYE").wait(100).call.done


def test_a_message_that_our_code_fails_on_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the best evidence of the fault that it caused."""
    scene = CallScene().place()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(PhoneLeg, "receive", fail)
        with pytest.raises(ZeroDivisionError):
            scene.gets(180)
    scene.faults()
    seen, fault = scene.facts[-3], scene.facts[-2]
    assert isinstance(seen, SipSeen)
    assert seen.start_line == "SIP/2.0 180 Ringing"
    assert isinstance(fault, FaultRaised)
    assert scene.ending == "server-fault"


def test_a_leg_that_fails_for_ever_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = CallScene().connected()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    for method in ("receive", "handle_timeout", "hang_up", "fail"):
        monkeypatch.setattr(PhoneLeg, method, fail)
    scene.faults()
    assert scene.told == [*CONNECTED, "CallDisconnected"]
    assert scene.call.done
    assert scene.call.deadline is None
    before = len(scene.facts)
    scene.asked("OPTIONS").fails().wait(100)
    assert len(scene.facts) == before + 2
    assert len(scene.told) == 3


def test_a_second_fault_cuts_the_leg_off() -> None:
    scene = CallScene().connected().faults()
    assert not scene.call.done
    scene.faults()
    assert scene.call.done
    assert scene.told == [*CONNECTED, "CallDisconnected"]


def test_a_judge_that_fails_still_gives_an_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = CallScene().connected()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("onhook.calls.spine.judge", fail)
        with pytest.raises(ZeroDivisionError):
            scene.asked("BYE")
    scene.faults()
    assert scene.told == [*CONNECTED, "CallDisconnected"]
    assert (scene.ending, scene.call.done) == ("server-fault", True)


def test_a_fault_before_there_is_a_leg_ends_the_call_too(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = CallScene()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("onhook.calls.host.PhoneLeg", fail)
        with pytest.raises(ZeroDivisionError):
            scene.place()
    scene.faults()
    assert (scene.told, scene.ending) == (["CreateCallFailed"], "server-fault")
    assert isinstance(scene.media[-1], CloseMedia)


# After a restart


@pytest.mark.parametrize("connected_at", [None, 1001.0])
def test_a_call_whose_leg_cannot_be_rebuilt_is_ended_all_the_same(connected_at: float | None) -> None:
    scene = CallScene().place()
    again = CallScene()
    again.call.record.connected_at = connected_at
    again.call.resume(list(scene.facts))
    again.now = 1060.0
    again.restarts()
    assert again.told == ["CallDisconnected" if connected_at else "CreateCallFailed"]
    assert again.ending == "server-restarted"
    assert again.sent == []
    assert again.call.done
    restarted = again.facts[-1]
    assert isinstance(restarted, ServerRestarted)
    assert (restarted.last_seen_at, restarted.at) == (1000.0, 1060.0)


def test_a_call_of_which_no_fact_is_left_is_ended_too() -> None:
    scene = CallScene()
    scene.call.resume([])
    scene.restarts()
    assert (scene.told, scene.ending) == (["CreateCallFailed"], "server-restarted")


def test_a_restart_on_a_clock_that_went_back_keeps_time_in_order() -> None:
    scene = CallScene().connected()
    scene.now -= 500
    scene.restarts()
    assert scene.facts[-3].at <= scene.facts[-2].at
    assert scene.told[-1] in TERMINAL


def test_the_route_is_remembered_as_it_was() -> None:
    scene = CallScene().place(Chosen(TRUNK, VoiceRoute("uk", r"\+44.*", ("carrier",))))
    assert scene.call.record.trunk == "carrier"
    assert scene.call.trunk == TRUNK
