"""The texts of the statements as SQLAlchemy writes them: `make statements`.

Each stands by the digest of its expression (`perles.store.sql.digest`), with its own constants.
"""
# ruff: noqa
# fmt: off

STATEMENTS: dict[str, tuple[str, dict[str, object]]] = {
}
