"""`onhook events` against a running server, and without one."""

import asyncio
import contextlib
import json
import socket
import threading
import time
import uuid
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from starlette.applications import Starlette

from onhook.cli import main
from onhook.cli.outcome import Exit
from onhook.delivery.grid.answer import Answer
from onhook.delivery.grid.event_grid import EventGrid
from onhook.delivery.grid.retries import Patience
from onhook.delivery.grid.surroundings import Sources
from onhook.server.certificates import prepare
from onhook.server.grid_api import GridApi
from onhook.server.serving import HttpServer, TlsFiles, serve
from onhook.server.settings import ServerSettings
from onhook.store.journal import Journal
from onhook.store.sqlite import SqliteStore
from unit.delivery.grid.grid_rig import ENDPOINT, FakePost, an_event

T = TypeVar("T")
QUICK = Patience(delays_seconds=(0.0,), least_seconds=(), validation_pause_seconds=0.0)
REFUSING = Answer(404, "Not Found")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server of Event Grid alone, in a loop of its own beside the test."""

    def __init__(self, folder: Path, tls: TlsFiles | None) -> None:
        self.post = FakePost()
        self._folder, self._tls = folder, tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.http: HttpServer
        self.grid: EventGrid
        self.do(self._start())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        self._store = SqliteStore(self._folder / "onhook.db")
        self._journal = Journal(self._store)
        self.grid = EventGrid(
            self._store,
            self._journal,
            Sources(time.time, lambda: str(uuid.uuid4()), lambda: 0.0),
            resources=["dev"],
            dead_letters=self._folder,
            patience=QUICK,
            post=self.post,
        )
        self.grid.start("https://localhost")
        app = Starlette(routes=GridApi(self.grid, ServerSettings()).routes())
        self.http = await serve(app, "127.0.0.1", 0, self._tls)

    def publish(self) -> str:
        """An event, once it is delivered or given up."""

        async def settled() -> str:
            event_id = self.grid.publish("dev", an_event())
            await self._journal.written()
            async with asyncio.timeout(10):
                while self._store.open_grid_deliveries():
                    await self._journal.written()
                    await asyncio.sleep(0)
            return event_id

        return self.do(settled())

    def stop(self) -> None:
        async def end() -> None:
            await self.http.stop()
            await self.grid.close()
            self._journal.flush()
            self._store.close()

        self.do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, and a port where nothing listens yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONHOOK_SERVER__HTTPS", "false")
    monkeypatch.setenv("ONHOOK_SERVER__PORT", str(free_port()))
    return tmp_path


@contextlib.contextmanager
def running(folder: Path, monkeypatch: pytest.MonkeyPatch, tls: TlsFiles | None = None) -> Iterator[Server]:
    started = Server(folder / ".onhook", tls)
    monkeypatch.setenv("ONHOOK_SERVER__PORT", str(started.http.port))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with running(folder, monkeypatch) as started:
        yield started


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> "Said":
    return Said(capsys)


class Said:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def by(self, *arguments: str, status: int = Exit.DONE) -> str:
        """What a command printed; complaints too."""
        self._capsys.readouterr()
        got = main(["events", *arguments])
        captured = self._capsys.readouterr()
        assert got == status, captured
        return captured.out + captured.err

    def json(self, *arguments: str, status: int = Exit.DONE) -> Any:
        return json.loads(self.by(*arguments, "--json", status=status))


class TestSubscribe:
    def test_an_endpoint_that_agrees(self, server: Server, said: Said) -> None:
        text = said.by("subscribe", "calls", "--endpoint", ENDPOINT)
        assert text.startswith("Subscription calls is Succeeded: the endpoint echoed the validation code.\n")
        assert "https://app.example/events?… (eventgrid)" in text
        assert "a%20b" not in text
        assert server.post.validations[0].request.url == ENDPOINT

    def test_every_option(self, server: Server, said: Said) -> None:
        told = said.json(
            *("subscribe", "calls", "--endpoint", ENDPOINT, "--resource", "dev", "--schema", "cloudevents"),
            *(
                "--event-type",
                "IncomingCall",
                "--event-type",
                "CallEnded",
                "--subject-begins-with",
                "/caller",
            ),
            *("--subject-ends-with", "00", "--subject-case-sensitive", "--max-attempts", "2"),
            *("--ttl-minutes", "1", "--dead-letter-file", "d.jsonl"),
        )
        assert told["state"] == "Succeeded"
        settings = server.grid.subscription("calls").settings
        assert (settings.schema, settings.subject_case_sensitive) == ("cloudevents", True)
        assert settings.event_types == (
            "Microsoft.Communication.IncomingCall",
            "Microsoft.Communication.CallEnded",
        )
        assert (settings.max_attempts, settings.ttl_minutes) == (2, 1)
        assert (settings.subject_begins_with, settings.subject_ends_with) == ("/caller", "00")
        assert settings.dead_letter_file == "d.jsonl"

    def test_an_endpoint_that_refuses_and_then_agrees(self, server: Server, said: Said) -> None:
        server.post.handshake = lambda _request: REFUSING
        text = said.by("subscribe", "calls", "--endpoint", ENDPOINT, status=Exit.NO)
        assert "is Failed: the endpoint answered 404 Not Found" in text
        assert "onhook events subscribe calls" in text
        server.post.handshake = FakePost().handshake
        assert "is Succeeded" in said.by("subscribe", "calls")

    def test_one_that_has_to_be_validated_by_hand(self, server: Server, said: Said) -> None:
        server.post.handshake = lambda _request: Answer(200)
        told = said.json("subscribe", "calls", "--endpoint", ENDPOINT, status=Exit.NO)
        assert told["state"] == "AwaitingManualAction"
        assert "to validate by hand, open https://localhost/onhook/events/calls/validate?token=" in said.by(
            "show", "calls"
        )

    @pytest.mark.parametrize(
        ("arguments", "status", "words"),
        [
            (("calls", "--endpoint", "http://app.example/"), Exit.USAGE, "Endpoint is invalid"),
            (("a b", "--endpoint", ENDPOINT), Exit.USAGE, "name: 'a b' is not 1 to 64 letters"),
            (("calls", "--endpoint", ENDPOINT, "--max-attempts", "99"), Exit.USAGE, "99 is not 1 to 30"),
            (("calls", "--endpoint", ENDPOINT, "--resource", "x"), Exit.USAGE, "'x' is none of them"),
            (("calls", "--max-attempts", "2"), Exit.USAGE, "--endpoint is needed to change"),
            (("calls",), Exit.NO, "there is no event subscription 'calls'"),
        ],
    )
    def test_what_is_refused(
        self, arguments: tuple[str, ...], status: int, words: str, server: Server, said: Said
    ) -> None:
        assert words in said.by("subscribe", *arguments, status=status)
        assert server.post.validations == []


class TestShow:
    def test_none_yet(self, server: Server, said: Said) -> None:
        assert "no application hears of incoming calls" in said.by("list")
        assert said.json("list") == {"subscriptions": []}
        assert server.post.sent == []

    def test_list(self, server: Server, said: Said) -> None:
        said.by("subscribe", "calls", "--endpoint", ENDPOINT, "--event-type", "IncomingCall")
        server.post.handshake = lambda _request: REFUSING
        said.by("subscribe", "other", "--endpoint", ENDPOINT, status=Exit.NO)
        heading, first, second = said.by("list").splitlines()
        assert heading.split()[:4] == ["name", "resource", "state", "events"]
        assert first.split()[:4] == ["calls", "dev", "Succeeded", "IncomingCall"]
        assert second.split()[:4] == ["other", "dev", "Failed", "all"]
        assert second.endswith("404 Not Found")
        assert [each["name"] for each in said.json("list")["subscriptions"]] == ["calls", "other"]

    def test_show_tells_the_newest_deliveries(self, server: Server, said: Said) -> None:
        said.by("subscribe", "calls", "--endpoint", ENDPOINT)
        server.post.answers = [Answer(400, "Bad Request")]
        first, second = server.publish(), server.publish()
        lines = said.by("show", "calls").splitlines()
        assert second in lines[-2]
        assert lines[-2].split()[-3:] == ["delivered", "1", "200"]
        assert first in lines[-1]
        assert "dropped (NonRetryableError)" in lines[-1]
        assert lines[-1].endswith("400 Bad Request")
        assert any(line.strip().startswith("last ") for line in lines)
        told = said.json("show", "calls", "--limit", "1")
        assert [each["event_id"] for each in told["deliveries"]] == [second]

    def test_filters_are_told(self, server: Server, said: Said) -> None:
        said.by(
            "subscribe",
            "a",
            "--endpoint",
            ENDPOINT,
            "--subject-begins-with",
            "/b",
            "--subject-ends-with",
            "c",
        )
        assert "all, subject begins with /b, subject ends with c" in said.by("show", "a")
        assert server.post.validations

    def test_one_that_is_not_there(self, server: Server, said: Said) -> None:
        assert "there is no event subscription 'no'" in said.by("show", "no", status=Exit.NO)
        assert server.post.sent == []


class TestChange:
    def test_delete(self, server: Server, said: Said) -> None:
        said.by("subscribe", "a", "--endpoint", ENDPOINT)
        said.by("subscribe", "b", "--endpoint", ENDPOINT)
        assert said.by("delete", "a") == "Subscription a is deleted.\n"
        assert said.json("delete", "b") == {"deleted": "b"}
        assert server.grid.subscriptions() == []
        assert "there is no event subscription" in said.by("delete", "a", status=Exit.NO)

    def test_redeliver(self, server: Server, said: Said) -> None:
        said.by("subscribe", "calls", "--endpoint", ENDPOINT)
        event_id = server.publish()
        text = said.by("redeliver", "calls", event_id)
        assert text == f"Microsoft.Communication.IncomingCall {event_id} is on its way to calls again.\n"
        assert said.json("redeliver", "calls", event_id)["event_id"] == event_id
        assert "No event 'x' was kept" in said.by("redeliver", "calls", "x", status=Exit.NO).replace(
            "no ev", "No ev"
        )


class TestOverTls:
    def test_the_local_authority_is_trusted(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, said: Said
    ) -> None:
        paths = prepare(folder / ".onhook", (), datetime.now(UTC))
        monkeypatch.setenv("ONHOOK_SERVER__HTTPS", "true")
        with running(folder, monkeypatch, TlsFiles(paths.certificate, paths.key)):
            assert "Succeeded" in said.by("subscribe", "calls", "--endpoint", ENDPOINT)

    def test_another_authority_is_not(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, said: Said
    ) -> None:
        other = prepare(folder / "other", (), datetime.now(UTC))
        prepare(folder / ".onhook", (), datetime.now(UTC))
        monkeypatch.setenv("ONHOOK_SERVER__HTTPS", "true")
        with running(folder, monkeypatch, TlsFiles(other.certificate, other.key)):
            text = said.by("list", status=Exit.UNAVAILABLE)
            assert "cannot be asked" in text
            assert "certificate" in text.lower()


class TestWithoutServer:
    def test_what_the_last_run_left_is_shown(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, said: Said
    ) -> None:
        with running(folder, monkeypatch) as server:
            said.by("subscribe", "calls", "--endpoint", ENDPOINT)
            event_id = server.publish()
            alive = said.json("list")
        text = said.by("list")
        assert "no server runs; this is how the last one left it" in text
        assert "Succeeded" in text
        assert event_id in said.by("show", "calls")
        assert main(["events", "list", "--json"]) == Exit.DONE
        assert alive["subscriptions"][0]["name"] == "calls"
        assert "there is no event subscription no" in said.by("show", "no", status=Exit.NO)

    @pytest.mark.parametrize(
        "arguments",
        [
            ("subscribe", "a", "--endpoint", ENDPOINT),
            ("delete", "a"),
            ("redeliver", "a", "e"),
            ("subscribe", "a"),
        ],
    )
    def test_what_needs_a_server_says_so(self, arguments: tuple[str, ...], folder: Path, said: Said) -> None:
        text = said.by(*arguments, status=Exit.UNAVAILABLE)
        assert "no server answers at 127.0.0.1:" in text
        assert "onhook run" in text
        assert not (folder / ".onhook").exists()

    def test_without_an_authority_no_server_ever_ran(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, said: Said
    ) -> None:
        monkeypatch.setenv("ONHOOK_SERVER__HTTPS", "true")
        text = said.by("delete", "a", status=Exit.UNAVAILABLE)
        assert "there is no certificate authority in .onhook" in text
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize(
        "answer", [b"hello\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]
    )
    def test_something_else_on_the_port(
        self, answer: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch, said: Said
    ) -> None:
        def serve_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(answer)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            monkeypatch.setenv("ONHOOK_SERVER__PORT", str(listener.getsockname()[1]))
            thread = threading.Thread(target=serve_once, daemon=True)
            thread.start()
            text = said.by("delete", "a", status=Exit.UNAVAILABLE)
            thread.join(10)
        assert "cannot be asked" in text or "is not Onhook" in text
        assert not list(folder.iterdir())
