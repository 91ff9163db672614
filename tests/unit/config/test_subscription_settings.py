"""Event Grid subscriptions in the configuration: what is read, and every way to be wrong."""

from pathlib import Path

import pytest

from onhook.calls.grid import Subscription
from onhook.config import ConfigError, load

GOOD = """\
[subscription.calls]
endpoint = "https://app.example/events?code=a%20b"
schema = "cloudevents"
event_types = ["IncomingCall", "Microsoft.Communication.CallEnded"]
subject_begins_with = "/caller/4:"
subject_ends_with = "00"
subject_case_sensitive = true
max_attempts = 2
ttl_minutes = 1
dead_letter_file = "dead.jsonl"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "onhook.toml"
    path.write_text(text)
    return path


def faults(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> list[str]:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(path, env or {})
    return [str(fault).removeprefix(f"{tmp_path}/") for fault in raised.value.faults]


def test_there_is_none_without_configuration() -> None:
    assert load(None, {}).subscriptions == ()


def test_every_setting_is_read(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD), {})
    assert config.subscriptions == (
        Subscription(
            name="calls",
            resource="",
            endpoint="https://app.example/events?code=a%20b",
            schema="cloudevents",
            event_types=("IncomingCall", "Microsoft.Communication.CallEnded"),
            subject_begins_with="/caller/4:",
            subject_ends_with="00",
            subject_case_sensitive=True,
            max_attempts=2,
            ttl_minutes=1,
            dead_letter_file="dead.jsonl",
        ),
    )


def test_an_endpoint_alone_has_the_defaults_of_event_grid(tmp_path: Path) -> None:
    text = '[subscription.a]\nendpoint = "https://app.example/"\n'
    (subscription,) = load(written(tmp_path, text), {}).subscriptions
    assert subscription == Subscription(name="a", resource="", endpoint="https://app.example/")
    assert (subscription.max_attempts, subscription.ttl_minutes) == (30, 1440)


def test_variables_name_a_subscription_too() -> None:
    env = {
        "ONHOOK_SUBSCRIPTION__CALLS__ENDPOINT": "http://localhost:7000/events",
        "ONHOOK_SUBSCRIPTION__CALLS__EVENT_TYPES": "IncomingCall, CallEnded",
    }
    (subscription,) = load(None, env).subscriptions
    assert subscription.name == "calls"
    assert subscription.event_types == ("IncomingCall", "CallEnded")


def test_several_keep_their_order(tmp_path: Path) -> None:
    text = "".join(f'[subscription.{name}]\nendpoint = "https://app.example/"\n' for name in "cab")
    assert [each.name for each in load(written(tmp_path, text), {}).subscriptions] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[subscription.a]\nresource = 'dev'\n",
            (
                "1: a.endpoint: missing: an https:// address is needed. "
                'Write endpoint = "https://app.example.com/events".'
            ),
        ),
        (
            '[subscription.a]\nendpoint = "ftp://app.example/?code=geheim"\n',
            (
                "2: a.endpoint: expected an https:// address. "
                'Write endpoint = "https://app.example.com/events".'
            ),
        ),
        (
            '[subscription.a]\nendpoint = "http://app.example/?code=geheim"\n',
            (
                "2: a.endpoint: The field Endpoint is invalid: it is an http:// address; "
                "Call Automation calls https:// only (here only addresses of this machine may be http)."
            ),
        ),
        (
            '[subscription.a]\nendpoint = "https://"\n',
            ("2: a.endpoint: The field Endpoint is invalid: 'https://' names no host, or contains spaces."),
        ),
        (
            '[subscription.a]\nendpoint = "https://a.example/"\nresource = "shop"\n',
            "3: a.resource: 'shop' is none of them; name one of dev.",
        ),
        (
            '[subscription.a]\nendpoint = "https://a.example/"\nmax_attempts = 31\n',
            ("3: a.max_attempts: expected a whole number 1–30, got 31. Write max_attempts = 30."),
        ),
        (
            '[subscription.a]\nendpoint = "https://a.example/"\nttl_minutes = 0\n',
            ("3: a.ttl_minutes: expected a whole number 1–1440, got 0. Write ttl_minutes = 1440."),
        ),
        (
            '[subscription.a]\nendpoint = "https://a.example/"\nevent_types = ["IncomingCall", "a b"]\n',
            (
                '3: a.event_types: value 2: expected an event type, got "a b". '
                'Write event_types = ["IncomingCall"].'
            ),
        ),
        (
            '[subscription.a]\nendpoint = "https://a.example/"\nschema = "custom"\n',
            (
                "3: a.schema: expected one of eventgrid or cloudevents, "
                'got "custom". Write schema = "eventgrid".'
            ),
        ),
        (
            '[subscription.a]\nendpoint = "https://a.example/"\ndead_letter_file = "../x"\n',
            (
                '3: a.dead_letter_file: expected a file name, or nothing, got "../x". '
                'Write dead_letter_file = "dead.jsonl".'
            ),
        ),
        (
            '[subscription]\nendpoint = "https://a.example/"\n',
            ('2: endpoint: expected a section, got "https://a.example/". Write [subscription.NAME].'),
        ),
    ],
    ids=lambda value: value.split(": ")[1] if value[0].isdigit() else "",
)
def test_what_is_wrong_is_told_with_its_line(text: str, fault: str, tmp_path: Path) -> None:
    line, problem = fault.split(": ", 1)
    assert faults(tmp_path, text) == [f"onhook.toml:{line}: subscription.{problem}"]


def test_an_endpoint_with_a_key_is_never_repeated(tmp_path: Path) -> None:
    for text in ("ftp://a.example/?code=geheim", "http://a.example/?code=geheim"):
        told = faults(tmp_path, f'[subscription.a]\nendpoint = "{text}"\n')
        assert not any("geheim" in line for line in told)


def test_with_several_resources_one_must_be_named(tmp_path: Path) -> None:
    keys = 'access_keys = ["{}"]'
    text = (
        f"[resource.shop]\n{keys.format('c2hvcC1zaG9wLXNob3Atc2hvcA==')}\n"
        f"[resource.desk]\n{keys.format('ZGVzay1kZXNrLWRlc2stZGVzaw==')}\n"
        '[subscription.a]\nendpoint = "https://a.example/"\n'
    )
    expected = "subscription.a.resource: there are several; name one of desk, shop."
    assert faults(tmp_path, text) == [f"onhook.toml:5: {expected}"]
    (named,) = load(written(tmp_path, text + 'resource = "desk"\n'), {}).subscriptions
    assert named.resource == "desk"


@pytest.mark.parametrize(("rule", "good"), [("always", True), ("never", False)])
def test_the_rule_for_http_is_that_of_callback_addresses(rule: str, *, good: bool, tmp_path: Path) -> None:
    host = "app.example" if good else "localhost"
    text = f'[server]\ncallback_http = "{rule}"\n[subscription.a]\nendpoint = "http://{host}/"\n'
    if good:
        assert load(written(tmp_path, text), {}).subscriptions
    else:
        assert "http:// address" in faults(tmp_path, text)[0]
