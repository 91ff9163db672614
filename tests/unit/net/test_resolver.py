"""The resolver, with the loop's getaddrinfo replaced: no question leaves this machine."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias

import pytest

from onhook.lab.virtual_time import VirtualTimeLoop
from onhook.net.answers import Unresolved
from onhook.net.resolver import Answer, Resolver
from onhook.net.settings import NetworkSettings

Entry: TypeAlias = tuple[int, int, int, str, tuple[Any, ...]]


def entry(address: str) -> Entry:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_DGRAM, 17, "", (address, 0))


class NamesLoop(VirtualTimeLoop):
    """A loop with its own telephone book; an answer takes `delay_seconds`."""

    def __init__(self) -> None:
        super().__init__()
        self.book: dict[str, list[Entry] | Exception] = {}
        self.asked: list[tuple[str, int]] = []
        self.delay_seconds = 0.5

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        self.asked.append((host, how["family"]))
        await asyncio.sleep(self.delay_seconds)
        found = self.book.get(host, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
        if isinstance(found, Exception):
            raise found
        return found


def play(scenario: Callable[[NamesLoop], Coroutine[None, None, None]]) -> None:
    with asyncio.Runner(loop_factory=NamesLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, NamesLoop)
        loop.book["trunk.example"] = [entry("2001:db8::1"), entry("192.0.2.10"), entry("192.0.2.11")]
        runner.run(scenario(loop))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.10", "192.0.2.10"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("localhost", "127.0.0.1"),
        ("LocalHost", "127.0.0.1"),
    ],
)
def test_literals_and_localhost_need_no_question(host: str, address: str) -> None:
    async def scenario(loop: NamesLoop) -> None:
        resolver = Resolver(NetworkSettings())
        assert resolver.known(host) == address
        await asyncio.sleep(1_000_000)
        assert resolver.known(host) == address
        assert loop.asked == []

    play(scenario)


def test_a_name_is_asked_once_for_all_who_wait_and_then_remembered() -> None:
    async def scenario(loop: NamesLoop) -> None:
        resolver, told = Resolver(NetworkSettings()), list[tuple[int, Answer]]()

        def hear(number: int, answer: Answer) -> None:
            told.append((number, answer))

        assert resolver.known("trunk.example") is None
        for number in range(3):
            resolver.ask("trunk.example", partial(hear, number))
        assert told == []
        await asyncio.sleep(0.6)
        assert told == [(0, "192.0.2.10"), (1, "192.0.2.10"), (2, "192.0.2.10")]
        assert resolver.known("trunk.example") == "192.0.2.10"
        resolver.ask("trunk.example", partial(hear, 3))
        assert told[-1] == (3, "192.0.2.10")
        assert loop.asked == [("trunk.example", socket.AF_INET)]

    play(scenario)


def test_an_answer_is_believed_for_its_lifetime() -> None:
    async def scenario(loop: NamesLoop) -> None:
        resolver = Resolver(NetworkSettings(name_lifetime_seconds=60))
        resolver.ask("trunk.example", lambda _: None)
        await asyncio.sleep(60)
        assert resolver.known("trunk.example") == "192.0.2.10"
        await asyncio.sleep(1)
        assert resolver.known("trunk.example") is None
        loop.book["trunk.example"] = [entry("192.0.2.99")]
        resolver.ask("trunk.example", lambda _: None)
        await asyncio.sleep(1)
        assert resolver.known("trunk.example") == "192.0.2.99"

    play(scenario)


def test_a_bad_answer_is_remembered_too_but_not_for_long() -> None:
    async def scenario(loop: NamesLoop) -> None:
        resolver, told = Resolver(NetworkSettings(unknown_name_lifetime_seconds=5)), list[Answer]()
        resolver.ask("nowhere.example", told.append)
        await asyncio.sleep(1)
        resolver.ask("nowhere.example", told.append)
        assert (
            told
            == [Unresolved("name-unknown: nowhere.example has no address (Name or service not known)")] * 2
        )
        assert len(loop.asked) == 1
        await asyncio.sleep(5)
        assert resolver.known("nowhere.example") is None

    play(scenario)


def test_a_resolver_that_does_not_answer() -> None:
    async def scenario(loop: NamesLoop) -> None:
        loop.delay_seconds = 100
        resolver, told = Resolver(NetworkSettings(lookup_timeout_seconds=5)), list[Answer]()
        resolver.ask("trunk.example", told.append)
        await asyncio.sleep(5.1)
        assert told == [Unresolved("name-unknown: no answer about trunk.example within 5 s")]

    play(scenario)


def test_what_is_no_host_name_at_all() -> None:
    async def scenario(loop: NamesLoop) -> None:
        loop.book["a" * 70] = UnicodeError("label too long")
        loop.book["empty.example"] = []
        resolver, told = Resolver(NetworkSettings()), list[Answer]()
        resolver.ask("a" * 70, told.append)
        resolver.ask("empty.example", told.append)
        await asyncio.sleep(1)
        assert [answer.why[:13] for answer in told if isinstance(answer, Unresolved)] == ["name-unknown:"] * 2

    play(scenario)


def test_which_family_is_asked_for_follows_where_we_are_bound() -> None:
    async def scenario(loop: NamesLoop) -> None:
        loop.book["six.example"] = [entry("2001:db8::6")]
        both, told = Resolver(NetworkSettings(ipv6_host="::1")), list[Answer]()
        both.ask("trunk.example", told.append)
        both.ask("six.example", told.append)
        only_6 = Resolver(NetworkSettings(host="", ipv6_host="::1"))
        only_6.ask("six.example", told.append)
        await asyncio.sleep(1)
        assert told == ["192.0.2.10", "2001:db8::6", "2001:db8::6"]  # IPv4 first where there are both
        assert [family for _, family in loop.asked] == [socket.AF_UNSPEC, socket.AF_UNSPEC, socket.AF_INET6]

    play(scenario)


def test_only_so_many_wait_for_one_name() -> None:
    async def scenario(_loop: NamesLoop) -> None:
        resolver, told = Resolver(NetworkSettings(max_waiting_for_a_name=2)), list[Answer]()
        for _ in range(3):
            resolver.ask("trunk.example", told.append)
        assert told == [Unresolved("overflow: 2 messages wait for the address of trunk.example")]
        await asyncio.sleep(1)
        assert told[1:] == ["192.0.2.10"] * 2

    play(scenario)


def test_only_so_many_names_are_remembered() -> None:
    async def scenario(_: NamesLoop) -> None:
        resolver = Resolver(NetworkSettings(max_names=3))
        for number in range(20):
            assert resolver.known(f"192.0.2.{number}") == f"192.0.2.{number}"
        assert len(resolver._known) <= 3

    play(scenario)


def test_one_who_fails_does_not_keep_the_answer_from_the_next() -> None:
    async def scenario(loop: NamesLoop) -> None:
        faults, told = list[Any](), list[Answer]()
        loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
        resolver = Resolver(NetworkSettings())

        def fail(_: Answer) -> None:
            raise ZeroDivisionError

        resolver.ask("trunk.example", fail)
        resolver.ask("trunk.example", told.append)
        await asyncio.sleep(1)
        assert told == ["192.0.2.10"]
        assert [type(fault) for fault in faults] == [ZeroDivisionError]

    play(scenario)


def test_closing_forgets_questions_under_way() -> None:
    async def scenario(_: NamesLoop) -> None:
        resolver, told = Resolver(NetworkSettings()), list[Answer]()
        resolver.ask("trunk.example", told.append)
        await asyncio.sleep(0.1)
        resolver.close()
        await asyncio.sleep(1)
        assert told == []

    play(scenario)
