"""A session that is kept and resumed goes on as the one that was kept, byte for byte."""

import msgspec
import pytest

from onhook.effects import Destination, Transmit
from onhook.machine import Outputs
from onhook.sip.inbound import InboundSession
from onhook.sip.kept import KeptSession, dialog_of
from onhook.sip.messages import Request, parse
from onhook.sip.session import OutboundSession
from session_scene import FAR, TARGET, Kind, Scene

kinds = pytest.mark.parametrize("kind", ["out", "in"])


def resumed(scene: Scene) -> OutboundSession | InboundSession:
    """Another session that goes on with what was kept of the scene's, as after a restart."""
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(scene.session.keep()), type=KeptSession)
    old = scene.session
    if isinstance(old, InboundSession):
        invite = parse(kept.invite)
        assert isinstance(invite, Request)
        again: OutboundSession | InboundSession = InboundSession(
            invite,
            leg="leg",
            seed=old.seed,
            source=Destination(*kept.peer),
            local=old.local,
            answer_offer=lambda _: None,
            now=0.0,
        )
    else:
        again = OutboundSession(
            leg="leg",
            seed=old.seed,
            peer=Destination(*kept.peer),
            local=old.local,
            target=old.target,
            caller=old.caller,
            now=0.0,
        )
    again.resume(kept)
    return again


def sent(outputs: Outputs) -> list[Transmit]:
    return [output for output in outputs if isinstance(output, Transmit)]


@kinds
def test_it_hangs_up_in_the_same_words(kind: Kind) -> None:
    scene = Scene(kind)
    again = resumed(scene)
    assert sent(again.hang_up(1.0)) == sent(scene.session.hang_up(1.0)) != []
    assert again.state.name == "RELEASING"


@kinds
def test_it_answers_a_bye(kind: Kind) -> None:
    scene = Scene(kind)
    again = resumed(scene)
    bye = scene.request("BYE").to_bytes()
    first, second = parse(bye), parse(bye)
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert sent(again.receive(first, FAR, 1.0)) == sent(scene.session.receive(second, FAR, 1.0)) != []
    assert again.state.name == "ENDED"


@kinds
def test_it_refers_in_the_same_words_and_knows_what_the_far_end_takes(kind: Kind) -> None:
    scene = Scene(kind, allow="INVITE, REFER")
    again = resumed(scene)
    assert again.inside.allowed_there == {"INVITE", "REFER"}
    assert sent(again.refer(TARGET, 60.0, 1.0)) == sent(scene.session.refer(TARGET, 60.0, 1.0)) != []


@kinds
def test_numbers_count_on(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    scene.answers(603)
    scene.hears(scene.request("OPTIONS"))
    again = resumed(scene)
    assert sent(again.hang_up(1.0)) == sent(scene.session.hang_up(1.0))
    dialog = dialog_of(scene.session.keep())
    assert scene.session.dialog is not None
    assert dialog.remote_cseq == scene.session.dialog.remote_cseq
    assert dialog.next_hop == scene.session.dialog.next_hop


@kinds
def test_a_request_that_was_answered_before_is_out_of_order(kind: Kind) -> None:
    scene = Scene(kind)
    options = scene.request("OPTIONS")
    scene.hears(options)
    again = resumed(scene)
    (answer,) = sent(again.receive(options, FAR, 1.0))
    assert answer.data.startswith(b"SIP/2.0 500 CSeq Out Of Order")
