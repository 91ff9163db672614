"""Lines of scenarios that let media or a trunk fail, in virtual time: `server: fail …`, `server: lose …`

server: fail prompt https://app.example/menu.wav | status 404 Not Found
server: fail recognizer | 401 the key is wrong
server: fail stream wss://app.example/audio | 403 Forbidden
server: fail recording | the disk is full
server: fail trunk | certificate-expired the certificate has expired
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias, get_args

from onhook.lab.app_lines import piped
from onhook.lab.app_steps import Failing, ServerFail, ServerLose
from onhook.lab.scenario_lines import Wrong
from onhook.media.silent_prompts import PROMPT_FAULTS
from onhook.net.failures import WORDS

FaultStep: TypeAlias = ServerFail | ServerLose

FAULT_WORDS: Final[dict[Failing, tuple[str, ...]]] = {"prompt": PROMPT_FAULTS, "trunk": WORDS}
FAILING: tuple[Failing, ...] = get_args(Failing)
FIXED_FAULTS: dict[str, FaultStep] = {
    "server: lose streams": ServerLose(again=False),
    "server: lose streams for a while": ServerLose(again=True),
}
FAULT_FORMS: Final = (
    *FIXED_FAULTS,
    "server: fail prompt https://app.example/menu.wav | status 404 Not Found",
    "server: fail recognizer | 401 the key is wrong",
    "server: fail stream wss://app.example/audio | 403 Forbidden",
    "server: fail recording | the disk is full",
    "server: fail trunk | certificate-expired the certificate has expired",
)

_STATUS = re.compile(r"(?:([1-5]\d\d)(?: |$))?(.*)")


def _parse_fail(rest: str) -> ServerFail:
    parts = piped(rest)
    what, _, name = parts[0].partition(" ")
    known: Failing | None = next((each for each in FAILING if each == what), None)
    if known is None or len(parts) != 2 or bool(name) != (what in {"prompt", "stream"}):
        raise Wrong(f"fail {rest[:40]!r} is unknown", f"Write one of {', '.join(FAULT_FORMS[2:])}.")
    fault, _, detail = parts[1].partition(" ")
    words = FAULT_WORDS.get(known)
    if words is None:
        fault, detail = "", parts[1]
    elif fault not in words:
        raise Wrong(f"{fault[:40]!r} is no fault of a {known}", f"Write one of {', '.join(words)}.")
    if known == "trunk":
        return ServerFail(known, "", fault, None, detail.strip())
    matched = _STATUS.fullmatch(detail)
    assert matched is not None, "any text fits"
    status, text = matched.groups()
    return ServerFail(known, name.strip(), fault, int(status) if status else None, text)


FAULT_READERS: dict[tuple[str, str], Callable[[str], FaultStep]] = {("server", "fail"): _parse_fail}


def write_fault(step: FaultStep) -> str:
    if isinstance(step, ServerLose):
        return next(text for text, fixed in FIXED_FAULTS.items() if fixed == step)
    name = f" {step.name}" if step.name else ""
    words = [step.fault] if step.fault else []
    words += [str(step.status)] if step.status is not None else []
    words += [step.detail] if step.detail else []
    return f"server: fail {step.what}{name} | {' '.join(words)}"
