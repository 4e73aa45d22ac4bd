"""What goes wrong between an engine and a node."""

from perles.domain.errors import PerlesError


class NodeError(PerlesError):
    """A node could not do what it was asked. `kind` is one of `Refused.kind`."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class StaleEpochError(NodeError):
    """Another engine leads: what this one asks is refused."""


class FencedError(NodeError):
    """The lease of the node is over: it starts nothing until it is renewed."""


class NodeSpawnError(NodeError):
    """The node could not start the process. `code` is the errno, 0 where there is none."""

    def __init__(self, message: str, code: int = 0) -> None:
        self.code = code
        super().__init__("spawn", message)


class UnreachableError(NodeError):
    """The node could not be asked, or its answer was lost: it may have done what was asked."""

    def __init__(self, node: str, why: str) -> None:
        self.node = node
        super().__init__("unreachable", f"cannot reach node {node}: {why}")
