"""Calls that anything may happen to, in any order: for Hypothesis."""

from collections.abc import Callable
from typing import TypeAlias

from hypothesis import strategies as st

from call_scene import CallScene
from onhook.calls.call import State
from onhook.calls.directory import Trunk
from onhook.sip.digest_server import make_challenge
from timelines import ANSWER

Step: TypeAlias = tuple[str, int, str, float]
"""What happens; a number (a status or a CSeq), a text (a tag, a method or a body), and seconds."""

STATUSES = (100, 180, 183, 200, 200, 202, 302, 401, 407, 486, 487, 488, 500, 603, 699)
METHODS = ("BYE", "INVITE", "ACK", "CANCEL", "OPTIONS", "UPDATE", "INFO", "PRACK")
BODIES = ("", ANSWER, ANSWER.replace("sendrecv", "sendonly"), "nonsense", ANSWER.replace("50000", "0"))
GARBAGE = (b"", b"\x00\xff", b"SIP/2.0 999\r\n\r\n", b"INVITE sip:x SIP/2.0\r\n\r\n", b"\r\n\r\n")
ERRORS = ("refused: x", "name-unknown: x", "reset: x")
OPEN = {State.CONNECTING, State.CONNECTED, State.DISCONNECTING}
SECONDS = st.sampled_from((0.0, 0.001, 0.5, 1.0, 4.0, 10.0, 32.0, 64.0, 115.0, 180.0)) | st.floats(0.0, 40.0)

TRUNKS = st.sampled_from(
    (
        Trunk("carrier", "192.0.2.2", 5060),
        Trunk("carrier", "192.0.2.2", 5060, "tcp"),
        Trunk("carrier", "192.0.2.2", 5060, username="user", password="secret"),
        Trunk("carrier", "192.0.2.2", 5060, no_response_seconds=32.0),
    )
)
WORLD = ("gets", "gets", "gets", "gets", "asked", "asked", "answers", "hangs up", "garbage", "fails", "rtp")
TIME = ("waits", "is late")


def steps(*kinds: str, longest: int = 14) -> "st.SearchStrategy[list[Step]]":
    """Up to `longest` steps of these kinds (default: all that the world and time can do)."""
    kind = st.sampled_from(kinds or WORLD + TIME)
    text = st.sampled_from(("far", "far", "far", "other", *METHODS))
    return st.lists(st.tuples(kind, st.integers(0, 60), text, SECONDS), max_size=longest)


def take(scene: CallScene, step: Step) -> None:
    """Let one step happen; what cannot happen yet does not."""
    kind, number, text, seconds = step
    happens: dict[str, Callable[[], object]] = {
        "gets": lambda: _gets(scene, number, text),
        "answers": lambda: _answers(scene, number),
        "asked": lambda: scene.asked(
            text if text in METHODS else "BYE", number, body=BODIES[number % len(BODIES)]
        ),
        "hangs up": scene.hang_up,
        "garbage": lambda: scene.hears(GARBAGE[number % len(GARBAGE)], candidates=1 + number % 3),
        "fails": lambda: scene.fails(ERRORS[number % len(ERRORS)]),
        "rtp": lambda: scene.call.state is State.ENDED or scene.hears_rtp(),
        "waits": lambda: scene.wait(seconds),
        "is late": lambda: scene.late(seconds),
        "faults": scene.faults,
        "restarts": lambda: scene.call.state not in OPEN or scene.restarts(),
    }
    happens[kind]()


def _gets(scene: CallScene, number: int, text: str) -> None:
    status = STATUSES[number % len(STATUSES)]
    headers = [("www-authenticate", make_challenge("far.example", "n", "SHA-256", stale=False))]
    body = BODIES[number % len(BODIES)] if number % 3 == 0 else None
    scene.gets(status, "INVITE", text if text == "other" else "far", *headers[: status == 401], body=body)


def _answers(scene: CallScene, number: int) -> None:
    """The far end answers our BYE or CANCEL, if there is one."""
    asked = [method for method in ("BYE", "CANCEL") if method in scene.methods]
    if asked:
        scene.gets((200, 481, 401, 100)[number % 4], asked[number % len(asked)])
