"""`onhook calls` and `onhook ladder`: read from the store, beside whoever writes it."""

import json
from pathlib import Path

import msgspec
import pytest

from onhook.calls.record import CallRecord
from onhook.cli import main
from onhook.cli.outcome import Exit
from onhook.endings.quality import LegQuality
from onhook.endings.verdict import Proof, Verdict
from onhook.facts import RouteTaken, Timeline
from onhook.store.batch import Batch
from onhook.store.sqlite import SqliteStore

IDS = [f"0000000{n}-3a52-4bb1-9d4e-0d2f6c1a7b00" for n in range(3)] + ["0000000a-0000-4bb1-9d4e-0d2f6c1a7b00"]
VERDICT = Verdict(
    ending="callee-busy",
    code=486,
    subcode=560486,
    event_code=486,
    message="The callee was busy.",
    category="Success",
    fault="callee",
    evidence=(Proof(1, "a route"),),
)
FACTS: Timeline = [RouteTaken(at=100.0, number="+14255559486", trunk="carrier", pattern=".*")]


def record(number: int, call_id: str) -> CallRecord:
    return CallRecord(
        id=call_id,
        server_call_id="s",
        correlation_id="c",
        resource="dev",
        direction="outbound",
        source="" if number == 0 else "+14255550100",
        target=f"+1425555948{number}",
        callback_uri="https://app.example/events?code=secret",
        api_version="2026-03-12",
        trunk="" if number == 0 else "carrier",
        started_at=1_790_000_000.0 + number,
        ended_at=None if number == 0 else 1_790_000_002.5 + number,
        verdict=None if number == 0 else VERDICT,
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ONHOOK_CONFIG", raising=False)
    path = tmp_path / "calls.db"
    (tmp_path / "onhook.toml").write_text(f'[store]\npath = "{path}"\n')
    SqliteStore(path).close()
    return path


@pytest.fixture
def filled(store: Path) -> Path:
    kept = SqliteStore(store)
    kept.save(
        Batch(
            facts=[(call_id, FACTS) for call_id in IDS],
            records={call_id: record(number, call_id) for number, call_id in enumerate(IDS)},
        )
    )
    kept.close()
    return store


@pytest.mark.usefixtures("filled")
def test_calls_are_a_table_newest_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls"]) == Exit.DONE
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == ["id", "started", "from", "to", "trunk", "lasted", "audio", "code", "ending"]
    assert [line.split()[0] for line in lines] == IDS[::-1]
    assert lines[0].split()[3:] == [
        "+14255550100",
        "+14255559483",
        "carrier",
        "2.5",
        "s",
        "-",
        "486/560486",
        "callee-busy",
    ]
    assert lines[-1].split()[3:] == ["-", "+14255559480", "-", "-", "-", "-", "(open)"]
    assert len({line.index("+14255559") for line in lines}) == 1, "columns are aligned"


@pytest.mark.usefixtures("filled")
def test_calls_for_programs_leave_the_callback_address_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "--json", "--limit", "2"]) == Exit.DONE
    out = capsys.readouterr().out
    assert "secret" not in out
    newest, _ = json.loads(out)["calls"]
    assert newest == {
        "id": IDS[3],
        "resource": "dev",
        "direction": "outbound",
        "from": "+14255550100",
        "to": "+14255559483",
        "trunk": "carrier",
        "started_at": 1_790_000_003.0,
        "connected_at": None,
        "ended_at": 1_790_000_005.5,
        "skipped_seconds": 0.0,
        "ending": "callee-busy",
        "code": 486,
        "subcode": 560486,
        "message": "The callee was busy.",
        "audio": None,
        "legs": [],
    }


@pytest.mark.usefixtures("store")
def test_an_empty_store_is_said_to_be_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls"]) == Exit.DONE
    assert capsys.readouterr().out == "No call has been placed yet.\n"
    assert main(["calls", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == {"calls": []}
    assert main(["ladder", "last"]) == Exit.NO
    assert capsys.readouterr().err == "no call has been placed yet.\n"


@pytest.mark.parametrize("limit", ["0", "-1", "10001", "x", "1.5", "٣"])
def test_a_limit_out_of_bounds_is_a_wrong_command_line(
    limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["calls", f"--limit={limit}"])
    assert caught.value.code == Exit.USAGE
    assert "expected a whole number 1 to 10000" in capsys.readouterr().err


@pytest.mark.usefixtures("filled")
def test_a_ladder_is_text_picture_or_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ladder", IDS[1]]) == Exit.DONE
    text = capsys.readouterr().out
    assert "#1" in text
    assert main(["ladder", IDS[1], "--json"]) == Exit.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["id"] == IDS[1]
    assert "\n".join(found["ladder"]).rstrip() == text.rstrip()
    assert main(["ladder", IDS[1], "--svg"]) == Exit.DONE
    assert capsys.readouterr().out.lstrip().startswith("<svg")


@pytest.mark.usefixtures("filled")
def test_the_beginning_of_an_id_is_enough_if_only_one_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ladder", "0000000A", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["id"] == IDS[3]
    assert main(["ladder", "last", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["id"] == IDS[3]
    assert main(["ladder", "000"]) == Exit.NO
    assert capsys.readouterr().err == "4 calls have ids that begin with 000: give more of it.\n"
    assert main(["ladder", "ff"]) == Exit.NO
    assert "no call has the id ff." in capsys.readouterr().err


def test_a_file_that_is_no_store_is_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.write_text("this is no database, and long enough to be read as one " * 100)
    assert main(["calls"]) == Exit.UNAVAILABLE
    err = capsys.readouterr().err
    assert "calls.db" in err
    assert "Traceback" not in err


def test_reading_leaves_the_store_as_it_is(filled: Path) -> None:
    before = filled.read_bytes()
    assert main(["calls"]) == Exit.DONE
    assert filled.read_bytes() == before


def test_calls_tell_how_they_sounded(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leg = LegQuality(leg="a", party="trunk carrier", fact=9, rating="good", far_rating="poor", received=100)
    kept = SqliteStore(store)
    kept.save(Batch(records={IDS[3]: msgspec.structs.replace(record(3, IDS[3]), quality=(leg,))}))
    kept.close()
    assert main(["calls"]) == Exit.DONE
    assert capsys.readouterr().out.splitlines()[1].split()[8] == "poor"
    assert main(["calls", "--json"]) == Exit.DONE
    (told,) = json.loads(capsys.readouterr().out)["calls"]
    assert told["audio"] == "poor"
    assert told["legs"][0]["party"] == "trunk carrier"


def test_a_duration_says_how_much_of_it_was_skipped(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = SqliteStore(store)
    rang = msgspec.structs.replace(record(3, IDS[3]), skipped_seconds=114.6)
    kept.save(Batch(records={IDS[3]: rang}))
    kept.close()
    assert main(["calls"]) == Exit.DONE
    assert "(114.6 s skipped)" in capsys.readouterr().out
    assert main(["calls", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["calls"][0]["skipped_seconds"] == 114.6
