"""What stands beside the verdict, on a screen and in a report: audio of each leg, operations that failed."""

from onhook.endings.failures import Failure, Failures
from onhook.endings.quality import LegQuality
from onhook.endings.render import WIDTH, bullets, escaped, exhibit_line, hung, wrapped
from onhook.endings.tips_shown import TipShown

RATING_WORDS = {
    "good": "good",
    "fair": "fair",
    "poor": "poor",
    "none": "nothing that could be used",
    "unknown": "too little to tell",
}


def audio_lines(leg: LegQuality) -> list[str]:
    """Three lines: who and how it sounded, what came, what went."""
    agreed = " at ".join(filter(None, (leg.codec, leg.remote))) or "no RTP agreed on"
    head = f"{leg.party}, {agreed}: {RATING_WORDS[leg.rating]}"
    if leg.far_rating != "unknown":
        head += f"; ours arrived there: {RATING_WORDS[leg.far_rating]}"
    return [head, f"from it: {_came(leg)}", f"to it: {_went(leg)}"]


def _came(leg: LegQuality) -> str:
    words = [_packets(leg.received)]
    if leg.received:
        words += [f"{leg.loss_percent:.1f} % lost", f"jitter {leg.jitter_ms:.0f} ms"]
    if leg.late:
        words.append(f"{leg.late} too late")
    if leg.mos is not None:
        words.append(f"MOS {leg.mos:.1f}")
    if leg.loudest_dbov is not None:
        words.append(f"loudest {leg.loudest_dbov:.0f} dBov")
    if leg.gaps:
        words.append(f"stood still {leg.gaps} time{'s' if leg.gaps > 1 else ''}")
    return ", ".join(words)


def _went(leg: LegQuality) -> str:
    words = [_packets(leg.sent)]
    if leg.far_loss_percent is not None:
        words.append(f"{leg.far_loss_percent:.1f} % lost by its reports")
    else:
        words.append("no reports of what arrived")
    if leg.far_jitter_ms is not None:
        words.append(f"jitter {leg.far_jitter_ms:.0f} ms there")
    if leg.round_trip_ms is not None:
        words.append(f"round trip {leg.round_trip_ms:.0f} ms")
    return ", ".join(words)


def _packets(count: int) -> str:
    return f"{count:,} packet{'' if count == 1 else 's'}"


def audio_text(legs: tuple[LegQuality, ...]) -> str:
    """For a terminal; empty if no leg had media."""
    if not legs:
        return ""
    lines = ["Audio"]
    for leg in legs:
        head, *rest = audio_lines(leg)
        lines += [f"  {head}", *(f"     {line}" for line in rest)]
    return "\n".join(lines) + "\n"


def audio_markdown(legs: tuple[LegQuality, ...]) -> str:
    if not legs:
        return ""
    lines = ["## Audio", ""]
    for leg in legs:
        head, *rest = audio_lines(leg)
        lines += [f"- {head}", *(f"  - {line}" for line in rest)]
    return "\n".join(lines) + "\n"


def failure_headline(failure: Failure) -> str:
    """E.g. "play at +4.120 s: 400/8536 The prompt file could not be fetched · fault: application"."""
    told = failure.explanation
    return (
        f"{failure.operation} at +{failure.at_seconds:.3f} s: {told.code}/{told.subcode} {told.name} · "
        f"fault: {told.fault}"
    )


def failures_text(failures: Failures, *, width: int = WIDTH) -> str:
    """For a terminal; empty if nothing failed."""
    parts: list[str] = []
    for failure in failures.told:
        told = failure.explanation
        parts += [failure_headline(failure), *hung(map(exhibit_line, told.evidence), width)]
        parts += [f"  {line}" if line else "" for line in wrapped(told.advice, width - 2).split("\n")]
        parts.append("")
    if not parts:
        return ""
    return "\n".join(["Operations that failed within the call", *parts, *_left_out(failures)]).rstrip() + "\n"


def failures_markdown(failures: Failures) -> str:
    if not failures.told:
        return ""
    parts = ["## Operations that failed within the call", ""]
    for failure in failures.told:
        told = failure.explanation
        parts += [f"### {failure_headline(failure)}", "", told.meaning, "", *bullets(told.evidence)]
        parts += [
            "What to do:",
            "",
            told.advice,
            "",
            f"In the event: “{told.message}” (ending `{told.ending}`)",
            "",
        ]
    return "\n".join([*parts, *_left_out(failures)]).rstrip("\n") + "\n"


def _left_out(failures: Failures) -> list[str]:
    count = failures.left_out
    return [f"{count} more operations failed; they are left out here."] if count else []


def tips_text(tips: tuple[TipShown, ...], *, width: int = WIDTH) -> str:
    """For a terminal; empty if the call shows none."""
    if not tips:
        return ""
    return "\n".join(["Tips of the troubleshooting pages", *hung([tip.line() for tip in tips], width)]) + "\n"


def tips_markdown(tips: tuple[TipShown, ...]) -> str:
    if not tips:
        return ""
    lines = [f"- **{tip.tip}** {escaped(tip.line().removeprefix(tip.tip).strip())}" for tip in tips]
    return "\n".join(["## Tips of the troubleshooting pages", "", *lines]) + "\n"
