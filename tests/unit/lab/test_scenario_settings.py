"""`server: set` lines: settings that hold while a scenario plays."""

import pytest

from onhook.config import ConfigError
from onhook.config.stage import stage_of
from onhook.lab.scenario import ScenarioError, parse_scenario, write_scenario
from onhook.lab.scenario_steps import ServerSet


def test_a_setting_is_read_and_written_back() -> None:
    text = 'server: set trunk.carrier.max_calls = 1\nserver: set resource.dev.numbers = ["+14255550100"]\n'
    scenario = parse_scenario(text)
    assert scenario.settings[0] == ServerSet("trunk.carrier.max_calls", "1")
    assert write_scenario(scenario) == text


@pytest.mark.parametrize(
    "line", ["server: set", "server: set max_calls", "server: set a.b =", "server: set = 1"]
)
def test_what_is_no_setting_is_said_with_an_example(line: str) -> None:
    with pytest.raises(ScenarioError, match=r"line 1: .*no setting.*max_calls = 1"):
        parse_scenario(line)


def test_settings_stand_before_the_call() -> None:
    with pytest.raises(ScenarioError, match="line 2: the call has begun"):
        parse_scenario("carrier: 180 Ringing\nserver: set sip.max_calls = 1")


def test_the_stage_is_the_default_configuration_with_the_settings() -> None:
    stage = stage_of(
        parse_scenario('server: set trunk.carrier.transport = "tcp"\nserver: set sip.max_calls = 7')
    )
    assert stage.directory.trunks["carrier"].transport == "tcp"
    assert stage.limits.max_calls == 7
    assert stage.resource.name == "dev"


def test_a_wrong_value_is_refused_as_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match="ONHOOK_SIP__MAX_CALLS"):
        stage_of(parse_scenario("server: set sip.max_calls = many"))


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="ONHOOK_SIP__MAX_CALS"):
        stage_of(parse_scenario("server: set sip.max_cals = 1"))
