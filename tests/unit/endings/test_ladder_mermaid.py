"""The Mermaid diagram shows the rows of the text ladder, and nothing that a stranger writes breaks it."""

import re

import pytest

from onhook.endings.ladder import MAX_ROWS, lay_out
from onhook.endings.ladder_mermaid import draw_mermaid
from onhook.facts import TimerFired, TransportFailed
from timelines import SAMPLES

ROW = re.compile(r"    (Note over c\d+(,c\d+)?: .+|c\d+(->>|-x)c\d+: .+|participant c\d+ as .+)\Z", re.DOTALL)


@pytest.mark.parametrize("ending", ["callee-busy", "hung-up-by-app", "trunk-unreachable", "transferred"])
def test_it_has_a_line_for_every_row_and_column_of_the_ladder(ending: str) -> None:
    timeline = SAMPLES[ending]
    layout = lay_out(timeline)
    first, *lines = draw_mermaid(timeline).splitlines()
    assert first == "sequenceDiagram"
    assert len(lines) == len(layout.columns) + len(layout.rungs)
    assert all(ROW.match(line) for line in lines)
    numbers = [int(found[1]) for line in lines if (found := re.search(r": #35;(\d+) \+", line))]
    assert numbers == [rung.number for rung in layout.rungs]


def test_arrows_go_as_the_messages_did_and_what_was_lost_ends_in_a_cross() -> None:
    drawn = draw_mermaid(SAMPLES["callee-busy"])
    assert re.search(r"c1->>c2: .*INVITE", drawn)
    assert re.search(r"c2->>c1: .*SIP/2.0 486", drawn)
    assert "c1-xc2" in draw_mermaid(SAMPLES["trunk-unreachable"])


def test_nothing_of_a_stranger_ends_a_line_or_begins_another() -> None:
    bad = TransportFailed(
        at=1.0, leg="a", transport="udp", peer="x:1", error="x; c0->>c1: <b>\n#1; %%{init: {}}%%"
    )
    lines = draw_mermaid([bad]).splitlines()
    (row,) = [line for line in lines if "-x" in line]
    label = row.partition(": ")[2]
    assert not set("<>%{}") & set(label)
    assert re.sub(r"#(\d+|lt|gt);", "", label).count(";") == 0


def test_no_facts_give_no_rows() -> None:
    assert "->>" not in draw_mermaid([])


def test_a_long_timeline_names_its_gap() -> None:
    timeline = [TimerFired(at=float(at), name="B", after_seconds=1.0) for at in range(MAX_ROWS + 7)]
    assert "7 more facts" in draw_mermaid(list(timeline))
