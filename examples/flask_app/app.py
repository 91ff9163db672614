"""A reminder service: it calls people, takes calls, and knows of each what became of it.

    pip install flask azure-communication-callautomation
    flask --app examples/flask_app/app run --port 8000      # after: eval "$(onhook env)"

Its tests are in test_app.py: they need neither a telephone nor patience.
"""

import os
from typing import Any

from azure.communication.callautomation import CallAutomationClient, PhoneNumberIdentifier
from flask import Flask, jsonify, request, url_for

OWN_NUMBER = "+14255550100"
BLOCKED = {"+14255550666"}
OUTCOMES = {
    486: "busy: try again in 10 minutes",
    600: "busy: try again in 10 minutes",
    480: "nobody there: try again tomorrow",
    487: "nobody there: try again tomorrow",
    408: "nobody there: try again tomorrow",
    603: "declined: do not call again",
    403: "not allowed to call this number",
    404: "wrong number: ask the customer",
    0: "done",
    200: "done",
}
"""What the service makes of a code, whatever its subcode."""


def create_app() -> Flask:
    """`flask run` and the tests call this."""
    app = Flask(__name__)
    connection = os.environ["COMMUNICATION_SERVICES_CONNECTION_STRING"]
    client = CallAutomationClient.from_connection_string(connection)
    outcomes: dict[str, str] = {}

    @app.post("/remind/<number>")
    def remind(number: str) -> Any:
        call = client.create_call(
            PhoneNumberIdentifier(number),
            url_for("events", _external=True),
            source_caller_id_number=PhoneNumberIdentifier(OWN_NUMBER),
        )
        outcomes.setdefault(str(call.call_connection_id), "calling")  # its end may have been told already
        return {"call": call.call_connection_id}

    @app.get("/calls/<call>")
    def outcome(call: str) -> Any:
        return {"outcome": outcomes.get(call)}

    @app.delete("/calls/<call>")
    def hang_up(call: str) -> Any:
        client.get_call_connection(call).hang_up(is_for_everyone=True)
        return "", 204

    @app.post("/events")
    def events() -> Any:
        for event in request.get_json():
            call, kind = event["data"]["callConnectionId"], event["type"].rpartition(".")[2]
            outcomes[call] = said_by(kind, event["data"]) or outcomes.get(call, "")
        return ""

    @app.post("/incoming")
    def incoming() -> Any:
        for event in request.get_json():
            if event["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent":
                return jsonify(validationResponse=event["data"]["validationCode"])
            take(client, event["data"], url_for("events", _external=True))
        return ""

    return app


def said_by(kind: str, data: Any) -> str:
    """What an event says of its call; nothing if it is not about its end or begin."""
    if kind == "CallConnected":
        return "talking"
    if kind in {"CreateCallFailed", "AnswerFailed", "CallDisconnected"}:
        code = data["resultInformation"]["code"]
        return OUTCOMES.get(code, f"failed with {code}: tell the operator")
    return ""


def take(client: CallAutomationClient, call: Any, callback_url: str) -> None:
    """Answer a call that comes in, unless its caller is blocked."""
    if call["from"]["rawId"].removeprefix("4:") in BLOCKED:
        client.reject_call(call["incomingCallContext"], call_reject_reason="busy")
    else:
        client.answer_call(call["incomingCallContext"], callback_url)
