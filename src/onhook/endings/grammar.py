"""What the digits of a subcode tell when no table lists it.

The order of steps: the exact pair; the same subcode with another code; the six-digit family; the
four- or five-digit family; the code alone; unknown. Every answer names its step and how far to trust
it. Families are documented by Microsoft's PSTN, Direct Routing and Call Automation pages or seen in
their published query (column `evidence` of tables/families.csv); what is built on the pattern alone
says "inferred" in its remarks.
"""

from functools import cache, lru_cache
from typing import Literal, TypeAlias

import msgspec

from onhook.endings.codes import (
    CACHED_PAIRS,
    CodeRow,
    aliases,
    by_subcode,
    find,
    sip_phrase,
)
from onhook.endings.tables import read_table
from onhook.endings.verdict import Confidence

Step: TypeAlias = Literal[
    "exact pair",
    "exact subcode",
    "six-digit family",
    "four- or five-digit family",
    "code alone",
    "unknown",
]

MAX_SUBCODE = 999_999
"""The longest subcode that any source shows has six digits."""

_LOWER: dict[Confidence, Confidence] = {"high": "medium", "medium": "low", "low": "low"}
_DECIDED_BY = {"client": "client", "service": "service", "sbc": "SBC or operator"}


class DigitFamily(msgspec.Struct, frozen=True, gc=False):
    """A range of subcodes (or of codes) of one layer. `form` says how its last three digits are read:
    "status" (a SIP status, 000 = normal end), "code" (often the code), "transport", or "".
    """

    of: Literal["subcode", "code"]
    first: int
    last: int
    form: Literal["status", "code", "transport", ""]
    layer: str
    decided_by: str
    direction: Literal["inbound", "outbound", ""]
    meaning: str
    advice: str
    confidence: Confidence
    evidence: str


class Decoded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`expected_code` is the code that belongs with this subcode, where the digits or the table tell.

    `sip_status` is set only where the last three digits are one. `nearest_layer` is for unknown
    subcodes only: the family that shares most leading digits, or "".
    """

    code: int | None
    subcode: int
    step: Step
    confidence: Confidence
    layer: str
    decided_by: str
    meaning: str
    advice: str
    direction: str = ""
    expected_code: int | None = None
    sip_status: int | None = None
    evidence: str = ""
    remarks: tuple[str, ...] = ()
    row: CodeRow | None = None
    nearest_layer: str = ""


@cache
def families() -> tuple[DigitFamily, ...]:
    """Every family, the narrowest range first: the first that holds a number is the most precise."""
    read = [
        msgspec.convert({**line, "first": int(line["first"]), "last": int(line["last"])}, DigitFamily)
        for line in read_table("families")
    ]
    return tuple(sorted(read, key=lambda family: family.last - family.first))


def family_of(subcode: int) -> DigitFamily | None:
    """The most precise family that holds `subcode`."""
    return _narrowest("subcode", subcode)


def class_of(code: int) -> DigitFamily | None:
    """What a code alone tells."""
    return _narrowest("code", code)


def _narrowest(of: str, number: int) -> DigitFamily | None:
    for family in families():
        if family.of == of and family.first <= number <= family.last:
            return family
    return None


@lru_cache(maxsize=CACHED_PAIRS)
def decode(subcode: int, code: int | None = None) -> Decoded:
    """Say what is known of `subcode`, by the steps above; never raises for any integer."""
    row = None if code is None else find(code, subcode)
    if row is not None:
        return _from_row(row, subcode, code, "exact pair")
    elsewhere = by_subcode(subcode)
    if elsewhere:
        return _from_row(elsewhere[0], subcode, code, "exact subcode")
    family = family_of(subcode)
    if family is not None:
        return (
            _from_status(family, subcode, code)
            if family.form == "status"
            else _from_family(family, subcode, code)
        )
    general = None if code is None else class_of(code)
    if general is not None:
        return Decoded(
            code=code,
            subcode=subcode,
            step="code alone",
            confidence="low",
            layer=general.layer,
            decided_by=general.decided_by,
            meaning=general.meaning,
            advice=general.advice,
            evidence=general.evidence,
            remarks=(f"Subcode {subcode} belongs to no known family; only the code {code} tells anything.",),
            nearest_layer=_nearest_layer(subcode),
        )
    return _unknown(subcode, code)


def _unknown(subcode: int, code: int | None) -> Decoded:
    remarks = ["No table lists this subcode and its digits fit no known family."]
    if not 0 <= subcode <= MAX_SUBCODE:
        remarks.append("No source shows a subcode below 0 or of more than six digits.")
    return Decoded(
        code=code,
        subcode=subcode,
        step="unknown",
        confidence="low",
        layer="unknown",
        decided_by="unknown",
        meaning="Not known.",
        advice="Keep the call id and the message that came with it, and ask support.",
        remarks=tuple(remarks),
        nearest_layer=_nearest_layer(subcode),
    )


def _from_row(row: CodeRow, subcode: int, code: int | None, step: Step) -> Decoded:
    codes = _codes_listed(subcode)
    remarks: list[str] = []
    confidence: Confidence = "high"
    if step == "exact subcode" and code is not None:
        confidence = "medium" if codes else "low"
        listed = " or ".join(map(str, codes)) or "no code at all"
        remarks.append(f"The sources list subcode {subcode} with {listed}, not with {code}.")
    elif step == "exact subcode" and len(codes) > 1:
        confidence = "medium"
        remarks.append(
            f"The sources list subcode {subcode} with several codes: {', '.join(map(str, codes))}."
        )
    misprint = next((alias for alias in aliases() if alias.printed == (row.code, subcode)), None)
    if misprint:
        confidence = _LOWER[confidence]
        remarks.append(f"A misprint of {misprint.read_as[0]}/{misprint.read_as[1]}. {misprint.why}")
    family = family_of(misprint.read_as[1] if misprint else subcode)
    status = _status_in(family, subcode) if family else None
    return Decoded(
        code=code,
        subcode=subcode,
        step=step,
        confidence=confidence,
        layer=family.layer if family else "unknown",
        decided_by=_DECIDED_BY[row.origin_of_response],
        meaning=row.meaning,
        advice=row.advice or (family.advice if family else ""),
        direction=row.direction,
        expected_code=misprint.read_as[0] if misprint else row.code,
        sip_status=status,
        evidence=row.source,
        remarks=tuple(remarks),
        row=row,
    )


def _codes_listed(subcode: int) -> list[int]:
    """The codes that go with `subcode`; 200 counts as 0, and misprints do not count."""
    misprints = {alias.printed for alias in aliases()}
    codes = {
        row.code
        for row in by_subcode(subcode)
        if row.code is not None and (row.code, subcode) not in misprints
    }
    return sorted(codes - {200} if 0 in codes else codes)


def _status_in(family: DigitFamily, subcode: int) -> int | None:
    """The final SIP status in the last three digits, if this family carries one there."""
    digits = subcode % 1000
    return digits if family.form == "status" and 300 <= digits <= 699 else None


def _from_status(family: DigitFamily, subcode: int, code: int | None) -> Decoded:
    """540NNN and 560NNN: NNN is the final SIP status of the leg."""
    digits = subcode % 1000
    status = _status_in(family, subcode)
    confidence = family.confidence
    remarks: list[str] = []
    expected: int | None = status
    if status is None:
        confidence = "low"
        expected = None
        meaning = (
            f"The {family.direction} leg ended, but its last digits {digits:03d} are no final SIP status."
        )
        if 200 <= digits <= 299:
            meaning = f"The {family.direction} leg had been answered ({digits}) when it was cancelled."
            remarks.append("Inferred from 540200, which the published query pairs with 487.")
            expected = 487
    else:
        phrase = sip_phrase(status)
        meaning = (
            f"The {family.direction} leg ended with SIP status {status}{f' {phrase}' if phrase else ''}."
        )
        if not phrase:
            confidence = _LOWER[confidence]
            remarks.append(f"No RFC defines SIP status {status}.")
    if code is not None and expected is not None and code != expected:
        confidence = _LOWER[confidence]
        remarks.append(
            f"Code {code} does not fit: {expected} belongs with {subcode}. A misprint or a translation."
        )
    return Decoded(
        code=code,
        subcode=subcode,
        step="six-digit family",
        confidence=confidence,
        layer=family.layer,
        decided_by=family.decided_by if family.direction == "outbound" else "service or SBC",
        meaning=meaning,
        advice=family.advice,
        direction=family.direction,
        expected_code=expected,
        sip_status=status,
        evidence=family.evidence,
        remarks=tuple(remarks),
    )


def _from_family(family: DigitFamily, subcode: int, code: int | None) -> Decoded:
    digits = subcode % 1000
    expected: int | None = None
    remarks: list[str] = []
    if family.form == "code" and sip_phrase(digits):
        expected = digits
        remarks.append(f"Inferred: the last digits read as code {digits}, as in 510403 and 511404.")
    elif family.form == "transport":
        expected = 504
        remarks.append("After 54 or 56, a third digit 9 is never part of a SIP status.")
    confidence = family.confidence
    if code is not None and expected is not None and code != expected:
        confidence = _LOWER[confidence]
        remarks.append(f"Code {code} does not fit: {expected} is expected with {subcode}.")
    return Decoded(
        code=code,
        subcode=subcode,
        step="six-digit family" if subcode > 99_999 else "four- or five-digit family",
        confidence=confidence,
        layer=family.layer,
        decided_by=family.decided_by,
        meaning=family.meaning,
        advice=family.advice,
        direction=family.direction,
        expected_code=expected,
        evidence=family.evidence,
        remarks=tuple(remarks),
    )


def _nearest_layer(subcode: int) -> str:
    """The layer of the family that shares at least two leading digits, and as many digits in all."""
    text = str(subcode)
    best, layer = 1, ""
    for family in families():
        if family.of == "subcode" and len(str(family.first)) == len(text):
            shared = _shared_prefix(str(family.first), text)
            if shared > best:
                best, layer = shared, family.layer
    return layer


def _shared_prefix(one: str, other: str) -> int:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
