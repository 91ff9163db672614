"""The catalogue of endings: pages that can be read, and that fit the rules and the code tables."""

import re
from pathlib import Path
from typing import get_args

import pytest

from onhook.config.schema import SECTIONS as SECTIONS_OF_SETTINGS
from onhook.config.table import settings
from onhook.endings.codes import find, rows
from onhook.endings.judge import judge
from onhook.endings.lookup import look_up
from onhook.endings.operations import BY_END, BY_FAULT, BY_STATUS, TRANSCRIPTION
from onhook.endings.pages import SECTIONS, PageError, page, pages, pages_by_codes, read_page
from onhook.endings.referrals import PAGES
from onhook.endings.rules import RULES, UNEXPLAINED, WITHOUT_RULE
from onhook.facts import Refusal
from onhook.lab.scenario import parse_scenario
from timelines import SAMPLES

IDS = sorted(pages())
OF_OPERATIONS = {
    *BY_END.values(),
    *BY_FAULT.values(),
    *BY_STATUS.values(),
    *TRANSCRIPTION.values(),
    "recognize-prompt-failed",
    *{ending for ending in PAGES.values() if ending.startswith("transfer-")},
}

PSTN_ROWS_OF_THE_FIRST_PAGE = [
    (0, 0),
    (0, 560000),
    (0, 540000),
    (403, 510403),
    (403, 560403),
    (403, 511532),
    (404, 560404),
    (404, 511404),
    (408, 560408),
    (408, 500001),
    (410, 531004),
    (480, 560480),
    (484, 560484),
    (486, 560486),  # printed as 60486
    (487, 540487),
    (487, 560487),  # printed with code 497
    (500, 560500),
    (503, 560503),
    (603, 560603),
]


def test_every_rule_has_a_page() -> None:
    assert {rule.ending for rule in RULES} <= set(pages())
    assert UNEXPLAINED in pages()


def test_every_page_has_a_rule_or_says_why_not() -> None:
    ruled = {rule.ending for rule in RULES} | OF_OPERATIONS
    assert set(pages()) - ruled == WITHOUT_RULE
    for ending in IDS:
        assert bool(page(ending).front.rule) is (ending not in ruled), ending


def test_a_page_is_of_a_call_or_of_operations() -> None:
    assert {ending for ending in IDS if page(ending).front.events} == OF_OPERATIONS
    assert not OF_OPERATIONS & {rule.ending for rule in RULES}


@pytest.mark.parametrize("ending", IDS)
def test_a_page_has_a_scenario_or_says_why_not(ending: str) -> None:
    found = page(ending)
    assert bool(found.scenario.strip()) is not bool(found.front.provoked)


@pytest.mark.parametrize("ending", [ending for ending in IDS if pages()[ending].scenario.strip()])
def test_every_scenario_can_be_read(ending: str) -> None:
    assert parse_scenario(page(ending).scenario).steps


@pytest.mark.parametrize("ending", IDS)
def test_the_codes_are_published_or_marked_as_assumed(ending: str) -> None:
    found = page(ending)
    if find(*found.codes()) is None:
        assert found.front.basis == "assumed"
    assert len(found.front.source) > 10


def test_every_pstn_row_of_the_first_page_has_a_page() -> None:
    by_codes = pages_by_codes()
    assert [pair for pair in PSTN_ROWS_OF_THE_FIRST_PAGE if pair not in by_codes] == []
    seed = [row for row in rows() if row.family == "pstn" and row.origin == "seed"]
    assert len(seed) == len(PSTN_ROWS_OF_THE_FIRST_PAGE) == 19


@pytest.mark.parametrize("ending", IDS)
def test_event_codes_differ_for_success_only(ending: str) -> None:
    front = page(ending).front
    assert front.event_code == (200 if front.code == 0 else None)


@pytest.mark.parametrize("ending", IDS)
def test_the_sections_are_there_and_have_something_to_say(ending: str) -> None:
    sections = page(ending).sections
    assert tuple(sections) == SECTIONS
    assert all(text for text in sections.values())
    assert page(ending).text.startswith(f"# {page(ending).front.name}\n")


@pytest.mark.parametrize("ending", IDS)
def test_look_alikes_exist_and_are_others(ending: str) -> None:
    named = set(re.findall(r"^- `([a-z-]+)`", page(ending).sections["Look-alikes"], re.MULTILINE))
    assert named <= set(pages()) - {ending}


@pytest.mark.parametrize("ending", IDS)
def test_messages_are_one_sentence_without_codes(ending: str) -> None:
    message = page(ending).front.message
    assert message.endswith((".", "}."))
    assert "DiagCode" not in message
    assert "\n" not in message
    assert ("{status}" in message) is bool(page(ending).front.statuses)


def test_every_reason_of_routing_has_a_page_of_the_same_name() -> None:
    assert set(get_args(Refusal)) <= set(pages())


def test_codes_follow_the_status_on_pages_of_many() -> None:
    assert page("trunk-client-error").codes(499) == (499, 560499)
    assert page("inbound-refused").codes(415) == (415, 540415)
    assert page("callee-busy").codes(499) == (486, 560486)
    assert page("trunk-client-error").codes() == (410, 560410)
    assert page("trunk-refused-credentials").statuses() == [401, 407]
    assert page("callee-busy").statuses() == []


def test_pages_are_found_by_their_codes() -> None:
    by_codes = pages_by_codes()
    assert by_codes[486, 560486] == ["callee-busy"]
    assert set(by_codes[403, 510403]) == {"caller-id-missing", "caller-id-not-owned", "no-route"}
    assert by_codes[407, 560407][0] == "trunk-refused-credentials"
    assert by_codes[402, 560402] == ["trunk-client-error"]
    assert "trunk-client-error" not in by_codes[404, 560404]


@pytest.mark.parametrize("ending", sorted(SAMPLES))
def test_the_pair_of_a_verdict_leads_back_to_its_page(ending: str) -> None:
    verdict = judge(SAMPLES[ending])
    assert ending in pages_by_codes()[verdict.code, verdict.subcode]


def test_an_unknown_page_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        page("no-such-ending")


FRONT = (
    'code = 1\nsubcode = 2\nname = "N"\nmessage = "M."\nfault = "nobody"\nconfidence = "high"\n'
    'basis = "assumed"\nsource = "because"\n'
)
BODY = (
    "# N\n\n"
    + "".join(f"## {name}\n\nText.\n\n" for name in SECTIONS)
    + "```scenario\nx\n```\n\n```ladder\n```\n"
)


def written(front: str = FRONT, body: str = BODY) -> str:
    return f"+++\n{front}+++\n{body}"


def test_a_page_is_read() -> None:
    found = read_page("n", written())
    assert (found.id, found.scenario, found.ladder) == ("n", "x\n", "")
    assert found.sections["Whose side"] == "Text."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# no front matter", "between two lines of"),
        ("x" + written(), "between two lines of"),
        (written(front="code = \n"), "n.md, front matter"),
        (written(front=FRONT.replace("nobody", "somebody")), "n.md, front matter"),
        (written(front=FRONT + "colour = 1\n"), "colour"),
        (written(front=FRONT.replace("code = 1\n", "", 1)), "code"),
        (written(body=BODY.replace("## Whose side", "## Whose fault")), "Whose side"),
        (written(body=BODY.replace("```ladder", "```chart")), "no ```ladder block"),
    ],
)
def test_a_page_that_cannot_be_read_is_named_with_its_fault(text: str, words: str) -> None:
    with pytest.raises(PageError, match=re.escape(words)) as raised:
        read_page("n", text)
    assert str(raised.value).startswith("n.md")


def test_pages_of_operations_are_found_by_event_and_code() -> None:
    by_codes = pages_by_codes()
    assert {"prompt-format", "prompt-unreachable"} <= set(by_codes["PlayFailed", 400])
    assert set(by_codes["RecognizeFailed", 408]) >= {"recognize-speech-too-slow"}


@pytest.mark.parametrize(
    "asked", ["400 Play Failed", "400 Recognize Failed", "500 Play Failed", "500 Recognize Failed"]
)
def test_the_rows_of_the_first_page_lead_to_the_causes_underneath(asked: str) -> None:
    best = look_up(asked, pages_by_codes()).matches[0]
    assert (best.subcode, best.origin) == (None, "seed")
    assert best.ending
    events = {event for ending in best.ending for event in page(ending).front.events}
    assert asked.split(" ", 1)[1].replace(" ", "") in events


SETTING = re.compile(r"`([a-z_]+)\.([a-z_]+)(?: = [^`]*)?`")
GUIDES = sorted((Path(__file__).parents[3] / "docs/guides").glob("*.md"))


@pytest.mark.parametrize(
    "where", [*IDS, *GUIDES], ids=lambda where: where if isinstance(where, str) else where.stem
)
def test_settings_that_are_named_exist(where: str | Path) -> None:
    text = page(where).text if isinstance(where, str) else where.read_text(encoding="utf-8")
    named = [(section, name) for section, name in SETTING.findall(text) if section in SECTIONS_OF_SETTINGS]
    for section, name in named:
        assert name in {each.name for each in settings(SECTIONS_OF_SETTINGS[section])}, f"{section}.{name}"
