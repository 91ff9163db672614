"""The settings of a fleet of rtpengines: what they become, and what cannot stand together."""

from pathlib import Path

import pytest

from onhook.config import Config, ConfigError, load
from onhook.config.parts import fleet_settings
from onhook.media.rtpengine.settings import FleetSettings

TWO = 'engine = "rtpengine"\nrtpengine = ["127.0.0.1:2223", "[::1]:2224"]\n'


def loaded(media: str, tmp_path: Path, sip: str = "") -> Config:
    path = tmp_path / "onhook.toml"
    path.write_text(f"[media]\n{media}\n[sip]\n{sip}\n")
    return load(path, {})


def told(media: str, tmp_path: Path, sip: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(media, tmp_path, sip)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_without_a_word_the_embedded_engine_is_alone(tmp_path: Path) -> None:
    assert fleet_settings(loaded("", tmp_path)) is None


def test_engines_are_named(tmp_path: Path) -> None:
    made = fleet_settings(loaded(TWO, tmp_path))
    assert made == FleetSettings((("127.0.0.1", 2223), ("::1", 2224)))


def test_all_that_can_be_said(tmp_path: Path) -> None:
    more = 'rtpengine_interfaces = ["in", "out"]\nrtpengine_codecs = ["G722", "PCMA"]\nrtpengine_ready = 7\n'
    made = fleet_settings(loaded(TWO + more, tmp_path))
    assert made
    assert (made.interfaces, made.codecs, made.ready) == (("in", "out"), ("G722", "PCMA"), 7)


def test_an_engine_of_no_address_is_refused(tmp_path: Path) -> None:
    problem = told('engine = "rtpengine"', tmp_path)
    assert problem == (
        'onhook.toml:2: media.rtpengine: needed, because media.engine is "rtpengine". Name their ng sockets, '
        'as in ["127.0.0.1:2223"].'
    )


def test_one_interface_is_too_few(tmp_path: Path) -> None:
    problem = told(TWO + 'rtpengine_interfaces = ["in"]', tmp_path)
    assert problem.startswith("onhook.toml:4: media.rtpengine_interfaces: expected two names, ")


def test_an_engine_given_twice(tmp_path: Path) -> None:
    problem = told('rtpengine = ["127.0.0.1:2223", "127.0.0.1:2223"]', tmp_path)
    assert problem == "onhook.toml:2: media.rtpengine: an rtpengine is given twice. Name each once."


@pytest.mark.parametrize(
    "setting", ['engine = "asterisk"', 'rtpengine = ["x"]', 'rtpengine_codecs = ["opus"]']
)
def test_what_is_none_of_these_is_refused(setting: str, tmp_path: Path) -> None:
    problem = told(setting, tmp_path)
    assert problem.startswith(f"onhook.toml:2: media.{setting.partition(' ')[0]}: ")
    assert " expected " in problem


def test_an_engine_elsewhere_cannot_reach_this_machine_only(tmp_path: Path) -> None:
    away = 'engine = "rtpengine"\nrtpengine = ["127.0.0.1:2223", "10.0.0.8:2223"]\n'
    problem = told(away, tmp_path)
    assert problem.startswith(
        "onhook.toml:3: media.host: 127.0.0.1 is this machine only, but rtpengine 10.0.0.8:2223 is not on it."
    )
    assert fleet_settings(loaded(away + 'host = "10.0.0.5"', tmp_path))


def test_trunks_elsewhere_are_reached_by_rtpengines(tmp_path: Path) -> None:
    trunk = '[trunk.a]\nhost = "192.0.2.1"'
    own = f'host = "192.0.2.5"\n{trunk}'
    assert "media.host: 127.0.0.1 is this machine only, but trunk a" in told(
        'host = "127.0.0.1"', tmp_path, own
    )
    assert fleet_settings(loaded(TWO + 'host = "127.0.0.1"', tmp_path, own))


def test_engines_that_are_not_used_are_worth_a_warning(tmp_path: Path) -> None:
    (warning,) = loaded('rtpengine = ["127.0.0.1:2223"]', tmp_path).warnings
    assert warning.startswith("media.rtpengine names engines that are not used")
