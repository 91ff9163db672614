"""conftest.py names the rows of state machines that no test ran, with workers and without."""

import subprocess
import sys
from pathlib import Path

import pytest

from house import ROOT, text

HALVES = """
from onhook.machine import Machine
from tools.generate_docs import machines

def run(half):
    rows = [(machine.__name__, row) for machine in machines() for row in machine.TABLE]
    Machine.rows_run.update(rows[half::2])

def test_first_half():
    run(0)
"""
SECOND_HALF = "\ndef test_second_half():\n    run(1)\n"


def run(folder: Path, tests: str, *options: str) -> "subprocess.CompletedProcess[str]":
    (folder / "conftest.py").write_text(text(ROOT / "conftest.py"))
    (folder / "pytest.ini").write_text(f"[pytest]\ntestpaths = tests\npythonpath = {ROOT}\n")
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests/test_toy.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_a_whole_run_that_left_rows_out_fails_and_names_them(
    workers: tuple[str, ...], tmp_path: Path
) -> None:
    done = run(tmp_path, HALVES, *workers)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "  never run: Call " in done.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_rows_of_all_workers_count_together(workers: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, HALVES + SECOND_HALF, *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert "never run" not in done.stdout


@pytest.mark.parametrize("selection", [("-k", "first"), ("tests/test_toy.py",)], ids=["selected", "one file"])
def test_a_part_of_the_tests_says_nothing_of_rows(selection: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, HALVES + SECOND_HALF, *selection)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "never run" not in done.stdout


def test_a_failed_run_shows_its_failure_only(tmp_path: Path) -> None:
    done = run(tmp_path, HALVES + "    assert False\n")
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert "never run" not in done.stdout
