"""The files in which an agent CLI keeps its session, where it keeps any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perles.agents.clis.session_log import SessionLog, SessionReader
from perles.agents.provider import Provider
from perles.domain.errors import PerlesError


def log_of(provider: Provider, environ: Mapping[str, str]) -> SessionLog | None:
    """How the provider reads its sessions; None where it cannot."""
    make = getattr(provider, "session_log", None)  # not a duty of a provider
    if make is None:
        return None
    try:
        found = make(environ)
    except PerlesError:
        return None  # its configuration lacks a variable: the launch says so
    return found if isinstance(found, SessionLog) else None


def reader(
    provider: Provider, environ: Mapping[str, str] | None, base: Mapping[str, Any]
) -> SessionReader | None:
    """Reads on the session's files from `base`; None where there is nothing to read."""
    if environ is None or "session" not in base:
        return None
    found = log_of(provider, environ)
    return None if found is None else SessionReader(found, base)
