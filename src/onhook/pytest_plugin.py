"""pytest plugin: the fixture `onhook`, a server of Call Automation in this process for tests of applications.

    def test_a_busy_line(onhook, app):
        onhook.phone("+14255550123").will("busy")
        app.remind("+14255550123")
        onhook.calls.last.ended("callee-busy")

One server serves all tests of a process (each worker of pytest-xdist has its own), on free ports. Each test
begins with telephones that do what their test number says, and fails if it leaves a call open, an event that
the application did not take, or a telephone that was to meet a call and met none.
"""

import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # the server is imported when a test wants it
    from onhook.testing.laboratory import Laboratory
    from onhook.testing.server import Server

FIXTURE = "onhook"
CONFIG = "onhook_config"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(CONFIG, "onhook.toml of the server that the fixture `onhook` starts; else the defaults")


@pytest.fixture(scope="session")
def onhook_settings() -> Mapping[str, object]:
    """Settings of the server, section__name: value. Define a fixture of this name to give some."""
    return {}


@pytest.fixture(scope="session")
def onhook_server(
    onhook_settings: Mapping[str, object],
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> "Generator[Server]":
    """The server, and in os.environ what makes clients find and trust it."""
    from onhook.testing.server import Server  # noqa: PLC0415  # as above

    named = str(pytestconfig.getini(CONFIG))
    config_file = Path(pytestconfig.rootpath, named) if named else None
    server = Server(tmp_path_factory.mktemp(FIXTURE), onhook_settings, config_file)
    server.start()
    before = {name: os.environ.get(name) for name in server.environment}
    os.environ.update(server.environment)
    try:
        yield server
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        server.stop()


@pytest.fixture
def onhook(onhook_server: "Server") -> "Generator[Laboratory]":
    """Telephones, calls and time of one test; see onhook.testing."""
    from onhook.testing.laboratory import Laboratory  # noqa: PLC0415  # as above

    laboratory = Laboratory(onhook_server)
    yield laboratory
    laboratory.close()
    os.environ.update(onhook_server.environment)  # a server that was started anew has other ports


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that passes has to leave everything in order; one that fails shows its calls."""
    try:
        result = yield
    except BaseException:
        laboratory = _laboratory(item)
        if laboratory is not None and (report := laboratory.report()):
            item.add_report_section("call", "calls of the test", report)
        raise
    laboratory = _laboratory(item)
    if laboratory is not None and (faults := laboratory.account()):
        pytest.fail(f"{item.name} leaves behind:\n\n" + "\n\n".join(faults), pytrace=False)
    return result


def _laboratory(item: pytest.Item) -> "Laboratory | None":
    arguments: dict[str, Any] = getattr(item, "funcargs", {})
    return arguments.get(FIXTURE)
