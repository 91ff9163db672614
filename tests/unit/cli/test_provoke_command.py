"""`onhook provoke` over the real API: what it arms, prints and refuses."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from onhook.cli import main, provoking
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.provoking import MAX_SCENARIO_BYTES, seconds
from onhook.lab.causes import causes, reasons
from onhook.lab.provoking import Provoking
from onhook.server.lab_api import LabApi
from onhook.server.settings import ServerSettings


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provoking]:
    """The register of a server whose API the command asks."""
    register = Provoking(lambda: 1_000.0)
    app = Starlette(routes=LabApi(register, ServerSettings(own_api="always")).routes())
    with TestClient(app, base_url="https://localhost:8443") as client:

        def ask(_config: str | None, method: str, path: str, body: object = None) -> Any:
            answered = client.request(method, path, json=body)
            if answered.status_code >= 400:
                raise CommandError(answered.json()["error"]["message"], Exit.NO)
            return answered.json()

        monkeypatch.setattr(provoking, "_ask", ask)
        yield register


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["provoke", *arguments])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_it_arms_with_all_that_was_said(lab: Provoking, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(
        capsys, "throttled", "--operation", "createCall", "--count", "3", "--skip", "1", "--until", "5min"
    )
    (made,) = lab.listed()
    assert status == Exit.DONE
    assert (made.operation, made.count, made.skip, made.expires_at) == ("createCall", 3, 1, 1_300.0)
    assert f"{made.id}: throttled is armed (request) for operation createCall, 3 times." in out
    assert f"onhook provoke --disarm {made.id}" in out


@pytest.mark.parametrize(("count", "words"), [("1", "once"), ("2", "2 times"), ("0", "without end")])
def test_how_often_is_said_in_words(
    lab: Provoking, capsys: pytest.CaptureFixture[str], count: str, words: str
) -> None:
    assert f", {words}." in run(capsys, "throttled", "--count", count)[1]
    assert lab.listed()[0].count == int(count)


def test_what_is_armed_is_a_table_and_what_hit_is_counted(
    lab: Provoking, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Nothing is armed" in run(capsys, "--armed")[1]
    run(capsys, "throttled")
    run(capsys, "internal-error", "--count", "0")
    lab.request("createCall", "")
    _, out, _ = run(capsys)
    lines = {line.split()[1]: line for line in out.splitlines() if line.startswith("p")}
    assert "1 of 1" in lines["throttled"]
    assert "spent" in lines["throttled"]
    assert "whatever comes next" in lines["internal-error"]
    assert "armed" in lines["internal-error"]


def test_each_answer_has_a_machine_readable_twin(lab: Provoking, capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(run(capsys, "throttled", "--json")[1])
    assert made["id"] == lab.listed()[0].id
    assert json.loads(run(capsys, "--armed", "--json")[1])["provocations"] == [made]
    assert json.loads(run(capsys, "--disarm", made["id"], "--json")[1]) == {"disarmed": [made["id"]]}


def test_one_or_all_are_disarmed(lab: Provoking, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing was armed" in run(capsys, "--disarm", "all")[1]
    run(capsys, "throttled")
    name = lab.listed()[0].id
    assert f"Disarmed: {name}." in run(capsys, "--disarm", name)[1]
    assert lab.in_force() == []


def test_what_is_refused_is_said_and_is_no_success(
    lab: Provoking, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capsys, "callee-bussy")
    assert status == Exit.NO
    assert "callee-busy" in err
    assert run(capsys, "--disarm", "p99")[0] == Exit.NO
    assert lab.listed() == []


def test_the_list_needs_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--list")
    assert status == Exit.DONE
    assert all(name in out for name in causes())
    assert all(name in out for name in reasons())
    assert set(json.loads(run(capsys, "--list", "--json")[1])) == {"provokable", "not_provokable"}


@pytest.mark.parametrize(
    ("text", "found"),
    [("10", 10.0), ("10s", 10.0), ("500ms", 0.5), ("5min", 300.0), ("5 m", 300.0), ("1h", 3600.0)],
)
def test_times_are_written_as_people_do(text: str, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "soon", "5 weeks", "s", "1.2.3s"])
def test_what_is_no_time_says_so(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time: write 10s"):
        seconds(text)


def test_a_scenario_of_ones_own_that_cannot_be_read(
    lab: Provoking, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, long, binary = tmp_path / "empty", tmp_path / "long", tmp_path / "binary"
    empty.write_text(" \n")
    long.write_text("#" * (MAX_SCENARIO_BYTES + 1))
    binary.write_bytes(b"\xff\xfe")
    for file, says in (
        (tmp_path / "none", "cannot be read"),
        (empty, "is empty"),
        (long, "longer than"),
        (binary, "cannot be read"),
    ):
        status, _, err = run(capsys, "--scenario", str(file))
        assert status == Exit.USAGE
        assert says in err
        assert file.name in err
    assert lab.listed() == []


def test_a_scenario_without_a_carrier_is_refused_by_name(
    lab: Provoking, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("carrier: 180 Ringing\ncarrier: 486 Busy Here\n")
    status, _, err = run(capsys, "--scenario", str(file), "--number", "+14255550200")
    assert status == Exit.NO
    assert "built-in carrier" in err
    assert lab.in_force() == []
