"""`perles run -- CMD…`: one command as a workflow of one task, durable as any other."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from perles.domain.errors import UsageError
from perles.templates.one_command import name_of, pipeline_file

OPTION: Final = "--command-words"
"""The hidden option that carries what stood behind `--`, as JSON."""
STDIN: Final = "/dev/stdin"
_VERBS: Final = ("run", "create")


def rewritten(argv: Sequence[str]) -> list[str]:
    """The command line with what is behind `--` of run and create in an option."""
    if "--" not in argv or next((word for word in argv if word in _VERBS), None) != argv[0]:
        return list(argv)
    place = argv.index("--")
    words = list(argv[place + 1 :])
    if not words:
        raise UsageError(f"cannot {argv[0]} nothing: give a command behind --")
    return [*argv[:place], f"{OPTION}={json.dumps(words)}"]


@contextmanager
def pipeline_of(words: Sequence[str]) -> Iterator[str]:
    """The path of a pipeline with one task, which is there as long as the block lasts.

    A single word is a line of the shell; several are a program with its arguments.
    """
    run = words[0] if len(words) == 1 else shlex.join(words)
    with pipeline_file(run, name_of(" ".join(words))) as file:
        yield file
