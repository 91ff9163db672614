"""Trunk transparency: each cause provoked at the far side of a trunk, and what comes through.

The far side is the built-in carrier, to which the trunk routes the number. Each cause is a call of its own,
placed as an application would place it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

import msgspec

from onhook.endings.codes import q850_causes, sip_phrase, sip_statuses
from onhook.endings.signals import cseq_of, reasons_of, status_of
from onhook.endings.transparency import in_words, rewritten
from onhook.facts import Cause, Rewrite, SipSeen, Timeline
from onhook.lab.scenario_steps import Bye, Respond, Scenario, Wait

CHALLENGES = frozenset({401, 407})
"""Not sent: they ask for credentials, and end nothing."""
BYE_CAUSES = (None, 16, 17, 19, 27, 31, 34, 38, 41, 88, 102, 127)
TALK_MS = 200
CALL_SECONDS = 12.0
"""For one call; a cause that has not come through by then is lost."""
POLL_SECONDS = 0.01


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One cause. `seen` None: nothing came through; not `reached`: the trunk ended the call by itself."""

    sent: Cause
    seen: Cause | None
    delay_ms: float | None = None
    """From our INVITE to the final response; for BYE, beyond the pause before it was sent."""
    reason: str = ""
    """The reason phrase that arrived."""
    reached: bool = True
    """The call came to the far side."""

    @property
    def unchanged(self) -> bool:
        return self.sent == self.seen


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """What one trunk does to causes. `measured_at` is Unix time."""

    trunk: str
    number: str
    measured_at: float
    rows: tuple[Row, ...]

    @property
    def rewrites(self) -> tuple[Rewrite, ...]:
        return rewritten([Rewrite(row.sent, row.seen) for row in self.rows if row.seen is not None])


class NotReached(Exception):
    """The calls do not come to the far side: the text says what came instead."""


class FarSide(Protocol):
    """Who refuses the calls: lab/carrier.py."""

    @property
    def address(self) -> tuple[str, int]: ...
    def will(self, number: str, scenario: Scenario | str, count: int = 1) -> None: ...
    def unwill(self, number: str) -> bool: ...


class Caller(Protocol):
    """Who places a call and knows when it is over."""

    def place(self, number: str) -> str:
        """The id of a call that was placed."""
        ...

    def is_open(self, call: str) -> bool: ...
    def end(self, call: str) -> None: ...
    def facts(self, call: str) -> Awaitable[Timeline]: ...


def causes() -> tuple[Cause, ...]:
    """All that are tried: each status from 400 on, each with the Q.850 causes that belong to it, each BYE."""
    plain = [Cause(status) for status in sorted(sip_statuses()) if status >= 400 and status not in CHALLENGES]
    reasons = [
        Cause(known.status, known.q850)
        for known in sip_statuses().values()
        if known.status >= 400 and known.q850 is not None and known.status not in CHALLENGES
    ]
    mapped = [
        Cause(known.sip_status, cause)
        for cause, known in q850_causes().items()
        if known.sip_status is not None and known.sip_status >= 400
    ]
    return tuple(
        dict.fromkeys([*plain, *sorted(reasons + mapped, key=str), *(Cause(0, c) for c in BYE_CAUSES)])
    )


def scenario_for(cause: Cause) -> Scenario:
    """What the far side does."""
    headers = () if cause.q850 is None else (("Reason", f"Q.850;cause={cause.q850}"),)
    if cause.status:
        return Scenario((Respond(cause.status, sip_phrase(cause.status) or "Refused", headers),))
    return Scenario((Respond(180, "Ringing"), Respond(200, "OK"), Wait(TALK_MS), Bye(headers)))


async def measure(
    number: str, far_side: FarSide, caller: Caller, tell: Callable[[int, int, Row], None]
) -> tuple[Row, ...]:
    """Try each cause once; `tell` hears of (done, of how many, row). Raises NotReached if the first is."""
    tried = causes()
    rows: list[Row] = []
    for cause in tried:
        row = await _try(cause, number, far_side, caller)
        if not rows and not row.reached:
            came = in_words(row.seen) if row.seen else "nothing"
            host, port = far_side.address
            raise NotReached(
                f"the call to {number} did not come to the built-in carrier at {host}:{port}; {came} came "
                "instead. Let the trunk route the number there."
            )
        rows.append(row)
        tell(len(rows), len(tried), row)
    return tuple(rows)


async def _try(cause: Cause, number: str, far_side: FarSide, caller: Caller) -> Row:
    far_side.will(number, scenario_for(cause))
    try:
        call = caller.place(number)
        await _until_over(call, caller)
    finally:
        reached = not far_side.unwill(number)
    return read_row(cause, await caller.facts(call), reached=reached)


async def _until_over(call: str, caller: Caller) -> None:
    try:
        async with asyncio.timeout(CALL_SECONDS):
            while caller.is_open(call):  # noqa: ASYNC110  # the end of a call is told to its application only
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        caller.end(call)


def read_row(cause: Cause, timeline: Timeline, *, reached: bool) -> Row:
    """What came of the call with which `cause` was tried."""
    invited: float | None = None
    answered: float | None = None
    for fact in timeline:
        if not isinstance(fact, SipSeen):
            continue
        if fact.direction == "sent":
            invited = fact.at if invited is None and fact.message.startswith(b"INVITE ") else invited
            continue
        status = status_of(fact.message)
        if status >= 200 and cseq_of(fact.message)[1] != b"INVITE":
            continue
        if 200 <= status < 300:
            answered = fact.at if answered is None else answered
        bye = fact.message.startswith(b"BYE ")
        if not bye and (status < 300 or status in CHALLENGES):
            continue
        since = answered if bye else invited
        pause = TALK_MS if bye else 0
        seen = Cause(status, reasons_of(fact.message).q850_cause)
        line = fact.start_line
        return Row(
            sent=cause,
            seen=seen,
            delay_ms=None if since is None else round(max(0.0, (fact.at - since) * 1000 - pause), 1),
            reason="" if bye else line[12:92],
            reached=reached,
        )
    return Row(sent=cause, seen=None, reached=reached)


def table_lines(table: Table) -> Iterator[tuple[str, str, str, str]]:
    """Sent, seen, delay, and a mark, for each row."""
    for row in table.rows:
        seen = in_words(row.seen) if row.seen else "nothing"
        delay = "-" if row.delay_ms is None else f"{row.delay_ms:.0f} ms"
        mark = "by the trunk itself" if not row.reached else "" if row.unchanged else "changed"
        yield in_words(row.sent), seen, delay, mark
