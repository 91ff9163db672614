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

from onhook.lab.app_lines import ASK_FORMS, media_options, parse_ask, piped, write_ask
from onhook.lab.app_steps import AppAsk, AppAwait, ServerFail, ServerLose
from onhook.lab.audio_lines import ALIASES, AUDIO_FORMS, AUDIO_READERS, FIXED_AUDIO, AudioStep, write_audio
from onhook.lab.fault_lines import FAULT_FORMS, FAULT_READERS, FIXED_FAULTS, write_fault
from onhook.lab.scenario_lines import ScenarioError, Wrong, duration, parse_milliseconds
from onhook.lab.scenario_order import Order
from onhook.lab.scenario_steps import (
    CARRIER_STEPS,
    DEFAULT_PASSWORD,
    DEFAULT_REALM,
    DEFAULT_USER,
    Algorithm,
    AppAnswer,
    AppCall,
    AppConnect,
    AppHangUp,
    AppIgnore,
    AppRedirect,
    AppReject,
    AppTerminate,
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
    PhoneStep,
    Refer,
    ReferAnswer,
    RefuseConnection,
    Respond,
    Scenario,
    ServerCrash,
    ServerRestart,
    ServerSet,
    Silence,
    Step,
    Wait,
)
from onhook.sip.headers import split_list
from onhook.sip.messages import REASONS

__all__ = ["FIXED", "FORMS", "ScenarioError", "parse_scenario", "write_scenario", "write_step"]

MAX_LINES = 200
MAX_LINE_CHARS = 1_000
MAX_FORKS = 9

FIXED: dict[str, Step] = {
    "carrier: silence": Silence(),
    "carrier: garbage": Garbage(),
    "carrier: refuse connection": RefuseConnection(),
    "carrier: ignore ack": IgnoreAck(),
    "carrier: ignore cancel": IgnoreCancel(),
    **FIXED_AUDIO,
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
    **FIXED_FAULTS,
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
    *AUDIO_FORMS,
    *ASK_FORMS,
    "app: wait for PlayCompleted",
    *FAULT_FORMS,
    "+14255550201: 486 Busy Here",
)
"""One example of each form, for the message about an unknown step."""

_NUMBER = re.compile(r"\+\d{1,20}")
_EVENT = re.compile(r"for ([A-Za-z]{1,60})")
_HEADER_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_CALL = re.compile(r"from (\S+) to (\S+)")
_CARRIER_CALL = re.compile(r"from (\S+) to (\S+?)( no-sdp)?")
_REDIRECT = re.compile(r"to (\S+)")
REFER_STATUSES = frozenset({"refused", "target"})
REJECT_REASONS = ("none", "busy", "forbidden")
_SET = re.compile(r"([a-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+) *= *(\S.*)")


def parse_scenario(text: str) -> Scenario:
    """Read a scenario; raises ScenarioError for the first line that is wrong."""
    steps: list[Step] = []
    order = Order()
    for number, line in _numbered(text):
        try:
            step = _parse_step(line)
            order.check(step)
        except Wrong as wrong:
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
        case Bye():
            return f"carrier: bye{_piped(step.headers)}"
        case AppCall():
            return f"app: call from {step.source or 'none'} to {step.target}{_listed(step.options)}"
        case ServerSet():
            return f"server: set {step.setting} = {step.value}"
        case CarrierCall() | AppAnswer() | AppReject() | AppRedirect():
            return _write_incoming(step)
        case _ if step in WRITTEN:
            return WRITTEN[step]
        case Wait():
            return f"carrier: wait {duration(step.milliseconds)}"
        case AppWait():
            return f"app: wait {duration(step.milliseconds)}"
        case _:
            return _write_media(step)


def _write_media(step: Step) -> str:
    match step:
        case Garbled():
            return f"carrier: garbled {step.status}"
        case Refer():
            return f"carrier: refer {step.how} {step.status}"
        case AppAsk():
            return write_ask(step)
        case AppAwait():
            return f"app: wait for {step.event}"
        case ServerFail() | ServerLose():
            return write_fault(step)
        case PhoneStep():
            return f"{step.number}:{write_step(step.step).removeprefix('carrier:')}"
        case _:
            return write_audio(cast("AudioStep", step))


def _listed(options: tuple[str, ...]) -> str:
    return "".join(f" | {option}" for option in options)


def _write_incoming(step: CarrierCall | AppAnswer | AppReject | AppRedirect) -> str:
    match step:
        case AppAnswer():
            return f"app: answer{_listed(step.options)}"
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
    if colon and _NUMBER.fullmatch(who):
        return _parse_phone(who, what)
    if not colon or who not in {"carrier", "app", "server"}:
        raise Wrong(
            f"{line[:60]!r} does not say who acts",
            'Begin with "carrier:", "app:", "server:" or the number of a phone that is called.',
        )
    if (fixed := FIXED.get(f"{who}: {what}") or ALIASES.get(f"{who}: {what}")) is not None:
        return fixed
    if who == "app" and (ask := parse_ask(what)) is not None:
        return ask
    verb, _, rest = what.partition(" ")
    reader = _READERS.get((who, verb))
    if reader is not None:
        return reader(rest.strip())
    if who == "carrier" and verb.isascii() and verb.isdigit():
        return _parse_status(verb, rest.strip())
    raise _unknown(who, what)


def _parse_phone(number: str, what: str) -> PhoneStep:
    step = _parse_step(f"carrier: {what}")
    if not isinstance(step, CARRIER_STEPS):
        raise Wrong(
            f"{what[:40]!r} is nothing that a called phone does", "Write it as a step of the carrier."
        )
    return PhoneStep(number, step)


def _unknown(who: str, what: str) -> Wrong:
    forms = ", ".join(f'"{form}"' for form in FORMS if form.startswith(f"{who}:"))
    return Wrong(f"unknown step {f'{who}: {what}'[:60]!r}", f"Write one of {forms}.")


def _parse_status(digits: str, rest: str) -> Step:
    status = int(digits) if len(digits) == 3 else 0
    if not 100 <= status <= 699:
        raise Wrong(f"{digits[:20]} is no SIP status", "Write three digits from 100 to 699.")
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
        raise Wrong(f"{word} with status {status}", "Only an answer forks: 200 OK fork=2.")
    if count not in {str(number) for number in range(2, MAX_FORKS + 1)}:
        raise Wrong(f"{word[:20]!r} is no number of answers", f"Write fork=2 up to fork={MAX_FORKS}.")
    return int(count)


def _parse_challenge(status: int, words: list[str], header_parts: list[str]) -> Challenge:
    if status not in {401, 407}:
        raise Wrong(f"{status} cannot challenge", "Write 401 challenge or 407 challenge.")
    if header_parts:
        raise Wrong("a challenge takes no headers", "Remove what stands after the |.")
    values = {
        "realm": DEFAULT_REALM,
        "algorithm": "SHA-256",
        "user": DEFAULT_USER,
        "password": DEFAULT_PASSWORD,
    }
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not value or name not in values or '"' in value:
            raise Wrong(
                f"{word[:40]!r} is no setting of a challenge", "Write realm=, algorithm=, user=, password=."
            )
        values[name] = value
    algorithm = ALGORITHMS.get(values["algorithm"])
    if algorithm is None:
        raise Wrong(f"unknown algorithm {values['algorithm'][:20]!r}", "Write algorithm=MD5 or SHA-256.")
    return Challenge(status, values["realm"], algorithm, values["user"], values["password"])


def _parse_garbled(rest: str) -> Garbled:
    if not (len(rest) == 3 and rest.isascii() and rest.isdigit() and "100" <= rest <= "699"):
        raise Wrong(f"{rest[:20]!r} is no SIP status", "Write garbled 200.")
    return Garbled(int(rest))


def _parse_bye(rest: str) -> Bye:
    first, *header_parts = _split_pipes(rest)
    if first:
        raise Wrong(f"{first[:40]!r} after bye", "Put headers after a |: bye | Reason: Q.850;cause=38.")
    return Bye(_parse_headers(header_parts))


def _parse_call(rest: str) -> AppCall:
    numbers, *options = piped(rest)
    matched = _CALL.fullmatch(numbers)
    if matched is None:
        raise Wrong(f"{rest[:40]!r} names no two numbers", "Write call from none to +14255550123.")
    media_options(options)
    source, target = matched.groups()
    return AppCall(None if source == "none" else source, target, tuple(options))


def _parse_answer(rest: str) -> AppAnswer:
    first, *options = piped(rest)
    if first:
        raise Wrong(f"{first[:40]!r} after answer", "Put options after a |: answer | streaming wss://….")
    media_options(options)
    return AppAnswer(tuple(options))


def _parse_app_wait(rest: str) -> AppWait | AppAwait:
    matched = _EVENT.fullmatch(rest)
    return AppAwait(matched[1]) if matched else AppWait(parse_milliseconds(rest))


def _parse_carrier_call(rest: str) -> CarrierCall:
    matched = _CARRIER_CALL.fullmatch(rest)
    if matched is None:
        raise Wrong(f"{rest[:40]!r} names no two numbers", "Write call from +14255550200 to +14255550100.")
    source, target, bare = matched.groups()
    return CarrierCall(None if source == "none" else source, target, sdp=not bare)


def _parse_reject(rest: str) -> AppReject:
    if rest not in {"", *REJECT_REASONS}:
        raise Wrong(f"{rest[:20]!r} is no reason", f"Write reject {' or reject '.join(REJECT_REASONS)}.")
    return AppReject(rest or "none")


def _parse_redirect(rest: str) -> AppRedirect:
    matched = _REDIRECT.fullmatch(rest)
    if matched is None:
        raise Wrong(f"{rest[:40]!r} names nobody", "Write redirect to +14255550201 or the raw id of a user.")
    return AppRedirect(matched[1])


def _parse_refer(rest: str) -> Refer:
    how, _, status = rest.partition(" ")
    if how not in REFER_STATUSES or not (len(status) == 3 and status.isascii() and "300" <= status <= "699"):
        raise Wrong(
            f"{rest[:40]!r} is no answer to a REFER",
            "Write refer accepted, silent, ignored or bye; or refer refused 603, refer target 486.",
        )
    return Refer(cast("ReferAnswer", how), int(status))


def _parse_set(rest: str) -> ServerSet:
    matched = _SET.fullmatch(rest)
    if matched is None:
        raise Wrong(f"{rest[:40]!r} is no setting", "Write set trunk.carrier.max_calls = 1.")
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
            raise Wrong(f"{part[:40]!r} is no header", "Write | Name: value.")
        if name.lower() in OWN_HEADERS:
            raise Wrong(f"{name} is written by the carrier itself", "Remove this header.")
        headers.append((name, value))
    return tuple(headers)


_READERS: dict[tuple[str, str], Callable[[str], Step]] = {
    ("carrier", "wait"): lambda rest: Wait(parse_milliseconds(rest)),
    ("carrier", "garbled"): _parse_garbled,
    ("carrier", "bye"): _parse_bye,
    ("carrier", "call"): _parse_carrier_call,
    ("carrier", "refer"): _parse_refer,
    ("app", "reject"): _parse_reject,
    ("app", "redirect"): _parse_redirect,
    ("app", "wait"): _parse_app_wait,
    ("app", "answer"): _parse_answer,
    ("app", "call"): _parse_call,
    ("server", "set"): _parse_set,
    **AUDIO_READERS,
    **FAULT_READERS,
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
