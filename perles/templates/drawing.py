"""What tasks wait for, drawn: with lines for a terminal, and as Mermaid."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Final

from perles.domain.specs import TaskSpec

MAX_LANES: Final = 40
"""Lines side by side; what needs more is drawn with what each waits for in words."""
_NODE: Final = "●"


def drawn(tasks: Sequence[TaskSpec]) -> list[str]:
    """The tasks from top to bottom, each below what it waits for, with lines between them."""
    order = _in_order(tasks)
    after = _shortest(order)
    below: dict[str, list[str]] = {task.key: [] for task in order}
    for task in order:
        for blocker in after[task.key]:
            below[blocker].append(task.key)
    found: list[tuple[str, str]] = []
    for line, text in _Lanes(below).lines(order):
        if len(line) > 2 * MAX_LANES:
            return [_in_words(task, after[task.key]) for task in order]
        found.append((line, text))
    width = max((len(line) for line, _ in found), default=0)
    return [f"{line:<{width}}  {text}".rstrip() for line, text in found]


def mermaid(tasks: Sequence[TaskSpec]) -> str:
    """The same as a graph of Mermaid."""
    lines = ["flowchart TD"]
    names = {task.key: f"t{number}" for number, task in enumerate(tasks)}
    for task in tasks:
        left, right = _shape(task)
        lines.append(f'  {names[task.key]}{left}"{_escaped(_label(task))}"{right}')
    for task in tasks:
        lines += [
            f"  {names[blocker]} --> {names[task.key]}"
            for blocker in task.after
            if blocker in names
        ]
    return "\n".join(lines)


def _label(task: TaskSpec) -> str:
    return task.key if task.name == task.key else f"{task.key}: {task.name}"


def _text(task: TaskSpec) -> str:
    """A task in one line: its key, its name, and who does it."""
    who = "command" if task.run is not None else task.assignee or task.worker or "agent"
    review = ", reviewed" if task.execution.review else ""
    return f"{_label(task)} ({who}{review})"


def _in_words(task: TaskSpec, after: Sequence[str]) -> str:
    return _text(task) + (f", after {', '.join(after)}" if after else "")


def _shape(task: TaskSpec) -> tuple[str, str]:
    if task.assignee == "human":
        return "{{", "}}"
    return ("[", "]") if task.run is not None else ("(", ")")


def _escaped(text: str) -> str:
    plain = text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;")
    return plain.replace(">", "#gt;").replace("`", "#96;")


def _in_order(tasks: Sequence[TaskSpec]) -> list[TaskSpec]:
    """Each after all that it waits for, else as they stand."""
    places = {task.key: place for place, task in enumerate(tasks)}
    graph = TopologicalSorter(
        {task.key: [blocker for blocker in task.after if blocker in places] for task in tasks}
    )
    graph.prepare()
    found: list[TaskSpec] = []
    while graph.is_active():
        ready = graph.get_ready()
        found += [tasks[place] for place in sorted(places[key] for key in ready)]
        graph.done(*ready)
    return found


def _shortest(order: Sequence[TaskSpec]) -> Mapping[str, list[str]]:
    """What each waits for, without what it waits for through others anyway."""
    bits = {task.key: 1 << place for place, task in enumerate(order)}
    above: dict[str, int] = {}  # a bit for each task: sets of them would fill the memory
    found: dict[str, list[str]] = {}
    for task in order:
        direct = [blocker for blocker in task.after if blocker in above]
        through = all_direct = 0
        for blocker in direct:
            through |= above[blocker]
            all_direct |= bits[blocker]
        found[task.key] = [blocker for blocker in direct if not through & bits[blocker]]
        above[task.key] = through | all_direct
    return found


class _Lanes:
    """Lines that lead down, each to the task that it ends at; None for a free place."""

    def __init__(self, below: Mapping[str, Sequence[str]]) -> None:
        self._below = below
        self._lanes: list[str | None] = []

    def lines(self, order: Sequence[TaskSpec]) -> Iterator[tuple[str, str]]:
        """Each line with what stands beside it."""
        for task in order:
            places = [n for n, key in enumerate(self._lanes) if key == task.key]
            if len(places) > 1:
                yield self._joined(places), ""
                for place in places[1:]:
                    self._lanes[place] = None
            place = places[0] if places else self._free()
            self._lanes[place] = task.key
            yield self._row(place), _text(task)
            yield from self._forked(place, self._below[task.key])
            while self._lanes and self._lanes[-1] is None:
                self._lanes.pop()

    def _free(self) -> int:
        for number, key in enumerate(self._lanes):
            if key is None:
                return number
        self._lanes.append(None)
        return len(self._lanes) - 1

    def _row(self, place: int) -> str:
        signs = ["│" if key is not None else " " for key in self._lanes]
        signs[place] = _NODE
        return " ".join(signs)

    def _joined(self, places: Sequence[int]) -> str:
        """Lines that come from the right to the first of them."""
        return self._across(places[0], places[1:], "╯", "┴")

    def _forked(self, place: int, below: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Lines that go from a task to those below it."""
        self._lanes[place] = below[0] if below else None
        added = []
        for key in below[1:]:
            right = [n for n, one in enumerate(self._lanes) if one is None and n > place]
            if right:
                self._lanes[right[0]] = key
            else:
                self._lanes.append(key)
            added.append(right[0] if right else len(self._lanes) - 1)
        if added:
            yield self._across(place, added, "╮", "┬"), ""

    def _across(self, first: int, others: Sequence[int], end: str, middle: str) -> str:
        last = max(others)
        signs = []
        for number, key in enumerate(self._lanes):
            inside = first < number < last
            if number == first:
                sign = "├"
            elif number in others:
                sign = end if number == last else middle
            elif inside:
                sign = "┼" if key is not None else "─"
            else:
                sign = "│" if key is not None else " "
            signs.append(sign + ("─" if first <= number < last else " "))
        return "".join(signs).rstrip()
