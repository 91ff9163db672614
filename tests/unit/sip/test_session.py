"""The outbound session: RFC 3261 sections 9.1, 12, 13.2, 14.2, 15.1 and 22, one behaviour a test."""

from collections.abc import Callable

import pytest

from onhook.effects import Destination, Transmit
from onhook.machine import Outputs
from onhook.sip.digest import Credentials
from onhook.sip.digest_server import make_challenge
from onhook.sip.messages import Headers, Request, Response, parse, respond
from onhook.sip.session import OutboundSession, State
from playbook import Playbook, describe

PEER = Destination("udp", "192.0.2.2", 5060)
OFFER = b"v=0\r\n"


class Scene:
    """A session and the far end's hand: what was sent last can be answered."""

    def __init__(self, *, credentials: Credentials | None = None, peer: Destination = PEER) -> None:
        self.session = OutboundSession(
            leg="leg",
            seed="5eed5eed5eed5eed",
            peer=peer,
            local=("192.0.2.1", 5070),
            target="+14255550200",
            caller="+14255550100",
            display_name='The "Bot"',
            credentials=credentials,
            no_response_seconds=10.0,
            answer_offer=lambda offer: b"answer to " + (offer or b"nothing"),
            now=0.0,
        )
        self.now = 0.0
        self.sent: list[tuple[Request | Response, Destination]] = []

    def keep(self, outputs: Outputs) -> Outputs:
        for output in outputs:
            if isinstance(output, Transmit):
                message = parse(output.data)
                assert isinstance(message, Request | Response)
                self.sent.append((message, output.to))
        return outputs

    def last(self, method: str) -> Request:
        return next(m for m, _ in reversed(self.sent) if isinstance(m, Request) and m.method == method)

    def dials(self) -> Outputs:
        return self.keep(self.session.dial(OFFER, self.now))

    def hangs_up(self) -> Outputs:
        return self.keep(self.session.hang_up(self.now))

    def gets(
        self, status: int, to: str = "INVITE", tag: str = "far", *headers: tuple[str, str], body: bytes = b""
    ) -> Callable[[], Outputs]:
        """The far end answers our last request of method `to`."""

        def receive() -> Outputs:
            response = respond(self.last(to), status, to_tag=tag)
            if status < 300 and to == "INVITE":
                response.headers.add("contact", "<sip:far@192.0.2.9:5090>")
            for name, value in headers:
                response.headers.add(name, value)
            response.body = body
            return self.keep(self.session.receive(parsed(response), PEER, self.now))

        return receive

    def asked(self, method: str, cseq: int = 1, branch: str = "", **changes: str) -> Callable[[], Outputs]:
        """The far end sends a request within the dialog."""

        def receive() -> Outputs:
            headers = Headers.of(
                ("via", f"SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bK{branch or method}{cseq};rport"),
                ("from", changes.get("from_", "<sip:+14255550200@192.0.2.2>;tag=far")),
                ("to", changes.get("to", "<sip:+14255550100@192.0.2.1>;tag=5eed5eed5eed5eed")),
                ("call-id", self.session.call_id),
                ("cseq", f"{cseq} {method}"),
                ("max-forwards", "70"),
            )
            if contact := changes.get("contact"):
                headers.add("contact", contact)
            if body := changes.get("body"):
                headers.add("content-type", "application/sdp")
            request = Request(method, "sip:us", headers, (body or "").encode())
            return self.keep(self.session.receive(parsed(request), PEER, self.now))

        return receive

    def at(self, now: float) -> Callable[[], Outputs]:
        def run() -> Outputs:
            self.now = now
            return self.keep(self.session.handle_timeout(now))

        return run

    def connected(self) -> "Scene":
        assert Playbook(self.dials()) << "INVITE"
        assert Playbook() >> self.gets(200) << "ACK" << "Answered 200"
        return self


def parsed(message: Request | Response) -> Request | Response:
    read = parse(message.to_bytes())
    assert isinstance(read, Request | Response)
    return read


# Setting up


def test_the_invite_says_who_calls_whom() -> None:
    scene = Scene()
    scene.dials()
    invite = scene.last("INVITE")
    assert invite.uri == "sip:+14255550200@192.0.2.2:5060;user=phone"
    assert invite.from_ is not None
    assert invite.from_.uri == "sip:+14255550100@192.0.2.1;user=phone"
    assert '"The \\"Bot\\""' in invite.headers.get("from")
    assert invite.from_tag == "5eed5eed5eed5eed"
    assert invite.headers.get("contact") == "<sip:+14255550100@192.0.2.1:5070>"
    assert invite.headers.get("content-type") == "application/sdp"
    assert invite.body == OFFER
    assert invite.via is not None
    assert "rport" in invite.via.params


def test_answered_hung_up_by_us() -> None:
    scene = Scene()
    play = Playbook(scene.dials()) << "INVITE"
    assert play >> scene.gets(100) >> scene.gets(180) << "Rang 180"
    assert Playbook() >> scene.gets(200) << "ACK" << "Answered 200"
    assert Playbook(scene.hangs_up()) << "BYE"
    assert Playbook() >> scene.gets(200, "BYE") << "Released"
    assert scene.session.state is State.ENDED
    assert not scene.session.done
    assert Playbook() >> scene.at(60.0)
    assert scene.session.done


def test_the_ack_goes_to_the_contact_with_the_number_of_the_invite() -> None:
    scene = Scene().connected()
    ack, to = next((m, to) for m, to in scene.sent if isinstance(m, Request) and m.method == "ACK")
    assert isinstance(ack, Request)
    assert (ack.uri, to) == ("sip:far@192.0.2.9:5090", Destination("udp", "192.0.2.9", 5090))
    assert ack.headers.get("cseq") == "1 ACK"
    assert ack.branch != scene.last("INVITE").branch
    assert ack.to_tag == "far"


def test_the_route_set_is_the_record_route_backwards() -> None:
    scene = Scene()
    scene.dials()
    routes = ("record-route", "<sip:near.example;lr>, <sip:192.0.2.7:5099;lr>")
    scene.gets(200, "INVITE", "far", routes)()
    ack, to = scene.sent[-1]
    assert ack.headers.all("route") == ["<sip:192.0.2.7:5099;lr>", "<sip:near.example;lr>"]
    assert to == Destination("udp", "192.0.2.7", 5099)
    assert isinstance(ack, Request)
    assert ack.uri == "sip:far@192.0.2.9:5090"


def test_a_strict_router_is_put_into_the_request_uri() -> None:
    """Section 12.2.1.1: the Contact moves to the end of the routes."""
    scene = Scene()
    scene.dials()
    scene.gets(200, "INVITE", "far", ("record-route", "<sip:192.0.2.7>"))()
    ack, _ = scene.sent[-1]
    assert isinstance(ack, Request)
    assert ack.uri == "sip:192.0.2.7"
    assert ack.headers.all("route") == ["<sip:far@192.0.2.9:5090>"]


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_a_refusal_is_acknowledged_and_told_once(status: int) -> None:
    scene = Scene()
    play = Playbook(scene.dials()) << "INVITE" >> scene.gets(180) << "Rang 180"
    assert play >> scene.gets(status) << "ACK" << f"Refused {status}" >> scene.gets(status) << "ACK"
    assert scene.session.state is State.ENDED


def test_without_any_response_the_session_gives_up_and_stops_repeating() -> None:
    scene = Scene()
    play = Playbook(scene.dials()) << "INVITE"
    for due in (0.5, 1.5, 3.5, 7.5):
        play = play >> scene.at(due) << "INVITE"
    assert play >> scene.at(10.0) << "timer no-response" << "Unanswered no-response"
    assert Playbook() >> scene.at(32.0) << "timer B"
    assert scene.session.done


def test_a_response_after_giving_up_is_cancelled() -> None:
    scene = Scene()
    scene.dials()
    scene.at(10.0)()
    assert Playbook() >> scene.gets(180) << "CANCEL" >> scene.gets(200, "CANCEL")
    assert Playbook() >> scene.gets(487) << "ACK"


def test_timer_b_ends_a_session_without_a_shorter_limit() -> None:
    scene = Scene()
    scene.session.no_response_seconds = 40.0
    scene.dials()
    assert Playbook() >> scene.at(32.0) << "INVITE" << "timer B" << "Unanswered B"


def test_what_cannot_be_carried_ends_the_session() -> None:
    scene = Scene()
    scene.dials()
    assert [describe(out) for out in scene.session.fail("refused", 0.1)] == ["Undeliverable refused"]
    assert scene.session.state is State.ENDED
    assert scene.session.fail("refused", 0.2) == []


# CANCEL, section 9.1


def test_hanging_up_while_it_rings_cancels() -> None:
    scene = Scene()
    scene.dials()
    scene.gets(180)()
    assert Playbook(scene.hangs_up()) << "CANCEL"
    invite, cancel = scene.last("INVITE"), scene.last("CANCEL")
    assert cancel.branch == invite.branch
    assert cancel.uri == invite.uri
    assert cancel.headers.get("to") == invite.headers.get("to")
    assert cancel.headers.get("cseq") == "1 CANCEL"
    assert Playbook() >> scene.gets(200, "CANCEL") >> scene.gets(487) << "ACK" << "Refused 487"


def test_hanging_up_before_any_response_waits_with_the_cancel() -> None:
    scene = Scene()
    scene.dials()
    assert Playbook(scene.hangs_up())
    assert Playbook(scene.hangs_up())
    assert Playbook() >> scene.gets(100) << "CANCEL" >> scene.gets(487) << "ACK" << "Refused 487"


def test_hanging_up_before_any_response_keeps_repeating_the_invite() -> None:
    """The response may be what was lost; without it the phone would ring on, and never be cancelled."""
    scene = Scene()
    scene.dials()
    scene.hangs_up()
    assert Playbook() >> scene.at(0.5) << "INVITE" >> scene.at(1.5) << "INVITE"
    assert Playbook() >> scene.gets(180) << "CANCEL" >> scene.at(3.5) << "CANCEL"
    assert Playbook() >> scene.gets(487) << "ACK" << "Refused 487"


def test_a_call_given_up_stops_repeating_its_invite_after_the_no_response_time() -> None:
    scene = Scene()
    scene.dials()
    scene.hangs_up()
    for due in (0.5, 1.5, 3.5, 7.5):
        assert Playbook() >> scene.at(due) << "INVITE"
    assert Playbook() >> scene.at(10.0) << "timer no-response" << "Unanswered no-response"
    assert Playbook() >> scene.at(31.9)
    assert Playbook() >> scene.at(32.0) << "timer B"
    assert scene.session.done


@pytest.mark.parametrize("status", [180, 200])
def test_an_answer_that_crosses_the_cancel_is_taken_and_released(status: int) -> None:
    scene = Scene()
    scene.dials()
    scene.gets(180)()
    scene.hangs_up()
    if status == 180:
        assert Playbook() >> scene.gets(183)
    assert Playbook() >> scene.gets(200) << "ACK" << "BYE" << "CancelCrossed 200"
    assert Playbook() >> scene.gets(200) << "ACK"
    assert Playbook() >> scene.gets(200, "BYE")
    assert scene.session.state is State.ENDED


def test_an_answer_to_a_call_given_up_before_any_response_is_released() -> None:
    scene = Scene()
    scene.dials()
    scene.hangs_up()
    assert Playbook() >> scene.gets(200) << "ACK" << "BYE" << "CancelCrossed 200"


def test_a_cancel_that_brings_no_final_response_expires() -> None:
    scene = Scene()
    scene.dials()
    scene.gets(180)()
    scene.hangs_up()
    scene.gets(200, "CANCEL")()
    assert Playbook() >> scene.at(32.0) << "timer CANCEL" << "Unanswered CANCEL"


def test_two_hundred_answers_crossing_the_cancel_are_all_taken_and_released() -> None:
    """Each of 200 sessions: the 2xx crosses the CANCEL, comes twice, and its BYE is answered."""
    for number in range(200):
        scene = Scene()
        scene.dials()
        scene.gets(180)()
        scene.hangs_up()
        if number % 2:
            assert Playbook() >> scene.gets(200, "CANCEL")
        assert Playbook() >> scene.gets(200) << "ACK" << "BYE" << "CancelCrossed 200"
        assert Playbook() >> scene.gets(200) << "ACK"
        assert Playbook() >> scene.gets(200, "BYE")
        scene.at(64.0)()
        scene.at(128.0)()
        assert scene.session.done


# Forks, section 13.2.2.4


def test_a_second_far_end_that_answers_is_released_and_the_first_stays() -> None:
    scene = Scene().connected()
    assert Playbook() >> scene.gets(200, "INVITE", "other") << "ACK" << "BYE"
    bye = scene.last("BYE")
    assert bye.to_tag == "other"
    assert Playbook() >> scene.gets(200, "BYE")
    assert scene.session.state is State.CONFIRMED
    assert Playbook() >> scene.gets(200) << "ACK"
    assert scene.sent[-1][0].to_tag == "far"


def test_a_late_answer_of_a_fork_is_released_even_after_the_end() -> None:
    scene = Scene().connected()
    scene.hangs_up()
    scene.gets(200, "BYE")()
    assert scene.session.state is State.ENDED
    scene.now = 40.0
    scene.at(40.0)()
    assert Playbook() >> scene.gets(200, "INVITE", "late") << "ACK" << "BYE"
    assert scene.last("BYE").to_tag == "late"


# Within the dialog, sections 12.2, 14.2, 15.1.2


def test_the_far_end_hangs_up() -> None:
    scene = Scene().connected()
    bye = scene.asked("BYE")
    assert Playbook() >> bye << "200 BYE" << "HungUp" >> bye << "200 BYE"
    assert scene.session.state is State.ENDED
    answer, to = scene.sent[-1]
    assert to == PEER  # rport: where the request came from
    assert answer.headers.get("via").endswith(";rport=5060;received=192.0.2.2")


def test_byes_that_cross_end_the_session_once() -> None:
    scene = Scene().connected()
    scene.hangs_up()
    assert Playbook() >> scene.asked("BYE") << "200 BYE" << "HungUp" >> scene.gets(200, "BYE")


def test_a_bye_that_nobody_answers_ends_the_session_at_timer_f() -> None:
    scene = Scene().connected()
    scene.hangs_up()
    for due in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5):
        scene.at(due)()
    assert Playbook() >> scene.at(32.0) << "timer F" << "Released"


def test_a_bye_refused_with_481_ends_the_session() -> None:
    scene = Scene().connected()
    scene.hangs_up()
    assert Playbook() >> scene.gets(481, "BYE") << "Released"


@pytest.mark.parametrize(
    ("method", "changes", "expected"),
    [
        ("BYE", {"to": "<sip:us>;tag=nobody"}, "481 BYE"),
        ("BYE", {"from_": "<sip:far>;tag=nobody"}, "481 BYE"),
        ("CANCEL", {}, "481 CANCEL"),
        ("OPTIONS", {}, "200 OPTIONS"),
        ("REFER", {}, "405 REFER"),
        ("INFO", {}, "200 INFO"),
    ],
)
def test_other_requests_get_their_answer(method: str, changes: dict[str, str], expected: str) -> None:
    scene = Scene().connected()
    assert Playbook() >> scene.asked(method, 1, "", **changes) << expected
    assert scene.session.state is State.CONFIRMED


def test_a_request_before_any_dialog_gets_481() -> None:
    scene = Scene()
    scene.dials()
    assert Playbook() >> scene.asked("BYE") << "481 BYE"


def test_a_request_with_an_old_number_gets_500() -> None:
    scene = Scene().connected()
    assert Playbook() >> scene.asked("OPTIONS", 5) << "200 OPTIONS"
    assert Playbook() >> scene.asked("OPTIONS", 4) << "500 OPTIONS"


def test_a_reinvite_is_answered_repeated_and_acknowledged() -> None:
    scene = Scene().connected()
    invite = scene.asked("INVITE", 2, body="hold", contact="<sip:moved@192.0.2.8>")
    assert Playbook() >> invite << "200 INVITE"
    answer = scene.sent[-1][0]
    assert answer.body == b"answer to hold"
    assert Playbook() >> scene.asked("INVITE", 3, "b") << "491 INVITE"
    assert Playbook() >> scene.at(0.5) << "491 INVITE" << "200 INVITE"
    assert Playbook() >> scene.asked("ACK", 2, "ack")
    scene.asked("ACK", 3, "b")()
    assert Playbook() >> scene.at(1.5)
    scene.hangs_up()
    assert scene.sent[-1][1] == Destination("udp", "192.0.2.8", 5060)  # the target was refreshed


def test_a_reinvite_whose_answer_is_never_acknowledged_ends_the_session() -> None:
    """Section 14.2: give up waiting after 64*T1, and send BYE."""
    scene = Scene().connected()
    assert Playbook() >> scene.asked("INVITE", 2, body="x") << "200 INVITE"
    heard: list[str] = []
    for tick in range(1, 66):
        heard += [describe(output) for output in scene.at(tick * 0.5)()]
    assert heard[heard.index("timer ACK") + 1] == "BYE"
    assert heard.count("200 INVITE") == 10
    assert Playbook() >> scene.gets(200, "BYE") << "Released"


def test_an_update_without_an_offer_refreshes_only() -> None:
    scene = Scene().connected()
    assert Playbook() >> scene.asked("UPDATE", contact="<sip:moved@192.0.2.8>") << "200 UPDATE"
    assert scene.sent[-1][0].body == b""


# Credentials, section 22


def challenge(algorithm: str = "SHA-256", nonce: str = "n1", *, stale: bool = False) -> tuple[str, str]:
    return ("www-authenticate", make_challenge("far.example", nonce, algorithm, stale=stale))


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_challenge_is_answered_with_a_new_invite(algorithm: str) -> None:
    scene = Scene(credentials=Credentials("user", "secret"))
    play = Playbook(scene.dials()) << "INVITE"
    first = scene.last("INVITE")
    assert play >> scene.gets(401, "INVITE", "far", challenge(algorithm)) << "ACK" << "INVITE"
    second = scene.last("INVITE")
    assert second.headers.get("cseq") == "2 INVITE"
    assert second.branch != first.branch
    assert (second.call_id, second.from_tag) == (first.call_id, first.from_tag)
    assert f"algorithm={algorithm}" in second.headers.get("authorization")
    assert Playbook() >> scene.gets(200) << "ACK" << "Answered 200"
    assert scene.last("ACK").headers.get("authorization") == second.headers.get("authorization")
    assert scene.last("ACK").headers.get("cseq") == "2 ACK"


def test_credentials_refused_twice_are_not_sent_a_third_time() -> None:
    scene = Scene(credentials=Credentials("user", "wrong"))
    scene.dials()
    scene.gets(401, "INVITE", "far", challenge())()
    assert Playbook() >> scene.gets(401, "INVITE", "far", challenge()) << "ACK" << "Refused 401"


def test_a_stale_nonce_is_renewed() -> None:
    scene = Scene(credentials=Credentials("user", "secret"))
    scene.dials()
    scene.gets(401, "INVITE", "far", challenge())()
    again = scene.gets(401, "INVITE", "far", challenge(nonce="n2", stale=True))
    assert Playbook() >> again << "ACK" << "INVITE"
    assert 'nonce="n2"' in scene.last("INVITE").headers.get("authorization")


def test_without_credentials_a_challenge_is_a_refusal() -> None:
    scene = Scene()
    scene.dials()
    assert Playbook() >> scene.gets(407, "INVITE", "far", challenge()) << "ACK" << "Refused 407"


def test_a_challenged_bye_is_sent_again_with_credentials_of_its_own() -> None:
    scene = Scene(credentials=Credentials("user", "secret")).connected()
    scene.hangs_up()
    assert Playbook() >> scene.gets(401, "BYE", "far", challenge()) << "BYE"
    assert "authorization" in scene.last("BYE").headers
    assert Playbook() >> scene.gets(200, "BYE") << "Released"


def test_a_bye_challenged_in_vain_ends_the_session() -> None:
    scene = Scene(credentials=Credentials("user", "wrong")).connected()
    scene.hangs_up()
    scene.gets(401, "BYE", "far", challenge())()
    assert Playbook() >> scene.gets(401, "BYE", "far", challenge()) << "Released"


def test_hanging_up_between_challenge_and_answer() -> None:
    scene = Scene(credentials=Credentials("user", "secret"))
    scene.dials()
    scene.gets(180)()
    scene.hangs_up()
    assert Playbook() >> scene.gets(401, "INVITE", "far", challenge()) << "ACK" << "Refused 401"


def test_a_challenge_after_ringing_is_answered_too() -> None:
    scene = Scene(credentials=Credentials("user", "secret"))
    scene.dials()
    scene.gets(183)()
    assert Playbook() >> scene.gets(401, "INVITE", "far", challenge()) << "ACK" << "INVITE"
    assert scene.session.state is State.CALLING


def test_a_challenge_to_a_call_given_up_is_its_end() -> None:
    scene = Scene(credentials=Credentials("user", "secret"))
    scene.dials()
    scene.hangs_up()
    assert Playbook() >> scene.gets(401, "INVITE", "far", challenge()) << "ACK" << "Refused 401"


# Transports that break, section 17.1.4


def test_a_transport_that_breaks_while_it_rings_ends_the_session_only_when_it_is_told_so() -> None:
    """Nothing is under way then: the INVITE has its provisional response, and waits without repeating."""
    scene = Scene()
    scene.dials()
    scene.gets(180)()
    assert scene.session.fail("reset", 1.0) == []
    assert Playbook(scene.hangs_up()) << "CANCEL"


# Equal inputs, equal bytes


def test_two_sessions_with_one_seed_send_the_same_bytes() -> None:
    scenes = [Scene(credentials=Credentials("user", "secret")) for _ in range(2)]
    for scene in scenes:
        scene.dials()
        scene.gets(401, "INVITE", "far", challenge())()
        scene.gets(200)()
        scene.hangs_up()
    first, second = ([message.to_bytes() for message, _ in scene.sent] for scene in scenes)
    assert first == second
    assert len(first) == 5


def test_responses_that_belong_to_nothing_are_ignored() -> None:
    scene = Scene().connected()
    stray = respond(scene.last("INVITE"), 200, to_tag="far")
    stray.headers.set("via", "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKother")
    assert scene.session.receive(parsed(stray), PEER, 1.0) == []
    stray.headers.set("cseq", "1 BYE")
    assert scene.session.receive(parsed(stray), PEER, 1.0) == []


def test_a_call_too_long_for_udp_is_set_up_and_cancelled_by_tcp() -> None:
    session = OutboundSession(
        leg="leg",
        seed="5eed5eed5eed5eed",
        peer=Destination("udp", "192.0.2.2", 0),
        local=("2001:db8::1", 5070),
        target="+14255550200",
        caller="+14255550100",
        now=0.0,
    )
    (invite,) = [each for each in session.dial(b"v" * 1_300, 0.0) if isinstance(each, Transmit)]
    assert invite.to == Destination("tcp", "192.0.2.2", 0)
    head = invite.data.decode()
    assert head.startswith("INVITE sip:+14255550200@192.0.2.2;user=phone SIP/2.0\r\n")
    assert "\r\nVia: SIP/2.0/TCP [2001:db8::1]:5070;" in head
    assert "\r\nContact: <sip:+14255550100@[2001:db8::1]:5070>" in head
    assert "\r\nFrom: <sip:+14255550100@[2001:db8::1];user=phone>;tag=" in head
    asked = parse(invite.data)
    assert isinstance(asked, Request)
    session.receive(respond(asked, 180, to_tag="far"), invite.to, 1.0)
    (cancel,) = [each for each in session.hang_up(1.5) if isinstance(each, Transmit)]
    assert cancel.to == invite.to
    assert b"\r\nVia: SIP/2.0/TCP [2001:db8::1]:5070;" in cancel.data
