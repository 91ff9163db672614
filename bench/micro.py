"""What single steps of a call cost: microseconds of CPU each, the least of several rounds.

    python bench/micro.py [--json] [--rounds N]

Read them beside bench/calls.py, never instead of it: here everything is in the processor's caches.
"""

import argparse
import asyncio
import base64
import hmac
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from hashlib import sha256
from itertools import count
from pathlib import Path

import uvloop

from application import Listener
from onhook.acs.cloud_events import call_source, cloud_event
from onhook.acs.signature import Signed, SigningKey, check_signature
from onhook.calls.call import Call, leg_id
from onhook.calls.directory import Trunk, VoiceRoute
from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.calls.record import CallRecord
from onhook.calls.routing import Chosen
from onhook.config.schema import DEVELOPMENT_KEY
from onhook.delivery.courier import Courier
from onhook.delivery.schedule import Schedule
from onhook.effects import Effect, Publish, Record, Transmit
from onhook.endings.judge import judge
from onhook.facts import ApiRequested, Fact, MediaMeasured
from onhook.sip.messages import Request, Response, parse, respond
from onhook.sip.offer import make_offer
from onhook.store.batch import Batch
from onhook.store.sqlite import SqliteStore

TRUNK = Trunk("sipp", "127.0.0.1", 5080)
ROUTED = Chosen(TRUNK, VoiceRoute("everything", r"\+\d+", ("sipp",)))
ANSWER = make_offer("127.0.0.1", 6000, 1, 1).to_bytes()
AT = 1_795_000_000.0
numbers = count(1)


class Played:
    """One call from createCall to its verdict, with everything but I/O."""

    def __init__(self) -> None:
        number = next(numbers)
        self.record = CallRecord(
            id=f"00000000-0000-4000-8000-{number:012x}",
            server_call_id="c2VydmVy",
            correlation_id="00000000-0000-4000-8000-000000000000",
            resource="bench",
            direction="outbound",
            source="+14255550100",
            target="+4930123456",
            callback_uri="http://127.0.0.1:9/events",
            api_version="2025-05-15",
            seed=f"{number:08x}" * 4,
            local=("127.0.0.1", 5070),
            media=("127.0.0.1", 20_000),
            started_at=AT,
        )
        self.call = Call(self.record, setup_seconds=115.0, max_seconds=86_400.0)
        self.facts: list[Fact] = []
        self.published: list[Publish] = []
        self.messages: list[bytes] = []
        asked = ApiRequested(at=AT, operation="createCall", status=201)
        (invite,) = self._take(self.call.place(ROUTED, asked))
        ringing = respond(invite, 180, to_tag="far")
        answer = respond(invite, 200, to_tag="far")
        answer.headers.add("contact", "<sip:127.0.0.1:5080>")
        answer.headers.add("content-type", "application/sdp")
        answer.body = ANSWER
        self._hear(ringing, 1.0)
        self._hear(answer, 2.0)
        (bye,) = self._take(self.call.hang_up(ApiRequested(at=AT + 3, operation="hangUp", status=204)))
        self._hear(respond(bye, 200), 4.0)
        measured = MediaMeasured(at=AT + 4, leg=leg_id(self.record), sent=100, received=100, codec="PCMU")
        self._take(self.call.media_closed(measured))
        if self.record.verdict is None:
            raise RuntimeError("the call came to no verdict")

    def _hear(self, response: Response, seconds: float) -> None:
        data = response.to_bytes()
        self.messages.append(data)
        self._take(self.call.receive(parse(data), data, TRUNK.destination, AT + seconds))

    def _take(self, effects: list[Effect]) -> list[Request]:
        self.facts += [effect.fact for effect in effects if isinstance(effect, Record)]
        self.published += [effect for effect in effects if isinstance(effect, Publish)]
        sent = [parse(effect.data) for effect in effects if isinstance(effect, Transmit)]
        return [message for message in sent if isinstance(message, Request)]


def cpu_us(act: Callable[[], object], times: int, rounds: int) -> float:
    """The least of the rounds' means."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            act()
        best = min(best, (time.process_time() - began) / times * 1e6)
    return best


def signature_check() -> Callable[[], object]:
    """As a createCall of the Python SDK is signed."""
    key = SigningKey.of("bench", DEVELOPMENT_KEY)
    date, body = formatdate(AT, usegmt=True), b"x" * 250
    target = "/calling/callConnections?api-version=2025-05-15"
    content_hash = base64.b64encode(sha256(body).digest()).decode()
    text = f"POST\n{target}\n{date};localhost:8443;{content_hash}"
    signature = base64.b64encode(hmac.digest(key.key, text.encode(), "sha256")).decode()
    signed = f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}"
    headers = {
        "host": "localhost:8443",
        "x-ms-date": date,
        "x-ms-content-sha256": content_hash,
        "authorization": signed,
    }

    def check() -> object:
        return check_signature("POST", target, headers, body, keys=[key], now=AT, endpoints=())

    if not isinstance(check(), Signed):
        raise TypeError(f"{check()!r}")
    return check


def event_of(played: Played, publish: Publish, number: int) -> OutboxEvent:
    event_id = f"00000000-0000-4000-9000-{number:012x}"
    body = cloud_event(
        event_id=event_id,
        event_type=publish.type,
        source=call_source(played.record.id),
        data=publish.data,
        api_version=played.record.api_version,
        at=AT,
    )
    return OutboxEvent(
        id=event_id,
        call_id=f"call-{number}",
        type=publish.type,
        uri=played.record.callback_uri,
        body=body,
        created_at=AT,
        due=AT,
    )


def store_turn(folder: Path, calls: int) -> Callable[[], object]:
    """The last turn of `calls` calls in one transaction: facts, record, event."""
    store = SqliteStore(folder / f"turn-{calls}.db")

    def save() -> None:
        batch = Batch()
        for _ in range(calls):
            played = some_calls[next(numbers) % len(some_calls)]
            batch.facts.append((played.record.id, played.facts[-4:]))
            batch.records[played.record.id] = played.record
            batch.events.append(event_of(played, played.published[-1], next(numbers)))
        store.save(batch)

    return save


class NoJournal:
    """A courier's journal that keeps nothing."""

    def __init__(self) -> None:
        self.settled = 0

    def note(self, call_id: str, fact: Fact) -> None:
        """Of course not."""

    def add_settlement(self, settled: Settlement) -> None:
        self.settled += 1 if settled.fate else 0


async def courier_us(played: Played, port: int, rounds: int) -> float:
    """One event posted to a listener in another process."""
    journal = NoJournal()
    courier = Courier(journal, lambda: AT, Schedule())
    courier.start()
    best = float("inf")
    for _ in range(rounds):
        events = [event_of(played, played.published[-1], next(numbers)) for _ in range(400)]
        for event in events:
            event.uri = f"http://127.0.0.1:{port}/events"
        wanted = journal.settled + len(events)
        began = time.process_time()
        for start in range(0, len(events), 8):
            courier.deliver(events[start : start + 8])
            while journal.settled < wanted - len(events) + start + 8:  # noqa: ASYNC110  # an event would cost too
                await asyncio.sleep(0)
        best = min(best, (time.process_time() - began) / len(events) * 1e6)
    await courier.close()
    return best


def listen(tell: Callable[[int], None]) -> None:
    """In a process of its own: take events."""

    async def taking() -> None:
        listener = Listener(lambda _call_id, _type: None)
        tell(await listener.start())
        await asyncio.sleep(600)

    uvloop.run(taking())


def with_listener(act: Callable[[int], Awaitable[float]]) -> float:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=listen, args=(theirs.send,), daemon=True)
    process.start()
    try:
        return uvloop.run(_awaited(act(ours.recv())))
    finally:
        process.kill()
        process.join()


async def _awaited(work: Awaitable[float]) -> float:
    return await work


def measure(folder: Path, rounds: int) -> dict[str, float]:
    played = some_calls[0]
    answer = played.messages[1]
    read = parse(answer)
    if not isinstance(read, Response):
        raise TypeError(f"{read!r}")
    steps: dict[str, tuple[Callable[[], object], int]] = {
        "parse a 200 with SDP": (lambda: parse(answer), 2000),
        "write a 200 with SDP": (read.to_bytes, 2000),
        "one call without I/O, both ends' messages": (Played, 200),
        "judge": (lambda: judge(played.facts), 500),
        "make a CloudEvent": (lambda: event_of(played, played.published[-1], 1), 1000),
        "check a signature": (signature_check(), 2000),
        "save a turn of 1 call": (store_turn(folder, 1), 300),
        "save a turn of 10 calls": (store_turn(folder, 10), 50),
    }
    took: dict[str, float] = {}
    for name, (act, times) in steps.items():
        print(f"{name} …", file=sys.stderr, flush=True)
        took[name] = round(cpu_us(act, times, rounds), 1)
    print("post an event …", file=sys.stderr, flush=True)
    took["post an event"] = round(with_listener(lambda port: courier_us(played, port, rounds)), 1)
    return took


some_calls: list[Played] = []


def main() -> int:
    parser = argparse.ArgumentParser(description="Microseconds of CPU of single steps.")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 51), metavar="1-50")
    arguments = parser.parse_args()
    some_calls.extend(Played() for _ in range(200))
    with tempfile.TemporaryDirectory(prefix="onhook-bench-") as folder:
        took = measure(Path(folder), arguments.rounds)
    if arguments.json:
        print(json.dumps(took, indent=2))
    else:
        print("\n".join(f"{name:<44}{us:9.1f} µs" for name, us in took.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
