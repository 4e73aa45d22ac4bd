"""Files below a folder that fit patterns: `dist/*.whl`, `src/**/*.py`, a folder with all below.

No link is followed, and `.git` is left alone. As in a shell, `*` leaves out names that begin with
a dot.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

MAX_SEEN: Final = 200_000
"""Entries of folders that are looked at for one pattern."""


class TooManyError(Exception):
    """There is more below the folder than is looked at; its text says where."""


class Found(NamedTuple):
    """A file or link, by its path below the folder."""

    path: str
    is_link: bool


def matching(folder: Path, pattern: str) -> list[Found]:
    """What fits a pattern, in the order of the paths; a folder stands for all below it.

    Raises `TooManyError`, and `OSError` where a folder cannot be read.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    plain = 0
    while plain < len(parts) - 1 and not _is_pattern(parts[plain]):
        plain += 1
    begin = "/".join(parts[:plain])
    fits = re.compile(_expression(parts))
    found = [one for one in _below(folder, begin, pattern) if fits.fullmatch(one.path)]
    return sorted(found)


def _is_pattern(part: str) -> bool:
    return any(sign in part for sign in "*?[")


def _expression(parts: Sequence[str]) -> str:
    """A regular expression for paths; whatever lies below what fits, fits, too."""
    said = ""
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "**":
            said += r"(?:(?!\.)[^/]+/)*" if not is_last else r"(?:(?!\.)[^/]+/)*(?!\.)[^/]+"
            continue
        said += _segment(part) + ("" if is_last else "/")
    return f"{said}(?:/.*)?"


def _segment(part: str) -> str:
    said, at = "" if part.startswith(".") else r"(?!\.)", 0
    while at < len(part):
        sign = part[at]
        end = part.find("]", at + 2) if sign == "[" else -1
        if sign == "*":
            said += "[^/]*"
        elif sign == "?":
            said += "[^/]"
        elif end > 0:
            inner = part[at + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            said += f"[{'^' + inner[1:] if inner[0] in '!^' else inner}]"
            at = end
        else:
            said += re.escape(sign)
        at += 1
    return said


def _below(folder: Path, begin: str, pattern: str) -> Iterator[Found]:
    """Everything below a folder that lies in it by no link."""
    seen = 0
    waiting = [begin]
    for number, _ in enumerate(begin.split("/") if begin else ()):
        if not _is_folder(folder / "/".join(begin.split("/")[: number + 1])):
            return
    while waiting:
        at = waiting.pop()
        for entry in os.scandir(folder / at):
            seen += 1
            if seen > MAX_SEEN:
                raise TooManyError(f"{pattern}: more than {MAX_SEEN} files are below {folder}")
            path = f"{at}/{entry.name}" if at else entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting += [path] if entry.name != ".git" else []
            else:
                yield Found(path, entry.is_symlink())


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
