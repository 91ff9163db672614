"""An application of the official SDK, as plain as can be: it calls, keeps what it is told, may be deaf."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from azure.communication.callautomation import CallAutomationClient, PhoneNumberIdentifier

from onhook.testing import Laboratory

OWN = "+14255550100"
FRIEND = "+14255550123"


class Application:
    """`deaf`: it answers every event with 503. `answers`: it takes calls that come in."""

    def __init__(self, lab: Laboratory) -> None:
        self.client = CallAutomationClient.from_connection_string(
            lab.connection_string, transport=lab.transport()
        )
        self.url = lab.serve(self)
        self.events: list[dict[str, Any]] = []
        self.deaf = False
        self.answers = True

    def __call__(
        self, environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], Any]
    ) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        reply = {}
        for event in json.loads(body):
            if environ["PATH_INFO"] == "/incoming":
                reply = self._incoming(event)
            else:
                self.events.append(event)
        start("503 Deaf" if self.deaf else "200 OK", [("Content-Type", "application/json")])
        return [json.dumps(reply).encode()]

    def _incoming(self, event: dict[str, Any]) -> dict[str, Any]:
        if event["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent":
            return {"validationResponse": event["data"]["validationCode"]}
        if self.answers:
            self.client.answer_call(event["data"]["incomingCallContext"], f"{self.url}/events")
        return {}

    def call(self, number: str = FRIEND) -> str:
        placed = self.client.create_call(
            PhoneNumberIdentifier(number),
            f"{self.url}/events",
            source_caller_id_number=PhoneNumberIdentifier(OWN),
        )
        return str(placed.call_connection_id)

    def hang_up(self, call: str) -> None:
        self.client.get_call_connection(call).hang_up(is_for_everyone=True)
