"""The switch towards the network: whose message it is, what strangers get, whom garbage blames."""

import asyncio
from collections.abc import Callable, Iterable

import pytest

from onhook.calls.directory import Trunk
from onhook.effects import Destination
from onhook.facts import MediaMeasured, SipSeen, SipUnreadable, TransportFailed
from onhook.lab.rehearsal import World
from onhook.lab.virtual_network import VirtualNetwork
from onhook.lab.virtual_time import run
from onhook.sip.messages import Headers, Request, Response, parse
from onhook.switch.floor import MAX_SUSPECTS
from stages import ANSWERS, RINGS, SILENT, far_end, stage, world

PEER = Destination("udp", "192.0.2.2", 5060)
STRANGER = Destination("udp", "198.51.100.9", 5060)


def make_request(method: str, call_id: str = "stray-1", to_tag: str = "") -> bytes:
    headers = Headers.of(
        ("via", "SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bKstray;rport"),
        ("from", "<sip:probe@198.51.100.9>;tag=probe"),
        ("to", f"<sip:onhook@192.0.2.1>{f';tag={to_tag}' if to_tag else ''}"),
        ("call-id", call_id),
        ("cseq", f"1 {method}"),
        ("max-forwards", "70"),
        ("contact", "<sip:probe@198.51.100.9>"),
    )
    return Request(method, "sip:onhook@192.0.2.1", headers, b"").to_bytes()


def unreadables(here: World, call_id: str) -> list[SipUnreadable]:
    return [fact for fact in here.store.facts(call_id) if isinstance(fact, SipUnreadable)]


async def ending(here: World, call_id: str) -> str:
    """Wait for the end of a call; its ending."""
    while (kept := here.store.call(call_id)) is None or kept.verdict is None:  # noqa: ASYNC110  # virtual time
        await asyncio.sleep(1)
    return kept.verdict.ending


# Strangers


def answers_to(*messages: bytes) -> list[Response]:
    """What a stranger hears who sends these to a server without a call."""
    heard: list[bytes] = []

    def keep(data: bytes) -> Iterable[bytes]:
        heard.append(data)
        return ()

    async def main() -> None:
        here = await world()
        here.network.add(STRANGER, keep)
        for message in messages:
            here.network.inject(message, STRANGER)
            await asyncio.sleep(1)
        assert here.switch.calls == {}

    run(main())
    answers = [parse(data) for data in heard]
    assert all(isinstance(answer, Response) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Response)]


@pytest.mark.parametrize(
    ("method", "to_tag", "status"),
    [
        ("OPTIONS", "", 200),
        ("BYE", "gone", 481),
        ("BYE", "", 481),
        ("CANCEL", "", 481),
        ("OPTIONS", "gone", 481),
        ("INVITE", "gone", 481),
        ("INVITE", "", 403),
    ],
)
def test_requests_that_belong_to_no_call(method: str, to_tag: str, status: int) -> None:
    (answer,) = answers_to(make_request(method, to_tag=to_tag))
    assert answer.status == status
    assert answer.call_id == "stray-1"
    assert answer.to_tag
    assert answer.headers.get("cseq") == f"1 {method}"


def test_an_ack_and_responses_to_nothing_are_dropped() -> None:
    stray = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
    stray += b"From: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\nContent-Length: 0\r\n\r\n"
    assert answers_to(make_request("ACK"), stray, b"\x00\x01", b"\r\n\r\n", b"") == []


def test_a_request_that_can_be_made_out_in_part_is_refused_with_what_is_wrong() -> None:
    (answer,) = answers_to(make_request("OPTIONS").replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1))
    assert answer.status == 505


# Whose message it is


def test_messages_reach_their_call_among_many() -> None:
    busy = "carrier: 486 Busy Here\n"
    peers = far_end(RINGS, n14255550201=busy, n14255550202=ANSWERS)

    async def main() -> None:
        here = await world(peers)
        numbers = {f"+1425555020{n}": here.create_call(target=f"+1425555020{n}") for n in range(5)}
        await asyncio.sleep(5)
        assert await ending(here, numbers["+14255550201"]) == "callee-busy"
        connected = [call_id for call_id, call in here.switch.calls.items() if call.record.connected_at]
        assert connected == [numbers["+14255550202"]]
        assert len(here.switch.calls) == 4

    run(main())


def test_a_message_for_a_call_that_is_over_still_reaches_it() -> None:
    async def main() -> None:
        here = await world("carrier: 486 Busy Here\n")
        call_id = here.create_call()
        assert await ending(here, call_id) == "callee-busy"
        before = len(here.store.facts(call_id))
        call = next(iter(here.switch._by_sip_id.values()))
        assert call.leg is not None
        repeated = next(
            fact.message
            for fact in here.store.facts(call_id)
            if isinstance(fact, SipSeen) and b"486" in fact.message[:12]
        )
        here.network.inject(repeated, PEER)
        await asyncio.sleep(1)
        assert len(here.store.facts(call_id)) == before + 2  # the 486 again, and its ACK
        await asyncio.sleep(60)
        assert here.switch._by_sip_id == {}
        here.network.inject(repeated, PEER)
        await asyncio.sleep(1)
        assert len(here.store.facts(call_id)) == before + 2

    run(main())


# Unreadable bytes


def garbage_story(
    calls: int, act: Callable[[World, list[str]], None], *trunks: Trunk
) -> tuple[list[list[SipUnreadable]], list[str]]:
    """Place `calls` to a silent trunk, let `act` happen, wait for the ends: what was noted, the endings."""

    async def main() -> tuple[list[list[SipUnreadable]], list[str]]:
        here = await world(SILENT, stage(*trunks))
        ids = [here.create_call() for _ in range(calls)]
        await asyncio.sleep(1)
        act(here, ids)
        endings = [await ending(here, call_id) for call_id in ids]
        return [unreadables(here, call_id) for call_id in ids], endings

    return run(main())


def test_bytes_without_a_call_id_belong_to_the_one_call_that_waits() -> None:
    noted, endings = garbage_story(1, lambda here, _: here.network.inject(b"\x00\xffgarbage", PEER))
    assert [(fact.data, fact.candidates) for fact in noted[0]] == [(b"\x00\xffgarbage", 1)]
    assert endings == ["malformed-answer"]


@pytest.mark.parametrize("calls", [2, 5])
def test_when_several_calls_wait_each_notes_them_and_none_is_blamed(calls: int) -> None:
    noted, endings = garbage_story(calls, lambda here, _: here.network.inject(b"\x00garbage", PEER))
    assert [[fact.candidates for fact in facts] for facts in noted] == [[calls]] * calls
    assert endings == ["trunk-silent"] * calls


def test_bytes_with_a_call_id_belong_to_that_call_alone() -> None:
    def act(here: World, ids: list[str]) -> None:
        leg = here.switch.calls[ids[1]].leg
        assert leg is not None
        here.network.inject(f"SIP/2.0 200 OK\r\nCall-ID: {leg.sip_call_id}\r\nbroken".encode(), PEER)

    noted, endings = garbage_story(3, act)
    assert [len(facts) for facts in noted] == [0, 1, 0]
    assert noted[1][0].candidates == 1
    assert endings == ["trunk-silent", "malformed-answer", "trunk-silent"]


def test_bytes_with_the_call_id_of_nobody_belong_to_nobody() -> None:
    stray = b"SIP/2.0 200 OK\r\nCall-ID: somebody@else\r\nbroken"
    noted, endings = garbage_story(1, lambda here, _: here.network.inject(stray, PEER))
    assert (noted, endings) == ([[]], ["trunk-silent"])


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"\r\n", b"\x00\x00\x00\x00"])
def test_keep_alives_are_no_garbage(data: bytes) -> None:
    noted, endings = garbage_story(1, lambda here, _: here.network.inject(data, PEER))
    assert (noted, endings) == ([[]], ["trunk-silent"])


@pytest.mark.parametrize(
    "source",
    [
        Destination("udp", "192.0.2.2", 5061),
        Destination("tcp", "192.0.2.2", 5060),
        Destination("udp", "198.51.100.9", 5060),
    ],
)
def test_bytes_from_elsewhere_are_not_the_trunks(source: Destination) -> None:
    noted, endings = garbage_story(1, lambda here, _: here.network.inject(b"\x00garbage", source))
    assert (noted, endings) == ([[]], ["trunk-silent"])


def test_a_trunk_with_a_name_is_known_by_its_port_only() -> None:
    """Only the network knows its addresses; its garbage still has to be somebody's."""

    async def main() -> None:
        here = await world(SILENT, stage(Trunk("named", "sbc.example", 5060)))
        here.network.silence(Destination("udp", "sbc.example", 5060))
        call_id = here.create_call()
        await asyncio.sleep(1)
        here.network.inject(b"\x00garbage", Destination("udp", "203.0.113.7", 5060))
        assert await ending(here, call_id) == "malformed-answer"

    run(main())


def test_calls_of_another_trunk_and_connected_ones_are_no_candidates() -> None:
    peers = far_end(SILENT, n14255550202=ANSWERS)

    async def main() -> None:
        here = await world(peers)
        connected, waiting = here.create_call(target="+14255550202"), here.create_call()
        await asyncio.sleep(3)
        here.network.inject(b"\x00garbage", PEER)
        await asyncio.sleep(1)
        assert unreadables(here, connected) == []
        assert [fact.candidates for fact in unreadables(here, waiting)] == [1]

    run(main())


def test_they_are_noted_on_a_limited_number_of_calls_and_all_are_counted() -> None:
    many = MAX_SUSPECTS + 4
    noted, _ = garbage_story(many, lambda here, _: here.network.inject(b"\x00garbage", PEER))
    assert sum(len(facts) for facts in noted) == MAX_SUSPECTS
    assert {fact.candidates for facts in noted for fact in facts} == {many}


# Transport failures, media


def test_a_transport_failure_is_told_to_every_call_on_that_trunk() -> None:
    trunks = Trunk("first", "192.0.2.2", max_calls=2), Trunk("second", "192.0.2.3")

    async def main() -> None:
        here = await world(SILENT, stage(*trunks))
        ids = [here.create_call() for _ in range(4)]
        await asyncio.sleep(1)
        here.network._failed(trunks[0].destination, "refused: port unreachable")
        await asyncio.sleep(1)
        found = [
            [fact.error for fact in here.store.facts(call_id) if isinstance(fact, TransportFailed)]
            for call_id in ids
        ]
        assert found == [["refused: port unreachable"]] * 2 + [[]] * 2
        # the next trunk of the route takes the two over, and is silent too
        assert [await ending(here, call_id) for call_id in ids] == ["trunk-silent"] * 4

    run(main())


def test_a_trunk_that_refuses_tcp_ends_the_call_at_once() -> None:
    async def main() -> None:
        here = await world(SILENT, stage(Trunk("carrier", "192.0.2.2", 5060, "tcp")))
        here.network.remove(Destination("tcp", "192.0.2.2", 5060), "refused: connection refused")
        call_id = here.create_call()
        await asyncio.sleep(0.5)
        assert await ending(here, call_id) == "trunk-unreachable"
        assert here.switch._by_sip_id == {}

    run(main())


def test_the_first_packet_and_the_last_count_are_facts() -> None:
    async def main() -> None:
        here = await world(ANSWERS)
        call_id = here.create_call()
        await asyncio.sleep(4)
        here.hang_up(call_id)
        await asyncio.sleep(1)
        first, last = [fact for fact in here.store.facts(call_id) if isinstance(fact, MediaMeasured)]
        assert (first.received, first.codec) == (1, "PCMU")
        assert last.sent == last.received - 1 > 100

    run(main())


def test_a_count_for_a_leg_that_is_gone_is_dropped() -> None:
    async def main() -> None:
        here = await world(ANSWERS)
        here.switch._media_told("nobody", MediaMeasured(at=here.now(), leg="nobody", sent=0, received=1))
        assert here.store.calls(1) == []

    run(main())


def test_the_network_is_asked_for_our_address_towards_the_trunk() -> None:
    async def main() -> None:
        here = await world(RINGS, network=VirtualNetwork(host="203.0.113.1", port=5999, now=World.now))
        call_id = here.create_call()
        await asyncio.sleep(1)
        assert here.switch.calls[call_id].record.local == ("203.0.113.1", 5999)
        invite = next(fact for fact in here.store.facts(call_id) if isinstance(fact, SipSeen))
        assert b"Via: SIP/2.0/UDP 203.0.113.1:5999" in invite.message

    run(main())
