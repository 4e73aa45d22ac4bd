"""Pipeline files: tasks that are shell commands, and what each waits for.

name: release check
workers: 3
env: {LANG: C.UTF-8}
tasks:
  - key: lint
    run: ruff check .
  - key: unit
    name: Unit tests
    run: pytest -q
    after: [lint]
    timeout: 10m
    retries: 1
    env: {CI: "1"}
  - key: notes
    prompt: Write NOTES.md about this result of the tests; {{ tasks.unit.output }}
    worker: claude:sonnet
    after: [unit]
"""

from collections.abc import Mapping
from pathlib import Path

from perles.domain.secrecy import masked
from perles.domain.specs import Plan
from perles.templates import graph, handing_on
from perles.templates.expand.reader import Source, read
from perles.templates.keys.merge import merge
from perles.templates.keys.texts import short_text
from perles.templates.keys.top import roles, workers
from perles.templates.keys.worktree import worktree


def read_pipeline(
    path: Path, given: Mapping[str, str] | None = None, *, sampled: bool = False
) -> Plan:
    """The plan of a pipeline file, with these values for its parameters.

    With `sampled`, missing required arguments have samples, for a look at the file.
    Raises `UsageError` that names file, line and key, or the argument that is wrong.
    """
    source = Source.of(path, pipes=True)
    part = read(source, given or {}, sampled=sampled)
    if "name" not in part.top:
        raise source.root.error("name is missing; a pipeline needs name and tasks")
    tasks = handing_on.ordered(part.nodes, part.tasks)
    graph.check(part.nodes, tasks, [argument.key for argument in part.arguments])
    return Plan(
        template_id="pipeline",
        name=short_text(part.top["name"]),
        tasks=tuple(tasks.values()),
        workers=workers(part.top),
        roles=roles(part.top),
        worktree=worktree(part.top),
        merge=merge(part.top, part.above),
        groups=part.groups,
        parameters=tuple(argument.key for argument in part.arguments),
        definition={
            "source": str(path.absolute()),
            "sha256": source.sha256,
            "sources": part.sources,
            "pipeline": masked(source.root.plain(), ()),  # the tasks have the values
        },
    )
