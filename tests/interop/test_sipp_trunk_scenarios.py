"""The scenarios themselves: each becomes one that SIPp can play, and says what it is for."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from interop.sipp_trunk.scenario import expand
from interop.sipp_trunk.sipp import SCENARIOS, Ended, free_port, sipp

FILES = sorted(SCENARIOS.glob("*.xml"))
TESTS = sorted(Path(__file__).parent.glob("test_*.py"))
SIPPS_OWN = {"recv", "send", "pause", "nop", "label", "Reference", "timewait"}


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_scenario_expands_to_elements_of_sipp(file: Path) -> None:
    text = file.read_text()
    assert text.splitlines()[2].startswith("<!-- ")
    scenario = ET.fromstring(expand(text, {"again": ""}))
    assert scenario.get("name")
    assert {element.tag for element in scenario} <= SIPPS_OWN


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_scenario_is_played(file: Path) -> None:
    assert any(f'"{file.name}"' in test.read_text() for test in TESTS)


def test_a_response_to_the_invite_repeats_its_headers() -> None:
    made = expand('<respond status="180 Ringing" tag="two"/>', {})
    assert "SIP/2.0 180 Ringing\nVia: [$via]\nFrom: [$from]\nTo: [$to];tag=[pid]x[call_number]xtwo\n" in made
    assert "Contact: <sip:callee@" in made
    assert made.startswith("<send>")


def test_a_100_has_neither_tag_nor_contact() -> None:
    made = expand('<respond status="100 Trying"/>', {})
    assert "To: [$to]\n" in made
    assert "Contact" not in made


def test_a_response_to_another_request_repeats_that_one() -> None:
    made = expand('<respond status="200 OK" to="request"/>', {})
    assert "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n" in made


def test_options_bodies_and_headers_go_where_they_belong() -> None:
    made = expand(
        """<respond status="200 OK" sdp="sendonly" cseq="2 INVITE" send='retrans="500"'>
             Reason: Q.850;cause=16
             X: [word]
           </respond>""",
        {"word": "first\n second"},
    )
    assert made.startswith('<send retrans="500">')
    assert "CSeq: 2 INVITE\n" in made
    assert "\nReason: Q.850;cause=16\nX: first\n second\nContent-Type: application/sdp\n" in made
    assert re.search(r"Content-Length: \[len\]\n\nv=0\n(.*\n)*a=sendonly\n", made)


def test_a_request_of_the_callee_turns_the_dialog_round() -> None:
    made = expand('<request method="BYE" cseq="4"/>', {})
    assert "BYE [$contact] SIP/2.0\n" in made
    assert "From: [$to];tag=[pid]x[call_number]x\nTo: [$from]\n" in made
    assert "CSeq: 4 BYE\n" in made


@pytest.mark.parametrize(
    "text", ['<respond state="180"/>', '<request cseq="1" to="x"/>', '<invite once="1"/>']
)
def test_an_attribute_that_does_not_exist_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"has no attribute (state|to|once)"):
        expand(text, {})


def test_an_unhappy_run_is_no_good_run() -> None:
    Ended(0, "", [], []).check()
    for bad in (Ended(1, "", [], []), Ended(0, "Aborting call on unexpected message", [], [])):
        with pytest.raises(AssertionError):
            bad.check()


@pytest.mark.interop
async def test_a_scenario_that_sipp_refuses_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Response codes must be in the range"):
        async with sipp("refuse_bare.xml", tmp_path, port=free_port(), keys={"status": "999 Beyond"}):
            pytest.fail("it started")
