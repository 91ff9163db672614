"""Endings are in order: rules, pages, scenarios, codes and the mutation check all name each other."""

from collections import Counter

import pytest
from tools.mutate_rules import DOC, EQUIVALENT, exhibits, killers, of_rules

from house import ROOT, text
from onhook.endings.codes import find_all, rows
from onhook.endings.coverage.ways import NOT_TOLD, WAYS
from onhook.endings.operations import BY_END, BY_FAULT, BY_STATUS, TRANSCRIPTION
from onhook.endings.pages import pages, pages_by_codes
from onhook.endings.referrals import PAGES
from onhook.endings.rules import RULES, WITHOUT_RULE
from onhook.endings.unexplained import LEVELS, level_of, unexplained, unexplained_markdown
from onhook.lab.scenario import parse_scenario

RULED = {rule.ending for rule in RULES}
OF_OPERATIONS = {*BY_END.values(), *BY_FAULT.values(), *BY_STATUS.values(), *TRANSCRIPTION.values()}
ELSEWHERE = {"recognize-prompt-failed", *PAGES.values()}
"""Named in the code of operations, not in a table."""


def test_no_rule_is_without_a_page() -> None:
    assert {*RULED, *OF_OPERATIONS, *ELSEWHERE} <= set(pages())


def test_no_page_is_without_a_rule_or_a_reason() -> None:
    without = set(pages()) - RULED - OF_OPERATIONS - ELSEWHERE
    assert without == WITHOUT_RULE
    assert all(pages()[ending].front.rule for ending in without)


def test_no_page_is_without_a_scenario_or_a_reason() -> None:
    for ending, page in pages().items():
        if page.scenario.strip():
            assert parse_scenario(page.scenario).steps, ending
            assert not page.front.provoked, f"{ending} says why it has no scenario, and has one"
        else:
            assert len(page.front.provoked) > 20, f"{ending} has no scenario, and does not say why"


def test_no_page_is_without_a_way_to_meet_it() -> None:
    led = {ending for way in WAYS for ending in way.endings}
    assert {ending for ending, page in pages().items() if not page.front.events} == led | set(NOT_TOLD)


def test_every_code_is_explained_or_counted() -> None:
    counted = Counter(map(level_of, rows()))
    assert set(counted) <= set(LEVELS)
    assert sum(counted.values()) == len(rows())
    assert len(unexplained()) == counted["meaning"]
    for row in rows():
        assert row.name, row
        assert row.meaning, row


def test_the_count_stands_in_the_docs() -> None:
    said = text(ROOT / "docs/reference/unexplained.md")
    assert said.endswith(unexplained_markdown())
    assert f"These {len(unexplained())} are named" in said
    assert said.count("\n| ") == len(unexplained()) + len(LEVELS) + 2


def test_most_codes_that_no_advice_is_known_for_are_not_of_endings_that_we_produce() -> None:
    ours = {page.codes() for page in pages().values()}
    assert not [row for row in unexplained() if (row.code, row.subcode) in ours]


@pytest.mark.parametrize("ending", sorted(pages()))
def test_the_codes_of_a_page_are_published_or_follow_a_status(ending: str) -> None:
    page = pages()[ending]
    pair = page.codes()
    pairs = {pair, *(page.codes(status) for status in page.statuses())}
    led = {name for each in pairs for name in pages_by_codes().get(each, ())}
    assert ending in led | _by_event(ending)
    published = bool(find_all(*pair)) or bool(find_all(None, pair[1])) or bool(find_all(pair[0], None))
    by_status = pair[1] // 1000 in {540, 560}
    assert published or by_status, f"{ending}: nobody has published {pair}, and it follows no SIP status"


def _by_event(ending: str) -> set[str]:
    front = pages()[ending].front
    return {name for event in front.events for name in pages_by_codes().get((event, front.code), ())}


# The mutation check. Taking rules away is quick enough to be done here; the whole of it is `make mutants`


def test_no_rule_can_be_taken_away_without_its_page_noticing() -> None:
    shown = exhibits()
    for mutant in of_rules():
        if mutant.how == "taken away":
            own = [each for each in shown if each.name in {mutant.rule, f"sample of {mutant.rule}"}]
            assert own, f"{mutant.rule} has neither a scenario nor a sample"
            with mutant.apply():
                assert killers(own), f"nothing notices that {mutant.rule} is gone"


def test_what_survives_the_mutation_check_has_a_reason() -> None:
    said = text(DOC).partition("## Survivors")[2].partition("## Rules")[0]
    survivors = [line for line in said.splitlines() if line.startswith("- ")]
    assert not [line for line in survivors if "Not noticed." in line]
    assert len(survivors) <= len(EQUIVALENT)
    assert all(len(reason) > 20 for reason in EQUIVALENT.values())
