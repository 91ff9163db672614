"""The options of `onhook replay`."""

import argparse

from onhook.cli.options import Verbs, add_config, add_json, add_verb

DEFAULT_SECONDS = 600.0


def register(verbs: Verbs) -> None:
    """The verb and its options."""
    parser = add_verb(
        verbs, "replay", _run, "let the far end of a recorded call meet the application again, and compare"
    )
    parser.add_argument(
        "call", metavar="CALL_ID|FILE", help="a call's id, the beginning of one, `last`, or an exported call"
    )
    parser.add_argument("--number", default="", metavar="N", help="instead of the number of then")
    parser.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_SECONDS,
        metavar="SECONDS",
        help=f"how long to wait for the call and its end ({DEFAULT_SECONDS:.0f})",
    )
    add_config(parser)
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    from onhook.cli.replaying import replay  # noqa: PLC0415  # other verbs need not wait for it

    return replay(arguments.call, arguments.number, arguments.timeout, arguments.config, json=arguments.json)
