"""docs/reference/signals-and-tips.md holds every row of its tables."""

from onhook.endings.beside import disputes, reports, signal_rules
from onhook.endings.pages import pages
from onhook.endings.question_errors import faults
from onhook.endings.reference import signals_and_tips
from onhook.endings.tips import tips

TEXT = signals_and_tips()


def test_every_row_of_every_table_is_there() -> None:
    for tip in tips().values():
        assert f"| {tip.id} | {tip.title} | {tip.tell} |" in TEXT
    for signal in signal_rules():
        assert f"| {signal.signal} | {signal.leg} |" in TEXT
    for fault in faults().values():
        assert f"| {fault.name} | {fault.side} |" in TEXT
    for report in reports():
        assert report.source in TEXT
    for dispute in disputes():
        assert dispute.says.partition("|")[0][:40] in TEXT


def test_each_table_has_as_many_cells_in_every_line() -> None:
    width = 0
    for line in TEXT.splitlines():
        if line.startswith("|"):
            cells = line.replace("\\|", "").count("|")
            assert cells == width or not width, line
            width = cells
        else:
            width = 0


def test_what_checks_a_tip_is_said() -> None:
    assert "facts: declined at once" in TEXT
    assert "the server: `onhook.server.throttle`" in TEXT
    assert "nothing: It is about Azure's logs." in TEXT
    assert "[caller-id-missing](../../src/onhook/endings/pages/caller-id-missing.md)" in TEXT


def test_links_lead_to_pages() -> None:
    for part in TEXT.split("endings/pages/")[1:]:
        assert part.partition(".md")[0] in pages()
