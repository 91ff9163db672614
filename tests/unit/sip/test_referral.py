"""Our REFER within a session, for calls that went out and calls that came in (RFC 3515, 3892, 4488, 6665)."""

from collections.abc import Callable

import pytest

from onhook.effects import Destination
from onhook.machine import Machine, Row
from onhook.sip.digest import Credentials
from onhook.sip.digest_server import make_challenge
from onhook.sip.messages import Headers, Request, respond
from onhook.sip.refer import read_notify, refer_to, referred_by
from onhook.sip.referral import Referral
from onhook.sip.uri import SipUri, parse_uri
from session_scene import TARGET, Kind, Scene

kinds = pytest.mark.parametrize("kind", ["out", "in"])


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
