"""The far end plays what the scenario says, and is a proper user agent in everything else."""

import re

import pytest

from far_end_caller import OFFER, TCP, UDP, Caller
from onhook.effects import Destination
from onhook.lab.far_end import MAX_STALE, FarEnd
from onhook.lab.far_end_call import MAX_CALL_SECONDS, MAX_INVITES
from onhook.lab.scenario import parse_scenario
from onhook.lab.scenario_steps import DEFAULT_PASSWORD, DEFAULT_USER
from onhook.sip.digest import Authenticator, Credentials
from onhook.sip.messages import Request, Response
from onhook.sip.offer import make_offer, read_answer
from onhook.sip.sdp import SessionDescription, parse_sdp

ANSWER = "carrier: 180 Ringing\ncarrier: 200 OK\n"


def test_steps_follow_each_other_with_their_waits() -> None:
    caller = Caller(
        "carrier: 100\ncarrier: wait 1 s\ncarrier: 180\ncarrier: wait 1500 ms\ncarrier: 486"
    ).call()
    caller.advance(60)
    assert caller.times == [(0.0, "100"), (1.0, "180"), (2.5, "486")]


def test_a_refusal_is_repeated_until_its_ack() -> None:
    caller = Caller("carrier: 486")
    caller.acknowledging = False
    caller.call().advance(2)
    assert caller.times == [(0.0, "486"), (0.5, "486"), (1.5, "486")]
    caller.send(caller.ack(caller.responses[0]))
    caller.advance(60)
    assert len(caller.heard) == 3
    assert not caller.far_end.calls


def test_a_refusal_without_ack_is_given_up_after_timer_h() -> None:
    caller = Caller("carrier: 486")
    caller.acknowledging = False
    caller.call().advance(100)
    assert caller.times[-1] == (31.5, "486")
    assert not caller.far_end.calls


def test_an_answer_is_repeated_until_its_ack() -> None:
    caller = Caller(ANSWER)
    caller.acknowledging = False
    caller.call().advance(4)
    assert caller.times == [(0.0, "180"), (0.0, "200"), (0.5, "200"), (1.5, "200"), (3.5, "200")]
    caller.send(caller.ack(caller.responses[-1]))
    caller.advance(100)
    assert len(caller.heard) == 5
    assert len(caller.far_end.calls) == 1


@pytest.mark.parametrize("order", ["carrier: ignore ack\n" + ANSWER, ANSWER + "carrier: ignore ack\n"])
def test_an_ignored_ack_ends_in_bye_after_32_seconds(order: str) -> None:
    caller = Caller(order).call().advance(31.9)
    assert set(caller.words[1:]) == {"200"}
    assert len(caller.words) == 12
    caller.advance(60)
    assert caller.times[-1] == (32.0, "BYE")
    assert not caller.far_end.calls


def test_an_answer_without_ack_also_ends_in_bye() -> None:
    caller = Caller(ANSWER)
    caller.acknowledging = False
    caller.call().advance(33)
    assert (32.0, "BYE") in caller.times


def test_a_repeated_invite_gets_the_last_response_again() -> None:
    caller = Caller("carrier: 180\ncarrier: wait 9 s\ncarrier: 486").call()
    caller.send(caller.invited)
    caller.send(caller.invited)
    assert caller.words == ["180", "180", "180"]
    assert len(caller.far_end.calls) == 1


def test_a_repeated_invite_after_the_answer_starts_nothing() -> None:
    caller = Caller(ANSWER).call()
    caller.send(caller.invited)
    assert caller.words == ["180", "200"]


def test_no_100_is_sent_that_the_scenario_does_not_say() -> None:
    assert Caller("carrier: wait 5 s\ncarrier: 486").call().advance(4).words == []


def test_cancel_gets_200_and_the_invite_487() -> None:
    caller = Caller("carrier: 180\ncarrier: wait 5 s\ncarrier: 200").call().advance(1)
    caller.send(caller.cancel())
    caller.advance(100)
    assert caller.words == ["180", "200", "487"]
    ok, ended = caller.responses[1:]
    assert ok.cseq is not None
    assert ok.cseq.method == "CANCEL"
    assert ok.to_tag == ended.to_tag == caller.responses[0].to_tag != ""
    assert not caller.far_end.calls


def test_a_repeated_cancel_gets_its_200_again() -> None:
    caller = Caller("carrier: 180").call()
    caller.send(caller.cancel())
    caller.send(caller.cancel())
    assert caller.words == ["180", "200", "487", "200"]


def test_a_cancel_that_crosses_the_answer_changes_nothing() -> None:
    caller = Caller(ANSWER).call()
    caller.send(caller.cancel())
    assert caller.words == ["180", "200", "200"]
    assert not next(iter(caller.far_end.calls.values())).over


def test_a_cancel_of_another_branch_meets_no_transaction() -> None:
    caller = Caller("carrier: 180").call()
    caller.send(caller.cancel("z9hG4bK-other"))
    assert caller.words == ["180", "481"]


def test_an_ignored_cancel_gets_nothing_and_the_answer_comes() -> None:
    caller = Caller("carrier: ignore cancel\ncarrier: 180\ncarrier: wait 1 s\ncarrier: 200").call()
    caller.send(caller.cancel())
    caller.advance(2)
    assert caller.times == [(0.0, "180"), (1.0, "200")]


def test_bye_ends_the_call_and_its_repetition_gets_200_again() -> None:
    caller = Caller(ANSWER + "carrier: wait 9 s\ncarrier: bye").call().advance(1)
    bye = caller.follow("BYE")
    caller.send(bye)
    caller.send(bye)
    caller.advance(60)
    assert caller.words == ["180", "200", "200", "200"]
    assert not caller.far_end.calls
    assert [call.history[0] for call in caller.far_end.ended] == ["> INVITE"]


def test_bye_before_the_answer_ends_the_invite_too() -> None:
    caller = Caller("carrier: 180\ncarrier: wait 9 s\ncarrier: 200").call()
    caller.send(caller.follow("BYE"))
    caller.advance(60)
    assert caller.words == ["180", "200", "487"]
    assert not caller.far_end.calls


def test_the_far_end_hangs_up_within_its_dialog() -> None:
    route = ("record-route", "<sip:192.0.2.9;lr>, <sip:192.0.2.8;lr>")
    caller = Caller(ANSWER + "carrier: wait 1 s\ncarrier: bye | Reason: Q.850;cause=38 | X-Why: a | X-Why: b")
    caller.invited = caller.invite(extra=(route,))
    caller.call().advance(1)
    bye = caller.requests[0]
    answer = caller.responses[1]
    assert caller.times[-1] == (1.0, "BYE")
    assert answer.headers.values("record-route") == ["<sip:192.0.2.9;lr>", "<sip:192.0.2.8;lr>"]
    assert bye.headers.all("route") == ["<sip:192.0.2.9;lr>", "<sip:192.0.2.8;lr>"]
    assert caller.heard_at[-1] == Destination("udp", "192.0.2.9", 5060)
    assert bye.uri == "sip:192.0.2.1:5070;transport=udp"
    assert (bye.from_tag, bye.to_tag) == (answer.to_tag, "caller")
    assert bye.headers.get("reason") == "Q.850;cause=38"
    assert bye.headers.all("x-why") == ["a", "b"]
    assert bye.headers.items()[0][0] == "via"
    caller.advance(100)
    assert not caller.far_end.calls


def test_an_unanswered_bye_is_repeated_until_timer_f() -> None:
    caller = Caller(ANSWER + "carrier: wait 1 s\ncarrier: bye").call()
    caller.acknowledging = False
    caller.advance(100)
    assert caller.words.count("BYE") == 11
    assert not caller.far_end.calls


def test_silence_answers_nothing_at_all() -> None:
    caller = Caller("carrier: silence").call().advance(1)
    caller.send(caller.invited)
    caller.send(caller.cancel())
    caller.advance(100)
    assert caller.words == []
    assert not caller.far_end.calls


def test_silence_after_trying_ignores_cancel() -> None:
    caller = Caller("carrier: 100\ncarrier: silence").call().advance(1)
    caller.send(caller.cancel())
    caller.send(caller.invited)
    assert caller.advance(40).words == ["100"]


def test_silence_after_the_answer_stops_repeating_it() -> None:
    caller = Caller(ANSWER + "carrier: silence")
    caller.acknowledging = False
    caller.call().advance(10)
    assert caller.words == ["180", "200"]


def test_garbage_is_no_sip() -> None:
    caller = Caller("carrier: garbage\ncarrier: wait 1 s\ncarrier: 486").call().advance(2)
    assert caller.words == ["?", "486"]


def test_after_garbage_alone_the_call_is_forgotten_in_time() -> None:
    caller = Caller("carrier: garbage").call().advance(31)
    assert len(caller.far_end.calls) == 1
    caller.advance(2)
    assert caller.words == ["?"]
    assert not caller.far_end.calls


def test_a_garbled_response_begins_well_and_still_names_its_call() -> None:
    caller = Caller("carrier: garbled 200").call()
    garbled = caller.heard[0][1]
    assert not isinstance(garbled, Request | Response)
    assert garbled.data.startswith(b"SIP/2.0 200 OK\r\n")
    assert garbled.call_id == "call-1"


def test_a_broken_connection_is_told_to_its_owner() -> None:
    broken: list[Destination] = []
    caller = Caller("carrier: refuse connection", source=TCP, refuse=broken.append).call().advance(1)
    assert (broken, caller.words) == ([TCP], [])


def test_two_forks_answer_with_tags_of_their_own() -> None:
    caller = Caller("carrier: 180\ncarrier: 200 OK fork=2").call()
    ringing, first, second = caller.responses
    assert first.to_tag == ringing.to_tag != second.to_tag != ""
    caller.advance(5)
    assert caller.words == ["180", "200", "200"]
    caller.send(caller.follow("BYE", cseq=2, of=second))
    assert not next(iter(caller.far_end.calls.values())).over
    caller.send(caller.follow("BYE", cseq=3, of=first))
    assert not caller.advance(60).far_end.calls


def test_a_fork_without_ack_is_repeated_alone() -> None:
    caller = Caller("carrier: 200 OK fork=2")
    caller.acknowledging = False
    caller.call()
    caller.send(caller.ack(caller.responses[0]))
    caller.advance(0.6)
    assert [response.to_tag for response in caller.responses[2:]] == [caller.responses[1].to_tag]


def test_the_far_end_hangs_up_every_fork() -> None:
    caller = Caller("carrier: 200 OK fork=3\ncarrier: wait 1 s\ncarrier: bye").call().advance(60)
    assert len({bye.from_tag for bye in caller.requests}) == 3
    assert not caller.far_end.calls


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize(("status", "header"), [(401, "www-authenticate"), (407, "proxy-authenticate")])
def test_a_challenge_opens_to_the_right_credentials(algorithm: str, status: int, header: str) -> None:
    caller = Caller(f"carrier: {status} challenge realm=r.example algorithm={algorithm}\n{ANSWER}").call()
    challenge = caller.responses[0]
    assert 'realm="r.example"' in challenge.headers.get(header)
    caller.advance(1)
    caller.invited = caller.invite(cseq=2)
    authorize(caller, challenge, Credentials(DEFAULT_USER, DEFAULT_PASSWORD))
    caller.call().advance(1)
    assert caller.words == [str(status), "180", "200"]
    assert len(caller.far_end.calls) == 1


def test_a_challenge_is_repeated_for_wrong_credentials() -> None:
    caller = Caller("carrier: 401 challenge user=u password=p\n" + ANSWER).call()
    challenge = caller.responses[0]
    caller.invited = caller.invite(cseq=2)
    authorize(caller, challenge, Credentials("u", "wrong"))
    caller.call()
    assert caller.words == ["401", "401"]
    caller.invited = caller.invite(cseq=3)
    authorize(caller, challenge, Credentials("u", "p"))
    caller.call()
    assert caller.words == ["401", "401", "180", "200"]


def test_a_challenge_that_nobody_answers_is_forgotten() -> None:
    caller = Caller("carrier: 401 challenge\n" + ANSWER).call().advance(33)
    assert caller.words == ["401"]
    assert not caller.far_end.calls


def test_a_call_takes_only_so_many_invites() -> None:
    caller = Caller("carrier: 401 challenge\n" + ANSWER).call()
    for number in range(2, MAX_INVITES + 3):
        caller.send(caller.invite(cseq=number))
    assert caller.words == ["401"] * MAX_INVITES


def authorize(caller: Caller, challenge: Response, credentials: Credentials) -> None:
    invite = caller.invited
    header = Authenticator(credentials).answer(
        challenge, method="INVITE", uri=invite.uri, body=invite.body, cnonce="c"
    )
    assert header is not None
    invite.headers.set(*header)


def test_headers_and_bodies_of_the_script_are_sent() -> None:
    caller = Caller(
        "carrier: 183 Session Progress sdp\n"
        "carrier: 302 Moved Temporarily | Contact: <sip:x@y> | Reason: SIP;cause=302 | Reason: Q.850;cause=1"
    ).call()
    progress, moved = caller.responses
    assert progress.headers.get("content-type") == "application/sdp"
    assert isinstance(parse_sdp(progress.body), SessionDescription)
    assert moved.headers.all("contact") == ["<sip:x@y>"]
    assert moved.headers.all("reason") == ["SIP;cause=302", "Q.850;cause=1"]
    assert moved.reason == "Moved Temporarily"


@pytest.mark.parametrize(
    ("body", "readable"), [("", True), (" sdp", True), (" bad-sdp", False), (" no-sdp", False)]
)
def test_the_answer_has_the_body_that_the_script_says(body: str, *, readable: bool) -> None:
    answer = Caller(f"carrier: 200 OK{body}", media=lambda _: ("192.0.2.7", 7000)).call().responses[0]
    described = parse_sdp(answer.body)
    assert isinstance(described, SessionDescription) is readable
    assert bool(answer.body) is ("no-sdp" not in body)
    if isinstance(described, SessionDescription):
        agreed = read_answer(parsed(OFFER), described)
        assert (getattr(agreed, "host", ""), getattr(agreed, "port", 0)) == ("192.0.2.7", 7000)


def parsed(body: bytes) -> SessionDescription:
    described = parse_sdp(body)
    assert isinstance(described, SessionDescription)
    return described


def talking(caller: Caller) -> list[tuple[str, int]]:
    return [(wanted.host, wanted.port) for wanted in caller.far_end.talking.values()]


def test_rtp_goes_to_the_offered_address_from_answer_to_bye() -> None:
    caller = Caller(
        "carrier: 180\ncarrier: wait 1 s\ncarrier: 200 OK\ncarrier: wait 1 s\ncarrier: bye"
    ).call()
    assert talking(caller) == []
    assert talking(caller.advance(1)) == [("192.0.2.1", 6000)]
    assert talking(caller.advance(1)) == []


def test_early_media_is_sent_and_no_rtp_stops_it() -> None:
    script = "carrier: 183 Session Progress sdp\ncarrier: wait 1 s\ncarrier: no rtp\ncarrier: wait 1 s\n"
    caller = Caller(script + "carrier: 200 OK\ncarrier: wait 1 s\ncarrier: rtp").call()
    assert talking(caller) == [("192.0.2.1", 6000)]
    assert talking(caller.advance(1)) == []
    assert talking(caller.advance(1)) == []
    assert talking(caller.advance(1)) == [("192.0.2.1", 6000)]


def test_hold_by_reinvite_stops_rtp_and_resume_starts_it() -> None:
    caller = Caller(ANSWER).call()
    held = make_offer("192.0.2.1", 6000, 1, 2, direction="inactive").to_bytes()
    caller.send(caller.follow("INVITE", cseq=2, body=held))
    assert caller.words == ["180", "200", "200"]
    assert "a=inactive" in caller.responses[-1].body.decode()
    assert talking(caller) == []
    caller.send(caller.follow("INVITE", cseq=3, body=OFFER))
    assert talking(caller) == [("192.0.2.1", 6000)]
    assert caller.advance(20).words == ["180", "200", "200", "200"]


def test_a_reinvite_without_ack_is_repeated_and_then_ends_the_call() -> None:
    caller = Caller(ANSWER).call()
    caller.acknowledging = False
    caller.send(caller.follow("INVITE", cseq=2, body=OFFER))
    caller.advance(33)
    assert caller.words.count("200") > 5
    assert (32.0, "BYE") in caller.times


def test_an_invite_without_offer_gets_one_and_its_answer_comes_in_the_ack() -> None:
    caller = Caller("carrier: 200 OK")
    caller.acknowledging = False
    caller.invited = caller.invite(body=b"")
    caller.call()
    assert "m=audio" in caller.responses[0].body.decode()
    assert talking(caller) == []
    ack = caller.ack(caller.responses[0])
    ack.headers.set("content-type", "application/sdp")
    ack.body = OFFER
    caller.send(ack)
    assert talking(caller) == [("192.0.2.1", 6000)]


def test_options_and_unknown_methods_within_a_call() -> None:
    caller = Caller(ANSWER).call()
    caller.send(caller.follow("OPTIONS", cseq=2))
    caller.send(caller.follow("PUBLISH", cseq=3))
    assert caller.words[2:] == ["200", "405"]


def test_a_request_with_a_wrong_tag_meets_no_dialog() -> None:
    caller = Caller(ANSWER).call()
    bye = caller.follow("BYE")
    bye.headers.set("to", re.sub("tag=.*", "tag=wrong", bye.headers.get("to")))
    caller.send(bye)
    assert caller.words[2:] == ["481"]


@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", "200"), ("BYE", "481"), ("CANCEL", "481"), ("REGISTER", "405")]
)
def test_requests_of_no_call(method: str, status: str) -> None:
    caller = Caller()
    request = caller.invited
    request.method = method
    request.headers.set("cseq", f"1 {method}")
    caller.send(request)
    caller.send(request)
    assert caller.words == [status, status]
    assert caller.responses[0].to_tag == caller.responses[1].to_tag != ""
    assert not caller.far_end.calls


def test_strange_messages_are_dropped() -> None:
    caller = Caller(ANSWER)
    for data in (b"", b"\r\n\r\n", b"\xff\xfe", Response(200, "OK").to_bytes()):
        caller.send(data)
    request = caller.invited
    request.method = "ACK"
    request.headers.set("cseq", "1 ACK")
    caller.send(request)
    assert caller.words == []
    assert caller.far_end.deadline is None


def test_a_wrong_invite_is_refused_and_not_kept() -> None:
    caller = Caller(ANSWER)
    caller.invited = caller.invite(extra=(("require", "no-such-extension"),))
    caller.call()
    assert caller.words == ["420"]
    assert caller.responses[0].headers.get("unsupported") == "no-such-extension"
    assert not caller.far_end.calls


def test_an_invite_that_came_by_two_ways_is_refused() -> None:
    caller = Caller("carrier: 180").call()
    caller.send(caller.invite(cseq=2))
    assert caller.words == ["180", "482"]


def test_a_new_attempt_with_the_same_call_id_is_a_new_call() -> None:
    caller = Caller("carrier: 486").call()
    caller.send(caller.invite(cseq=2))
    assert caller.words == ["486", "486"]
    assert caller.responses[0].to_tag != caller.responses[1].to_tag
    assert not caller.advance(60).far_end.calls
    assert len(caller.far_end.ended) == 2


def test_beyond_the_limit_of_calls_there_is_503() -> None:
    caller = Caller("carrier: 180", max_calls=1).call()
    caller.send(caller.invite(call_id="call-2"))
    assert caller.words == ["180", "503"]
    assert caller.responses[1].headers.get("retry-after") == "5"
    assert caller.far_end.refused_calls == 1


@pytest.mark.parametrize("script", [ANSWER, "carrier: 180 Ringing"])
def test_a_call_that_nobody_ends_is_ended_in_time(script: str) -> None:
    caller = Caller(script).call().advance(MAX_CALL_SECONDS + 100)
    assert ("BYE" in caller.words) is ("200" in script)
    assert not caller.far_end.calls


def test_the_answer_goes_where_via_and_transport_say() -> None:
    caller = Caller("carrier: 486", source=TCP).call().advance(10)
    assert caller.heard_at == [TCP]
    assert caller.words == ["486"]
    caller = Caller("carrier: 486")
    caller.invited.headers.set("via", "SIP/2.0/UDP 203.0.113.9:5099;branch=z9hG4bK-x")
    caller.call()
    assert caller.heard_at[0] == Destination("udp", "192.0.2.1", 5099)
    assert caller.responses[0].headers.get("via").endswith(";received=192.0.2.1")


def test_contact_names_the_transport() -> None:
    over_udp = Caller("carrier: 200 OK", address=("192.0.2.3", 5080)).call()
    over_tcp = Caller("carrier: 200 OK", address=("192.0.2.3", 5080), source=TCP).call()
    assert over_udp.responses[0].headers.get("contact") == "<sip:192.0.2.3:5080>"
    assert over_tcp.responses[0].headers.get("contact") == "<sip:192.0.2.3:5080;transport=tcp>"


def test_equal_input_gives_equal_bytes() -> None:
    def played() -> list[bytes]:
        caller = Caller(ANSWER + "carrier: wait 1 s\ncarrier: bye").call().advance(5)
        sent: list[Request | Response] = [*caller.responses, *caller.requests]
        return [message.to_bytes() for message in sent]

    assert played() == played()


def test_history_tells_what_passed() -> None:
    caller = Caller("carrier: 180\ncarrier: 486").call().advance(60)
    (call,) = caller.far_end.ended
    assert call.history == ["> INVITE", "< 180", "< 486", "> ACK"]
    assert (call.number, call.key) == ("+14255550100", ("call-1", "caller"))


def test_steps_count_as_played_when_they_are_over() -> None:
    caller = Caller("carrier: 180\ncarrier: wait 1 s\ncarrier: 200\ncarrier: wait 1 s").call()
    (call,) = caller.far_end.calls.values()
    played = [call.played]
    for seconds in (0.9, 0.1, 1):
        caller.advance(seconds)
        played.append(call.played)
    assert played == [1, 1, 3, 4]


@pytest.mark.parametrize(
    ("script", "source", "times"),
    [
        ("carrier: 486", UDP, [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]),
        ("carrier: 486", TCP, [0]),
        ("carrier: 200", UDP, [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]),
        ("carrier: 200", TCP, [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]),
    ],
)
def test_finals_are_repeated_at_the_times_of_the_rfc(
    script: str, source: Destination, times: list[float]
) -> None:
    """A refusal by Timer G on UDP only (17.2.1), a 2xx by its sender on any transport (13.3.1.4)."""
    caller = Caller(script, source=source)
    caller.acknowledging = False
    caller.call().advance(31.9)
    assert [at for at, _ in caller.times] == times


def test_many_calls_leave_nothing_behind() -> None:
    caller = Caller(ANSWER + "carrier: wait 1 s\ncarrier: bye")
    for number in range(3_000):
        caller.send(caller.invite(call_id=f"call-{number}"))
        caller.advance(0.01)
        caller.heard.clear()
    caller.advance(60)
    assert not caller.far_end.calls
    assert not caller.far_end.talking
    assert caller.far_end.deadline is None
    assert len(caller.far_end._heap) <= MAX_STALE


def test_one_heap_serves_calls_in_order() -> None:
    scripts = iter([3, 1, 2])
    far_end = FarEnd(lambda _: parse_scenario(f"carrier: wait {next(scripts)} s\ncarrier: 486"))
    caller = Caller()
    caller.far_end = far_end
    for number in range(3):
        caller.send(caller.invite(call_id=f"call-{number}"))
    caller.advance(5)
    assert [
        (at, response.call_id) for (at, _), response in zip(caller.heard, caller.responses, strict=True)
    ] == [
        (1.0, "call-1"),
        (2.0, "call-2"),
        (3.0, "call-0"),
    ]
