"""An explanation as text for one screen, and as Markdown for a report."""

import re
import textwrap
from collections.abc import Iterable

from onhook.endings.explain import Exhibit, Explanation, FailedAttempt

WIDTH = 100


def headline(told: Explanation) -> str:
    """E.g. "486/560486 The callee was busy · Success · fault: callee · confidence high"."""
    return (
        f"{told.code}/{told.subcode} {told.name} · {told.category} · fault: {told.fault} · "
        f"confidence {told.confidence}"
    )


def exhibit_line(exhibit: Exhibit) -> str:
    """E.g. "#4 +0.412 s ◀ trunk carrier: SIP/2.0 486 Busy Here — the trunk refused with 486"."""
    return f"#{exhibit.fact} +{exhibit.at_seconds:.3f} s {exhibit.seen} — {exhibit.shows}"


def attempt_line(attempt: FailedAttempt) -> str:
    """E.g. "#7 +0.012 s trunk first: 503/560503 The trunk is out of service (trunk-unavailable)"."""
    return (
        f"#{attempt.fact} +{attempt.at_seconds:.3f} s trunk {attempt.trunk}: "
        f"{attempt.code}/{attempt.subcode} {attempt.name} ({attempt.ending})"
    )


def render_text(told: Explanation, *, width: int = WIDTH) -> str:
    """The explanation for a terminal, `width` characters wide."""
    parts = [headline(told), "", wrapped(told.meaning, width), ""]
    parts += ["Evidence", *hung(map(exhibit_line, told.evidence), width), ""]
    if told.attempts:
        parts += ["Trunks tried before", *hung(map(attempt_line, told.attempts), width), ""]
    if told.remarks:
        parts += ["Remarks", *hung(map(exhibit_line, told.remarks), width), ""]
    parts += ["What to do", wrapped(told.advice, width), ""]
    parts += ["What would change the verdict", wrapped(told.would_change, width), ""]
    parts += [wrapped(line, width) for line in _footnotes(told)]
    return "\n".join(parts) + "\n"


def render_markdown(told: Explanation, *, beside: str = "", ladder: str = "") -> str:
    """The explanation for an issue or a chat; `beside` are sections of others, and last comes the ladder."""
    parts = [f"# {told.code}/{told.subcode} {told.name}", ""]
    parts += [
        f"**{told.category}** · fault: {told.fault} · confidence {told.confidence} · ending `{told.ending}`",
        "",
    ]
    parts += [told.meaning, "", "## Evidence", "", *bullets(told.evidence)]
    if told.attempts:
        tried = [f"- {escaped(attempt_line(each))}" for each in told.attempts]
        parts += ["## Trunks tried before", "", *tried, ""]
    if told.remarks:
        parts += ["## Remarks", "", *bullets(told.remarks)]
    for heading, text in (
        ("Whose side", told.whose_side),
        ("How we know", told.how_we_know),
        ("What to do", told.advice),
        ("Look-alikes", told.look_alikes),
        ("What would change the verdict", told.would_change),
        ("Codes", "\n".join(f"- {line}" for line in _footnotes(told))),
    ):
        parts += [f"## {heading}", "", text, ""]
    if beside:
        parts += [beside, ""]
    if ladder:
        parts += ["## Ladder", "", "```", ladder.rstrip("\n"), "```", ""]
    return "\n".join(parts).rstrip("\n") + "\n"


def _footnotes(told: Explanation) -> list[str]:
    """Where the codes come from, and where Microsoft's tables say something else or nothing."""
    lines = [f"In events: {told.event_code}/{told.subcode}, “{told.message}”"]
    lines.append(f"The pair is {told.basis}: {told.source}.")
    published = told.published
    if published.name:
        lines.append(f"Microsoft's tables ({published.source}): {published.name}. {published.meaning}")
    if published.advice:
        lines.append(f"Their advice: {published.advice}")
    if published.note:
        lines.append(published.note)
    if told.category_basis == "inferred":
        lines.append(f"They leave the category empty; {told.category} is inferred.")
    elif told.category_basis == "none":
        lines.append("No source gives a category for this pair.")
    if told.sip_status is not None:
        lines.append(f"SIP: {told.sip_status} {told.sip_reason}".rstrip())
    if told.q850_cause is not None:
        lines.append(f"Q.850: {told.q850_cause} {told.q850_text}".rstrip())
    return lines


def bullets(exhibits: tuple[Exhibit, ...]) -> list[str]:
    """Evidence as a list in Markdown, with an empty line after it."""
    lines: list[str] = []
    for told in exhibits:
        seen, shows = _code(told.seen), escaped(told.shows)
        lines.append(f"- **#{told.fact}** +{told.at_seconds:.3f} s {seen}: {shows}")
    return [*lines, ""]


def _code(text: str) -> str:
    """Text of strangers as a code span: its own backticks cannot end it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def escaped(text: str) -> str:
    """Text of strangers in Markdown: nothing in it is markup."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


def wrapped(text: str, width: int) -> str:
    """Prose of a page for a terminal: code spans bare, paragraphs filled, list items hung."""
    plain = text.replace("`", "")
    blocks: list[str] = []
    for paragraph in re.split(r"\n(?=- )|\n\n", plain):
        flat = " ".join(paragraph.split())
        hang = "  " if flat.startswith("- ") else ""
        blocks.append(textwrap.fill(flat, width, subsequent_indent=hang, break_on_hyphens=False))
    return "\n".join(blocks)


def hung(lines: Iterable[str], width: int) -> list[str]:
    """Lines of evidence for a terminal, those that go on indented deeper."""
    return [
        textwrap.fill(line, width, initial_indent="  ", subsequent_indent="     ", break_on_hyphens=False)
        for line in lines
    ]
