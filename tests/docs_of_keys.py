"""docs/pipelines.md, from the table of keys."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

from perles.templates.keys.key import At, Family
from perles.templates.keys.table import FAMILIES

WORDS = Path(__file__).with_name("pipeline_docs")
"""What is to be said of a family beside its keys, in Markdown: `<name of the family>.md`."""
_HEAD = """\
# Pipeline files

A pipeline file lists tasks and their dependencies, in YAML or JSON. `perles run FILE` runs it, and
`perles templates check FILE` checks it for errors.

```yaml
name: release check
workers: 3
env: {LANG: C.UTF-8}
tasks:
  - key: lint
    run: ruff check .
  - key: unit
    run: pytest -q
    after: [lint]
    timeout: 10m
  - key: notes
    prompt: Write NOTES.md about this result of the tests; {{ tasks.unit.output }}
    worker: claude:sonnet
    after: [unit]
```

Complete examples: [dev.yaml](examples/dev.yaml), the everyday commands of a project;
[site.yaml](examples/site.yaml), a static site page by page; [ci.yaml](examples/ci.yaml), a matrix;
[recon.yaml](examples/recon.yaml), a scan that fans out.

Perles refuses a wrong key or value with file, line and key before any task runs.
A template has the same keys under `nodes`.

## Run a part of a file

```sh
perles run ci.yaml test              # only this task and what it needs; several may be named
perles run ci.yaml --from deploy     # this task and what comes after it
perles run ci.yaml --skip lint       # all but this one
perles run ci.yaml test --dry-run    # what would run
```

Name a task by its key, by its group (a matrix, an included file), or by a pattern (`'test-*'`).
Tasks under `finally` always run, unless you skip them. A task that uses the output of another task
cannot run without it. If you leave out a task, the tasks that depend on it wait for its own
dependencies instead. `perles create` takes the same options.

## Correct a file and continue

```sh
perles retry ID --file ci.yaml --dry-run     # what would run, what stays, and why
perles retry ID --file ci.yaml --with-engine # continues where ID failed, with the corrected file
```

A finished task keeps its result if its command, text, variables, worker, shell, folder, check,
condition and dependencies are unchanged, and so are all tasks before it; its name, `timeout`,
`retries` and limits may differ. Changed tasks and the tasks after them run again. New tasks are
added, and removed tasks are dropped (event `task.dropped`). `--from TASK` also runs an unchanged
task again, with the tasks after it; `--arg` changes a value. The tasks of a `for_each` keep their
results while the list is the same. The new workflow is created in one transaction. The old one does
not change, whether it failed, was stopped, or completed.
"""


def pipelines() -> str:
    """Every key of a pipeline file, with an example."""
    return "\n".join([_HEAD, *(line for family in FAMILIES for line in _section(family))])


def _section(family: Family) -> Iterator[str]:
    yield f"## {family.title}\n"
    words = WORDS / f"{family.name}.md"
    if family.name and words.exists():
        yield words.read_text()
    if family.text:
        yield f"{family.text.strip()}\n"
    yield "| key | where | what it does |"
    yield "|---|---|---|"
    for key in family.keys:
        yield f"| `{key.name}` | {_where(key.at)} | {key.doc} |"
    yield ""
    examples = dict.fromkeys(key.example for key in family.keys)
    tasks = [example for example in examples if example.startswith("- ")]
    yield "```yaml"
    yield from (example for example in examples if example not in tasks)
    yield from [] if not tasks else ["tasks:", *(indent(task, "  ") for task in tasks)]
    yield "```\n"


def _where(at: At) -> str:
    words = ((At.FILE, "file"), (At.TASK, "task"))
    found = [word for place, word in words if place & at]
    return ", ".join(found) or "template"
