"""The plugin in a pytest of its own: what a test says, what fails it, and what becomes of the next one."""

import os
import subprocess
import sys
import textwrap
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

pytestmark = [pytest.mark.xdist_group("plugin"), pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]
PREAMBLE = """
import os
import pytest
from azure.communication.callautomation import CallAutomationClient, PhoneNumberIdentifier

FRIEND = "+14255550123"

def sink(environ, start):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start("200 OK", [])
    return []

@pytest.fixture
def call(onhook):
    url = onhook.serve(sink)
    client = CallAutomationClient.from_connection_string(onhook.connection_string)
    return lambda: client.create_call(
        PhoneNumberIdentifier(FRIEND), url, source_caller_id_number=PhoneNumberIdentifier("+14255550100")
    ).call_connection_id
"""


def pytest_of_its_own(
    folder: Path, tests: str, *arguments: str, **settings: str
) -> "subprocess.CompletedProcess[str]":
    (folder / "pytest.ini").write_text("[pytest]\n" + "".join(f"{k} = {v}\n" for k, v in settings.items()))
    (folder / "test_it.py").write_text(PREAMBLE + textwrap.dedent(tests))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "onhook.pytest_plugin", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_the_plugin_is_an_entry_point_of_pytest() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert points == {"onhook.pytest_plugin": "onhook.pytest_plugin"}
    for module in points.values():
        assert hasattr(import_module(module), "onhook")


def test_a_test_that_passes_fails_and_leaves_things_behind(tmp_path: Path) -> None:
    ran = pytest_of_its_own(
        tmp_path,
        """
        def test_good(onhook, call):
            onhook.phone(FRIEND).will("busy")
            call()
            onhook.calls.last.ended("callee-busy")

        def test_another_ending(onhook, call):
            onhook.phone(FRIEND).will("declined")
            call()
            onhook.calls.last.ended("callee-busy")

        def test_leaves_a_call_open(onhook, call):
            onhook.phone(FRIEND).will("answers")
            call()
            onhook.calls.last.connected()

        def test_leaves_a_call_open_and_fails(onhook, call):
            onhook.phone(FRIEND).will("answers")
            call()
            onhook.calls.last.connected()
            assert "what the test itself found" == ""

        def test_never_calls(onhook):
            onhook.phone(FRIEND).will("busy")

        def test_the_next_one_begins_anew(onhook, call):
            assert len(onhook.calls) == 0
            assert os.environ["COMMUNICATION_SERVICES_CONNECTION_STRING"] == onhook.connection_string
            assert os.environ["ONHOOK_URL"] == onhook.url
            call()
            onhook.calls.last.ended("number-not-found")

        def test_without_it():
            assert True
        """,
        "-v",
    )
    said = ran.stdout
    assert "4 failed, 3 passed" in said, said
    assert "error" not in said.splitlines()[-1]
    assert "ended as callee-declined, and was to end as callee-busy" in said
    assert "test_leaves_a_call_open leaves behind:" in said
    assert "is still connected, and nobody ends it:" in said
    assert "SIP/2.0 200 OK" in said
    assert "test_leaves_a_call_open_and_fails leaves behind:" not in said
    assert "what the test itself found" in said
    assert "calls of the test" in said
    assert "was to meet 'busy' in 1 more calls, and was not called" in said


def test_workers_have_a_server_each_and_settings_are_taken(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        textwrap.dedent(
            """
            import pytest

            @pytest.fixture(scope="session")
            def onhook_settings():
                return {"sip__setup_timeout_seconds": 44}
            """
        )
    )
    (tmp_path / "onhook.toml").write_text("[sip]\nmax_calls_per_number = 1\n")
    ran = pytest_of_its_own(
        tmp_path,
        """
        @pytest.mark.parametrize("number", range(6))
        def test_ringing(onhook, call, number):
            onhook.phone(FRIEND).will("rang-out")
            call()
            record = onhook.calls.last.ended("rang-out").record
            assert 44 < record.ended_at - record.started_at < 60

        def test_file(onhook):
            assert onhook.server.running.config.sip.max_calls_per_number == 1
        """,
        "-n2",
        "-q",
        onhook_config="onhook.toml",
    )
    assert "7 passed" in ran.stdout, ran.stdout


def test_settings_that_are_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "onhook.toml").write_text("[sip]\nsetup_timeout_seconds = -1\n")
    ran = pytest_of_its_own(tmp_path, "def test_it(onhook): pass", "-q", onhook_config="onhook.toml")
    assert "1 error" in ran.stdout
    assert "onhook.toml" in ran.stdout
    assert "sip.setup_timeout_seconds" in ran.stdout
