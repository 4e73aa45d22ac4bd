"""preconditions, sources, generates: whether a command may run, and whether it has to."""

from collections.abc import Mapping
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.needs import SECONDS, Needs, Precondition
from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.patterns import SHAPE, patterns
from perles.templates.keys.shapes import DURATION, WORDS, either, items, parts
from perles.templates.keys.texts import command

MAX_PRECONDITIONS: Final = 20
MAX_SECONDS: Final = 600.0
_KEYS: Final = ("run", "message", "timeout")


def _preconditions(node: Node) -> tuple[Precondition, ...]:
    found = node.items()
    if not found or len(found) > MAX_PRECONDITIONS:
        raise node.error(f"needs 1 to {MAX_PRECONDITIONS} commands")
    return tuple(_precondition(item) for item in found)


def _precondition(item: Node) -> Precondition:
    if not isinstance(item.value, dict):
        return Precondition(run=_command(item))
    given = item.mapping(_KEYS)
    if "run" not in given:
        raise item.error("run is missing; give the command that must pass")
    seconds = given["timeout"].duration() if "timeout" in given else SECONDS
    if not 0 < seconds <= MAX_SECONDS:
        raise given["timeout"].error("must be above 0, at most 10m")
    message = given["message"].text().strip() if "message" in given else ""
    return Precondition(run=_command(given["run"]), message=message, timeout=seconds)


def _command(node: Node) -> str:
    if "{{" in node.text():
        raise node.error("cannot have {{ … }}; let the command read variables or files")
    return command(node)


def _execution(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    if "generates" in entries and "sources" not in entries:
        raise entries["generates"].error("needs sources, too; name the files that it depends on")
    first = entries.get("preconditions")
    files = {key: patterns(entries[key]) for key in ("sources", "generates") if key in entries}
    return {"needs": Needs(preconditions=_preconditions(first) if first else (), **files)}


_PART: Final = parts({"run": WORDS, "message": WORDS, "timeout": DURATION}, ("run",))
FAMILY: Final = Family(
    name="needs",
    title="Preconditions and up-to-date checks",
    execution=_execution,
    keys=(
        Key(
            name="preconditions",
            at=TASKS,
            schema=items(either(WORDS, _PART), 1, MAX_PRECONDITIONS),
            doc="Commands that must pass before the task starts. If one fails, the task fails "
            "with its `message`. Each has 60 s, or its own `timeout`.",
            example="- key: deploy\n  run: ./deploy.sh\n  preconditions:\n"
            '    - {run: test -n "$TARGET", message: set TARGET}\n    - docker info',
            commands_only=True,
        ),
        Key(
            name="sources",
            at=TASKS,
            schema=SHAPE,
            doc="The files that the command reads. If none has changed since the last success "
            "in this folder, the command does not run.",
            example="- {key: site, run: make site, sources: ['docs/**/*.md'], generates: public}",
            commands_only=True,
        ),
        Key(
            name="generates",
            at=TASKS,
            schema=SHAPE,
            doc="The files that the command creates. If one is missing, the command runs.",
            example="- {key: site, run: make site, sources: ['docs/**/*.md'], generates: public}",
            commands_only=True,
        ),
    ),
)
