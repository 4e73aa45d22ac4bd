"""Perles for programs with an event loop: `async with perles.aio.ControlPlane() as cp:`."""

from perles.api.aio_plane import ControlPlane as ControlPlane
from perles.api.aio_subscription import AsyncSubscription as AsyncSubscription

__all__ = ["AsyncSubscription", "ControlPlane"]
