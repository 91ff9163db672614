"""`onhook coverage`: over the kept calls, in every form, and its exit status."""

import json
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from onhook.calls.record import CallRecord, Connection
from onhook.cli import main
from onhook.cli.coverage import since_time
from onhook.cli.outcome import CommandError, Exit
from onhook.store.batch import Batch
from onhook.store.sqlite import SqliteStore
from timelines import Story

NOW = datetime(2026, 5, 17, 9, 30, tzinfo=UTC)


def record(call_id: str, started_at: float, **given: object) -> CallRecord:
    about = {
        "id": call_id, "server_call_id": "s", "correlation_id": "c", "resource": "dev",
        "direction": "outbound", "source": "+14255550100", "target": "+14255550200",
        "callback_uri": "https://app.example/events", "api_version": "2026-03-12",
        "started_at": started_at, "ended_at": started_at + 1.0,
    }  # fmt: skip
    return CallRecord(**(about | given))  # type: ignore[arg-type]  # a dictionary of many types


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three calls: busy (old), rang on an unreachable trunk, and one that is open."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ONHOOK_CONFIG", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    path = tmp_path / "calls.db"
    (tmp_path / "onhook.toml").write_text(f'[store]\npath = "{path}"\n')
    busy = Story().created().routed().invite().busy().facts
    lost = Story().created().routed().invite().fails("refused: connection refused").facts
    now = datetime.now(UTC).timestamp()
    kept = SqliteStore(path)
    kept.save(
        Batch(
            facts=[("busy", busy), ("lost", lost), ("open", Story().created().routed().facts)],
            records={
                "busy": record("busy", now - 7200),
                "lost": record("lost", now - 60),
                "open": record("open", now - 1, ended_at=None),
            },
        )
    )
    kept.close()
    return path


def read(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["coverage", "--json", *arguments]) == Exit.DONE
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


@pytest.mark.usefixtures("store")
def test_it_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage"]) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Ending coverage: ")
    assert lines[0].endswith("in 3 calls, 1 of them open.")
    assert {line.split()[1] for line in lines if line.startswith("met")} == {
        "callee-busy",
        "trunk-unreachable",
    }


@pytest.mark.usefixtures("store")
def test_since_and_limit_choose_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert read(capsys)["met"] == 2
    assert read(capsys, "--since", "1h")["calls"] == 2
    assert read(capsys, "--since", "1h")["met"] == 1
    assert read(capsys, "--limit", "1")["met"] == 0


@pytest.mark.usefixtures("store")
def test_under_the_limit_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "--fail-under", "1"]) == Exit.DONE
    assert main(["coverage", "--fail-under", "90"]) == Exit.NO
    assert "is under 90 %" in capsys.readouterr().err


@pytest.mark.usefixtures("store")
def test_files_are_written_and_the_rest_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["coverage", "--html", "c.html", "--junit", "c.xml"]) == Exit.DONE
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert (tmp_path / "c.html").read_text().startswith("<!DOCTYPE html>")
    names = {case.get("name") for case in fromstring((tmp_path / "c.xml").read_text()).iter("testcase")}
    assert {"callee-busy", "rang-out"} <= names


@pytest.mark.usefixtures("store")
def test_a_file_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "--html", "missing/c.html"]) == Exit.UNAVAILABLE
    assert "cannot write missing/c.html" in capsys.readouterr().err


@pytest.mark.usefixtures("store")
def test_github_gets_markdown_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["coverage", "--github"]) == Exit.UNAVAILABLE
    assert "GITHUB_STEP_SUMMARY" in capsys.readouterr().err
    summary = tmp_path / "summary.md"
    summary.write_text("# Tests\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert main(["coverage", "--github"]) == Exit.DONE
    text = summary.read_text()
    assert text.startswith("# Tests\n## Ending coverage: ")
    assert "| `callee-busy` |" in text
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert main(["coverage", "--github"]) == Exit.UNAVAILABLE


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("wrong", ["101", "-1", "much"])
def test_a_percentage_is_checked(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["coverage", f"--fail-under={wrong}"])
    assert "expected a percentage" in capsys.readouterr().err


def test_without_a_store_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ONHOOK_CONFIG", raising=False)
    assert main(["coverage"]) == Exit.UNAVAILABLE
    assert "no calls are kept" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), (" 3m ", 180)]
)
def test_a_time_ago(text: str, seconds: int) -> None:
    assert NOW.timestamp() - since_time(text, NOW) == seconds


def test_a_time_of_the_clock() -> None:
    assert since_time("2026-05-17T09:30:00+00:00", NOW) == NOW.timestamp()
    with pytest.raises(CommandError, match="is no time: write 90s"):
        since_time("yesterday", NOW)


def test_every_application_of_a_call_is_asked(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Connection(
        id="c2", leg="", resource="dev", begun_by="connect", user="8:acs:x",
        callback_uri="https://app.example/events", api_version="2026-03-12",
    )  # fmt: skip
    kept = SqliteStore(store)
    kept.save(Batch(records={"busy": record("busy", 1_790_000_000.0, connections=[other])}))
    kept.close()
    rows = read(capsys)["rows"]
    assert isinstance(rows, list)
    busy = next(row for row in rows if row["ending"] == "callee-busy")
    assert [each["connection"] for each in busy["meetings"]] == ["busy", "c2"]
