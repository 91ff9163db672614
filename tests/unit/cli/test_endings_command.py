"""`onhook endings list|search|show`."""

import json
import subprocess
import sys

import pytest

from onhook.cli import main
from onhook.cli.outcome import Exit
from onhook.endings.pages import pages


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["endings", *arguments]) == Exit.DONE
    return capsys.readouterr().out


def test_the_list_has_a_line_for_every_page(capsys: pytest.CaptureFixture[str]) -> None:
    head, *lines = say(capsys, "list").splitlines()
    assert head.split() == ["ending", "codes", "name", "fault", "basis"]
    assert [line.split()[0] for line in lines] == list(pages())


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(say(capsys, "list", "--json"))["endings"]
    assert [one["ending"] for one in told] == list(pages())
    assert all(one["name"] and one["fault"] and one["basis"] for one in told)


def test_the_list_of_one_side(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(say(capsys, "list", "--fault", "callee", "--json"))["endings"]
    assert {one["fault"] for one in told} == {"callee"}
    assert "callee-busy" in {one["ending"] for one in told}


def test_a_side_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["endings", "list", "--fault", "calle"]) == Exit.USAGE
    assert "'calle' is none of callee, caller, trunk" in capsys.readouterr().err


def test_search_by_code_and_by_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert "callee-busy" in say(capsys, "search", "486/560486")
    told = json.loads(say(capsys, "search", "busy", "everywhere", "--json"))
    assert told["query"] == "busy everywhere"
    assert (told["endings"][0]["ending"], told["endings"][0]["how_found"]) == ("busy-everywhere", "name")


def test_search_for_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["endings", "search", "calee-bsy"]) == Exit.NO
    assert capsys.readouterr().out.startswith("No ending fits 'calee-bsy'. Did you mean callee-busy")
    assert main(["endings", "search", "zzzz", "--json"]) == Exit.NO
    assert json.loads(capsys.readouterr().out) == {"query": "zzzz", "endings": [], "suggestions": []}


def test_a_page_as_text_markdown_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    text = say(capsys, "show", "callee-busy")
    assert text.startswith("callee-busy · 486/560486 · The callee was busy")
    assert "What to do" in text
    assert "\x1b" not in text
    assert say(capsys, "show", "callee-busy", "--markdown").strip() == pages()["callee-busy"].text
    told = json.loads(say(capsys, "show", "Callee-Busy", "--json"))
    assert (told["ending"], told["look_alikes"][0]) == ("callee-busy", "busy-everywhere")


def test_a_page_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["endings", "show", "callee-bsy"]) == Exit.NO
    assert "no ending is called callee-bsy. Did you mean callee-busy" in capsys.readouterr().err
    assert main(["endings", "show", "\x00"]) == Exit.NO
    assert "`onhook endings list` lists them" in capsys.readouterr().err


def test_markdown_and_json_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["endings", "show", "callee-busy", "--json", "--markdown"])
    assert caught.value.code == Exit.USAGE
    assert "not allowed with" in capsys.readouterr().err


def test_it_needs_neither_server_nor_store() -> None:
    program = (
        "import sys; from onhook.cli import main; main(['endings', 'list'])\n"
        "slow = {'asyncio', 'starlette', 'uvicorn', 'aiohttp', 'rich', 'cryptography', 'sqlite3'}\n"
        "assert not slow & sys.modules.keys(), slow & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
