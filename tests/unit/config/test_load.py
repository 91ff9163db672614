"""load: file, environment and defaults into one Config, or every fault with its line."""

from pathlib import Path

import pytest

from onhook.calls.directory import Resource, Trunk, VoiceRoute
from onhook.config import DEVELOPMENT_KEY, Config, ConfigError, load
from onhook.config.drafts import MAX_FILE_BYTES

KEY = "c2l4dGVlbi1ieXRlcy1rZXk="
OTHER_KEY = "YW5vdGhlci1zaXh0ZWVuLWI="

WHOLE = f"""\
[server]
host = "127.0.0.2"
port = 9443
https = false
hostnames = ["calls.example.com", "10.0.0.4"]
callback_http = "never"
own_api = "always"

[sip]
host = "0.0.0.0"
port = 5075
advertised_host = "203.0.113.7"
setup_timeout_seconds = 60

[media]
host = "0.0.0.0"
first_port = 30000
last_port = 30100

[store]
path = "var/calls.db"
retention_days = 0

[delivery]
timeout_seconds = 2.5
delays_seconds = [0, 1.5, 10]
give_up_seconds = 3600
posts_at_a_time = 8

[carrier]
enabled = false

[resource.shop]
id = "6f1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b00"
access_keys = ["{KEY}", "{OTHER_KEY}"]
numbers = ["+14255550100", "+442079460000"]

[trunk.sbc-1]
host = "sbc.example.com"
port = 5061
transport = "tcp"
username = "onhook"
password = "p w"
max_calls = 3
no_response_seconds = 4

[trunk.sbc-2]
host = "2001:db8::1"

[[route]]
name = "uk"
pattern = '\\+44\\d+'
trunks = ["sbc-2", "sbc-1"]
direct_routing = false

[[route]]
pattern = '\\+1\\d{{10}}'
trunks = ["sbc-1"]
"""


def read(text: str, tmp_path: Path, env: dict[str, str] | None = None) -> Config:
    path = tmp_path / "onhook.toml"
    path.write_text(text)
    return load(path, env or {})


def faults(text: str, tmp_path: Path, env: dict[str, str] | None = None) -> list[str]:
    """The lines of the error, without the directory of the file."""
    with pytest.raises(ConfigError) as caught:
        read(text, tmp_path, env)
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


def test_without_a_file_the_server_works_with_the_built_in_carrier() -> None:
    config = load(None, {})
    assert config.directory.resources == (
        Resource(
            name="dev",
            id="0d0e0f00-0000-4000-8000-000000000001",
            access_keys=(DEVELOPMENT_KEY,),
            numbers=tuple(f"+1425555010{digit}" for digit in range(10)),
        ),
    )
    assert config.directory.trunks == {
        "carrier": Trunk(name="carrier", host="127.0.0.1", port=config.carrier.port)
    }
    (route,) = config.directory.routes
    assert route == VoiceRoute("everything", r"\+\d+", ("carrier",), direct_routing=False)
    assert route.matches("+14255559486")
    assert config.carrier.enabled
    assert (config.server.host, config.server.port, config.server.https) == ("127.0.0.1", 8443, True)
    assert (config.sip.port, config.sip.setup_timeout_seconds) == (5070, 115)
    assert (config.server.callback_http, config.server.own_api) == ("loopback", "loopback")
    assert config.store.path == ".onhook/onhook.db"
    assert config.warnings == ()


def test_an_empty_file_is_as_none(tmp_path: Path) -> None:
    assert read("", tmp_path) == load(None, {}) == read("# nothing\n", tmp_path)


def test_every_setting_of_a_whole_file_arrives(tmp_path: Path) -> None:
    config = read(WHOLE, tmp_path)
    assert config.server.hostnames == ("calls.example.com", "10.0.0.4")
    assert (config.server.host, config.server.port, config.server.https) == ("127.0.0.2", 9443, False)
    assert (config.server.callback_http, config.server.own_api) == ("never", "always")
    assert (config.sip.host, config.sip.port, config.sip.advertised_host) == ("0.0.0.0", 5075, "203.0.113.7")
    assert config.sip.setup_timeout_seconds == 60.0
    assert (config.media.host, config.media.first_port, config.media.last_port) == ("0.0.0.0", 30000, 30100)
    assert (config.store.path, config.store.retention_days) == ("var/calls.db", 0)
    assert config.delivery.delays_seconds == (0.0, 1.5, 10.0)
    assert (config.delivery.timeout_seconds, config.delivery.give_up_seconds) == (2.5, 3600.0)
    assert config.delivery.posts_at_a_time == 8
    assert not config.carrier.enabled
    directory = config.directory
    assert directory.resources == (
        Resource(
            "shop",
            "6f1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b00",
            (KEY, OTHER_KEY),
            ("+14255550100", "+442079460000"),
        ),
    )
    assert directory.trunks == {
        "sbc-1": Trunk("sbc-1", "sbc.example.com", 5061, "tcp", "onhook", "p w", 3, 4.0),
        "sbc-2": Trunk("sbc-2", "2001:db8::1"),
    }
    assert directory.routes == (
        VoiceRoute("uk", r"\+44\d+", ("sbc-2", "sbc-1"), direct_routing=False),
        VoiceRoute("route-2", r"\+1\d{10}", ("sbc-1",)),
    )


def test_trunks_without_a_route_are_tried_in_their_order_for_every_number(tmp_path: Path) -> None:
    config = read('[trunk.b]\nhost = "127.0.0.1"\n[trunk.a]\nhost = "127.0.0.1"\nport = 5062\n', tmp_path)
    assert [route.trunks for route in config.directory.routes] == [("b", "a")]
    assert "carrier" not in config.directory.trunks


def test_a_resource_without_id_keeps_one_derived_from_its_name(tmp_path: Path) -> None:
    ids = [
        read(f'[resource.{name}]\naccess_keys = ["{KEY}"]\n', tmp_path).directory.resources[0].id
        for name in "aab"
    ]
    assert ids[0] == ids[1] != ids[2]
    assert len(ids[0]) == 36


def test_the_default_trunk_follows_the_carrier(tmp_path: Path) -> None:
    moved = read("[carrier]\nport = 6000\n", tmp_path)
    assert moved.directory.trunks["carrier"].port == moved.carrier.port == 6000
    assert load(None, {"ONHOOK_CARRIER__PORT": "6001"}).directory.trunks["carrier"].port == 6001


def test_without_carrier_and_trunk_there_is_no_route_and_a_warning(tmp_path: Path) -> None:
    config = read("[carrier]\nenabled = false\n", tmp_path)
    assert config.directory.trunks == {}
    assert config.directory.routes == ()
    assert config.warnings == ("there is no trunk: every call to a phone ends with 403/511532.",)


def test_a_wrong_value_is_named_with_line_setting_expectation_and_remedy(tmp_path: Path) -> None:
    text = '[trunk.carrier]\n# the lab\nhost = "127.0.0.1"\nport = "abc"\n'
    assert faults(text, tmp_path) == [
        'onhook.toml:4: trunk.carrier.port: expected a whole number 0–65535, got "abc". Write port = 5060.'
    ]


WRONG = [
    (
        "[server]\nport = 65536",
        2,
        "server.port: expected a whole number 0–65535, got 65536. Write port = 8443.",
    ),
    (
        "[server]\nport = true",
        2,
        "server.port: expected a whole number 0–65535, got true. Write port = 8443.",
    ),
    ("[server]\nport = 1.5", 2, "server.port: expected a whole number 0–65535, got 1.5. Write port = 8443."),
    ('[server]\nhttps = "yes"', 2, 'server.https: expected true or false, got "yes". Write https = true.'),
    (
        "[server]\nhost = []",
        2,
        'server.host: expected a host name or an IP address, got a list. Write host = "127.0.0.1".',
    ),
    (
        '[server]\ncallback_http = "no"',
        2,
        (
            'server.callback_http: expected one of never, loopback or always, got "no". '
            'Write callback_http = "loopback".'
        ),
    ),
    (
        '[server]\nhostnames = ["a",\n"b c"]',
        3,
        (
            "server.hostnames: value 2: expected a host name or an IP address, "
            'got "b c". Write hostnames = ["calls.example.com"].'
        ),
    ),
    (
        '[sip]\nsetup_timeout_seconds = "1"',
        2,
        (
            "sip.setup_timeout_seconds: expected a number of seconds 1–600, "
            'got "1". Write setup_timeout_seconds = 115.'
        ),
    ),
    ("[store]\npath = 3", 2, 'store.path: expected a path, got 3. Write path = ".onhook/onhook.db".'),
    ('[store]\npath = ""', 2, 'store.path: expected a path, got "". Write path = ".onhook/onhook.db".'),
    (
        '[trunk.a]\nhost = "127.0.0.1"\ntransport = "sctp"',
        3,
        'trunk.a.transport: expected udp, tcp or tls, got "sctp". Write transport = "udp".',
    ),
    (
        "[[route]]\npattern = '+1(\\d'\ntrunks = ['carrier']",
        2,
        (
            'route.0.pattern: expected a regular expression over the whole E.164 number, got "+1(\\d": '
            'nothing to repeat at character 1. Write pattern = "\\\\+1\\\\d{10}".'
        ),
    ),
    (
        f'[resource.a]\naccess_keys = ["{KEY}"]\nnumbers = [\n  "+14255550100",\n  "0041 44 1"\n]',
        5,
        (
            'resource.a.numbers: value 2: expected an E.164 number, got "0041 44 1": it '
            "begins with 00; write +41 44 1. Write "
            'numbers = ["+14255550100"].'
        ),
    ),
    (
        f'[resource.a]\nid = "shop"\naccess_keys = ["{KEY}"]',
        2,
        'resource.a.id: expected a GUID, got "shop". Write id = "6f1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b00".',
    ),
    (
        '[resource.a]\naccess_keys = ["my secret?"]',
        2,
        (
            "resource.a.access_keys: value 1: expected an access key in base64: it is not base64. "
            'Write access_keys = ["…"].'
        ),
    ),
    (
        '[resource.a]\naccess_keys = ["c2hvcnQ="]',
        2,
        (
            "resource.a.access_keys: value 1: expected an access key in base64: it decodes "
            "to 5 bytes, wanted are "
            '16 to 256. Write access_keys = ["…"].'
        ),
    ),
    (
        "[resource.a]\naccess_keys = []",
        2,
        (
            "resource.a.access_keys: expected one or two access keys in base64: 1 to 2 values, here are 0. "
            'Write access_keys = ["…"].'
        ),
    ),
    (
        "[resource.a]",
        1,
        (
            "resource.a.access_keys: missing: one or two access keys in base64 is needed. "
            'Write access_keys = ["…"].'
        ),
    ),
    (
        "\n[trunk.a]\nport = 5060",
        2,
        'trunk.a.host: missing: a host name or an IP address is needed. Write host = "sbc.example.com".',
    ),
    ("[server]\nprot = 1", 2, "server.prot: no such setting. Did you mean port?"),
    (
        "[carrier]\nzzz = 1",
        2,
        "carrier.zzz: no such setting. [carrier] has enabled, host, port.",
    ),
    (
        "[[route]]\npattern = 'x'\ntrunk = ['carrier']\ntrunks = ['carrier']",
        3,
        "route.0.trunk: no such setting. Did you mean trunks?",
    ),
    ("[servr]\nport = 1", 1, "servr: no such section. Did you mean server?"),
    (
        "host = 'here'",
        1,
        (
            "host: no such section. Sections are server, sip, media, store, delivery, "
            "limits, carrier, lab, recording, streaming, prompt, speech, hep, resource, trunk, subscription, "
            "speech_endpoint, route."
        ),
    ),
    ("server = 1", 1, "server: expected a section, got 1. Write [server]."),
    ("[route]\npattern = 'x'", 1, "route: expected a section, got a table. Write [[route]]."),
    ("route = ['x']", 1, 'route.0: expected a section, got "x". Write [[route]].'),
    ('[trunk]\nhost = "x"', 2, 'trunk.host: expected a section, got "x". Write [trunk.NAME].'),
    (
        '[trunk."a b"]\nhost = "x"',
        1,
        'trunk: "a b" is no name: use 1 to 64 letters, digits, -, _ and dots.',
    ),
]


@pytest.mark.parametrize(("text", "line", "problem"), WRONG, ids=[str(row[2]).split(":")[0] for row in WRONG])
def test_each_wrong_setting_is_told_exactly(text: str, line: int, problem: str, tmp_path: Path) -> None:
    assert faults(text, tmp_path) == [f"onhook.toml:{line}: {problem}"]


def test_all_faults_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = '[sip]\nport = -1\n[server]\nport = "x"\nprot = 2\n'
    lines = faults(text, tmp_path, {"ONHOOK_STORE__PATH": "a\tb"})
    assert [line.split(": ")[0] for line in lines] == [
        "onhook.toml:2",
        "onhook.toml:4",
        "onhook.toml:5",
        "ONHOOK_STORE__PATH",
    ]


@pytest.mark.parametrize("secret", ["hunter2\x00", "x" * 1001])
def test_a_secret_at_fault_is_never_repeated(secret: str, tmp_path: Path) -> None:
    told = "\n".join(faults(f'[trunk.a]\nhost = "127.0.0.1"\npassword = "{_escaped(secret)}"\n', tmp_path))
    assert told.startswith("onhook.toml:3: trunk.a.password: expected a text on one line")
    assert "hunter2" not in told
    assert "xxx" not in told


def _escaped(text: str) -> str:
    return text.replace("\x00", "\\u0000")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[server\nport = 1\n", 1, "expected ']' at the end of a table declaration"),
        ("[server]\nport = 1\nport = 2\n", 3, "cannot overwrite a value"),
        ("[server]\n\nport =\n", 3, "invalid value"),
        ('a = """\n\n', 3, "unterminated string"),
    ],
)
def test_a_text_that_is_no_toml_keeps_the_line_of_the_fault(
    text: str, line: int, said: str, tmp_path: Path
) -> None:
    (told,) = faults(text, tmp_path)
    assert told == f"onhook.toml:{line}: not TOML: {said}. Mend this line first; the rest was not read."


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"none\.toml: no such file\. Write one \(onhook\.example\.toml shows"
    ):
        load(tmp_path / "none.toml", {})


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_a_file_in_another_encoding_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "onhook.toml"
    path.write_bytes(b'[server]\nhost = "a"\n# \xe9\n')
    with pytest.raises(ConfigError, match=r"onhook\.toml:3: not UTF-8"):
        load(path, {})


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "onhook.toml"
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ConfigError, match=f"longer than {MAX_FILE_BYTES} bytes"):
        load(path, {})


def test_too_many_sections_are_refused(tmp_path: Path) -> None:
    text = "".join(f'[trunk.t{n}]\nhost = "127.0.0.1"\n' for n in range(10_001))
    assert faults(text, tmp_path) == ["onhook.toml:1: trunk: at most 10000 of them, here are 10001."]
