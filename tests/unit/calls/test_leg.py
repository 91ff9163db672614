"""A leg to a telephone: offers, answers usable and not, early media, hold and resume, credentials."""

import pytest

from call_scene import PEER, TRUNK, CallScene
from onhook.calls.directory import Trunk
from onhook.calls.leg import MAX_REASON_CHARACTERS
from onhook.effects import CloseMedia, StartMedia
from onhook.sip.digest_server import make_challenge
from onhook.sip.messages import Headers, Response
from onhook.sip.reason import sip
from onhook.sip.sdp import SessionDescription, parse_sdp
from timelines import ANSWER

HOLD = ANSWER.replace("a=sendrecv", "a=sendonly")
INACTIVE = ANSWER.replace("a=sendrecv", "a=inactive")
MOVED = ANSWER.replace("192.0.2.20", "192.0.2.77").replace("50000", "51000")


def started(scene: CallScene) -> list[tuple[str, int, bool]]:
    """Where RTP was to go each time it was set, and whether it was to go at all."""
    return [(each.host, each.port, each.sending) for each in scene.media if isinstance(each, StartMedia)]


def offer(scene: CallScene) -> SessionDescription:
    read = parse_sdp(scene.last("INVITE").body)
    assert isinstance(read, SessionDescription)
    return read


def origin(body: SessionDescription) -> tuple[str, int]:
    """Session id and version, of the o= line."""
    line = next(line for line in body.to_bytes().decode().split("\r\n") if line.startswith("o="))
    return line.split()[1], int(line.split()[2])


def last_answer(scene: CallScene) -> Response:
    message = scene.sent[-1][0]
    assert isinstance(message, Response)
    return message


def test_the_invite_offers_our_rtp_address() -> None:
    scene = CallScene().place()
    body = scene.last("INVITE").body.decode()
    assert "c=IN IP4 192.0.2.1" in body
    assert "m=audio 20000 RTP/AVP 0 8 101" in body
    assert offer(scene).media[0].port == 20000
    assert scene.sent[0][1] == PEER


def test_media_starts_where_the_answer_says() -> None:
    scene = CallScene().connected()
    assert started(scene) == [("192.0.2.20", 50000, True)]
    first = next(each for each in scene.media if isinstance(each, StartMedia))
    assert (first.codec, first.payload_type, first.leg) == ("PCMU", 0, scene.call.record.seed[:12])


def test_an_answer_given_early_counts_for_a_bare_200() -> None:
    """Gateways send their SDP in a 183 and the 200 without a body."""
    scene = CallScene().place().gets(183, body=ANSWER)
    assert started(scene) == []
    scene.gets(200, body="")
    assert started(scene) == [("192.0.2.20", 50000, True)]
    assert scene.told == ["CallConnected", "ParticipantsUpdated"]


def test_the_answer_in_the_200_counts_more_than_an_early_one() -> None:
    scene = CallScene().place().gets(183, body=ANSWER).gets(200, body=MOVED)
    assert started(scene) == [("192.0.2.77", 51000, True)]


def test_of_several_early_answers_the_last_counts() -> None:
    scene = CallScene().place().gets(183, body=ANSWER).gets(183, body=MOVED).gets(180)
    assert started(scene.gets(200, body="")) == [("192.0.2.77", 51000, True)]


UNUSABLE = {
    "no SDP at all": "",
    "no SDP but something else": "hello",
    "a codec that we do not speak": ANSWER.replace("RTP/AVP 0", "RTP/AVP 18").replace("0 PCMU", "18 G729"),
    "encrypted media": ANSWER.replace("RTP/AVP", "RTP/SAVP"),
    "video": ANSWER.replace("m=audio", "m=video"),
    "audio refused": ANSWER.replace("50000", "0"),
    "two answers to one line": ANSWER + "m=audio 50002 RTP/AVP 0\r\n",
    "quotes and ends of lines": ANSWER.replace("RTP/AVP", 'RTP/"\\\x7f\xff'),
}


@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_answer_that_cannot_be_used_is_taken_and_released(body: str) -> None:
    scene = CallScene().place().gets(180).gets(200, body=body)
    assert scene.methods == ["INVITE", "ACK", "BYE"]
    assert started(scene) == []
    assert scene.told == ["CreateCallFailed"]
    assert (scene.ending, *scene.result) == ("answer-unusable", 410, 531000)
    reason = sip(Headers.of(("reason", scene.last("BYE").headers.get("reason"))))
    assert reason is not None
    assert reason.cause == 488
    assert 0 < len(reason.text) <= MAX_REASON_CHARACTERS
    assert reason.text.isascii()
    assert scene.gets(200, "BYE").wait(60).call.done


def test_a_far_end_that_never_confirms_that_release_changes_nothing_any_more() -> None:
    scene = CallScene().place().gets(200, body="").wait(60)
    assert scene.told == ["CreateCallFailed"]
    assert scene.methods.count("BYE") == 11
    assert scene.call.done


# During the call


def test_hold_and_resume() -> None:
    scene = CallScene().connected()
    scene.asked("INVITE", 2, body=HOLD)
    assert last_answer(scene).status == 200
    assert b"a=recvonly" in last_answer(scene).body
    assert started(scene)[-1] == ("192.0.2.20", 50000, False)
    scene.asked("ACK", 2).asked("INVITE", 3, body=ANSWER)
    assert b"a=sendrecv" in last_answer(scene).body
    assert started(scene)[-1] == ("192.0.2.20", 50000, True)
    assert scene.told == ["CallConnected", "ParticipantsUpdated"]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_media_can_be_moved(method: str) -> None:
    scene = CallScene().connected().asked(method, 2, body=MOVED)
    assert last_answer(scene).status == 200
    assert started(scene)[-1] == ("192.0.2.77", 51000, True)


def test_inactive_media_is_not_sent() -> None:
    scene = CallScene().connected().asked("INVITE", 2, body=INACTIVE)
    assert b"a=inactive" in last_answer(scene).body
    assert not started(scene)[-1][2]


@pytest.mark.parametrize("body", ["nonsense", UNUSABLE["video"], UNUSABLE["encrypted media"]])
def test_an_offer_that_cannot_be_used_is_refused_and_the_call_goes_on(body: str) -> None:
    scene = CallScene().connected().asked("INVITE", 2, body=body)
    assert last_answer(scene).status == 488
    assert len(started(scene)) == 1
    assert scene.told == ["CallConnected", "ParticipantsUpdated"]
    scene.asked("ACK", 2).asked("INVITE", 3, body=HOLD)
    assert last_answer(scene).status == 200


def test_an_invite_without_an_offer_gets_ours_with_a_new_version() -> None:
    scene = CallScene().connected()
    before = offer(scene)
    scene.asked("INVITE", 2)
    ours = parse_sdp(last_answer(scene).body)
    assert isinstance(ours, SessionDescription)
    assert ours.media[0].port == before.media[0].port
    origins = [
        line for body in (before, ours) for line in body.to_bytes().decode().split("\r\n") if line[:2] == "o="
    ]
    versions = [(line.split()[1], int(line.split()[2])) for line in origins]
    assert versions[0][0] == versions[1][0]
    assert versions[1][1] == versions[0][1] + 1
    assert len(started(scene)) == 1


def test_the_media_is_closed_once_when_the_leg_ends() -> None:
    scene = CallScene().connected().hang_up().gets(200, "BYE").wait(100)
    assert [each for each in scene.media if isinstance(each, CloseMedia)] == [
        CloseMedia(scene.call.record.seed[:12])
    ]


# Credentials


def challenge(nonce: str = "n1") -> tuple[str, str]:
    return ("www-authenticate", make_challenge("far.example", nonce, "SHA-256", stale=False))


def test_a_trunk_with_a_user_name_answers_a_challenge() -> None:
    trunk = Trunk("carrier", PEER.host, PEER.port, username="user", password="secret")
    scene = CallScene(trunk).place().gets(401, "INVITE", "far", challenge())
    assert scene.methods == ["INVITE", "ACK", "INVITE"]
    assert 'username="user"' in scene.last("INVITE").headers.get("authorization")
    assert scene.gets(200).told == ["CallConnected", "ParticipantsUpdated"]


def test_a_trunk_without_one_is_refused() -> None:
    scene = CallScene().place().gets(401, "INVITE", "far", challenge())
    assert scene.methods == ["INVITE", "ACK"]
    assert (scene.told, scene.ending) == (["CreateCallFailed"], "trunk-refused-credentials")


def test_the_no_response_time_is_the_trunks_own() -> None:
    scene = CallScene(Trunk("carrier", PEER.host, PEER.port, no_response_seconds=3.0)).place()
    assert scene.wait(2.9).told == []
    assert scene.wait(0.1).told == ["CreateCallFailed"]
    assert scene.ending == "trunk-silent"
    assert TRUNK.no_response_seconds == 10.0


def test_a_broken_tcp_connection_fails_the_call() -> None:
    scene = CallScene(Trunk("carrier", PEER.host, PEER.port, "tcp")).place().fails("reset: by peer")
    assert (scene.told, scene.ending) == (["CreateCallFailed"], "trunk-unreachable")
    assert scene.call.done
