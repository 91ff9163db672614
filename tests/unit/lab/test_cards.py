"""Every test number is dialled once; what it answers is compared word by word."""

import pytest

from far_end_caller import Caller
from onhook.config.stage import stage_of
from onhook.endings.codes import q850_causes, q850_to_sip, sip_to_q850
from onhook.endings.pages import pages
from onhook.lab.cards import (
    BY_DIGITS,
    CARDS,
    REASON_OPTIONS,
    UNASSIGNED,
    Card,
    card_of,
    cards_markdown,
    scenario_of,
)
from onhook.lab.rehearsal import rehearse
from onhook.lab.scenario import parse_scenario, write_scenario
from onhook.lab.scenario_steps import Bye, Respond, Scenario, Wait
from onhook.sip.messages import Request, Response
from onhook.sip.reason import parse_reasons

PLAYED: dict[str, list[tuple[float, str]]] = {
    "000": [],
    "100": [(0, "100")],
    "180": [(0, "180"), (3, "480")],
    "181": [(0, "180")],
    "200": [(0, "180"), (0, "200")],
    "201": [(0, "180"), (0, "200"), (1, "BYE")],
    "202": [
        (0, "180"), (0, "200"), (0.5, "200"), (1.5, "200"), (3.5, "200"), (7.5, "200"), (11.5, "200"),
        (15.5, "200"), (19.5, "200"), (23.5, "200"), (27.5, "200"), (31.5, "200"), (32, "BYE"),
    ],
    "203": [(0, "183"), (1, "200")],
    "204": [(0, "180"), (0, "200")],
    "205": [(0, "180"), (0, "200")],
    "206": [(0, "180"), (0, "200"), (1, "BYE")],
    "207": [(0, "180"), (0, "200")],
    "208": [(0, "180"), (0, "200"), (0, "200")],
    "209": [(0, "180"), (5, "200")],
    "210": [(0, "180"), (0, "200")],
    "211": [(0, "180"), (0, "200")],
    "212": [(0, "180"), (0, "200")],
    "213": [(0, "180"), (0, "200")],
    "401": [(0, "401")],
    "995": [(0, "180")],
    "996": [],
    "997": [(0, "?")],
    "998": [(0, "?")],
    "999": [(0, "100"), (0, "499")],
}  # fmt: skip
"""Time and status of all that a caller hears who acknowledges, and never hangs up, within 100 s."""
WITH_SOUND = [card for card in CARDS if "220" <= card.digits <= "232"]
PLAYED |= {card.digits: [(0, "180"), (0, "200")] for card in WITH_SOUND}
PLAYED |= {
    card.digits: [(0, "100"), (0, card.digits)]
    for card in CARDS
    if card.digits not in PLAYED and "300" <= card.digits <= "699"
}


def dial(number: str, seconds: float = 100) -> Caller:
    caller = Caller(scenario_of(number))
    caller.invited = caller.invite(number=number)
    return caller.call().advance(seconds)


@pytest.mark.parametrize("card", CARDS, ids=[card.digits for card in CARDS])
def test_each_card_plays_its_exact_sequence(card: Card) -> None:
    assert dial(f"+14255550{card.digits}").times == PLAYED[card.digits]


@pytest.mark.parametrize("card", CARDS, ids=[card.digits for card in CARDS])
def test_each_card_stands_in_the_table_once_and_is_complete(card: Card) -> None:
    assert BY_DIGITS[card.digits] is card
    assert len(card.digits) == 3
    assert card.digits.isdigit()
    assert card.name
    assert card.shows.endswith(".")
    assert write_scenario(parse_scenario(card.text)) == card.text


@pytest.mark.parametrize("card", [*CARDS, UNASSIGNED], ids=lambda card: card.digits)
def test_each_card_leads_to_an_ending_that_has_a_page(card: Card) -> None:
    page = pages()[card.ending]
    finals = [
        step.status for step in card.scenario.carrier if isinstance(step, Respond) and step.status >= 300
    ]
    for status in finals:
        assert page.codes(status) == (status, 560_000 + status)


@pytest.mark.parametrize("card", WITH_SOUND, ids=lambda card: card.digits)
def test_each_card_with_sound_ends_as_it_says_whatever_is_heard(card: Card) -> None:
    scenario = parse_scenario(f"{card.text}app: wait 5 s\napp: hang up\n")
    verdict = rehearse(scenario, stage_of(scenario)).record.verdict
    assert verdict is not None
    assert verdict.ending == card.ending


def test_the_table_of_the_tests_is_the_table_of_the_cards() -> None:
    assert PLAYED.keys() == BY_DIGITS.keys()
    assert len(BY_DIGITS) == len(CARDS) >= 40


@pytest.mark.parametrize("number", ["+14255550486", "14255550486", "+1 (425) 555-0486", "0486", "486"])
def test_the_last_digits_choose_however_the_number_is_written(number: str) -> None:
    assert card_of(number).name == "busy"
    assert scenario_of(number) == card_of(number).scenario


@pytest.mark.parametrize(
    ("number", "status", "ending"),
    [
        ("+14255550305", 305, "redirected"),
        ("+14255550407", 407, "trunk-refused-credentials"),
        ("+14255550499", 499, "trunk-client-error"),
        ("+14255550599", 599, "trunk-server-error"),
        ("+14255550607", 607, "trunk-global-failure"),
    ],
)
def test_other_statuses_need_no_card(number: str, status: int, ending: str) -> None:
    assert dial(number).words == ["100", str(status)]
    assert card_of(number).ending == ending
    assert card_of(number).ending in pages()


@pytest.mark.parametrize("number", ["", "+", "12", "+14255550123", "+14255550700", "+14255550299", "alice"])
def test_other_numbers_are_not_assigned(number: str) -> None:
    assert card_of(number) is UNASSIGNED
    answered = scenario_of(number).carrier[-1]
    assert isinstance(answered, Respond)
    assert answered.status == 404
    assert parse_reasons([value for _, value in answered.headers])[0].cause == 1


@pytest.mark.parametrize(
    ("number", "times"),
    [
        ("+14255550486", [(0, "100"), (0, "486")]),
        ("+14255553486", [(0, "100"), (3, "486")]),
        ("+14255559486", [(0, "100"), (9, "486")]),
        ("+14255552180", [(0, "180"), (5, "480")]),
        ("+14255552200", [(0, "180"), (2, "200")]),
        ("+14255552201", [(0, "180"), (0, "200"), (3, "BYE")]),
        ("+14255554998", [(4, "?")]),
        ("+14255554208", [(0, "180"), (4, "200"), (4, "200")]),
    ],
)
def test_the_fourth_digit_from_the_end_delays_the_last_step(
    number: str, times: list[tuple[float, str]]
) -> None:
    assert dial(number, 20).times == times


def reasons(number: str) -> list[tuple[str, int | None]]:
    """Protocol and cause of the Reason headers in the last message that came."""
    heard = dial(number, 20).heard[-1][1]
    assert isinstance(heard, Request | Response)
    return [(reason.protocol, reason.cause) for reason in parse_reasons(heard.headers.all("reason"))]


@pytest.mark.parametrize(
    ("digits", "option", "expected"),
    [
        ("486", "5", [("Q.850", 17)]),
        ("486", "7", [("Q.850", 17)]),
        ("486", "0", []),
        ("486", "1", [("Q.850", 17)]),
        ("486", "2", [("SIP", 486)]),
        ("486", "3", [("Q.850", 16)]),
        ("180", "5", [("Q.850", 19)]),
        ("180", "1", [("Q.850", 18)]),
        ("403", "5", []),
        ("403", "1", [("Q.850", 21)]),
        ("503", "5", [("Q.850", 34)]),
        ("503", "1", [("Q.850", 41)]),
        ("999", "1", []),
        ("999", "2", [("SIP", 499)]),
        ("201", "5", []),
        ("201", "1", [("Q.850", 16)]),
        ("201", "2", [("SIP", 200)]),
        ("201", "3", [("Q.850", 17)]),
        ("206", "5", [("Q.850", 38)]),
        ("206", "0", []),
        ("200", "1", []),
    ],
)
def test_the_fifth_digit_from_the_end_chooses_the_reason(
    digits: str, option: str, expected: list[tuple[str, int | None]]
) -> None:
    assert reasons(f"+142555{option}0{digits}") == expected


def test_redirects_keep_their_contact_whatever_the_reason() -> None:
    for option in REASON_OPTIONS:
        answered = scenario_of(f"+142555{option}0302").carrier[-1]
        assert isinstance(answered, Respond)
        assert answered.headers[0] == ("Contact", "<sip:+14255550200@carrier.example>")


def test_own_reasons_fit_their_status() -> None:
    """A cause of RFC 3398 maps to the status, or the status to the cause; the rest is on purpose."""
    on_purpose = {"180", "502", "603"}  # 19 is 480 by the RFC; 38 is 503, 21 is 603 from a user only
    for card in CARDS:
        for step in card.scenario.carrier:
            if not isinstance(step, Respond) or card.digits in on_purpose:
                continue
            for reason in parse_reasons(value for name, value in step.headers if name == "Reason"):
                assert reason.cause in q850_causes()
                assert (
                    sip_to_q850(step.status) == reason.cause or q850_to_sip(reason.cause or 0) == step.status
                )


def test_delay_and_reason_change_nothing_else() -> None:
    plain, changed = scenario_of("+14255550201"), scenario_of("+14255514201")
    assert [step for step in plain.carrier if not isinstance(step, Bye)] == list(plain.carrier[:-1])
    assert changed.carrier[:-2] == plain.carrier[:-1]
    assert changed.carrier[-2:] == (Wait(4000), Bye((("Reason", changed_reason(changed)),)))


def changed_reason(scenario: Scenario) -> str:
    last = scenario.carrier[-1]
    assert isinstance(last, Bye)
    return dict(last.headers)["Reason"]


def test_a_number_gives_the_same_scenario_without_reading_it_again() -> None:
    assert scenario_of("+14255550486") is scenario_of("+14255550486")


def test_the_page_holds_every_card_and_option() -> None:
    page = cards_markdown()
    for card in CARDS:
        assert f"\n| {card.digits} | {card.name} |" in page
    for digit in REASON_OPTIONS:
        assert f"\n| {digit} | " in page
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) == len(CARDS) + len(REASON_OPTIONS) + 2
    assert all(line.replace("\\|", "").count("|") in {3, 6} for line in rows)
    assert page.endswith("\n")
