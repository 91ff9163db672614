"""A call with SIPp leaves evidence: HEP at a collector, a capture that tcpdump reads, a Mermaid diagram."""

import asyncio
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from interop.sipp_trunk.rig import hang_up_when_connected, play
from interop.whole_server import run
from onhook.cli import main
from onhook.cli.outcome import Exit

pytestmark = pytest.mark.interop

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])
METHODS = ("INVITE", "ACK", "BYE")


class Homer(asyncio.DatagramProtocol):
    """A collector that keeps the SIP of what it gets."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def datagram_received(self, data: bytes, addr: Any) -> None:  # asyncio's signature
        assert data[:4] == b"HEP3"
        at = 6
        while at < len(data):
            _, kind, length = struct.unpack_from("!HHH", data, at)
            if kind == 15:
                self.messages.append(data[at + 6 : at + length].decode())
            at += length


@BOTH
async def test_a_call_is_seen_by_a_collector_and_by_tcpdump(
    tmp_path: Path, transport: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = asyncio.get_running_loop()
    listening, homer = await loop.create_datagram_endpoint(Homer, local_addr=("127.0.0.1", 0))
    collector = {"hep__host": "127.0.0.1", "hep__port": listening.get_extra_info("sockname")[1]}
    played = await play(tmp_path, "answer.xml", transport, hang_up_when_connected, settings=collector)
    listening.close()
    sip = [fact for fact in played.told.facts if fact["kind"] == "sip"]
    assert [message.split()[0] for message in homer.messages] == [
        str(fact["message"]).split()[0] for fact in sip
    ]

    configured = tmp_path / "onhook.toml"
    configured.write_text(f'[store]\npath = "{tmp_path}/onhook.db"\n')
    capture = tmp_path / "call.pcap"
    options = ["last", "--config", str(configured)]
    assert main(["pcap", *options, "--output", str(capture)]) == Exit.DONE
    assert f"{len(sip)} SIP messages" in capsys.readouterr().out
    tcpdump = shutil.which("tcpdump")
    assert tcpdump, "tcpdump is missing: apt-get install tcpdump"
    read = await run(tcpdump, "-nn", "-vv", "-A", "-r", capture, environment={})
    assert read.status == 0
    assert all(f"{method} sip:" in read.said for method in METHODS)
    assert "bad" not in read.said.lower().replace("bad/", "")
    assert ("cksum" in read.said) is (transport == "tcp") or "udp sum ok" in read.said

    assert main(["ladder", *options, "--mermaid"]) == Exit.DONE
    drawn = capsys.readouterr().out
    assert drawn.startswith("sequenceDiagram\n")
    assert "INVITE" in drawn
