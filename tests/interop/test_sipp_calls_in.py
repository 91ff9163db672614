"""SIPp, an agent that we did not write, calls in: answered, rejected, given up, and many at once."""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from interop.whole_server import free_port, whole_server
from onhook.acs.models import AnswerCallRequest, CallRejectReason
from onhook.acs.requests import Asked
from onhook.app import Running

pytestmark = pytest.mark.interop

NUMBER = "+14255550100"
CALLS, RATE = 300, 60
MAX_RUN_SECONDS = 20
TRUNK = {"carrier__enabled": "false", "trunk__sbc__host": "127.0.0.1", "trunk__sbc__port": 5999}
Transport = str

UAC = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="calls in">
  <send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+14255550200@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
%s
</scenario>
"""
# SIPp counts back: [branch-4] is that of the step four above.
ACK = """  <send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+14255550200@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

  ]]></send>
"""
BYE = ACK.replace("1 ACK", "2 BYE").replace("ACK sip", "BYE sip").replace("<send>", '<send retrans="500">')
CANCEL = (
    ACK.replace("1 ACK", "1 CANCEL")
    .replace("ACK sip", "CANCEL sip")
    .replace("[peer_tag_param]", "")
    .replace("[branch]", "[branch-4]")
    .replace("<send>", '<send retrans="500">')
)
TALKS = f'  <recv response="200"/>\n{ACK}  <pause milliseconds="100"/>\n{BYE}  <recv response="200"/>\n'


def refused(status: int) -> str:
    ack = ACK.replace("[branch]", "[branch-4]")
    return f'  <recv response="{status}"/>\n{ack}'


class Application:
    """Hears of every call, and decides at once."""

    def __init__(self, server: Running, decide: Callable[["Application", str], object]) -> None:
        self.server, self._decide = server, decide
        self.resource = server.config.directory.resources[0]

    def announce(
        self,
        resource_name: str,
        event_type: str,
        subject: str,
        data: Mapping[str, Any],
        *,
        call_id: str,
    ) -> None:
        context = data["incomingCallContext"]
        asyncio.get_running_loop().call_soon(self._decide, self, context)

    def has_subscribers(self, resource_name: str) -> bool:
        return False

    def withdraw(self, call_ids: Collection[str]) -> None:
        """Nothing to take back."""

    def asked(self, operation: str) -> Asked:
        return Asked(api_version="2026-03-12", request_id="test", operation=operation)

    def answer(self, context: str) -> None:
        request = AnswerCallRequest(incoming_call_context=context, callback_uri="http://127.0.0.1:9/nobody")
        self.server.switch.answer_call(self.resource, request, self.asked("answerCall"))

    def reject(self, context: str) -> None:
        reason = CallRejectReason.BUSY
        self.server.switch.reject_call(self.resource, context, reason, self.asked("rejectCall"))

    def ignore(self, context: str) -> None:
        """Let it ring."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with whole_server(tmp_path, **TRUNK) as started:
        yield started


async def dial(
    server: Running,
    folder: Path,
    steps: str,
    *,
    number: str = NUMBER,
    calls: int = 1,
    transport: Transport = "u1",
) -> None:
    """Fails with SIPp's own words if a call did not go as the steps say."""
    sipp = shutil.which("sipp")
    assert sipp, "SIPp is missing: apt-get install sip-tester"
    file, log = folder / "calls_in.xml", folder / "errors.log"
    text = UAC % steps
    if "CANCEL sip" in steps:  # it waits until it rings
        text = text.replace('<recv response="180" optional="true"/>', '<recv response="180"/>')
    file.write_text(text)
    process = await asyncio.create_subprocess_exec(
        *(sipp, "-sf", str(file), "-s", number, "-t", transport, "-m", str(calls), "-r", str(RATE)),
        *("-i", "127.0.0.1", "-p", str(free_port()), "-mp", str(free_port()), "-nostdin"),
        *("-timeout", f"{MAX_RUN_SECONDS}s", "-timeout_error", "-trace_err", "-error_file", str(log)),
        f"127.0.0.1:{server.network.bound[0].port}",
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), MAX_RUN_SECONDS + 10)
    text = log.read_text(errors="replace") if log.exists() else said.decode(errors="replace")[-3000:]
    assert process.returncode == 0, text


async def endings(server: Running, calls: int) -> Counter[str]:
    """Why the calls ended, once all have."""
    end = time.monotonic() + 20
    while server.switch.calls and time.monotonic() < end:  # noqa: ASYNC110  # what is waited for is in another process
        await asyncio.sleep(0.05)
    await server.switch.written()
    return Counter(
        record.verdict.ending if record.verdict else "open" for record in server.store.calls(calls + 10)
    )


@pytest.mark.parametrize("transport", ["u1", "t1"])
@pytest.mark.parametrize(
    ("decide", "steps", "ending"),
    [
        (Application.answer, TALKS, "caller-hung-up"),
        (Application.reject, refused(486), "inbound-busy"),
    ],
    ids=["answered", "rejected"],
)
async def test_a_call_is_taken_as_the_application_decides(  # noqa: PLR0917  # fixtures and a case
    server: Running,
    tmp_path: Path,
    decide: Callable[[Application, str], object],
    steps: str,
    ending: str,
    transport: Transport,
) -> None:
    server.switch._announcer = Application(server, decide)
    await dial(server, tmp_path, steps, transport=transport)
    assert await endings(server, 1) == {ending: 1}


async def test_a_caller_gives_up_while_it_rings(server: Running, tmp_path: Path) -> None:
    server.switch._announcer = Application(server, Application.ignore)
    steps = f'  <pause milliseconds="300"/>\n{CANCEL}  <recv response="200"/>\n' + refused(487).replace(
        "[branch-1]", "[branch-2]"
    )
    await dial(server, tmp_path, steps)
    assert await endings(server, 1) == {"caller-gave-up": 1}


async def test_a_number_that_nobody_owns_gets_404(server: Running, tmp_path: Path) -> None:
    await dial(server, tmp_path, refused(404), number="+14255559999")
    assert await endings(server, 1) == {"inbound-number-unknown": 1}


@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_many_calls_are_all_answered_and_nothing_is_left(
    server: Running, tmp_path: Path, transport: Transport
) -> None:
    server.switch._announcer = Application(server, Application.answer)
    await dial(server, tmp_path, TALKS, calls=CALLS, transport=transport)
    assert await endings(server, CALLS) == {"caller-hung-up": CALLS}
    switch = server.switch
    assert not switch.calls
    assert not switch._by_leg
    assert not switch._counted
    assert not switch._on_trunk.total()
