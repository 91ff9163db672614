"""The verbs and their options: one place, from which docs/reference/commands.md is made as well."""

import argparse

from onhook import __version__
from onhook.cli import coverage_options, endings_options, exec_options, lab_options, replay_options
from onhook.cli.options import Verbs, add_config, add_json, add_verb, limit
from onhook.cli.outcome import MEANINGS
from onhook.cli.provoking import add_provoke

TEXT_HELP = (
    "a call's id or its first eight characters, `last`, or what you have of a code: 560486, 486/560486, 603, "
    "'400 Play Failed', 'SIP/2.0 486 Busy Here', 'Q.850;cause=17', the JSON of an event, an SDK's exception; "
    "or a file that holds it; - or nothing reads standard input"
)


def build_parser() -> argparse.ArgumentParser:
    statuses = "\n".join(f"  {status.value:<4} {meaning}" for status, meaning in MEANINGS.items())
    parser = argparse.ArgumentParser(
        prog="onhook",
        description="Azure Communication Services calling on your own machine and SBC, "
        "with the reason every call ended.",
        epilog=f"exit status:\n{statuses}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"onhook {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    _serving_verbs(verbs)
    _explaining_verbs(verbs)
    endings_options.register(verbs)
    _events_verbs(verbs)
    _coverage_verb(verbs)
    exec_options.register(verbs)
    replay_options.register(verbs)
    add_provoke(verbs)
    lab_options.register(verbs)
    _other_verbs(verbs)
    return parser


def _serving_verbs(verbs: Verbs) -> None:
    run = add_verb(verbs, "run", _run, "start the server and its built-in carrier; stop it with Ctrl-C")
    add_config(run)
    run.add_argument(
        "--first-calls", action="store_true", help="place the first calls when started, then keep serving"
    )

    env = add_verb(
        verbs, "env", _env, "print the lines that make this shell's programs trust and find the server"
    )
    add_config(env)
    env.add_argument(
        "--resource", metavar="NAME", help="whose access key to print; else the first resource's"
    )
    add_json(env)

    first = add_verb(
        verbs, "first-calls", _first_calls, "place one call per ending with the official SDK and compare"
    )
    add_config(first)
    add_json(first)


def _explaining_verbs(verbs: Verbs) -> None:
    why = add_verb(verbs, "why", _why, "say why a call ended, or what a code means")
    why.add_argument("text", nargs="*", metavar="TEXT|CALL_ID|FILE", help=TEXT_HELP)
    add_config(why)
    form = why.add_mutually_exclusive_group()
    add_json(form)
    form.add_argument("--markdown", action="store_true", help="as Markdown, to paste into a ticket")

    calls = add_verb(verbs, "calls", _calls, "list the newest calls and their endings")
    calls.add_argument("--limit", type=limit, default=20, metavar="N", help="how many, 1 to 10000 (20)")
    add_config(calls)
    add_json(calls)

    capture = add_verb(verbs, "pcap", _pcap, "write a call's SIP into a file for Wireshark")
    capture.add_argument("call_id", metavar="CALL_ID", help="a call's id, the beginning of one, or `last`")
    capture.add_argument("--output", metavar="FILE", help="- for standard output; else CALL_ID.pcap here")
    add_config(capture)
    add_json(capture)

    trunks = add_verb(verbs, "trunks", _trunks, "say how the trunks of the running server are")
    add_config(trunks)
    add_json(trunks)

    ladder = add_verb(verbs, "ladder", _ladder, "draw a call's signalling")
    ladder.add_argument("call_id", metavar="CALL_ID", help="a call's id, the beginning of one, or `last`")
    add_config(ladder)
    form = ladder.add_mutually_exclusive_group()
    form.add_argument("--svg", action="store_true", help="as an SVG picture")
    form.add_argument("--mermaid", action="store_true", help="as a Mermaid diagram, for Markdown")
    add_json(form)


def _events_verbs(verbs: Verbs) -> None:
    summary = "Event Grid: who is told of incoming calls"
    events = verbs.add_parser("events", help=summary[:1].lower() + summary[1:], description=f"{summary}.")
    below = events.add_subparsers(metavar="VERB", required=True)

    subscribe = add_verb(below, "subscribe", _events_subscribe, "subscribe an endpoint, or validate it again")
    subscribe.add_argument("name", metavar="NAME", help="of the subscription; one that exists is replaced")
    subscribe.add_argument("--endpoint", metavar="URL", help="where events go; left out: validate NAME again")
    subscribe.add_argument("--resource", metavar="NAME", help="whose events; else the only resource's")
    subscribe.add_argument("--schema", choices=("eventgrid", "cloudevents"), help="form of the events")
    subscribe.add_argument(
        "--event-type",
        action="append",
        metavar="TYPE",
        help="IncomingCall, CallEnded …; again for more (all)",
    )
    subscribe.add_argument("--subject-begins-with", metavar="TEXT", help="only events whose subject does")
    subscribe.add_argument("--subject-ends-with", metavar="TEXT", help="only events whose subject does")
    subscribe.add_argument("--subject-case-sensitive", action="store_true", help="compare subjects by case")
    subscribe.add_argument("--max-attempts", type=int, metavar="N", help="tries to deliver, 1 to 30 (30)")
    subscribe.add_argument("--ttl-minutes", type=int, metavar="N", help="for how long, 1 to 1440 (1440)")
    subscribe.add_argument(
        "--dead-letter-file", metavar="FILE", help="name of a file for what is given up; else it is dropped"
    )

    shown = add_verb(below, "list", _events_list, "list the subscriptions and their states")
    show = add_verb(below, "show", _events_show, "show a subscription and its newest deliveries")
    show.add_argument("name", metavar="NAME", help="of the subscription")
    show.add_argument("--limit", type=limit, default=20, metavar="N", help="how many deliveries (20)")

    delete = add_verb(below, "delete", _events_delete, "delete a subscription")
    delete.add_argument("name", metavar="NAME", help="of the subscription")

    again = add_verb(below, "redeliver", _events_redeliver, "send an event to a subscription again")
    again.add_argument("name", metavar="NAME", help="of the subscription")
    again.add_argument("event_id", metavar="EVENT_ID", help="as `onhook events show NAME` lists it")
    for parser in (subscribe, shown, show, delete, again):
        add_config(parser)
        add_json(parser)


def _coverage_verb(verbs: Verbs) -> None:
    summary = "count the endings that the kept calls met, of those that the application can meet"
    coverage = add_verb(verbs, "coverage", coverage_options.run, summary)
    coverage_options.add_options(coverage)
    add_config(coverage)
    add_json(coverage)


def _other_verbs(verbs: Verbs) -> None:
    config = verbs.add_parser(
        "config", help="about the configuration", description="About the configuration."
    )
    check = add_verb(
        config.add_subparsers(metavar="VERB", required=True),
        "check",
        _config_check,
        "read the configuration as `run` would, and tell every fault",
    )
    add_config(check)
    add_json(check)

    add_json(add_verb(verbs, "version", _version, "print the version"))


# Each verb's own module is imported when it runs, so that no verb waits for what another needs.
# ruff: noqa: PLC0415  # for that reason


def _run(arguments: argparse.Namespace) -> int:
    from onhook.cli.serving import run

    return run(arguments.config, first_calls=arguments.first_calls)


def _env(arguments: argparse.Namespace) -> int:
    from onhook.cli.serving import env

    return env(arguments.config, arguments.resource, json=arguments.json)


def _first_calls(arguments: argparse.Namespace) -> int:
    from onhook.cli.serving import first_calls

    return first_calls(arguments.config, json=arguments.json)


def _why(arguments: argparse.Namespace) -> int:
    from onhook.cli.explaining import why

    form = "json" if arguments.json else "markdown" if arguments.markdown else "text"
    return why(arguments.text, arguments.config, form)


def _calls(arguments: argparse.Namespace) -> int:
    from onhook.cli.kept import calls

    return calls(arguments.config, arguments.limit, json=arguments.json)


def _pcap(arguments: argparse.Namespace) -> int:
    from onhook.cli.pcap import pcap

    return pcap(arguments.call_id, arguments.output, arguments.config, json=arguments.json)


def _trunks(arguments: argparse.Namespace) -> int:
    from onhook.cli.trunks import trunks

    return trunks(arguments.config, json=arguments.json)


def _ladder(arguments: argparse.Namespace) -> int:
    from onhook.cli.kept import ladder

    form = next((name for name in ("json", "svg", "mermaid") if getattr(arguments, name)), "text")
    return ladder(arguments.call_id, arguments.config, form)


def _events_subscribe(arguments: argparse.Namespace) -> int:
    from onhook.cli.events import SETTINGS, subscribe

    given = {name: getattr(arguments, name) for name in SETTINGS}
    given["event_types"] = arguments.event_type
    return subscribe(arguments.name, given, arguments.config, json=arguments.json)


def _events_list(arguments: argparse.Namespace) -> int:
    from onhook.cli.events import list_all

    return list_all(arguments.config, json=arguments.json)


def _events_show(arguments: argparse.Namespace) -> int:
    from onhook.cli.events import show

    return show(arguments.name, arguments.limit, arguments.config, json=arguments.json)


def _events_delete(arguments: argparse.Namespace) -> int:
    from onhook.cli.events import delete

    return delete(arguments.name, arguments.config, json=arguments.json)


def _events_redeliver(arguments: argparse.Namespace) -> int:
    from onhook.cli.events import redeliver

    return redeliver(arguments.name, arguments.event_id, arguments.config, json=arguments.json)


def _config_check(arguments: argparse.Namespace) -> int:
    from onhook.cli.configuring import check

    return check(arguments.config, json=arguments.json)


def _version(arguments: argparse.Namespace) -> int:
    from onhook.cli.output import print_json, say

    if arguments.json:
        print_json({"version": __version__})
    else:
        say(f"onhook {__version__}")
    return 0
