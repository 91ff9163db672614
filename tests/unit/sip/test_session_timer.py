"""The session timer, for calls that went out and calls that came in (RFC 4028), one behaviour a test."""

from collections.abc import Callable

import pytest

from onhook.machine import Machine, Row
from onhook.sip.digest import Credentials
from onhook.sip.digest_server import make_challenge
from onhook.sip.messages import Headers, Request, Response, respond
from onhook.sip.session_timer import (
    LEAST_SECONDS,
    Agreed,
    SessionTimer,
    agreed_by,
    answer_wish,
    interval_of,
    least_of,
    too_brief,
)
from session_scene import Kind, Scene

kinds = pytest.mark.parametrize("kind", ["out", "in"])

UPDATES = "INVITE, ACK, BYE, UPDATE"
NO_UPDATE = "INVITE, ACK, BYE"
EXPIRES_WE = {
    "out": ("session-expires", "100;refresher=uac"),
    "in": ("session-expires", "100;refresher=uas"),
}
EXPIRES_THEY = {
    "out": ("session-expires", "100;refresher=uas"),
    "in": ("session-expires", "100;refresher=uac"),
}
KNOWS = ("supported", "timer")


def up(kind: Kind, expires: tuple[str, str], allow: str = UPDATES, **more: Credentials) -> Scene:
    return Scene(kind, allow=allow, says=(expires, KNOWS), credentials=more.get("credentials"))


# What is agreed on


def test_our_invite_understands_the_timer_and_asks_only_if_told() -> None:
    quiet, asking = Scene("out"), Scene("out", timer_seconds=1800)
    assert quiet.last("INVITE").headers.values("supported") == ["timer"]
    assert "session-expires" not in quiet.last("INVITE").headers
    assert asking.last("INVITE").headers.get("session-expires") == "1800"
    assert asking.last("INVITE").headers.get("min-se") == str(LEAST_SECONDS)


@pytest.mark.parametrize(
    ("said", "agreed"),
    [
        ("1800;refresher=uac", Agreed(1800, "us")),
        ("1800;refresher=uas", Agreed(1800, "them")),
        ("1800 ; refresher=UAS", Agreed(1800, "them")),
        ("1800", Agreed(1800, "us")),
        ("30;refresher=uas", Agreed(90, "them")),
        ("", Agreed(0, "us")),
        ("soon", Agreed(0, "us")),
        ("99999999999999", Agreed(0, "us")),
    ],
)
def test_what_a_2xx_agrees_to(said: str, agreed: Agreed) -> None:
    headers = Headers.of(("session-expires", said)) if said else Headers()
    assert agreed_by(Response(200, "OK", headers)) == agreed


@pytest.mark.parametrize(
    ("asked", "wanted", "agreed", "said"),
    [
        ({}, 0, Agreed(0, "us"), []),
        ({"supported": "timer"}, 0, Agreed(0, "us"), []),
        ({}, 600, Agreed(600, "us"), [("session-expires", "600;refresher=uas")]),
        (
            {"supported": "timer"},
            600,
            Agreed(600, "them"),
            [("session-expires", "600;refresher=uac"), ("require", "timer")],
        ),
        (
            {"supported": "100rel, timer", "session-expires": "1800;refresher=uas"},
            600,
            Agreed(1800, "us"),
            [("session-expires", "1800;refresher=uas")],
        ),
        (
            {"require": "timer", "session-expires": "1800"},
            0,
            Agreed(1800, "them"),
            [("session-expires", "1800;refresher=uac"), ("require", "timer")],
        ),
        (  # put in by a proxy: the caller itself knows nothing of it
            {"session-expires": "1800;refresher=uac"},
            0,
            Agreed(1800, "us"),
            [("session-expires", "1800;refresher=uas")],
        ),
    ],
)
def test_what_our_2xx_agrees_to(
    asked: dict[str, str], wanted: int, agreed: Agreed, said: list[tuple[str, str]]
) -> None:
    request = Request("INVITE", "sip:us", Headers.of(*asked.items()), b"")
    assert answer_wish(request, wanted) == (agreed, said)


def test_an_interval_below_the_least_is_refused_where_the_caller_can_hear_it() -> None:
    headers = Headers.of(("session-expires", "60"), KNOWS)
    assert too_brief(Request("INVITE", "sip:us", headers, b""))
    assert not too_brief(Request("INVITE", "sip:us", Headers.of(("session-expires", "60")), b""))
    assert not too_brief(Request("INVITE", "sip:us", Headers.of(KNOWS), b""))
    assert interval_of(headers) == (60, "")


@pytest.mark.parametrize(
    ("said", "least"), [("120", 120), ("120;x=y", 120), ("5", 0), ("", 0), ("many", 0), ("9" * 30, 0)]
)
def test_the_least_interval_of_a_422(said: str, least: int) -> None:
    assert least_of(Response(422, "", Headers.of(("min-se", said)))) == least


# Refreshing


@kinds
def test_we_refresh_by_update_at_half_the_interval(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind])
    assert scene.waits(49.9) == []
    assert scene.waits(0.2) == ["UPDATE"]
    update = scene.last("UPDATE")
    assert update.headers.get("session-expires") == "100;refresher=uac"
    assert update.headers.get("supported") == "timer"
    assert "192.0.2.1:5070" in update.headers.get("contact")
    assert update.body == b""
    assert scene.answers(200, ("session-expires", "100;refresher=uac"), to="UPDATE") == []
    assert scene.waits(50.1) == ["UPDATE"]


@kinds
def test_we_refresh_by_invite_where_update_is_not_taken(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind], NO_UPDATE)
    assert scene.waits(50.1) == ["INVITE"]
    invite = scene.last("INVITE")
    assert invite.body == (b"offer" if kind == "out" else b"answer")
    assert invite.headers.get("content-type") == "application/sdp"
    answered = scene.answers(200, ("session-expires", "100;refresher=uac"), to="INVITE")
    assert answered == ["ACK", "Renewed 200"]
    ack = scene.last("ACK")
    assert ack.cseq is not None
    assert invite.cseq is not None
    assert ack.cseq.number == invite.cseq.number
    assert scene.answers(200, to="INVITE") == ["ACK"]  # our ACK was lost
    assert scene.waits(50.1) == ["INVITE"]


@kinds
def test_a_far_end_that_refuses_update_is_asked_by_invite(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind])
    scene.waits(50.1)
    assert scene.answers(405, to="UPDATE") == ["INVITE"]


@kinds
def test_while_our_invite_is_out_theirs_has_to_wait(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind], NO_UPDATE)
    scene.waits(50.1)
    assert scene.hears(scene.request("INVITE", ("allow", NO_UPDATE), body=b"")) == ["491 INVITE"]


@kinds
def test_a_refresh_that_crosses_another_request_is_asked_again(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind])
    scene.waits(50.1)
    assert scene.answers(491, to="UPDATE") == []
    assert scene.waits(2.4) == []
    assert scene.waits(0.2) == ["UPDATE"]


@kinds
def test_a_longer_interval_that_is_asked_for_is_taken(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind])
    scene.waits(50.1)
    assert scene.answers(422, ("min-se", "600"), to="UPDATE") == ["UPDATE"]
    assert scene.last("UPDATE").headers.get("session-expires") == "600;refresher=uac"


@kinds
def test_a_challenge_is_answered(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind], credentials=Credentials("us", "secret"))
    scene.waits(50.1)
    challenge = make_challenge("there", "abc", "SHA-256", stale=False)
    assert scene.answers(401, ("www-authenticate", challenge), to="UPDATE") == ["UPDATE"]
    assert 'username="us"' in scene.last("UPDATE").headers.get("authorization")


@kinds
def test_a_2xx_without_an_interval_ends_the_agreement(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind])
    scene.waits(50.1)
    assert scene.answers(200, to="UPDATE") == []
    assert scene.waits(1000) == []


@kinds
@pytest.mark.parametrize("status", [481, 408])
def test_a_far_end_that_forgot_the_session_ends_it(kind: Kind, status: int) -> None:
    scene = up(kind, EXPIRES_WE[kind])
    scene.waits(50.1)
    assert scene.answers(status, to="UPDATE") == ["timer session-expires", "BYE"]
    assert "cause=408" in scene.last("BYE").headers.get("reason")
    assert scene.answers(481, to="BYE") == ["Released"]


@kinds
def test_a_refresh_that_nobody_answers_ends_it(kind: Kind) -> None:
    scene = up(kind, ("session-expires", EXPIRES_WE[kind][1].replace("100", "400")))
    scene.waits(200.1)
    told = scene.waits(32)
    assert told[-3:] == ["timer F", "timer session-expires", "BYE"]


@kinds
def test_refreshes_that_fail_end_it_shortly_before_the_interval_is_over(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind])
    scene.waits(50.1)
    for _ in range(3):
        assert scene.answers(500, to="UPDATE") == []
        assert scene.waits(2.6) == ["UPDATE"]
    assert scene.answers(500, to="UPDATE") == []
    assert "BYE" in scene.waits(30)
    assert scene.now < 100


@kinds
def test_a_transport_that_breaks_leaves_it_to_the_interval(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind])
    scene.waits(50.1)
    assert scene.keep(scene.session.fail("reset", scene.now)) == []
    assert scene.waits(18) == ["timer session-expires", "BYE"]


# Being refreshed


@kinds
def test_a_far_end_that_does_not_refresh_ends_it(kind: Kind) -> None:
    scene = up(kind, EXPIRES_THEY[kind])
    assert scene.waits(67.9) == []
    assert scene.waits(0.2) == ["timer session-expires", "BYE"]
    assert scene.answers(200, to="BYE") == ["Released"]


@kinds
def test_an_update_of_theirs_begins_the_interval_anew(kind: Kind) -> None:
    scene = up(kind, EXPIRES_THEY[kind])
    scene.waits(60)
    update = scene.request("UPDATE", ("session-expires", "100;refresher=uac"), KNOWS, ("allow", UPDATES))
    assert scene.hears(update) == ["200 UPDATE"]
    response = scene.sent[-1]
    assert response.headers.get("session-expires") == "100;refresher=uac"
    assert response.headers.values("require") == ["timer"]
    assert scene.waits(67.9) == []
    assert scene.waits(0.2) == ["timer session-expires", "BYE"]


@kinds
def test_they_may_leave_refreshing_to_us(kind: Kind) -> None:
    scene = up(kind, EXPIRES_THEY[kind])
    update = scene.request("UPDATE", ("session-expires", "200;refresher=uas"), KNOWS, ("allow", UPDATES))
    assert scene.hears(update) == ["200 UPDATE"]
    assert scene.waits(100.1) == ["UPDATE"]
    again = scene.request("UPDATE", ("session-expires", "90;refresher=uac"), KNOWS, ("allow", UPDATES))
    assert scene.hears(again) == ["200 UPDATE"]  # while ours is out
    assert scene.answers(200, ("session-expires", "90;refresher=uac"), to="UPDATE") == []
    assert scene.waits(45.1) == ["UPDATE"]


@kinds
def test_an_interval_that_is_too_short_gets_422(kind: Kind) -> None:
    scene = up(kind, EXPIRES_THEY[kind])
    assert scene.hears(scene.request("UPDATE", ("session-expires", "20"), KNOWS)) == ["422 UPDATE"]
    assert scene.sent[-1].headers.get("min-se") == str(LEAST_SECONDS)


@kinds
def test_the_timer_may_be_required_of_us(kind: Kind) -> None:
    scene = up(kind, EXPIRES_THEY[kind])
    assert scene.hears(scene.request("UPDATE", ("require", "timer"))) == ["200 UPDATE"]
    assert scene.hears(scene.request("UPDATE", ("require", "precondition"))) == ["420 UPDATE"]


# The INVITE itself


def test_a_422_to_our_invite_is_met_with_a_longer_interval() -> None:
    scene = Scene("out", timer_seconds=90, answered=False)
    asked = scene.answers(422, ("min-se", "300"), to="INVITE")
    assert asked == ["ACK", "INVITE"]
    invite = scene.last("INVITE")
    assert invite.headers.get("session-expires") == "300"
    assert invite.headers.get("min-se") == "300"
    assert scene.answers(422, ("min-se", "300"), to="INVITE") == ["ACK", "Refused 422"]


def test_a_422_that_nobody_asked_for_is_a_refusal() -> None:
    scene = Scene("out", answered=False)
    assert scene.answers(422, ("min-se", "300"), to="INVITE") == ["ACK", "Refused 422"]


def test_our_answer_to_a_caller_says_who_refreshes() -> None:
    scene = up("in", EXPIRES_THEY["in"])
    answer = next(m for m in scene.sent if isinstance(m, Response) and m.status == 200)
    assert answer.headers.get("session-expires") == "100;refresher=uac"
    assert answer.headers.values("require") == ["timer"]


# The end


@kinds
def test_after_the_end_nothing_is_refreshed(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind])
    assert scene.hangs_up() == ["BYE"]
    scene.answers(200, to="BYE")
    assert "UPDATE" not in scene.waits(200)
    other = up(kind, EXPIRES_WE[kind])
    assert other.hears(other.request("BYE")) == ["200 BYE", "HungUp"]
    assert other.waits(200) == []


@kinds
def test_a_session_that_is_kept_counts_anew(kind: Kind) -> None:
    scene = up(kind, EXPIRES_THEY[kind])
    kept = scene.session.keep()
    assert (kept.interval_seconds, kept.refreshes) == (100, False)
    again = Scene(kind)
    again.session.timer.stop()
    other = Scene(kind)
    other.session.resume(kept)
    assert other.waits(68) == ["timer session-expires", "BYE"]


@kinds
def test_what_comes_when_it_is_over_changes_nothing(kind: Kind) -> None:
    scene = up(kind, EXPIRES_WE[kind])
    scene.waits(50.1)
    sent = scene.last("UPDATE")
    scene.hangs_up()
    late = respond(sent, 200)
    late.headers.add("session-expires", "100;refresher=uac")
    assert scene.hears(late) == []
    assert scene.session.timer.agreed.seconds == 100
    assert scene.waits(31.9) != ["UPDATE"]


def test_the_stories_run_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    run: set[tuple[str, Row]] = set()
    monkeypatch.setattr(Machine, "rows_run", run)
    stories: list[Callable[[Kind], None]] = [
        test_we_refresh_by_update_at_half_the_interval,
        test_a_refresh_that_crosses_another_request_is_asked_again,
        test_a_refresh_that_nobody_answers_ends_it,
        test_refreshes_that_fail_end_it_shortly_before_the_interval_is_over,
        test_a_transport_that_breaks_leaves_it_to_the_interval,
        test_a_far_end_that_does_not_refresh_ends_it,
        test_they_may_leave_refreshing_to_us,
        test_after_the_end_nothing_is_refreshed,
        test_a_session_that_is_kept_counts_anew,
        test_what_comes_when_it_is_over_changes_nothing,
    ]
    for story in stories:
        for kind in ("out", "in"):
            story(kind)
    Scene("out", answered=False).session.timer.stop()
    expired = up("out", EXPIRES_WE["out"], credentials=Credentials("us", "secret"))
    expired.waits(50.1)
    expired.answers(500, to="UPDATE")
    expired.waits(2.6)
    expired.waits(20)
    monkeypatch.undo()
    Machine.rows_run.update(run)  # they count for the whole run too
    ran = {row for name, row in run if name == "SessionTimer"}
    assert set(SessionTimer.TABLE) - ran == set()
