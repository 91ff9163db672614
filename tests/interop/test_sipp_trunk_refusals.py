"""SIPp as the trunk: calls that are refused, with every final status, and challenges."""

import hashlib
import re
from pathlib import Path

import pytest

from interop.sipp_trunk.rig import FAILED, TALKED, hang_up_when_connected, play, rig
from interop.sipp_trunk.sipp import free_port, sipp
from onhook.endings.codes import sip_phrase, sip_statuses

pytestmark = pytest.mark.interop

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])
OWN_ENDINGS = {
    401: "trunk-refused-credentials",
    403: "call-forbidden",
    404: "number-not-found",
    407: "trunk-refused-credentials",
    408: "callee-no-response",
    480: "callee-unavailable",
    484: "number-incomplete",
    486: "callee-busy",
    487: "cancelled-by-trunk",
    488: "media-refused",
    500: "trunk-failed",
    503: "trunk-unavailable",
    600: "busy-everywhere",
    603: "callee-declined",
}
BY_CLASS = {
    3: "redirected",
    4: "trunk-client-error",
    5: "trunk-server-error",
    6: "trunk-global-failure",
}
FINAL = sorted(status for status in sip_statuses() if status >= 300)
SEED = {403: 21, 404: 1, 408: 102, 410: 22, 480: 18, 484: 28, 486: 17, 487: 31, 500: 41, 503: 38, 603: 21}
"""Statuses in the table of PSTN response codes, each with a Q.850 cause that goes with it (RFC 3398)."""
BRANCH = re.compile("branch=([^;]*)")
ACCOUNT = {"trunk__sipp__username": "trunk-user", "trunk__sipp__password": "s3cret"}


def ending_of(status: int) -> str:
    return OWN_ENDINGS.get(status) or BY_CLASS[status // 100]


async def test_every_final_status(tmp_path: Path) -> None:
    """One server, one SIPp after the other: what each status became."""
    port = free_port()
    became: dict[int, object] = {}
    async with rig(tmp_path, port) as made:
        for status in FINAL:
            keys = {"status": f"{status} {sip_phrase(status)}"}
            async with sipp("refuse_bare.xml", tmp_path / str(status), port=port, keys=keys) as far_end:
                told = await made.told(await made.call())
                (await far_end.ended()).check()
            assert told.events == FAILED
            assert "q850Details" not in told.result
            became[status] = told.codes, told.evidence, told.result["sipDetails"]
    assert became == {
        status: (
            (status, 560_000 + status, ending_of(status)),
            ["→ INVITE", f"← {status}"],
            {"code": status, "message": sip_phrase(status)},
        )
        for status in FINAL
    }
    assert len(became) > 50


@BOTH
async def test_statuses_of_the_published_table(tmp_path: Path, transport: str) -> None:
    port = free_port()
    became: dict[int, object] = {}
    async with rig(tmp_path, port, transport) as made:
        for status, cause in SEED.items():
            keys = {
                "status": f"{status} As The Carrier Says",
                "reason": f'Q.850;cause={cause};text="its own"',
            }
            folder = tmp_path / str(status)
            async with sipp("refuse.xml", folder, port=port, transport=transport, keys=keys) as far_end:
                told = await made.told(await made.call())
                ended = await far_end.ended()
            ended.check()
            assert told.events == FAILED
            assert told.result["sipDetails"] == {"code": status, "message": "As The Carrier Says"}
            assert told.result["q850Details"] == {"code": cause, "message": "its own"}
            (invite,), (ack,) = ended.requests("INVITE"), ended.requests("ACK")
            assert BRANCH.findall(ack) == BRANCH.findall(invite)  # RFC 3261 section 17.1.1.3
            became[status] = told.codes, told.evidence
    assert became == {
        status: (
            (status, 560_000 + status, ending_of(status)),
            ["→ INVITE", "← 180", f"← {status}"],
        )
        for status in SEED
    }


async def test_a_status_that_nobody_defined(tmp_path: Path) -> None:
    played = await play(tmp_path, "refuse_bare.xml", keys={"status": "499 House Rules"})
    assert played.told.codes == (499, 560499, "trunk-client-error")
    assert played.told.events == FAILED


async def test_codes_that_contradict_each_other(tmp_path: Path) -> None:
    keys = {"status": "486 Busy Here", "reason": 'SIP;cause=603, Q.850;cause=1;text="Unallocated"'}
    played = await play(tmp_path, "refuse.xml", keys=keys)
    assert played.told.codes == (486, 560486, "callee-busy")
    assert played.told.why["confidence"] == "medium"
    assert any("contradict" in remark for remark in played.told.remarks)


async def test_a_repeated_refusal_is_acknowledged_each_time(tmp_path: Path) -> None:
    """Over UDP only: over TCP nothing is repeated (RFC 3261 section 17.2.1)."""
    played = await play(tmp_path, "refuse_repeated.xml", options=("-nr",))
    assert played.told.codes == (486, 560486, "callee-busy")
    first, second, third = played.far_end.requests("ACK")
    assert first == second == third
    assert played.told.events == FAILED


@BOTH
async def test_401_is_answered_and_sipp_verifies_the_digest(tmp_path: Path, transport: str) -> None:
    keys = {"username": "trunk-user", "password": "s3cret", "algorithm": "MD5"}
    played = await play(
        tmp_path, "challenge_401.xml", transport, hang_up_when_connected, keys=keys, settings=ACCOUNT
    )
    assert played.told.codes == (0, 7000, "hung-up-by-app")
    assert played.told.events == TALKED
    assert "the trunk asked for credentials and took ours" in played.told.remarks


@BOTH
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_407_is_answered(tmp_path: Path, transport: str, algorithm: str) -> None:
    """SIPp checks the form, and here the digest is computed anew (RFC 7616 section 3.4.1)."""
    keys = {"username": "trunk-user", "password": "s3cret", "algorithm": algorithm}
    played = await play(
        tmp_path, "challenge_407.xml", transport, hang_up_when_connected, keys=keys, settings=ACCOUNT
    )
    assert played.told.codes == (0, 7000, "hung-up-by-app")
    assert played.told.events == TALKED
    _, invite = played.far_end.requests("INVITE")
    (bye,) = played.far_end.requests("BYE")
    for request in (invite, bye):
        assert response_of(request) == digest_of(request, "trunk-user", "s3cret", algorithm)


def auth_parameters(request: str) -> dict[str, str]:
    (line,) = re.findall(r"^Proxy-Authorization: Digest (.*)$", request, re.MULTILINE)
    return dict(re.findall(r'(\w+)="?([^",]*)"?', line))


def response_of(request: str) -> str:
    return auth_parameters(request)["response"]


def digest_of(request: str, username: str, password: str, algorithm: str) -> str:
    made = hashlib.new("md5" if algorithm == "MD5" else "sha256")

    def hashed(text: str) -> str:
        digest = made.copy()
        digest.update(text.encode())
        return digest.hexdigest()

    given = auth_parameters(request)
    method, uri, _ = request.splitlines()[0].split()
    assert given["uri"] == uri
    secret = hashed(f"{username}:carrier.example:{password}")
    between = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:auth"
    return hashed(f"{secret}:{between}:{hashed(f'{method}:{uri}')}")


@BOTH
async def test_wrong_credentials_are_not_tried_for_ever(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "challenge_always.xml", transport, settings=ACCOUNT)
    assert played.told.codes == (401, 560401, "trunk-refused-credentials")
    assert played.told.evidence == ["← 401", "← 401", "→ INVITE", "← 401"]
    assert len(played.far_end.requests("INVITE")) == 3
    assert played.told.events == FAILED


@BOTH
@pytest.mark.parametrize(
    ("status", "asks"),
    [("401 Unauthorized", "WWW-Authenticate"), ("407 Proxy Authentication Required", "Proxy-Authenticate")],
)
async def test_a_challenge_without_credentials(
    tmp_path: Path, transport: str, status: str, asks: str
) -> None:
    keys = {"status": status, "asks": asks, "algorithm": "MD5"}
    played = await play(tmp_path, "challenge_once.xml", transport, keys=keys)
    number = int(status[:3])
    assert played.told.codes == (number, 560_000 + number, "trunk-refused-credentials")
    assert played.told.evidence == ["→ INVITE", f"← {number}"]
    assert played.told.events == FAILED


async def test_a_challenge_by_an_algorithm_that_we_do_not_know(tmp_path: Path) -> None:
    keys = {"status": "401 Unauthorized", "asks": "WWW-Authenticate", "algorithm": "SHA-3"}
    played = await play(tmp_path, "challenge_once.xml", keys=keys, settings=ACCOUNT)
    assert played.told.codes == (401, 560401, "trunk-refused-credentials")
    assert len(played.far_end.requests("INVITE")) == 1
    assert played.told.events == FAILED
