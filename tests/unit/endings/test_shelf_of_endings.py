"""The shelf of pages: listed, searched, shown."""

import pytest

from onhook.endings.pages import SECTIONS, pages
from onhook.endings.shelf import (
    codes_text,
    detail_of,
    look_alikes_of,
    page_text,
    search_pages,
    summary_of,
)


def ids(text: str) -> list[str]:
    return [hit.page.id for hit in search_pages(text).hits]


class TestSearch:
    @pytest.mark.parametrize("ending", sorted(pages()))
    def test_every_page_is_found_by_its_id_by_its_name_and_by_its_codes(self, ending: str) -> None:
        page = pages()[ending]
        assert ids(ending.upper()) == [ending]
        assert ending in ids(page.front.name)
        if not page.front.statuses:
            assert ending in ids(f"{page.front.code}/{page.front.subcode}")

    @pytest.mark.parametrize(
        ("text", "first"),
        [
            ("486/560486", "callee-busy"),
            ("60486", "callee-busy"),
            ("SIP/2.0 503 Service Unavailable", "trunk-unavailable"),
            ("Q.850;cause=17", "callee-busy"),
            ("ended. DiagCode: 0#7000.@", "hung-up-by-app"),
            ("busy everywhere", "busy-everywhere"),
            ("490", "trunk-client-error"),
        ],
    )
    def test_codes_and_words(self, text: str, first: str) -> None:
        assert ids(text)[0] == first

    def test_the_way_it_was_found_is_told(self) -> None:
        assert [hit.how for hit in search_pages("callee-busy").hits] == ["id"]
        assert {hit.how for hit in search_pages("8536").hits} == {"code"}
        assert search_pages("busy everywhere").hits[0].how == "name"
        assert search_pages("Retry-After").hits == () or search_pages("Retry-After").hits[0].how == "text"

    def test_words_of_a_name_come_before_words_of_the_text(self) -> None:
        ways = [hit.how for hit in search_pages("busy").hits]
        assert ways == sorted(ways)
        assert set(ways) == {"name", "text"}

    def test_typing_errors_get_suggestions(self) -> None:
        found = search_pages("calee-bsy")
        assert found.hits == ()
        assert found.suggestions[0] == "callee-busy"

    @pytest.mark.parametrize("text", ["", "   ", "zzzzzz", "\x00", "the of and"])
    def test_nothing_fits_nonsense(self, text: str) -> None:
        assert search_pages(text) == ((), ())


class TestPage:
    def test_codes_in_a_word(self) -> None:
        assert codes_text(pages()["callee-busy"]) == "486/560486"
        assert codes_text(pages()["trunk-client-error"]) == "SIP 400-499"

    def test_look_alikes_are_pages_and_never_the_page_itself(self) -> None:
        assert look_alikes_of(pages()["callee-busy"]) == ("busy-everywhere", "trunk-full", "callee-declined")
        for ending, page in pages().items():
            assert ending not in look_alikes_of(page)
            assert set(look_alikes_of(page)) <= set(pages())

    def test_most_pages_tell_their_look_alikes(self) -> None:
        without = [ending for ending, page in pages().items() if not look_alikes_of(page)]
        assert len(without) <= 5, without

    @pytest.mark.parametrize("ending", sorted(pages()))
    def test_as_data_and_as_text(self, ending: str) -> None:
        page = pages()[ending]
        told = detail_of(page)
        assert told.items() >= summary_of(page).items()
        assert tuple(told["sections"]) == SECTIONS
        assert told["provoked"] is not bool(told["why_not_provoked"])
        assert not (told["signals"] and page.front.events)
        text = page_text(page)
        assert text.startswith(f"{ending} · {codes_text(page)} · {page.front.name} · fault: ")
        assert all(f"\n{heading}\n" in text for heading in SECTIONS)
        assert max(map(len, page_text(page, width=60).split("\n\nScenario")[0].splitlines()[1:])) <= 90
        assert ("It cannot be provoked" in text) is bool(page.front.provoked)

    def test_an_event_shows_200_where_logs_show_0(self) -> None:
        assert summary_of(pages()["hung-up-by-phone"])["event_code"] == 200
        assert summary_of(pages()["callee-busy"])["event_code"] == 486
