"""The built-in carrier on real sockets: SIP over UDP and TCP, RTP, and calls fixed beforehand."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest

from far_end_caller import OFFER, Caller
from onhook.effects import Destination
from onhook.lab.carrier import MAX_WILLS, Carrier
from onhook.lab.scenario import ScenarioError, parse_scenario
from onhook.media.rtp import is_rtp, silent_packet, write_header
from onhook.sip.messages import Request, Response, parse
from onhook.sip.offer import make_offer
from onhook.sip.sdp import SessionDescription, parse_sdp


class Phone(asyncio.DatagramProtocol):
    """A UDP socket on loopback that keeps what comes."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.put_nowait(data)

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        assert self.transport is not None
        self.transport.sendto(data, to)

    @property
    def port(self) -> int:
        assert self.transport is not None
        return int(self.transport.get_extra_info("sockname")[1])

    async def response(self) -> Response:
        message = parse(await asyncio.wait_for(self.received.get(), 5))
        assert isinstance(message, Response)
        return message


OpenPhone = Callable[[], Awaitable[Phone]]


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    started = Carrier("127.0.0.1", 0)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def open_phone() -> AsyncIterator[OpenPhone]:
    phones: list[Phone] = []

    async def opened() -> Phone:
        _, phone = await asyncio.get_running_loop().create_datagram_endpoint(
            Phone, local_addr=("127.0.0.1", 0)
        )
        phones.append(phone)
        return phone

    yield opened
    for phone in phones:
        assert phone.transport is not None
        phone.transport.close()


def invite(
    number: str, sip_port: int, *, transport: str = "udp", call_id: str = "call-1", offer: bytes = OFFER
) -> Request:
    caller = Caller(source=Destination(transport, "127.0.0.1", sip_port))
    made = caller.invite(number=number, call_id=call_id, body=offer)
    made.headers.set("via", made.headers.get("via").replace("192.0.2.1", "127.0.0.1"))
    return made


def ack(request: Request, response: Response) -> bytes:
    caller = Caller()
    made = caller.ack(response, branch=request.branch if response.status >= 300 else "z9hG4bK-own-ack")
    return made.to_bytes()


def bye(response: Response) -> bytes:
    made = Caller().ack(response, branch="z9hG4bK-bye")
    made.method = "BYE"
    made.headers.set("cseq", "2 BYE")
    return made.to_bytes()


async def until(true: Callable[[], object]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true within 5 s")


async def test_a_busy_number_over_udp(carrier: Carrier, open_phone: OpenPhone) -> None:
    phone = await open_phone()
    request = invite("+14255550486", phone.port)
    phone.send(request.to_bytes(), carrier.address)
    assert (await phone.response()).status == 100
    busy = await phone.response()
    assert (busy.status, busy.headers.get("reason")) == (486, 'Q.850;cause=17;text="User busy"')
    phone.send(ack(request, busy), carrier.address)
    await until(lambda: carrier.calls[0].history[-1] == "> ACK")
    assert carrier.calls[0].number == "+14255550486"


async def test_timers_run_on_the_loop(carrier: Carrier, open_phone: OpenPhone) -> None:
    phone = await open_phone()
    started = asyncio.get_running_loop().time()
    phone.send(invite("+14255551486", phone.port).to_bytes(), carrier.address)
    assert [(await phone.response()).status for _ in range(3)] == [100, 486, 486]
    assert 1.4 < asyncio.get_running_loop().time() - started < 3


async def test_rtp_is_sent_and_counted_from_answer_to_bye(carrier: Carrier, open_phone: OpenPhone) -> None:
    phone, ear = await open_phone(), await open_phone()
    offer = make_offer("127.0.0.1", ear.port, 1, 1).to_bytes()
    request = invite("+14255550200", phone.port, offer=offer)
    phone.send(request.to_bytes(), carrier.address)
    assert (await phone.response()).status == 180
    answer = await phone.response()
    phone.send(ack(request, answer), carrier.address)
    described = parse_sdp(answer.body)
    assert isinstance(described, SessionDescription)
    packets = [await asyncio.wait_for(ear.received.get(), 2) for _ in range(10)]
    assert all(is_rtp(packet, len(packet)) and packet[12:] == b"\xff" * 160 for packet in packets)
    assert [packet[1] for packet in packets] == [0x80, *[0] * 9]
    numbers = [int.from_bytes(packet[2:4], "big") for packet in packets]
    assert [(number - numbers[0]) % 65_536 for number in numbers] == list(range(10))
    ours = silent_packet("PCMU")
    for number in range(3):
        write_header(ours, 0, number, 160 * number, 7)
        ear.send(bytes(ours), ("127.0.0.1", described.media[0].port))
    ear.send(b"no rtp", ("127.0.0.1", described.media[0].port))
    phone.send(bye(answer), carrier.address)
    assert (await phone.response()).status == 200
    assert not carrier.far_end.talking
    counted = carrier.audio.measured(carrier.calls[0])
    assert (counted.received, counted.junk) == (3, 1)
    assert counted.sent >= 10


async def test_the_rtp_tick_keeps_its_pace(carrier: Carrier, open_phone: OpenPhone) -> None:
    phone, ear = await open_phone(), await open_phone()
    offer = make_offer("127.0.0.1", ear.port, 1, 1).to_bytes()
    phone.send(invite("+14255550200", phone.port, offer=offer).to_bytes(), carrier.address)
    await asyncio.wait_for(ear.received.get(), 2)
    started = asyncio.get_running_loop().time()
    for _ in range(50):
        await asyncio.wait_for(ear.received.get(), 2)
    assert 0.9 < asyncio.get_running_loop().time() - started < 3


async def test_a_call_over_tcp_is_answered_on_its_connection(carrier: Carrier) -> None:
    reader, writer = await asyncio.open_connection(*carrier.address)
    port = writer.get_extra_info("sockname")[1]
    writer.write(invite("+14255550404", port, transport="tcp").to_bytes())
    async with asyncio.timeout(5):
        first = await reader.readuntil(b"\r\n\r\n")
        second = await reader.readuntil(b"\r\n\r\n")
    assert [first[:11], second[:11]] == [b"SIP/2.0 100", b"SIP/2.0 404"]
    writer.close()


async def test_a_refused_connection_is_reset(carrier: Carrier) -> None:
    reader, writer = await asyncio.open_connection(*carrier.address)
    port = writer.get_extra_info("sockname")[1]
    writer.write(invite("+14255550996", port, transport="tcp").to_bytes())
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(5):
            assert await reader.read(1)
    writer.close()


async def test_a_refused_connection_over_udp_is_silence(carrier: Carrier, open_phone: OpenPhone) -> None:
    phone = await open_phone()
    phone.send(invite("+14255550996", phone.port).to_bytes(), carrier.address)
    await until(lambda: carrier.calls)
    assert phone.received.empty()
    assert carrier.calls[0].history == ["> INVITE"]


async def test_will_fixes_the_next_calls_only(carrier: Carrier, open_phone: OpenPhone) -> None:
    phone = await open_phone()
    carrier.will("+14255550486", "carrier: 603 Decline", 1)
    carrier.will("+14255550486", parse_scenario("carrier: 404 Not Found"), 2)
    heard: list[int] = []
    for number in range(4):
        request = invite("+14255550486", phone.port, call_id=f"call-{number}")
        phone.send(request.to_bytes(), carrier.address)
        final = await phone.response()
        while final.status < 200:
            final = await phone.response()
        phone.send(ack(request, final), carrier.address)
        heard.append(final.status)
    assert heard == [603, 404, 404, 486]


async def status_of_a_call(carrier: Carrier, phone: Any, number: str, call_id: str) -> int:
    """The final status of a call, acknowledged."""
    request = invite(number, phone.port, call_id=call_id)
    phone.send(request.to_bytes(), carrier.address)
    final = await phone.response()
    while final.status < 200:
        final = await phone.response()
    phone.send(ack(request, final), carrier.address)
    return int(final.status)


async def test_will_always_holds_until_it_is_forgotten(carrier: Carrier, open_phone: OpenPhone) -> None:
    phone, number = await open_phone(), "+14255550486"
    carrier.will_always(number, "carrier: 603 Decline")
    carrier.will(number, "carrier: 404 Not Found")
    assert carrier.unmet(number) == 1
    heard = [await status_of_a_call(carrier, phone, number, f"call-{n}") for n in range(3)]
    assert heard == [404, 603, 603]
    assert carrier.unmet(number) == 0
    carrier.will(number, "carrier: 404 Not Found", 5)
    assert carrier.unmet(number) == 5
    carrier.forget_wills()
    assert carrier.unmet(number) == 0
    assert await status_of_a_call(carrier, phone, number, "call-9") == 486
    with pytest.raises(ScenarioError, match="line 1"):
        carrier.will_always(number, "carrier: nonsense")


async def test_it_goes_by_the_clock_that_it_was_given(open_phone: OpenPhone) -> None:
    moved = [1_000.0]
    loop = asyncio.get_running_loop()
    carrier = Carrier(port=0, now=lambda: loop.time() + moved[0])
    assert carrier.next_act is None
    carrier.clock_skipped()
    await carrier.start()
    phone, number = await open_phone(), "+14255550486"
    carrier.will(number, "carrier: 180 Ringing\ncarrier: wait 60 s\ncarrier: 603 Decline")
    request = invite(number, phone.port)
    phone.send(request.to_bytes(), carrier.address)
    assert (await phone.response()).status == 180
    assert carrier.next_act is not None
    assert 50 < carrier.next_act - (loop.time() + moved[0]) <= 60
    moved[0] += 60
    carrier.clock_skipped()
    assert (await phone.response()).status == 603
    await carrier.stop()


async def test_will_refuses_what_it_cannot_keep(carrier: Carrier) -> None:
    with pytest.raises(ScenarioError, match="line 1"):
        carrier.will("+1", "carrier: nonsense")
    with pytest.raises(ValueError, match="count is 0"):
        carrier.will("+1", "carrier: 486", 0)
    carrier.will("+1", "carrier: 486", MAX_WILLS)
    with pytest.raises(ValueError, match="count is 1"):
        carrier.will("+2", "carrier: 486")


async def test_choose_replaces_the_cards(open_phone: OpenPhone) -> None:
    carrier = Carrier("127.0.0.1", 0, choose=lambda _: parse_scenario("carrier: 600 Busy Everywhere"))
    await carrier.start()
    phone = await open_phone()
    phone.send(invite("+14255550200", phone.port).to_bytes(), carrier.address)
    assert (await phone.response()).status == 600
    await carrier.stop()


async def test_a_taken_port_is_told_and_leaves_nothing_open(carrier: Carrier) -> None:
    second = Carrier(*carrier.address)
    with pytest.raises(OSError, match=str(carrier.address[1])):
        await second.start()
    with pytest.raises(RuntimeError, match="not started"):
        _ = second.far_end


async def test_a_stopped_carrier_frees_its_port_and_can_start_again(open_phone: OpenPhone) -> None:
    carrier = Carrier("127.0.0.1", 0)
    await carrier.start()
    host, port = carrier.address
    phone = await open_phone()
    phone.send(invite("+14255550200", phone.port).to_bytes(), (host, port))
    assert (await phone.response()).status == 180
    await carrier.stop()
    await carrier.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, port))


async def test_tags_differ_from_run_to_run(open_phone: OpenPhone) -> None:
    phone = await open_phone()
    tags: set[str] = set()
    for _ in range(2):
        carrier = Carrier("127.0.0.1", 0)
        await carrier.start()
        phone.send(invite("+14255550181", phone.port).to_bytes(), carrier.address)
        tags.add((await phone.response()).to_tag)
        await carrier.stop()
    assert len(tags) == 2


async def test_two_hundred_calls_at_once(carrier: Carrier, open_phone: OpenPhone) -> None:
    phone = await open_phone()
    ringing: set[str] = set()
    for number in range(200):
        phone.send(invite("+14255550181", phone.port, call_id=f"call-{number}").to_bytes(), carrier.address)
        if number % 20 == 19:  # as many as the phone's own receive buffer surely holds
            ringing |= {(await phone.response()).call_id for _ in range(20)}
    assert len(ringing) == 200
    assert len(carrier.far_end.calls) == 200
