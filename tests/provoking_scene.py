"""A server in a process of its own, its built-in carrier, an application with the official SDK."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
from azure.communication.callautomation import CallAutomationClient, PhoneNumberIdentifier

from interop.whole_server import free_port

SECONDS = 60
"""A user without an application is told to be unreachable after 30 s; no wait is longer."""
CALLER = "+14255550100"
OVER = {"CreateCallFailed", "CallDisconnected", "AnswerFailed"}
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"


class Application(ThreadingHTTPServer):
    """Takes callbacks at any path, and Event Grid at /incoming. Answers every POST with 200."""

    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.incoming: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.news = threading.Condition()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def wait(self, done: Callable[[], Any]) -> Any:
        """What `done` gives as soon as it is true; fails after a while."""
        with self.news:
            found = self.news.wait_for(done, timeout=SECONDS)
        assert found, f"in vain: {dict(self.events)} {self.incoming}"
        return found

    def event(self, call: str, kinds: set[str]) -> dict[str, Any]:
        found = self.wait(lambda: [each for each in self.events[call] if short(each) in kinds])
        event: dict[str, Any] = found[0]
        return event

    def take(self, body: Any, token: str) -> dict[str, str]:
        with self.news:
            for event in body:
                if event.get("eventType") == VALIDATION:
                    return {"validationResponse": event["data"]["validationCode"]}
                if "eventType" in event:
                    if event["eventType"].endswith(".IncomingCall"):
                        self.incoming.append(event["data"])
                    continue
                self.events[event["data"]["callConnectionId"]].append(event)
                self.tokens.append(token)
            self.news.notify_all()
        return {}


class _Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert isinstance(self.server, Application)
        answer = json.dumps(self.server.take(body, self.headers.get("Authorization", ""))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def short(event: dict[str, Any]) -> str:
    return str(event["type"]).rpartition(".")[2]


def result(event: dict[str, Any]) -> tuple[str, int, str]:
    """Kind, code and subcode of an event."""
    told = event["data"]["resultInformation"]
    return short(event), told["code"], str(told["subCode"])


class Scene:
    """`onhook run` in `folder`, with what is needed to talk to it. `settings` are lines of TOML."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder = folder
        self.port, first = free_port(), 10_000 + 2 * secrets.randbelow(9_000)
        self.config = folder / "onhook.toml"
        self.config.write_text(
            f"[server]\nport = {self.port}\ndata_directory = '{folder / 'data'}'\n"
            f"[sip]\nport = {free_port()}\n[carrier]\nport = {free_port()}\n"
            f"[media]\nfirst_port = {first}\nlast_port = {first + 398}\n"
            f"[store]\npath = '{folder / 'onhook.db'}'\n{settings}",
            encoding="utf-8",
        )
        self.application = Application()
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "onhook", "run", "--config", str(self.config)],
            env=os.environ,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
        )
        until = time.monotonic() + SECONDS
        while True:
            try:
                if self.get("/onhook/health")["ready"]:
                    break
            except (requests.ConnectionError, OSError):
                assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.05)

    def stop(self) -> None:
        self.application.shutdown()
        self.application.server_close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(SECONDS)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def verify(self) -> str:
        return str(self.folder / "data" / "ca-bundle.pem")

    def get(self, path: str, **query: str) -> Any:
        return requests.get(f"{self.url}{path}", params=query, timeout=SECONDS, verify=self.verify).json()

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        return requests.post(f"{self.url}{path}", json=body, timeout=SECONDS, verify=self.verify)

    def client(self, **options: Any) -> CallAutomationClient:
        """Refusals are to be seen, not tried again, unless `retry_total` says otherwise."""
        from onhook.config import DEVELOPMENT_KEY  # noqa: PLC0415  # beside the SDK alone

        text = f"endpoint={self.url}/;accesskey={DEVELOPMENT_KEY}"
        given = {"retry_total": 0, "connection_verify": self.verify} | options
        return CallAutomationClient.from_connection_string(text, **given)

    def arm(self, ending: str, **more: Any) -> dict[str, Any]:
        answer = self.post("/onhook/lab/provocations", {"ending": ending, **more})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def armed(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/onhook/lab/provocations/{name}")
        return found

    def disarm(self, name: str = "all") -> None:
        requests.delete(
            f"{self.url}/onhook/lab/provocations/{name}", timeout=SECONDS, verify=self.verify
        ).raise_for_status()

    def call(self, number: str = "+14255550200", **options: Any) -> str:
        made = self.client(**options).create_call(
            PhoneNumberIdentifier(number),
            f"{self.application.url}/events",
            source_caller_id_number=PhoneNumberIdentifier(CALLER),
        )
        assert made.call_connection_id
        return made.call_connection_id

    def end_of(self, call: str) -> tuple[str, int, str]:
        return result(self.application.event(call, OVER))

    def ladder(self, call: str) -> str:
        path = f"{self.url}/onhook/calls/{call}/ladder"
        return requests.get(path, timeout=SECONDS, verify=self.verify).text

    def why(self, call: str) -> dict[str, Any]:
        told: dict[str, Any] = self.get(f"/onhook/calls/{call}/why", format="json")
        return told

    def subscribe(self) -> None:
        made = self.post(
            "/onhook/events",
            {"name": "app", "endpoint": f"{self.application.url}/incoming", "resource": "dev"},
        )
        assert made.json()["state"] == "Succeeded", made.text

    def unsubscribe(self) -> None:
        requests.delete(
            f"{self.url}/onhook/events/app", timeout=SECONDS, verify=self.verify
        ).raise_for_status()

    def incoming(self) -> dict[str, Any]:
        """The next call that came in."""
        self.application.wait(lambda: self.application.incoming)
        return self.application.incoming.pop(0)
