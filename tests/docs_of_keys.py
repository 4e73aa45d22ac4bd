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

A pipeline file names tasks and what each waits for. `perles run FILE` runs it, and
`perles templates check FILE` looks for what is wrong with it. It is YAML, or JSON.

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

Whole files: [dev.yaml](examples/dev.yaml), the everyday commands of a project;
[site.yaml](examples/site.yaml), pages one by one; [ci.yaml](examples/ci.yaml), a matrix;
[recon.yaml](examples/recon.yaml), a scan that fans out.

A wrong key or value is refused with file, line and key, before anything runs.
In a template the same keys stand at `nodes`.

## Parts of a file

```sh
perles run ci.yaml test              # only this task and what it needs; several may be named
perles run ci.yaml --from deploy     # this task and what comes after it
perles run ci.yaml --skip lint       # all but this one
perles run ci.yaml test --dry-run    # what would run
```

A task is named by its key, by the name of a group (a matrix, an included file), or by a pattern
(`'test-*'`). Tasks under `finally` run always, unless they are skipped. What uses the output of a
task cannot run without it. What waited for a task that is left out waits for what that waited for.
`perles create` takes the same words.

## Correct and go on

```sh
perles retry ID --file ci.yaml --dry-run     # what would run, what stays, and why
perles retry ID --file ci.yaml --start       # goes on where ID failed, with the corrected file
```

A task stays as it ended where its command, text, variables, worker, shell, folder, check, condition
and what it waits for are the same, and so are all tasks before it; its name, `timeout`, `retries`
and limits may differ. What changed runs, and whatever comes after it. Tasks that are new in the
file are added, those that are gone are dropped (event `task.dropped`). `--from TASK` runs a task
and what comes after it though it is unchanged; `--arg` gives other values than before. The tasks of
a `for_each` stay while the list does. One transaction makes the new workflow; the old one stays as
it was, whether it failed, was stopped, or completed.
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
