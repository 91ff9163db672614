"""The table of settings keeps its own rules, and agrees with the parts of the house it fills."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from onhook.config import load, parts
from onhook.config.kinds import Unfit
from onhook.config.schema import SECTIONS
from onhook.config.table import REQUIRED, Setting, as_toml, settings
from onhook.delivery.courier import MAX_POSTS_AT_A_TIME
from onhook.delivery.schedule import Schedule
from onhook.media.prompts.settings import PromptSettings
from onhook.media.recordings.settings import RecordingSettings
from onhook.media.settings import MediaSettings
from onhook.media.speech.settings import SpeechEndpoint, SpeechSettings
from onhook.media.streams.settings import StreamSettings
from onhook.net.settings import NetworkSettings
from onhook.server.settings import ServerSettings
from onhook.switch.switch import Limits

ALL = [(section, setting) for section, kind in SECTIONS.items() for setting in settings(kind)]
each_setting = pytest.mark.parametrize(
    ("section", "setting"), ALL, ids=[f"{row[0]}.{row[1].name}" for row in ALL]
)


@each_setting
def test_a_default_is_of_its_own_kind(section: str, setting: Setting) -> None:
    if setting.default is REQUIRED:
        assert section in {"resource", "trunk", "route", "subscription", "speech_endpoint"}, (
            "a server must start without any configuration"
        )
        return
    written = tomllib.loads(f"value = {as_toml(setting.default)}")["value"]
    assert setting.kind.read(written) == setting.default


@each_setting
def test_the_meaning_is_one_or_two_short_sentences(section: str, setting: Setting) -> None:
    assert setting.meaning.endswith("."), section
    assert len(setting.meaning) <= 110


@each_setting
def test_the_example_is_toml_of_the_kind_itself(section: str, setting: Setting) -> None:
    value = tomllib.loads(f"value = {setting.example}")["value"]
    if "…" in setting.example:
        with pytest.raises(Unfit):  # a made-up key would be used
            setting.kind.read(value)
    else:
        assert setting.kind.read(value) is not None, section


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_says_what_it_is(section: str) -> None:
    assert SECTIONS[section].__doc__
    assert section == SECTIONS[section].SECTION


@pytest.mark.parametrize("unit", ["seconds", "hours"])
def test_units_stand_last_in_names(unit: str) -> None:
    lengths = [setting.name for _, setting in ALL if f"{unit} " in f"{setting.kind.expected} "]
    assert lengths
    assert all(name.endswith(f"_{unit}") for name in lengths)


def test_passwords_and_keys_are_secret() -> None:
    secret = {f"{section}.{setting.name}" for section, setting in ALL if setting.secret}
    assert secret == {
        "resource.access_keys",
        "trunk.password",
        "hep.password",
        "subscription.endpoint",
        "speech_endpoint.key",
    }


@pytest.mark.parametrize(
    ("value", "toml"),
    [
        (True, "true"),
        (3, "3"),
        (1.5, "1.5"),
        (115.0, "115"),
        (86_400.0, "86400"),
        (2_000_000.0, "2000000"),
        ('a"b\\c', '"a\\"b\\\\c"'),
        (("a", 1), '["a", 1]'),
        ((), "[]"),
    ],
)
def test_values_are_written_as_toml(value: object, toml: str) -> None:
    assert as_toml(value) == toml
    read = tomllib.loads(f"value = {toml}")["value"]
    assert (tuple(read) if isinstance(read, list) else read) == value


def test_parts_get_their_own_defaults_from_an_empty_configuration() -> None:
    config = load(None, {})
    assert parts.network_settings(config) == NetworkSettings()
    assert parts.media_settings(config) == MediaSettings()
    assert parts.server_settings(config) == ServerSettings()
    assert parts.schedule(config) == Schedule()
    assert parts.call_limits(config) == Limits()
    recordings = Path(config.server.data_directory) / "recordings"
    assert parts.recording_settings(config) == RecordingSettings(directory=recordings)
    assert parts.stream_settings(config) == StreamSettings()
    assert parts.prompt_settings(config) == PromptSettings()
    assert parts.speech_settings(config) == SpeechSettings()
    assert config.delivery.posts_at_a_time == MAX_POSTS_AT_A_TIME


NOT_SET = {
    "NetworkSettings": {
        "transports",
        "advertised",  # advertised_host of each trunk
        "pong_seconds",
        "target_rests_seconds",
        "receive_buffer_bytes",
        "max_unsent_bytes",
        "lookup_timeout_seconds",
        "name_lifetime_seconds",
        "unknown_name_lifetime_seconds",
        "max_names",
        "max_waiting_for_a_name",
    },
    "MediaSettings": {"quarantine_seconds", "max_packets_a_tick"},
    "PromptSettings": {"cache_seconds", "max_redirects", "max_fetches"},
    "SpeechSettings": {"endpoints"},  # sections of their own
    "ServerSettings": {"request_limits"},  # the setting is limits.requests
    "Limits": {"setup_seconds", "end_after_silence_seconds"},  # sip.setup_timeout_seconds, and of [media]
}
"""Limits of the parts that nobody has needed to set yet: each has a name, none a setting."""


@pytest.mark.parametrize(
    ("part", "section"),
    [
        (NetworkSettings, "sip"),
        (MediaSettings, "media"),
        (PromptSettings, "prompt"),
        (SpeechSettings, "speech"),
        (SpeechEndpoint, "speech_endpoint"),
        (ServerSettings, "server"),
        (Schedule, "delivery"),
        (Limits, "sip"),
        (RecordingSettings, "recording"),
        (StreamSettings, "streaming"),
    ],
)
def test_each_field_of_a_part_is_a_setting_or_known_not_to_be(part: type, section: str) -> None:
    fields = {field.name for field in dataclasses.fields(part)}
    offered = {setting.name for setting in settings(SECTIONS[section])}
    assert fields - offered == NOT_SET.get(part.__name__, set())


def test_settings_reach_their_part(tmp_path: Path) -> None:
    path = tmp_path / "onhook.toml"
    path.write_text(
        "[server]\nown_api = 'always'\nmax_body_bytes = 2048\n[sip]\nhost = '192.0.2.1'\nidle_seconds = 5\n"
        "[media]\nfirst_port = 30000\nlast_port = 30010\n[delivery]\ndelays_seconds = "
        "[1]\ntimeout_seconds = 2\n[limits]\nrequests = ['createCall 2/10']\n"
    )
    config = load(path, {})
    assert parts.network_settings(config) == NetworkSettings(host="192.0.2.1", idle_seconds=5.0)
    assert parts.media_settings(config) == MediaSettings(host="192.0.2.1", first_port=30000, last_port=30010)
    assert parts.server_settings(config) == ServerSettings(
        own_api="always", max_body_bytes=2048, request_limits=("createCall 2/10",)
    )
    assert parts.schedule(config) == Schedule((1.0,), timeout_seconds=2.0)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"ONHOOK_SIP__HOST": "0.0.0.0"}, ("0.0.0.0", "127.0.0.1")),
        (
            {"ONHOOK_SIP__HOST": "0.0.0.0", "ONHOOK_SIP__ADVERTISED_HOST": "192.0.2.7"},
            ("0.0.0.0", "192.0.2.7"),
        ),
        ({"ONHOOK_MEDIA__HOST": "::"}, ("::", "::1")),
        ({"ONHOOK_MEDIA__ADVERTISED_HOST": "192.0.2.8"}, ("127.0.0.1", "192.0.2.8")),
    ],
)
def test_media_follows_the_sip_side_where_it_is_not_set(
    env: dict[str, str], expected: tuple[str, str]
) -> None:
    media = parts.media_settings(load(None, env))
    assert (media.host, media.written_host) == expected
