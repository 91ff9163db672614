"""/onhook/trunks: the page and its JSON twin, and `onhook trunks`, which asks for it."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import onhook.cli.trunks
from onhook.cli import main
from onhook.cli.outcome import Exit
from onhook.server.own_trunks import OwnTrunks, trunks_page
from onhook.server.settings import ServerSettings

CARRIER: dict[str, Any] = {
    "name": "carrier",
    "host": "192.0.2.2",
    "port": 5060,
    "transport": "udp",
    "state": "online",
    "reason": "200 to OPTIONS",
    "since": 1_795_000_000.0,
    "last_heard_at": 1_795_000_060.0,
    "misses": 0,
    "rests_for_seconds": 0.0,
    "calls": 3,
    "max_calls": 30,
    "calls_per_second": 0.0,
    "options_seconds": 60.0,
}
DEAD = {
    **CARRIER,
    "name": "spare",
    "state": "offline",
    "reason": "503 <b>to</b> OPTIONS",
    "last_heard_at": None,
    "rests_for_seconds": 12.4,
}


def client(*trunks: dict[str, Any], peer: str = "127.0.0.1") -> TestClient:
    routes = OwnTrunks(lambda: list(trunks), ServerSettings()).routes()
    return TestClient(Starlette(routes=routes), base_url="http://localhost", client=(peer, 50_000))


def test_programs_get_json() -> None:
    answer = client(CARRIER, DEAD).get("/onhook/trunks")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json() == {"trunks": [CARRIER, DEAD]}


def test_people_get_a_page() -> None:
    answer = client(CARRIER, DEAD).get("/onhook/trunks", headers={"accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/html")
    for shown in ("udp 192.0.2.2:5060", "online", "3 of 30", "offline", "12 s", "never", "2026-11-18"):
        assert shown in answer.text
    assert "503 &lt;b&gt;to&lt;/b&gt; OPTIONS" in answer.text


def test_without_a_trunk_the_page_says_what_to_do() -> None:
    assert "[trunk.NAME]" in trunks_page([])


def test_strangers_are_refused_and_so_are_forms_that_it_has_not() -> None:
    assert client(CARRIER, peer="192.0.2.7").get("/onhook/trunks").status_code == 403
    refused = client(CARRIER).get("/onhook/trunks?format=svg")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidFormat")


def ask(monkeypatch: pytest.MonkeyPatch, *trunks: dict[str, Any]) -> list[tuple[str, str]]:
    """The command asks the server with these trunks; what it asked."""
    asked: list[tuple[str, str]] = []

    def answer(_config: object, method: str, path: str) -> Any:
        asked.append((method, path))
        return client(*trunks).request(method, path).json()

    monkeypatch.setattr(onhook.cli.trunks, "ask", answer)
    return asked


def test_the_command_prints_a_table_and_its_status_says_whether_one_is_offline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ask(monkeypatch, CARRIER, DEAD)
    assert main(["trunks"]) == Exit.NO
    said = capsys.readouterr().out
    assert "carrier" in said
    assert "offline (rests 12 s)" in said
    assert "never" in said
    assert asked == [("GET", "/onhook/trunks?format=json")]
    ask(monkeypatch, CARRIER)
    assert main(["trunks"]) == Exit.DONE


def test_the_command_gives_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    ask(monkeypatch, CARRIER)
    assert main(["trunks", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == {"trunks": [CARRIER]}


def test_the_command_says_that_there_is_no_trunk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    ask(monkeypatch)
    assert main(["trunks"]) == Exit.NO
    assert "no trunk" in capsys.readouterr().out
