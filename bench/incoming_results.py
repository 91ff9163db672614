"""What a run of incoming.py came to: as data, and as a table for people."""

import os
import platform
import time
from dataclasses import dataclass, field

from processes import machine


@dataclass(slots=True)
class Burden:
    """What calls cost when many are open at every moment."""

    calls_a_second: float = 0.0
    cpu_ms_a_call: float = 0.0
    calls_a_second_a_core: float = 0.0
    """What the CPU time is worth: 1 over it."""


@dataclass(slots=True)
class IncomingResult:
    machine: str = field(default_factory=machine)
    python: str = field(default_factory=platform.python_version)
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))
    others_load: float = field(default_factory=lambda: os.getloadavg()[0])
    """Programs that wanted a processor in the minute before: above 0.5, believe ratios only."""
    calls: int = 0
    failures: int = 0
    reasons: list[str] = field(default_factory=list[str])
    endings: dict[str, int] = field(default_factory=dict[str, int])
    """Verdicts stored, as code/subcode: how many calls."""
    offered_a_second: float = 0.0
    cpu_ms_a_call: float = 0.0
    user_ms_a_call: float = 0.0
    system_ms_a_call: float = 0.0
    full_load: Burden = field(default_factory=Burden)
    reused_tokens: Burden = field(default_factory=Burden)
    """Full load again, with delivery.token_reuse_seconds = 60."""
    sustained_calls_a_second: float = 0.0
    steps: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    invite_to_incoming_call_ms: dict[str, float] = field(default_factory=dict[str, float])
    """From SIPp's sending of INVITE until the application has read IncomingCall."""
    invite_to_incoming_call_out_ms: dict[str, float] = field(default_factory=dict[str, float])
    """From INVITE's arrival until the post begins, by the server's own facts."""
    invite_to_answer_ms: dict[str, float] = field(default_factory=dict[str, float])
    """From SIPp's sending of INVITE until it has the 200, answerCall between them."""


def _spread(ms: dict[str, float]) -> str:
    return f"p50 {ms['p50']:.2f} ms, p99 {ms['p99']:.2f} ms, most {ms['most']:.2f} ms"


def _burden(burden: Burden) -> str:
    return (
        f"{burden.calls_a_second:.0f} calls/s, {burden.cpu_ms_a_call:.2f} ms of CPU a call"
        f" ({burden.calls_a_second_a_core:.0f} calls/s a core)"
    )


def incoming_as_text(result: IncomingResult) -> str:
    """One line a figure."""
    cost = (
        f"{result.cpu_ms_a_call:.2f} ms"
        f" ({result.user_ms_a_call:.2f} user, {result.system_ms_a_call:.2f} system)"
    )
    endings = ", ".join(f"{name}: {count}" for name, count in result.endings.items())
    rows = [
        ("machine", f"{result.machine}, Python {result.python}, {result.date}"),
        ("load before", f"{result.others_load:.1f}"),
        ("calls in, failed", f"{result.calls}, {result.failures}"),
        ("verdicts stored", endings),
        (f"CPU a call at {result.offered_a_second:.0f}/s", cost),
        ("under full load", _burden(result.full_load)),
        ("  with tokens reused", _burden(result.reused_tokens)),
        ("calls/s sustained", f"{result.sustained_calls_a_second:.0f} offered, none failed or late"),
        ("INVITE to IncomingCall taken", _spread(result.invite_to_incoming_call_ms)),
        ("  to IncomingCall out", _spread(result.invite_to_incoming_call_out_ms)),
        ("  to 200", _spread(result.invite_to_answer_ms)),
    ]
    return "\n".join(f"{name:<30}{value}" for name, value in rows)
