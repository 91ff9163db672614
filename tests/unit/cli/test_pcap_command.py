"""`onhook pcap`: the SIP of a kept call as a file, and what the command says of it."""

import json
from pathlib import Path

import pytest

from onhook.calls.record import CallRecord
from onhook.cli import main
from onhook.cli.outcome import Exit
from onhook.facts import RouteTaken, SipSeen
from onhook.store.batch import Batch
from onhook.store.sqlite import SqliteStore

CALL = "00000001-3a52-4bb1-9d4e-0d2f6c1a7b00"
SILENT = "00000002-3a52-4bb1-9d4e-0d2f6c1a7b00"
MAGIC = b"\xd4\xc3\xb2\xa1"


def record(call_id: str, at: float) -> CallRecord:
    return CallRecord(
        id=call_id,
        server_call_id="s",
        correlation_id="c",
        resource="dev",
        direction="outbound",
        source="",
        target="+14255550200",
        callback_uri="",
        api_version="",
        local=("192.0.2.1", 5060),
        started_at=at,
    )


def seen(peer: str) -> SipSeen:
    return SipSeen(
        at=2.0, leg="a", direction="sent", transport="udp", peer=peer, message=b"INVITE sip:x SIP/2.0"
    )


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call by a trunk that is known by its name, and an older one without SIP."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ONHOOK_CONFIG", raising=False)
    (tmp_path / "onhook.toml").write_text(f'[store]\npath = "{tmp_path}/calls.db"\n')
    store = SqliteStore(tmp_path / "calls.db")
    silent = RouteTaken(at=1.0, number="+14255550200", trunk="carrier", pattern=".*")
    store.save(
        Batch(
            facts=[(CALL, [seen("sbc.example.com:5060"), seen("192.0.2.9:5060")]), (SILENT, [silent])],
            records={CALL: record(CALL, 20.0), SILENT: record(SILENT, 10.0)},
        )
    )
    store.close()


def test_a_file_named_after_the_call_is_written_and_names_that_have_a_stand_in_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pcap", "last"]) == Exit.DONE
    said = capsys.readouterr()
    assert said.out == f"{CALL}.pcap: 2 SIP messages\n"
    assert "sbc.example.com is written as 192.0.2.1" in said.err
    assert (tmp_path / f"{CALL}.pcap").read_bytes().startswith(MAGIC)


def test_programs_get_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pcap", CALL[:8], "--output", "x.pcap", "--json"]) == Exit.DONE
    said = capsys.readouterr()
    assert json.loads(said.out) == {
        "id": CALL,
        "file": "x.pcap",
        "messages": 2,
        "stand_ins": {"sbc.example.com": "192.0.2.1"},
    }
    assert said.err == ""
    assert (tmp_path / "x.pcap").exists()


def test_the_capture_itself_goes_to_standard_output_alone(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["pcap", "last", "--output", "-"]) == Exit.DONE
    assert capsysbinary.readouterr().out.startswith(MAGIC)
    assert main(["pcap", "last", "--output", "-", "--json"]) == Exit.USAGE
    assert b"cannot go together" in capsysbinary.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["pcap", SILENT], Exit.NO, "has no SIP"),
        (
            ["pcap", "last", "--output", "no/such/folder.pcap"],
            Exit.UNAVAILABLE,
            "cannot write no/such/folder.pcap",
        ),
        (["pcap", "ffff"], Exit.NO, "no call has the id ffff"),
    ],
)
def test_what_cannot_be_written_is_said(
    arguments: list[str], status: Exit, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == status
    assert said in capsys.readouterr().err
