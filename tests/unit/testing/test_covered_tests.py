"""`pytest --onhook-coverage`: the calls of tests are added up, by workers too, and told at the end."""

import json
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from onhook.testing.covered_tests import CoveredTests, report_wanted
from unit.testing.test_pytest_plugin import pytest_of_its_own

pytestmark = [pytest.mark.xdist_group("plugin"), pytest.mark.timeout(300)]

TESTS = """
    def test_busy(onhook, call):
        onhook.phone(FRIEND).will("busy")
        call()
        onhook.calls.last.ended("callee-busy")

    def test_declined(onhook, call):
        onhook.phone(FRIEND).will("declined")
        call()
        onhook.calls.last.ended("callee-declined")
"""


def test_the_table_the_reports_and_the_limit(tmp_path: Path) -> None:
    ran = pytest_of_its_own(
        tmp_path,
        TESTS,
        "--onhook-coverage",
        "--onhook-coverage-report=html:c.html",
        "--onhook-coverage-report=junit:c.xml",
        "--onhook-coverage-report=json:c.json",
        "--onhook-fail-under=99",
    )
    assert ran.returncode == 1, ran.stdout
    assert "2 passed" in ran.stdout
    assert "= ending coverage =" in ran.stdout
    lines = [line.split() for line in ran.stdout.splitlines()]
    met = {line[1]: line for line in lines if line[:1] == ["met"]}
    assert set(met) == {"callee-busy", "callee-declined"}
    assert met["callee-busy"][4:6] == ["CreateCallFailed", "200"]
    assert "FAILED: the ending coverage of " in ran.stdout
    rows = {row["ending"]: row for row in json.loads((tmp_path / "c.json").read_text())["rows"]}
    assert rows["callee-busy"]["meetings"][0]["test"] == "test_it.py::test_busy"
    assert rows["callee-busy"]["meetings"][0]["then"] is None
    assert rows["rang-out"]["state"] == "missed"
    assert (tmp_path / "c.html").read_text().startswith("<!DOCTYPE html>")
    assert fromstring((tmp_path / "c.xml").read_text()).get("failures") == "0"


def test_workers_hand_on_what_they_met(tmp_path: Path) -> None:
    ran = pytest_of_its_own(
        tmp_path, TESTS, "-n", "2", "--onhook-coverage-report=json:c.json", "--onhook-fail-under=1"
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads((tmp_path / "c.json").read_text())
    assert (told["calls"], told["met"]) == (2, 2)
    assert "Ending coverage: " in ran.stdout


def test_a_report_that_cannot_be_written_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    covered = CoveredTests(table=False, reports=[f"html:{tmp_path}"], fail_under=None)
    assert not covered.finish()
    assert f"FAILED: cannot write {tmp_path}" in covered.text
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    covered = CoveredTests(table=False, reports=["github"], fail_under=None)
    assert not covered.finish()
    assert "GITHUB_STEP_SUMMARY is not set" in covered.text


def test_a_worker_that_died_hands_on_nothing() -> None:
    covered = CoveredTests(table=True, reports=[], fail_under=None)
    covered.take_over({})
    output: dict[str, object] = {}
    covered.hand_on(output)
    covered.take_over(output)
    assert covered.finish()
    assert covered.text.startswith("Ending coverage: nothing to count in 0 calls.")


@pytest.mark.parametrize("wrong", ["pdf:c.pdf", "html", "html:", "github:x"])
def test_a_form_that_is_none_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"expected html:FILE, .*markdown:FILE or github"):
        report_wanted(wrong)
    assert report_wanted("junit:a:b.xml") == "junit:a:b.xml"


@pytest.mark.parametrize("option", ["--onhook-fail-under=101", "--onhook-coverage-report=pdf:x"])
def test_wrong_options_end_the_run_before_it_begins(option: str, tmp_path: Path) -> None:
    ran = pytest_of_its_own(tmp_path, TESTS, option)
    assert ran.returncode == pytest.ExitCode.USAGE_ERROR
    assert option.partition("=")[0] in ran.stderr
