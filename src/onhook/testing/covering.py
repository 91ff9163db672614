"""Ending coverage of a run of tests: the calls of each test are read, added up, and told at the end.

`onhook coverage`, `onhook exec --coverage` and `pytest --onhook-coverage` all write their reports here.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from onhook.calls.record import CallRecord
from onhook.endings.coverage import (
    Coverage,
    KeptCall,
    as_dict,
    render_html,
    render_junit,
    render_markdown,
)
from onhook.facts import Timeline

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""GitHub Actions sets it: the file whose Markdown is shown with the run."""
MAX_CALLS = 100_000
"""Of a run; of more, the newest."""


class NotWritten(Exception):
    """A report could not be written; the text says where and why."""


class Kept(Protocol):
    """What is read of a store."""

    def calls(self, limit: int) -> list[CallRecord]: ...
    def facts(self, call_id: str) -> Timeline: ...


def kept_calls(store: Kept, since: float, limit: int = MAX_CALLS, *, test: str = "") -> Iterator[KeptCall]:
    """The newest calls that began at `since` (Unix seconds) or later."""
    for record in store.calls(limit):
        if record.started_at >= since:
            yield KeptCall(
                id=record.id,
                timeline=store.facts(record.id),
                over=record.ended_at is not None,
                others=tuple(each.id for each in record.connections),
                test=test,
            )


def as_json(coverage: Coverage) -> str:
    return msgspec.json.format(msgspec.json.encode(as_dict(coverage)), indent=2).decode() + "\n"


FORMS: Mapping[str, Callable[[Coverage], str]] = {
    "html": render_html,
    "junit": render_junit,
    "json": as_json,
    "markdown": render_markdown,
}


def write_reports(coverage: Coverage, files: Iterable[tuple[str, str]], *, github: bool = False) -> None:
    """`files` are forms (FORMS) with paths. Raises NotWritten for the first that cannot be written."""
    for form, path in files:
        _write(Path(path), FORMS[form](coverage), "w")
    if github:
        target = os.environ.get(STEP_SUMMARY)
        if not target:
            raise NotWritten(
                f"there is no summary to write to: ${STEP_SUMMARY} is not set, so this is no job of GitHub "
                "Actions. Ask for html, junit or json."
            )
        _write(Path(target), render_markdown(coverage), "a")


def _write(path: Path, text: str, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise NotWritten(f"cannot write {path}: {error.strerror}.") from None


def verdict(coverage: Coverage, fail_under: float | None) -> str:
    """What is wrong with the coverage, in a sentence; empty if it is high enough, or nothing is demanded."""
    if fail_under is None or coverage.reaches(fail_under):
        return ""
    return f"the ending coverage of {coverage.percent:.1f} % is under {fail_under:g} %"
