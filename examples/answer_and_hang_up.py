"""Answer every call that comes in, talk for a moment, hang up, and say why each call ended.

    eval "$(onhook env)"                    # connection string, and trust in the local CA
    python examples/answer_and_hang_up.py   # needs: pip install azure-communication-callautomation aiohttp
                                            #        starlette uvicorn

An ordinary Call Automation application: Event Grid tells it of calls at /incoming, and the events of the
calls that it answered come to /events. Let Onhook know of it, then call +14255550100:

    onhook events subscribe answering --endpoint http://127.0.0.1:8000/incoming
"""

import argparse
import asyncio
import os
import sys
from typing import Any

import uvicorn
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.exceptions import HttpResponseError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
INCOMING_CALL = "Microsoft.Communication.IncomingCall"


class Answering:
    """`address` is where this application is reached, `talk_seconds` how long a call lasts."""

    def __init__(self, client: CallAutomationClient, address: str, talk_seconds: float) -> None:
        self.client, self.address, self.talk_seconds = client, address, talk_seconds
        self.talking: set[asyncio.Task[None]] = set()

    async def incoming(self, request: Request) -> Response:
        """Event Grid: first it asks whether this is really ours, then it brings the calls."""
        for event in await request.json():
            if event["eventType"] == VALIDATION:
                return JSONResponse({"validationResponse": event["data"]["validationCode"]})
            if event["eventType"] == INCOMING_CALL:
                await self.answer(event["data"])
        return Response()

    async def answer(self, call: dict[str, Any]) -> None:
        try:
            answered = await self.client.answer_call(call["incomingCallContext"], f"{self.address}/events")
        except HttpResponseError as error:  # the caller was faster, or another application
            say(f"could not answer {call['from']['rawId']}: {reason(error)}")
            return
        say(f"{answered.call_connection_id} answered, from {call['from']['rawId']}")

    async def events(self, request: Request) -> Response:
        """One event at a time, in an array."""
        for event in await request.json():
            call, kind = event["data"]["callConnectionId"], event["type"].rpartition(".")[2]
            if kind == "CallConnected":
                task = asyncio.create_task(self.talk(call))
                self.talking.add(task)
                task.add_done_callback(self.talking.discard)
            elif kind in {"CallDisconnected", "AnswerFailed"}:
                result = event["data"]["resultInformation"]
                say(f"{call} {kind} {result['code']}/{result['subCode']} {result['message']}")
        return Response()

    async def talk(self, call: str) -> None:
        await asyncio.sleep(self.talk_seconds)
        try:
            await self.client.get_call_connection(call).hang_up(is_for_everyone=True)
        except HttpResponseError as error:  # the caller hung up first
            say(f"{call} is over already: {reason(error)}")


def reason(error: HttpResponseError) -> str:
    """Its first line: code and message."""
    return str(error.message).partition("\n")[0]


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Answer every call, then hang up.")
    parser.add_argument("--port", type=int, default=8000, help="where to listen on this machine")
    parser.add_argument("--talk-seconds", type=float, default=2.0, help="how long a call lasts")
    arguments = parser.parse_args()
    connection = os.environ.get("COMMUNICATION_SERVICES_CONNECTION_STRING", "")
    if not connection:
        print('COMMUNICATION_SERVICES_CONNECTION_STRING is not set: eval "$(onhook env)"', file=sys.stderr)
        return 2
    client = CallAutomationClient.from_connection_string(connection)
    answering = Answering(client, f"http://127.0.0.1:{arguments.port}", arguments.talk_seconds)
    application = Starlette(
        routes=[
            Route("/incoming", answering.incoming, methods=["POST"]),
            Route("/events", answering.events, methods=["POST"]),
        ]
    )
    uvicorn.run(application, host="127.0.0.1", port=arguments.port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
