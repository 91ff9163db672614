"""A store that fails: nothing leaves, new calls are withdrawn, open ones go on when it works again."""

import asyncio

import pytest

from onhook.acs.errors import ApiError
from onhook.acs.models import CommunicationIdentifierModel, CreateCallRequest, PhoneNumberIdentifierModel
from onhook.acs.requests import Asked, Reply
from onhook.lab.rehearsal import CALLBACK, CALLEE, CALLER, World
from onhook.lab.virtual_time import run
from onhook.store.batch import Batch, StoreFailed
from onhook.store.memory import MemoryStore
from stages import ANSWERS, OWN, RINGS, world

REPEATABLE = "11111111-2222-4333-8444-555555555555"
KEY = f"{OWN.id} {REPEATABLE}"


class BreakableStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.broken = self.unreadable = False

    def save(self, batch: Batch) -> None:
        if self.broken:
            raise StoreFailed("cannot write to the store calls.db: disk is full")
        super().save(batch)

    def reply(self, key: str) -> bytes | None:
        if self.unreadable:
            raise StoreFailed("cannot read the store calls.db: disk I/O error")
        return super().reply(key)


async def broken_world(scenario: str = ANSWERS) -> tuple[World, BreakableStore]:
    store = BreakableStore()
    return await world(scenario, store=store), store


def create_repeatably(here: World) -> str:
    """As the server does with a createCall that carries a Repeatability-Request-ID."""
    asked = Asked(
        api_version="2026-03-12", request_id="r", repeatability_id=REPEATABLE, operation="createCall"
    )
    earlier = here.switch.recall(KEY)
    if earlier is not None:
        return earlier.body.decode()
    request = CreateCallRequest(
        targets=[CommunicationIdentifierModel(phone_number=PhoneNumberIdentifierModel(value=CALLEE))],
        source_caller_id_number=PhoneNumberIdentifierModel(value=CALLER),
        callback_uri=CALLBACK,
    )
    made = here.switch.create_call(OWN, request, asked)
    assert made.call_connection_id is not None
    body = made.call_connection_id.encode()
    here.switch.remember(KEY, Reply(status=201, body=body, fingerprint="createCall"))
    return made.call_connection_id


async def written(here: World) -> ApiError:
    """The error that the application is answered."""
    with pytest.raises(ApiError) as error:
        await here.switch.written()
    return error.value


def test_a_call_that_could_not_be_saved_is_withdrawn() -> None:
    """Its application was told that it failed: the telephone must not ring when the store works again."""

    async def main() -> None:
        here, store = await broken_world()
        store.broken = True
        call_id = here.create_call()
        error = await written(here)
        assert (error.status, error.code, error.retry_after_seconds) == (503, "StoreFailed", 2)
        assert "disk is full" in error.message
        assert here.switch.calls == {}
        assert here.switch._by_leg == here.switch._by_sip_id == {}
        assert here.switch._on_trunk["carrier"] == 0
        assert len(here.switch._deadlines) == 0
        await asyncio.sleep(30)
        store.broken = False
        await asyncio.sleep(30)
        assert here.far_end.calls == {}
        assert here.far_end.ended == type(here.far_end.ended)()
        assert here.store.call(call_id) is None
        assert here.store.facts(call_id) == []
        assert here.inbox.events == []

    run(main())


def test_its_media_port_is_free_again() -> None:
    async def main() -> None:
        here, store = await broken_world()
        store.broken = True
        here.create_call()
        await written(here)
        assert here.switch._media.legs == 0  # type: ignore[attr-defined]  # SilentMedia counts them

    run(main())


def test_a_call_without_a_route_is_withdrawn_with_its_event() -> None:
    async def main() -> None:
        here, store = await broken_world()
        store.broken = True
        here.create_call(target="12")
        await written(here)
        store.broken = False
        await asyncio.sleep(10)
        assert here.inbox.events == []
        assert here.store.calls(1) == []

    run(main())


def test_while_the_store_fails_no_call_is_begun() -> None:
    async def main() -> None:
        here, store = await broken_world()
        store.broken = True
        here.create_call()
        await written(here)
        for _ in range(5):
            with pytest.raises(ApiError) as error:
                here.create_call()
            assert (error.value.status, error.value.code) == (503, "StoreFailed")
        assert here.switch.calls == {}
        store.broken = False
        await asyncio.sleep(2)
        call_id = here.create_call()
        await here.switch.written()
        await asyncio.sleep(3)
        assert here.switch.calls[call_id].record.connected_at

    run(main())


def test_the_repeated_request_is_a_new_one_and_gets_a_call_of_its_own() -> None:
    """The SDK sends a POST that was answered 503 again, with the same Repeatability-Request-ID."""

    async def main() -> None:
        here, store = await broken_world()
        store.broken = True
        withdrawn = create_repeatably(here)
        await written(here)
        assert here.switch.recall(KEY) is None
        store.broken = False
        await asyncio.sleep(2)
        placed = create_repeatably(here)
        await here.switch.written()
        assert placed != withdrawn
        assert create_repeatably(here) == placed
        await asyncio.sleep(5)
        assert len(here.far_end.calls) == 1
        assert [call.id for call in here.store.calls(10)] == [placed]

    run(main())


def test_replies_to_other_requests_of_the_same_turn_stay() -> None:
    async def main() -> None:
        here, store = await broken_world()
        store.broken = True
        here.switch.remember("other key", Reply(status=202, body=b"", fingerprint="play"))
        create_repeatably(here)
        await written(here)
        store.broken = False
        await asyncio.sleep(2)
        kept = here.switch.recall("other key")
        assert kept is not None
        assert kept.status == 202

    run(main())


def test_calls_that_were_saved_before_are_not_withdrawn() -> None:
    async def main() -> None:
        here, store = await broken_world(RINGS)
        saved = here.create_call()
        await here.switch.written()
        store.broken = True
        here.create_call()
        await written(here)
        assert list(here.switch.calls) == [saved]
        await asyncio.sleep(5)
        store.broken = False
        await asyncio.sleep(5)
        assert len(here.store.facts(saved)) == 4  # the 180 came while it failed, and was kept

    run(main())


def test_several_calls_of_one_turn_are_withdrawn_together() -> None:
    async def main() -> None:
        here, store = await broken_world()
        store.broken = True
        for _ in range(10):
            here.create_call()
        await written(here)
        assert here.switch.calls == {}
        store.broken = False
        await asyncio.sleep(10)
        assert here.store.calls(10) == []
        assert here.far_end.calls == {}

    run(main())


def test_a_hang_up_that_could_not_be_saved_is_carried_out_later() -> None:
    """The application is answered 503 and may ask again; the call does end, once, when the store works."""

    async def main() -> None:
        here, store = await broken_world()
        call_id = here.create_call()
        await asyncio.sleep(3)
        store.broken = True
        here.hang_up(call_id)
        error = await written(here)
        assert error.status == 503
        far = next(iter(here.far_end.calls.values()))
        assert not far.over
        here.hang_up(call_id)
        store.broken = False
        await asyncio.sleep(5)
        assert far.over
        kept = here.store.call(call_id)
        assert kept is not None
        assert kept.verdict is not None
        assert kept.verdict.ending == "hung-up-by-app"
        terminal = [event for event in here.inbox.events if event["type"].endswith("CallDisconnected")]
        assert len(terminal) == 1

    run(main())


@pytest.mark.parametrize("broken_seconds", [0.5, 3.0, 20.0])
def test_an_open_call_goes_on_when_the_store_works_again(broken_seconds: float) -> None:
    """Nothing leaves meanwhile; the far end repeats itself, and everything is kept in its order."""

    async def main() -> None:
        here, store = await broken_world()
        call_id = here.create_call()
        await asyncio.sleep(0.5)
        store.broken = True  # it rings; the answer comes while nothing can be saved
        await asyncio.sleep(broken_seconds)
        assert here.inbox.events == []
        store.broken = False
        await asyncio.sleep(5)
        types = [event["type"].rpartition(".")[2] for event in here.inbox.events]
        assert types == ["CallConnected", "ParticipantsUpdated"]
        times = [fact.at for fact in here.store.facts(call_id)]
        assert times == sorted(times)
        here.hang_up(call_id)
        await asyncio.sleep(5)
        assert here.switch.calls == {}
        assert len(here.inbox.events) == 3

    run(main())


def test_replies_that_cannot_be_read_are_an_answer_too() -> None:
    async def main() -> None:
        here, store = await broken_world()
        store.unreadable = True
        with pytest.raises(ApiError, match="disk I/O error") as error:
            here.switch.recall("key")
        assert error.value.status == 503

    run(main())


@pytest.mark.parametrize("when", [0.0, 0.2, 1.5, 4.0])
def test_after_a_crash_while_the_store_failed_every_saved_call_has_an_ending(when: float) -> None:
    async def main() -> None:
        here, store = await broken_world()
        ids = [here.create_call() for _ in range(5)]
        await here.switch.written()
        await asyncio.sleep(when)
        store.broken = True
        for call_id in ids[:2]:
            here.hang_up(call_id)
        await asyncio.sleep(2)
        here.crash()
        store.broken = False
        here.start()
        await asyncio.sleep(60)
        assert here.store.open_calls() == []
        verdicts = [kept.verdict for kept in here.store.calls(10)]
        assert [verdict.ending for verdict in verdicts if verdict] == ["server-restarted"] * 5
        assert all(call.over for call in here.far_end.calls.values())

    run(main())
