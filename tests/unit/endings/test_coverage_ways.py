"""The table of what leads to which ending: complete, without contradictions, and true of every page."""

import pytest

from onhook.acs.operations import OPERATIONS
from onhook.calls.events_table import EVENTS
from onhook.endings.coverage.met import ABOUT, TERMINAL
from onhook.endings.coverage.ways import ASKED_FOR, EVENTS_OF, INCOMING, NOT_TOLD, WAYS, ways_to
from onhook.endings.pages import page, pages

IN_WAYS = [ending for way in WAYS for ending in way.endings]
OF_OPERATIONS = [ending for ending, found in pages().items() if found.front.events]
NAMES = {operation.name for operation in OPERATIONS}


def test_every_ending_has_a_way_or_events_or_a_reason() -> None:
    assert set(pages()) == {*IN_WAYS, *OF_OPERATIONS, *NOT_TOLD}


def test_every_ending_stands_once() -> None:
    everywhere = [*IN_WAYS, *OF_OPERATIONS, *NOT_TOLD]
    assert len(everywhere) == len(set(everywhere))


def test_every_operation_is_one_of_the_api() -> None:
    named = {name.partition(" ")[0] for way in WAYS for name in (*way.operations, *way.also)}
    assert named - {INCOMING} <= NAMES
    assert set(EVENTS_OF) <= NAMES
    assert ABOUT <= NAMES


def test_events_are_of_the_operations_that_the_table_of_events_names() -> None:
    for operation, events in EVENTS_OF.items():
        for event in events:
            said = EVENTS[event].when
            assert said.startswith(operation) or operation in {"startRecording", "startMediaStreaming",
                                                               "startTranscription"}, event  # fmt: skip
    assert set(EVENTS) >= TERMINAL


def test_every_event_of_a_page_belongs_to_an_operation() -> None:
    known = {event for events in EVENTS_OF.values() for event in events}
    assert {event for ending in OF_OPERATIONS for event in page(ending).front.events} <= known


def test_what_must_be_asked_for_is_said_of_pages_of_operations_only() -> None:
    assert set(ASKED_FOR) <= set(OF_OPERATIONS)


@pytest.mark.parametrize(
    ("ending", "used", "after"),
    [
        ("callee-busy", {"createCall", "createCall to phone"}, ["createCall"]),
        ("callee-busy", {"createCall", "createCall to user"}, []),
        ("callee-busy", {"addParticipant to phone", "answerCall to phone"}, ["addParticipant"]),
        ("user-declined", {"createCall to user"}, ["createCall"]),
        ("cancelled-by-app", {"createCall"}, []),
        ("cancelled-by-app", {"createCall", "hangUp"}, ["createCall"]),
        ("inbound-busy", {"rejectCall", "rejectCall none"}, []),
        ("inbound-busy", {"rejectCall", "rejectCall busy"}, ["rejectCall"]),
        ("caller-gave-up", {INCOMING}, [INCOMING]),
        ("prompt-format", {"play", "play text"}, []),
        ("prompt-format", {"play", "play file"}, ["play"]),
        ("operation-cut-off", {"play", "play file", "recognize"}, ["play", "recognize"]),
        ("recognize-no-input", {"recognize"}, ["recognize"]),
        ("recognize-no-match", {"recognize", "recognize dtmf"}, []),
        ("transfer-untold", {"transferToParticipant"}, ["transferToParticipant"]),
        ("unexplained", {"createCall", "createCall to phone"}, []),
    ],
)
def test_what_was_used_decides_what_can_be_met(ending: str, used: set[str], after: list[str]) -> None:
    assert ways_to(page(ending), used) == after
