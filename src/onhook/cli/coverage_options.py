"""The options of `onhook coverage`, and how they reach it."""

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", metavar="TIME", default="", help="only calls since then: 90s, 15m, 2h, 1d ago, or ISO 8601"
    )
    parser.add_argument(
        "--limit", type=_calls, default=10_000, metavar="N", help="the newest calls, 1 to 100000 (10000)"
    )
    add_reports(parser)


def add_reports(parser: argparse.ArgumentParser) -> None:
    """What `onhook exec` can do with the coverage as well."""
    parser.add_argument(
        "--fail-under", type=percent, metavar="PERCENT", help="exit with 1 if the ending coverage is lower"
    )
    parser.add_argument("--html", metavar="FILE", help="write the ending coverage as a page")
    parser.add_argument("--junit", metavar="FILE", help="write it as JUnit XML: a test case an ending")
    parser.add_argument(
        "--github", action="store_true", help="add it to the summary of the job, $GITHUB_STEP_SUMMARY"
    )


def files_of(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Forms and paths that were asked for."""
    forms = {"html": arguments.html, "junit": arguments.junit}
    return [(form, path) for form, path in forms.items() if path]


def run(arguments: argparse.Namespace) -> int:
    from onhook.cli.coverage import coverage  # noqa: PLC0415  # no verb waits for what another needs

    return coverage(
        arguments.config,
        since=arguments.since,
        limit=arguments.limit,
        fail_under=arguments.fail_under,
        files=files_of(arguments),
        github=arguments.github,
        json=arguments.json,
    )


def percent(text: str) -> float:
    """0 to 100."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"expected a percentage from 0 to 100, got {text[:20]!r}")
    return number


def _calls(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= 100_000:
        raise argparse.ArgumentTypeError(f"expected a whole number 1 to 100000, got {text[:20]!r}")
    return int(text)
