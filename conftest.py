"""Names the rows of state machines that a whole test run never ran; with pytest-xdist, over all workers."""

from typing import Any, Protocol

import pytest

from onhook.machine import Machine, Row

ROWS_RUN = pytest.StashKey[set[str]]()
SELECTING = ("keyword", "markexpr", "lf", "failedfirst", "deselect", "ignore", "ignore_glob", "maxfail")
"""Options after which a run is not a whole one."""


class Worker(Protocol):
    """What xdist tells, where the run was started, of a worker that is done."""

    config: pytest.Config
    workeroutput: dict[str, Any]


def name_of(machine: str, row: Row) -> str:
    state, received = row
    return f"{machine} {state.name} <- {received.__name__}"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS_RUN] = set()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Worker) -> None:
    output: dict[str, Any] = getattr(node, "workeroutput", {})  # a worker that crashed left none
    node.config.stash[ROWS_RUN].update(output.get("rows_run", ()))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A worker hands its rows up; where the run was started they are all known, and judged."""
    config = session.config
    rows_run = config.stash[ROWS_RUN]
    rows_run.update(name_of(*run) for run in Machine.rows_run)
    output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if output is not None:
        output["rows_run"] = sorted(rows_run)
        return
    if exitstatus or not is_whole(config):
        return  # a partial or failed run says nothing about coverage
    from tools.generate_docs import machines  # noqa: PLC0415  # imports all of the house: only here is it needed

    rows = {name_of(machine.__name__, row) for machine in machines() for row in machine.TABLE}
    never_run = sorted(rows - rows_run)
    if never_run:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\n\nRows of state machines that no test ran (write one, or drop the row):")
        print("\n".join(f"  never run: {row}" for row in never_run))


def is_whole(config: pytest.Config) -> bool:
    """True if every test was asked for: no path but the configured ones, nothing selected or left out."""
    if config.args != config.getini("testpaths"):
        return False
    return not any(config.getoption(option, None) for option in SELECTING)
