"""`onhook endings list|search|show`: their options. The work is in endings.py, imported when it runs."""

import argparse

from onhook.cli.options import Verbs, add_json, add_verb

# ruff: noqa: PLC0415  # each verb's own module is imported when it runs


def register(verbs: Verbs) -> None:
    summary = "the catalogue of endings: what they are, and what to do"
    endings = verbs.add_parser("endings", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    below = endings.add_subparsers(metavar="VERB", required=True)

    listed = add_verb(below, "list", _list, "list every ending")
    listed.add_argument("--fault", metavar="SIDE", help="only of this side: callee, trunk, application …")

    search = add_verb(below, "search", _search, "find endings by words, or by anything that `why` reads")
    search.add_argument("text", nargs="+", metavar="TEXT", help="words, or a code such as 486/560486")

    show = add_verb(below, "show", _show, "show the page of an ending")
    show.add_argument("ending", metavar="ENDING", help="its id, such as callee-busy")
    form = show.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as Markdown, as it is written")
    for parser in (listed, search, form):
        add_json(parser)


def _list(arguments: argparse.Namespace) -> int:
    from onhook.cli.endings import list_all

    return list_all(arguments.fault, json=arguments.json)


def _search(arguments: argparse.Namespace) -> int:
    from onhook.cli.endings import search

    return search(" ".join(arguments.text), json=arguments.json)


def _show(arguments: argparse.Namespace) -> int:
    from onhook.cli.endings import show

    form = "json" if arguments.json else "markdown" if arguments.markdown else "text"
    return show(arguments.ending, form)
