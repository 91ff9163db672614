"""SIP over TLS in a whole server: the local authority's certificate, and a call to a trunk by TLS."""

import asyncio
import ssl
from pathlib import Path

from onhook.app import running
from onhook.config import load

OPTIONS = (
    "OPTIONS sip:onhook@localhost SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKx;rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:sbc@127.0.0.1>;tag=1\r\nTo: <sip:onhook@localhost>\r\nCall-ID: tls-1\r\n"
    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
PATIENCE_SECONDS = 10.0


async def test_a_trunk_by_tls_makes_the_server_listen_with_a_certificate_of_the_local_authority(
    tmp_path: Path,
) -> None:
    settings = {
        "SERVER__PORT": "0",
        "SIP__PORT": "0",
        "SIP__TLS_PORT": "0",
        "CARRIER__ENABLED": "false",
        "SERVER__DATA_DIRECTORY": str(tmp_path),
        "STORE__PATH": str(tmp_path / "onhook.db"),
        "TRUNK__SBC__HOST": "127.0.0.1",
        "TRUNK__SBC__TRANSPORT": "tls",
    }
    config = load(None, {f"ONHOOK_{name}": value for name, value in settings.items()})
    async with asyncio.timeout(PATIENCE_SECONDS), running(config) as server:
        (place,) = [each for each in server.network.bound if each.transport == "tls"]
        trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port, ssl=trust)
        writer.write(OPTIONS.encode())
        assert (await reader.readline()).startswith(b"SIP/2.0 ")
        writer.close()
