"""Whatever happens in whatever order: one terminal event, a legal sequence, a verdict, an end."""

from hypothesis import given, settings

from call_scene import MAX_SECONDS, TERMINAL, CallScene
from onhook.calls.call import State
from onhook.calls.directory import Trunk
from onhook.endings.judge import judge
from onhook.facts import FaultRaised
from random_calls import TIME, TRUNKS, WORLD, Step, steps, take

LEGAL = {
    (): False,
    ("CreateCallFailed",): True,
    ("CallConnected", "ParticipantsUpdated"): False,
    ("CallConnected", "ParticipantsUpdated", "CallDisconnected"): True,
}
"""Sequences of events that may be seen, and whether the call is over then."""
EVERYTHING = (*WORLD, *TIME, "faults", "restarts")


def check(scene: CallScene) -> None:
    """What holds at every moment."""
    told = tuple(scene.told)
    assert told in LEGAL, told
    assert LEGAL[told] is (scene.call.state is State.ENDED)
    record = scene.call.record
    assert (record.ended_at is not None) is LEGAL[told]
    assert (record.verdict is not None) is LEGAL[told]
    times = [fact.at for fact in scene.facts]
    assert times == sorted(times)


def check_over(scene: CallScene) -> None:
    """Let all the time pass that there is: the call must be over, and nothing of it left."""
    for _ in range(3):  # a far end that is silent from here on
        scene.wait(MAX_SECONDS)
    check(scene)
    assert scene.call.state is State.ENDED
    assert scene.call.done
    assert scene.call.deadline is None
    assert sum(name in TERMINAL for name in scene.told) == 1
    verdict = scene.call.record.verdict
    assert verdict is not None
    assert verdict.evidence
    assert [proof.fact for proof in verdict.evidence] == sorted({proof.fact for proof in verdict.evidence})
    assert 1 <= verdict.evidence[0].fact <= verdict.evidence[-1].fact <= len(scene.facts)


@settings(max_examples=600, deadline=None)
@given(trunk=TRUNKS, story=steps())
def test_the_world_and_the_application_may_do_what_they_like(trunk: Trunk, story: list[Step]) -> None:
    scene = CallScene(trunk).place()
    for step in story:
        take(scene, step)
        check(scene)
    check_over(scene)
    assert not any(isinstance(fact, FaultRaised) for fact in scene.facts)


@settings(max_examples=400, deadline=None)
@given(trunk=TRUNKS, story=steps(*EVERYTHING))
def test_with_faults_and_restarts_of_our_own_too(trunk: Trunk, story: list[Step]) -> None:
    scene = CallScene(trunk).place()
    for step in story:
        take(scene, step)
        check(scene)
    check_over(scene)


@settings(max_examples=300, deadline=None)
@given(trunk=TRUNKS, story=steps())
def test_judged_again_with_all_that_came_later_the_verdict_is_the_same(
    trunk: Trunk, story: list[Step]
) -> None:
    scene = CallScene(trunk).place()
    for step in story:
        take(scene, step)
    check_over(scene)
    first, again = scene.call.record.verdict, judge(scene.facts)
    assert first is not None
    assert (again.ending, again.code, again.subcode) == (first.ending, first.code, first.subcode)
    assert again.evidence == first.evidence


@settings(max_examples=300, deadline=None)
@given(trunk=TRUNKS, story=steps())
def test_equal_inputs_give_equal_bytes(trunk: Trunk, story: list[Step]) -> None:
    first, second = CallScene(trunk).place(), CallScene(trunk).place()
    for step in story:
        take(first, step)
        take(second, step)
    assert first.bytes_sent == second.bytes_sent
    assert first.facts == second.facts
