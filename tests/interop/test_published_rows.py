"""Every published row that can be provoked, as the official SDK sees it: a real server, carrier and calls."""

import re
import time
from collections.abc import Iterator

import pytest
from azure.communication.callautomation import (
    CommunicationUserIdentifier,
    FileSource,
    PhoneNumberIdentifier,
    RecognizeInputType,
)
from azure.core.exceptions import HttpResponseError

from onhook.endings.pages import pages
from onhook.lab.causes import causes
from onhook.lab.published_rows import ROWS, Row, provoked
from provoking_scene import CALLER, Scene, result

NUMBER = "+14255550200"

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("rows"))
    yield made
    made.stop()


@pytest.mark.parametrize("row", provoked(), ids=lambda row: re.sub(r"\W+", "-", row.name))
def test_the_sdk_sees_it(scene: Scene, row: Row) -> None:
    armed = None
    if row.scenario:
        armed = scene.arm("", scenario=row.scenario, number=NUMBER)
    elif row.provoke and row.act not in {"answered", "answered-late"}:
        armed = scene.arm(row.provoke, **({"number": NUMBER} if row.page else {}))
    assert play(scene, row) == row.seen
    if armed is not None:
        assert scene.armed(armed["id"])["hits"] == 1
    scene.disarm()


def play(scene: Scene, row: Row) -> tuple[str, int, str]:
    try:
        return act(scene, row)
    except HttpResponseError as error:
        code = error.error.code if error.error else ""
        return "HttpResponseError", error.status_code or 0, code or ""


def act(scene: Scene, row: Row) -> tuple[str, int, str]:
    match row.act:
        case "call":
            call = scene.call(NUMBER)
            seen = scene.end_of(call)
            assert scene.why(call)["ending"] == row.page
            assert scene.why(call)["provoke_again"]["provoked_by"]
            return seen
        case "call-user" | "bad-request":
            target = (
                CommunicationUserIdentifier("8:acs:onhook_bert02")
                if row.act == "call-user"
                else PhoneNumberIdentifier(NUMBER)
            )
            where = f"{scene.application.url}/events" if row.act == "call-user" else "no address"
            made = scene.client().create_call(target, where)
            return scene.end_of(made.call_connection_id or "")
        case "cancel":
            call = scene.call(NUMBER)
            wait_for_facts(scene, call, "180 Ringing")
            scene.client().get_call_connection(call).hang_up(is_for_everyone=False)
            return scene.end_of(call)
        case "late-hang-up":
            call = scene.call(NUMBER)
            scene.end_of(call)
            scene.client().get_call_connection(call).hang_up(is_for_everyone=False)
            raise AssertionError("a call that is over was hung up")
        case "answered" | "answered-late":
            return incoming(scene, row)
        case _:
            return media(scene, row)


def media(scene: Scene, row: Row) -> tuple[str, int, str]:
    """An operation in a call that is up; the call stays up, and the application ends it."""
    call = scene.call(NUMBER)
    scene.application.event(call, {"CallConnected"})
    connection = scene.client().get_call_connection(call)
    match row.act:
        case "play":
            connection.play_media(FileSource(f"{scene.application.url}/menu.wav"), "all")
        case "recognize-digits":
            connection.start_recognizing_media(
                RecognizeInputType.DTMF,
                PhoneNumberIdentifier(NUMBER),
                initial_silence_timeout=1,
                dtmf_max_tones_to_collect=4,
            )
        case _:
            connection.start_recognizing_media(RecognizeInputType.SPEECH, PhoneNumberIdentifier(NUMBER))
    seen = result(scene.application.event(call, {"PlayFailed", "RecognizeFailed"}))
    connection.hang_up(is_for_everyone=True)
    scene.end_of(call)
    return seen


def incoming(scene: Scene, row: Row) -> tuple[str, int, str]:
    """A call comes in, and the application answers it, in time or too late."""
    scene.subscribe()
    try:
        scene.arm(row.provoke, number=CALLER)
        came = scene.incoming()
        if row.act == "answered-late":
            wait_until_over(scene)
        answered = scene.client().answer_call(came["incomingCallContext"], f"{scene.application.url}/events")
        return scene.end_of(answered.call_connection_id or "")
    finally:
        scene.unsubscribe()


def wait_until_over(scene: Scene) -> None:
    until = time.monotonic() + 20
    while True:
        newest = scene.get("/onhook/calls", limit="1")["calls"][0]
        if newest["ended_at"]:
            break
        assert time.monotonic() < until
        time.sleep(0.05)
    why = scene.why(newest["id"])
    assert (why["code"], why["subcode"]) == (487, 540487)


def wait_for_facts(scene: Scene, call: str, words: str) -> None:
    until = time.monotonic() + 10
    while words not in scene.ladder(call):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_there_are_47_rows_and_at_least_40_are_provoked() -> None:
    assert len(ROWS) == 47
    assert len(provoked()) >= 40
    assert all(row.reason for row in ROWS if row.basis != "cause")


def test_rows_name_pages_and_causes_that_exist() -> None:
    for row in ROWS:
        assert not row.page or row.page in pages()
        assert row.provoke in {"", "scenario", *causes()}
