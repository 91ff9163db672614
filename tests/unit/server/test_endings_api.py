"""/endings and /codes: pages of endings and codes, for people and programs."""

import re
from urllib.parse import quote

import pytest
from starlette.applications import Starlette

from onhook.endings.codes import rows
from onhook.endings.pages import pages
from onhook.server.app import make_app
from onhook.server.endings_pages import prose
from onhook.server.settings import ServerSettings
from unit.server.fake_switchboard import DIRECTORY, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import Answered, put

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
APP: Starlette = make_app(DIRECTORY, FakeSwitchboard(), FakeArchive(), ServerSettings())
LINK = re.compile(r'href="(/[^"]*)"')


async def get(
    path: str, *, accept: str = "*/*", client: str = "127.0.0.1", host: str = "localhost:8443"
) -> Answered:
    return await put(APP, "GET", path, {"host": host, "accept": accept}, client=client)


def text_of(answer: Answered) -> str:
    return answer.body.decode()


class TestEndings:
    @pytest.mark.parametrize("root", ["", "/onhook"])
    async def test_the_list_as_json_and_as_a_page(self, root: str) -> None:
        told = (await get(f"{root}/endings")).json()["endings"]
        assert [one["ending"] for one in told] == list(pages())
        page = await get(f"{root}/endings", accept=BROWSER)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert set(re.findall(r'href="/endings/([a-z0-9-]+)"', text_of(page))) == set(pages())

    async def test_a_search(self) -> None:
        told = (await get("/endings?q=486/560486")).json()
        assert told["endings"][0]["ending"] == "callee-busy"
        page = text_of(await get("/endings?q=calee-bsy", accept=BROWSER))
        assert 'Did you mean <a href="/endings/callee-busy">' in page
        assert "No ending fits." in text_of(await get("/endings?q=zzzz", accept=BROWSER))

    async def test_a_page_in_its_four_forms(self) -> None:
        told = (await get("/endings/callee-busy")).json()
        assert (told["ending"], told["code"], told["subcode"]) == ("callee-busy", 486, 560486)
        assert told["look_alikes"][0] == "busy-everywhere"
        markdown = await get("/endings/callee-busy.md")
        assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
        assert text_of(markdown) == pages()["callee-busy"].text
        assert text_of(await get("/endings/callee-busy.txt")).startswith("callee-busy · 486/560486")
        assert (await get("/endings/callee-busy.json", accept=BROWSER)).json() == told
        page = text_of(await get("/endings/callee-busy", accept=BROWSER))
        assert "<h2>What to do</h2>" in page
        assert '<a href="/codes/486/560486">486/560486</a>' in page
        assert '<a href="/endings/busy-everywhere"><code>busy-everywhere</code></a>' in page

    @pytest.mark.parametrize("ending", sorted(pages()))
    async def test_every_page_is_html_whose_links_lead_somewhere(self, ending: str) -> None:
        answer = await get(f"/endings/{ending}", accept=BROWSER)
        assert answer.status == 200
        for link in set(LINK.findall(text_of(answer))):
            assert (await get(link)).status == 200, link

    async def test_an_ending_that_is_not_there(self) -> None:
        answer = await get("/endings/callee-bsy")
        assert (answer.status, answer.error["target"]) == (404, "name")
        assert "Did you mean callee-busy" in answer.error["message"]
        for name in ("..", "nothing", "%3Cscript%3E", "x" * 500):
            assert (await get(f"/endings/{name}")).status == 404

    async def test_a_form_that_it_does_not_have(self) -> None:
        answer = await get("/endings/callee-busy?format=pdf")
        assert (answer.status, answer.error["code"]) == (400, "InvalidFormat")


class TestCodes:
    @pytest.mark.parametrize("root", ["", "/onhook"])
    async def test_a_pair_as_json_and_as_a_page(self, root: str) -> None:
        told = (await get(f"{root}/codes/486/560486")).json()
        assert (told["code"], told["subcode"], told["ending"]) == (486, 560486, ["callee-busy"])
        page = await get(f"{root}/codes/486/560486", accept=BROWSER)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<h1>486/560486 · Number busy, outbound · Success</h1>" in text_of(page)
        assert '<a href="/endings/callee-busy">callee-busy</a>' in text_of(page)

    async def test_the_json_twin_and_the_other_forms(self) -> None:
        by_accept = await get("/codes/401/8565", accept="application/json")
        by_name = await get("/codes/401/8565.json", accept=BROWSER)
        assert by_accept.json() == by_name.json()
        assert text_of(await get("/codes/401/8565.md")).startswith("## 401/8565 ")
        assert text_of(await get("/codes/401/8565?format=text")).startswith("401/8565 · ")
        assert "voice name was sent blank" in text_of(await get("/codes/401/8565.html"))

    async def test_a_number_alone(self) -> None:
        assert (await get("/codes/560486")).json()["subcode"] == 560486
        several = (await get("/codes/603")).json()
        assert {row["code"] for row in several} == {603}

    async def test_what_only_digits_tell_is_said_to_be_unlisted(self) -> None:
        told = await get("/codes/560777")
        assert told.status == 200
        assert told.json()["known"] is False

    async def test_every_row_has_a_page(self) -> None:
        for row in rows():
            path = "/".join(str(number) for number in (row.code, row.subcode) if number is not None)
            answer = await get(f"/codes/{path}", accept=BROWSER)
            assert answer.status == 200, path
            assert f"/endings/{row.name}" not in text_of(answer)

    @pytest.mark.parametrize("path", ["x", "486/x", "-1", "1e3", "²", "9" * 10, "486/560486/1", "0x1"])
    async def test_what_is_no_code(self, path: str) -> None:
        assert (await get(f"/codes/{quote(path)}")).status == 404

    async def test_anything_can_be_asked(self) -> None:
        asked = quote("ended. DiagCode: 0#7000.@")
        assert (await get(f"/codes?q={asked}")).json()[0]["subcode"] == 7000
        assert "0/7000 · " in text_of(await get(f"/codes?q={asked}", accept=BROWSER))

    async def test_no_question_is_a_box_to_ask_in(self) -> None:
        answer = await get("/codes", accept=BROWSER)
        assert answer.status == 200
        assert '<input name="q"' in text_of(answer)

    async def test_what_nobody_knows(self) -> None:
        assert (await get("/codes?q=zzzz")).status == 404
        answer = await get("/codes?q=zzzz", accept=BROWSER)
        assert answer.status == 404
        assert "Nothing is known of this." in text_of(answer)

    async def test_a_question_that_is_too_long(self) -> None:
        answer = await get(f"/codes?q={'x' * 4001}")
        assert (answer.status, answer.error["code"]) == (400, "InvalidQuery")

    @pytest.mark.parametrize("path", ["/codes", "/endings"])
    async def test_what_was_asked_cannot_become_markup(self, path: str) -> None:
        evil = quote('"><script>alert(1)</script> 486/560486')
        assert "<script" not in text_of(await get(f"{path}?q={evil}", accept=BROWSER))


class TestWhoMayRead:
    @pytest.mark.parametrize(
        "path", ["/endings", "/endings/callee-busy", "/codes/486/560486", "/onhook/codes"]
    )
    async def test_callers_elsewhere_and_foreign_names_are_refused(self, path: str) -> None:
        assert (await get(path, client="192.0.2.7")).status == 403
        assert (await get(path, host="evil.example:8443")).status == 403


class TestProse:
    def test_paragraphs_lists_and_code(self) -> None:
        made = prose("One `a<b`\nline.\n\n- first\n  goes on\n- `callee-busy` & more\n\nLast.")
        assert made == (
            "<p>One <code>a&lt;b</code>\nline.</p><ul><li>first\n  goes on</li>"
            '<li><a href="/endings/callee-busy"><code>callee-busy</code></a> &amp; more</li></ul><p>Last.</p>'
        )

    def test_a_backtick_alone_is_text(self) -> None:
        assert prose("a ` b") == "<p>a ` b</p>"
