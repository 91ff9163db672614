"""The built-in carrier's test numbers: one table, dialled as test cards are.

The last three digits of a number choose the card, the fourth from the end delays the card's last step by
so many seconds, the fifth chooses the Reason header. docs/reference/test-numbers.md is made from here.
"""

from functools import lru_cache
from typing import NamedTuple

from onhook.endings.codes import q850_name, sip_phrase, sip_to_q850
from onhook.lab.scenario import parse_scenario
from onhook.lab.scenario_steps import (
    Bye,
    Challenge,
    Garbage,
    Garbled,
    RefuseConnection,
    Respond,
    Scenario,
    Silence,
    Step,
    Wait,
)
from onhook.sip.reason import Q850, SIP, Reason, write_reason

NORMAL_CLEARING = 16
USER_BUSY = 17
REASON_OWN = "5"
MAX_NUMBERS_KEPT = 4_096
"""Scenarios of so many dialled numbers are kept ready."""


class Card(NamedTuple):
    """`ending` is the id of the ending of a call that the application leaves alone as long as it can."""

    digits: str
    name: str
    text: str
    """Scenario, see scenario.py; with the card's own Reason header."""
    shows: str
    ending: str

    @property
    def scenario(self) -> Scenario:
        return parse_scenario(self.text)


def q850_reason(cause: int) -> str:
    """A Reason header value with a Q.850 cause and its name."""
    return write_reason(Reason(Q850, cause, q850_name(cause)))


def sip_reason(status: int) -> str:
    """A Reason header value with a SIP status and its phrase."""
    return write_reason(Reason(SIP, status, sip_phrase(status)))


def _refusal(status: int, name: str, shows: str, ending: str, *, cause: int = 0, digits: str = "") -> Card:
    """A card that answers 100 and then `status`, with a Q.850 cause if one is given."""
    reason = f" | Reason: {q850_reason(cause)}" if cause else ""
    text = f"carrier: 100 Trying\ncarrier: {status} {sip_phrase(status) or 'Unknown'}{reason}\n"
    return Card(digits or str(status), name, text, shows, ending)


RINGS = "carrier: 180 Ringing\n"
ANSWERS = RINGS + "carrier: 200 OK\n"


def _talks(  # what it does with audio is the whole card
    digits: str, name: str, *then: str, shows: str, before: str = "", ending: str = "hung-up-by-app"
) -> Card:
    """A card that answers and then does something with audio; `before` the answer says how."""
    first = f"carrier: {before}\n" if before else ""
    return Card(digits, name, first + ANSWERS + "".join(f"carrier: {step}\n" for step in then), shows, ending)


CARDS: tuple[Card, ...] = (
    Card(
        "000",
        "silence",
        "carrier: silence\n",
        "Nothing ever comes back, as from a dead host or a closed firewall.",
        "trunk-silent",
    ),
    Card(
        "100",
        "trying, then silence",
        "carrier: 100 Trying\ncarrier: silence\n",
        "The carrier took the call and then never said more; CANCEL gets no answer either.",
        "trunk-stalled",
    ),
    Card(
        "180",
        "rings out",
        RINGS + f"carrier: wait 3 s\ncarrier: 480 Temporarily Unavailable | Reason: {q850_reason(19)}\n",
        "The phone rings, nobody takes it, the carrier gives up.",
        "callee-unavailable",
    ),
    Card(
        "181",
        "rings for ever",
        RINGS,
        "The phone rings until our side gives up: set-up time and CANCEL.",
        "rang-out",
    ),
    Card(
        "200",
        "answers",
        ANSWERS,
        "The call stays up, with RTP silence, until our side hangs up. Cards 220 to 232 have sound.",
        "hung-up-by-app",
    ),
    Card(
        "201",
        "answers, hangs up",
        ANSWERS + "carrier: wait 1 s\ncarrier: bye\n",
        "A normal end by the phone, one second after the answer.",
        "hung-up-by-phone",
    ),
    Card(
        "202",
        "misses our ACK",
        "carrier: ignore ack\n" + ANSWERS,
        "The 200 comes again and again, then BYE after 32 s, as when ACK is routed wrongly.",
        "ack-lost",
    ),
    Card(
        "203",
        "early media",
        "carrier: 183 Session Progress sdp\ncarrier: wait 1 s\ncarrier: 200 OK\n",
        "RTP comes before the answer.",
        "hung-up-by-app",
    ),
    Card(
        "204",
        "answers without RTP",
        ANSWERS + "carrier: no rtp\n",
        "The call is up and nothing is heard: no packet ever comes.",
        "hung-up-by-app",
    ),
    Card(
        "205",
        "answers with bad SDP",
        RINGS + "carrier: 200 OK bad-sdp\n",
        "The answer cannot be used for media.",
        "answer-unusable",
    ),
    Card(
        "206",
        "answers, network fails",
        ANSWERS + f"carrier: wait 1 s\ncarrier: bye | Reason: {q850_reason(38)}\n",
        "The carrier ends the call with a cause that is no normal clearing.",
        "hung-up-by-network",
    ),
    Card(
        "207",
        "answers without SDP",
        RINGS + "carrier: 200 OK no-sdp\n",
        "The answer has no body at all.",
        "answer-unusable",
    ),
    Card(
        "208",
        "answers twice",
        RINGS + "carrier: 200 OK fork=2\n",
        "Two phones answer one INVITE: the second has to be acknowledged and released.",
        "hung-up-by-app",
    ),
    Card(
        "209",
        "misses our CANCEL",
        "carrier: ignore cancel\n" + RINGS + "carrier: wait 5 s\ncarrier: 200 OK\n",
        "The answer crosses a CANCEL; without a CANCEL it is an answer after 5 s.",
        "hung-up-by-app",
    ),
    Card(
        "210",
        "takes transfers",
        "carrier: refer accepted\n" + ANSWERS,
        "Answers, lists REFER, and reports that the target of a transfer answered.",
        "hung-up-by-app",
    ),
    Card(
        "211",
        "refuses transfers",
        "carrier: refer refused 603\n" + ANSWERS,
        "Answers, lists REFER, and declines it when it comes.",
        "hung-up-by-app",
    ),
    Card(
        "212",
        "transfers to a busy phone",
        "carrier: refer target 486\n" + ANSWERS,
        "Answers, takes a REFER, and reports that the target was busy.",
        "hung-up-by-app",
    ),
    Card(
        "213",
        "transfers in silence",
        "carrier: refer silent\n" + ANSWERS,
        "Answers, takes a REFER, and never reports what became of the target.",
        "hung-up-by-app",
    ),
    _talks(
        "220", "presses 1", "wait 2 s", "digits 1", shows="A key is pressed two seconds after the answer."
    ),
    _talks("221", "presses every key", "wait 2 s", "digits 0123456789*#", shows="All keys, five a second."),
    _talks("222", "says yes", "wait 2 s", 'says "yes"', shows="A voice says one word."),
    _talks("223", "asks for sales", "wait 2 s", 'says "sales, please"', shows="A voice chooses from a menu."),
    _talks("224", "echoes", "echo", shows="What it hears comes back: the shortest test of audio both ways."),
    _talks("225", "plays a tone", "tone 440 Hz 10 s", shows="Ten seconds of 440 Hz at -10 dBov."),
    _talks("226", "falls silent", "wait 2 s", "no rtp", shows="RTP stops after two seconds, without a BYE."),
    _talks("227", "hears only", "hears only", shows="It hears us, says so in its reports, and sends no RTP."),
    _talks("228", "takes no keys", before="no telephone-event", shows="Its answer has no telephone-event."),
    _talks("229", "sends another codec", "rtp as 18", shows="RTP comes under a type that nobody agreed on."),
    _talks(
        "230",
        "answers with another codec",
        before="codecs G729",
        shows="The answer names only a codec that was not offered.",
        ending="answer-unusable",
    ),
    _talks(
        "231",
        "answers with SRTP",
        before="srtp required",
        shows="The answer is SRTP; a trunk with srtp = off offered plain RTP.",
        ending="answer-unusable",
    ),
    _talks(
        "232",
        "encrypts with a wrong key",
        "rtp with wrong key",
        shows="Where SRTP was agreed on, none of its packets can be opened; without SRTP it is noise.",
    ),
    Card(
        "302",
        "redirects",
        "carrier: 100 Trying\ncarrier: 302 Moved Temporarily | Contact: <sip:+14255550200@carrier.example>\n",
        "The carrier names another address instead of taking the call.",
        "redirected",
    ),
    Card(
        "401",
        "asks for credentials",
        "carrier: 401 challenge realm=carrier.example algorithm=SHA-256\n" + ANSWERS,
        "A trunk without the right user name and password is refused; with them the call is answered.",
        "trunk-refused-credentials",
    ),
    _refusal(403, "forbidden", "The carrier does not allow the call.", "call-forbidden"),
    _refusal(404, "unknown number", "The number is not assigned.", "number-not-found", cause=1),
    _refusal(
        408, "carrier timed out", "The carrier itself says that nobody responded.", "callee-no-response"
    ),
    _refusal(410, "number changed", "The number is gone for good.", "trunk-client-error", cause=22),
    _refusal(
        420, "bad extension", "The carrier lacks a SIP extension it thinks we require.", "trunk-client-error"
    ),
    _refusal(480, "unavailable", "The callee cannot be reached now.", "callee-unavailable"),
    _refusal(481, "no such call", "The carrier does not know the call.", "trunk-client-error"),
    _refusal(483, "too many hops", "The call went in circles.", "trunk-client-error"),
    _refusal(484, "incomplete number", "Digits are missing or wrong.", "number-incomplete", cause=28),
    _refusal(486, "busy", "The callee is busy.", "callee-busy", cause=17),
    _refusal(487, "terminated", "487 though we never sent CANCEL.", "cancelled-by-trunk"),
    _refusal(488, "media refused", "The carrier does not accept our offer.", "media-refused"),
    _refusal(491, "request pending", "The carrier is busy with another request.", "trunk-client-error"),
    _refusal(500, "carrier failed", "An error inside the carrier.", "trunk-failed", cause=41),
    _refusal(
        502, "bad gateway", "A network behind the carrier is out of order.", "trunk-server-error", cause=38
    ),
    _refusal(
        503, "out of service", "No circuit is free, or the carrier is down.", "trunk-unavailable", cause=34
    ),
    _refusal(504, "gateway timed out", "A server behind the carrier did not answer.", "trunk-server-error"),
    _refusal(600, "busy everywhere", "No phone of the callee is free.", "busy-everywhere"),
    _refusal(603, "declined", "The callee pressed decline.", "callee-declined", cause=21),
    _refusal(604, "exists nowhere", "No network knows the number.", "trunk-global-failure", cause=1),
    _refusal(606, "not acceptable", "Nothing of our offer is acceptable anywhere.", "trunk-global-failure"),
    Card(
        "995",
        "misses every CANCEL",
        "carrier: ignore cancel\n" + RINGS,
        "The phone rings for ever and CANCEL is never answered.",
        "rang-out",
    ),
    Card(
        "996",
        "breaks the connection",
        "carrier: refuse connection\n",
        "Over TCP the connection is reset; over UDP nothing comes back.",
        "trunk-silent",
    ),
    Card(
        "997",
        "garbled answer",
        "carrier: garbled 200\n",
        "A response that begins well and is broken in its header.",
        "malformed-answer",
    ),
    Card("998", "garbage", "carrier: garbage\n", "Bytes that are no SIP.", "malformed-answer"),
    _refusal(499, "unknown status", "A status that no RFC knows.", "trunk-client-error", digits="999"),
)

ENDING_OF_CLASS = {
    "3": "redirected",
    "4": "trunk-client-error",
    "5": "trunk-server-error",
    "6": "trunk-global-failure",
}
"""Endings of the statuses that have no card."""

BY_DIGITS = {card.digits: card for card in CARDS}

UNASSIGNED = _refusal(404, "no card", "A number that no card has.", "number-not-found", cause=1, digits="...")
"""Where no card fits, the carrier does what carriers do with numbers they do not serve."""

REASON_OPTIONS = {
    REASON_OWN: "the card's own Reason header (also 4, 6, 7, 8, 9)",
    "0": "no Reason header",
    "1": "Q.850 with the standard cause of the status (RFC 3398); cause 16 in a BYE",
    "2": "SIP with the status itself; 200 in a BYE",
    "3": "Q.850 with a cause that contradicts: 16 with a refusal, 17 in a BYE",
}


def card_of(number: str) -> Card:
    """The card that a dialled number chooses."""
    last = _digits(number)[-3:]
    card = BY_DIGITS.get(last)
    if card is None and len(last) == 3 and "300" <= last <= "699":
        ending = "trunk-refused-credentials" if last == "407" else ENDING_OF_CLASS[last[0]]
        return _refusal(int(last), f"status {last}", "Any other status.", ending)
    return card or UNASSIGNED


@lru_cache(MAX_NUMBERS_KEPT)
def scenario_of(number: str) -> Scenario:
    """What the carrier does with a dialled number: its card with the delay and Reason that were chosen."""
    digits = _digits(number).rjust(5, "-")
    option, delay = digits[-5], digits[-4]
    steps = list(card_of(number).scenario.steps)
    last = next((index for index in reversed(range(len(steps))) if isinstance(steps[index], DECIDING)), None)
    if last is None:
        return Scenario(tuple(steps))
    steps[last] = _with_reason(steps[last], option)
    if delay.isdigit() and delay != "0":
        steps.insert(last, Wait(int(delay) * 1000))
    return Scenario(tuple(steps))


DECIDING = (Respond, Challenge, Garbage, Garbled, RefuseConnection, Silence, Bye)
"""Steps that can be the last one of a card, the one that is delayed and bears the Reason header."""


BYE_REASONS = {
    "1": q850_reason(NORMAL_CLEARING),
    "2": sip_reason(200),
    "3": q850_reason(USER_BUSY),
}


def _digits(number: str) -> str:
    return "".join(char for char in number if char in "0123456789")


def _with_reason(step: Step, option: str) -> Step:
    if option not in {"0", "1", "2", "3"}:
        return step
    match step:
        case Bye(headers=headers):
            return Bye(_replaced(headers, BYE_REASONS, option))
        case Respond(status=status, reason=reason, headers=headers) if status >= 300:
            cause = sip_to_q850(status)
            values = {"2": sip_reason(status), "3": q850_reason(NORMAL_CLEARING)}
            if cause is not None:
                values["1"] = q850_reason(cause)
            return Respond(status, reason, _replaced(headers, values, option), step.body, step.forks)
        case _:
            return step


def _replaced(
    headers: tuple[tuple[str, str], ...], values: dict[str, str], option: str
) -> tuple[tuple[str, str], ...]:
    """The headers of a step with another Reason, or with none."""
    others = tuple((name, value) for name, value in headers if name.lower() != "reason")
    return (*others, ("Reason", values[option])) if option in values else others


def cards_markdown() -> str:
    """docs/reference/test-numbers.md."""
    rows = "\n".join(
        f"| {card.digits} | {card.name} | {_in_cell(card.text)} | {card.shows} | `{card.ending}` |"
        for card in CARDS
    )
    options = "\n".join(f"| {digit} | {meaning} |" for digit, meaning in REASON_OPTIONS.items())
    return PAGE.format(rows=rows, options=options)


def _in_cell(text: str) -> str:
    """A scenario in one cell of a table; a | inside it would end the cell."""
    steps = (line.removeprefix("carrier: ").replace("|", "\\|") for line in text.splitlines())
    return "<br>".join(f"`{step}`" for step in steps)


PAGE = """\
<!-- Made from src/onhook/lab/cards.py by tools/generate_docs.py. Change it there. -->
# Test numbers

The built-in carrier is a real SIP agent. What it does with a call depends on the number that was dialled, as
with the test cards of a payment service. Any number works; only its last five digits matter:

```
+1 425 55 5 0 486
          │ │ └── the card (last three digits)
          │ └──── seconds to wait before the card's last step (0 to 9)
          └────── the Reason header of that step
```

So `+14255550486` is busy at once, `+14255553486` is busy after three seconds, and `+14255500486` is busy
without a Reason header.

## Reason header

| digit | the last step carries |
|---|---|
{options}

A status without a standard cause gets no header with 1. Cards whose last step is no refusal and no BYE have
none to carry it.

## Cards

The last column is the ending of a call that the application leaves alone. Where nothing else ends the call,
the application does, and the ending is `hung-up-by-app`.

| digits | card | the carrier | shows | ending |
|---|---|---|---|---|
{rows}

Any other three digits from 300 to 699 answer with that SIP status. Every other number is not assigned:
`404 Not Found` with cause 1.
"""
