"""Perles: a control plane for AI coding agents.

    from perles import ControlPlane, WorkflowSpec

Both are loaded when first asked for: a read command must not pay for them.
"""

from perles.version import __version__

TYPE_CHECKING = False  # importing `typing` would cost every agent process; checkers know the name
__all__ = ["ControlPlane", "WorkflowSpec", "__version__"]

if TYPE_CHECKING:
    from perles.controlplane.plane import ControlPlane
    from perles.domain.specs import WorkflowSpec


def __getattr__(name: str) -> object:
    if name == "ControlPlane":
        from perles.controlplane.plane import ControlPlane

        return ControlPlane
    if name == "WorkflowSpec":
        from perles.domain.specs import WorkflowSpec

        return WorkflowSpec
    raise AttributeError(f"module 'perles' has no attribute {name!r}")
