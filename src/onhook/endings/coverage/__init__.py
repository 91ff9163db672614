"""Ending coverage: of the endings an application can meet, which did a run exercise, and what came next.

    run = read_run([KeptCall(id=..., timeline=...), ...])     # the facts of a run's calls
    coverage = cover([run])                                   # runs of several processes are added up
    render_text(coverage)                                     # or html, junit, as_dict, markdown

`render` names the forms. A run is plain data: `msgspec.json` carries it from one process to another.
"""

from onhook.endings.coverage.as_html import render_html
from onhook.endings.coverage.as_junit import render_junit
from onhook.endings.coverage.as_text import as_dict, render_markdown, render_text, summary
from onhook.endings.coverage.covered import Coverage, Row, cover
from onhook.endings.coverage.met import Delivery, KeptCall, Meeting, NextStep, Run, read_run

__all__ = [
    "Coverage",
    "Delivery",
    "KeptCall",
    "Meeting",
    "NextStep",
    "Row",
    "Run",
    "as_dict",
    "cover",
    "read_run",
    "render_html",
    "render_junit",
    "render_markdown",
    "render_text",
    "summary",
]
