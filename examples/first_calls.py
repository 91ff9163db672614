"""First calls: the official SDK places real SIP calls, each ends differently, and why is shown.

    eval "$(onhook env)"            # connection string, and trust in the local CA
    python examples/first_calls.py  # needs: pip install azure-communication-callautomation

Each number is a test number of Onhook's built-in carrier: its last three digits choose what the far end
does. The program is an ordinary ACS application: it creates calls and listens for the events.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from azure.communication.callautomation import CallAutomationClient, PhoneNumberIdentifier
from azure.core.exceptions import HttpResponseError

CALLERS = [f"+1425555010{digit}" for digit in range(10)]
CALLS_PER_NUMBER = 2  # ACS lets one number carry two outbound calls at a time; so does Onhook by default
LONGEST_SECONDS = 60
OVER = {"CreateCallFailed", "CallDisconnected"}


@dataclass
class Plan:
    """One call: whom to dial, what this application does, and the ending that it expects."""

    number: str
    doing: str
    expected: str
    hang_up_after: str = ""
    """Name of the event after which to hang up; "ringing" = a second after the call was made."""


PLANS = [
    Plan("+14255550200", "answers; we hang up", "hung-up-by-app", hang_up_after="CallConnected"),
    Plan("+14255550201", "answers, then hangs up", "hung-up-by-phone"),
    Plan("+14255550206", "answers, then the network fails", "hung-up-by-network"),
    Plan("+14255550486", "is busy", "callee-busy"),
    Plan("+14255550603", "declines", "callee-declined"),
    Plan("+14255550180", "rings, nobody answers", "callee-unavailable"),
    Plan("+14255550181", "rings; we hang up", "cancelled-by-app", hang_up_after="ringing"),
    Plan("+14255550403", "is barred by the trunk", "call-forbidden"),
    Plan("+14255550404", "does not exist", "number-not-found"),
    Plan("+14255550408", "gives no answer to the trunk", "callee-no-response"),
    Plan("+14255550484", "is incomplete", "number-incomplete"),
    Plan("+14255550500", "meets a fault in the trunk", "trunk-failed"),
    Plan("+14255550503", "meets a trunk without a free line", "trunk-unavailable"),
    Plan("+14255550302", "is redirected elsewhere", "redirected"),
    Plan("+14255550205", "answers with unusable media", "answer-unusable"),
    Plan("+14255550997", "answers with a broken message", "malformed-answer"),
    Plan("+14255550000", "meets silence", "trunk-silent"),
    Plan("0014255550200", "is no E.164 number", "number-invalid"),
]


@dataclass
class Seen:
    """What the application learned of one call."""

    plan: Plan
    caller: str
    call_id: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    why: dict[str, Any] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return bool(self.error) or any(short_type(event) in OVER for event in self.events)

    @property
    def as_expected(self) -> bool:
        return self.why.get("ending") == self.plan.expected


def short_type(event: dict[str, Any]) -> str:
    return str(event["type"]).rsplit(".", 1)[-1]


class Listener(ThreadingHTTPServer):
    """Takes the events that Onhook posts to our callback address."""

    request_queue_size = 128  # many calls at once

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.news = threading.Condition()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert isinstance(self.server, Listener)
        with self.server.news:
            for event in body:
                self.server.events[event["data"]["callConnectionId"]].append(event)
            self.server.news.notify_all()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet: the table says it all."""


def place(client: CallAutomationClient, listener: Listener, seen: Seen) -> None:
    """Create one call, hang up if that is the plan, and wait for its end."""
    try:
        created = client.create_call(
            PhoneNumberIdentifier(seen.plan.number),
            f"http://127.0.0.1:{listener.server_port}/events",
            source_caller_id_number=PhoneNumberIdentifier(seen.caller),
        )
    except HttpResponseError as error:
        seen.error = str(error)
        return
    seen.call_id = created.call_connection_id or ""
    events = listener.events[seen.call_id]
    seen.events = events
    if seen.plan.hang_up_after:
        if seen.plan.hang_up_after == "ringing":
            time.sleep(1)
        else:
            wait(listener, lambda: any(short_type(event) == seen.plan.hang_up_after for event in events))
        client.get_call_connection(seen.call_id).hang_up(is_for_everyone=False)
    wait(listener, lambda: seen.over)


def wait(listener: Listener, done: Any) -> None:
    with listener.news:
        listener.news.wait_for(done, timeout=LONGEST_SECONDS)


def explain(endpoint: str, seen: Seen) -> None:
    """Ask Onhook why the call ended."""
    if seen.call_id:
        url = f"{endpoint}/onhook/calls/{seen.call_id}/why"
        seen.why = requests.get(url, params={"format": "json"}, timeout=10).json()


def show(results: list[Seen]) -> None:
    for seen in results:
        result = seen.why
        mark = "✓" if seen.as_expected else "✗"
        codes = f"{result.get('code', '-')}/{result.get('subcode', '-')}"
        print(f"\n{mark} {seen.plan.number:<14} {seen.plan.doing}")
        ending, category = result.get("ending", seen.error or "no ending"), result.get("category", "")
        print(f"    {codes:<12} {ending}  ·  {category}")
        print(f"    {result.get('message', '')}")
        print(f"    the app got  {' → '.join(short_type(event) for event in seen.events)}")
        for line in result.get("evidence", []):
            print(f"    #{line['fact']:<3} {line['shows']}")
    endings = {seen.why.get("ending") for seen in results}
    good = sum(seen.as_expected for seen in results)
    print(f"\n{len(results)} calls, {len(endings)} different endings, {good} as expected")


def main() -> int:
    parser = argparse.ArgumentParser(description="Place first calls and show why each ended.")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    connection = os.environ.get("COMMUNICATION_SERVICES_CONNECTION_STRING", "")
    if not connection:
        print('COMMUNICATION_SERVICES_CONNECTION_STRING is not set: eval "$(onhook env)"', file=sys.stderr)
        return 2
    endpoint = connection.split("endpoint=", 1)[1].split(";", 1)[0].rstrip("/")
    client = CallAutomationClient.from_connection_string(connection)
    listener = Listener()
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    results = [Seen(plan, CALLERS[n // CALLS_PER_NUMBER]) for n, plan in enumerate(PLANS)]
    callers = [threading.Thread(target=place, args=(client, listener, seen)) for seen in results]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for seen in results:
        explain(endpoint, seen)
    if arguments.json:
        rows = [
            {
                "number": seen.plan.number,
                "expected": seen.plan.expected,
                "as_expected": seen.as_expected,
                "call_connection_id": seen.call_id,
                "events": [short_type(event) for event in seen.events],
                "error": seen.error,
                "why": seen.why,
            }
            for seen in results
        ]
        print(json.dumps(rows, indent=2))
    else:
        show(results)
    return 0 if all(seen.as_expected for seen in results) else 1


if __name__ == "__main__":
    sys.exit(main())
