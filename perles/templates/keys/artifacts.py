"""artifacts: files that are kept with the workflow once their task ended well."""

from collections.abc import Mapping
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.needs import Kept
from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.patterns import SHAPE, patterns
from perles.templates.keys.shapes import WORDS, YES_OR_NO, either, parts

MAX_BYTES: Final = 100 * 1024**3
_KEYS: Final = ("paths", "optional", "max_bytes")


def _artifacts(node: Node) -> Kept:
    if not isinstance(node.value, dict):
        return Kept(paths=patterns(node))
    given = node.mapping(_KEYS)
    if "paths" not in given:
        raise node.error("paths is missing; name the files, such as dist/*.whl")
    size = given["max_bytes"].size() if "max_bytes" in given else Kept().max_bytes
    if size > MAX_BYTES:
        raise given["max_bytes"].error("is over 100 GiB")
    return Kept(
        paths=patterns(given["paths"]),
        optional=given["optional"].boolean() if "optional" in given else False,
        max_bytes=size,
    )


def _execution(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    return {"artifacts": _artifacts(entries["artifacts"])} if "artifacts" in entries else {}


_PARTS: Final = parts(
    {"paths": SHAPE, "optional": YES_OR_NO, "max_bytes": either({"type": "integer"}, WORDS)},
    ("paths",),
)
FAMILY: Final = Family(
    name="artifacts",
    title="Artifacts",
    execution=_execution,
    keys=(
        Key(
            name="artifacts",
            at=TASKS,
            schema=either(SHAPE, _PARTS),
            doc="Files or folders below the command's folder. Perles copies them to the session "
            "when the command succeeds; `perles artifacts ID` lists them.",
            example="- {key: wheel, run: python -m build, artifacts: ['dist/*.whl']}",
            commands_only=True,
        ),
    ),
)
