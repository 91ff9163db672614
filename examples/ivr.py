"""A menu by telephone: "for sales press 1 or say sales" – digits and speech, a second chance, and transfer.

    eval "$(onhook env)"       # connection string, and trust in the local CA
    python examples/ivr.py     # needs: pip install azure-communication-callautomation aiohttp
    onhook events subscribe ivr --endpoint http://127.0.0.1:8000/incoming

Then call +14255550100. Whoever chooses sales is transferred to --sales; support is told the opening hours;
who says nothing twice is wished a good day.
"""

import argparse
import os
import sys
from typing import Any

from aiohttp import web
from azure.communication.callautomation import (
    DtmfTone,
    PhoneNumberIdentifier,
    RecognitionChoice,
    RecognizeInputType,
    TextSource,
)
from azure.communication.callautomation.aio import CallAutomationClient, CallConnectionClient
from azure.core.exceptions import HttpResponseError

VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
INCOMING_CALL = "Microsoft.Communication.IncomingCall"
MENU = "Welcome. For sales press one, or say sales. For support press two, or say support."
AGAIN = "Sorry, I did not get that. Sales, or support?"
HOURS = "Support is open from nine to five. Good bye."
UNAVAILABLE = "Sales cannot be reached now. Please call again later."
GOOD_DAY = "I heard nothing. Have a good day."
CHOICES = [
    RecognitionChoice(label="sales", phrases=["sales"], tone=DtmfTone.ONE),
    RecognitionChoice(label="support", phrases=["support"], tone=DtmfTone.TWO),
]


class Menu:
    """`address` is where this application is reached, `sales` the number that sales has."""

    def __init__(self, client: CallAutomationClient, address: str, sales: str, silence_seconds: int) -> None:
        self.client, self.address, self.sales = client, address, sales
        self.silence_seconds = silence_seconds
        self.callers: dict[str, str] = {}
        """The caller's number by callConnectionId."""
        self.called: dict[str, str] = {}
        """The number that was called, which sales will see."""

    async def incoming(self, request: web.Request) -> web.Response:
        for event in await request.json():
            if event["eventType"] == VALIDATION:
                return web.json_response({"validationResponse": event["data"]["validationCode"]})
            if event["eventType"] == INCOMING_CALL:
                await self.answer(event["data"])
        return web.Response()

    async def answer(self, call: dict[str, Any]) -> None:
        try:
            answered = await self.client.answer_call(call["incomingCallContext"], f"{self.address}/events")
        except HttpResponseError as error:
            say(f"could not answer: {reason(error)}")
            return
        name = str(answered.call_connection_id)
        self.callers[name] = call["from"]["phoneNumber"]["value"]
        self.called[name] = call["to"]["phoneNumber"]["value"]

    async def events(self, request: web.Request) -> web.Response:
        for event in await request.json():
            try:
                await self.take(event["type"].rpartition(".")[2], event["data"])
            except HttpResponseError as error:  # the caller hung up in this moment
                say(f"too late: {reason(error)}")
        return web.Response()

    async def take(self, kind: str, data: dict[str, Any]) -> None:
        """One step of the dialogue. The operationContext says which question was asked."""
        name, context = data["callConnectionId"], data.get("operationContext", "")
        call = self.client.get_call_connection(name)
        match kind, context:
            case "CallConnected", _:
                await self.ask(name, call, MENU, "first")
            case "RecognizeCompleted", _:
                await self.choose(call, data)
            case "RecognizeFailed", "first":
                say(f"{name} asked again: {result(data)}")
                await self.ask(name, call, AGAIN, "second")
            case "RecognizeFailed", _:
                await call.play_media(
                    TextSource(text=GOOD_DAY, voice_name="en-US-NancyNeural"), operation_context="bye"
                )
            case (("PlayCompleted" | "PlayFailed"), _):
                await call.hang_up(is_for_everyone=True)
            case "CallTransferAccepted", _:
                say(f"{name} is with sales")
            case "CallTransferFailed", _:
                say(f"{name} could not be transferred: {result(data)}")
                await call.play_media(
                    TextSource(text=UNAVAILABLE, voice_name="en-US-NancyNeural"), operation_context="bye"
                )
            case "CallDisconnected", _:
                self.callers.pop(name, None)
                say(f"{name} is over: {result(data)}")
            case _:
                pass

    async def ask(self, name: str, call: CallConnectionClient, text: str, context: str) -> None:
        await call.start_recognizing_media(
            RecognizeInputType.CHOICES,
            PhoneNumberIdentifier(self.callers[name]),
            choices=CHOICES,
            play_prompt=TextSource(text=text, voice_name="en-US-NancyNeural"),
            interrupt_prompt=True,
            initial_silence_timeout=self.silence_seconds,
            operation_context=context,
        )

    async def choose(self, call: CallConnectionClient, data: dict[str, Any]) -> None:
        label = data["choiceResult"]["label"]
        say(f"{data['callConnectionId']} chose {label}")
        if label == "sales":
            shown = PhoneNumberIdentifier(self.called[data["callConnectionId"]])
            await call.transfer_call_to_participant(
                PhoneNumberIdentifier(self.sales), source_caller_id_number=shown
            )
        else:
            await call.play_media(
                TextSource(text=HOURS, voice_name="en-US-NancyNeural"), operation_context="bye"
            )


def result(data: dict[str, Any]) -> str:
    told = data["resultInformation"]
    return f"{told['code']}/{told['subCode']} {told['message']}"


def reason(error: HttpResponseError) -> str:
    return str(error.message).partition("\n")[0]


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="A menu by telephone.")
    parser.add_argument("--port", type=int, default=8000, help="where to listen on this machine")
    parser.add_argument("--sales", default="+14255550200", help="whom to transfer to")
    parser.add_argument("--silence-seconds", type=int, default=5, help="how long to wait for an answer")
    arguments = parser.parse_args()
    connection = os.environ.get("COMMUNICATION_SERVICES_CONNECTION_STRING", "")
    if not connection:
        print('COMMUNICATION_SERVICES_CONNECTION_STRING is not set: eval "$(onhook env)"', file=sys.stderr)
        return 2
    client = CallAutomationClient.from_connection_string(connection)
    address = f"http://127.0.0.1:{arguments.port}"
    menu = Menu(client, address, arguments.sales, arguments.silence_seconds)
    application = web.Application()
    application.router.add_post("/incoming", menu.incoming)
    application.router.add_post("/events", menu.events)
    web.run_app(application, host="127.0.0.1", port=arguments.port, print=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
