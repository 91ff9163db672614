"""Our REFER within a session, for calls that went out and calls that came in (RFC 3515, 3892, 4488, 6665)."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from onhook.effects import Destination, Transmit
from onhook.machine import Machine, Outputs, Row
from onhook.sip.digest import Credentials
from onhook.sip.digest_server import make_challenge
from onhook.sip.inbound import InboundSession
from onhook.sip.messages import Headers, Request, Response, parse, respond
from onhook.sip.refer import read_notify, refer_to, referred_by
from onhook.sip.referral import ReferDone, ReferFailed, ReferProgressed, Referral
from onhook.sip.session import OutboundSession
from onhook.sip.uri import SipUri, parse_uri
from playbook import describe

FAR = Destination("udp", "192.0.2.2", 5060)
TARGET = "<sip:+14255550300@192.0.2.2:5060;user=phone>"
US = "<sip:+14255550100@192.0.2.1>;tag=5eed5eed5eed5eed"
THEM = "<sip:+14255550200@192.0.2.2>;tag=far"
SECONDS = 60.0
Kind = Literal["out", "in"]
kinds = pytest.mark.parametrize("kind", ["out", "in"])


class Scene:
    """A session that is up, and the far end's hand."""

    def __init__(self, kind: Kind, *, credentials: Credentials | None = None, allow: str = "") -> None:
        self.now, self.number = 0.0, 10
        self.sent: list[Request | Response] = []
        self.session = (
            self._went_out(credentials, allow) if kind == "out" else self._came_in(credentials, allow)
        )

    def _went_out(self, credentials: Credentials | None, allow: str) -> OutboundSession:
        session = OutboundSession(
            leg="leg",
            seed="5eed5eed5eed5eed",
            peer=FAR,
            local=("192.0.2.1", 5070),
            target="+14255550200",
            caller="+14255550100",
            credentials=credentials,
            now=0.0,
        )
        self.keep(session.dial(b"offer", 0.0))
        answer = respond(self.last("INVITE"), 200, to_tag="far")
        answer.headers.add("contact", "<sip:far@192.0.2.9:5090>")
        if allow:
            answer.headers.add("allow", allow)
        self.keep(session.receive(answer, FAR, 0.0))
        return session

    def _came_in(self, credentials: Credentials | None, allow: str) -> InboundSession:
        invite = self.request("INVITE", ("contact", "<sip:far@192.0.2.9:5090>"), to=US.partition(";")[0])
        if allow:
            invite.headers.add("allow", allow)
        session = InboundSession(
            invite,
            leg="leg",
            seed="5eed5eed5eed5eed",
            source=FAR,
            local=("192.0.2.1", 5070),
            answer_offer=lambda _: None,
            credentials=credentials,
            now=0.0,
        )
        self.keep(session.accept(b"answer", 0.0))
        ack = self.request("ACK")
        ack.headers.set("cseq", invite.headers.get("cseq").replace("INVITE", "ACK"))
        self.keep(session.receive(ack, FAR, 0.0))
        return session

    def request(self, method: str, *extra: tuple[str, str], to: str = US, body: bytes = b"") -> Request:
        self.number += 1
        headers = Headers.of(
            ("via", f"SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bKfar{self.number};rport"),
            ("from", THEM),
            ("to", to),
            ("call-id", "call-1" if not self.sent else self.sent[0].call_id),
            ("cseq", f"{self.number} {method}"),
            ("max-forwards", "70"),
            *extra,
        )
        return Request(method, "sip:us", headers, body)

    def keep(self, outputs: Outputs) -> list[str]:
        """What came out, in words; messages are kept."""
        for output in outputs:
            if isinstance(output, Transmit):
                message = parse(output.data)
                assert isinstance(message, Request | Response)
                self.sent.append(message)
        return [told(output) for output in outputs]

    def last(self, method: str) -> Request:
        return next(m for m in reversed(self.sent) if isinstance(m, Request) and m.method == method)

    def refers(self, seconds: float = SECONDS) -> list[str]:
        return self.keep(self.session.refer(TARGET, seconds, self.now))

    def answers(self, status: int, *headers: tuple[str, str], to: str = "REFER") -> list[str]:
        response = respond(self.last(to), status)
        for name, value in headers:
            response.headers.add(name, value)
        return self.hears(response)

    def notifies(
        self, line: str, state: str = "active;expires=60", event: str = "refer", **more: Any
    ) -> list[str]:
        body = f"{line}\r\n".encode() if line else b""
        content = (("content-type", more.get("content", "message/sipfrag;version=2.0")),) if line else ()
        headers = (("event", event), ("subscription-state", state), *content)
        return self.hears(self.request("NOTIFY", *headers, body=body))

    def hears(self, message: Request | Response) -> list[str]:
        read = parse(message.to_bytes())
        assert isinstance(read, Request | Response)
        return self.keep(self.session.receive(read, FAR, self.now))

    def waits(self, seconds: float) -> list[str]:
        end, heard = self.now + seconds, list[str]()
        while (at := self.session.deadline) is not None and at <= end:
            self.now = max(self.now, at)
            heard += self.keep(self.session.handle_timeout(self.now))
        self.now = end
        return heard

    def hangs_up(self) -> list[str]:
        return self.keep(self.session.hang_up(self.now))


def told(output: object) -> str:
    match output:
        case ReferProgressed(status):
            return f"progress {status}"
        case ReferDone(status):
            return f"done {status}"
        case ReferFailed(why, status, phrase):
            return f"failed {why} {status} {phrase}".strip()
        case _:
            return describe(output)


# What we ask


@kinds
def test_a_refer_names_the_target_and_who_refers(kind: Kind) -> None:
    scene = Scene(kind)
    assert scene.refers() == ["REFER"]
    refer = scene.last("REFER")
    assert refer.uri == "sip:far@192.0.2.9:5090"
    assert refer.headers.get("refer-to") == TARGET
    assert refer.headers.get("referred-by").startswith("<sip:+14255550100@192.0.2.1")
    assert ";tag" not in refer.headers.get("referred-by")
    assert "192.0.2.1:5070" in refer.headers.get("contact")
    assert refer.via is not None
    assert "rport" in refer.via.params
    assert (refer.to_tag, refer.from_tag) == ("far", "5eed5eed5eed5eed")


def test_headers_for_the_target_stand_escaped_in_the_uri() -> None:
    written = refer_to("+14255550300", Destination("tcp", "sbc", 5061), [("User-to-User", "61;encoding=hex")])
    assert written == (
        "<sip:+14255550300@sbc:5061;user=phone;transport=tcp?User-to-User=61%3Bencoding%3Dhex>"
    )
    uri = parse_uri(written[1:-1])
    assert isinstance(uri, SipUri)
    assert uri.headers == (("User-to-User", "61%3Bencoding%3Dhex"),)


def test_without_headers_the_target_is_bare_and_v6_has_brackets() -> None:
    assert refer_to("+1425", Destination("udp", "::1", 5060)) == "<sip:+1425@[::1]:5060;user=phone>"
    assert referred_by('"Bot" <sip:+1425@h>;tag=1') == "<sip:+1425@h>"
    assert referred_by("<<") == "<<"


@kinds
def test_what_the_far_end_takes_is_known_from_allow(kind: Kind) -> None:
    assert "REFER" in Scene(kind, allow="INVITE, ACK, refer").session.inside.allowed_there
    assert Scene(kind).session.inside.allowed_there == frozenset()
    scene = Scene(kind)
    assert scene.hears(scene.request("OPTIONS", ("allow", "BYE"))) == ["200 OPTIONS"]
    assert scene.session.inside.allowed_there == {"BYE"}


# How it goes


@kinds
def test_the_target_answers(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    assert scene.answers(202) == []
    assert scene.notifies("SIP/2.0 100 Trying") == ["200 NOTIFY", "progress 100"]
    assert scene.notifies("SIP/2.0 180 Ringing") == ["200 NOTIFY", "progress 180"]
    done = scene.notifies("SIP/2.0 200 OK", "terminated;reason=noresource")
    assert done == ["200 NOTIFY", "done 200"]
    assert scene.notifies("SIP/2.0 200 OK", "terminated") == ["481 NOTIFY"]
    assert scene.hangs_up() == ["BYE"]
    assert scene.answers(200, to="BYE") == ["Released"]


@kinds
def test_a_notify_may_be_faster_than_the_202(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    assert scene.notifies("SIP/2.0 100 Trying") == ["200 NOTIFY", "progress 100"]
    assert scene.notifies("SIP/2.0 200 OK", "terminated") == ["200 NOTIFY", "done 200"]
    assert scene.answers(202) == []
    assert scene.waits(120) == []


@kinds
def test_the_target_refuses_and_the_call_goes_on(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    scene.answers(202)
    refused = scene.notifies("SIP/2.0 486 Busy Here", "terminated;reason=noresource")
    assert refused == ["200 NOTIFY", "failed target 486 Busy Here"]
    assert scene.hangs_up() == ["BYE"]


@kinds
@pytest.mark.parametrize("status", [403, 405, 481, 503, 603])
def test_the_refer_is_refused(kind: Kind, status: int) -> None:
    scene = Scene(kind)
    scene.refers()
    phrase = respond(scene.last("REFER"), status).reason
    assert scene.answers(status) == [f"failed refused {status} {phrase}"]
    assert scene.notifies("SIP/2.0 200 OK") == ["481 NOTIFY"]
    assert scene.refers() == ["REFER"]


@kinds
def test_a_second_refer_waits_for_the_first(kind: Kind) -> None:
    scene = Scene(kind)
    assert scene.refers() == ["REFER"]
    assert scene.refers() == []


@kinds
def test_the_subscription_ends_without_an_outcome(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    scene.answers(202)
    assert scene.notifies("", "terminated;reason=giveup") == ["200 NOTIFY", "failed untold 0 giveup"]


@kinds
def test_a_notify_that_says_nothing_changes_nothing(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    scene.answers(202)
    assert scene.notifies("") == ["200 NOTIFY"]
    assert scene.notifies("SIP/2.0 what") == ["200 NOTIFY"]


@kinds
def test_no_response_at_all(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    repeated = scene.waits(33)
    assert repeated[-2:] == ["timer F", "failed timeout 0"]
    assert set(repeated[:-2]) == {"REFER"}


@kinds
def test_the_time_for_all_of_it_runs_out(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    scene.answers(202)
    assert scene.waits(59.9) == []
    assert scene.waits(0.2) == ["timer transfer", "failed timeout 0"]
    assert scene.notifies("SIP/2.0 200 OK", "terminated") == ["481 NOTIFY"]


@kinds
def test_the_transport_breaks(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    assert scene.keep(scene.session.fail("refused", 1.0)) == ["failed undeliverable 0 refused"]
    assert scene.refers() == ["REFER"]


@kinds
def test_a_2xx_may_say_that_no_notify_follows(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    assert scene.answers(202, ("refer-sub", "false")) == ["done 0"]


# Who leaves meanwhile


@kinds
def test_a_far_end_that_agreed_and_leaves_went_to_the_target(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    scene.answers(202)
    assert scene.hears(scene.request("BYE")) == ["200 BYE", "done 0", "HungUp"]
    assert scene.waits(120) == []


@kinds
def test_a_far_end_that_leaves_without_agreeing_just_left(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    assert scene.hears(scene.request("BYE")) == ["200 BYE", "failed left 0", "HungUp"]
    assert scene.answers(481) == []


@kinds
def test_it_leaves_while_a_glare_is_waited_for(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    scene.answers(491)
    assert scene.hears(scene.request("BYE")) == ["200 BYE", "failed left 0", "HungUp"]
    assert scene.waits(60) == []


@kinds
def test_a_bye_after_a_referral_says_nothing_more_of_it(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    scene.answers(603)
    assert scene.hears(scene.request("BYE")) == ["200 BYE", "HungUp"]


@kinds
@pytest.mark.parametrize("before", ["nothing", 202, 491, 603])
def test_our_hang_up_drops_it(kind: Kind, before: str | int) -> None:
    scene = Scene(kind)
    scene.refers()
    if isinstance(before, int):
        scene.answers(before)
    assert scene.hangs_up() == ["BYE"]
    assert scene.answers(200, to="BYE") == ["Released"]
    assert not [each for each in scene.waits(120) if each.startswith(("failed", "done", "timer transfer"))]
    assert scene.session.done


@kinds
def test_nothing_is_asked_of_a_session_that_is_not_up(kind: Kind) -> None:
    scene = Scene(kind)
    scene.hangs_up()
    assert scene.refers() == []


# Asked again


@kinds
def test_credentials_are_shown_when_asked_for(kind: Kind) -> None:
    scene = Scene(kind, credentials=Credentials("bot", "secret"))
    scene.refers()
    first = scene.last("REFER").cseq
    challenge = ("www-authenticate", make_challenge("realm", "nonce", "MD5"))
    assert scene.answers(401, challenge) == ["REFER"]
    again = scene.last("REFER")
    assert 'username="bot"' in again.headers.get("authorization")
    assert first is not None
    assert again.cseq is not None
    assert again.cseq.number == first.number + 1
    assert scene.answers(202) == []
    assert scene.notifies("SIP/2.0 200 OK", event=f"refer;id={again.cseq.number}") == [
        "200 NOTIFY",
        "done 200",
    ]


@kinds
def test_credentials_that_are_refused_twice_end_it(kind: Kind) -> None:
    scene = Scene(kind, credentials=Credentials("bot", "wrong"))
    scene.refers()
    challenge = ("proxy-authenticate", make_challenge("realm", "nonce", "MD5"))
    assert scene.answers(407, challenge) == ["REFER"]
    assert scene.answers(407, challenge) == ["failed refused 407 Proxy Authentication Required"]


@kinds
def test_without_credentials_a_challenge_is_a_refusal(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    challenge = ("www-authenticate", make_challenge("realm", "nonce", "MD5"))
    assert scene.answers(401, challenge) == ["failed refused 401 Unauthorized"]


@kinds
def test_after_a_glare_it_is_sent_again_and_not_for_ever(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers()
    for _ in range(3):
        assert scene.answers(491) == []
        assert scene.waits(2.4) == []
        assert scene.waits(0.2) == ["REFER"]
    assert scene.answers(491) == ["failed refused 491 Request Pending"]


@kinds
def test_the_time_may_run_out_before_any_response(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers(seconds=5)
    assert scene.waits(6)[-2:] == ["timer transfer", "failed timeout 0"]


@kinds
def test_the_time_may_run_out_while_a_glare_is_waited_for(kind: Kind) -> None:
    scene = Scene(kind)
    scene.refers(seconds=2)
    scene.answers(491)
    assert scene.waits(3) == ["timer transfer", "failed timeout 0"]


# Requests of theirs


@kinds
def test_notifies_of_others_are_refused(kind: Kind) -> None:
    scene = Scene(kind)
    assert scene.notifies("SIP/2.0 200 OK") == ["481 NOTIFY"]
    scene.refers()
    scene.answers(202)
    assert scene.notifies("SIP/2.0 200 OK", event="presence") == ["489 NOTIFY"]
    refused = scene.sent[-1]
    assert refused.headers.get("allow-events") == "refer"
    assert scene.notifies("SIP/2.0 200 OK", event="refer;id=999") == ["481 NOTIFY"]
    assert scene.notifies("hello", content="text/plain") == ["415 NOTIFY"]
    assert scene.sent[-1].headers.get("accept") == "message/sipfrag"


@kinds
def test_info_is_taken_where_it_says_nothing(kind: Kind) -> None:
    scene = Scene(kind)
    assert scene.hears(scene.request("INFO")) == ["200 INFO"]
    digits = scene.request("INFO", ("content-type", "application/dtmf-relay"), body=b"Signal=5\r\n")
    assert scene.hears(digits) == ["415 INFO"]
    assert scene.hears(scene.request("INFO", ("info-package", "foo"))) == ["469 INFO"]
    assert "recv-info" in scene.sent[-1].headers


@kinds
def test_a_refer_of_theirs_is_not_allowed(kind: Kind) -> None:
    scene = Scene(kind)
    assert scene.hears(scene.request("REFER", ("refer-to", TARGET))) == ["405 REFER"]
    assert "NOTIFY" in scene.sent[-1].headers.get("allow")


@pytest.mark.parametrize(
    ("state", "body", "expected"),
    [
        ("active", b"SIP/2.0 180 Ringing\r\n", (180, "Ringing", False, "")),
        ("terminated;reason=timeout", b"", (0, "", True, "timeout")),
        ("TERMINATED", b"SIP/2.0 200\r\n", (200, "", True, "")),
        ("", b"\xff\xfe", (0, "", False, "")),
        ("active", b"SIP/2.0 99 x", (0, "", False, "")),
        ("active", b"\r\nSIP/2.0 603 " + b"n" * 200, (603, "n" * 80, False, "")),
    ],
)
def test_whatever_a_notify_holds_is_read(
    state: str, body: bytes, expected: tuple[int, str, bool, str]
) -> None:
    notify = Request("NOTIFY", "sip:us", Headers.of(("subscription-state", state)), body)
    read = read_notify(notify)
    assert (read.status, read.phrase, read.terminated, read.reason) == expected


STORIES: list[Callable[[Kind], None]] = [
    test_the_target_answers,
    test_a_notify_may_be_faster_than_the_202,
    test_no_response_at_all,
    test_the_time_for_all_of_it_runs_out,
    test_the_transport_breaks,
    test_a_2xx_may_say_that_no_notify_follows,
    test_a_far_end_that_agreed_and_leaves_went_to_the_target,
    test_a_far_end_that_leaves_without_agreeing_just_left,
    test_it_leaves_while_a_glare_is_waited_for,
    test_a_bye_after_a_referral_says_nothing_more_of_it,
    test_after_a_glare_it_is_sent_again_and_not_for_ever,
    test_the_time_may_run_out_before_any_response,
    test_the_time_may_run_out_while_a_glare_is_waited_for,
]


def test_every_row_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    run: set[tuple[str, Row]] = set()
    monkeypatch.setattr(Machine, "rows_run", run)
    for story in STORIES:
        story("out")
    for status in (405, None, 202, 491, 603):
        test_our_hang_up_drops_it("in", status or "nothing")
    monkeypatch.undo()
    Machine.rows_run.update(run)
    ran = {row for name, row in run if name == "Referral"}
    assert set(Referral.TABLE) - ran == set()
