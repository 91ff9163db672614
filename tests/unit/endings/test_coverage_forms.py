"""Coverage in its forms: a table, Markdown, HTML, JUnit XML and plain data."""

import re
from html.parser import HTMLParser
from xml.etree.ElementTree import fromstring

import msgspec
import pytest

from onhook.endings.coverage import (
    Coverage,
    Delivery,
    Meeting,
    NextStep,
    Run,
    as_dict,
    cover,
    render_html,
    render_junit,
    render_markdown,
    render_text,
    summary,
)
from onhook.endings.coverage.as_html import MAX_SHOWN
from onhook.endings.coverage.as_text import answered, cells, followed

USED = {"createCall": 3, "createCall to phone": 3, "hangUp": 1, "hangUp to phone": 1}
TAKEN = Delivery(event="CreateCallFailed", status=200, elapsed_ms=3.4)
REFUSED = Delivery(event="CallDisconnected", status=503, elapsed_ms=12.0, attempts=4)
AGAIN = NextStep(operation="createCall", status=201, after_seconds=0.25, call="call-2", same_call=False)
HUNG_UP = NextStep(operation="hangUp", status=404, after_seconds=1.0, call="call-3", same_call=True)


def meeting(
    ending: str,
    *,
    after: str = "createCall",
    delivery: Delivery | None = None,
    then: NextStep | None = None,
    test: str = "",
) -> Meeting:
    return Meeting(ending=ending, call="call-1", at=1.0, after=after, test=test, delivery=delivery, then=then)


def covered(*meetings: Meeting, used: dict[str, int] | None = None) -> Coverage:
    return cover([Run(calls=3, used=USED if used is None else used, meetings=list(meetings))])


BUSY = meeting("callee-busy", delivery=TAKEN, then=AGAIN, test="test_busy[<b>]")
BOTH = covered(BUSY, meeting("hung-up-by-phone", delivery=REFUSED, then=HUNG_UP))


def test_met_missed_and_not_counted_are_told_apart() -> None:
    states = {row.ending: row.state for row in BOTH.rows}
    assert states["callee-busy"] == "met"
    assert states["rang-out"] == "missed"
    assert states["server-fault"] == "not-counted"  # only a defect of ours provokes it
    assert "user-declined" not in states  # no user was called
    assert len(BOTH.rows) + BOTH.out_of_reach > 100


def test_percent_is_of_what_can_be_met() -> None:
    counted = len(BOTH.met) + len(BOTH.missed)
    assert len(BOTH.met) == 2
    assert BOTH.percent == pytest.approx(200 / counted)
    assert BOTH.reaches(BOTH.percent)
    assert not BOTH.reaches(BOTH.percent + 0.1)


def test_what_was_met_counts_whatever_the_table_says() -> None:
    coverage = covered(meeting("user-declined"), used={"createCall": 1})
    assert [row.ending for row in coverage.met] == ["user-declined"]


def test_nothing_used_is_nothing_covered() -> None:
    coverage = cover([])
    assert (coverage.rows, coverage.percent) == ((), 0.0)
    assert not coverage.reaches(1)
    assert coverage.reaches(0)
    assert summary(coverage) == "Ending coverage: nothing to count in 0 calls."
    assert len(render_text(coverage).splitlines()) == 2


def test_the_summary_names_calls_that_are_still_open() -> None:
    coverage = cover([Run(calls=1, open_calls=1, used=USED)])
    assert summary(coverage).endswith("in 1 call, 1 of them open.")
    assert "0.0 %" in summary(coverage)


@pytest.mark.parametrize(
    ("delivery", "said"),
    [
        (None, "-"),
        (TAKEN, "200 in 3 ms"),
        (REFUSED, "503 in 12 ms, attempt 4"),
        (
            Delivery(event="CallDisconnected", status=None, elapsed_ms=0, error="refused"),
            "no answer: refused",
        ),
        (Delivery(event="CallDisconnected", status=None, elapsed_ms=0), "no answer"),
    ],
)
def test_what_the_application_answered(delivery: Delivery | None, said: str) -> None:
    assert answered(delivery) == said


def test_what_the_application_did_next() -> None:
    assert followed(None) == "nothing"
    assert followed(AGAIN) == "createCall, the next call, after 0.2 s"
    assert followed(HUNG_UP) == "hangUp (404) after 1.0 s"


def test_of_many_meetings_one_whose_event_was_not_taken_is_shown() -> None:
    coverage = covered(meeting("callee-busy", delivery=REFUSED), meeting("callee-busy", delivery=TAKEN))
    (row,) = coverage.met
    assert cells(row)[3:6] == ("2", "CallDisconnected", "503 in 12 ms, attempt 4")


def test_the_table_is_aligned_and_begins_with_what_was_met() -> None:
    first, second, _, heading, *lines = render_text(BOTH).splitlines()
    assert first == summary(BOTH)
    assert "createCall (3), hangUp (1)" in second
    column = heading.index("ending")
    assert lines[0].startswith("met")
    assert lines[0][column:].startswith("callee-busy ")
    assert lines[2].startswith("MISSED")
    assert len(lines) == len(BOTH.rows)
    missed = next(line for line in lines if "rang-out" in line)
    assert missed.endswith("onhook provoke rang-out")


def test_markdown_lists_what_is_left_to_do_first() -> None:
    text = render_markdown(BOTH)
    assert text.startswith("## Ending coverage: ")
    assert text.index("### Missed") < text.index("### Met") < text.index("### Not counted")
    assert "| `callee-busy` | The callee was busy | 486/560486 | createCall | 1 |" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {9}


class Reader(HTMLParser):
    """Counts rows, and collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.loads, self.open = 0, list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.rows += tag == "tr"
        self.loads += [name for name, _ in attrs if name in {"src", "href"}]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing() -> None:
    page, reader = render_html(BOTH), Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.loads == []
    assert reader.rows == len(BOTH.rows) + 1
    assert "test_busy[&lt;b&gt;]" in page
    assert "<b>" not in page


def test_the_page_lists_so_many_meetings_and_counts_the_others() -> None:
    page = render_html(covered(*[meeting("callee-busy")] * (MAX_SHOWN + 3)))
    assert page.count("<li>") == MAX_SHOWN + 1
    assert "and 3 more" in page
    assert f"{MAX_SHOWN + 3} times" in page


def test_junit_has_a_case_an_ending() -> None:
    suite = fromstring(render_junit(BOTH))
    assert suite.tag == "testsuite"
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert len(cases) == len(BOTH.met) + len(BOTH.missed) == int(suite.get("tests", ""))
    assert [child.tag for child in cases["callee-busy"]] == ["system-out"]
    out = cases["callee-busy"].findtext("system-out") or ""
    assert out.startswith("test_busy[<b>]: after createCall, CreateCallFailed → 200 in 3 ms, then createCall")
    assert [child.tag for child in cases["rang-out"]] == ["skipped"]
    failure = cases["hung-up-by-phone"].find("failure")
    assert failure is not None
    assert failure.get("message") == "CallDisconnected was not taken: 503 in 12 ms, attempt 4"
    assert (suite.get("failures"), suite.get("skipped")) == ("1", str(len(BOTH.missed)))
    assert "server-fault" not in cases


def test_junit_of_strange_names_is_xml_all_the_same() -> None:
    suite = fromstring(render_junit(covered(meeting("callee-busy", test="a\x00b\x1b[31m"))))
    assert suite.find("testcase") is not None


def test_plain_data_can_be_json() -> None:
    read = msgspec.json.decode(msgspec.json.encode(as_dict(BOTH)))
    assert (read["percent"], read["met"]) == (round(BOTH.percent, 2), 2)
    assert read["missed"] == len(BOTH.missed)
    busy = next(row for row in read["rows"] if row["ending"] == "callee-busy")
    assert busy["meetings"][0]["then"]["operation"] == "createCall"
