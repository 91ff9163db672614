"""Every setting by ONHOOK_… variable, over the file or without one."""

import tempfile
from pathlib import Path

import pytest

from certificate_files import tls_settings
from onhook.calls.numbers import fault_in
from onhook.config import DEVELOPMENT_KEY, ConfigError, load
from onhook.config.schema import NAMED, SECTIONS, SINGLE
from onhook.config.table import settings

KEY = "c2l4dGVlbi1ieXRlcy1rZXk="


def told(env: dict[str, str], path: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, env)
    return str(caught.value).splitlines()


def test_values_are_toml_or_bare_text() -> None:
    config = load(
        None,
        {
            "ONHOOK_SERVER__PORT": "9000",
            "ONHOOK_SERVER__HTTPS": "false",
            "ONHOOK_SERVER__HOSTNAMES": '["a.example", "b.example"]',
            "ONHOOK_SIP__HOST": '"127.0.0.3"',
            "ONHOOK_STORE__PATH": "/var/lib/onhook/calls.db",
            "ONHOOK_DELIVERY__DELAYS_SECONDS": "1, 2.5,30",
            "ONHOOK_DELIVERY__TIMEOUT_SECONDS": " 3 ",
        },
    )
    assert (config.server.port, config.server.https) == (9000, False)
    assert config.server.hostnames == ("a.example", "b.example")
    assert config.sip.host == "127.0.0.3"
    assert config.store.path == "/var/lib/onhook/calls.db"
    assert config.delivery.delays_seconds == (1.0, 2.5, 30.0)
    assert config.delivery.timeout_seconds == 3.0


def test_a_text_setting_takes_what_looks_like_a_number_or_a_date() -> None:
    config = load(
        None, {"ONHOOK_TRUNK__CARRIER__PASSWORD": "0123", "ONHOOK_TRUNK__CARRIER__USERNAME": "true"}
    )
    assert (config.directory.trunks["carrier"].password, config.directory.trunks["carrier"].username) == (
        "0123",
        "true",
    )


def test_one_number_needs_no_list() -> None:
    config = load(None, {"ONHOOK_RESOURCE__DEV__NUMBERS": "+14255550177"})
    assert config.directory.resources[0].numbers == ("+14255550177",)
    assert config.directory.resources[0].access_keys == (DEVELOPMENT_KEY,)


def test_the_environment_stands_above_the_file(tmp_path: Path) -> None:
    path = tmp_path / "onhook.toml"
    path.write_text(
        '[trunk.My-SBC]\nhost = "127.0.0.1"\nport = 5062\n[[route]]\npattern = "x"\ntrunks = ["My-SBC"]\n'
    )
    config = load(path, {"ONHOOK_TRUNK__MY_SBC__PORT": "5063", "ONHOOK_ROUTE__0__PATTERN": r"\+1\d+"})
    assert {name: trunk.port for name, trunk in config.directory.trunks.items()} == {"My-SBC": 5063}
    assert config.directory.routes[0].pattern == r"\+1\d+"
    assert config.directory.routes[0].trunks == ("My-SBC",)


def test_routes_are_added_by_their_place() -> None:
    config = load(
        None,
        {
            f"ONHOOK_ROUTE__{n}__{key}": value
            for n in range(12)
            for key, value in (("PATTERN", f"{n}"), ("TRUNKS", "carrier"))
        },
    )
    assert [route.pattern for route in config.directory.routes] == [str(n) for n in range(12)]
    assert config.directory.routes[11].name == "route-12"


def test_a_trunk_of_the_environment_replaces_the_built_in_one() -> None:
    config = load(None, {"ONHOOK_TRUNK__SBC__HOST": "127.0.0.9"})
    assert set(config.directory.trunks) == {"sbc"}
    assert config.directory.routes[0].trunks == ("sbc",)


def test_a_resource_of_the_environment_shuts_the_development_key_out() -> None:
    config = load(None, {"ONHOOK_RESOURCE__SHOP__ACCESS_KEYS": KEY})
    assert [(resource.name, resource.access_keys) for resource in config.directory.resources] == [
        ("shop", (KEY,))
    ]


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load(None, {"ONHOOK_SERVER__PORT": ""}) == load(None, {})


def test_variables_of_others_are_left_alone() -> None:
    others = {
        "PATH": "/bin",
        "ONHOOK_CONFIG": "x.toml",
        "ONHOOK_CONNECTION_STRING": "endpoint=…",
        "MY_ONHOOK__X": "1",
    }
    assert load(None, others) == load(None, {})


WRONG = [
    (
        "ONHOOK_SERVER__PORT",
        "abc",
        'expected a whole number 0–65535, got "abc". Write ONHOOK_SERVER__PORT=8443.',
    ),
    ("ONHOOK_SERVER__PROT", "1", "no such setting. Did you mean port?"),
    ("ONHOOK_SERVER_PORT", "1", "no such setting. Did you mean ONHOOK_SERVER__PORT, with two underscores?"),
    ("ONHOOK_SEVER__PORT", "1", "no such section. Did you mean server?"),
    ("ONHOOK_SERVER__", "1", "incomplete. Write ONHOOK_SERVER__HOST=…."),
    ("ONHOOK_TRUNK__PORT", "1", "incomplete. Write ONHOOK_TRUNK__NAME__HOST=…."),
    ("ONHOOK_ROUTE__PATTERN", "1", "incomplete. Write ONHOOK_ROUTE__0__NAME=…."),
    ("ONHOOK_ROUTE__3__PATTERN", "x", "3 is no place in the list: there is none yet; use 0 for a new one."),
    ("ONHOOK_ROUTE__X__PATTERN", "x", "x is no place in the list: there is none yet; use 0 for a new one."),
    ("ONHOOK_TRUNK__A B__HOST", "x", '"a b" is no name: use 1 to 64 letters, digits, -, _ and dots.'),
    (
        "ONHOOK_RESOURCE__DEV__NUMBERS",
        "+14255550100,+1x",
        (
            f'value 2: expected an E.164 number, got "+1x": {fault_in("+1x")}. '
            'Write ONHOOK_RESOURCE__DEV__NUMBERS=["+14255550100"].'
        ),
    ),
    (
        "ONHOOK_RESOURCE__DEV__ACCESS_KEYS",
        "not-a-key",
        (
            "value 1: expected an access key in base64: it is not base64. Write "
            'ONHOOK_RESOURCE__DEV__ACCESS_KEYS=["…"].'
        ),
    ),
    (
        "ONHOOK_CARRIER__ENABLED",
        "maybe",
        'expected true or false, got "maybe". Write ONHOOK_CARRIER__ENABLED=true.',
    ),
    (
        "ONHOOK_TRUNK__CARRIER__TRANSPORT",
        "sctp",
        'expected udp, tcp or tls, got "sctp". Write ONHOOK_TRUNK__CARRIER__TRANSPORT=udp.',
    ),
]


@pytest.mark.parametrize(("variable", "text", "problem"), WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_variable_is_named_with_what_to_write(variable: str, text: str, problem: str) -> None:
    assert told({variable: text}) == [f"{variable}: {problem}"]


def test_a_gap_in_the_routes_says_which_places_there_are(tmp_path: Path) -> None:
    path = tmp_path / "onhook.toml"
    path.write_text('[[route]]\npattern = "x"\ntrunks = ["carrier"]\n')
    (fault,) = told({"ONHOOK_ROUTE__2__PATTERN": "x"}, path)
    assert fault == (
        "ONHOOK_ROUTE__2__PATTERN: 2 is no place in the list: routes 0 to 0 are there; use 1 for a new one."
    )


def test_a_half_given_trunk_names_the_variable_it_came_from() -> None:
    assert told({"ONHOOK_TRUNK__SBC__PORT": "5060"}) == [
        (
            "ONHOOK_TRUNK__SBC__PORT: trunk.sbc.host is missing too: a host name or an IP address is needed. "
            "Write ONHOOK_TRUNK__SBC__HOST=sbc.example.com."
        )
    ]


FILES = tls_settings(Path(tempfile.mkdtemp()), "sbc.example")
WHOLE = FILES.certificate.with_name("whole.pem")
WHOLE.write_bytes(FILES.certificate.read_bytes() + FILES.key.read_bytes())
VALUES = {
    "access_keys": KEY,
    "numbers": "+14255550177",
    "order": "random",
    "id": "6f1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b01",
    "hostnames": "a.example",
    "path": "x.db",
    "data_directory": "x",
    "callback_http": "always",
    "own_api": "always",
    "advertised_host": "203.0.113.7",
    "host": "127.0.0.8",
    "transport": "tcp",
    "refer": "never",
    "username": "u",
    "password": "p",
    "https": "false",
    "enabled": "false",
    "name": "r",
    "pattern": "x",
    "trunks": "carrier",
    "direct_routing": "false",
    "engine": "rtpengine",
    "rtpengine": "127.0.0.1:2223,[::1]:2223",
    "rtpengine_interfaces": "internal,external",
    "rtpengine_codecs": "G722",
    "first_port": "30000",
    "last_port": "30001",
    "max_body_bytes": "2048",
    "endpoints": "a.example:1",
    "ipv6_host": "::1",
    "delays_seconds": "7",
    "requests": "createCall 2/10",
    "endpoint": "https://app.example/2",
    "resource": "dev",
    "schema": "cloudevents",
    "event_types": "CallEnded,IncomingCall",
    "subject_case_sensitive": "true",
    "token_issuer": "https://calls.example",
    "sip_routing": "file",
    "api_trunk_transport": "tcp",
    "tls": "true",
    "tls_certificate": str(WHOLE),
    "tls_key": str(FILES.key),
    "tls_authorities": str(FILES.authorities),
    "tls_client_certificates": "required",
    "tls_name": "sbc.example",
    "dns_servers": "127.0.0.1:53",
    "skip_waits": "true",
    "codecs": "opus, PCMA",
    "srtp": "optional",
    "refused_networks": "10.0.0.0/8,fd00::/8",
    "public_host": "recordings.example:8443",
    "chunk_hours": "2",
    "storage_http": "never",
    "plain_ws": "never",
    "max_message_bytes": "65536",
    "http": "never",
    "max_bytes": "2048",
    "built_in": "false",
    "require_endpoint": "true",
    "key_header": "Authorization",
    "speak_url": "https://tts.example",
    "listen_url": "https://stt.example",
    "tone_ms": "300",
    "tone_gap_ms": "120",
    "first_delay_ms": "60",
    "most_delay_ms": "300",
    "realtime": "false",
}


@pytest.mark.parametrize(
    ("section", "name"),
    [(section, setting.name) for section, kind in SECTIONS.items() for setting in settings(kind)],
)
def test_each_setting_of_the_table_can_be_given_by_its_variable(section: str, name: str) -> None:
    part = "" if SECTIONS[section] in SINGLE else "DEV__" if section == "resource" else "CARRIER__"
    if SECTIONS[section] not in (*SINGLE, *NAMED):
        part = "0__"
    env = {f"ONHOOK_{section.upper()}__{part}{name.upper()}": VALUES.get(name, "17")}
    if section == "route":
        env = {"ONHOOK_ROUTE__0__PATTERN": "y", "ONHOOK_ROUTE__0__TRUNKS": "carrier"} | env
    if section == "speech_endpoint":
        env = {"ONHOOK_SPEECH_ENDPOINT__CARRIER__ENDPOINT": "https://speech.example/1"} | env
    if section == "subscription":
        env = {"ONHOOK_SUBSCRIPTION__CARRIER__ENDPOINT": "https://app.example/1"} | env
    if name == "last_port":
        env["ONHOOK_MEDIA__FIRST_PORT"] = "30000"
    if name == "engine":
        env["ONHOOK_MEDIA__RTPENGINE"] = "127.0.0.1:2223"
    if name == "first_port":
        env["ONHOOK_MEDIA__LAST_PORT"] = "30001"
    changed = load(None, env)
    before = load(None, {})
    of_section = {
        "resource": "directory",
        "trunk": "directory",
        "route": "directory",
        "subscription": "subscriptions",
        "speech_endpoint": "speech_endpoints",
    }.get(section, section)
    assert getattr(changed, of_section) != getattr(before, of_section)
