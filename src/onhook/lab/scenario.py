"""Scenarios as text: what carrier, application and server do in one call, one step per line.

    # the callee is busy
    carrier: 180 Ringing
    carrier: wait 2 s
    carrier: 486 Busy Here | Reason: Q.850;cause=17;text="User busy"

Shared by the ending pages, the tests, the built-in carrier's test numbers and people. `parse_scenario`
reads, `write_scenario` writes; reading what was written gives the same scenario.
"""

import re
from collections.abc import Callable, Iterator
from typing import cast

from onhook.lab.scenario_steps import (
    CALLER_STEPS,
    DEFAULT_PASSWORD,
    DEFAULT_REALM,
    DEFAULT_USER,
    OF_EITHER,
    Algorithm,
    AppAdd,
    AppAnswer,
    AppCall,
    AppConnect,
    AppHangUp,
    AppIgnore,
    AppRedirect,
    AppReject,
    AppRemove,
    AppTerminate,
    AppTransfer,
    AppWait,
    Body,
    Bye,
    CancelOnAnswer,
    CarrierCall,
    CarrierCancel,
    Challenge,
    Garbage,
    Garbled,
    IgnoreAck,
    IgnoreCancel,
    NoAck,
    NoSubscription,
    OtherHangUp,
    Refer,
    ReferAnswer,
    RefuseConnection,
    Respond,
    Scenario,
    SendRtp,
    ServerCrash,
    ServerRestart,
    ServerSet,
    Silence,
    Step,
    Wait,
)
from onhook.sip.headers import split_list
from onhook.sip.messages import REASONS

MAX_LINES = 200
MAX_LINE_CHARS = 1_000
MAX_WAIT_SECONDS = 3_600
MAX_FORKS = 9

FIXED: dict[str, Step] = {
    "carrier: silence": Silence(),
    "carrier: garbage": Garbage(),
    "carrier: refuse connection": RefuseConnection(),
    "carrier: ignore ack": IgnoreAck(),
    "carrier: ignore cancel": IgnoreCancel(),
    "carrier: rtp": SendRtp(sending=True),
    "carrier: no rtp": SendRtp(sending=False),
    "carrier: cancel": CarrierCancel(),
    "carrier: cancel on answer": CancelOnAnswer(),
    "carrier: no ack": NoAck(),
    "app: answer": AppAnswer(),
    "app: connect": AppConnect(),
    "app: ignore": AppIgnore(),
    "app: hang up": AppHangUp(),
    "app: other hangs up": OtherHangUp(),
    "app: terminate": AppTerminate(),
    "carrier: refer accepted": Refer("accepted"),
    "carrier: refer silent": Refer("silent"),
    "carrier: refer ignored": Refer("ignored"),
    "carrier: refer bye": Refer("bye"),
    "server: no subscription": NoSubscription(),
    "server: crash": ServerCrash(),
    "server: restart": ServerRestart(),
}
"""Steps without parameters."""

WRITTEN = {step: text for text, step in FIXED.items()}
ALGORITHMS: dict[str, Algorithm] = {"MD5": "MD5", "SHA-256": "SHA-256"}
BODIES = ("sdp", "bad-sdp", "no-sdp")
OWN_HEADERS = frozenset({"via", "from", "call-id", "cseq", "content-length"})
"""Headers that a step may not set: without them the response would belong to no call."""

FORMS = (
    *FIXED,
    "carrier: 486 Busy Here | Reason: Q.850;cause=17",
    "carrier: 200 OK bad-sdp",
    "carrier: 200 OK fork=2",
    "carrier: 401 challenge realm=carrier.example algorithm=SHA-256",
    "carrier: garbled 200",
    "carrier: wait 2 s",
    "carrier: bye",
    "carrier: call from +14255550200 to +14255550100",
    "carrier: call from none to +14255550100 no-sdp",
    "carrier: refer refused 603",
    "carrier: refer target 486",
    "app: reject busy",
    "app: redirect to +14255550201",
    "app: add +14255550201",
    "app: remove +14255550201",
    "app: transfer to +14255550201",
    "app: wait 500 ms",
    "app: call from none to +14255550123",
    "server: set trunk.carrier.max_calls = 1",
)
"""One example of each form, for the message about an unknown step."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_WAIT = re.compile(r"(\d{1,7}(?:\.\d{1,3})?) ?(s|ms)")
_CALL = re.compile(r"from (\S+) to (\S+)")
_CARRIER_CALL = re.compile(r"from (\S+) to (\S+?)( no-sdp)?")
_PARTY = re.compile(r"\S+")
_REDIRECT = re.compile(r"to (\S+)")
REFER_STATUSES = frozenset({"refused", "target"})
REJECT_REASONS = ("none", "busy", "forbidden")
_SET = re.compile(r"([a-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+) *= *(\S.*)")


class ScenarioError(ValueError):
    """`line` counts from 1; `instead` says what to write."""

    def __init__(self, line: int, what: str, instead: str) -> None:
        super().__init__(f"line {line}: {what}. {instead}")
        self.line, self.what, self.instead = line, what, instead


class _Wrong(Exception):
    """A line is wrong; the line number is added by the caller."""

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(what)
        self.what, self.instead = what, instead


def parse_scenario(text: str) -> Scenario:
    """Read a scenario; raises ScenarioError for the first line that is wrong."""
    steps: list[Step] = []
    order = _Order()
    for number, line in _numbered(text):
        try:
            step = _parse_step(line)
            order.check(step)
        except _Wrong as wrong:
            raise ScenarioError(number, wrong.what, wrong.instead) from None
        steps.append(step)
    return Scenario(tuple(steps))


def write_scenario(scenario: Scenario) -> str:
    """The text of a scenario, one step per line, comments gone."""
    return "".join(f"{write_step(step)}\n" for step in scenario.steps)


def write_step(step: Step) -> str:
    """One step as a line."""
    match step:
        case Respond():
            return f"carrier: {step.status} {step.reason}{_options(step)}{_piped(step.headers)}"
        case Challenge():
            return f"carrier: {step.status} challenge{_differing(step)}"
        case Wait():
            return f"carrier: wait {_duration(step.milliseconds)}"
        case AppWait():
            return f"app: wait {_duration(step.milliseconds)}"
        case Garbled():
            return f"carrier: garbled {step.status}"
        case Bye():
            return f"carrier: bye{_piped(step.headers)}"
        case AppCall():
            return f"app: call from {step.source or 'none'} to {step.target}"
        case ServerSet():
            return f"server: set {step.setting} = {step.value}"
        case CarrierCall() | AppReject() | AppRedirect():
            return _write_incoming(step)
        case _:
            return WRITTEN.get(step) or _write_within(step)


def _write_within(step: Step) -> str:
    """Steps of a call that is up."""
    match step:
        case Refer():
            return f"carrier: refer {step.how} {step.status}"
        case AppAdd():
            return f"app: add {step.party}"
        case AppRemove():
            return f"app: remove {step.party}"
        case AppTransfer():
            return f"app: transfer to {step.target}"
        case _:
            raise TypeError(f"{type(step).__name__} has no text")


def _write_incoming(step: CarrierCall | AppReject | AppRedirect) -> str:
    match step:
        case CarrierCall():
            bare = "" if step.sdp else " no-sdp"
            return f"carrier: call from {step.source or 'none'} to {step.target}{bare}"
        case AppReject():
            return f"app: reject {step.reason}"
        case AppRedirect():
            return f"app: redirect to {step.target}"


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    """Lines that say something, with their numbers."""
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise ScenarioError(MAX_LINES + 1, f"more than {MAX_LINES} lines", "Split the scenario.")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_CHARS:
            raise ScenarioError(number, f"longer than {MAX_LINE_CHARS} characters", "Shorten the line.")
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _parse_step(line: str) -> Step:
    who, colon, what = line.partition(":")
    who, what = who.strip(), what.strip()
    if not colon or who not in {"carrier", "app", "server"}:
        raise _Wrong(f"{line[:60]!r} does not say who acts", 'Begin with "carrier:", "app:" or "server:".')
    if (fixed := FIXED.get(f"{who}: {what}")) is not None:
        return fixed
    verb, _, rest = what.partition(" ")
    reader = _READERS.get((who, verb))
    if reader is not None:
        return reader(rest.strip())
    if who == "carrier" and verb.isascii() and verb.isdigit():
        return _parse_status(verb, rest.strip())
    raise _unknown(who, what)


def _unknown(who: str, what: str) -> _Wrong:
    forms = ", ".join(f'"{form}"' for form in FORMS if form.startswith(f"{who}:"))
    return _Wrong(f"unknown step {f'{who}: {what}'[:60]!r}", f"Write one of {forms}.")


def _parse_status(digits: str, rest: str) -> Step:
    status = int(digits) if len(digits) == 3 else 0
    if not 100 <= status <= 699:
        raise _Wrong(f"{digits[:20]} is no SIP status", "Write three digits from 100 to 699.")
    first, *header_parts = _split_pipes(rest)
    words = first.split()
    if words[:1] == ["challenge"]:
        return _parse_challenge(status, words[1:], header_parts)
    body: Body = ""
    forks = 1
    while words and (words[-1] in BODIES or words[-1].startswith("fork=")):
        word = words.pop()
        if word in BODIES:
            body = cast("Body", word)
        else:
            forks = _parse_forks(word, status)
    reason = " ".join(words) or REASONS.get(status, "Unknown")
    return Respond(status, reason, _parse_headers(header_parts), body, forks)


def _parse_forks(word: str, status: int) -> int:
    count = word.removeprefix("fork=")
    if not 200 <= status <= 299:
        raise _Wrong(f"{word} with status {status}", "Only an answer forks: 200 OK fork=2.")
    if count not in {str(number) for number in range(2, MAX_FORKS + 1)}:
        raise _Wrong(f"{word[:20]!r} is no number of answers", f"Write fork=2 up to fork={MAX_FORKS}.")
    return int(count)


def _parse_challenge(status: int, words: list[str], header_parts: list[str]) -> Challenge:
    if status not in {401, 407}:
        raise _Wrong(f"{status} cannot challenge", "Write 401 challenge or 407 challenge.")
    if header_parts:
        raise _Wrong("a challenge takes no headers", "Remove what stands after the |.")
    values = {
        "realm": DEFAULT_REALM,
        "algorithm": "SHA-256",
        "user": DEFAULT_USER,
        "password": DEFAULT_PASSWORD,
    }
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not value or name not in values or '"' in value:
            raise _Wrong(
                f"{word[:40]!r} is no setting of a challenge", "Write realm=, algorithm=, user=, password=."
            )
        values[name] = value
    algorithm = ALGORITHMS.get(values["algorithm"])
    if algorithm is None:
        raise _Wrong(f"unknown algorithm {values['algorithm'][:20]!r}", "Write algorithm=MD5 or SHA-256.")
    return Challenge(status, values["realm"], algorithm, values["user"], values["password"])


def _parse_milliseconds(rest: str) -> int:
    matched = _WAIT.fullmatch(rest)
    if matched is None:
        raise _Wrong(f"{rest[:40]!r} is no time", "Write wait 2 s, wait 1.5 s or wait 500 ms.")
    number, unit = matched.groups()
    milliseconds = float(number) * (1000 if unit == "s" else 1)
    if not milliseconds.is_integer() or milliseconds < 1:
        raise _Wrong(f"{rest} is not a whole number of milliseconds from 1", "Write wait 2 s or wait 500 ms.")
    if milliseconds > MAX_WAIT_SECONDS * 1000:
        raise _Wrong(f"{rest} is longer than {MAX_WAIT_SECONDS} s", "Write a shorter time.")
    return int(milliseconds)


def _parse_garbled(rest: str) -> Garbled:
    if not (len(rest) == 3 and rest.isascii() and rest.isdigit() and "100" <= rest <= "699"):
        raise _Wrong(f"{rest[:20]!r} is no SIP status", "Write garbled 200.")
    return Garbled(int(rest))


def _parse_bye(rest: str) -> Bye:
    first, *header_parts = _split_pipes(rest)
    if first:
        raise _Wrong(f"{first[:40]!r} after bye", "Put headers after a |: bye | Reason: Q.850;cause=38.")
    return Bye(_parse_headers(header_parts))


def _parse_call(rest: str) -> AppCall:
    matched = _CALL.fullmatch(rest)
    if matched is None:
        raise _Wrong(f"{rest[:40]!r} names no two numbers", "Write call from none to +14255550123.")
    source, target = matched.groups()
    return AppCall(None if source == "none" else source, target)


def _parse_carrier_call(rest: str) -> CarrierCall:
    matched = _CARRIER_CALL.fullmatch(rest)
    if matched is None:
        raise _Wrong(f"{rest[:40]!r} names no two numbers", "Write call from +14255550200 to +14255550100.")
    source, target, bare = matched.groups()
    return CarrierCall(None if source == "none" else source, target, sdp=not bare)


def _parse_reject(rest: str) -> AppReject:
    if rest not in {"", *REJECT_REASONS}:
        raise _Wrong(f"{rest[:20]!r} is no reason", f"Write reject {' or reject '.join(REJECT_REASONS)}.")
    return AppReject(rest or "none")


def _parse_redirect(rest: str) -> AppRedirect:
    matched = _REDIRECT.fullmatch(rest)
    if matched is None:
        raise _Wrong(f"{rest[:40]!r} names nobody", "Write redirect to +14255550201 or the raw id of a user.")
    return AppRedirect(matched[1])


def _parse_party(rest: str) -> str:
    if not _PARTY.fullmatch(rest):
        raise _Wrong(f"{rest[:40]!r} names nobody", "Write add +14255550201 or the raw id of a user.")
    return rest


def _parse_transfer(rest: str) -> AppTransfer:
    matched = _REDIRECT.fullmatch(rest)
    if matched is None:
        raise _Wrong(f"{rest[:40]!r} names nobody", "Write transfer to +14255550201 or a user's raw id.")
    return AppTransfer(matched[1])


def _parse_refer(rest: str) -> Refer:
    how, _, status = rest.partition(" ")
    if how not in REFER_STATUSES or not (len(status) == 3 and status.isascii() and "300" <= status <= "699"):
        raise _Wrong(
            f"{rest[:40]!r} is no answer to a REFER",
            "Write refer accepted, silent, ignored or bye; or refer refused 603, refer target 486.",
        )
    return Refer(cast("ReferAnswer", how), int(status))


def _parse_set(rest: str) -> ServerSet:
    matched = _SET.fullmatch(rest)
    if matched is None:
        raise _Wrong(f"{rest[:40]!r} is no setting", "Write set trunk.carrier.max_calls = 1.")
    return ServerSet(*matched.groups())


def _split_pipes(text: str) -> list[str]:
    """What stands before the first |, and each header after it; a | in quotes or <> is text."""
    before, pipe, after = text.partition("|")
    return [before.strip(), *split_list(after, "|")] if pipe else [text.strip()]


def _parse_headers(parts: list[str]) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    for part in parts:
        name, colon, value = part.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not value or not _HEADER_NAME.fullmatch(name):
            raise _Wrong(f"{part[:40]!r} is no header", "Write | Name: value.")
        if name.lower() in OWN_HEADERS:
            raise _Wrong(f"{name} is written by the carrier itself", "Remove this header.")
        headers.append((name, value))
    return tuple(headers)


class _Order:
    """What may follow what: a carrier cannot answer twice, or hang up before it has answered."""

    def __init__(self) -> None:
        self._stage = "new"
        self._calls = False

    def check(self, step: Step) -> None:
        if isinstance(step, ServerSet):
            if self._stage != "new":
                raise _Wrong("the call has begun", "Put server: set lines before all others.")
            return
        self._check_caller(step)
        if isinstance(step, Refer) and self._stage == "answered":
            raise _Wrong("the answer has said what is allowed", "Put carrier: refer above carrier: 200 OK.")
        if self._calls and isinstance(step, OF_EITHER):
            return
        if not isinstance(
            step, Respond | Challenge | Wait | Silence | Garbage | Garbled | RefuseConnection | Bye
        ):
            return
        if self._stage in {"refused", "silent", "ended"}:
            raise _Wrong(
                f"nothing of the carrier follows, for the call is {self._stage}", "Remove this step."
            )
        match step:
            case Bye() if self._stage != "answered":
                raise _Wrong("bye before an answer", "Put carrier: 200 OK above it.")
            case Respond() | Challenge() if self._stage == "answered":
                raise _Wrong("a second final status", "The call is answered already: write bye to end it.")
            case RefuseConnection() if self._stage != "new":
                raise _Wrong("the connection is in use already", "Write refuse connection as the first step.")
            case _:
                self._stage = self._after(step)

    def _check_caller(self, step: Step) -> None:
        if isinstance(step, CarrierCall):
            if self._stage != "new":
                raise _Wrong("the call has begun", "Put carrier: call above all other steps.")
            self._calls = True
        if isinstance(step, CALLER_STEPS) and not self._calls:
            raise _Wrong("the carrier has not called", "Put carrier: call from … to … above it.")

    def _after(self, step: Step) -> str:
        match step:
            case Respond(status=status) if status >= 300:
                return "refused"
            case Respond(status=status) if status >= 200:
                return "answered"
            case Silence() | RefuseConnection():
                return "silent"
            case Bye():
                return "ended"
            case _:
                return "answered" if self._stage == "answered" else "begun"


_READERS: dict[tuple[str, str], Callable[[str], Step]] = {
    ("carrier", "wait"): lambda rest: Wait(_parse_milliseconds(rest)),
    ("carrier", "garbled"): _parse_garbled,
    ("carrier", "bye"): _parse_bye,
    ("carrier", "call"): _parse_carrier_call,
    ("carrier", "refer"): _parse_refer,
    ("app", "add"): lambda rest: AppAdd(_parse_party(rest)),
    ("app", "remove"): lambda rest: AppRemove(_parse_party(rest)),
    ("app", "transfer"): _parse_transfer,
    ("app", "reject"): _parse_reject,
    ("app", "redirect"): _parse_redirect,
    ("app", "wait"): lambda rest: AppWait(_parse_milliseconds(rest)),
    ("app", "call"): _parse_call,
    ("server", "set"): _parse_set,
}


def _options(step: Respond) -> str:
    fork = f" fork={step.forks}" if step.forks > 1 else ""
    return f" {step.body}{fork}" if step.body else fork


def _piped(headers: tuple[tuple[str, str], ...]) -> str:
    return "".join(f" | {name}: {value}" for name, value in headers)


def _differing(step: Challenge) -> str:
    """The settings of a challenge; those of the login only where they are not the default."""
    login = (("user", step.user, DEFAULT_USER), ("password", step.password, DEFAULT_PASSWORD))
    extra = "".join(f" {name}={value}" for name, value, default in login if value != default)
    return f" realm={step.realm} algorithm={step.algorithm}{extra}"


def _duration(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds % 1000 else f"{milliseconds // 1000} s"
