"""What stands beside the rows of a code: public reports, disputes between sources, signals.

Reports tell where the code misled people; disputes where documents contradict each other or themselves;
signals which event on the wire the code stands for.
"""

from functools import cache
from typing import Literal, TypeAlias

import msgspec

from onhook.endings.asked import Asked
from onhook.endings.pages import Page, pages
from onhook.endings.tables import read_table

SignalBasis: TypeAlias = Literal["documented", "published-in-query", "inferred"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A public report of a code that points at the wrong cause. `source` is repository#number on GitHub.

    It belongs to a pair, to a SIP status with a Q.850 cause, or to a word that stands in the text.
    """

    code: int | None
    subcode: int | None
    sip_status: int | None
    q850: int | None
    text: str
    printed: str
    cause: str
    check: str
    source: str

    def is_about(self, asked: Asked, text: str) -> bool:
        """Does it tell of what was asked? `text` is the question, in lower case."""
        if self.text:
            return self.text in text and self.subcode in {asked.subcode, asked.number, 0}
        if self.q850 is not None:
            return self.q850 == asked.q850_cause and asked.sip_status in {None, self.sip_status}
        told = asked.subcode if asked.subcode is not None else asked.number
        return told is not None and told == self.subcode and asked.code in {None, self.code, _twin(self.code)}


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """Documents that do not agree about the subcodes `first` to `last`; `code` None: whatever the code."""

    code: int | None
    first: int
    last: int
    says: str
    sources: str


class SignalRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which pair stands for what happened on the wire. `status` is a SIP status, or BYE or CANCEL, or "".

    `leg` is inbound (telephone to service), outbound, either, or voip (a user without SIP). `basis` tells
    where the pairing is from. `endings` are the pages that share the pair and this signal.
    """

    signal: str
    leg: Literal["inbound", "outbound", "either", "voip"]
    status: str
    cause: int | None
    code: int
    subcode: int
    basis: SignalBasis
    endings: tuple[str, ...]


def _number(text: str) -> int | None:
    return int(text) if text else None


def _twin(code: int | None) -> int | None:
    """200 for 0 and 0 for 200: the same ending, told by another interface."""
    return 200 - code if code in {0, 200} else code


@cache
def reports() -> tuple[Report, ...]:
    numbers = ("code", "subcode", "sip_status", "q850")
    return tuple(
        msgspec.convert({**line, **{name: _number(line[name]) for name in numbers}}, Report)
        for line in read_table("reports")
    )


@cache
def disputes() -> tuple[Dispute, ...]:
    numbers = ("code", "first", "last")
    return tuple(
        msgspec.convert({**line, **{name: _number(line[name]) for name in numbers}}, Dispute)
        for line in read_table("disputes")
    )


@cache
def signal_rules() -> tuple[SignalRule, ...]:
    """Those of the table, then one by its name for each ending of a call that the table does not name."""
    numbers = ("cause", "code", "subcode")
    told = tuple(
        msgspec.convert(
            {
                **line,
                **{name: _number(line[name]) for name in numbers},
                "endings": line["endings"].split(),
            },
            SignalRule,
        )
        for line in read_table("signals")
    )
    named = {ending for each in told for ending in each.endings}
    return told + tuple(
        _by_name(page) for page in pages().values() if page.id not in named and not page.front.events
    )


def _by_name(page: Page) -> SignalRule:
    front = page.front
    basis: SignalBasis = "inferred" if front.basis == "assumed" else "documented"
    return SignalRule(
        signal=front.name,
        leg="either",
        status="",
        cause=None,
        code=front.code,
        subcode=front.subcode,
        basis=basis,
        endings=(page.id,),
    )


def reports_about(asked: Asked, text: str) -> list[Report]:
    small = text.lower()
    return [report for report in reports() if report.is_about(asked, small)]


def disputes_about(code: int | None, subcode: int) -> list[str]:
    """What the documents dispute about this pair, in words, with the documents."""
    return [
        f"{each.says} ({each.sources})"
        for each in disputes()
        if each.first <= subcode <= each.last and (code is None or each.code in {None, code, _twin(code)})
    ]


def signals_of(code: int | None, subcode: int) -> list[SignalRule]:
    """The signals that this pair stands for."""
    return [
        each
        for each in signal_rules()
        if each.subcode == subcode and (code is None or code in {each.code, _twin(each.code)})
    ]


def signals_for(status: int) -> list[SignalRule]:
    """The signals whose SIP status is `status`."""
    return [each for each in signal_rules() if each.status == str(status)]
