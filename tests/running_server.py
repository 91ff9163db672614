"""The whole server, as the command line starts it, in a thread of its own: an SDK may block ours."""

import asyncio
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from onhook.app import Running, running
from onhook.config import DEVELOPMENT_KEY, load

SECONDS = 30


class ServerThread:
    """`settings` are ONHOOK_ variables without the prefix; the data directory outlives a restart."""

    def __init__(self, directory: Path, **settings: str) -> None:
        ports = {"SERVER__PORT": "0", "SIP__PORT": "0", "CARRIER__ENABLED": "false"}
        places = {"SERVER__DATA_DIRECTORY": str(directory), "STORE__PATH": str(directory / "onhook.db")}
        trunk = {
            "TRUNK__SBC__HOST": "127.0.0.1",
            "TRUNK__SBC__PORT": "5999",
            "TRUNK__SBC__PASSWORD": "secret",
        }
        self._env = {
            f"ONHOOK_{name}": value for name, value in {**ports, **places, **trunk, **settings}.items()
        }
        self.start()

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self.server: Running = self.wait_for(self._stack.enter_async_context(running(load(None, self._env))))

    def wait_for(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=SECONDS)

    def stop(self) -> None:
        self.wait_for(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=SECONDS)
        self._loop.close()

    def connection_string(self, key: str = DEVELOPMENT_KEY) -> str:
        return f"endpoint={self.server.url}/;accesskey={key}"

    @property
    def trust(self) -> dict[str, Any]:
        """What an SDK's client must be given; refusals are to be seen, not tried again."""
        assert self.server.certificates is not None
        return {"connection_verify": str(self.server.certificates.bundle), "retry_total": 0}
