"""From method and path to an operation, without trying 34 patterns.

Ids are followed by verbs (`…/{id}:play`), `participants:add` holds a literal colon, and raw ids hold
colons themselves. So a path is split at its slashes, raw, and walked down a tree of segments.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote

from onhook.acs.errors import ApiError, shown
from onhook.acs.wire import Operation

MAX_ID_LENGTH = 1024


class Found(NamedTuple):
    operation: Operation
    ids: tuple[str, ...]
    """The path's parameters, percent-decoded, in order."""


Methods: TypeAlias = dict[str, Operation]


class _Node:
    """What may follow a segment. `verbs` end the path: `{id}:play`."""

    __slots__ = ("literals", "methods", "parameter", "verbs")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.verbs: dict[str, _Node] = {}
        self.methods: Methods = {}


class Dispatcher:
    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        for operation in operations:
            self._place(operation).methods[operation.method] = operation

    def _place(self, operation: Operation) -> _Node:
        node = self._root
        for segment in operation.path.split("/")[1:]:
            if not segment.startswith("{"):
                node = node.literals.setdefault(segment, _Node())
                continue
            _, _, verb = segment.partition("}:")
            if verb:
                node = node.verbs.setdefault(verb, _Node())
            else:
                node.parameter = node.parameter or _Node()
                node = node.parameter
        return node

    def find(self, method: str, raw_path: str) -> Found:
        """`raw_path` is percent-encoded as it came. Raises ApiError 404, or MethodNotAllowed."""
        node = self._root
        ids: list[str] = []
        for segment in raw_path.split("/")[1:]:
            following = node.literals.get(segment)
            if following is None:
                following, identifier = self._by_id(node, segment)
                if following is None:
                    raise _not_found(method, raw_path)
                ids.append(identifier)
            node = following
        operation = node.methods.get(method)
        if operation is None:
            if not node.methods:
                raise _not_found(method, raw_path)
            raise MethodNotAllowed(method, raw_path, node.methods)
        return Found(operation, tuple(ids))

    @staticmethod
    def _by_id(node: _Node, segment: str) -> tuple[_Node | None, str]:
        identifier, colon, verb = segment.rpartition(":")
        if colon and identifier and verb in node.verbs:
            return node.verbs[verb], _decoded(identifier)
        return (node.parameter if segment else None), _decoded(segment)


class MethodNotAllowed(ApiError):
    """405; `allow` goes into the Allow header."""

    def __init__(self, method: str, raw_path: str, methods: Iterable[str]) -> None:
        self.allow = ", ".join(sorted(methods))
        super().__init__(
            405, "MethodNotAllowed", f"{method} is not possible on {shown(raw_path)}; {self.allow} is."
        )


def _decoded(segment: str) -> str:
    identifier = unquote(segment)
    if len(identifier) > MAX_ID_LENGTH:
        raise ApiError(
            400, "InvalidPath", f"An id in the path has more than {MAX_ID_LENGTH} characters.", target="path"
        )
    return identifier


def _not_found(method: str, raw_path: str) -> ApiError:
    """The real service says that no HTTP resource was found (observed); the code is assumed."""
    return ApiError(
        404,
        "NotFound",
        f"No HTTP resource was found that matches {method} {shown(raw_path)}. Operations begin with"
        " /calling/callConnections, /calling/recordings, /identities, /phoneNumbers or /sip.",
    )
