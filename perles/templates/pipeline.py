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

import hashlib
import re
from pathlib import Path
from typing import Final

from perles.config import yamlfile
from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.domain.plain import is_one_line
from perles.domain.provider_choice import AGENT_TYPES, split_choice
from perles.domain.secrecy import masked
from perles.domain.specs import Plan, TaskSpec
from perles.templates import execution, surroundings, tries
from perles.templates.execution import Defaults
from perles.templates.outputs import check_command, references
from perles.templates.worktree import worktree

KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAX_TASKS: Final = 10_000
MAX_TEXT: Final = 200
DEFAULT_WORKERS: Final = 2

MAX_BYTES: Final = 8 * 1024 * 1024
"""Of a file: its scripts stand in it."""

_ROOT: Final = ("name", "workers", "worker", "roles", "env", "worktree", "tasks", *execution.KEYS)
_TASK: Final = (
    *("key", "name", "run", "prompt", "worker", "assignee", "question"),
    *("after", "timeout", "retries", "env", "check"),
    *execution.KEYS,
)


def read_pipeline(path: Path) -> Plan:
    """The plan of a pipeline file. Raises `UsageError` that names file, line and key."""
    text = yamlfile.read_text(path, MAX_BYTES, pipes=True)
    root = yamlfile.parse(text, str(path))
    entries = root.mapping(_ROOT)
    for needed in ("name", "tasks"):
        if needed not in entries:
            raise root.error(f"{needed} is missing; a pipeline needs name and tasks")
    env = environment(entries["env"]) if "env" in entries else {}
    worker = choice(entries["worker"]) if "worker" in entries else None
    tasks = _tasks(entries["tasks"], env, worker, execution.defaults(entries))
    return Plan(
        template_id="pipeline",
        name=short_text(entries["name"]),
        tasks=tasks,
        workers=entries["workers"].integer(1, 99) if "workers" in entries else DEFAULT_WORKERS,
        roles=roles(entries["roles"]) if "roles" in entries else {},
        worktree=worktree(entries["worktree"]) if "worktree" in entries else None,
        definition={
            "source": str(path.absolute()),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "pipeline": masked(root.plain(), ()),  # the tasks have the values
        },
    )


def _tasks(
    node: Node, env: dict[str, str], worker: str | None, above: Defaults
) -> tuple[TaskSpec, ...]:
    items = node.items()
    if not items:
        raise node.error("a pipeline needs at least one task")
    if len(items) > MAX_TASKS:
        raise node.error(f"{len(items)} tasks are too many; {MAX_TASKS} at most")
    tasks: dict[str, TaskSpec] = {}
    for item in items:
        task = _task(item, env, worker, above)
        if task.key in tasks:
            raise item.mapping()["key"].error(f"two tasks have the key {task.key!r}; rename one")
        tasks[task.key] = task
    _check_order(items, tasks)
    return tuple(tasks.values())


def _task(item: Node, env: dict[str, str], worker: str | None, above: Defaults) -> TaskSpec:
    entries = item.mapping(_TASK)
    _check_kind(item, entries)
    key = task_key(entries["key"])
    own = environment(entries["env"]) if "env" in entries else {}
    return TaskSpec(
        key=key,
        name=short_text(entries["name"]) if "name" in entries else key,
        run=command(entries["run"]) if "run" in entries else None,
        assignee="human" if "assignee" in entries else None,
        body=_body(entries),
        worker=(choice(entries["worker"]) if "worker" in entries else worker)
        if "prompt" in entries
        else None,
        after=_after(entries["after"]) if "after" in entries else (),
        timeout=tries.seconds(entries),
        retries=tries.most(entries),
        env={**env, **own} if "run" in entries else {},
        execution=execution.execution(entries, above),
    )


def _prompt(node: Node) -> str:
    """A prompt; not empty."""
    text = node.text()
    if not text.strip():
        raise node.error("is empty; say what the agent is to do")
    return text


def choice(node: Node) -> str:
    """A provider, or provider:model."""
    try:
        split_choice(node.text())
    except UsageError as error:
        raise node.error(str(error)) from None
    return node.text()


def roles(node: Node) -> dict[str, str]:
    """Who is the observer, and who the workers of a type are: provider, or provider:model."""
    return {name: choice(one) for name, one in node.mapping(("observer", *AGENT_TYPES)).items()}


def _check_kind(item: Node, entries: dict[str, Node]) -> None:
    """A task is a command, work for an AI agent, or a question to a person."""
    if "key" not in entries:
        raise item.error("key is missing; a task needs key and run, or key and prompt")
    if "assignee" in entries:
        entries["assignee"].word(["human"])
        for other in ("run", "prompt", "worker"):
            if other in entries:
                raise entries[other].error("is not for a task with assignee: human")
        return
    if "question" in entries:
        raise entries["question"].error("is for tasks with assignee: human")
    if ("run" in entries) == ("prompt" in entries):
        raise item.error("a task needs either run, a command, or prompt, work for an AI agent")
    if "worker" in entries and "prompt" not in entries:
        raise entries["worker"].error("is for tasks with a prompt; this one runs a command")
    if "prompt" in entries and "env" in entries:
        raise entries["env"].error("is for commands; an agent has the environment of its provider")


def _body(entries: dict[str, Node]) -> str:
    if "question" in entries:
        return _prompt(entries["question"])
    return _prompt(entries["prompt"]) if "prompt" in entries else ""


def _after(node: Node) -> tuple[str, ...]:
    """The keys that a task waits for; one alone may stand without brackets."""
    if isinstance(node.value, str):
        return (node.value,)
    return tuple(dict.fromkeys(item.text() for item in node.items()))


def _check_order(items: list[Node], tasks: dict[str, TaskSpec]) -> None:
    """Every `after` exists, and no task waits for itself, directly or through others."""
    nodes = {item.mapping()["key"].text(): item for item in items}
    for task in tasks.values():
        for blocker in task.after:
            if blocker not in tasks:
                raise (
                    nodes[task.key]
                    .mapping()["after"]
                    .error(
                        f"{task.key} waits for {blocker!r}, which is no task's key"
                        f"{nearest(blocker, tasks)}"
                    )
                )
    _check_references(nodes, tasks)
    circle = find_circle({task.key: task.after for task in tasks.values()})
    if circle:
        shown = circle if len(circle) <= 10 else [*circle[:9], "…", circle[-1]]
        raise (
            nodes[circle[0]]
            .mapping()["after"]
            .error(f"tasks wait for each other: {' -> '.join(shown)}; remove one of these")
        )


def _check_references(nodes: dict[str, Node], tasks: dict[str, TaskSpec]) -> None:
    """Every `{{ tasks.KEY.output }}` names a task that is done by then."""
    for task in tasks.values():
        entries = nodes[task.key].mapping()
        node = next(
            (entries[kind] for kind in ("prompt", "run") if kind in entries), nodes[task.key]
        )
        for key, wanted in references(task.body or task.run or ""):
            if wanted != "output":
                raise node.error(f"{{{{ tasks.{key}.{wanted} }}}}: a task has only .output")
            if key not in _upstream(task.key, tasks):
                raise node.error(
                    f"{{{{ tasks.{key}.output }}}}: {task.key} does not wait for {key!r}; "
                    "name it in after"
                )
        refused = check_command(task.run, task.execution.language) if task.run else None
        if refused is not None:
            raise node.error(refused)


def _upstream(key: str, tasks: dict[str, TaskSpec]) -> set[str]:
    """Everything that a task waits for, directly or through others."""
    found: set[str] = set()
    waiting = list(tasks[key].after)
    while waiting:
        blocker = waiting.pop()
        if blocker not in found and blocker in tasks:
            found.add(blocker)
            waiting += tasks[blocker].after
    return found


def find_circle(after: dict[str, tuple[str, ...]]) -> list[str]:
    """Keys that wait for each other, the first again at the end; [] when none do."""
    settled: set[str] = set()
    for start in after:
        path: list[str] = []
        stack = [(start, iter(after[start]))] if start not in settled else []
        path.append(start)
        on_path = {start}
        while stack:
            key, blockers = stack[-1]
            blocker = next(blockers, None)
            if blocker is None:
                stack.pop()
                settled.add(key)
                on_path.discard(key)
                path.pop()
            elif blocker in on_path:
                return [*path[path.index(blocker) :], blocker]
            elif blocker not in settled:
                stack.append((blocker, iter(after[blocker])))
                path.append(blocker)
                on_path.add(blocker)
    return []


def task_key(node: Node) -> str:
    """A task's key: it stands in commands, so it is plain."""
    key = node.text()
    if not KEY.fullmatch(key) or len(key) > MAX_TEXT:
        raise node.error(
            f"{key[:60]!r}{'…' if key[60:] else ''} is no key; use small letters, digits, - and _, "
            f"a letter or digit first, at most {MAX_TEXT}"
        )
    return key


def command(node: Node) -> str:
    """A shell command; not empty."""
    text = node.text()
    if not text.strip():
        raise node.error("is empty; give a shell command")
    return _without_nul(node)


def environment(node: Node) -> dict[str, str]:
    """Variables for commands. Names are plain; values are texts, with `${VAR}` filled in."""
    found = {}
    for name, value in node.mapping().items():
        if not ENV_NAME.fullmatch(name):
            raise value.error(f"{name[:60]!r} is no name of a variable")
        found[name] = surroundings.expanded(value)
        if "\0" in found[name]:
            raise value.error("holds a NUL, which no command can be given")
    return found


def _without_nul(node: Node) -> str:
    text = node.text()
    if "\0" in text:
        raise node.error("holds a NUL, which no command can be given")
    return text


def short_text(node: Node) -> str:
    """A name of one line."""
    text = node.text().strip()
    if not text or len(text) > MAX_TEXT or not is_one_line(text):
        raise node.error(f"must be one line of 1 to {MAX_TEXT} characters, none of control")
    return text
