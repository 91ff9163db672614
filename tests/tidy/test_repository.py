"""What is in the repository: nothing of one machine, no secret, fresh files, links that lead somewhere."""

import base64
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tools.generate_docs import OUTPUTS, example, machines, stale

from house import ROOT, files, short, text
from onhook import __version__
from onhook.config import DEVELOPMENT_KEY, load

TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".sh",
    ".json",
    ".jsonl",
    ".csv",
    ".xml",
    ".yml",
    ".yaml",
    ".cfg",
    "",
}
# written in parts, so that this file does not find itself
REGISTRIES = re.compile("|".join(("py" + r"pi\.(org|io)", "python" + "hosted", "npm" + r"js\.(org|com)")))
MACHINE_PATHS = re.compile(
    "(?<![\\w.])/(" + "|".join(("ro" + "ot", "ho" + "me/\\w+", "wo" + "rk", "Us" + "ers/\\w+")) + ")/"
)
SECRETS = re.compile(
    "|".join(
        (
            "-----BEGIN [A-Z ]*PRIVATE " + "KEY-----",
            "gh[pousr]_[A-Za-z0-9]{30,}",
            "AK" + "IA[0-9A-Z]{16}",
            "xox[abp]-[0-9]{8,}",
        )
    )
)
LOCKED = re.compile(r"([a-z0-9-]+)==([^ ;]+)")


def readable() -> list[Path]:
    return [path for path in files() if path.suffix in TEXT_SUFFIXES]


@pytest.mark.parametrize(
    ("pattern", "what"), [(REGISTRIES, "registry"), (MACHINE_PATHS, "machine path"), (SECRETS, "secret")]
)
def test_no_file_holds_what_belongs_to_one_machine_or_to_nobody(pattern: re.Pattern[str], what: str) -> None:
    found = [
        f"{what} in {short(path)}:{number}: {match[0]}"
        for path in readable()
        for number, line in enumerate(text(path).splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert not found, "\n".join(found)


def test_the_development_key_calls_itself_one() -> None:
    assert b"development-only" in base64.b64decode(DEVELOPMENT_KEY)


def test_generated_docs_are_fresh() -> None:
    assert stale(write=False) == []


def test_generated_code_and_coverage_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "tools/generate_acs.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_generated_docs_say_where_they_come_from() -> None:
    assert all("generate_docs.py" in text(ROOT / name)[:300] for name in OUTPUTS)


def test_the_example_configuration_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "onhook.toml"
    path.write_text(example())
    assert load(path, {}) == load(None, {})
    opened = re.sub(r"^# ((\[|\w+ = ).*)$", r"\1", example(), flags=re.MULTILINE)
    path.write_text(opened.replace('"…"', f'"{DEVELOPMENT_KEY}"').replace("sbc.example.com", "127.0.0.1"))
    config = load(path, {})
    assert [resource.name for resource in config.directory.resources] == ["shop"]
    assert list(config.directory.trunks) == ["carrier"]
    assert config.directory.routes[0].matches("+14255550100")


def test_every_machine_is_found_and_has_rows() -> None:
    found = {machine.__name__: len(machine.TABLE) for machine in machines()}
    assert found.keys() >= {"Call", "InviteClient", "InviteServer", "NonInviteClient", "NonInviteServer"}
    assert all(found.values())


def test_the_changelog_knows_this_version() -> None:
    assert re.search(rf"^## {re.escape(__version__)}\b", text(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_links_in_the_docs_lead_somewhere() -> None:
    broken = []
    for path in files():
        if path.suffix != ".md":
            continue
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", text(path), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            file = target.partition("#")[0]
            if (
                file
                and "://" not in target
                and not target.startswith("mailto:")
                and not (path.parent / file).exists()
            ):
                broken.append(f"{short(path)}: {target}")
    assert not broken, "\n".join(broken)


def test_each_dependency_has_its_decision() -> None:
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    decisions = text(ROOT / "docs/decisions.md")
    names = [
        re.split(r"[\[<>=; ]", line)[0]
        for line in (*project["dependencies"], *project["optional-dependencies"]["dev"])
    ]
    assert not [name for name in names if name != "onhook" and f"**{name}**" not in decisions]


@pytest.mark.parametrize("lock", ["run", "dev", "bench"])
def test_a_lock_holds_versions_and_hashes_and_no_address(lock: str) -> None:
    lines = [
        line for line in text(ROOT / f"locks/{lock}.txt").splitlines() if line and not line.startswith("#")
    ]
    packages = [line for line in lines if not line.startswith("    ")]
    assert packages
    assert all(LOCKED.match(line) for line in packages), "every package is pinned"
    assert all(
        re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines if line not in packages
    )
    assert not [line for line in lines if "://" in line or " @ " in line or line.startswith("-")]
    for number, line in enumerate(lines):
        assert not LOCKED.match(line) or lines[number + 1].startswith("    --hash="), line


def locked(name: str) -> dict[str, str]:
    return dict(LOCKED.findall(text(ROOT / f"locks/{name}.txt")))


def test_what_is_served_with_is_what_was_tested_with() -> None:
    run, dev = locked("run"), locked("dev")
    assert run.items() <= dev.items()
    both = locked("bench").keys() & dev.keys()
    assert {name: locked("bench")[name] for name in both} == {name: dev[name] for name in both}


def test_the_locks_have_all_that_the_project_asks_for() -> None:
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    extras = project["optional-dependencies"]

    def names(lines: list[str]) -> set[str]:
        return {re.split(r"[\[<>=; ]", line)[0].lower() for line in lines} - {"onhook"}

    assert names(project["dependencies"]) <= locked("run").keys()
    assert (
        names(extras["dev"]) | names(extras["examples"]) | {"hatchling", "editables"} <= locked("dev").keys()
    )
    assert names(extras["bench"]) <= locked("bench").keys()


@pytest.mark.parametrize("script", ["tools/setup.sh", "tools/lock.sh", ".ci/run"])
def test_scripts_stop_at_the_first_fault_and_can_be_run(script: str) -> None:
    assert "set -euo pipefail" in text(ROOT / script)
    assert subprocess.run(["bash", "-n", str(ROOT / script)], check=False).returncode == 0
    assert (ROOT / script).stat().st_mode & stat.S_IXUSR
