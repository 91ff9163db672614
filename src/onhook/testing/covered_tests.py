"""Ending coverage of a run of pytest: each test adds its calls, workers of xdist hand theirs on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from onhook.endings.coverage import KeptCall, Run, cover, read_run, render_text, summary
from onhook.testing.calls import Call
from onhook.testing.covering import FORMS, NotWritten, verdict, write_reports

HANDED_ON = "onhook_ending_coverage"
"""The name in what a worker of pytest-xdist hands to its controller."""
GITHUB = "github"


class CoveredTests:
    """`reports` are "html:FILE", "junit:FILE", "json:FILE", "markdown:FILE" or "github"."""

    def __init__(self, *, table: bool, reports: Sequence[str], fail_under: float | None) -> None:
        self._table, self._fail_under = table, fail_under
        self._files = [(form, path) for form, _, path in (each.partition(":") for each in reports) if path]
        self._github = GITHUB in reports
        self._runs: list[Run] = []
        self.text = ""
        """What is said at the end."""

    def add(self, calls: Iterable[Call], test: str) -> None:
        """What a test has met; calls that it left open have no ending."""
        self._runs.append(read_run(_kept(call, test) for call in calls))

    def hand_on(self, output: dict[str, Any]) -> None:
        """A worker's: to the controller."""
        output[HANDED_ON] = msgspec.json.encode(self._runs).decode()

    def take_over(self, output: Mapping[str, Any]) -> None:
        """The controller's: of a worker that has ended; nothing of one that died."""
        if HANDED_ON in output:
            self._runs += msgspec.json.decode(output[HANDED_ON], type=list[Run])

    def finish(self) -> bool:
        """Write the reports and set `text`; False if the coverage is too low or a report not written."""
        covered = cover(self._runs)
        wrong = [f"FAILED: {said}" for said in (verdict(covered, self._fail_under),) if said]
        try:
            write_reports(covered, self._files, github=self._github)
        except NotWritten as error:
            wrong.append(f"FAILED: {error}")
        told = render_text(covered) if self._table else summary(covered)
        self.text = "\n".join([told.rstrip("\n"), *wrong])
        return not wrong


def report_wanted(text: str) -> str:
    """Check one --onhook-coverage-report; ValueError says what is wrong with it."""
    form, _, path = text.partition(":")
    if text == GITHUB or (form in FORMS and path):
        return text
    raise ValueError(f"expected {', '.join(f'{form}:FILE' for form in FORMS)} or {GITHUB}, got {text[:40]!r}")


def _kept(call: Call, test: str) -> KeptCall:
    record = call.record
    return KeptCall(
        id=record.id,
        timeline=call.facts,
        over=record.ended_at is not None,
        others=tuple(each.id for each in record.connections),
        test=test,
    )
