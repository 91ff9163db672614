"""Every way a call of the reminder service can end, each from its cause, in a few seconds.

pip install onhook pytest
pytest examples/flask_app
"""

import json
from urllib.request import Request, urlopen

import pytest
from app import OWN_NUMBER, create_app

from onhook.testing import Laboratory

CUSTOMER = "+14255550123"


class Reminders:
    """The application, as its own clients see it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def remind(self, number: str) -> str:
        return str(self.ask("POST", f"/remind/{number}")["call"])

    def hang_up(self, call: str) -> None:
        self.ask("DELETE", f"/calls/{call}")

    def outcome(self, call: str) -> str:
        return str(self.ask("GET", f"/calls/{call}")["outcome"])

    def ask(self, method: str, path: str) -> dict[str, object]:
        with urlopen(Request(self.url + path, method=method), timeout=20) as answer:
            body = answer.read()
        return dict(json.loads(body)) if body else {}


@pytest.fixture
def reminders(onhook: Laboratory) -> Reminders:
    url = onhook.serve(create_app())
    onhook.subscribe(f"{url}/incoming", "IncomingCall")
    return Reminders(url)


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        ("callee-busy", "busy: try again in 10 minutes"),
        ("busy-everywhere", "busy: try again in 10 minutes"),
        ("callee-declined", "declined: do not call again"),
        ("callee-unavailable", "nobody there: try again tomorrow"),
        ("rang-out", "nobody there: try again tomorrow"),  # 115 seconds of ringing
        ("trunk-silent", "nobody there: try again tomorrow"),  # 32 seconds of silence
        ("number-not-found", "wrong number: ask the customer"),
        ("call-forbidden", "not allowed to call this number"),
        ("trunk-unavailable", "failed with 503: tell the operator"),
        ("hung-up-by-phone", "done"),
    ],
)
def test_a_reminder_that_ends(onhook: Laboratory, reminders: Reminders, ending: str, outcome: str) -> None:
    onhook.phone(CUSTOMER).will(ending)
    call = reminders.remind(CUSTOMER)
    onhook.calls.last.ended(ending)
    assert reminders.outcome(call) == outcome


def test_a_reminder_that_we_end(onhook: Laboratory, reminders: Reminders) -> None:
    onhook.phone(CUSTOMER).will("answers")
    call = reminders.remind(CUSTOMER)
    onhook.calls.last.connected()
    reminders.hang_up(call)
    onhook.calls.last.ended("hung-up-by-app")
    assert reminders.outcome(call) == "done"


def test_a_customer_who_calls_and_hangs_up(onhook: Laboratory, reminders: Reminders) -> None:
    call = onhook.phone(CUSTOMER).calls(OWN_NUMBER, then="carrier: wait 500 ms\ncarrier: bye")
    call.ended("caller-hung-up")
    assert reminders.outcome(call.id) == "done"


@pytest.mark.usefixtures("reminders")
def test_a_caller_whom_we_do_not_want(onhook: Laboratory) -> None:
    onhook.phone("+14255550666").calls(OWN_NUMBER).ended("inbound-busy")
