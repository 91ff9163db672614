"""A real rtpengine (Debian `rtpengine-daemon`) in user space, on a loopback address of its own.

An address of its own keeps its ports apart from those of every other test that runs.
"""

import contextlib
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "/usr/bin/rtpengine"
START_SECONDS = 10.0
STOP_SECONDS = 10.0
NG_PORT = 2223
FIRST_PORT, LAST_PORT = 20_000, 29_999
"""Below the ports that systems give out by themselves."""
STARTED = "Startup complete"
_PING = b"1_1 d7:command4:pinge"


@dataclass(slots=True)
class Rtpengine:
    host: str
    log: Path
    process: "subprocess.Popen[bytes]"

    @property
    def ng(self) -> tuple[str, int]:
        return self.host, NG_PORT

    @property
    def address(self) -> str:
        return f"{self.host}:{NG_PORT}"

    def freeze(self) -> None:
        """It answers nothing, and its sockets stay open."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def text(self) -> str:
        return self.log.read_text(errors="replace")


def free_host() -> str:
    """An address of 127/8 where nobody has our port."""
    for _ in range(50):
        host = f"127.{1 + secrets.randbelow(250)}.{secrets.randbelow(250)}.{2 + secrets.randbelow(250)}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ng, contextlib.suppress(OSError):
            ng.bind((host, NG_PORT))
            return host
    raise OSError("no free loopback address was found")


@contextlib.contextmanager
def rtpengine(folder: Path, *options: str, host: str = "") -> Generator[Rtpengine]:
    """Started and ready; killed at the end. `options` are those of its command line."""
    started = start(folder, *options, host=host)
    try:
        yield started
    finally:
        started.kill()


def start(folder: Path, *options: str, host: str = "") -> Rtpengine:
    if not Path(PROGRAM).exists():
        raise FileNotFoundError(f"{PROGRAM} is missing: install the Debian package rtpengine-daemon")
    host = host or free_host()
    settings = folder / f"rtpengine-{host}.conf"
    settings.write_text("[rtpengine]\ntable = -1\n")  # or else it reads those of the system
    log = folder / f"rtpengine-{host}.log"
    command = [
        *(PROGRAM, f"--config-file={settings}", "--foreground", "--log-stderr", "--log-level=6"),
        *(f"--interface={host}", f"--listen-ng={host}:{NG_PORT}"),
        *(f"--port-min={FIRST_PORT}", f"--port-max={LAST_PORT}", "--num-threads=2", *options),
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    made = Rtpengine(host, log, process)
    try:
        _wait_for(made)
    except BaseException:
        made.kill()
        raise
    return made


def _wait_for(made: Rtpengine) -> None:
    """Until it answers a ping."""
    give_up_at = time.monotonic() + START_SECONDS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.1)
        asking.connect(made.ng)
        while time.monotonic() < give_up_at:
            if made.process.poll() is not None:
                raise RuntimeError(f"rtpengine ended at once:\n{made.text()}")
            with contextlib.suppress(OSError):
                asking.send(_PING)
                if b"pong" in asking.recv(100):
                    return
            time.sleep(0.02)
    raise TimeoutError(f"rtpengine did not answer in {START_SECONDS} s:\n{made.text()}")
