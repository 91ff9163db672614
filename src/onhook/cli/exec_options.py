"""`onhook exec`: its options. The work is in executing.py, imported when it runs."""

import argparse

from onhook.cli import coverage_options
from onhook.cli.options import Verbs, add_config, add_verb

SUMMARY = "start a server for tests, run a command against it, and say which endings it met"


def register(verbs: Verbs) -> None:
    run = add_verb(verbs, "exec", _exec, SUMMARY)
    add_config(run)
    run.add_argument("--report", metavar="FILE", help="write the endings met, and every call, as JSON")
    run.add_argument("--coverage", action="store_true", help="print the ending coverage as a table")
    coverage_options.add_reports(run)
    run.add_argument(
        "command",
        nargs=argparse.REMAINDER,
        metavar="-- COMMAND",
        help="with its arguments; its exit status is ours",
    )


def _exec(arguments: argparse.Namespace) -> int:
    from onhook.cli.executing import Wanted, execute  # noqa: PLC0415  # the whole server: only this verb needs it

    wanted = Wanted(
        arguments.coverage, coverage_options.files_of(arguments), arguments.github, arguments.fail_under
    )
    return execute(arguments.command, arguments.config, arguments.report, wanted)
