"""`onhook events`: Event Grid subscriptions of the running server.

What changes something is asked of the server (server/grid_api.py), because only it can validate and
deliver. `list` and `show` read the store when no server runs.
"""

import http.client
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from onhook.cli.configuring import read_config
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import complain, print_json, print_table, say
from onhook.config import Config

SETTINGS = (
    "endpoint",
    "resource",
    "schema",
    "subject_begins_with",
    "subject_ends_with",
    "subject_case_sensitive",
    "max_attempts",
    "ttl_minutes",
    "dead_letter_file",
)
"""Options of `subscribe` that are fields of a subscription by the same name."""
ANSWER_SECONDS = 150.0
"""Three handshakes of 30 s and the pauses between them, and a little more."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
ROOT = "/onhook/events"
WILDCARDS = {"0.0.0.0": "localhost", "::": "localhost"}  # noqa: S104  # compared with
VALIDATED = "Succeeded"


def subscribe(name: str, given: dict[str, Any], config: str | None, *, json: bool) -> int:
    """Exit.DONE only if the endpoint is validated. Without an endpoint: validate an existing one again."""
    fields = {key: value for key, value in given.items() if value not in (None, False)}
    if "endpoint" not in fields:
        if fields:
            raise CommandError(
                "--endpoint is needed to change a subscription: it is replaced whole.", Exit.USAGE
            )
        told = ask(read_config(config), "POST", f"{ROOT}/{quote(name)}/validate")
    else:
        told = ask(read_config(config), "POST", ROOT, fields | {"name": name})
    if json:
        print_json(told)
    else:
        say("\n".join(_described(told)))
    return Exit.DONE if told["state"] == VALIDATED else Exit.NO


def list_all(config_file: str | None, *, json: bool) -> int:
    config = read_config(config_file)
    try:
        told = ask(config, "GET", ROOT)["subscriptions"]
    except _NotRunning:
        told = _kept(config_file)
    if json:
        print_json({"subscriptions": told})
    elif not told:
        say("There is no event subscription: no application hears of incoming calls. Make one with")
        say("  onhook events subscribe NAME --endpoint URL")
    else:
        headings = ("name", "resource", "state", "events", "endpoint", "last attempt")
        print_table(headings, [_line(each) for each in told])
    return Exit.DONE


def show(name: str, limit: int, config_file: str | None, *, json: bool) -> int:
    config = read_config(config_file)
    try:
        told = ask(config, "GET", f"{ROOT}/{quote(name)}?limit={min(limit, 1_000)}")
    except _NotRunning:
        told = _kept_one(name, limit, config_file)
    if json:
        print_json(told)
        return Exit.DONE
    say("\n".join(_described(told)))
    if told["deliveries"]:
        say("")
        headings = ("published", "event", "type", "fate", "attempts", "last answer")
        print_table(headings, [_delivery_line(each) for each in told["deliveries"]])
    return Exit.DONE


def delete(name: str, config: str | None, *, json: bool) -> int:
    ask(read_config(config), "DELETE", f"{ROOT}/{quote(name)}")
    if json:
        print_json({"deleted": name})
    else:
        say(f"Subscription {name} is deleted.")
    return Exit.DONE


def redeliver(name: str, event_id: str, config: str | None, *, json: bool) -> int:
    path = f"{ROOT}/{quote(name)}/redeliver"
    told = ask(read_config(config), "POST", path, {"event_id": event_id})
    if json:
        print_json(told)
    else:
        say(f"{told['event_type']} {event_id} is on its way to {name} again.")
    return Exit.DONE


class _NotRunning(CommandError):
    """No server listens where the configuration says."""


def ask(config: Config, method: str, path: str, body: object = None) -> Any:
    """The server's JSON answer; None if it has no body. Raises CommandError with the reason."""
    host = WILDCARDS.get(config.server.host, config.server.host)
    where = f"{host}:{config.server.port}"
    headers = {"Host": f"localhost:{config.server.port}", "Content-Type": "application/json"}
    connection = _connection(config, host)
    try:
        connection.request(method, path, msgspec.json.encode(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read(MAX_ANSWER_BYTES)
    except ConnectionRefusedError:
        raise _NotRunning(
            f"no server answers at {where}. Start `onhook run`, or name its configuration with --config.",
            Exit.UNAVAILABLE,
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"the server at {where} cannot be asked: {error}.", Exit.UNAVAILABLE) from None
    finally:
        connection.close()
    try:
        told: Any = msgspec.json.decode(content) if content else None
    except msgspec.DecodeError:
        raise CommandError(f"what answers at {where} is not Onhook.", Exit.UNAVAILABLE) from None
    if answer.status >= 300:
        raise _refused(answer.status, told)
    return told


def _connection(config: Config, host: str) -> http.client.HTTPConnection:
    if not config.server.https:
        return http.client.HTTPConnection(host, config.server.port, timeout=ANSWER_SECONDS)
    from onhook.server.certificates import CertificatePaths, client_context  # noqa: PLC0415  # slow to import

    paths = CertificatePaths(Path(config.server.data_directory))
    try:
        trust = client_context(paths)
    except (OSError, ssl.SSLError):
        raise _NotRunning(
            f"there is no certificate authority in {paths.directory}: no server has run with this "
            "configuration. Start `onhook run`, or name the configuration with --config.",
            Exit.UNAVAILABLE,
        ) from None
    return http.client.HTTPSConnection(host, config.server.port, timeout=ANSWER_SECONDS, context=trust)


def _refused(status: int, told: Any) -> CommandError:
    error = told.get("error", {}) if isinstance(told, dict) else {}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON of any kind
    message = str(error.get("message") or f"the server answered {status}")  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # as above
    kind = Exit.USAGE if status == 400 else Exit.NO if status in {404, 409} else Exit.UNAVAILABLE
    return CommandError(message[:1].lower() + message[1:], kind)


def _kept(config: str | None) -> list[dict[str, Any]]:
    """The subscriptions as the last run left them."""
    from onhook.cli.kept import opened  # noqa: PLC0415  # only without a server
    from onhook.server.grid_api import kept_subscriptions  # noqa: PLC0415  # as above

    with opened(config) as store:
        told = kept_subscriptions(store)
    complain("no server runs; this is how the last one left it.")
    return told


def _kept_one(name: str, limit: int, config: str | None) -> dict[str, Any]:
    from onhook.cli.kept import opened  # noqa: PLC0415  # as in _kept
    from onhook.server.grid_api import delivery_json  # noqa: PLC0415  # as in _kept

    found = next((each for each in _kept(config) if each["name"] == name), None)
    if found is None:
        raise CommandError(f"there is no event subscription {name[:80]}.", Exit.NO)
    with opened(config) as store:
        deliveries = store.grid_deliveries(subscription=name, limit=limit)
    return found | {"deliveries": [delivery_json(each) for each in deliveries]}


def _described(told: dict[str, Any]) -> Iterator[str]:
    """A subscription for a person, what to do included."""
    yield f"Subscription {told['name']} is {told['state']}: {told['why'] or 'not asked yet'}."
    yield f"  resource   {told['resource']}"
    yield f"  endpoint   {told['endpoint']} ({told['schema']})"
    yield f"  events     {_events(told)}"
    for each in told["handshake"]:
        yield f"  handshake  {_when(each['at'])}  {_answer(each)}"
    if last := told["last_attempt"]:
        yield f"  last       {_when(last['at'])}  {_answer(last)}"
    if url := told.get("validation_url"):
        yield f"  to validate by hand, open {url}"
    if told["state"] == "Failed":
        yield f"  mend the endpoint, then: onhook events subscribe {told['name']}"


def _events(told: dict[str, Any]) -> str:
    words = ", ".join(each.rpartition(".")[2] for each in told["event_types"]) or "all"
    if told["subject_begins_with"]:
        words += f", subject begins with {told['subject_begins_with']}"
    if told["subject_ends_with"]:
        words += f", subject ends with {told['subject_ends_with']}"
    return words


def _line(told: dict[str, Any]) -> tuple[str, ...]:
    last = told["last_attempt"]
    attempt = f"{_when(last['at'])} {_answer(last)}" if last else "-"
    return (told["name"], told["resource"], told["state"], _events(told), told["endpoint"], attempt)


def _delivery_line(told: dict[str, Any]) -> tuple[str, ...]:
    attempts = told["attempts"]
    fate = f"{told['fate']} ({told['reason']})" if told["reason"] else told["fate"]
    return (
        _when(told["published_at"]),
        told["event_id"],
        told["event_type"].rpartition(".")[2],
        fate,
        str(len(attempts)),
        _answer(attempts[-1]) if attempts else "-",
    )


def _answer(made: dict[str, Any]) -> str:
    if made["status"] is None:
        return str(made["error"])
    return f"{made['status']} {made['error']}".strip()


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
