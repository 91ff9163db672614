"""Finding and reading the configuration, and `onhook config check`."""

import os
from pathlib import Path

from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import complain, print_json, say
from onhook.config import Config, ConfigError, load

DEFAULT_FILE = Path("onhook.toml")


def config_path(given: str | None) -> Path | None:
    """--config, else $ONHOOK_CONFIG, else onhook.toml of this directory if there is one."""
    named = given or os.environ.get("ONHOOK_CONFIG")
    if named:
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def read_config(given: str | None, *, warn: bool = False) -> Config:
    """The configuration, or CommandError with every fault; warnings to standard error if `warn`."""
    try:
        config = load(config_path(given), os.environ)
    except ConfigError as error:
        raise CommandError(str(error), Exit.CONFIG) from None
    if warn:
        for warning in config.warnings:
            complain(f"warning: {warning}")
    return config


def check(given: str | None, *, json: bool) -> int:
    """Exit.DONE with a summary, or Exit.CONFIG with the faults (as JSON: in the same shape)."""
    path = config_path(given)
    try:
        config = load(path, os.environ)
    except ConfigError as error:
        if not json:
            raise CommandError(str(error), Exit.CONFIG) from None
        faults = [
            {
                "file": fault.place.file,
                "line": fault.place.line or None,
                "variable": fault.place.variable,
                "setting": fault.setting,
                "problem": fault.problem,
            }
            for fault in error.faults
        ]
        print_json({"file": str(path) if path else None, "ok": False, "faults": faults, "warnings": []})
        return Exit.CONFIG
    directory = config.directory
    if json:
        counts = {
            "resources": [resource.name for resource in directory.resources],
            "trunks": list(directory.trunks),
            "routes": [route.name for route in directory.routes],
        }
        found = {
            "file": str(path) if path else None,
            "ok": True,
            "faults": [],
            "warnings": list(config.warnings),
        }
        print_json(found | counts)
        return Exit.DONE
    say(f"{path or 'No file, so the defaults'}: good.")
    say(f"  resources  {', '.join(_resource(each.name, len(each.numbers)) for each in directory.resources)}")
    trunks = [f"{each.name} ({each.transport} {each.destination.peer})" for each in directory.trunks.values()]
    say(f"  trunks     {', '.join(trunks) or 'none'}")
    for route in directory.routes:
        caller = "any caller id" if route.direct_routing else "owned caller ids"
        say(f"  route      {route.name}: {route.pattern} to {', then '.join(route.trunks)}, {caller}")
    for warning in config.warnings:
        complain(f"warning: {warning}")
    return Exit.DONE


def _resource(name: str, numbers: int) -> str:
    return f"{name} ({numbers} number{'' if numbers == 1 else 's'})"
