"""The generator: what is committed is what it writes, and staleness is noticed."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from onhook.acs import identity_operations
from onhook.acs.identity_models import CommunicationIdentityAccessTokenRequest
from onhook.acs.sip_routing_models import SipConfigurationPatch

ROOT = Path(__file__).parents[3]
COPIED = ("tools/generate_acs.py", "spec/*.json", "src/onhook/acs/*.py", "COVERAGE.md", "pyproject.toml")


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(cwd / "tools/generate_acs.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The generator, its input and output, where they may be spoilt."""
    for pattern in COPIED:
        for file in ROOT.glob(pattern):
            target = tmp_path / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return tmp_path


def test_what_is_committed_is_fresh() -> None:
    done = run("--check")
    assert (done.returncode, done.stdout) == (0, "stale: nothing\n"), done.stderr


def test_a_file_changed_by_hand_is_stale_and_written_again(copy: Path) -> None:
    spoilt = copy / "src/onhook/acs/models_media.py"
    before = spoilt.read_text()
    spoilt.write_text(before + "# by hand\n")
    done = run("--check", cwd=copy)
    assert (done.returncode, done.stdout) == (1, "stale: src/onhook/acs/models_media.py\n")
    assert spoilt.read_text().endswith("# by hand\n"), "--check writes nothing"
    assert run(cwd=copy).stdout == "written: src/onhook/acs/models_media.py\n"
    assert spoilt.read_text() == before


def test_a_change_of_the_specification_is_noticed(copy: Path) -> None:
    spec = copy / "spec/callautomation-2026-03-12.swagger.json"
    spec.write_text(spec.read_text().replace('"maximum": 180', '"maximum": 240'))
    assert run("--check", cwd=copy).stdout == "stale: src/onhook/acs/models_calls.py\n"


def test_an_unknown_argument_shows_the_usage() -> None:
    done = run("--chekc")
    assert done.returncode == 2
    assert "--check" in done.stdout


def test_the_coverage_page_counts_what_is_built() -> None:
    page = (ROOT / "COVERAGE.md").read_text().partition("\n## ")[0]
    rows = [line for line in page.splitlines() if line.startswith("| ") and "`" in line]
    built = [row for row in rows if "| built |" in row]
    assert len(rows) == 34
    assert f"{len(built)} of 34 operations are built" in page
    assert all(row.split("|")[4].strip() for row in built), "a built operation states its basis"
    assert len([row for row in rows if "| 501 |" in row]) == 34 - len(built)


@pytest.mark.parametrize(
    ("title", "operations", "built"), [("Identity", 5, 4), ("Phone Numbers", 20, 2), ("SIP Routing", 2, 2)]
)
def test_the_coverage_page_has_the_apis_beside_it(title: str, operations: int, built: int) -> None:
    section = (ROOT / "COVERAGE.md").read_text().partition(f"## {title} API\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) == operations
    assert f"{built} of {operations} operations are built." in section
    assert sum(1 for row in rows if row[2].strip() == "built") == built
    assert all(row[3].strip() for row in rows), "each says what it is based on, or why it makes no sense"


def test_a_model_of_another_api_that_was_changed_by_hand_is_stale(copy: Path) -> None:
    spoilt = copy / "src/onhook/acs/phone_models.py"
    spoilt.write_text(spoilt.read_text() + "# by hand\n")
    assert run("--check", cwd=copy).stdout == "stale: src/onhook/acs/phone_models.py\n"


def test_null_and_absent_are_told_apart_where_the_specification_says_so() -> None:
    read = msgspec.json.Decoder(SipConfigurationPatch).decode
    assert read(b"{}") == SipConfigurationPatch()
    assert read(b"{}").trunks is msgspec.UNSET
    assert read(b'{"trunks": null, "routes": null}') == SipConfigurationPatch(trunks=None, routes=None)
    assert read(b'{"trunks": {"a": null}}').trunks == {"a": None}


def test_what_the_rebuilt_specification_lost_is_there_again() -> None:
    issue, create = identity_operations.BY_NAME["issueToken"], identity_operations.BY_NAME["createUser"]
    assert issue.request is CommunicationIdentityAccessTokenRequest
    assert (issue.optional_body, issue.repeatable) == (False, False)
    assert (create.optional_body, create.repeatable) == (True, True)
