"""`onhook why`: codes and calls, for people, tickets and programs."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from onhook.calls.record import CallRecord
from onhook.cli import colours, main
from onhook.cli.outcome import Exit
from onhook.endings.codes import rows
from onhook.endings.judge import judge
from onhook.endings.lookup import look_up
from onhook.endings.match import pair_text
from onhook.endings.pages import pages_by_codes
from onhook.endings.render_answer import answer_text
from onhook.store.batch import Batch
from onhook.store.sqlite import SqliteStore
from timelines import Story

KEYS = {"code", "subcode", "name", "meaning", "category", "advice", "source", "confidence"}
BUSY_ID = "6f1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b00"
CORRELATION = "5c1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b00"
OPEN_ID = "7a1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b00"


BUSY = Story().invite().trying().ringing().response(486, "Busy Here").ack().facts


def record(call_id: str, *, ended: bool) -> CallRecord:
    return CallRecord(
        id=call_id,
        server_call_id="s",
        correlation_id=CORRELATION,
        resource="dev",
        direction="outbound",
        source="+14255550100",
        target="+14255559486",
        callback_uri="https://app.example/events?key=secret",
        api_version="2026-03-12",
        trunk="carrier",
        started_at=100.0,
        ended_at=100.5 if ended else None,
        verdict=judge(BUSY) if ended else None,
    )


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteStore:
    """A working directory of our own with two kept calls."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ONHOOK_CONFIG", raising=False)
    monkeypatch.setenv("ONHOOK_STORE__PATH", "calls.db")
    store = SqliteStore("calls.db")
    store.save(
        Batch(
            facts=[(BUSY_ID, BUSY), (OPEN_ID, BUSY[:1])],
            records={BUSY_ID: record(BUSY_ID, ended=True), OPEN_ID: record(OPEN_ID, ended=False)},
        )
    )
    store.close()
    return store


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == Exit.DONE
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["560486", "486/560486", "486 560486", "Q.850;cause=17", "SIP/2.0 486 Busy Here"]
)
def test_a_code_in_any_form_is_explained_on_one_screen(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = say(capsys, "why", text)
    assert "486/560486" in out
    assert len(out.splitlines()) <= 40
    assert all(len(line) <= 200 for line in out.splitlines())


def test_the_screen_of_a_busy_callee(capsys: pytest.CaptureFixture[str]) -> None:
    first, blank, *rest = say(capsys, "why", "560486").splitlines()
    assert (first, blank) == ("486/560486 · Number busy, outbound · Success", "")
    labels = {line[2:13].strip() for line in rest if line.startswith("  ") and line[2] != " "}
    assert labels >= {"meaning", "advice", "source", "confidence", "ending"}
    assert "callee-busy" in "\n".join(rest)


def test_words_may_stand_without_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    assert say(capsys, "why", "400", "Play", "Failed") == say(capsys, "why", "400 Play Failed")


def test_one_row_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(say(capsys, "why", "560486", "--json"))
    assert found.keys() >= KEYS | {"query", "remarks", "contradictions", "known"}
    assert (found["code"], found["subcode"], found["confidence"]) == (486, 560486, "high")


def test_several_rows_are_a_list_best_first(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(say(capsys, "why", "603", "--json"))
    assert len(found) >= 3
    assert all(row.keys() >= KEYS for row in found)
    assert {row["code"] for row in found} == {603}
    assert all(row["remarks"] for row in found)


def test_a_misprint_is_read_and_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(say(capsys, "why", "497/560487", "--json"))
    assert (found[0]["code"], found[0]["subcode"]) == (487, 560487)
    assert "487" in " ".join(found[0]["contradictions"])


def test_a_subcode_of_no_table_is_decoded_with_its_confidence(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(say(capsys, "why", "560777", "--json"))
    assert found["known"] is False
    assert found["subcode"] == 560777
    assert found["confidence"] == "low"


@pytest.mark.parametrize("text", ["zzzz", "", "   ", "\x00\xff"])
def test_what_nobody_knows_is_status_1_and_said_plainly(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["why", text]) == Exit.NO
    assert capsys.readouterr().out.startswith("Not known: ")
    assert main(["why", text, "--json"]) == Exit.NO
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= KEYS
    assert found["known"] is False


def test_markdown_has_a_heading_per_row(capsys: pytest.CaptureFixture[str]) -> None:
    out = say(capsys, "why", "603", "--markdown")
    assert out.startswith("## code 603 ")
    assert out.count("\n## ") >= 2
    assert "- **meaning**: " in out


def test_json_and_markdown_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["why", "603", "--json", "--markdown"])
    assert caught.value.code == Exit.USAGE
    assert "not allowed with" in capsys.readouterr().err


def test_a_dash_reads_an_event_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    event = [{"data": {"resultInformation": {"code": 486, "subCode": 560486, "message": "busy"}}}]
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(event)))
    assert "486/560486" in say(capsys, "why", "-")


def test_a_pipe_needs_no_dash(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ended. DiagCode: 0#7000.@\n"))
    assert say(capsys, "why").startswith("0/7000 ")


def test_nothing_at_a_terminal_is_a_wrong_command_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    assert main(["why"]) == Exit.USAGE
    assert "say what to explain" in capsys.readouterr().err


def test_no_standard_input_at_all(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert main(["why", "-"]) == Exit.USAGE
    monkeypatch.setattr("sys.stdin", Broken())
    assert main(["why", "-"]) == Exit.UNAVAILABLE
    assert "cannot read standard input: gone" in capsys.readouterr().err


def test_the_id_of_an_ending_shows_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert say(capsys, "why", "Callee-Busy").startswith("callee-busy · 486/560486 · The callee was busy")
    assert json.loads(say(capsys, "why", "rang-out", "--json"))["ending"] == "rang-out"


def test_words_of_no_code_lead_to_endings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "nobody picked up the phone"]) == Exit.NO
    assert capsys.readouterr().out.startswith("Not known: nobody picked up the phone")
    assert main(["why", "rang-oot"]) == Exit.NO
    assert "Endings that fit: rang-out" in capsys.readouterr().out


def test_an_unlisted_number_is_told_with_its_nearest_layer(capsys: pytest.CaptureFixture[str]) -> None:
    out = say(capsys, "why", "8599")
    assert "Nearest layer:\n  Call Automation" in out


def test_a_file_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = {"code": 400, "subCode": 8535, "message": "x"}
    event = {"type": "Microsoft.Communication.PlayFailed", "data": {"resultInformation": result}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    assert say(capsys, "why", "event.json").startswith("400/8535 ")
    assert say(capsys, "why", str(tmp_path / "event.json")).startswith("400/8535 ")


def test_a_file_of_bytes_that_are_no_text_is_not_known(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "odd.bin").write_bytes(b"\xff\xfe\x00")
    assert main(["why", "./odd.bin"]) == Exit.NO
    assert capsys.readouterr().out.startswith("Not known: ")


def test_a_name_of_no_file_is_what_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert say(capsys, "why", "486/560486").startswith("486/560486 ")
    assert main(["why", "./nowhere.json"]) == Exit.NO


def test_a_file_as_large_as_may_be_is_cut(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "large.log").write_text("486/560486 " + "x" * 200_000)
    out = say(capsys, "why", "large.log")
    assert out.startswith("486/560486 ")
    assert "Only the first 20000 characters were read." in out


def test_the_first_characters_of_an_id_name_a_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert "The callee was busy" in say(capsys, "why", BUSY_ID[:8])
    assert json.loads(say(capsys, "why", BUSY_ID[:13], "--json"))["call"] == BUSY_ID


def test_a_correlation_id_names_its_newest_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(say(capsys, "why", CORRELATION, "--json"))["call"] in {BUSY_ID, OPEN_ID}


def test_a_code_of_a_kept_call_points_to_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = f'{{"callConnectionId": "{BUSY_ID}", "code": 486, "subCode": 560486}}'
    out = say(capsys, "why", told)
    assert out.endswith(f"This call is kept here: onhook why {BUSY_ID}\n")
    assert "kept here" not in say(
        capsys, "why", told.replace(BUSY_ID, "00000000-0000-4000-8000-000000000000")
    )
    monkeypatch.setenv("ONHOOK_STORE__PATH", "elsewhere/calls.db")
    assert "kept here" not in say(capsys, "why", told)


class Broken(io.StringIO):
    def read(self, _size: int | None = -1, /) -> str:
        raise OSError("gone")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestColours:
    def shown(self, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
        screen = Terminal()
        monkeypatch.setattr("sys.stdout", screen)
        monkeypatch.setenv("TERM", "xterm")
        assert main(arguments) == Exit.DONE
        return screen.getvalue()

    def test_a_terminal_gets_colours_and_the_same_text(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for arguments in (["why", "560486"], ["why", "603"], ["why", BUSY_ID]):
            plain = say(capsys, *arguments)
            assert "\x1b" not in plain
            with monkeypatch.context() as patch:
                patch.delenv("NO_COLOR", raising=False)
                coloured = self.shown(patch, *arguments)
            assert coloured.startswith("\x1b[1m")
            assert re.sub("\x1b\\[[0-9]+m", "", coloured) == plain

    def test_success_is_green_and_what_was_not_expected_red(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        assert "\x1b[32mSuccess" in self.shown(monkeypatch, "why", "486/560486")
        assert "\x1b[31mUnexpectedServerError" in self.shown(monkeypatch, "why", "503/560503")

    @pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
    def test_who_wants_none_gets_none(self, name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdout", Terminal())
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        assert colours.wanted()
        monkeypatch.setenv(name, value)
        assert not colours.wanted()

    def test_json_has_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        assert "\x1b" not in self.shown(monkeypatch, "why", "560486", "--json")


def test_all_rows_of_the_catalogue_are_explained_on_one_screen_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each of the 861 rows through the command; no row without meaning or advice, no screen too long."""
    asked = 0
    for row in rows():
        text = f"{row.code}/{row.subcode}"
        if row.code is None:
            text = f"subcode {row.subcode}"
        elif row.subcode is None:
            text = f"{row.code} {row.name.partition(' (')[0]}"
        screen = answer_text(look_up(text, pages_by_codes()))
        assert len(screen.splitlines()) <= 40, (text, len(screen.splitlines()))
        told = json.loads(say(capsys, "why", text, "--json"))
        found = told if isinstance(told, list) else [told]
        mine = [one for one in found if (one["name"], one["source"]) == (row.name, row.source)]
        assert mine, text
        assert all(one["meaning"] and one["advice"] and one["known"] for one in mine), text
        assert mine[0]["basis"] == row.basis
        assert f"({row.code}/" in screen or pair_text(found[0]["code"], found[0]["subcode"]) in screen
        asked += 1
    assert asked == 861


def test_a_kept_call_is_explained_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    out = say(capsys, "why", BUSY_ID)
    assert "busy" in out
    assert "#4" in out
    found = json.loads(say(capsys, "why", BUSY_ID.upper(), "--json"))
    assert found["call"] == BUSY_ID
    assert found["ending"] == "callee-busy"
    assert (found["code"], found["subcode"]) == (486, 560486)
    assert found["evidence"]


def test_an_open_call_has_no_verdict_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert "open" in say(capsys, "why", OPEN_ID)


def test_an_id_of_no_call_is_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "00000000-0000-0000-0000-000000000000"]) == Exit.NO
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "no call has the id 00000000-0000-0000-0000-000000000000. `onhook calls` lists the newest.\n"
    )


def test_without_a_store_codes_are_explained_and_calls_are_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONHOOK_STORE__PATH", "elsewhere/calls.db")
    assert "486/560486" in say(capsys, "why", "560486")
    assert main(["why", BUSY_ID]) == Exit.UNAVAILABLE
    assert "the store elsewhere/calls.db does not exist. Start `onhook run`" in capsys.readouterr().err


def test_a_code_needs_no_configuration(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONHOOK_SERVER__PORT", "no number")
    assert "486/560486" in say(capsys, "why", "560486")
    assert main(["why", BUSY_ID]) == Exit.CONFIG


def test_the_module_runs_and_imports_nothing_that_is_slow() -> None:
    """Start-up is promised to be quick: no server, no loop, no table drawing for a code."""
    program = (
        "import sys; sys.argv[1:] = ['why', '560486', '--json']\n"
        "import runpy\n"
        "try: runpy.run_module('onhook', run_name='__main__')\n"
        "except SystemExit as done: assert done.code == 0\n"
        "slow = {'asyncio', 'starlette', 'uvicorn', 'aiohttp', 'rich', 'cryptography', 'sqlite3'}\n"
        "assert not slow & sys.modules.keys(), slow & sys.modules.keys()\n"
    )
    before = os.times()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["subcode"] == 560486
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent < 3  # seconds of CPU: other tests share the machine
