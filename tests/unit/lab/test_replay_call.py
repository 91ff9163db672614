"""A recorded far end meets a call of today, message by message, on a clock of the test's own."""

import msgspec

from far_end_caller import Caller
from onhook.effects import Destination, Transmit
from onhook.facts import SipSeen
from onhook.lab.far_end import FarEnd
from onhook.lab.replay.call import MAX_CALL_SECONDS, Part, ReplayCall
from onhook.lab.replay.script import scripts_of
from onhook.lab.scenario_steps import Scenario
from onhook.sip.messages import Request, Response, parse, respond
from onhook.sip.offer import make_offer
from onhook.sip.timers import GIVE_UP
from timelines import Story

US = Destination("udp", "192.0.2.1", 5070)
SDP = make_offer("192.0.2.1", 6000, 1, 1).to_bytes()


def met(story: Story) -> tuple[Caller, Part]:
    """A call to the far end of the story, its INVITE sent."""
    caller = Caller()
    caller.acknowledging = False
    part = Part(scripts_of(story.facts)[0], "+14255550100")
    parts = [part]
    caller.far_end.part_for = lambda _: parts.pop() if parts else None
    return caller.call(), part


def theirs(story: Story) -> Story:
    """A BYE of the far end names it in From; the story writes From and To as the INVITE has them."""
    for at, fact in enumerate(story.facts):
        if isinstance(fact, SipSeen) and fact.direction == "received" and fact.message.startswith(b"BYE"):
            swapped = fact.message.replace(b"tag=us1", b"tag=x").replace(b"tag=them1", b"tag=us1")
            story.facts[at] = msgspec.structs.replace(fact, message=swapped.replace(b"tag=x", b"tag=them1"))
    return story


def playing(part: Part) -> ReplayCall:
    assert part.call is not None
    return part.call


def heard(caller: Caller) -> list[tuple[float, str]]:
    return [
        (round(at, 3), message.start_line if isinstance(message, Request | Response) else "no SIP")
        for at, message in caller.heard
    ]


def test_the_messages_come_in_their_time() -> None:
    caller, part = met(Story().routed().busy("X-Theirs: as it was"))
    caller.advance(10)
    assert heard(caller) == [
        (0.001, "SIP/2.0 100 Trying"),
        (0.202, "SIP/2.0 180 Ringing"),
        (0.203, "SIP/2.0 486 Busy Here"),
    ]
    busy = caller.heard[-1][1]
    assert isinstance(busy, Response)
    assert busy.headers.get("x-theirs") == "as it was"
    assert busy.call_id == "call-1"
    assert busy.headers.get("cseq") == "1 INVITE"
    assert busy.branch == caller.invited.branch
    assert busy.to_tag.startswith("them1.")
    assert playing(part).over
    caller.advance(GIVE_UP + 1)
    assert caller.far_end.callers == {}
    assert caller.far_end.deadline is None


def test_two_calls_of_one_script_share_no_tag() -> None:
    tags = set[str]()
    far_end = FarEnd(lambda _: Scenario())
    for number in (1, 2):
        part = Part(scripts_of(Story().routed().busy().facts)[0], "+14255550100")
        far_end.part_for = lambda _, part=part: part  # type: ignore[misc]  # a default in a lambda
        far_end.receive(Caller().invite(call_id=f"c{number}").to_bytes(), US, 0.0)
        sent = far_end.handle_timeout(1.0)
        tags |= {message.to_tag for each in sent if isinstance(message := parse(each.data), Response)} - {""}
    assert len(tags) == 2


def test_an_answered_call_is_released_by_the_recorded_bye() -> None:
    caller, part = met(theirs(Story().routed().up().wait(1).bye("received", "X-Why: over")))
    caller.advance(3)
    answer = caller.heard[-1][1]
    assert isinstance(answer, Response)
    assert b"m=audio 20000 " in answer.body
    assert b"a=ptime" not in answer.body
    assert playing(part).talking_to is not None
    caller.send(caller.ack(answer))
    caller.advance(0.9)
    assert heard(caller)[-1][1] == "SIP/2.0 200 OK"
    caller.advance(0.2)
    bye = caller.heard[-1][1]
    assert isinstance(bye, Request)
    assert (bye.method, bye.headers.get("x-why"), bye.call_id) == ("BYE", "over", "call-1")
    assert bye.uri == "sip:192.0.2.1:5070;transport=udp"
    assert (bye.from_tag, bye.to_tag) == (answer.to_tag, "caller")
    assert playing(part).over
    assert playing(part).departures == []


def test_a_repeated_request_gets_the_same_answer_once_more() -> None:
    caller, _ = met(Story().routed().busy())
    caller.advance(1)
    before = len(caller.heard)
    caller.send(caller.invited)
    assert heard(caller)[before:] == [(1.0, "SIP/2.0 486 Busy Here")]


def test_what_the_recording_does_not_know_is_answered_as_usual_and_told() -> None:
    caller, part = met(Story().routed().up().wait(60).bye("received"))
    caller.advance(3)
    answer = caller.heard[-1][1]
    assert isinstance(answer, Response)
    caller.send(caller.ack(answer))
    caller.send(caller.follow("BYE"))
    assert heard(caller)[-1][1] == "SIP/2.0 200 OK"
    assert playing(part).departures == ["our BYE is not in the recording: answered as usual"]
    assert playing(part).over


def test_a_cancel_that_was_not_recorded_ends_the_call() -> None:
    caller, part = met(Story().routed().up())
    caller.advance(1)
    caller.send(caller.cancel())
    assert [line for _, line in heard(caller)[-2:]] == ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]
    caller.advance(5)
    assert heard(caller)[-1][1] == "SIP/2.0 487 Request Terminated"
    assert playing(part).departures[-1] == "200 INVITE was not sent: the call was over already"


def test_bytes_that_are_no_sip_are_sent_again() -> None:
    caller, _ = met(Story().routed().invite().garbage(b"\x00\xff not sip\r\n\r\n"))
    caller.advance(1)
    assert heard(caller) == [(0.001, "no SIP")]


def test_a_message_whose_moment_never_came_is_told() -> None:
    story = Story().routed().up().bye("sent").wait(1).bye_ok("received")
    caller, part = met(story)
    caller.advance(5)
    assert playing(part).unplayed == ["200 BYE (after our BYE)"]
    caller.advance(MAX_CALL_SECONDS)
    assert playing(part).finished


class Callee:
    """Our side, called by a recorded far end."""

    def __init__(self, story: Story) -> None:
        self.now = 0.0
        self.far_end = FarEnd(lambda _: Scenario(), address=("192.0.2.2", 5060))
        self.part = Part(scripts_of(story.facts)[0], "+14255550100")
        self.sent: list[Request | Response] = []
        self._keep(self.far_end.replay(self.part, US, self.now))

    def _keep(self, sent: list[Transmit]) -> None:
        for each in sent:
            message = parse(each.data)
            assert isinstance(message, Request | Response)
            self.sent.append(message)

    @property
    def invite(self) -> Request:
        assert isinstance(self.sent[0], Request)
        return self.sent[0]

    def respond(self, status: int) -> None:
        made = respond(self.invite, status, to_tag="ours")
        if status == 200:
            made.headers.add("contact", "<sip:onhook@192.0.2.1:5070>")
            made.headers.add("content-type", "application/sdp")
            made.body = SDP
        self._keep(self.far_end.receive(made.to_bytes(), US, self.now))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.far_end.deadline) is not None and due <= end:
            self.now = due
            self._keep(self.far_end.handle_timeout(due))
        self.now = end

    @property
    def methods(self) -> list[str]:
        return [each.method for each in self.sent if isinstance(each, Request)]


def test_a_caller_calls_again_acknowledges_and_hangs_up() -> None:
    callee = Callee(Story(inbound=True).arrived().up().wait(1).bye("received"))
    assert callee.invite.uri == "sip:+14255550200@192.0.2.1:5070;user=phone"
    assert callee.invite.call_id.startswith("a1@192.0.2.1-")
    assert callee.invite.headers.get("max-forwards") == "70"
    assert b"m=audio 20000 RTP/AVP 0 8 101\r\n" in callee.invite.body
    callee.respond(180)
    callee.respond(200)
    callee.advance(2)
    assert callee.methods == ["INVITE", "ACK", "BYE"]
    ack = callee.sent[1]
    assert isinstance(ack, Request)
    assert ack.uri == "sip:onhook@192.0.2.1:5070"
    assert ack.to_tag == "ours"
    assert ack.call_id == callee.invite.call_id
    assert playing(callee.part).over


def test_a_caller_cancels_again_but_not_once_it_is_answered() -> None:
    story = Story(inbound=True).arrived().invite().trying().ringing().wait(1).cancel()
    callee = Callee(story)
    callee.respond(100)
    callee.respond(180)
    callee.advance(2)
    assert callee.methods == ["INVITE", "CANCEL"]
    assert callee.sent[1].branch == callee.invite.branch
    other = Callee(story)
    other.respond(100)
    other.respond(180)
    other.respond(200)
    other.advance(2)
    assert other.methods == ["INVITE", "ACK", "BYE"]
    assert playing(other.part).departures == [
        "our 200 INVITE is not in the recording: acknowledged as usual",
        "CANCEL was not sent: the call was answered or over already",
    ]


def test_a_refusal_instead_of_the_answer_is_acknowledged() -> None:
    callee = Callee(Story(inbound=True).arrived().up())
    callee.respond(486)
    assert callee.methods == ["INVITE", "ACK"]
    assert (callee.sent[1].branch, callee.sent[1].to_tag) == (callee.invite.branch, "ours")
    callee.advance(GIVE_UP + 1)
    assert callee.far_end.callers == {}


def test_a_call_can_be_hung_up_before_its_script_ends() -> None:
    callee = Callee(Story(inbound=True).arrived().up().wait(60).bye("received"))
    callee.respond(200)
    callee.advance(1)
    call = playing(callee.part)
    (bye,) = call.hang_up(callee.now)
    assert bye.data.startswith(b"BYE sip:onhook@192.0.2.1:5070 ")
    assert call.over
    assert call.hang_up(callee.now) == []


def test_another_number_can_be_dialled() -> None:
    story = Story(inbound=True).arrived("+14255550200").up()
    script = scripts_of(story.facts)[0]
    script.dial_instead = "+14255550111"
    far_end = FarEnd(lambda _: Scenario())
    (sent,) = far_end.replay(Part(script, "+14255550111"), US, 0.0)
    message = parse(sent.data)
    assert isinstance(message, Request)
    assert message.uri.startswith("sip:+14255550111@")
    assert "+14255550111" in message.headers.get("to")
