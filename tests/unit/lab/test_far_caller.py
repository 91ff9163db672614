"""A far end that calls: what it sends on its own, what a scenario makes it do, and how it is rehearsed."""

import pytest

from onhook.effects import Destination, Transmit
from onhook.lab.far_caller import MAX_CALL_SECONDS, FarCaller
from onhook.lab.far_end import FarEnd
from onhook.lab.rehearsal import Rehearsal, rehearse
from onhook.lab.scenario import parse_scenario, write_scenario
from onhook.lab.scenario_steps import (
    AppAnswer,
    AppReject,
    Bye,
    CarrierCall,
    CarrierCancel,
    NoAck,
    Respond,
    Scenario,
    Wait,
)
from onhook.sip.messages import Request, Response, parse, respond
from onhook.sip.offer import make_offer
from stages import stage

US = Destination("udp", "192.0.2.1", 5070)
SDP = make_offer("192.0.2.1", 6000, 1, 1).to_bytes()
CALL = "carrier: call from +14255550200 to +14255550100"


class Scene:
    """A far end's call, and a server played by hand."""

    def __init__(self, *steps: str, call: str = CALL) -> None:
        self.now = 0.0
        self.far_end = FarEnd(lambda _: Scenario(), address=("192.0.2.2", 5060))
        scenario = parse_scenario("\n".join([call, *steps]))
        self.caller, sent = self.far_end.call(scenario, US, self.now)
        self.sent: list[Request | Response] = []
        self._keep(sent)

    def _keep(self, sent: list[Transmit]) -> None:
        for transmit in sent:
            message = parse(transmit.data)
            assert isinstance(message, Request | Response)
            assert transmit.to == US
            self.sent.append(message)

    def answer(self, status: int, body: bytes = b"", method: str = "INVITE") -> "Scene":
        asked = next(m for m in reversed(self.sent) if isinstance(m, Request) and m.method == method)
        response = respond(asked, status, to_tag="us" if status > 100 else "")
        response.headers.add("contact", "<sip:192.0.2.1:5070>")
        if body:
            response.headers.add("content-type", "application/sdp")
            response.body = body
        self._keep(self.far_end.receive(response.to_bytes(), US, self.now))
        return self

    def wait(self, seconds: float) -> "Scene":
        end = self.now + seconds
        while (due := self.far_end.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            self._keep(self.far_end.handle_timeout(self.now))
        self.now = end
        return self

    @property
    def words(self) -> list[str]:
        return [m.method if isinstance(m, Request) else str(m.status) for m in self.sent]


def test_it_calls_acknowledges_and_hangs_up() -> None:
    scene = Scene("carrier: wait 5 s", "carrier: bye")
    invite = scene.sent[0]
    assert isinstance(invite, Request)
    assert invite.uri.startswith("sip:+14255550100@192.0.2.1:5070")
    assert invite.from_ is not None
    assert "+14255550200" in invite.from_.uri
    assert b"m=audio" in invite.body
    scene.answer(180).answer(200, SDP)
    assert scene.words == ["INVITE", "ACK"]
    scene.wait(5)
    assert scene.words == ["INVITE", "ACK", "BYE"]
    scene.answer(200, method="BYE")
    assert scene.caller.over


def test_it_repeats_its_invite_as_any_caller() -> None:
    assert Scene().wait(2).words == ["INVITE"] * 3


def test_a_withheld_number_is_anonymous() -> None:
    invite = Scene(call="carrier: call from none to +14255550100").sent[0]
    assert isinstance(invite, Request)
    assert invite.from_ is not None
    assert invite.from_.uri.startswith("sip:anonymous@")


def test_without_an_offer_its_answer_is_in_the_ack() -> None:
    scene = Scene(call=f"{CALL} no-sdp")
    assert scene.sent[0].body == b""
    scene.answer(200, SDP)
    ack = scene.sent[-1]
    assert scene.words == ["INVITE", "ACK"]
    assert ack.body.startswith(b"v=0")
    assert ack.headers.get("content-type") == "application/sdp"


def test_it_cancels_when_something_came_and_then_takes_487() -> None:
    scene = Scene("carrier: wait 1 s", "carrier: cancel").answer(180).wait(1)
    assert scene.words == ["INVITE", "CANCEL"]
    scene.answer(200, method="CANCEL").answer(487)
    assert scene.words == ["INVITE", "CANCEL", "ACK"]
    assert scene.caller.over


def test_its_cancel_crosses_the_answer() -> None:
    scene = Scene("carrier: cancel on answer").answer(180).answer(200, SDP)
    assert scene.words == ["INVITE", "CANCEL", "ACK", "BYE"]


def test_it_keeps_its_ack_back() -> None:
    scene = Scene("carrier: no ack").answer(180).answer(200, SDP).answer(200, SDP)
    assert scene.words == ["INVITE"]


def test_a_call_that_nobody_ends_is_ended() -> None:
    scene = Scene().answer(200, SDP).wait(MAX_CALL_SECONDS + 1)
    assert scene.words[:3] == ["INVITE", "ACK", "BYE"]


def test_a_finished_call_is_forgotten() -> None:
    scene = Scene("carrier: bye").answer(180).answer(486)
    assert scene.caller.over
    assert len(scene.far_end.callers) == 1
    scene.wait(60)
    assert not scene.far_end.callers


def test_several_calls_of_one_far_end_are_told_apart() -> None:
    far_end = FarEnd(lambda _: Scenario())
    made = [far_end.call(parse_scenario(CALL), US, 0.0)[0] for _ in range(3)]
    assert len({caller.call_id for caller in made}) == 3
    assert all(isinstance(caller, FarCaller) for caller in far_end.callers.values())


# In the language


def test_the_steps_of_caller_and_called_are_told_apart() -> None:
    scenario = parse_scenario(
        f"{CALL}\napp: redirect to +14255550201\n"
        "carrier: 180\ncarrier: wait 2 s\ncarrier: 200 OK\ncarrier: bye"
    )
    assert [type(step) for step in scenario.caller] == [CarrierCall, Wait, Bye]
    assert [type(step) for step in scenario.carrier] == [Respond, Respond]
    assert parse_scenario("carrier: 180\ncarrier: wait 1 s\ncarrier: 200 OK\ncarrier: bye").caller == ()


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (CALL, CarrierCall("+14255550200", "+14255550100")),
        ("carrier: call from none to +14255550100 no-sdp", CarrierCall(None, "+14255550100", sdp=False)),
        ("app: reject", AppReject("none")),
        ("app: reject busy", AppReject("busy")),
        ("app: answer", AppAnswer()),
    ],
)
def test_steps_of_incoming_calls_are_read_and_written(line: str, step: object) -> None:
    scenario = parse_scenario(line)
    assert scenario.steps == (step,)
    assert parse_scenario(write_scenario(scenario)) == scenario


def test_caller_steps_without_parameters_are_written_as_read() -> None:
    text = f"{CALL}\ncarrier: no ack\ncarrier: cancel\n"
    scenario = parse_scenario(text)
    assert scenario.steps[1:] == (NoAck(), CarrierCancel())
    assert write_scenario(scenario) == text


# In rehearsals


def play(text: str) -> Rehearsal:
    return rehearse(parse_scenario(text), stage())


def test_application_steps_wait_for_the_callers_steps_above_them() -> None:
    played = play(f"{CALL}\ncarrier: wait 7 s\napp: answer\napp: wait 1 s\napp: hang up")
    connected = next(event for event in played.events if event["type"].endswith("CallConnected"))
    assert played.record.connected_at is not None
    assert 7.0 <= played.record.connected_at - played.record.started_at < 8.0
    assert connected["data"]["callConnectionId"] == played.record.id


def test_what_comes_too_late_is_refused_and_the_rehearsal_goes_on() -> None:
    played = play(
        f"{CALL}\ncarrier: cancel\napp: wait 1 s\napp: answer\napp: reject\napp: redirect to +14255550201"
    )
    assert played.record.verdict is not None
    assert played.record.verdict.ending == "caller-gave-up"


def test_two_rehearsals_are_alike_to_the_byte() -> None:
    text = f"{CALL} no-sdp\napp: answer\ncarrier: wait 3 s\ncarrier: bye"
    assert play(text).timeline == play(text).timeline
