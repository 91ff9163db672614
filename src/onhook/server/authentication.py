"""Whose key signed a request."""

from collections.abc import Callable

from onhook.acs.errors import SIGNATURE_REFUSED, ApiError
from onhook.acs.signature import Denied, SigningKey, check_signature
from onhook.calls.directory import Directory, Resource
from onhook.server.exchange import Head
from onhook.server.settings import ServerSettings


class Authentication:
    """`now` gives Unix seconds. Raises ValueError if an access key of the directory is not base64."""

    def __init__(self, directory: Directory, settings: ServerSettings, now: Callable[[], float]) -> None:
        self._settings, self._now = settings, now
        self._resources = {resource.name: resource for resource in directory.resources}
        self._keys = [SigningKey.of(r.name, key) for r in directory.resources for key in r.access_keys]

    def resource_of(self, head: Head, body: bytes, *, endpoints: tuple[str, ...] = ()) -> Resource:
        """Raises ApiError 401. `endpoints` are more host[:port] that a recording's request may name."""
        settings = self._settings
        outcome = check_signature(
            head.method,
            head.target,
            head.headers,
            body,
            keys=self._keys,
            now=self._now(),
            endpoints=(*settings.endpoints, *endpoints),
            skew_seconds=settings.clock_skew_seconds,
        )
        if isinstance(outcome, Denied):
            # Code and first words as the real service sends them (observed); the reason is our addition.
            why = f"HMAC-SHA256 validation failed: {outcome.why}."
            raise ApiError(401, SIGNATURE_REFUSED, why, target="Authorization")
        return self._resources[outcome.resource]
