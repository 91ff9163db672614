"""SIPp as the trunk: calls that are answered. Its own judgement of our SIP, our verdict, and the events."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from azure.communication.callautomation import PhoneNumberIdentifier
from azure.communication.callautomation.aio import CallAutomationClient

from interop.sipp_trunk.rig import (
    CALLEE,
    CALLER,
    TALKED,
    Rig,
    hang_up_when_connected,
    play,
    rig,
)
from interop.sipp_trunk.sipp import Sipp, free_port, sipp

pytestmark = pytest.mark.interop

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])
AS_SEEN = ("-nr",)
"""SIPp hides repeated messages from its scenario, unless its own retransmission is off."""
BRANCH = re.compile(r"branch=(z9hG4bK\w+)")
BY_US = (0, 7000, "hung-up-by-app")
BY_THEM = (0, 560000, "hung-up-by-phone")


@BOTH
async def test_answered_and_hung_up_by_us(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "answer.xml", transport, hang_up_when_connected)
    assert played.told.codes == BY_US
    assert played.told.evidence == ["→ INVITE", "← 180", "← 200", "api hangUp", "→ BYE"]
    assert played.told.events == TALKED
    assert "sipDetails" not in played.told.result  # the far end gave no reason for this ending
    assert [message.split()[0] for message in played.far_end.received] == ["INVITE", "ACK", "BYE"]


@BOTH
async def test_our_requests_are_well_formed(tmp_path: Path, transport: str) -> None:
    """What RFC 3261 sections 8.1.1, 12.2.1.1, 13.2.2.4 and 17 ask of INVITE, ACK and BYE of one dialog."""
    played = await play(tmp_path, "answer.xml", transport, hang_up_when_connected)
    invite, ack, bye = played.far_end.received
    for request in (invite, ack, bye):
        assert request.splitlines()[1].startswith(f"Via: SIP/2.0/{transport.upper()} 127.0.0.1:")
        assert "\nMax-Forwards: 70\n" in request
        assert f"\nFrom: <sip:{CALLER}@" in request
    assert len({header("Call-ID", request) for request in (invite, ack, bye)}) == 1
    assert len({branch for request in (invite, ack, bye) for branch in BRANCH.findall(request)}) == 3
    assert [header("CSeq", request) for request in (invite, ack, bye)] == ["1 INVITE", "1 ACK", "2 BYE"]
    assert "tag=" not in header("To", invite)
    assert header("To", ack) == header("To", bye)
    assert ack.startswith(
        f"ACK sip:callee@127.0.0.1:{port_of(invite)};transport={transport.upper()} SIP/2.0\n"
    )
    assert header("Content-Type", invite) == "application/sdp"


def header(name: str, message: str) -> str:
    found = re.search(rf"^{name}: *(.*)$", message, re.MULTILINE)
    assert found, f"no {name} in {message}"
    return found[1]


def port_of(invite: str) -> str:
    found = re.match(rf"INVITE sip:{re.escape(CALLEE)}@127\.0\.0\.1:(\d+)", invite)
    assert found
    return found[1]


@BOTH
async def test_the_official_sdk_places_and_ends_the_call(tmp_path: Path, transport: str) -> None:
    port = free_port()
    async with (
        rig(tmp_path, port, transport) as made,
        sipp("answer.xml", tmp_path / "sipp", port=port, transport=transport) as far_end,
    ):
        assert made.server.certificates
        client = CallAutomationClient.from_connection_string(
            made.server.environment["COMMUNICATION_SERVICES_CONNECTION_STRING"],
            connection_verify=str(made.server.certificates.bundle),
        )
        async with client:
            created = await client.create_call(
                PhoneNumberIdentifier(CALLEE),
                made.listener.uri,
                source_caller_id_number=PhoneNumberIdentifier(CALLER),
            )
            call = created.call_connection_id
            assert call
            await made.connected(call)
            connection = client.get_call_connection(call)
            assert (await connection.get_call_properties()).call_connection_state == "connected"
            await connection.hang_up(is_for_everyone=True)
        told = await made.told(call)
        assert told.codes == BY_US
        assert told.events == TALKED
        (await far_end.ended()).check()


@BOTH
@pytest.mark.parametrize(
    ("reason", "ending", "cause"),
    [
        ('Q.850;cause=16;text="Normal call clearing"', "hung-up-by-phone", (16, "Normal call clearing")),
        ('Q.850;cause=38;text="Network out of order"', "hung-up-by-network", (38, "Network out of order")),
        ("SIP;cause=200, Q.850;cause=31", "hung-up-by-phone", (31, "Normal, unspecified")),
    ],
)
async def test_answered_and_hung_up_by_them(
    tmp_path: Path, transport: str, reason: str, ending: str, cause: tuple[int, str]
) -> None:
    played = await play(tmp_path, "answer_hang_up.xml", transport, keys={"reason": reason})
    assert played.told.codes == (0, 560000, ending)
    assert played.told.evidence == ["→ INVITE", "← 180", "← 200", "← BYE"]
    assert played.told.events == TALKED
    details = played.told.result["q850Details"]
    assert (details["code"], details["message"]) == cause


@BOTH
async def test_sdp_in_a_183_and_a_bare_200(tmp_path: Path, transport: str) -> None:
    """The answer of the 183 counts, and RTP flows by it: SIPp sends ours back."""

    async def hear_and_hang_up(made: Rig, call: str, _: Sipp) -> None:
        await made.until(call, "media")
        assert await made.hang_up(call) == 204

    echo = ("-rtp_echo", "-mi", "127.0.0.1", "-mp", str(free_port() & ~1))
    played = await play(tmp_path, "early_media.xml", transport, hear_and_hang_up, options=echo)
    assert played.told.codes == BY_US
    assert played.told.evidence == ["→ INVITE", "← 180", "← 200", "api hangUp", "→ BYE"]
    assert played.told.events == TALKED
    media = played.told.media
    assert media["codec"] == "PCMU"
    assert media["remote"] == f"127.0.0.1:{echo[-1]}"
    assert 1 <= media["received"] <= media["sent"]
    assert not any("no RTP" in remark for remark in played.told.remarks)


@BOTH
async def test_every_provisional_response_in_any_order(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "ringing_repeated.xml", transport, hang_up_when_connected)
    assert played.told.codes == BY_US
    assert played.told.evidence == ["→ INVITE", "← 180", "← 200", "api hangUp", "→ BYE"]
    assert played.told.timeline.count("← 180") == 4
    assert played.told.events == TALKED


async def test_the_third_invite_is_answered(tmp_path: Path) -> None:
    played = await play(tmp_path, "third_invite.xml", "udp", hang_up_when_connected, options=AS_SEEN)
    assert played.told.codes == BY_US
    first, second, third = played.far_end.requests("INVITE")
    assert first == second == third
    assert "the INVITE had to be sent 3 times before a response came" in played.told.remarks
    assert played.told.events == TALKED


@BOTH
async def test_a_repeated_200_is_acknowledged_each_time(tmp_path: Path, transport: str) -> None:
    """As if our first ACKs were lost: the same ACK again (RFC 3261 section 13.2.2.4), one CallConnected."""
    played = await play(tmp_path, "answer_repeated.xml", transport, options=AS_SEEN)
    assert played.told.codes == BY_THEM
    first, second, third = played.far_end.requests("ACK")
    assert first == second == third
    assert "the same answer came 2 more times" in played.told.remarks
    assert played.told.events == TALKED


@BOTH
async def test_a_far_end_that_never_sees_our_ack(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "ack_lost.xml", transport, options=AS_SEEN)
    assert played.told.codes == (0, 560000, "ack-lost")
    assert played.told.evidence == ["→ INVITE", "← 180", "← 200", "→ ACK", "← 200", "← 200", "← BYE"]
    assert len(played.far_end.requests("ACK")) == 7
    assert played.told.events == TALKED


@BOTH
async def test_a_far_end_that_wants_no_ack(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "no_ack_wanted.xml", transport, options=("-pause_msg_ign",))
    assert played.told.codes == BY_THEM
    assert played.told.evidence == ["→ INVITE", "← 200", "← BYE"]
    assert played.told.events == TALKED


@BOTH
async def test_a_second_phone_answers_too(tmp_path: Path, transport: str) -> None:
    async def hang_up_after_the_fork(made: Rig, call: str, _: Sipp) -> None:
        await made.until(call, "→ BYE")  # that of the other phone
        assert await made.hang_up(call) == 204

    played = await play(tmp_path, "fork.xml", transport, hang_up_after_the_fork)
    assert played.told.codes == BY_US
    assert "answered elsewhere too: a 2xx of another far end came (a fork)" in played.told.remarks
    surplus, ours = played.far_end.requests("BYE")
    assert (header("To", surplus)[-3:], header("To", ours)[-3:]) == ("two", "one")
    decisive: dict[str, Any] = played.told.facts[played.told.why["evidence"][-1]["fact"] - 1]
    assert header("To", ours) in decisive["message"]  # the evidence is the BYE of the call, not of the fork
    assert played.told.events == TALKED


@BOTH
async def test_hold_resume_and_other_requests_within_the_call(tmp_path: Path, transport: str) -> None:
    async def hang_up_at_the_end(made: Rig, call: str, _: Sipp) -> None:
        await made.until(call, "→ 405")
        assert await made.hang_up(call) == 204

    played = await play(tmp_path, "hold_resume.xml", transport, hang_up_at_the_end)
    assert played.told.codes == BY_US
    assert played.told.evidence == ["→ INVITE", "← 180", "← 200", "api hangUp", "→ BYE"]
    assert played.told.events == TALKED
    assert [len(played.far_end.requests(method)) for method in ("INVITE", "ACK", "BYE")] == [1, 1, 1]


@BOTH
async def test_both_hang_up_at_once(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "both_hang_up.xml", transport, hang_up_when_connected)
    assert played.told.codes == BY_US
    assert played.told.evidence == ["→ INVITE", "← 200", "api hangUp", "→ BYE"]
    assert played.told.events == TALKED


@BOTH
@pytest.mark.parametrize("status", ["481 Call/Transaction Does Not Exist", "500 Server Internal Error"])
async def test_a_bye_that_is_refused_ends_the_call_too(tmp_path: Path, transport: str, status: str) -> None:
    played = await play(
        tmp_path, "bye_refused.xml", transport, hang_up_when_connected, keys={"status": status}
    )
    assert played.told.codes == BY_US
    assert played.told.events == TALKED


@BOTH
@pytest.mark.parametrize("scenario", ["record_route.xml", "strict_route.xml"])
async def test_requests_take_the_recorded_route(tmp_path: Path, transport: str, scenario: str) -> None:
    """SIPp checks Request-URI and Route of ACK and BYE itself; here, the order of two proxies."""
    played = await play(tmp_path, scenario, transport, hang_up_when_connected)
    assert played.told.codes == BY_US
    assert played.told.events == TALKED
    if scenario == "record_route.xml":
        for request in played.far_end.received[1:]:
            routes = re.findall(r"^Route: *(.*)$", request, re.MULTILINE)
            assert [route.partition(";")[0] for route in routes] == [
                f"<sip:127.0.0.1:{port_of(played.far_end.received[0])}",
                "<sip:far.example",
            ]


@BOTH
async def test_compact_headers(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "compact.xml", transport)
    assert played.told.codes == BY_THEM
    assert played.told.evidence == ["→ INVITE", "← 180", "← 200", "← BYE"]
    assert played.told.result["q850Details"]["code"] == 16
    assert played.told.events == TALKED


@BOTH
async def test_folded_headers(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "folded.xml", transport, keys={"fold": "\n \t "})
    assert played.told.codes == BY_THEM
    assert played.told.evidence == ["→ INVITE", "← 200", "← BYE"]
    details = played.told.result["q850Details"]
    assert (details["code"], details["message"]) == (31, "Normal, unspecified")
    assert played.told.events == TALKED


@BOTH
async def test_huge_headers(tmp_path: Path, transport: str) -> None:
    huge = "\n".join(f"X-Huge-{number}: {'h' * 7000}" for number in range(7))
    played = await play(tmp_path, "huge.xml", transport, hang_up_when_connected, keys={"huge": huge})
    assert played.told.codes == BY_US
    assert played.told.events == TALKED
    (answer,) = [fact for fact in played.told.facts if "X-Huge-6" in fact.get("message", "")]
    assert len(answer["message"]) > 49_000


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_options_of_a_trunk_are_answered(tmp_path: Path, transport: str) -> None:
    """SIPp asks ten times outside of any call, and checks the answer itself."""
    async with rig(tmp_path, free_port()) as made:
        to = f"127.0.0.1:{made.sip_port}"
        async with sipp(
            "options.xml",
            tmp_path / "sipp",
            port=free_port(),
            transport=transport,
            remote=to,
            calls=10,
            options=("-r", "100"),
        ) as asking:
            ended = await asking.ended()
        ended.check()
        assert len(ended.received) == 10
        assert made.server.switch.calls == {}


async def test_two_calls_at_once_do_not_mix(tmp_path: Path) -> None:
    port = free_port()
    async with (
        rig(tmp_path, port) as made,
        sipp("answer.xml", tmp_path / "sipp", port=port, calls=2) as far_end,
    ):
        one, two = await asyncio.gather(made.call(), made.call())
        await asyncio.gather(made.connected(one), made.connected(two))
        assert await made.hang_up(one) == 204
        assert (await made.told(one)).events == TALKED
        assert made.listener.types(two) == TALKED[:2]
        assert list(made.server.switch.calls) == [two]
        assert await made.hang_up(two) == 204
        assert (await made.told(two)).codes == BY_US
        (await far_end.ended()).check()
