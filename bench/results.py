"""What a run of calls.py came to: as data, and as a table for people. `as_json` tells any run's."""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from processes import machine

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(slots=True)
class Result:
    machine: str = field(default_factory=machine)
    python: str = field(default_factory=platform.python_version)
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))
    others_load: float = field(default_factory=lambda: os.getloadavg()[0])
    """Programs that wanted a processor in the minute before: above 0.5, believe ratios only."""
    start_up_seconds: float = 0.0
    idle_memory_mb: float = 0.0
    calls: int = 0
    failures: int = 0
    reasons: list[str] = field(default_factory=list[str])
    offered_a_second: float = 0.0
    cpu_ms_a_call: float = 0.0
    user_ms_a_call: float = 0.0
    system_ms_a_call: float = 0.0
    media_thread_ms_a_call: float = 0.0
    calls_a_second_a_core: float = 0.0
    full_load_calls_a_second: float = 0.0
    """With many calls open at every moment, and no pause between them."""
    full_load_cpu_ms_a_call: float = 0.0
    reused_tokens_calls_a_second: float = 0.0
    """Full load again, with delivery.token_reuse_seconds = 60: no RSA signature for each event."""
    reused_tokens_cpu_ms_a_call: float = 0.0
    sustained_calls_a_second: float = 0.0
    steps: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    last_sip_to_verdict_stored_ms: dict[str, float] = field(default_factory=dict[str, float])
    last_sip_to_event_out_ms: dict[str, float] = field(default_factory=dict[str, float])
    last_sip_to_event_taken_ms: dict[str, float] = field(default_factory=dict[str, float])
    held_calls: int = 0
    memory_kb_a_held_call: float = 0.0
    cpu_percent_a_hundred_held_calls: float = 0.0
    sippy: dict[str, float] | None = None
    sippy_to_onhook_ratio: float | None = None
    """ms of CPU of a call at Sippy over that at Onhook, in this run: above 1, Onhook costs less."""
    full_load_sippy_to_onhook_ratio: float | None = None
    reused_tokens_sippy_to_onhook_ratio: float | None = None


def as_json(result: "DataclassInstance") -> str:
    return json.dumps(_rounded(asdict(result)), indent=2)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _rounded(each) for name, each in fields.items()}
    return value


def _full_load(calls_a_second: float, cpu_ms: float) -> str:
    return f"{calls_a_second:.0f} calls/s, {cpu_ms:.2f} ms of CPU a call"


def _spread(ms: dict[str, float]) -> str:
    return f"p50 {ms['p50']:.2f} ms, p99 {ms['p99']:.2f} ms"


def as_text(result: Result) -> str:
    """One line a figure."""
    cost = (
        f"{result.cpu_ms_a_call:.2f} ms ({result.user_ms_a_call:.2f} user,"
        f" {result.system_ms_a_call:.2f} system; media thread {result.media_thread_ms_a_call:.2f})"
    )
    held = (
        f"{result.memory_kb_a_held_call:.0f} kB; {result.cpu_percent_a_hundred_held_calls:.1f} % of a core"
        f" for 100 (RTP, 50 packets/s each; {result.held_calls} held)"
    )
    rows = [
        ("machine", f"{result.machine}, Python {result.python}, {result.date}"),
        ("load before", f"{result.others_load:.1f}"),
        ("calls, failed", f"{result.calls}, {result.failures}"),
        (f"CPU a call at {result.offered_a_second:.0f}/s", cost),
        ("calls/s a core, by CPU", f"{result.calls_a_second_a_core:.0f}"),
        ("under full load", _full_load(result.full_load_calls_a_second, result.full_load_cpu_ms_a_call)),
        (
            "  with tokens reused",
            _full_load(result.reused_tokens_calls_a_second, result.reused_tokens_cpu_ms_a_call),
        ),
        ("calls/s sustained", f"{result.sustained_calls_a_second:.0f} offered, none failed or late"),
        ("last SIP to verdict stored", _spread(result.last_sip_to_verdict_stored_ms)),
        ("last SIP to event out", _spread(result.last_sip_to_event_out_ms)),
        ("last SIP to event taken", _spread(result.last_sip_to_event_taken_ms)),
        ("start-up", f"{result.start_up_seconds:.2f} s until /onhook/health answers"),
        ("memory idle", f"{result.idle_memory_mb:.0f} MB"),
        ("a held call", held),
        ("Sippy B2BUA, CPU a call", _peer(result)),
    ]
    return "\n".join(f"{name:<28}{value}" for name, value in rows)


def _peer(result: Result) -> str:
    peer = result.sippy
    if peer is None:
        return "not installed: bash tools/setup.sh bench"
    return (
        f"{peer['cpu_ms_a_call']:.2f} ms ({peer['user_ms_a_call']:.2f} user, {peer['system_ms_a_call']:.2f}"
        f" system), {peer['failures']:.0f} of {peer['calls']:.0f} failed;"
        f" {result.sippy_to_onhook_ratio} times Onhook's. Under full load"
        f" {_full_load(peer['full_load_calls_a_second'], peer['full_load_cpu_ms_a_call'])};"
        f" {result.full_load_sippy_to_onhook_ratio} times Onhook's,"
        f" {result.reused_tokens_sippy_to_onhook_ratio} times with tokens reused"
    )
