"""tools/setup.sh: installs from the lock only, does nothing twice, and names what it may not install."""

import shutil
import subprocess
from pathlib import Path

import pytest

from house import ROOT

PROGRAMS = (
    "bash",
    "basename",
    "cat",
    "chmod",
    "cp",
    "cut",
    "dirname",
    "env",
    "mkdir",
    "rm",
    "sha256sum",
    "true",
)
AGENTS = {
    "sipp": "sip-tester",
    "baresip": "baresip-core",
    "linphonec": "linphone-cli",
    "rtpengine": "rtpengine-daemon",
    "kamailio": "kamailio",
    "tcpdump": "tcpdump",
}
"""Programs of others that tests call with or through, and the Debian packages they are in."""
SAYS = '#!/bin/bash\necho "$(basename "$0") $*" >>"$CALLS"\n'
"""A stand-in for a program: writes down how it was called."""


class Machine:
    """A directory that looks like a clone, and a PATH with nothing on it but what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.clone, self.bin, self.calls_file = folder / "clone", folder / "bin", folder / "calls"
        for name in ("tools/setup.sh", "locks/dev.txt", "locks/bench.txt", "pyproject.toml"):
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.clone / name)
        self.bin.mkdir()
        for name in PROGRAMS:
            found = shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)
        # python3: has ensurepip unless a test says no, makes a .venv of stand-ins
        self.program(
            "python3",
            '#!/bin/bash\ncase "$*" in\n'
            '*ensurepip*) [ -z "${NO_VENV:-}" ] ;;\n'
            "*venv*) mkdir -p .venv/bin; for each in python onhook; do\n"
            f"printf '%s' '{SAYS}' >.venv/bin/$each; chmod +x .venv/bin/$each; done ;;\n"
            "*) cat >/dev/null ;;\nesac\n",
        )

    def program(self, name: str, script: str = SAYS) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(script)
        path.chmod(0o755)

    def is_somebody(self) -> None:
        self.program("id", "#!/bin/bash\necho 1000\n")

    def setup(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        self.calls_file.write_text("")
        return subprocess.run(
            ["bash", "tools/setup.sh", *arguments],
            cwd=self.clone,
            env={"PATH": str(self.bin), "CALLS": str(self.calls_file), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def installs(self) -> list[str]:
        return [line for line in self.calls_file.read_text().splitlines() if " install " in line]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.is_somebody()
    for program in AGENTS:
        machine.program(program)
    return machine


def test_everything_comes_from_the_lock_by_hash(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    locked, ours = machine.installs
    assert "--require-hashes --no-deps --no-build-isolation -r locks/dev.txt" in locked
    assert "--no-deps --no-build-isolation --editable ." in ours


def test_a_second_run_installs_nothing(machine: Machine) -> None:
    machine.setup()
    done = machine.setup()
    assert done.returncode == 0
    assert machine.installs == []
    assert done.stderr == ""


def test_a_new_lock_is_installed_and_a_new_pyproject_is_taken_in(machine: Machine) -> None:
    machine.setup()
    with (machine.clone / "locks/dev.txt").open("a") as lock:
        lock.write("# changed\n")
    machine.setup()
    assert len(machine.installs) == 2
    with (machine.clone / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    machine.setup()
    assert [line.split()[-1] for line in machine.installs] == ["."]


def test_the_peers_of_the_benchmark_are_installed_when_asked_for(machine: Machine) -> None:
    machine.setup()
    assert not any("bench" in line for line in machine.installs)
    machine.setup("bench")
    assert [line.split()[-1] for line in machine.installs] == ["locks/bench.txt"]


def test_a_failed_install_is_tried_again(machine: Machine) -> None:
    machine.setup()
    with (machine.clone / "locks/dev.txt").open("a") as lock:
        lock.write("# changed\n")
    python = machine.clone / ".venv/bin/python"
    good = python.read_text()
    python.write_text(good + 'case "$*" in *install*) exit 9 ;; esac\n')
    assert machine.setup().returncode == 9
    python.write_text(good)
    assert machine.setup().returncode == 0
    assert len(machine.installs) == 2


def test_what_may_not_be_installed_is_named_with_the_command(machine: Machine) -> None:
    (machine.bin / "sipp").unlink()
    done = machine.setup()
    assert done.returncode == 0
    assert "setup: missing: sip-tester. Run: sudo apt-get install -y sip-tester" in done.stderr
    assert len(machine.installs) == 2


def test_every_missing_package_is_named(machine: Machine) -> None:
    for program in AGENTS:
        (machine.bin / program).unlink()
    done = machine.setup()
    assert done.returncode == 0
    named = " ".join(AGENTS.values())
    assert f"setup: missing: {named}. Run: sudo apt-get install -y {named}" in done.stderr


@pytest.mark.parametrize(("name", "package"), AGENTS.items())
def test_in_ci_a_missing_package_is_a_failure(machine: Machine, name: str, package: str) -> None:
    (machine.bin / name).unlink()
    done = machine.setup(CI="true")
    assert done.returncode == 1
    assert f"missing: {package}" in done.stderr
    assert machine.installs == []


def test_without_venv_there_is_no_going_on(machine: Machine) -> None:
    done = machine.setup(NO_VENV="1")
    assert done.returncode == 1
    assert "sudo apt-get install -y python3-venv" in done.stderr


@pytest.mark.parametrize("way", ["root", "sudo"])
def test_what_may_be_installed_is(way: str, machine: Machine) -> None:
    (machine.bin / "sipp").unlink()
    machine.program("apt-get", SAYS + f'case "$*" in *sip-tester*) cp /bin/true {machine.bin}/sipp ;; esac\n')
    if way == "root":
        machine.program("id", "#!/bin/bash\necho 0\n")
    else:
        machine.program("sudo", '#!/bin/bash\nshift\nexec "$@"\n')
    done = machine.setup(CI="true")
    assert done.returncode == 0, done.stderr
    assert "installing Debian packages: sip-tester" in done.stderr
    assert any(
        "apt-get install -y -qq --no-install-recommends sip-tester" in line for line in machine.installs
    )
