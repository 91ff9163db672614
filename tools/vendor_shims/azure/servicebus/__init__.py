"""Stands in for azure-servicebus: queues of the bus in tools/vendor_bus.py, read over HTTP.

Only what the vendor's live tests use. The namespace is the bus's own host:port.
"""

import json
import urllib.parse
import urllib.request
from typing import NamedTuple

LONGEST_WAIT_SECONDS = 1.0
"""A shorter wait than asked for is allowed; it lets the tests' threads end soon."""
SPARE_SECONDS = 10.0


class Message(NamedTuple):
    body: tuple[bytes, ...]


class Receiver:
    """Messages leave the queue as they are received: to complete one is nothing more."""

    def __init__(self, url: str) -> None:
        self._url = url

    def receive_messages(self, max_wait_time: float = LONGEST_WAIT_SECONDS) -> list[Message]:
        """What the queue holds, or what comes first within the wait; an empty list if nothing does."""
        wait = min(max_wait_time, LONGEST_WAIT_SECONDS)
        with urllib.request.urlopen(f"{self._url}?wait={wait}", timeout=wait + SPARE_SECONDS) as answer:
            return [Message((text.encode(),)) for text in json.load(answer)]

    def complete_message(self, message: Message) -> None:
        """It has left the queue already."""


class Client:
    def __init__(self, fully_qualified_namespace: str, credential: object) -> None:
        del credential  # the bus is this machine's own
        self._namespace = fully_qualified_namespace

    def get_queue_receiver(self, queue_name: str) -> Receiver:
        return Receiver(f"http://{self._namespace}/queues/{urllib.parse.quote(queue_name, safe='')}")


ServiceBusClient = Client
"""The vendor's name for it."""
