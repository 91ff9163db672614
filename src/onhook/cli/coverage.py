"""`onhook coverage`: which endings the kept calls met, and what the application did next."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from onhook.cli.kept import opened
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import complain, print_json, say
from onhook.endings.coverage import Coverage, as_dict, cover, read_run, render_text, summary
from onhook.testing.covering import NotWritten, kept_calls, verdict, write_reports

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def coverage(
    config: str | None,
    *,
    since: str,
    limit: int,
    fail_under: float | None,
    files: Sequence[tuple[str, str]],
    github: bool,
    json: bool,
) -> int:
    """`files` are forms (html, junit) with paths; the table is printed unless something else is asked for."""
    begin = since_time(since, datetime.now(UTC)) if since else 0.0
    with opened(config) as store:
        covered = cover([read_run(kept_calls(store, begin, limit))])
    write(covered, files, github=github)
    if json:
        print_json(as_dict(covered))
    else:
        say((summary(covered) if files or github else render_text(covered)).rstrip("\n"))
    return judged(covered, fail_under)


def write(covered: Coverage, files: Sequence[tuple[str, str]], *, github: bool) -> None:
    """Raises CommandError for what cannot be written."""
    try:
        write_reports(covered, files, github=github)
    except NotWritten as error:
        raise CommandError(f"{error}", Exit.UNAVAILABLE) from None


def judged(covered: Coverage, fail_under: float | None) -> int:
    """Exit.NO, and why on standard error, if the coverage is lower than that."""
    wrong = verdict(covered, fail_under)
    if wrong:
        complain(f"onhook: {wrong}.")
    return Exit.NO if wrong else Exit.DONE


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
