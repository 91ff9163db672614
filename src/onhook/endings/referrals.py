"""What became of a REFER that came to nothing, in the codes and words of a call to the target.

The far end calls the target itself, so all that is known of it are the status lines that it passes on.
"""

from typing import Literal, TypeAlias

from onhook.endings.codes import category_of, sip_phrase
from onhook.endings.judge import NO_CATEGORY
from onhook.endings.pages import page
from onhook.endings.rules import ending_of_status
from onhook.endings.signals import printable
from onhook.endings.verdict import Verdict

ReferralFault: TypeAlias = Literal["refused", "target", "untold", "left", "timeout", "undeliverable"]
"""As sip/referral.py names them."""

PAGES: dict[str, str] = {
    "untold": "transfer-untold",
    "timeout": "transfer-untold",
    "left": "transfer-cut-off",
    "undeliverable": "trunk-unreachable",
}
MAX_PHRASE = 80


def judge_referral(fault: str, status: int = 0, phrase: str = "") -> Verdict:
    """`status` decides where there is one of a refusal; else `fault`, a ReferralFault."""
    refused = 300 <= status < 700
    found = page(ending_of_status(status) if refused else PAGES.get(fault, "transfer-untold"))
    code, subcode = found.codes(status if refused else None)
    words = printable(phrase, MAX_PHRASE) or sip_phrase(status)
    message = found.front.message.replace("{status}", str(status)).replace("{phrase}", words)
    return Verdict(
        ending=found.id,
        code=code,
        subcode=subcode,
        event_code=code,
        message=f"{message} DiagCode: {code}#{subcode}.@",
        category=category_of(code, subcode).name or NO_CATEGORY,
        fault=found.front.fault,
        evidence=(),
        confidence=found.front.confidence,
        sip_status=status if refused else None,
        sip_reason=words if refused else "",
    )
