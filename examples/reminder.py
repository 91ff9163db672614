"""Call people to remind them, try again when a line is busy, and tell who has confirmed.

    eval "$(onhook env)"           # connection string, and trust in the local CA
    python examples/reminder.py +14255550211 +14255550486
                                   # needs: pip install azure-communication-callautomation aiohttp

Each number is called, told the reminder and asked to press 1. A busy line is called again after
--retry-seconds, --tries times at most. What is no use to repeat (a wrong number, a refusal) is not repeated.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from azure.communication.callautomation import (
    PhoneNumberIdentifier,
    RecognizeInputType,
    TextSource,
)
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.exceptions import HttpResponseError

TEXT = "This is a reminder of your appointment tomorrow at nine. Press one to confirm."
RETRIED = {486: "busy", 480: "no answer", 408: "no answer", 503: "the trunk has no line"}
"""Codes of CreateCallFailed after which another call may succeed."""


@dataclass
class Reminder:
    number: str
    tries: int = 0
    outcome: str = ""
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Caller:
    """`shown` is the caller id; calls are placed one after the other for each number, all numbers at once."""

    def __init__(
        self, client: CallAutomationClient, address: str, shown: str, options: argparse.Namespace
    ) -> None:
        self.client, self.address, self.shown, self.options = client, address, shown, options
        self.open: dict[str, Reminder] = {}
        """By callConnectionId."""

    async def remind(self, reminder: Reminder) -> None:
        while not reminder.outcome and reminder.tries < self.options.tries:
            if reminder.tries:
                await asyncio.sleep(self.options.retry_seconds)
            reminder.tries += 1
            reminder.done.clear()
            call = await self.client.create_call(
                PhoneNumberIdentifier(reminder.number),
                f"{self.address}/events",
                source_caller_id_number=PhoneNumberIdentifier(self.shown),
            )
            self.open[str(call.call_connection_id)] = reminder
            await reminder.done.wait()
        say(f"{reminder.number}: {reminder.outcome or 'given up'} after {reminder.tries} calls")

    async def events(self, request: web.Request) -> web.Response:
        for event in await request.json():
            try:
                await self.take(event["type"].rpartition(".")[2], event["data"])
            except HttpResponseError as error:  # they hung up in this moment
                say(f"too late: {error.message}")
        return web.Response()

    async def take(self, kind: str, data: dict[str, Any]) -> None:
        name = data["callConnectionId"]
        reminder = self.open.get(name)
        if reminder is None:
            return
        call = self.client.get_call_connection(name)
        if kind == "CallConnected":
            await call.start_recognizing_media(
                RecognizeInputType.DTMF,
                PhoneNumberIdentifier(reminder.number),
                dtmf_max_tones_to_collect=1,
                play_prompt=TextSource(text=TEXT, voice_name="en-US-NancyNeural"),
                interrupt_prompt=True,
                initial_silence_timeout=self.options.silence_seconds,
            )
        elif kind == "RecognizeCompleted":
            pressed = data["dtmfResult"]["tones"]
            reminder.outcome = "confirmed" if pressed == ["one"] else f"pressed {', '.join(pressed)}"
            await call.hang_up(is_for_everyone=True)
        elif kind == "RecognizeFailed":
            reminder.outcome = "heard, not confirmed"
            await call.hang_up(is_for_everyone=True)
        elif kind == "CreateCallFailed":
            self.judge(reminder, data["resultInformation"])
            self.over(name, reminder)
        elif kind == "CallDisconnected":
            reminder.outcome = reminder.outcome or "hung up"
            self.over(name, reminder)

    def judge(self, reminder: Reminder, result: dict[str, Any]) -> None:
        why = RETRIED.get(result["code"])
        say(f"{reminder.number}: {why or result['message']} ({result['code']}/{result['subCode']})")
        if why is None:
            reminder.outcome = "cannot be reached"

    def over(self, name: str, reminder: Reminder) -> None:
        del self.open[name]
        reminder.done.set()


def say(text: str) -> None:
    print(text, flush=True)


async def call_all(options: argparse.Namespace, connection: str) -> int:
    """0 if everybody has confirmed."""
    async with CallAutomationClient.from_connection_string(connection) as client:
        caller = Caller(client, f"http://127.0.0.1:{options.port}", options.shown, options)
        application = web.Application()
        application.router.add_post("/events", caller.events)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.port).start()
        reminders = [Reminder(number) for number in options.numbers]
        try:
            await asyncio.gather(*(caller.remind(each) for each in reminders))
        finally:
            await runner.cleanup()
    return 0 if all(each.outcome == "confirmed" for each in reminders) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Remind people by telephone.")
    parser.add_argument("numbers", nargs="+", help="whom to call, E.164")
    parser.add_argument("--shown", default="+14255550100", help="the caller id")
    parser.add_argument("--port", type=int, default=8000, help="where to listen on this machine")
    parser.add_argument("--tries", type=int, default=3, help="calls to a number at most")
    parser.add_argument(
        "--retry-seconds", type=float, default=30.0, help="pause before a busy line is tried again"
    )
    parser.add_argument("--silence-seconds", type=int, default=10, help="how long to wait for a key")
    options = parser.parse_args(arguments)
    connection = os.environ.get("COMMUNICATION_SERVICES_CONNECTION_STRING", "")
    if not connection:
        print('COMMUNICATION_SERVICES_CONNECTION_STRING is not set: eval "$(onhook env)"', file=sys.stderr)
        return 2
    return asyncio.run(call_all(options, connection))


if __name__ == "__main__":
    sys.exit(main())
