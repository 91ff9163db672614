"""kill -9 during 200 calls: every call has an ending, every event arrives, every telephone is released."""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from crashing import TERMINAL, Application, Client, Server, until
from onhook.endings.judge import judge
from onhook.facts import ServerRestarted
from onhook.lab.cards import scenario_of
from onhook.lab.carrier import Carrier

CALLS = 200
LEGAL = (["CreateCallFailed"], ["CallConnected", "ParticipantsUpdated", "CallDisconnected"])
CARDS = {
    "000": "silence",
    "181": "rings for ever",
    "200": "answers",
    "201": "answers, and hangs up after a second",
    "203": "early media, then answers",
    "204": "answers without RTP",
    "208": "two phones answer",
    "486": "busy",
}
"""What the far end does, by the last digits of the number dialled."""
OPEN_AT_THE_CRASH = {"000", "181", "200", "203", "204", "208"}


@dataclass
class Scene:
    carrier: Carrier
    application: Application
    server: Server
    client: Client


@contextlib.asynccontextmanager
async def scene(folder: Path, transport: str = "udp") -> AsyncGenerator[Scene]:
    carrier, application = Carrier("127.0.0.1", 0), Application()
    await carrier.start()
    await application.start()
    server = Server(folder, carrier.address, transport)
    client = Client(server, application)
    try:
        await server.start()
        yield Scene(carrier, application, server, client)
    finally:
        await client.close()
        await server.stop()
        await application.stop()
        await carrier.stop()


def number(call: int) -> tuple[str, str]:
    """The number of the n-th call, and its card."""
    card = list(CARDS)[call % len(CARDS)]
    return f"+14255555{card}", card


async def place_all(made: Scene, limit: int = 20) -> dict[str, str]:
    """CALLS calls, `limit` requests at a time: the card of each, by callConnectionId."""
    doors = asyncio.Semaphore(limit)

    async def one(call: int) -> tuple[str, str]:
        async with doors:
            dialled, card = number(call)
            return await made.client.create(dialled), card

    return dict(await asyncio.gather(*(one(call) for call in range(CALLS))))


async def until_released(carrier: Carrier) -> None:
    """Until no telephone is off the hook any more; a silent far end hears nothing of it."""
    silent = scenario_of("+14255555000")
    calls = carrier.far_end.calls
    await until(lambda: all(call.over for call in calls.values() if call.scenario != silent))


def check(made: Scene, call_ids: list[str]) -> Counter[str]:
    """Every call has one ending, and its application heard of it in order; the endings."""
    application, store = made.application, made.server.kept()
    assert store.open_calls() == []
    endings: Counter[str] = Counter()
    for call_id in call_ids:
        assert application.types(call_id) in LEGAL
        kept, facts = store.call(call_id), store.facts(call_id)
        assert kept is not None
        assert kept.verdict is not None
        assert kept.verdict.evidence
        assert judge(facts).evidence == kept.verdict.evidence
        assert sum(isinstance(fact, ServerRestarted) for fact in facts) <= 1
        terminal = next(e for e in application.arrived[call_id] if e["type"].rpartition(".")[2] in TERMINAL)
        told = terminal["data"]["resultInformation"]
        assert (told["code"], told["subCode"]) == (kept.verdict.event_code, kept.verdict.subcode)
        endings[kept.verdict.ending] += 1
    store.close()
    return endings


async def until_delivered(made: Scene) -> None:
    """Until the outbox is empty: the last event was settled."""
    store = made.server.kept()
    await until(lambda: not store.undelivered())
    assert store.abandoned() == []
    store.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_two_hundred_calls_survive_a_kill(tmp_path: Path, transport: str) -> None:
    async with scene(tmp_path, transport) as made:
        cards = await place_all(made)
        talking = [call_id for call_id, card in cards.items() if card in {"200", "203", "204", "208"}]
        await made.application.until(lambda: all(made.application.types(call_id) for call_id in talking))
        made.application.refusing = True  # from here on what the server says does not arrive
        for call_id in talking[::5]:
            assert await made.client.hang_up(call_id) == 204
        await made.server.kill()
        over = Counter(
            card for call_id, card in cards.items() if TERMINAL & set(made.application.types(call_id))
        )
        assert over.keys() <= CARDS.keys() - OPEN_AT_THE_CRASH
        made.application.refusing = False
        await made.server.start()
        await made.application.until_over(list(cards))
        await until_delivered(made)
        await until_released(made.carrier)
        endings = check(made, list(cards))
        busy = [call_id for call_id, card in cards.items() if card == "486"]
        assert endings["callee-busy"] == len(busy)
        # 20 of 100 talking calls were being hung up; some were over before the kill
        assert endings["server-restarted"] >= sum(card in OPEN_AT_THE_CRASH for card in cards.values()) * 0.6
        assert sum(endings.values()) == CALLS


async def test_events_that_nobody_took_before_the_kill_arrive_after_it_in_order(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.application.refusing = True
        ids = [await made.client.create("+14255555201") for _ in range(20)]
        await until(lambda: made.application.refused >= 40)
        store = made.server.kept()
        await until(lambda: not store.open_calls())
        await made.server.kill()
        waiting = store.undelivered()
        assert len(waiting) == 60
        assert any(event.attempts for event in waiting)
        store.close()
        made.application.refusing = False
        await made.server.start()
        await made.application.until_over(ids)
        await until_delivered(made)
        assert check(made, ids) == {"hung-up-by-phone": 20}
        assert [made.application.types(call_id) for call_id in ids] == [LEGAL[1]] * 20


async def test_a_kill_while_calls_are_created_keeps_each_of_them_or_nothing_of_it(
    tmp_path: Path,
) -> None:
    """Who got no answer asks again with the same Repeatability-Request-ID: one call comes of it, not two."""
    async with scene(tmp_path) as made:
        requests = {str(uuid.uuid4()): number(call)[0] for call in range(CALLS)}
        answered: dict[str, str] = {}

        async def create(request_id: str, dialled: str) -> None:
            answered[request_id] = await made.client.create(dialled, request_id)

        tasks = [asyncio.create_task(create(*request)) for request in requests.items()]
        await until(lambda: len(answered) >= CALLS / 4, every_seconds=0.001)
        await made.server.kill()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        lost = [outcome for outcome in outcomes if outcome is not None]
        assert lost
        assert all(isinstance(outcome, aiohttp.ClientError | OSError) for outcome in lost)
        before = dict(answered)
        await made.server.start()
        for request_id, dialled in requests.items():
            await create(request_id, dialled)
        assert {request_id: answered[request_id] for request_id in before} == before
        assert len(set(answered.values())) == CALLS
        await made.server.kill()
        await made.server.start()
        await made.application.until_over(list(answered.values()))
        await until_delivered(made)
        await until_released(made.carrier)
        check(made, list(answered.values()))
        store = made.server.kept()
        assert {record.id for record in store.calls(1000)} == set(answered.values())
        store.close()


async def test_kill_after_kill_ends_every_call_once(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        ids: list[str] = []
        for _ in range(4):
            ids += [await made.client.create("+14255555200") for _ in range(10)]
            await made.server.kill()
            await made.server.start()
        await made.application.until_over(ids)
        await until_delivered(made)
        await until_released(made.carrier)
        check(made, ids)
        restarted = Counter(tuple(made.application.types(call_id)) for call_id in ids)
        assert sum(restarted.values()) == 40


async def test_a_server_that_is_stopped_in_order_leaves_its_calls_to_the_next_start(tmp_path: Path) -> None:
    """SIGTERM: what was decided is saved; open calls get their ending when it starts again."""
    async with scene(tmp_path) as made:
        ids = [await made.client.create("+14255555200") for _ in range(10)]
        await made.application.until(lambda: made.application.count("ParticipantsUpdated") == 10)
        await made.server.stop()
        await made.server.start()
        await made.application.until_over(ids)
        await until_released(made.carrier)
        assert check(made, ids) == {"server-restarted": 10}
