"""A playbook: `>>` feeds an input, `<<` states the next output. Use it within `assert`.

    assert play << "INVITE" >> response(180) << "Provisional 180" >> after(32) << ...

Every output has to be stated, in order; leaving one out fails.
"""

from collections.abc import Callable

from onhook.effects import Record, Transmit
from onhook.facts import TimerFired
from onhook.machine import Outputs
from onhook.sip.messages import Request, Response, parse

Input = Callable[[], Outputs]


class Playbook:
    def __init__(self, start: Outputs | None = None) -> None:
        self._pending = [describe(output) for output in start or []]

    def __rshift__(self, feed: Input) -> "Playbook":
        assert not self._pending, f"not stated: {self._pending}"
        self._pending = [describe(output) for output in feed()]
        return self

    def __lshift__(self, expected: str) -> "Playbook":
        actual = self._pending.pop(0) if self._pending else "nothing"
        assert actual == expected, f"expected {expected!r}, got {actual!r}, then {self._pending}"
        return self

    def __bool__(self) -> bool:
        assert not self._pending, f"not stated: {self._pending}"
        return True


def describe(output: object) -> str:
    """One output in a few words: "INVITE", "200 INVITE", "timer B", "Success 200", "Released"."""
    if isinstance(output, Transmit):
        message = parse(output.data)
        if isinstance(message, Request):
            return message.method
        assert isinstance(message, Response), message
        return f"{message.status} {message.cseq.method if message.cseq else '?'}"
    if isinstance(output, Record):
        assert isinstance(output.fact, TimerFired), output.fact
        return f"timer {output.fact.name}"
    name = type(output).__name__
    response = getattr(output, "response", None)
    if isinstance(response, Response):
        return f"{name} {response.status}"
    detail = getattr(output, "timer", None) or getattr(output, "error", None)
    return f"{name} {detail}" if detail else name
