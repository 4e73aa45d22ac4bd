"""Tasks as a checklist in Markdown.

`- [ ] title` is a task, `- [x] title` one that is done; lines that are indented below it are what
it says. A numbered item waits for the numbered one before it; `(after: a, b)` at the end of a
title names others, by a key that stands before the title as `key:` in backquotes, or by title.
"""

import re
from dataclasses import replace
from typing import Final

from perles.domain.patterns import lazy_pattern
from perles.templates.task_files.item import Item

_ITEM: Final = lazy_pattern(r"^( *|\t*)(?:[-*+]|(\d+)[.)])\s+\[([ xX~-])\]\s+(\S.*)$")
_AFTER: Final = lazy_pattern(r"\s*\(after:?\s+([^()]+)\)\s*$", re.IGNORECASE)
_KEY: Final = lazy_pattern(r"^`([^`]+)`:?\s+(\S.*)$")
_FENCE: Final = lazy_pattern(r"^\s*(```|~~~)")


def is_checklist(text: str) -> bool:
    """Whether a text has an item of a checklist outside of code."""
    return any(True for _ in _lines(text))


def _lines(text: str) -> list[tuple[int, re.Match[str]]]:
    found, fence = [], ""
    for number, line in enumerate(text.splitlines(), start=1):
        mark = _FENCE.match(line)
        if mark is not None:
            fence = "" if fence == mark.group(1) else fence or mark.group(1)
        item = None if fence else _ITEM.match(line)
        if item is not None:
            found.append((number, item))
    return found


def read(text: str, source: str) -> list[Item]:
    """The tasks of a checklist; an item below another one is part of that one's text."""
    lines = text.splitlines()
    marks = _lines(text)
    least = min(len(mark.group(1)) for _, mark in marks)
    tops = [(number, mark) for number, mark in marks if len(mark.group(1)) == least]
    found = []
    for index, (number, mark) in enumerate(tops):
        end = tops[index + 1][0] - 1 if index + 1 < len(tops) else len(lines)
        found.append(_item(f"{source}:{number}", mark, lines[number:end]))
    return [_with_names(item, found) for item in found]


def _item(where: str, mark: re.Match[str], below: list[str]) -> Item:
    title, after = mark.group(4).strip(), []
    said = _AFTER.search(title)
    if said is not None:
        title = title[: said.start()].rstrip()
        after = [name.strip().strip("`") for name in said.group(1).split(",") if name.strip()]
    named = _KEY.match(title)
    name, title = (named.group(1), named.group(2)) if named else ("", title)
    return Item(
        where=where,
        title=title.strip("*_ "),
        name=name,
        body=_below(below, len(mark.group(1))),
        after=after,
        done=mark.group(3) in "xX~-",
        after_all_above=mark.group(2) is not None,
    )


def _below(lines: list[str], indent: int) -> str:
    """The lines that belong to an item: the indented ones up to the next unindented line."""
    found: list[str] = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        found.append(line)
    width = min((len(one) - len(one.lstrip()) for one in found if one.strip()), default=0)
    return "\n".join(line[width:].rstrip() for line in found).strip("\n")


def _with_names(item: Item, items: list[Item]) -> Item:
    """The item, with a name for it and for what it waits for: the title where it has no key."""
    wanted = {name for one in items for name in one.after}
    if item.name or item.title not in wanted:
        return item
    return replace(item, name=item.title)
