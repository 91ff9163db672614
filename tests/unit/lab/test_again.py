"""Every verdict ends with the command that provokes it again, or with why there is none."""

import pytest

from onhook.endings.pages import pages
from onhook.facts import Provoked, RouteRefused
from onhook.lab.again import Again, again, again_markdown, again_of_ending, again_text, provoked_by
from store_samples import record

BY_LAB = Provoked(at=1.0, provocation="p3", name="callee-busy", arm="carrier")


def test_the_command_is_for_the_number_of_the_call() -> None:
    told = again("callee-busy", record(target="+14255550486"), [])
    assert told.command == "onhook provoke callee-busy --number +14255550486"
    assert list(again_text(told))[-1].strip() == told.command
    assert again("user-x", record(), []).why_not == "no page is called user-x"


def test_a_user_is_no_number() -> None:
    told = again("callee-busy", record(target="8:acs:onhook_bert02"), [])
    assert told.command == "onhook provoke callee-busy"


@pytest.mark.parametrize("ending", pages())
def test_each_ending_has_a_command_or_a_reason(ending: str) -> None:
    told = again(ending, record(), [])
    assert bool(told.command) is not bool(told.why_not)
    lines = list(again_text(told))
    assert lines[-1].strip() in {told.command, told.why_not}
    assert again_of_ending(ending) == "" if told.why_not else "provoke" in again_of_ending(ending)
    assert again_markdown(told).startswith("## Provoke it again")


def test_what_was_provoked_says_so() -> None:
    refused = RouteRefused(at=2.0, number="+1", why="trunk-full", detail="provoked (p4): trunk-full")
    own = RouteRefused(at=2.0, number="+1", why="trunk-full", detail="full")
    assert provoked_by([BY_LAB, BY_LAB, refused, own]) == ("p3", "p4")
    text = "\n".join(again_text(again("callee-busy", record(), [BY_LAB])))
    assert "This was provoked (p3): nothing is broken." in text


def test_what_the_application_and_the_settings_have_to_do_is_told() -> None:
    text = "\n".join(again_text(again("rtp-stopped", record(), [])))
    assert "Settings it needs: media.end_after_silence_seconds = 60" in text
    text = again_markdown(again("cancelled-by-app", record(), []))
    assert "Your application then: wait 1 s; hang up" in text
    assert "```\nonhook provoke cancelled-by-app --number +14255550200\n```" in text


def test_nothing_while_the_call_is_open() -> None:
    assert list(again_text(None)) == []
    assert again_markdown(None) == ""
    assert Again().command == ""
