"""What verbs and their options share: parser.py and the files of single verbs build on it."""

import argparse
from collections.abc import Callable
from typing import Protocol

CONFIG_HELP = "the TOML file; else $ONHOOK_CONFIG, else onhook.toml in this directory, else the defaults"
MAX_LISTED = 10_000

Run = Callable[[argparse.Namespace], int]


class Verbs(Protocol):
    """What add_subparsers gives; argparse has no public name for it."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser: ...  # noqa: A002  # argparse's own word


class Options(Protocol):
    """A parser, or a group of options that exclude each other."""

    def add_argument(self, option: str, /, *, action: str, help: str) -> argparse.Action: ...  # noqa: A002  # as above


def add_verb(verbs: Verbs, name: str, run: Run, summary: str) -> argparse.ArgumentParser:
    """A verb that `run` carries out; `summary` begins in lower case and has no full stop."""
    parser = verbs.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.set_defaults(run=run)
    return parser


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help=CONFIG_HELP)


def add_json(parser: Options) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def limit(text: str) -> int:
    """How many to list; argparse shows what was wrong."""
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_LISTED:
        raise argparse.ArgumentTypeError(f"expected a whole number 1 to {MAX_LISTED}, got {text[:20]!r}")
    return int(text)
