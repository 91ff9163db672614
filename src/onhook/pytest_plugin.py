"""pytest plugin: the fixture `onhook`, a server of Call Automation in this process for tests of applications.

    def test_a_busy_line(onhook, app):
        onhook.phone("+14255550123").will("busy")
        app.remind("+14255550123")
        onhook.calls.last.ended("callee-busy")

`--onhook-coverage` tells at the end which endings the tests met, of those that the application can meet.

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
    from onhook.testing.covered_tests import CoveredTests
    from onhook.testing.laboratory import Laboratory
    from onhook.testing.server import Server

FIXTURE = "onhook"
CONFIG = "onhook_config"


COVERED: "pytest.StashKey[CoveredTests]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(CONFIG, "onhook.toml of the server that the fixture `onhook` starts; else the defaults")
    group = parser.getgroup("onhook", "endings of calls, by onhook")
    group.addoption(
        "--onhook-coverage",
        action="store_true",
        help="tell which endings the tests met and which they missed",
    )
    group.addoption(
        "--onhook-coverage-report",
        action="append",
        default=[],
        metavar="FORM:FILE",
        help="write it: html:FILE, junit:FILE, json:FILE, markdown:FILE, or github (the job's summary)",
    )
    group.addoption(
        "--onhook-fail-under", type=float, metavar="PERCENT", help="fail if the ending coverage is lower"
    )


def pytest_configure(config: pytest.Config) -> None:
    table = bool(config.getoption("onhook_coverage"))
    reports: list[str] = config.getoption("onhook_coverage_report") or []
    fail_under: float | None = config.getoption("onhook_fail_under")
    if not (table or reports or fail_under is not None):
        return
    from onhook.testing.covered_tests import CoveredTests, report_wanted  # noqa: PLC0415  # only if wanted

    try:
        wanted = [report_wanted(each) for each in reports]
    except ValueError as error:
        raise pytest.UsageError(f"--onhook-coverage-report: {error}") from None
    if fail_under is not None and not 0 <= fail_under <= 100:
        raise pytest.UsageError(f"--onhook-fail-under: expected 0 to 100, got {fail_under:g}")
    config.stash[COVERED] = CoveredTests(table=table, reports=wanted, fail_under=fail_under)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of pytest-xdist has ended."""
    covered = node.config.stash.get(COVERED, None)
    if covered is not None:
        covered.take_over(getattr(node, "workeroutput", {}))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    covered = session.config.stash.get(COVERED, None)
    if covered is None:
        return
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        covered.hand_on(output)
    elif not covered.finish() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    covered = config.stash.get(COVERED, None)
    if covered is not None and covered.text:
        terminalreporter.section("ending coverage")
        terminalreporter.write_line(covered.text)


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
def onhook(onhook_server: "Server", request: pytest.FixtureRequest) -> "Generator[Laboratory]":
    """Telephones, calls and time of one test; see onhook.testing."""
    from onhook.testing.laboratory import Laboratory  # noqa: PLC0415  # as above

    laboratory = Laboratory(onhook_server)
    yield laboratory
    covered = request.config.stash.get(COVERED, None)
    if covered is not None:
        covered.add(laboratory.calls, request.node.nodeid)
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
