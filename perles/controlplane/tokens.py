"""Tokens of HTTP clients. A part of the façade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perles.controlplane.engine_host import EngineHost
from perles.store.reads import tokens as reads
from perles.store.reads.connection import reading

if TYPE_CHECKING:
    from perles.store.reads.tokens import Holder


class Tokens(EngineHost):
    """Who may ask over HTTP, and for what."""

    def create_token(self, name: str, role: str, *, lifetime: float | None = None) -> str:
        """Create a token, valid for `lifetime` seconds or until revoked; return the secret.

        It is shown only this once. Raises `UsageError`, and `PersonNeededError` for an agent.
        """
        from perles.access import tokens

        by = self.need_person("make a token")
        return self._database.write(lambda tx: tokens.create(tx, name, role, lifetime, by))

    def tokens(self) -> list[dict[str, Any]]:
        """All tokens without their secrets, the newest first: `token list --json`."""
        with reading(self.database_path) as connection:
            return reads.tokens(connection)

    def revoke_token(self, name: str) -> None:
        """Revoke a token. Raises `NotFoundError`, `PersonNeededError`."""
        from perles.access import tokens

        by = self.need_person("revoke a token")
        self._database.write(lambda tx: tokens.revoke(tx, name, by))

    def token_holder(self, secret: str) -> Holder | None:
        """Who asks with this token; None where it is none, or does not hold any more."""
        from perles.domain.clock import SystemClock, to_text
        from perles.domain.tokens import digest

        hash = digest(secret)
        with reading(self.database_path) as connection:
            return reads.holder(connection, hash, to_text(SystemClock().now()))

    def has_token(self) -> bool:
        """Whether there is a token that holds."""
        from perles.domain.clock import SystemClock, to_text

        with reading(self.database_path) as connection:
            return reads.any_holds(connection, to_text(SystemClock().now()))
