"""`onhook exec`: the command finds the server, its status is ours, and the endings are reported."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from onhook.cli import main
from onhook.cli.executing import told
from onhook.cli.outcome import Exit
from store_samples import record

ROOT = Path(__file__).parents[3]
CALLS = """
import os, ssl, sys, time, json, urllib.request
from azure.communication.callautomation import CallAutomationClient, PhoneNumberIdentifier

client = CallAutomationClient.from_connection_string(os.environ["COMMUNICATION_SERVICES_CONNECTION_STRING"])
for number in ("+14255550486", "+14255550603", "+14255550486", "+14255550181"):
    client.create_call(
        PhoneNumberIdentifier(number),
        "http://127.0.0.1:9/nobody",
        source_caller_id_number=PhoneNumberIdentifier("+14255550100"),
    )
    while True:
        with urllib.request.urlopen(os.environ["ONHOOK_URL"] + "/onhook/calls?limit=1") as answer:
            if json.load(answer)["calls"][0]["ended_at"]:
                break
        time.sleep(0.05)
sys.exit(7)
"""


def onhook_exec(*arguments: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "onhook", "exec", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_command_that_calls(tmp_path: Path) -> None:
    (tmp_path / "calls.py").write_text(textwrap.dedent(CALLS))
    (tmp_path / "onhook.toml").write_text(
        "[delivery]\ngive_up_seconds = 0\n[sip]\nsetup_timeout_seconds = 60\n"
    )
    before = set(tmp_path.iterdir())
    ran = onhook_exec(
        "--config", "onhook.toml", "--report", "met.json", "--", sys.executable, "calls.py", folder=tmp_path
    )
    assert ran.returncode == 7, ran.stderr
    assert "onhook: 4 calls met 3 endings" in ran.stderr
    assert "      2  callee-busy\n" in ran.stderr
    assert "s of ringing were not waited for" in ran.stderr
    assert set(tmp_path.iterdir()) - before == {tmp_path / "met.json"}, "the server keeps its files to itself"
    report = json.loads((tmp_path / "met.json").read_text())
    assert report["status"] == 7
    assert report["command"] == [sys.executable, "calls.py"]
    assert report["endings"] == {"callee-busy": 2, "callee-declined": 1, "rang-out": 1}
    assert report["open"] == 0
    assert [call["ending"] for call in report["calls"]][-1] == "rang-out"
    assert 50 < report["calls"][-1]["skipped_seconds"] <= 60


def test_a_command_that_calls_nobody_and_dies(tmp_path: Path) -> None:
    program = f"import os, signal; os.kill(os.getpid(), {signal.SIGTERM.value})"
    ran = onhook_exec("--", sys.executable, "-c", program, folder=tmp_path)
    assert ran.returncode == 128 + signal.SIGTERM
    assert "no call was placed, and none came in" in ran.stderr


def test_who_stops_us_stops_the_command(tmp_path: Path) -> None:
    program = "import time; print('runs', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-m", "onhook", "exec", "--", sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("", Exit.USAGE, "exec needs a command: onhook exec -- npm test"),
        ("--", Exit.USAGE, "exec needs a command"),
        ("-- no-such-command-here", Exit.USAGE, "no-such-command-here is not found"),
        ("--config missing.toml -- true", Exit.CONFIG, "missing.toml"),
    ],
)
def test_what_cannot_be_run(
    arguments: str, status: Exit, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exec", *arguments.split()]) == status
    assert said in capsys.readouterr().err


def test_a_report_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["exec", "--report", "nowhere/met.json", "--", "true"]) == Exit.UNAVAILABLE
    assert "cannot be written to nowhere/met.json" in capsys.readouterr().err


def test_what_is_told_of_calls() -> None:
    calls = [record(f"call-{number}") for number in range(3)]
    calls[1].skipped_seconds = 114.6
    lines = told(calls).splitlines()
    assert lines[0].startswith("onhook: 3 calls met ")
    assert lines[-1].strip() == "115 s of ringing were not waited for (lab.skip_waits)"


def test_the_ending_coverage_of_a_command(tmp_path: Path) -> None:
    (tmp_path / "calls.py").write_text(textwrap.dedent(CALLS).replace("sys.exit(7)", "sys.exit(0)"))
    (tmp_path / "onhook.toml").write_text(
        "[delivery]\ngive_up_seconds = 0\n[sip]\nsetup_timeout_seconds = 60\n"
    )
    options = ("--config", "onhook.toml", "--coverage", "--junit", "met.xml", "--fail-under", "99")
    ran = onhook_exec(*options, "--", sys.executable, "calls.py", folder=tmp_path)
    assert ran.returncode == Exit.NO, ran.stderr
    met = [line.split()[1:4:2] for line in ran.stderr.splitlines() if line.startswith("met ")]
    assert met == [["callee-busy", "2"], ["callee-declined", "1"], ["rang-out", "1"]]
    assert "is under 99 %" in ran.stderr
    assert 'name="callee-busy"' in (tmp_path / "met.xml").read_text()
