"""What the application asks of a call that is up: steps of a scenario, as data."""

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class AppAsk:
    """An operation: `verb` is one of app_lines.VERBS, `what` what stands behind it, then its options."""

    verb: str
    what: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppAwait:
    """Go on when an event of this type came that no step before waited for; or when the call is over."""

    event: str


Failing: TypeAlias = Literal["prompt", "recognizer", "stream", "recording", "trunk"]


@dataclass(frozen=True, slots=True)
class ServerFail:
    """From now on this fails: a prompt by its address or text, a stream by its address; the next recording.

    `fault` is a word of facts.PromptFault for a prompt, of net/failures.py for a trunk, whose connections
    fail from the start; `status` the HTTP status behind it.
    """

    what: Failing
    name: str = ""
    fault: str = ""
    status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ServerLose:
    """The connections of all streams break; `again` they are opened again, else they are given up."""

    again: bool = True
