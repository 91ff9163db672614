"""The guide of playing and recognising has every code that there is, with its page, and no other."""

import re
from pathlib import Path

import pytest

from onhook.endings.operations import SUCCESSES
from onhook.endings.pages import Page, pages

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "playing-and-recognising.md"
EVENTS = re.compile("Play|Recogn|Dtmf")
FAILURE = re.compile(r"^\| (\d+)/(\d+) \| (.*) \| \[(.*)\]\(\S*/pages/(\S+)\.md\) \| (\w+) \|$", re.MULTILINE)
SUCCESS = re.compile(r"^\| (200)/(\d+) \|", re.MULTILINE)


def of_media() -> list[Page]:
    return [page for page in pages().values() if any(map(EVENTS.search, page.front.events))]


@pytest.fixture(scope="module")
def guide() -> str:
    return GUIDE.read_text(encoding="utf-8")


def test_each_failure_is_there_as_its_page_has_it(guide: str) -> None:
    written = {
        page: (int(code), int(subcode), events.split(", "), name, basis)
        for code, subcode, events, name, page, basis in FAILURE.findall(guide)
    }
    assert written == {
        page.id: (
            *page.codes(),
            [event for event in page.front.events if EVENTS.search(event)],
            page.front.name,
            page.front.basis,
        )
        for page in of_media()
    }


def test_each_success_is_there(guide: str) -> None:
    written = {(int(code), int(subcode)) for code, subcode in SUCCESS.findall(guide)}
    assert written == {(result.code, result.subcode) for result in SUCCESSES.values()}


def test_each_link_leads_somewhere(guide: str) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#([\w-]+))?\)", guide)
    assert len(links) > 25
    for path, place in links:
        target = (GUIDE.parent / path).resolve()
        assert target.exists(), path
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert not place or place in {heading.lower().replace(" ", "-") for heading in headings}, place
