"""Take one call at a time: whoever calls meanwhile hears the busy tone.

    eval "$(onhook env)"                   # connection string, and trust in the local CA
    python examples/reject_when_busy.py    # needs: pip install azure-communication-callautomation aiohttp
                                           #        starlette uvicorn

Let Onhook know of it, then call +14255550100 from two phones:

    onhook events subscribe one-line --endpoint http://127.0.0.1:8000/incoming
"""

import argparse
import os
import sys
from typing import Any
from uuid import uuid4

import uvicorn
from azure.communication.callautomation import CallRejectReason
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.exceptions import HttpResponseError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
INCOMING_CALL = "Microsoft.Communication.IncomingCall"
OVER = {"CallDisconnected", "AnswerFailed"}


class OneLine:
    """`lines` calls at a time; `address` is where this application is reached."""

    def __init__(self, client: CallAutomationClient, address: str, lines: int) -> None:
        self.client, self.address, self.lines = client, address, lines
        self.taken: set[str] = set()
        """Lines in use, by the operation context of their calls: it is known before the call is answered."""

    async def incoming(self, request: Request) -> Response:
        """Event Grid: its validation first, then the calls."""
        for event in await request.json():
            if event["eventType"] == VALIDATION:
                return JSONResponse({"validationResponse": event["data"]["validationCode"]})
            if event["eventType"] == INCOMING_CALL:
                await self.take(event["data"])
        return Response()

    async def take(self, call: dict[str, Any]) -> None:
        caller, context = call["from"]["rawId"], call["incomingCallContext"]
        try:
            if len(self.taken) >= self.lines:
                await self.client.reject_call(context, call_reject_reason=CallRejectReason.BUSY)
                say(f"busy for {caller}")
            else:
                await self.answer(context)
                say(f"answered {caller}")
        except HttpResponseError as error:  # the caller was faster, or another application
            say(f"too late for {caller}: {reason(error)}")

    async def answer(self, context: str) -> None:
        line = str(uuid4())
        self.taken.add(line)
        try:
            await self.client.answer_call(context, f"{self.address}/events", operation_context=line)
        except HttpResponseError:
            self.taken.discard(line)
            raise

    async def events(self, request: Request) -> Response:
        for event in await request.json():
            data, kind = event["data"], event["type"].rpartition(".")[2]
            if kind in OVER:
                self.taken.discard(data["operationContext"])
                result = data["resultInformation"]
                say(f"{kind} {result['code']}/{result['subCode']}; the line is free")
        return Response()


def reason(error: HttpResponseError) -> str:
    """Its first line: code and message."""
    return str(error.message).partition("\n")[0]


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Take one call at a time; others hear the busy tone.")
    parser.add_argument("--port", type=int, default=8000, help="where to listen on this machine")
    parser.add_argument("--lines", type=int, default=1, help="calls at a time")
    arguments = parser.parse_args()
    connection = os.environ.get("COMMUNICATION_SERVICES_CONNECTION_STRING", "")
    if not connection:
        print('COMMUNICATION_SERVICES_CONNECTION_STRING is not set: eval "$(onhook env)"', file=sys.stderr)
        return 2
    client = CallAutomationClient.from_connection_string(connection)
    line = OneLine(client, f"http://127.0.0.1:{arguments.port}", arguments.lines)
    application = Starlette(
        routes=[
            Route("/incoming", line.incoming, methods=["POST"]),
            Route("/events", line.events, methods=["POST"]),
        ]
    )
    uvicorn.run(application, host="127.0.0.1", port=arguments.port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
