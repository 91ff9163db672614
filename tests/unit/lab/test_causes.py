"""Every page is provoked or says why not; what is armed is the page's own scenario."""

from typing import get_args

import pytest

from onhook.endings.pages import pages
from onhook.facts import Refusal
from onhook.lab.causes import (
    ARMS,
    FAULTS,
    NETWORK,
    OF_NUMBERS,
    REQUESTS,
    Cause,
    application_part,
    carrier_part,
    causes,
    command,
    media_fault,
    network_failure,
    reasons,
)
from onhook.lab.scenario import parse_scenario


def test_every_page_is_provoked_or_says_why_not() -> None:
    assert set(causes()) | set(reasons()) >= set(pages())
    assert not set(causes()) & set(reasons())
    assert all(why.endswith(".") for why in reasons().values())
    assert len([name for name in pages() if name in causes()]) >= 85


def test_every_cause_has_its_place_and_its_words() -> None:
    for name, cause in causes().items():
        assert name == cause.name
        assert cause.arm in ARMS
        assert cause.text
        assert cause.ending in {"", name}
    assert {cause.arm for cause in causes().values()} == set(ARMS)


@pytest.mark.parametrize("cause", causes().values(), ids=lambda cause: cause.name)
def test_what_a_far_end_shall_play_can_be_played(cause: Cause) -> None:
    scenario = parse_scenario(cause.scenario)
    assert bool(scenario.carrier) or cause.arm != "carrier"
    assert (scenario.calls_in is not None) is (cause.arm == "inbound")


def test_what_the_application_has_to_do_is_told_and_not_armed() -> None:
    cause = causes()["cancelled-by-app"]
    assert cause.then == ("wait 1 s", "hang up")
    assert cause.scenario == "carrier: 180 Ringing\n"
    assert causes()["call-too-long"].needs == ("sip.max_call_seconds = 60",)


def test_routing_decides_all_refusals_of_routing() -> None:
    assert {name for name, cause in causes().items() if cause.arm == "routing"} == set(get_args(Refusal))


def test_network_faults_speak_in_the_words_of_the_network() -> None:
    words = {text.partition(":")[0] for text in NETWORK.values()}
    assert words == {"refused", "name-unknown", "unreachable", "reset"}
    assert set(NETWORK) <= set(causes())


def test_tls_fails_on_the_way_to_the_trunk() -> None:
    assert causes()["trunk-certificate-expired"].arm == "network"
    assert network_failure("trunk-certificate-expired").startswith("certificate-expired: provoked, ")
    assert network_failure("tcp-reset") == NETWORK["tcp-reset"]


def test_faults_beside_calls_are_no_endings() -> None:
    assert not {fault.name for fault in FAULTS} & set(pages())
    assert set(REQUESTS) <= {fault.name for fault in FAULTS}
    assert all(400 <= status <= 599 for status, _, _ in REQUESTS.values())


def test_media_fails_as_the_page_says() -> None:
    step = media_fault("prompt-not-served")
    assert step is not None
    assert (step.what, step.fault, step.status) == ("prompt", "status", 404)
    assert media_fault("callee-busy") is None
    assert media_fault("throttled") is None


def test_parts_of_a_scenario() -> None:
    scenario = parse_scenario(
        "server: set sip.max_calls = 3\ncarrier: 180 Ringing\napp: wait 1 s\n"
        "+14255550201: 486 Busy\napp: hang up\n"
    )
    assert carrier_part(scenario) == "carrier: 180 Ringing\n+14255550201: 486 Busy\n"
    assert application_part(scenario) == ("wait 1 s", "hang up")


def test_the_command_names_what_it_may() -> None:
    assert command("callee-busy") == "onhook provoke callee-busy"
    assert command("callee-busy", number="+1425") == "onhook provoke callee-busy --number +1425"
    assert (
        command("throttled", number="+1425", operation="play") == "onhook provoke throttled --operation play"
    )
    assert command("caller-gave-up", number="+1425").endswith("--number +1425")
    assert command("server-restarted", number="+1425") == "onhook provoke server-restarted"
    assert command("ice-failed") == ""
    assert {"carrier", "routing", "network"} <= OF_NUMBERS
