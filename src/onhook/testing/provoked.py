"""What no telephone can bring about: faults of requests, events and trunks, as `onhook provoke` has them."""

import json
import ssl
import urllib.error
import urllib.request

from onhook.testing.server import Server

ASK_SECONDS = 20.0
PATH = "/onhook/lab/provocations"


class Provoked:
    """What one test has armed, by the HTTP twin of `onhook provoke`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._armed = False

    def arm(self, wanted: dict[str, object]) -> str:
        """Returns the id. Raises ValueError with what the server says of a wish that it cannot fulfil."""
        try:
            told = self._ask("POST", PATH, json.dumps(wanted).encode())
        except urllib.error.HTTPError as error:
            raise ValueError(json.loads(error.read())["error"]["message"]) from None
        self._armed = True
        return str(json.loads(told)["id"])

    def disarm(self) -> None:
        """Whatever is armed: the next test begins without."""
        if self._armed:
            self._ask("DELETE", f"{PATH}/all")
            self._armed = False

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        running = self._server.running
        trust = (
            ssl.create_default_context(cafile=str(running.certificates.bundle))
            if running.certificates
            else None
        )
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(running.url + path, body, headers, method=method)  # noqa: S310  # our own
        with urllib.request.urlopen(request, timeout=ASK_SECONDS, context=trust) as answer:  # noqa: S310  # as above
            content: bytes = answer.read()
        return content
