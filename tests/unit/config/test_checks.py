"""Settings that cannot stand together, each told where it was written."""

from pathlib import Path

import pytest

from onhook.config import ConfigError, load
from onhook.config.checks import is_loopback

KEY = "c2l4dGVlbi1ieXRlcy1rZXk="
OTHER_KEY = "YW5vdGhlci1zaXh0ZWVuLWI="


def told(text: str, tmp_path: Path, env: dict[str, str] | None = None) -> list[str]:
    path = tmp_path / "onhook.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, env or {})
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


def warned(text: str, tmp_path: Path) -> tuple[str, ...]:
    path = tmp_path / "onhook.toml"
    path.write_text(text)
    return load(path, {}).warnings


def test_a_route_to_a_trunk_that_is_not_there_names_the_nearest_on_its_own_line(tmp_path: Path) -> None:
    text = (
        '[trunk.carrier]\nhost = "127.0.0.1"\n[[route]]\npattern = "x"\ntrunks = [\n  '
        '"carrier",\n  "carier",\n]\n'
    )
    assert told(text, tmp_path) == [
        'onhook.toml:7: route.0.trunks: there is no trunk "carier". Did you mean carrier?'
    ]


def test_a_route_to_a_trunk_unlike_any_lists_them_all(tmp_path: Path) -> None:
    text = '[[route]]\npattern = "x"\ntrunks = ["zzz"]\n'
    assert told(text, tmp_path) == [
        'onhook.toml:3: route.0.trunks: there is no trunk "zzz". Trunks are carrier.'
    ]
    assert told("[carrier]\nenabled = false\n" + text, tmp_path) == [
        'onhook.toml:5: route.0.trunks: there is no trunk "zzz". There is no [trunk.NAME] at all.'
    ]


def test_a_trunk_with_a_fault_of_its_own_is_still_there_for_routes(tmp_path: Path) -> None:
    text = '[trunk.a]\nhost = "127.0.0.1"\nport = 70000\n[[route]]\npattern = "x"\ntrunks = ["a"]\n'
    assert [line.split(": ")[1] for line in told(text, tmp_path)] == ["trunk.a.port"]


def test_two_routes_of_one_name(tmp_path: Path) -> None:
    text = '[[route]]\nname = "x"\npattern = "1"\ntrunks = ["carrier"]\n' * 2
    assert told(text, tmp_path) == [
        (
            'onhook.toml:6: route.1.name: the name "x" is also that of route 0. Names tell '
            "routes apart in evidence."
        )
    ]


RESOURCES = f"""\
[resource.one]
id = "6f1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b00"
access_keys = ["{KEY}"]
numbers = ["+14255550100", "+14255550101"]
[resource.two]
id = "{{id}}"
access_keys = ["{{key}}"]
numbers = [
  "+14255550102",
  "{{number}}"]
"""
GOOD = {"id": "6f1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b01", "key": OTHER_KEY, "number": "+14255550103"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"number": "+14255550101"},
            (
                "onhook.toml:10: resource.two.numbers: +14255550101 is given before, "
                "to resource one (onhook.toml:4). Keep it in one place."
            ),
        ),
        (
            {"number": "+14255550102"},
            (
                "onhook.toml:10: resource.two.numbers: +14255550102 is given before, "
                "to resource two (onhook.toml:9). Keep it in one place."
            ),
        ),
        (
            {"key": KEY},
            (
                "onhook.toml:7: resource.two.access_keys: this key is given before, "
                "to resource one (onhook.toml:3). Keep it in one place."
            ),
        ),
        (
            {"id": "6F1C2F0E-3A52-4BB1-9D4E-0D2F6C1A7B00"},
            (
                "onhook.toml:6: resource.two.id: 6f1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b00 is given before, "
                "to resource one (onhook.toml:2). Keep it in one place."
            ),
        ),
    ],
)
def test_what_tells_resources_apart_belongs_to_one(
    change: dict[str, str], fault: str, tmp_path: Path
) -> None:
    assert told(RESOURCES.format(**(GOOD | change)), tmp_path) == [fault]


def test_resources_that_share_nothing_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "onhook.toml"
    path.write_text(RESOURCES.format(**GOOD))
    assert [resource.name for resource in load(path, {}).directory.resources] == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[server]\nport = 5070\n",
            "sip.port: 5070 is already server.port (onhook.toml:2). Choose another.",
        ),
        (
            "[server]\nport = 7000\n[sip]\nport = 7000\n",
            "onhook.toml:4: sip.port: 7000 is already server.port (onhook.toml:2). Choose another.",
        ),
        (
            '[carrier]\nhost = "127.0.0.1"\nport = 5070\n',
            "onhook.toml:3: carrier.port: 5070 is already sip.port. Choose another.",
        ),
        (
            '[sip]\nhost = "0.0.0.0"\nport = 5080\n',
            "carrier.port: 5080 is already sip.port (onhook.toml:3). Choose another.",
        ),
        (
            "[sip]\nport = 20001\n",
            "onhook.toml:2: sip.port: 20001 lies among the RTP ports 20000–29998. Choose another.",
        ),
        (
            "[media]\nfirst_port = 40000\n",
            "onhook.toml:2: media.last_port: expected more than media.first_port (40000), got 29998.",
        ),
    ],
)
def test_ports_that_cannot_be_had_twice(text: str, fault: str, tmp_path: Path) -> None:
    assert told(text, tmp_path) == [fault]


@pytest.mark.parametrize(
    "text",
    [
        f'[server]\nport = 5070\nhost = "192.0.2.1"\n[resource.a]\naccess_keys = ["{KEY}"]\n',
        "[carrier]\nenabled = false\nport = 5070\n",
        "[server]\nport = 0\n[sip]\nport = 0\n",
        "[server]\nport = 20001\n",
    ],
    ids=["other address", "carrier off", "any free port", "tcp among udp"],
)
def test_ports_that_do_not_meet_are_fine(text: str, tmp_path: Path) -> None:
    path = tmp_path / "onhook.toml"
    path.write_text(text)
    assert load(path, {}).sip.port in {5070, 0}


def test_a_loopback_socket_cannot_reach_a_trunk_elsewhere(tmp_path: Path) -> None:
    trunk = '[trunk.sbc]\nhost = "sbc.example.com"\n'
    why = "127.0.0.1 is this machine only, but trunk sbc is at sbc.example.com. Under"
    what = 'write host = the address of this machine that the trunk can reach, as in host = "192.0.2.5".'
    assert told(trunk, tmp_path) == [f"onhook.toml:2: sip.host: {why} [sip] {what}"]
    assert told(trunk + '[sip]\nhost = "127.0.0.1"\n', tmp_path) == [
        f"onhook.toml:4: sip.host: {why} [sip] {what}"
    ]
    assert told(trunk + '[sip]\nhost = "192.0.2.5"\n[media]\nhost = "127.0.0.1"\n', tmp_path) == [
        f"onhook.toml:6: media.host: {why} [media] {what}"
    ]
    assert warned(trunk + '[sip]\nhost = "192.0.2.5"\n', tmp_path) == ()


def test_rtp_on_every_interface_needs_an_address_for_sdp(tmp_path: Path) -> None:
    text = '[trunk.sbc]\nhost = "sbc.example.com"\n[sip]\nhost = "0.0.0.0"\n'
    assert told(text, tmp_path) == [
        (
            "onhook.toml:4: sip.advertised_host: needed, because RTP listens on 0.0.0.0 (every interface) "
            "and SDP must name one address. Under [sip] write advertised_host = the address at which trunks "
            'reach this machine, as in "192.0.2.5".'
        )
    ]
    assert warned(text + 'advertised_host = "192.0.2.5"\n', tmp_path) == ()
    assert warned(text + '[media]\nhost = "192.0.2.5"\n', tmp_path) == ()


def test_a_trunk_of_the_environment_is_blamed_by_its_variable() -> None:
    with pytest.raises(ConfigError, match=r"^ONHOOK_TRUNK__SBC__HOST: 127\.0\.0\.1 is this machine only"):
        load(None, {"ONHOOK_TRUNK__SBC__HOST": "192.0.2.9"})


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ('[server]\nhost = "0.0.0.0"\n', "server.host 0.0.0.0 is open to other machines while the published"),
        (
            f'[server]\nhost = "0.0.0.0"\nhttps = false\n[resource.a]\naccess_keys = ["{KEY}"]\n',
            "server.https is off and other machines can connect",
        ),
        (
            f'[server]\nhost = "::"\nown_api = "always"\n[resource.a]\naccess_keys = ["{KEY}"]\n',
            "server.own_api is always: every machine",
        ),
        ('[server]\ncallback_http = "always"\n', "server.callback_http is always: ACS itself refuses"),
        ('[carrier]\nhost = "0.0.0.0"\n', "carrier.host 0.0.0.0 is open to other machines"),
    ],
)
def test_what_is_allowed_but_risky_is_a_warning(text: str, start: str, tmp_path: Path) -> None:
    (warning,) = warned(text, tmp_path)
    assert warning.startswith(start)


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("localhost", True),
        ("LocalHost.", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.com", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback(host: str, *, answer: bool) -> None:
    assert is_loopback(host) is answer
