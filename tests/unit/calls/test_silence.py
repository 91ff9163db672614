"""A leg of which no RTP comes for too long: ended in time, by itself or with the call, and replayed alike."""

import asyncio
import copy

import pytest

from call_scene import MAX_SECONDS, SETUP_SECONDS, CallScene
from onhook.calls.call import State
from onhook.calls.record import leg_id
from onhook.calls.replay import replay
from onhook.endings.judge import judge
from onhook.facts import Fact, LegDismissed, RtpResumed, RtpStopped, TimerFired
from onhook.lab.rehearsal import CALLEE
from onhook.store.encoding import decode_facts, encode
from onhook.switch import Limits
from participants_scene import SECOND, Scene, play
from stages import stage

LIMIT = 300.0
HELD = (
    "v=0\r\no=far 7 8 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
    "m=audio 50000 RTP/AVP 0\r\na=inactive\r\n"
)


def up(limit: float = LIMIT) -> CallScene:
    scene = CallScene()
    scene.call.end_after_silence_seconds = limit
    return scene.connected().wait(5)


def told(scene: CallScene, fact: Fact) -> CallScene:
    return scene.do(scene.call.media_seen(fact))


def stops(scene: CallScene, after: float = 10.0, received: int = 0) -> CallScene:
    leg = leg_id(scene.call.record)
    scene.wait(after)
    return told(scene, RtpStopped(at=scene.now, leg=leg, silent_seconds=after, received=received, sent=500))


def resumes(scene: CallScene) -> CallScene:
    return told(scene, RtpResumed(at=scene.now, leg=leg_id(scene.call.record), silent_seconds=20.0))


def timers(scene: CallScene) -> list[tuple[str, float]]:
    return [(fact.name, fact.at - 1000.0) for fact in scene.facts if isinstance(fact, TimerFired)]


def test_the_call_ends_when_the_time_since_the_last_packet_is_over() -> None:
    scene = stops(up()).wait(289.9)
    assert scene.call.state is State.CONNECTED
    scene.wait(0.2)
    assert ("no-rtp", 305.0) in timers(scene)
    bye = scene.last("BYE")
    assert bye.headers.get("reason") == 'Q.850;cause=102;text="no RTP for 300 s"'
    scene.gets(200, "BYE")
    assert (scene.ending, scene.result) == ("rtp-stopped", (410, 531005))
    assert scene.told[-1] == "CallDisconnected"


def test_a_far_end_that_is_gone_keeps_nobody_waiting_for_its_answer() -> None:
    scene = stops(up()).wait(295)
    assert scene.call.state is State.ENDED
    assert timers(scene)[-2:] == [("no-rtp", 305.0), ("release", 309.0)]


def test_rtp_that_comes_again_puts_the_end_off() -> None:
    scene = stops(resumes(stops(up()).wait(100)).wait(50)).wait(289)
    assert scene.call.state is State.CONNECTED
    assert resumes(stops(up()).wait(100)).call.deadline == 1000.0 + MAX_SECONDS


def test_a_far_end_on_hold_is_not_expected_to_send() -> None:
    scene = stops(up())
    scene.asked("INVITE", 7, ("content-type", "application/sdp"), body=HELD)
    assert "200 INVITE" in scene.methods
    scene.asked("ACK", 7).wait(400)
    assert scene.call.state is State.CONNECTED


@pytest.mark.parametrize("limit", [0.0])
def test_without_a_limit_silence_ends_nothing(limit: float) -> None:
    scene = stops(up(limit)).wait(1000)
    assert scene.call.state is State.CONNECTED


def test_a_limit_below_what_media_waits_is_kept_as_soon_as_media_tells() -> None:
    scene = stops(up(5.0)).wait(0)
    assert timers(scene)[-1] == ("no-rtp", 15.0)


def test_silence_told_after_the_end_changes_nothing() -> None:
    scene = up().hang_up().gets(200, "BYE")
    facts = len(scene.facts)
    stops(scene).wait(400)
    assert [type(fact) for fact in scene.facts[facts:]] == [RtpStopped]
    assert scene.ending == "hung-up-by-app"


def test_the_application_may_hang_up_before_the_time_is_over() -> None:
    scene = stops(up()).hang_up().gets(200, "BYE").wait(400)
    assert scene.ending == "hung-up-by-app"
    assert "no-rtp" not in [name for name, _ in timers(scene)]


@pytest.mark.parametrize("waited", [5.0, 290.5, 296.0])
def test_a_call_replayed_is_as_silent_as_it_was(waited: float) -> None:
    scene = stops(up()).wait(waited)
    facts = decode_facts(encode(scene.facts))
    call, _ = replay(
        copy.copy(scene.begun),
        facts,
        scene.trunk,
        setup_seconds=SETUP_SECONDS,
        max_seconds=MAX_SECONDS,
        end_after_silence_seconds=LIMIT,
    )
    assert call.state is scene.call.state
    assert call.record == scene.call.record
    assert call.deadline == scene.call.deadline


def fall_silent(scene: Scene, party: str) -> None:
    leg = next(each for each in scene.call.legs if each.party == party)
    scene.here.media.fall_silent(leg.id)


ONE_MINUTE = Limits(end_after_silence_seconds=60)


def test_one_of_several_who_falls_silent_leaves_and_the_call_goes_on() -> None:
    async def act(scene: Scene) -> None:
        scene.add()
        await asyncio.sleep(3)
        fall_silent(scene, SECOND)
        await asyncio.sleep(58)
        assert scene.present == [CALLEE, SECOND]
        await asyncio.sleep(4)
        assert scene.present == [CALLEE]
        assert scene.told()[-1] == "ParticipantsUpdated"
        assert any(line.startswith("BYE") for line in scene.invites(SECOND))
        facts = scene.here.store.facts(scene.call_id)
        assert [fact.why for fact in facts if isinstance(fact, LegDismissed)] == ["no-rtp"]
        scene.here.hang_up(scene.call_id)
        await scene.ends("hung-up-by-app")
        verdict = judge(scene.here.store.facts(scene.call_id))
        assert any("no RTP" in remark.shows for remark in verdict.remarks)

    play(act, on=stage(limits=ONE_MINUTE))


@pytest.mark.parametrize("ending", ["rtp-stopped"])
def test_the_last_of_the_others_who_falls_silent_ends_the_call(ending: str) -> None:
    async def act(scene: Scene) -> None:
        fall_silent(scene, CALLEE)
        await asyncio.sleep(62)
        await scene.ends(ending)
        assert scene.result("CallDisconnected") == (410, 531005)

    play(act, on=stage(limits=ONE_MINUTE))


def test_both_who_fall_silent_leave_one_after_the_other() -> None:
    async def act(scene: Scene) -> None:
        scene.add()
        await asyncio.sleep(3)
        fall_silent(scene, CALLEE)
        await asyncio.sleep(5)
        fall_silent(scene, SECOND)
        await scene.ends("rtp-stopped")

    play(act, on=stage(limits=ONE_MINUTE))
