"""`make statements` runs this: writes the text of each statement as SQLAlchemy writes it.

Perles runs those texts (`perles.store.sql`), and compiles only what is not among them.
"""

import gc
import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Any, Final

import perles

FILE: Final = Path(str(perles.__file__)).parent / "store" / "sqlite" / "recorded.py"
_HEAD: Final = '''"""The texts of the statements as SQLAlchemy writes them: `make statements`.

Each stands by the digest of its expression (`perles.store.sql.digest`), with its own constants.
"""
# ruff: noqa
# fmt: off

STATEMENTS: dict[str, tuple[str, dict[str, object]]] = {
'''


def statements() -> dict[str, tuple[str, dict[str, Any]]]:
    """The text of every statement of every module, by the digest of its expression.

    Raises `ValueError` for one that has no digest.
    """
    # Not imported above: what is recorded may be damaged, as by a merge, and is written anew then.
    from perles.store.compiling import compiled
    from perles.store.sql import Sql, digest, plain

    for module in pkgutil.walk_packages(perles.__path__, "perles."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = {}
    for one in gc.get_objects():
        if isinstance(one, Sql) and one.statement is not None:
            text, constants = compiled(one.statement)
            place = digest(one.statement)
            if not place:
                raise ValueError(f"cannot record: {text}")
            found[place] = text, {name: plain(value) for name, value in constants.items()}
    return dict(sorted(found.items()))


def source() -> str:
    """The module that holds them."""
    lines = [f"    {place!r}: {text!r},\n" for place, text in statements().items()]
    return f"{_HEAD}{''.join(lines)}}}\n"


if __name__ == "__main__":
    if "--check" not in sys.argv:
        FILE.write_text(f"{_HEAD}}}\n")
        FILE.write_text(source())
    elif FILE.read_text() != source():
        sys.exit("database: the recorded statements are old: make statements")
