"""The man page: `python -m perles.cli.manual > perles.1`, from the words of the commands' help."""

import inspect
import sys
from collections.abc import Iterator
from typing import Any, Final

import typer

from perles.cli.app import app
from perles.cli.root import ABOUT, EXAMPLES, GROUPS
from perles.version import __version__

EXIT_CODES: Final = (
    (0, "Success."),
    (1, "The work failed or was stopped, or another error occurred."),
    (2, "The command line, a file or the configuration is invalid."),
    (3, "The workflow, agent or task was not found."),
    (4, "The state does not allow the command, or only a person may give it."),
    (5, "No engine runs."),
    (6, "A limit is reached."),
    (7, "The database cannot be used."),
    (124, "perles wait: the timeout was reached."),
    (130, "Ctrl-C."),
)
FILES: Final = (
    ("~/.perles", "The home folder: database, sessions, worktrees; PERLES_HOME sets another one."),
    (
        "~/.config/perles/config.yaml",
        "Your configuration; PERLES_CONFIG or --config sets another one.",
    ),
    (".perles/config.yaml", "The configuration of a repository."),
    ("~/.perles/workflows", "Your templates; those of a repository are in .perles/workflows."),
)


def manual() -> str:
    """The page in the language of man."""
    lines = [f'.TH PERLES 1 "" "perles {__version__}" "Perles"']
    lines += [".SH NAME", rf"perles \- {_plain(ABOUT[:1].lower() + ABOUT[1:].rstrip('.'))}"]
    lines += [".SH SYNOPSIS", r"\fBperles\fR [\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGS\fR]"]
    lines += [".SH EXAMPLES", *_pairs(EXAMPLES)]
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    for title, entries in GROUPS.items():
        lines.append(f".SH {title.upper()}")
        for entry in entries:
            lines += _command(commands[entry.name], f"perles {entry.name}")
    lines += [".SH EXIT STATUS", *_pairs([(str(code), text) for code, text in EXIT_CODES])]
    lines += [".SH FILES", *_pairs(FILES)]
    return "\n".join(lines) + "\n"


def _command(command: Any, path: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if not children or command.invoke_without_command:
        context = command.make_context(path, [], resilient_parsing=True)
        usage = " ".join([path, *command.collect_usage_pieces(context)])
        yield f".SS {_plain(usage)}"
        yield from _paragraphs(inspect.cleandoc(command.help or ""))
        yield from _pairs(
            record
            for parameter in command.params
            if (record := parameter.get_help_record(context)) is not None
        )
        yield from _paragraphs(command.epilog or "")
    for name, child in children.items():
        if not child.hidden:
            yield from _command(child, f"{path} {name}")


def _paragraphs(text: str) -> Iterator[str]:
    for part in text.replace("\b\n", "").split("\n\n"):
        yield ".PP"
        yield _plain(" ".join(part.split()))


def _pairs(pairs: Any) -> Iterator[str]:
    for name, text in pairs:
        yield from (".TP", rf"\fB{_plain(name)}\fR", _plain(" ".join(text.split())))


def _plain(text: str) -> str:
    """Text that man prints as it is, on each terminal: few have the ellipsis of `troff`."""
    escaped = text.replace("…", "...").replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(manual())
