"""docs/guides/ending-coverage.md as it is written: its program, with the SDK, and each of its commands."""

import asyncio
import json
import re
import sys
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from interop.whole_server import Ran, run, whole_server
from onhook.cli import main
from onhook.cli.outcome import Exit

GUIDE = (Path(__file__).parents[2] / "docs/guides/ending-coverage.md").read_text(encoding="utf-8")
PROGRAM = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)[0]
COMMANDS = re.findall(r"^onhook coverage.*$", GUIDE, re.MULTILINE)
NUMBERS = re.findall(r"^python remind.py (.*)$", GUIDE, re.MULTILINE)[0].split()

pytestmark = pytest.mark.interop


async def _play(folder: Path) -> Ran:
    async with whole_server(folder) as server:
        program = (sys.executable, "remind.py", *NUMBERS)
        return await run(*program, environment=server.environment, folder=folder)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program has run against a server; its directory."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "remind.py").write_text(PROGRAM)
    (folder / "onhook.toml").write_text(f'[store]\npath = "{folder / "onhook.db"}"\n')
    done = asyncio.run(_play(folder))
    assert done.status == 0, done.said
    return folder


@pytest.fixture
def here(played: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(played)
    monkeypatch.delenv("ONHOOK_CONFIG", raising=False)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(played / "summary.md"))
    return played


def test_the_guide_has_these_commands() -> None:
    assert len(COMMANDS) == 5
    assert NUMBERS == ["+14255550486", "+14255550201"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("here")
def test_every_command_does_what_it_says(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command.split()[1:]) == Exit.DONE
    assert capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_the_table_is_the_one_of_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    main(["coverage"])
    lines = [re.split(r"  +", line) for line in capsys.readouterr().out.splitlines()]
    met = [line for line in lines if line[0] == "met"]
    assert [line[1:5] for line in met] == [
        ["callee-busy", "createCall", "1", "CreateCallFailed"],
        ["hung-up-by-phone", "createCall", "1", "CallDisconnected"],
    ]
    assert all(re.fullmatch(r"200 in \d+ ms", line[5]) for line in met)
    assert met[0][6].startswith("createCall, the next call, after ")
    assert met[1][6] == "nothing"
    assert ["MISSED", "callee-declined", "createCall", "0"] in [line[:4] for line in lines]
    assert not any(line[1:2] == ["user-declined"] for line in lines)


def test_the_files_of_ci_tell_the_same(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        main(command.split()[1:])
    capsys.readouterr()
    main(["coverage", "--json"])
    told = json.loads(capsys.readouterr().out)
    suite = fromstring((here / "endings.xml").read_text())
    assert suite.get("tests") == str(told["met"] + told["missed"])
    assert told["met"] == 2
    assert "callee-busy" in (here / "endings.html").read_text()
    assert "| `callee-busy` |" in (here / "summary.md").read_text()
