"""The shell around every verb: options, statuses, configuration, one-sentence errors."""

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import onhook
from onhook.cli import main
from onhook.cli.outcome import MEANINGS, CommandError, Exit
from onhook.cli.output import print_table
from onhook.cli.parser import build_parser
from onhook.cli.serving import command_name, greeting
from onhook.config import DEVELOPMENT_KEY, Config, load


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("ONHOOK_"):
            monkeypatch.delenv(name)
    return tmp_path


def every_parser(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                found += every_parser(each)
    return found


def test_every_verb_that_is_not_run_speaks_json() -> None:
    for parser in every_parser(build_parser()):
        if parser.get_default("run") and not parser.prog.endswith(" run"):
            # what exec prints is its command's: its own report goes to a file
            wanted = "--report" if parser.prog.endswith(" exec") else "--json"
            assert any(wanted in action.option_strings for action in parser._actions), parser.prog


def test_every_option_says_what_it_does() -> None:
    for parser in every_parser(build_parser()):
        assert parser.description
        assert all(action.help for action in parser._actions if action.option_strings), parser.prog


def test_help_tells_each_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    assert set(MEANINGS) == set(Exit)
    assert all(meaning in told for meaning in MEANINGS.values())


@pytest.mark.parametrize("arguments", [[], ["wy"], ["ladder"], ["config"], ["calls", "--jason"]])
def test_a_wrong_command_line_is_status_2_without_traceback(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == Exit.USAGE
    assert capsys.readouterr().err.startswith("usage: onhook")


def test_version_in_three_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"onhook {onhook.__version__}\n"
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": onhook.__version__}
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"onhook {onhook.__version__}\n"


def test_config_check_of_nothing_tells_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check"]) == Exit.DONE
    assert capsys.readouterr().out.splitlines() == [
        "No file, so the defaults: good.",
        "  resources  dev (10 numbers)",
        "  trunks     carrier (udp 127.0.0.1:5080)",
        r"  route      everything: \+\d+ to carrier, owned caller ids",
    ]


def test_config_check_finds_the_file_of_this_directory(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (alone / "onhook.toml").write_text('[server]\nport = "abc"\nprot = 1\n')
    assert main(["config", "check"]) == Exit.CONFIG
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        'onhook.toml:2: server.port: expected a whole number 0–65535, got "abc". Write port = 8443.',
        "onhook.toml:3: server.prot: no such setting. Did you mean port?",
    ]


def test_config_check_for_programs_has_one_shape(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (alone / "a.toml").write_text("[server]\ncallback_http = 'always'\n")
    assert main(["config", "check", "--config", "a.toml", "--json"]) == Exit.DONE
    good = json.loads(capsys.readouterr().out)
    assert good == {
        "file": "a.toml",
        "ok": True,
        "faults": [],
        "warnings": ["server.callback_http is always: ACS itself refuses http callback addresses."],
        "resources": ["dev"],
        "trunks": ["carrier"],
        "routes": ["everything"],
    }
    (alone / "a.toml").write_text("[server]\nport = 70000\n")
    assert main(["config", "check", "--config", "a.toml", "--json"]) == Exit.CONFIG
    bad = json.loads(capsys.readouterr().out)
    assert bad["ok"] is False
    assert bad["faults"] == [
        {
            "file": "a.toml",
            "line": 2,
            "variable": "",
            "setting": "server.port",
            "problem": "expected a whole number 0–65535, got 70000. Write port = 8443.",
        }
    ]


def test_the_file_is_found_by_option_then_variable_then_directory(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("onhook", "variable", "option"):
        (alone / f"{name}.toml").write_text(f'[trunk.{name}]\nhost = "127.0.0.1"\n')
    assert main(["config", "check"]) == Exit.DONE
    assert "trunks     onhook " in capsys.readouterr().out
    monkeypatch.setenv("ONHOOK_CONFIG", "variable.toml")
    assert main(["config", "check"]) == Exit.DONE
    assert "trunks     variable " in capsys.readouterr().out
    assert main(["config", "check", "--config", "option.toml"]) == Exit.DONE
    assert "trunks     option " in capsys.readouterr().out


@pytest.mark.parametrize("verb", [["run"], ["env"], ["first-calls"], ["calls"], ["ladder", "last"]])
def test_a_faulty_configuration_stops_every_verb_that_reads_it(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb, "--config", "missing.toml"]) == Exit.CONFIG
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("missing.toml: no such file.")
    assert err.count("\n") == 1


def test_env_prints_lines_that_a_shell_takes(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env"]) == Exit.DONE
    lines = capsys.readouterr().out
    shell = subprocess.run(
        ["/bin/sh", "-c", lines + 'printf %s "$COMMUNICATION_SERVICES_CONNECTION_STRING|$SSL_CERT_FILE"'],
        capture_output=True,
        text=True,
        check=True,
    )
    connection, bundle = shell.stdout.split("|")
    assert connection == f"endpoint=https://localhost:8443/;accesskey={DEVELOPMENT_KEY}"
    assert (alone / ".onhook") in Path(bundle).parents
    assert "BEGIN CERTIFICATE" in Path(bundle).read_text()


def test_env_for_programs_has_the_same_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env"]) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert main(["env", "--json", "--resource", "dev"]) == Exit.DONE
    found = json.loads(capsys.readouterr().out)
    assert [f"{name}={value}" for name, value in found.items()] == [shlex.split(line)[1] for line in lines]


def test_env_of_a_resource_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "--resource", "shop"]) == Exit.USAGE
    assert capsys.readouterr().err == "no resource is named shop; there is dev.\n"


Ready = Callable[[Any], Awaitable[None]]


def app_that(monkeypatch: pytest.MonkeyPatch, serve: Callable[[Config, Ready], Awaitable[None]]) -> list[str]:
    """Stand in for onhook.app: only what the shell asks of it."""
    placed: list[str] = []
    app = ModuleType("onhook.app")

    async def serving(config: Config, *, ready: Ready) -> None:
        await serve(config, ready)

    @contextlib.asynccontextmanager
    async def running(config: Config) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(url=f"https://localhost:{config.server.port}")

    async def place_first_calls(server: SimpleNamespace, *, json: bool = False) -> int:
        placed.append(f"{server.url} json={json}")
        return 1 if json else 0

    app.__dict__.update(
        serve=serving, running=running, place_first_calls=place_first_calls, Running=SimpleNamespace
    )
    monkeypatch.setitem(sys.modules, "onhook.app", app)
    monkeypatch.setattr(onhook, "app", app, raising=False)
    return placed


async def serve_until_cancelled(_config: Config, ready: Ready) -> None:
    await ready(SimpleNamespace(url="https://localhost:8443"))
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
    await asyncio.Event().wait()


def test_run_greets_when_ready_and_ends_in_order_on_a_signal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    placed = app_that(monkeypatch, serve_until_cancelled)
    assert main(["run"]) == Exit.DONE
    out = capsys.readouterr().out
    assert out.startswith("Onhook takes calls at https://localhost:8443\n")
    assert placed == []


def test_run_places_the_first_calls_and_says_what_to_try_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    placed = app_that(monkeypatch, serve_until_cancelled)
    assert main(["run", "--first-calls"]) == Exit.DONE
    assert placed == ["https://localhost:8443 json=False"]
    assert "onhook why last" in capsys.readouterr().out


def test_run_warns_of_what_is_risky(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app_that(monkeypatch, serve_until_cancelled)
    monkeypatch.setenv("ONHOOK_SERVER__HOST", "0.0.0.0")
    assert main(["run"]) == Exit.DONE
    assert capsys.readouterr().err.startswith("warning: server.host 0.0.0.0 is open to other machines")


def test_a_taken_port_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async def serve(_config: Config, _ready: Ready) -> None:
            await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", port)

        app_that(monkeypatch, serve)
        assert main(["run"]) == Exit.UNAVAILABLE
    err = capsys.readouterr().err
    assert err.startswith("cannot start: ")
    assert "ONHOOK_SERVER__PORT" in err
    assert err.count("\n") == 1


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(_config: Config, _ready: Ready) -> None:
        raise ZeroDivisionError

    app_that(monkeypatch, serve)
    with pytest.raises(ZeroDivisionError):
        main(["run"])


def test_first_calls_hands_its_status_on(monkeypatch: pytest.MonkeyPatch) -> None:
    placed = app_that(monkeypatch, serve_until_cancelled)
    assert main(["first-calls"]) == Exit.DONE
    assert main(["first-calls", "--json"]) == Exit.NO
    assert placed == [f"https://localhost:8443 json={json}" for json in (False, True)]


def test_the_greeting_names_trunks_and_where_to_look() -> None:
    url = "https://localhost:8443"
    assert greeting(load(None, {}), url) == [
        f"Onhook takes calls at {url}",
        "  trunks     carrier (127.0.0.1:5080)",
        "  carrier    built in: the last three digits of a number choose how its call ends",
        f"  endings    {url}/onhook/calls",
    ]
    bare = greeting(load(None, {"ONHOOK_CARRIER__ENABLED": "false"}), url)
    assert bare[1:] == ["  trunks     none", f"  endings    {url}/onhook/calls"]


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", "localhost"),
        ("0.0.0.0", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("fd00::1", "[fd00::1]"),
    ],
)
def test_env_names_an_address_that_works(
    host: str, reached: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ONHOOK_SERVER__HOST", host)
    assert main(["env", "--json"]) == Exit.DONE
    connection = json.loads(capsys.readouterr().out)["COMMUNICATION_SERVICES_CONNECTION_STRING"]
    assert connection.startswith(f"endpoint=https://{reached}:8443/;")


def test_what_to_try_next_is_spelled_as_it_can_be_typed(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = alone / ".venv/bin/onhook"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setenv("PATH", "/nowhere")
    assert command_name() == ".venv/bin/onhook"
    monkeypatch.setenv("PATH", str(program.parent))
    assert command_name() == "onhook"
    monkeypatch.setattr("sys.argv", ["/usr/lib/onhook/__main__.py"])
    assert command_name() == "onhook"


def test_ctrl_c_in_a_verb_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object, **_options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("onhook.cli.configuring.check", interrupted)
    assert main(["config", "check"]) == Exit.INTERRUPTED


def test_a_reader_that_stops_reading_is_no_error() -> None:
    program = f"{shlex.quote(sys.executable)} -m onhook why 603 --json | head -c 1"
    done = subprocess.run(["/bin/sh", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "["
    assert done.stderr == ""


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "onhook", "version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"onhook {onhook.__version__}\n")


def test_a_command_error_has_a_status_of_its_own() -> None:
    assert CommandError("x", Exit.NO).status == 1


def test_tables_are_plain_text_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "long heading"), [("one", "1"), ("t", "[red]")])
    assert capsys.readouterr().out == "a    long heading\none  1\nt    [red]\n"


def test_tables_are_drawn_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_table(("a", "b"), [("one", "[red]")])
    out = capsys.readouterr().out
    assert "[red]" in out, "a value is no markup"
    assert "─" in out or "━" in out
