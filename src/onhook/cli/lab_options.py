"""The options of `onhook lab …`: what is measured with the built-in carrier."""

import argparse

from onhook.cli.options import Verbs, add_config, add_json, add_verb


def register(verbs: Verbs) -> None:
    """The verbs and their options."""
    summary = "measure with the built-in carrier"
    lab = verbs.add_parser("lab", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    below = lab.add_subparsers(metavar="VERB", required=True)
    parser = add_verb(
        below, "transparency", _run, "provoke each cause at the far side of a trunk and tabulate what arrives"
    )
    parser.add_argument("--trunk", required=True, metavar="NAME", help="of the trunk to measure")
    parser.add_argument(
        "--number",
        default="",
        metavar="N",
        help="one that the trunk routes to the carrier; else the last table",
    )
    add_config(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as Markdown")
    add_json(form)


def _run(arguments: argparse.Namespace) -> int:
    from onhook.cli.transparency import transparency  # noqa: PLC0415  # other verbs need not wait for it

    form = "json" if arguments.json else "markdown" if arguments.markdown else "text"
    return transparency(arguments.trunk, arguments.number, arguments.config, form)
