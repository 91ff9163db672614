"""The inbound session: RFC 3261 sections 9.2, 13.3, 14 and 15.1, one behaviour a test, and every row."""

from collections.abc import Callable

import pytest

from onhook.effects import Destination, Transmit
from onhook.machine import Machine, Outputs, Row
from onhook.sip.inbound import InboundSession, State
from onhook.sip.messages import Headers, Request, Response, parse, respond
from playbook import Playbook

UDP = Destination("udp", "192.0.2.2", 5060)
TCP = Destination("tcp", "192.0.2.2", 40_001)
OFFER, ANSWER = b"an offer", b"an answer"


class Scene:
    """A session, and the caller's hand."""

    def __init__(self, source: Destination = UDP, *, rport: bool = True) -> None:
        self.source, self.now = source, 0.0
        flag = ";rport" if rport else ""
        self.invite = Request(
            "INVITE",
            "sip:+14255550100@192.0.2.1",
            Headers.of(
                ("via", f"SIP/2.0/{source.transport.upper()} 192.0.2.2:5060{flag};branch=z9hG4bK-1"),
                ("max-forwards", "70"),
                ("from", "<sip:+14255550200@192.0.2.2>;tag=caller"),
                ("to", "<sip:+14255550100@192.0.2.1>"),
                ("call-id", "call-1"),
                ("cseq", "1 INVITE"),
                ("contact", "<sip:192.0.2.2:5060>"),
                ("record-route", "<sip:192.0.2.9;lr>"),
                ("content-type", "application/sdp"),
            ),
            OFFER,
        )
        self.first = self.invite.to_bytes()
        self.session = InboundSession(
            self.invite,
            leg="leg",
            seed="5eed5eed5eed5eed",
            source=source,
            local=("192.0.2.1", 5070),
            answer_offer=lambda offer: None if offer == b"bad" else b"re-" + (offer or b"offer"),
            now=0.0,
        )
        self.sent: list[Request | Response] = []

    def keep(self, outputs: Outputs) -> Outputs:
        for output in outputs:
            if isinstance(output, Transmit):
                message = parse(output.data)
                assert isinstance(message, Request | Response)
                self.sent.append(message)
        return outputs

    def begins(self) -> Outputs:
        return self.keep(self.session.begin())

    def rings(self) -> Outputs:
        return self.keep(self.session.ring(self.now))

    def accepts(self) -> Outputs:
        return self.keep(self.session.accept(ANSWER, self.now))

    def rejects(self, status: int) -> Callable[[], Outputs]:
        return lambda: self.keep(self.session.reject(status, self.now))

    def hangs_up(self) -> Outputs:
        return self.keep(self.session.hang_up(self.now))

    def fails(self) -> Outputs:
        return self.keep(self.session.fail("refused", self.now))

    def repeats(self) -> Outputs:
        message = parse(self.first)
        assert isinstance(message, Request)
        return self.hears(message)

    def hears(self, message: Request | Response) -> Outputs:
        return self.keep(self.session.receive(message, self.source, self.now))

    def after(self, seconds: float) -> Callable[[], Outputs]:
        def wait() -> Outputs:
            self.now += seconds
            outputs: Outputs = []
            while (at := self.session.deadline) is not None and at <= self.now:
                outputs += self.keep(self.session.handle_timeout(at))
            return outputs

        return wait

    def cancels(self, branch: str = "z9hG4bK-1") -> Callable[[], Outputs]:
        headers = Headers.of(
            ("via", f"SIP/2.0/UDP 192.0.2.2:5060;rport;branch={branch}"),
            ("from", self.invite.headers.get("from")),
            ("to", "<sip:+14255550100@192.0.2.1>"),
            ("call-id", "call-1"),
            ("cseq", "1 CANCEL"),
        )
        return lambda: self.hears(Request("CANCEL", self.invite.uri, headers))

    def within(self, method: str, cseq: int, body: bytes = b"") -> Callable[[], Outputs]:
        """A request of the caller within the dialog, or the ACK of our final."""
        tagged = next(each for each in reversed(self.sent) if isinstance(each, Response) and each.to_tag)
        refused = method == "ACK" and tagged.status >= 300
        branch = "z9hG4bK-1" if refused else f"z9hG4bK-{method}-{cseq}"
        headers = Headers.of(
            ("via", f"SIP/2.0/UDP 192.0.2.2:5060;rport;branch={branch}"),
            ("max-forwards", "70"),
            ("from", self.invite.headers.get("from")),
            ("to", tagged.headers.get("to")),
            ("call-id", "call-1"),
            ("cseq", f"{cseq} {method}"),
            *((("content-type", "application/sdp"),) if body else ()),
            *((("contact", "<sip:192.0.2.2:5060>"),) if method == "INVITE" else ()),
        )
        return lambda: self.hears(Request(method, "sip:192.0.2.1:5070", headers, body))

    def answers(self, status: int) -> Callable[[], Outputs]:
        """The caller answers our BYE."""
        bye = next(each for each in reversed(self.sent) if isinstance(each, Request))
        return lambda: self.hears(respond(bye, status))

    @property
    def last(self) -> Request | Response:
        return self.sent[-1]

    def answered(self) -> "Scene":
        self.begins()
        self.rings()
        self.accepts()
        return self

    def confirmed(self) -> "Scene":
        self.answered().within("ACK", 1)()
        return self


def test_it_tries_rings_answers_and_is_acknowledged() -> None:
    scene = Scene()
    assert Playbook() >> scene.begins << "100 INVITE"
    assert Playbook() >> scene.rings << "180 INVITE"
    assert Playbook() >> scene.accepts << "200 INVITE"
    assert Playbook() >> scene.within("ACK", 1) << "Acknowledged"
    assert scene.session.state is State.CONFIRMED
    answer = next(each for each in scene.sent if isinstance(each, Response) and each.status == 200)
    assert answer.body == ANSWER
    assert answer.headers.all("record-route") == ["<sip:192.0.2.9;lr>"]
    assert answer.headers.get("contact") == "<sip:192.0.2.1:5070>"
    assert answer.to_tag == "5eed5eed5eed5eed"
    assert "BYE" in answer.headers.get("allow")


def test_the_100_has_no_tag_and_the_180_makes_the_dialog() -> None:
    scene = Scene()
    scene.begins()
    scene.rings()
    trying, ringing = scene.sent
    assert isinstance(trying, Response)
    assert isinstance(ringing, Response)
    assert (trying.to_tag, ringing.to_tag) == ("", "5eed5eed5eed5eed")
    assert ringing.headers.get("contact")


def test_a_repeated_invite_gets_the_last_response_again_and_none_after_the_answer() -> None:
    scene = Scene()
    scene.begins()
    assert Playbook() >> scene.repeats << "100 INVITE"
    scene.rings()
    assert Playbook() >> scene.repeats << "180 INVITE"
    scene.accepts()
    assert Playbook() >> scene.repeats  # the 200 repeats by itself (section 13.3.1.4)


def test_the_answer_is_repeated_until_its_ack_then_given_up() -> None:
    scene = Scene().answered()
    assert Playbook() >> scene.after(0.5) << "200 INVITE"
    assert Playbook() >> scene.after(1) << "200 INVITE"
    scene.after(30)()
    outputs = Playbook() >> scene.after(0.5)
    assert outputs << "timer ACK" << "BYE" << "Unacknowledged"
    assert scene.session.state is State.RELEASING
    bye = scene.last
    assert isinstance(bye, Request)
    assert "408" in bye.headers.get("reason")
    assert Playbook() >> scene.answers(200)
    scene.after(40)()
    assert scene.session.done


@pytest.mark.parametrize("status", [403, 404, 480, 486, 488, 503, 603])
def test_a_refusal_is_told_once_repeated_and_acknowledged(status: int) -> None:
    scene = Scene()
    scene.begins()
    assert Playbook() >> scene.rejects(status) << f"{status} INVITE" << "Rejected"
    assert Playbook() >> scene.after(0.5) << f"{status} INVITE"
    assert Playbook() >> scene.within("ACK", 1)
    assert Playbook() >> scene.rejects(status)
    assert Playbook() >> scene.hangs_up
    scene.after(40)()
    assert scene.session.done


def test_a_refusal_without_ack_is_given_up() -> None:
    scene = Scene()
    scene.begins()
    scene.rejects(486)()
    scene.after(33)()
    assert scene.session.done


def test_over_tcp_a_refusal_is_sent_once_and_the_contact_says_so() -> None:
    scene = Scene(TCP)
    scene.begins()
    scene.rings()
    assert scene.last.headers.get("contact") == "<sip:192.0.2.1:5070;transport=tcp>"
    scene.rejects(486)()
    assert Playbook() >> scene.after(1)


def test_a_cancel_before_the_answer_ends_the_call_with_487() -> None:
    scene = Scene()
    scene.begins()
    scene.rings()
    assert Playbook() >> scene.cancels() << "200 CANCEL" << "487 INVITE" << "Cancelled"
    assert Playbook() >> scene.cancels() << "200 CANCEL"  # repeated
    assert Playbook() >> scene.accepts
    scene.after(40)()
    assert scene.session.done


def test_a_cancel_of_another_invite_gets_481() -> None:
    scene = Scene()
    scene.begins()
    assert Playbook() >> scene.cancels("z9hG4bK-other") << "481 CANCEL"
    assert scene.session.state is State.RECEIVED


def test_a_cancel_after_the_answer_is_answered_and_changes_nothing() -> None:
    scene = Scene().answered()
    assert Playbook() >> scene.cancels() << "200 CANCEL"
    assert scene.session.state is State.ANSWERED


def test_our_hang_up_before_the_answer_refuses() -> None:
    scene = Scene()
    scene.begins()
    assert Playbook() >> scene.hangs_up << "603 INVITE" << "Rejected"


def test_our_bye_waits_for_the_ack() -> None:
    scene = Scene().answered()
    assert Playbook() >> scene.hangs_up
    assert Playbook() >> scene.hangs_up
    assert Playbook() >> scene.within("ACK", 1) << "BYE"
    bye = scene.last
    assert isinstance(bye, Request)
    assert bye.uri == "sip:192.0.2.2:5060"
    assert bye.headers.all("route") == ["<sip:192.0.2.9;lr>"]
    assert bye.from_tag == "5eed5eed5eed5eed"
    assert Playbook() >> scene.answers(200) << "Released"


def test_waiting_for_the_ack_ends_at_its_timer_or_at_a_bye() -> None:
    scene = Scene().answered()
    scene.hangs_up()
    scene.after(33)()
    assert scene.session.state in {State.RELEASING, State.ENDED}
    other = Scene().answered()
    other.hangs_up()
    assert Playbook() >> other.within("BYE", 2) << "200 BYE" << "HungUp"


def test_both_sides_may_hang_up() -> None:
    scene = Scene().confirmed()
    assert Playbook() >> scene.hangs_up << "BYE"
    assert Playbook() >> scene.hangs_up
    assert Playbook() >> scene.within("BYE", 2) << "200 BYE" << "HungUp"
    other = Scene().confirmed()
    assert Playbook() >> other.within("BYE", 2) << "200 BYE" << "HungUp"
    assert Playbook() >> other.within("BYE", 2) << "200 BYE"


def test_a_bye_instead_of_the_ack_ends_the_repeats() -> None:
    scene = Scene().answered()
    assert Playbook() >> scene.within("BYE", 2) << "200 BYE" << "HungUp"
    outputs = scene.after(10)()
    assert not [each for each in outputs if isinstance(each, Transmit)]


def test_a_bye_before_the_answer_belongs_to_no_dialog() -> None:
    scene = Scene()
    scene.begins()
    scene.rings()
    assert Playbook() >> scene.within("BYE", 2) << "481 BYE"
    assert scene.session.state is State.RINGING


def test_a_bye_that_nobody_answers_is_given_up() -> None:
    scene = Scene().confirmed()
    scene.hangs_up()
    outputs = scene.after(33)()
    assert type(outputs[-1]).__name__ == "Released"


def test_offers_within_the_call_are_answered_refused_or_asked_for() -> None:
    scene = Scene().confirmed()
    assert Playbook() >> scene.within("INVITE", 2, b"hold") << "200 INVITE"
    assert scene.last.body == b"re-hold"
    scene.within("ACK", 2)()
    assert Playbook() >> scene.within("INVITE", 3, b"bad") << "488 INVITE"
    assert Playbook() >> scene.within("OPTIONS", 4) << "200 OPTIONS"
    assert Playbook() >> scene.within("INVITE", 5) << "200 INVITE"
    assert scene.last.body == b"re-offer"


def test_an_answer_within_the_call_that_is_never_acknowledged_ends_it() -> None:
    scene = Scene().confirmed()
    scene.within("INVITE", 2, b"hold")()
    scene.after(33)()
    assert scene.session.state in {State.RELEASING, State.ENDED}
    assert any(isinstance(each, Request) and each.method == "BYE" for each in scene.sent)


def test_the_response_goes_where_the_via_says_without_rport() -> None:
    scene = Scene(Destination("udp", "192.0.2.2", 33_333), rport=False)
    outputs = scene.session.begin()
    assert [each.to.port for each in outputs if isinstance(each, Transmit)] == [5060]


def test_a_transport_that_breaks_before_the_answer_ends_the_call() -> None:
    scene = Scene()
    scene.begins()
    assert Playbook() >> scene.fails << "Undeliverable refused"
    assert scene.session.state is State.ENDED


def test_a_transport_that_breaks_under_our_bye_releases() -> None:
    scene = Scene().confirmed()
    scene.hangs_up()
    assert Playbook() >> scene.fails << "Released"


STORIES: list[Callable[[], object]] = [
    test_it_tries_rings_answers_and_is_acknowledged,
    test_the_answer_is_repeated_until_its_ack_then_given_up,
    lambda: test_a_refusal_is_told_once_repeated_and_acknowledged(486),
    test_a_cancel_before_the_answer_ends_the_call_with_487,
    test_our_hang_up_before_the_answer_refuses,
    test_our_bye_waits_for_the_ack,
    test_waiting_for_the_ack_ends_at_its_timer_or_at_a_bye,
    test_both_sides_may_hang_up,
    test_a_bye_instead_of_the_ack_ends_the_repeats,
    test_an_answer_within_the_call_that_is_never_acknowledged_ends_it,
    test_a_transport_that_breaks_before_the_answer_ends_the_call,
]


def test_a_session_that_nobody_refreshes_ends() -> None:
    scene = Scene()
    scene.invite.headers.add("supported", "timer")
    scene.invite.headers.add("session-expires", "90;refresher=uac")
    scene.confirmed()
    assert Playbook() >> scene.after(59)
    assert Playbook() >> scene.after(1.1) << "timer session-expires" << "BYE"


def from_received(act: Callable[[Scene], Outputs]) -> None:
    """Each decision that may come while it has not rung yet may come while it rings."""
    for rung in (False, True):
        scene = Scene()
        scene.begins()
        if rung:
            scene.rings()
            scene.rings()
        act(scene)


def test_the_stories_run_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    run: set[tuple[str, Row]] = set()
    monkeypatch.setattr(Machine, "rows_run", run)
    for story in STORIES:
        story()
    test_a_session_that_nobody_refreshes_ends()
    from_received(Scene.accepts)
    from_received(Scene.hangs_up)
    from_received(Scene.fails)
    from_received(lambda scene: scene.cancels()())
    from_received(lambda scene: scene.rejects(480)())
    monkeypatch.undo()
    Machine.rows_run.update(run)  # they count for the whole run too
    ran = {row for name, row in run if name == "InboundSession"}
    assert set(InboundSession.TABLE) - ran == set()
