"""Coverage as JUnit XML: a test case an ending, for the reports of CI servers.

Met is passed; missed is skipped, with what leads to it; met with an event that the application did not take
is failed, for then it knows nothing of that ending.
"""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from onhook.endings.coverage.as_text import answered, followed, telling
from onhook.endings.coverage.covered import Coverage, Row
from onhook.endings.signals import printable

SUITE = "onhook ending coverage"


def render_junit(coverage: Coverage) -> str:
    """One testsuite; endings that are not counted are left out."""
    rows = [*coverage.met, *coverage.missed]
    suite = Element("testsuite", name=SUITE, tests=str(len(rows)), errors="0")
    about = SubElement(suite, "properties")
    SubElement(about, "property", name="percent", value=f"{coverage.percent:.2f}")
    SubElement(about, "property", name="calls", value=str(coverage.calls))
    failed = sum([_case(suite, row) for row in rows])
    suite.set("failures", str(failed))
    suite.set("skipped", str(len(coverage.missed)))
    indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suite, encoding="unicode")}\n'


def _case(suite: Element, row: Row) -> bool:
    """Add the case of one ending; whether it failed."""
    case = SubElement(suite, "testcase", classname="onhook.endings", name=row.ending)
    if row.state == "missed":
        SubElement(case, "skipped", message=f"not met; it can follow from {', '.join(row.after)}")
        return False
    refused = telling(row)
    delivery = refused.delivery if refused else None
    failed = delivery is not None and not delivery.taken
    if delivery is not None and failed:
        SubElement(case, "failure", message=f"{delivery.event} was not taken: {answered(delivery)}")
    out = SubElement(case, "system-out")
    out.text = "\n".join(
        printable(
            f"{each.test or each.call}: after {each.after or 'no operation'}, "
            f"{each.delivery.event if each.delivery else 'no event'} "
            f"→ {answered(each.delivery)}, then {followed(each.then)}",
            1_000,
        )
        for each in row.meetings
    )
    return failed
