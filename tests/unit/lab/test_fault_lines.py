"""Lines that let media fail, and lines about other phones: read, written, refused."""

import pytest

from onhook.lab.app_steps import AppAwait, ServerFail, ServerLose
from onhook.lab.fault_lines import FAULT_FORMS
from onhook.lab.scenario import ScenarioError, parse_scenario, write_scenario
from onhook.lab.scenario_steps import Bye, PhoneStep, Respond, Scenario, Wait

ANSWERS = "carrier: 200 OK\n"
URL = "https://app.example/menu.wav"


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (f"server: fail prompt {URL} | unreachable", ServerFail("prompt", URL, "unreachable")),
        (
            f"server: fail prompt {URL} | status 404 Not Found",
            ServerFail("prompt", URL, "status", 404, "Not Found"),
        ),
        ("server: fail prompt Press one | voice", ServerFail("prompt", "Press one", "voice")),
        (
            "server: fail recognizer | 401 the key is wrong",
            ServerFail("recognizer", status=401, detail="the key is wrong"),
        ),
        ("server: fail recognizer | it died", ServerFail("recognizer", detail="it died")),
        (
            "server: fail stream wss://app.example/a | 403",
            ServerFail("stream", "wss://app.example/a", status=403),
        ),
        ("server: fail recording | the disk is full", ServerFail("recording", detail="the disk is full")),
        (
            "server: fail trunk | tls it speaks none",
            ServerFail("trunk", fault="tls", detail="it speaks none"),
        ),
        ("server: lose streams", ServerLose(again=False)),
        ("server: lose streams for a while", ServerLose(again=True)),
    ],
)
def test_a_line_is_its_step_and_back(line: str, step: object) -> None:
    assert parse_scenario(ANSWERS + line).steps[1] == step
    assert write_scenario(parse_scenario(ANSWERS + line)) == f"{ANSWERS}{line}\n"


def test_every_form_that_is_offered_can_be_read() -> None:
    assert all(parse_scenario(ANSWERS + form) for form in FAULT_FORMS)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("server: fail", "is unknown"),
        ("server: fail everything | now", "is unknown"),
        ("server: fail prompt | unreachable", "is unknown"),
        (f"server: fail prompt {URL}", "is unknown"),
        (f"server: fail prompt {URL} | sadly", "'sadly' is no fault of a prompt"),
        ("server: fail recording wss://a | full", "is unknown"),
        ("server: fail trunk carrier | tls", "is unknown"),
        ("server: fail trunk | sadly", "'sadly' is no fault of a trunk"),
    ],
)
def test_each_wrong_line_says_what_to_write(line: str, what: str) -> None:
    with pytest.raises(ScenarioError) as error:
        parse_scenario(ANSWERS + line)
    assert what in error.value.what
    assert error.value.instead.startswith("Write one of ")


# Other phones

TEXT = """\
carrier: 200 OK
app: wait for AddParticipantSucceeded
+14255550201: 180 Ringing
+14255550201: 200 OK
app: wait for PlayCompleted
+14255550201: bye
carrier: wait 1 s
carrier: bye
"""


def test_lines_that_begin_with_a_number_are_of_that_phone() -> None:
    scenario = parse_scenario(TEXT)
    assert write_scenario(scenario) == TEXT
    assert scenario.steps[2] == PhoneStep("+14255550201", Respond(180, "Ringing"))
    assert scenario.carrier == (Respond(200, "OK"), Wait(1000), Bye())
    assert scenario.of_number("+14255550201").carrier == (Respond(180, "Ringing"), Respond(200, "OK"), Bye())
    assert scenario.of_number("+14255550999") is scenario


def test_below_a_wait_for_an_event_the_far_end_waits_too() -> None:
    scenario = parse_scenario(TEXT)
    assert [scenario.open_steps(opened) for opened in (None, 0, 1, 2)] == [3, 1, 1, 3]
    phone = scenario.of_number("+14255550201")
    assert [phone.open_steps(opened) for opened in (None, 0, 1, 2, 3)] == [3, 0, 2, 3, 3]


def test_a_caller_waits_too() -> None:
    scenario = Scenario(
        parse_scenario(
            "carrier: call from +14255550200 to +14255550100\napp: answer\napp: wait for PlayCompleted\n"
            "carrier: wait 1 s\ncarrier: bye\n"
        ).steps
    )
    assert AppAwait("PlayCompleted") in scenario.steps
    assert [scenario.open_steps(opened) for opened in (None, 0, 1)] == [3, 1, 3]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("+14255550201: hang up", "unknown step"),
        ("+14255550201: cancel", "nothing that a called phone does"),
        ("+14255550201: bye", "bye before an answer"),
        ("+1425x: bye", "does not say who acts"),
    ],
)
def test_a_phone_does_what_the_carrier_could_do(line: str, what: str) -> None:
    with pytest.raises(ScenarioError) as error:
        parse_scenario(f"{ANSWERS}{line}\n")
    assert what in error.value.what
