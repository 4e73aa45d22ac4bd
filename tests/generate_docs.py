"""`make docs` runs this: it writes the parts of the documentation that the code knows best."""

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from perles.cli.app import app
from perles.cli.command_tree import tree
from perles.config.load import render_default
from perles.domain.diagrams import mermaid
from perles.domain.events import EVENT_TYPES
from perles.domain.states import ALL_RULES
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.mcp.tools.tool import Tool
from tests.docs_of_keys import pipelines

DOCS = Path(__file__).parents[1] / "docs"
NOTE = "<!-- Written by `make docs`: change the code, not this file. -->\n"


def states() -> str:
    """The diagrams of all state machines."""
    parts = [
        f"{NOTE}# State machines\n",
        "Every change of a state is one of these edges. It commits together with its event.\n"
        "A stale or illegal change is refused with the state that was found.\n",
    ]
    parts += [
        f"## {rules.kind.capitalize()}\n\n```mermaid\n{mermaid(rules)}\n```\n"
        for rules in ALL_RULES
    ]
    return "\n".join(parts)


def configuration() -> str:
    """Every key of the configuration with its default."""
    return (
        f"{NOTE}# Configuration\n\n"
        "Perles reads, in this order: `PERLES_*` variables of the environment, `--config FILE`, "
        "`.perles/config.yaml`\nof the repository, and `~/.config/perles/config.yaml`. "
        "`perles config show --origin` shows the source of each value.\n\n"
        f"```yaml\n{render_default(for_repository=False).rstrip()}\n```\n"
    )


def tools() -> str:
    """Every tool of agents, by role."""
    parts = [
        f"{NOTE}# Tools of agents\n",
        "The tools of the MCP server `perles`, by role of the agent. Arguments with `?` are "
        "optional.\nThe message of a refused call gives the reason and the correct call.\n",
    ]
    for role, found in TOOLS_BY_ROLE.items():
        rows = [f"| `{_call(tool)}` | {tool.description} |" for tool in found.values()]
        parts += [f"## {role.capitalize()}\n", "| call | what it does |", "|---|---|", *rows, ""]
    return "\n".join(parts)


def completion() -> str:
    """What shells complete: all commands with their options."""
    return json.dumps(tree(), ensure_ascii=False, separators=(",", ":"), indent=0) + "\n"


def events() -> str:
    """The module of event types, which type checkers read."""
    lines = [
        '"""The types of events, by name: `perles.events.TASK_COMPLETED`.\n',
        'Written by `make docs` from `perles.domain.events`: change that.\n"""\n',
        "from typing import Final\n",
    ]
    lines += [f'{type.replace(".", "_").upper()}: Final = "{type}"' for type in sorted(EVENT_TYPES)]
    return "\n".join(lines) + "\n"


def _call(tool: Tool) -> str:
    needed = tool.schema.get("required", ())
    names = (name if name in needed else f"{name}?" for name in tool.schema["properties"])
    return f"{tool.name}({', '.join(names)})"


def commands() -> str:
    """Every command with its options."""
    return f"{NOTE}# Commands\n\n" + "\n".join(_sections(typer.main.get_command(app), "perles"))


def _sections(command: Any, path: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if not children or command.invoke_without_command:
        yield _section(command, path)
    for name, child in children.items():
        if not child.hidden:
            yield from _sections(child, f"{path} {name}")


def _section(command: Any, path: str) -> str:
    context = command.make_context(path, [], resilient_parsing=True)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    words = inspect.cleandoc(command.help).replace("\b\n", "")
    listed = [
        f"- `{names}`: {text}"
        for parameter in command.params
        if (record := parameter.get_help_record(context)) is not None
        for names, text in [record]
    ]
    said = command.epilog or ""
    return "\n".join([f"## {path}\n", f"`{usage}`\n", f"{words}\n", *listed, "", f"{said}\n"])


GENERATED = {
    "states.md": states,
    "configuration.md": configuration,
    "commands.md": commands,
    "tools.md": tools,
    "pipelines.md": pipelines,
    "../perles/events.py": events,
    "../perles/cli/completion.json": completion,
}
"""What is written, by its file as `docs/` sees it."""


def differing() -> list[str]:
    """The files that are not what the code says now."""
    return [
        name
        for name, written in GENERATED.items()
        if not (DOCS / name).exists() or (DOCS / name).read_text() != written()
    ]


if __name__ == "__main__":
    for name in differing():
        (DOCS / name).write_text(GENERATED[name]())
        print(f"{(DOCS / name).resolve()} is written anew", file=sys.stderr)
