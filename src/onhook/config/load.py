"""Reading a configuration: file, then environment, then defaults; all faults at once."""

import dataclasses
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onhook.calls.directory import Directory, Resource, Trunk, VoiceRoute
from onhook.calls.grid import Subscription
from onhook.config import schema, table
from onhook.config.checks import cross_check, warnings
from onhook.config.drafts import (
    MAX_FILE_BYTES,
    Draft,
    Given,
    SectionKey,
    plain,
    read_environment,
    read_file,
    title,
)
from onhook.config.faults import ConfigError, Fault, Place, shown
from onhook.config.kinds import Unfit
from onhook.config.schema import OPTIONAL, Config
from onhook.config.table import REQUIRED, Setting
from onhook.media.speech.settings import SpeechEndpoint

_ID_SPACE = uuid.UUID("0d0e0f00-0000-4000-8000-000000000000")
EVERY_NUMBER = r"\+\d+"


def load(path: Path | None, env: Mapping[str, str]) -> Config:
    """Read `path` (None: no file), then the `ONHOOK_…` settings of `env` over it.

    Whatever is not set has its default; where no resource, trunk or route is given, the development
    resource, the built-in carrier and one route to every trunk stand in. Raises ConfigError with every
    fault, each with its line or variable.
    """
    draft = Draft(str(path) if path else "")
    if path is not None:
        read_file(draft, _text(path))
    _fill_development(draft, env)
    read_environment(draft, env)
    _route_everything(draft)
    read = {key: _read_section(draft, key) for key in draft.values}
    config = _build(read)
    cross_check(draft, config, read)
    if draft.faults:
        raise ConfigError(draft.faults)
    return dataclasses.replace(config, warnings=warnings(config))


def _text(path: Path) -> str:
    file = Place(str(path))
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError([Fault(file, "", f"longer than {MAX_FILE_BYTES} bytes.")])
        return path.read_bytes().decode()
    except FileNotFoundError:
        problem = "no such file. Write one (onhook.example.toml shows every setting), or leave --config out."
        raise ConfigError([Fault(file, "", problem)]) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError([Fault(Place(str(path), line), "", "not UTF-8. Save the file as UTF-8.")]) from None
    except OSError as error:
        raise ConfigError([Fault(file, "", f"cannot be read: {error.strerror}.")]) from None


def _fill_development(draft: Draft, env: Mapping[str, str]) -> None:
    """What stands in before the environment is read, so that it can change parts of it."""
    nowhere = Place()
    early = Draft()  # the environment alone: its own resources and trunks leave no gap to fill
    read_environment(early, env)
    if not draft.names("resource") and set(early.names("resource")) <= {"dev"}:
        resource = draft.open(("resource", "dev"), nowhere)
        resource["id"] = Given(schema.DEVELOPMENT_RESOURCE_ID, nowhere)
        resource["access_keys"] = Given([schema.DEVELOPMENT_KEY], nowhere)
        resource["numbers"] = Given(list(schema.DEVELOPMENT_NUMBERS), nowhere)
    given = {**draft.values.get(("carrier", ""), {}), **early.values.get(("carrier", ""), {})}
    enabled = given.get("enabled", Given(schema.CarrierSettings.enabled, nowhere)).value
    if not draft.names("trunk") and set(early.names("trunk")) <= {"carrier"} and enabled is not False:
        trunk = draft.open(("trunk", "carrier"), nowhere)
        host = given.get("host", Given(schema.CarrierSettings.host, nowhere))
        trunk["host"] = host._replace(value=schema.WILDCARDS.get(str(host.value), host.value), raw=None)
        trunk["port"] = given.get("port", Given(schema.CarrierSettings.port, nowhere))


def _route_everything(draft: Draft) -> None:
    """Without a route, every number goes to the trunks in their order, for owned caller ids only."""
    trunks = draft.names("trunk")
    if draft.names("route") or not trunks:
        return
    route = draft.open(("route", 0), Place())
    route["name"] = Given("everything", Place())
    route["pattern"] = Given(EVERY_NUMBER, Place())
    route["trunks"] = Given(list(trunks), Place())
    route["direct_routing"] = Given(value=False, place=Place())


def _read_section(draft: Draft, key: SectionKey) -> dict[str, Any] | None:
    """The typed values of a section, or None if any of them is at fault."""
    values: dict[str, Any] = {}
    before = len(draft.faults)
    given = draft.values[key]
    for setting in table.settings(schema.SECTIONS[key[0]]):
        if setting.name in given:
            values[setting.name] = _read_value(draft, key, setting, given[setting.name])
        elif setting.default is not REQUIRED:
            values[setting.name] = setting.default
        elif (key[0], setting.name) not in OPTIONAL:
            _missing(draft, key, setting)
    return values if len(draft.faults) == before else None


def _missing(draft: Draft, key: SectionKey, setting: Setting) -> None:
    place, expected, example = draft.headers[key], setting.kind.expected, setting.example
    if place.variable:
        write = f"{place.variable.rpartition('__')[0]}__{setting.name.upper()}={example.strip(chr(34))}"
        problem = f"{title(key)}.{setting.name} is missing too: {expected} is needed. Write {write}."
    else:
        problem = f"missing: {expected} is needed. Write {setting.name} = {example}."
    draft.fault(place, f"{title(key)}.{setting.name}", problem)


def _read_value(draft: Draft, key: SectionKey, setting: Setting, given: Given) -> object:
    kind = setting.kind
    try:
        return kind.read(_as_kind(given, textual=kind.textual, listed=kind.listed))
    except Unfit as unfit:
        place = draft.place(key, setting.name, unfit.item)
        which = "" if unfit.item is None else f"value {unfit.item + 1}: "
        expected, wrong = (
            (kind.expected, given.value) if unfit.item is None else (unfit.expected, unfit.value)
        )
        got = "" if setting.secret else f", got {shown(wrong)}"
        more = f": {unfit}" if str(unfit) else ""
        example = setting.example.strip('"') if place.variable else setting.example
        write = f"{place.variable}={example}" if place.variable else f"{setting.name} = {example}"
        draft.fault(
            place, f"{title(key)}.{setting.name}", f"{which}expected {expected}{got}{more}. Write {write}."
        )
        return None


def _as_kind(given: Given, *, textual: bool, listed: bool) -> object:
    """What a variable's text stands for, now that the kind is known: bare text, or a list by commas."""
    if given.raw is None:
        return given.value
    raw = given.raw.strip()
    if listed and not raw.startswith("["):
        parts = [part.strip() for part in raw.split(",") if part.strip()]
        return parts if textual else [plain(part) for part in parts]
    if textual and not listed and not raw.startswith(('"', "'")):
        return given.raw
    return given.value


def _build(read: Mapping[SectionKey, dict[str, Any] | None]) -> Config:
    """The Config of all sections without fault; the others keep their defaults, for the cross-checks."""
    single: dict[str, Any] = {}
    resources: list[Resource] = []
    trunks: dict[str, Trunk] = {}
    routes: list[VoiceRoute] = []
    subscriptions: list[Subscription] = []
    endpoints: list[SpeechEndpoint] = []
    for (section, name), values in read.items():
        if values is None:
            continue
        if section == "resource":
            derived: dict[str, Any] = {"id": str(uuid.uuid5(_ID_SPACE, str(name)))}
            resources.append(Resource(name=str(name), **(derived | values)))
        elif section == "trunk":
            trunks[str(name)] = Trunk(name=str(name), **values)
        elif section == "route":
            named: dict[str, Any] = {"name": f"route-{int(name) + 1}"}
            routes.append(VoiceRoute(**(named | values)))
        elif section == "subscription":
            subscriptions.append(Subscription(name=str(name), **values))
        elif section == "speech_endpoint":
            endpoints.append(SpeechEndpoint(**values))
        else:
            single[section] = schema.SECTIONS[section](**values)
    directory = Directory(tuple(resources), trunks, tuple(routes))
    return Config(
        **single,
        directory=directory,
        subscriptions=tuple(subscriptions),
        speech_endpoints=tuple(endpoints),
    )
