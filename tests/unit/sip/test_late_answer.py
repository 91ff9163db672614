"""An answer that comes after a CANCEL was given up: it is still acknowledged and released (RFC 3261 9.1)."""

from onhook.sip.session import LATE_ANSWER_SECONDS, State
from onhook.sip.timers import GIVE_UP
from playbook import Playbook
from unit.sip.test_session import Scene


def given_up() -> Scene:
    """A call that rang, was cancelled, and whose CANCEL was answered but not obeyed."""
    scene = Scene()
    assert Playbook(scene.dials()) << "INVITE"
    assert Playbook() >> scene.gets(180) << "Rang 180"
    assert Playbook(scene.hangs_up()) << "CANCEL"
    assert Playbook() >> scene.gets(200, "CANCEL")
    assert Playbook() >> scene.at(GIVE_UP) << "timer CANCEL" << "Unanswered CANCEL"
    assert scene.session.state is State.ENDED
    return scene


def test_the_session_stays_for_a_late_answer() -> None:
    scene = given_up()
    assert not scene.session.done
    assert scene.session.deadline == GIVE_UP + LATE_ANSWER_SECONDS


def test_a_late_answer_is_acknowledged_and_released() -> None:
    scene = given_up()
    scene.now = 60.0
    assert Playbook() >> scene.gets(200) << "ACK" << "BYE"
    assert scene.last("BYE").uri == "sip:far@192.0.2.9:5090"
    assert Playbook() >> scene.gets(200) << "ACK"
    assert Playbook() >> scene.gets(200, "BYE")


def test_without_one_the_session_goes() -> None:
    scene = given_up()
    assert Playbook() >> scene.at(GIVE_UP + LATE_ANSWER_SECONDS)
    assert scene.session.done


def test_a_refusal_in_time_needs_no_waiting() -> None:
    scene = Scene()
    assert Playbook(scene.dials()) << "INVITE"
    assert Playbook() >> scene.gets(180) << "Rang 180"
    assert Playbook(scene.hangs_up()) << "CANCEL"
    assert Playbook() >> scene.gets(200, "CANCEL")
    assert Playbook() >> scene.gets(487) << "ACK" << "Refused 487"
    assert Playbook() >> scene.at(100.0)
    assert scene.session.done
