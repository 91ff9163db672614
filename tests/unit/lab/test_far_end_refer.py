"""A far end that is asked to call somebody else: what it answers, reports, and leaves unsaid."""

import pytest

from far_end_caller import Caller
from onhook.effects import Destination, Transmit
from onhook.lab.far_end import FarEnd
from onhook.lab.far_end_refer import MAX_REFERS
from onhook.lab.rehearsal import rehearse
from onhook.lab.scenario import parse_scenario
from onhook.lab.scenario_steps import Refer, Scenario
from onhook.sip.messages import Headers, Request, Response, parse
from onhook.sip.refer import event_of, read_notify
from stages import stage

TARGET = "<sip:+14255550300@192.0.2.2;user=phone>"
ANSWER = "carrier: 180 Ringing\ncarrier: 200 OK"


def asked(how: str, *, cseq: int = 2) -> Caller:
    caller = Caller(f"carrier: refer {how}\n{ANSWER}").call()
    ask(caller, cseq)
    return caller


def ask(caller: Caller, cseq: int = 2) -> None:
    invite_ok = next(each for each in caller.responses if each.status == 200)
    refer = caller.follow("REFER", cseq=cseq, of=invite_ok)
    refer.headers.add("refer-to", TARGET)
    refer.headers.add("contact", "<sip:192.0.2.1:5070>")
    caller.send(refer)


def reports(caller: Caller) -> list[tuple[int, bool]]:
    """Status of each NOTIFY, and whether it is the last."""
    told = [read_notify(each) for each in caller.requests if each.method == "NOTIFY"]
    return [(each.status, each.terminated) for each in told]


def test_who_takes_refer_says_so() -> None:
    for how, listed in (("refer accepted\ncarrier: ", True), ("", False)):
        caller = Caller(f"carrier: {how}180 Ringing\ncarrier: 200 OK").call()
        assert ("REFER" in caller.responses[-1].headers.values("allow")) is listed


def test_without_the_step_a_refer_is_not_allowed() -> None:
    caller = Caller(ANSWER).call()
    ask(caller)
    assert caller.words[-1] == "405"


def test_it_agrees_and_reports_until_the_target_answers() -> None:
    caller = asked("accepted")
    assert caller.words[-2:] == ["202", "NOTIFY"]
    caller.advance(60)
    assert reports(caller) == [(100, False), (180, False), (200, True)]
    notify = caller.requests[-1]
    assert event_of(notify) == ("refer", 2)
    assert notify.headers.get("content-type") == "message/sipfrag;version=2.0"
    assert notify.headers.get("subscription-state") == "terminated;reason=noresource"
    assert [each.cseq.number for each in caller.requests if each.cseq] == [1, 2, 3]
    (call,) = caller.far_end.calls.values()
    assert call.referred_to == [TARGET]


def test_it_refuses() -> None:
    caller = asked("refused 603").advance(60)
    assert caller.words[-1] == "603"
    assert reports(caller) == []


def test_the_target_refuses() -> None:
    caller = asked("target 486").advance(60)
    assert reports(caller) == [(100, False), (486, True)]


def test_it_reports_no_outcome() -> None:
    assert reports(asked("silent").advance(120)) == [(100, False)]


def test_it_does_not_answer() -> None:
    caller = asked("ignored").advance(60)
    assert "202" not in caller.words
    assert caller.words[-1] == "200"


def test_it_leaves_without_a_word() -> None:
    caller = asked("bye").advance(60)
    assert caller.words[-2:] == ["202", "BYE"]
    assert not caller.far_end.calls


def test_a_repeated_refer_gets_its_answer_again_and_a_notify_is_repeated_until_its_answer() -> None:
    caller = Caller(f"carrier: refer silent\n{ANSWER}").call()
    caller.acknowledging = False
    ask(caller)
    ask(caller)
    assert caller.words.count("202") == 2
    caller.advance(2)
    assert caller.words.count("NOTIFY") == 3


def test_a_refer_of_another_dialog_or_out_of_order_gets_481() -> None:
    caller = asked("accepted", cseq=9)
    ask(caller, cseq=3)
    assert caller.words[-1] == "481"


def test_there_is_a_largest_number_of_refers() -> None:
    caller = Caller(f"carrier: refer refused 491\n{ANSWER}").call()
    for number in range(MAX_REFERS + 3):
        ask(caller, cseq=2 + number)
    assert caller.words.count("491") == MAX_REFERS


def test_after_a_bye_nothing_is_reported() -> None:
    caller = asked("accepted")
    invite_ok = next(each for each in caller.responses if each.status == 200)
    caller.send(caller.follow("BYE", cseq=3, of=invite_ok))
    caller.advance(60)
    assert reports(caller) == [(100, False)]


# A far end that calls


class Called:
    """A far end's call to us, answered by hand."""

    def __init__(self, how: str) -> None:
        self.us = Destination("udp", "192.0.2.1", 5070)
        self.now = 0.0
        self.far_end = FarEnd(lambda _: Scenario(), address=("192.0.2.2", 5060))
        text = f"carrier: call from +14255550200 to +14255550100\ncarrier: refer {how}"
        self.caller, sent = self.far_end.call(parse_scenario(text), self.us, 0.0)
        self.heard: list[Request | Response] = []
        self.keep(sent)

    def keep(self, sent: list[Transmit]) -> None:
        for transmit in sent:
            message = parse(transmit.data)
            assert isinstance(message, Request | Response)
            self.heard.append(message)
            if isinstance(message, Request) and message.method in {"NOTIFY", "BYE"}:
                self.answer(message)

    def answer(self, request: Request, status: int = 200, tag: str = "") -> None:
        lines = {name: list(request.headers.all(name)) for name in ("via", "from", "to", "call-id", "cseq")}
        response = Response(status, "OK", Headers(lines))
        if tag:
            response.headers.set("to", f"{request.headers.get('to')};tag={tag}")
            response.headers.add("contact", "<sip:192.0.2.1:5070>")
        self.keep(self.far_end.receive(response.to_bytes(), self.us, self.now))

    def refer(self) -> "Called":
        invite = self.heard[0]
        assert isinstance(invite, Request)
        self.answer(invite, 200, "us")
        headers = Headers.of(
            ("via", "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKrefer;rport"),
            ("max-forwards", "70"),
            ("from", f"{invite.headers.get('to')};tag=us"),
            ("to", invite.headers.get("from")),
            ("call-id", invite.call_id),
            ("cseq", "1 REFER"),
            ("refer-to", TARGET),
        )
        refer = Request("REFER", "sip:far", headers)
        self.keep(self.far_end.receive(refer.to_bytes(), self.us, self.now))
        return self

    def wait(self, seconds: float) -> "Called":
        end = self.now + seconds
        while (due := self.far_end.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            self.keep(list(self.far_end.handle_timeout(self.now)))
        self.now = end
        return self

    @property
    def words(self) -> list[str]:
        return [m.method if isinstance(m, Request) else str(m.status) for m in self.heard]


def test_a_caller_lists_refer_and_reports() -> None:
    called = Called("accepted")
    assert "REFER" in called.heard[0].headers.values("allow")
    called.refer().wait(10)
    assert called.words == ["INVITE", "ACK", "202", "NOTIFY", "NOTIFY", "NOTIFY"]
    assert called.caller.referred_to == [TARGET]


def test_a_caller_leaves_without_a_word() -> None:
    called = Called("bye").refer().wait(60)
    assert called.words == ["INVITE", "ACK", "202", "BYE"]
    assert called.caller.over


def test_without_the_step_a_caller_takes_no_refer() -> None:
    text = "carrier: call from +14255550200 to +14255550100"
    far_end = FarEnd(lambda _: Scenario(), address=("192.0.2.2", 5060))
    caller, _ = far_end.call(parse_scenario(text), Destination("udp", "192.0.2.1", 5070), 0.0)
    assert caller.referred_to == []


@pytest.mark.parametrize("how", ["accepted", "bye"])
def test_a_transfer_is_rehearsed_with_it(how: str) -> None:
    text = f"carrier: refer {how}\n{ANSWER}\napp: wait 1 s\napp: transfer to +14255550201\n"
    verdict = rehearse(parse_scenario(text), stage()).record.verdict
    assert verdict is not None
    assert verdict.ending == "transferred"


def test_adding_and_removing_are_rehearsed() -> None:
    text = (
        f"{ANSWER}\napp: wait 1 s\napp: add +14255550201\napp: wait 1 s\napp: remove +14255550201\n"
        "app: wait 1 s\napp: remove +14255550200\n"
    )
    verdict = rehearse(parse_scenario(text), stage()).record.verdict
    assert verdict is not None
    assert verdict.ending == "left-alone"


def test_the_step_stands_above_the_answer() -> None:
    assert parse_scenario("carrier: refer target 486").steps == (Refer("target", 486),)
