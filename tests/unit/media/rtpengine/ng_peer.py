"""A peer that answers ng requests as a test says, over real UDP; it may lose datagrams."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import cast

from onhook.media.rtpengine.bencode import Dictionary, decode, encode

Answer = Callable[[Dictionary], "Dictionary | bytes | None"]
"""The answer to a request: a dictionary, raw bytes behind the cookie, or (None) nothing at all."""


class NgPeer(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.seen: list[tuple[bytes, Dictionary]] = []
        """Cookies and requests, repeated ones too."""
        self.to_lose = 0
        """So many of the next datagrams are not seen at all."""
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.to_lose:
            self.to_lose -= 1
            return
        cookie, _, body = data.partition(b" ")
        request = decode(body)
        assert isinstance(request, dict)
        self.seen.append((cookie, request))
        answer = self.answer(request)
        if answer is not None:
            assert self._transport
            body = answer if isinstance(answer, bytes) else encode(answer)
            self._transport.sendto(cookie + b" " + body, addr)

    def requests(self, command: str) -> list[Dictionary]:
        return [request for _, request in self.seen if request["command"] == command]


@contextlib.asynccontextmanager
async def ng_peer(answer: Answer, port: int = 0) -> AsyncGenerator[NgPeer]:
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(
        lambda: NgPeer(answer), local_addr=("127.0.0.1", port)
    )
    try:
        yield peer
    finally:
        transport.close()
