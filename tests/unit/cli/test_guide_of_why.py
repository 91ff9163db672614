"""docs/guides/why-did-my-call-end.md: its commands and its program do what it says."""

import json
import re
import shlex
from pathlib import Path

import pytest

from onhook.cli import main
from onhook.cli.outcome import Exit
from onhook.endings.bulk import Explanations, tally

GUIDE = Path(__file__).parents[3] / "docs/guides/why-did-my-call-end.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.partition("  #")[0].strip()
    for kind, block in BLOCKS
    if not kind
    for line in block.splitlines()
    if line.startswith(("onhook why", "onhook endings"))
]
EVENT = {
    "type": "Microsoft.Communication.PlayFailed",
    "data": {"resultInformation": {"code": 401, "subCode": 8565}},
}
EXCEPTION = "azure.core.exceptions.HttpResponseError: (8501) No.\nCode: 8501\nMessage: No."


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("event.json").write_text(json.dumps(EVENT))
    Path("exception.txt").write_text(EXCEPTION)


def test_the_guide_has_these_commands() -> None:
    assert len(COMMANDS) >= 12
    assert "onhook endings show callee-busy" in COMMANDS


@pytest.mark.parametrize("command", [one for one in COMMANDS if " last" not in one])
def test_every_command_has_an_answer(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(command)[1:]) == Exit.DONE
    out = capsys.readouterr().out
    assert out.strip()
    assert "Not known" not in out


def test_the_program_for_whole_logs() -> None:
    (program,) = [block for kind, block in BLOCKS if kind == "python"]
    assert "tally(" in program
    explanations = Explanations()
    assert explanations[486, 560486].ending == ("callee-busy",)
    told = tally([(486, 560486), (486, 560486), (0, 560000)], explanations)
    assert told.lines[0].count == 2
    assert told.categories == {"Success": 3}


def test_what_it_says_of_misleading_codes_is_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "event.json"]) == Exit.DONE
    out = capsys.readouterr().out
    assert "Reports of misleading codes" in out
    assert "voice name was sent blank" in out
