"""The stage of a scenario: the default configuration, with what its `server: set` lines change.

A setting of a scenario is checked exactly as one of onhook.toml or of an ONHOOK_ variable.
"""

from onhook.config.load import load
from onhook.config.parts import call_limits
from onhook.lab.rehearsal import Stage
from onhook.lab.scenario_steps import Scenario


def stage_of(scenario: Scenario) -> Stage:
    """Raises ConfigError, naming the variable that the setting stands for."""
    variables = {
        f"ONHOOK_{step.setting.upper().replace('.', '__').replace('-', '_')}": step.value
        for step in scenario.settings
    }
    config = load(None, variables)
    return Stage(config.directory, call_limits(config))
