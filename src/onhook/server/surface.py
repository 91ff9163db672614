"""An API behind the dispatcher: its operations, which of them are built, the words of its refusals."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

from onhook.acs.bodies import read_body
from onhook.acs.errors import INVALID_BODY, ApiError
from onhook.acs.wire import Model, Operation
from onhook.server.handlers import Built, Request

BoundHandler: TypeAlias = Callable[[Request], Model | None]


class Surface(NamedTuple):
    operations: tuple[Operation, ...]
    versions: tuple[str, ...]
    """The stable ones, the newest last."""
    handlers: Mapping[str, BoundHandler]
    """By operation name."""
    refused: Mapping[str, str] = {}
    """Operations that make no sense here, and why."""
    invalid_body: str = INVALID_BODY
    """The error code for a body that does not fit."""

    def handler_of(self, operation: Operation) -> BoundHandler:
        """Raises ApiError 501 for what is refused, and for what is not built yet."""
        name = operation.name
        if (why := self.refused.get(name)) is not None:
            raise ApiError(501, "NotSupported", f"{name} is not possible here: {why}.", target=name)
        handler = self.handlers.get(name)
        if handler is None:
            raise ApiError(
                501,
                "NotImplemented",
                f"{name} ({operation.method} {operation.path}) is not built in Onhook yet. The request is"
                " well-formed and signed; COVERAGE.md lists what is built.",
                target=name,
            )
        return handler

    def read(self, operation: Operation, body: bytes) -> Model | None:
        """The body as the operation's model; None if it takes none. Raises ApiError 400."""
        if operation.request is None:
            return None
        if not body and operation.optional_body:
            body = b"{}"
        try:
            return read_body(operation.request, body)
        except ApiError as fault:
            if self.invalid_body == INVALID_BODY:
                raise
            target = (fault.target or "").removeprefix("$.")  # validated: the Identity API writes `scopes`
            raise ApiError(fault.status, self.invalid_body, fault.message, target=target or "$") from None


def bind(built: Mapping[str, Built], provider: object) -> dict[str, BoundHandler]:
    """The handlers of an API, with whom they ask."""
    return {name: partial(each.handler, provider) for name, each in built.items()}
