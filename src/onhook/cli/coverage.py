"""`onhook coverage`: which endings the kept calls met, and what the application did next."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from onhook.cli.kept import opened
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import complain, print_json, say
from onhook.endings.coverage import (
    Coverage,
    KeptCall,
    as_dict,
    cover,
    read_run,
    render_html,
    render_junit,
    render_markdown,
    render_text,
    summary,
)
from onhook.store.sqlite import SqliteStore

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""GitHub Actions sets it: the file whose Markdown is shown with the run."""
RENDERERS = {"html": render_html, "junit": render_junit, "markdown": render_markdown}


def coverage(
    config: str | None,
    *,
    since: str,
    limit: int,
    fail_under: float | None,
    files: dict[str, str],
    github: bool,
    json: bool,
) -> int:
    """`files` are paths by form (html, junit); the table is printed unless something else was asked for."""
    begin = since_time(since, datetime.now(UTC)) if since else 0.0
    with opened(config) as store:
        covered = cover([read_run(kept_calls(store, begin, limit))])
    for form, path in files.items():
        write(Path(path), RENDERERS[form](covered))
    if github:
        write_step_summary(covered)
    if json:
        print_json(as_dict(covered))
    else:
        say((summary(covered) if files or github else render_text(covered)).rstrip("\n"))
    return judged(covered, fail_under)


def kept_calls(store: SqliteStore, since: float, limit: int) -> Iterator[KeptCall]:
    """The newest calls that began at `since` (Unix seconds) or later."""
    for record in store.calls(limit):
        if record.started_at >= since:
            yield KeptCall(
                id=record.id,
                timeline=store.facts(record.id),
                over=record.ended_at is not None,
                others=tuple(each.id for each in record.connections),
            )


def judged(covered: Coverage, fail_under: float | None) -> int:
    if fail_under is None or covered.reaches(fail_under):
        return Exit.DONE
    complain(f"onhook: the ending coverage of {covered.percent:.1f} % is under {fail_under:g} %.")
    return Exit.NO


def write(path: Path, text: str) -> None:
    """Raises CommandError if it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}.", Exit.UNAVAILABLE) from None


def write_step_summary(covered: Coverage) -> None:
    """Add to the summary of the job. Raises CommandError outside of GitHub Actions."""
    path = os.environ.get(STEP_SUMMARY)
    if not path:
        raise CommandError(
            f"--github writes to the file that ${STEP_SUMMARY} names, and it is not set: this is no job of "
            "GitHub Actions. Use --html, --junit or --json.",
            Exit.USAGE,
        )
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(render_markdown(covered))
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}.", Exit.UNAVAILABLE) from None


def since_time(text: str, now: datetime) -> float:
    """Unix seconds of "90s", "15m", "2h", "1d" before `now`, or of an ISO 8601 time (without zone: local)."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", text.strip())
    if ago:
        return (now - timedelta(**{UNITS[ago[2]]: int(ago[1])})).timestamp()
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except ValueError:
        raise CommandError(
            f"--since {text[:40]!r} is no time: write 90s, 15m, 2h, 1d, or 2026-05-17T09:30.", Exit.USAGE
        ) from None
