"""`perles list`: the workflows, newest first."""

import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from perles.cli.output import print_json, print_table, warn
from perles.config.home import Paths
from perles.controlplane.quick import Json, Reads
from perles.domain.duration import span
from perles.domain.errors import UsageError
from perles.domain.explanations import why
from perles.domain.states import PRIORITIES, WORKFLOW
from perles.domain.text import clean
from perles.domain.workflow_filter import DEFAULT_LIMIT, SORTS, WorkflowFilter

HEADERS = ("ID", "NAME", "STATE", "TASKS", "WORKERS", "UPTIME", "TOKENS", "TEMPLATE", "NOTE")

_ALL = WorkflowFilter()
SPARE = ("TEMPLATE", "TOKENS", "WORKERS", "UPTIME")


class ListOptions(NamedTuple):
    """What was asked for on the command line."""

    state: str | None = None
    label: tuple[str, ...] = ()
    template: str | None = None
    priority: str | None = None
    name: str | None = None
    filter: str | None = None
    sort: str | None = None
    since: str | None = None
    until: str | None = None
    columns: str | None = None
    no_header: bool = False
    quiet: bool = False
    limit: int | None = None
    all: bool = False
    json: bool = False
    watch: bool = False
    plain: bool = False


def run(options: ListOptions, paths: Paths) -> None:
    """Print the list, once or, with `watch`, again at every second."""
    wanted = _filter(options)
    if options.columns is not None:
        _names(options.columns)
    if options.watch and options.plain and not options.json:
        from perles.cli.list_changes import tell

        def read() -> list[Json]:
            return Reads(paths).registry.list(wanted).rows

        tell(read, why)
    elif options.watch:
        _watch(wanted, options, paths)
    else:
        _print(wanted, options, paths)


def _print(wanted: WorkflowFilter, options: ListOptions, paths: Paths) -> None:
    found = Reads(paths).registry.list(wanted)
    if options.quiet:
        for row in found.rows:
            print(row["id"])
        return
    if options.json:
        print_json(found.rows)
    elif found.rows:
        _table(found.rows, options)
    else:
        warn(_none(wanted, paths))
    warn_unattended(found.rows)
    if found.more:
        warn(f"… and {found.more} more: perles list --all")


def _none(wanted: WorkflowFilter, paths: Paths) -> str:
    """Why nothing is listed."""
    if _narrows(wanted):
        return "no workflows fit"
    if (
        not wanted.everything
        and Reads(paths).registry.list(_ALL._replace(everything=True, limit=1)).rows
    ):
        return "all workflows are archived: perles list --all"
    return "no workflows yet: perles run FILE"


def _table(found: list[Json], options: ListOptions) -> None:
    headers: tuple[str, ...] = HEADERS
    spare: tuple[str, ...] = SPARE
    if options.columns is None:
        rows = [_row(row) for row in found]
    else:
        from perles.cli.list_columns import cells

        names = _names(options.columns)
        headers, spare = tuple(name.upper() for name in names), ()
        rows = [cells(row, names, _note) for row in found]
    state = headers.index("STATE") if "STATE" in headers else -1
    print_table(
        headers, rows, state=state, spare=spare, plain=options.plain, head=not options.no_header
    )


def _names(columns: str) -> tuple[str, ...]:
    from perles.cli.list_columns import NAMES

    return tuple(dict.fromkeys(words_of("column", columns.lower(), NAMES)))


def warn_unattended(rows: list[Json]) -> None:
    """Say on standard error that work waits for an engine, and what to do about it."""
    waiting = [row["unattended"] for row in rows if row["unattended"]]
    if waiting:
        from perles.domain.explanations import advice

        what = "1 workflow waits" if len(waiting) == 1 else f"{len(waiting)} workflows wait"
        warn(f"perles: {waiting[0]}, and {what} for it; {advice(waiting[0])}")


def _narrows(wanted: WorkflowFilter) -> bool:
    return wanted._replace(limit=DEFAULT_LIMIT, everything=False, sort="created") != _ALL


def _watch(wanted: WorkflowFilter, options: ListOptions, paths: Paths) -> None:
    terminal = sys.stdout.isatty() and not options.plain
    while True:
        if terminal:
            print("\x1b[H\x1b[2J", end="")
        _print(wanted, options, paths)
        sys.stdout.flush()
        time.sleep(1)


def _row(row: Json) -> list[str]:
    tasks = row["tasks"]
    done = f"{tasks['done']}/{tasks['total']}"
    if tasks["failed"]:
        done += f" {tasks['failed']} failed"
    return [
        row["id"],
        row["name"],
        row["state"],
        done,
        str(row["workers"]),
        span(row["uptime_s"]),
        str(row["tokens_used"]),
        row["template_id"],
        _note(row),
    ]


def _note(row: Json) -> str:
    note = why(row) or _now(row)
    return "; ".join(text for text in (row["unattended"], note) if text)


def _now(row: Json) -> str:
    """Why a person should look, and what it does or waits for; two things at most."""
    waits = [text for text in row["waits_for"] if text != row["attention"]]
    parts = [row["attention"], *waits] if row["attention"] else waits
    more = f" (+{len(parts) - 2})" if len(parts) > 2 else ""
    return "; ".join(parts[:2]) + more


def _filter(options: ListOptions) -> WorkflowFilter:
    limit = DEFAULT_LIMIT if options.limit is None else options.limit
    if limit < 1:
        raise UsageError(f"cannot list {limit} workflows: --limit is 1 or more")
    return WorkflowFilter(
        states=words_of("state", options.state, WORKFLOW.states),
        labels=tuple(split_pair("label", text) for text in options.label),
        template=options.template,
        priority=next(iter(words_of("priority", options.priority, PRIORITIES)), None),
        name=options.name,
        limit=None if options.all and options.limit is None else limit,
        everything=options.all,
        filter=_query(options.filter),
        sort=next(iter(words_of("order", options.sort, SORTS)), SORTS[0]),
        since=_moment(options.since),
        until=_moment(options.until),
    )


def _query(given: str | None) -> str:
    if not given:
        return ""
    from perles.domain.filter_language import parse_query

    parse_query(given)  # what cannot be is told before anything is read
    return given


def _moment(given: str | None) -> str | None:
    if given is None:
        return None
    from datetime import UTC, datetime

    from perles.domain.clock import to_text
    from perles.domain.moments import parse_moment

    return to_text(parse_moment(given, datetime.now(UTC)))


def words_of(what: str, given: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Words separated by commas, each a known one."""
    if given is None:
        return ()
    words = tuple(word.strip() for word in given.split(","))
    for word in words:
        if word not in known:
            from perles.domain.nearest import nearest

            raise UsageError(
                f"cannot filter by {what} {clean(word)!r}{nearest(word, known)}; "
                f"it is one of {', '.join(known)}"
            )
    return words


def split_pair(what: str, text: str) -> tuple[str, str]:
    """`key=value` in two. Raises `UsageError`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"cannot use {what} {clean(text)!r}: write it as key=value")
    return key, value


def pairs(what: str, given: Sequence[str] | None) -> dict[str, str]:
    """`K=V` texts as a mapping. Raises `UsageError`."""
    found: dict[str, str] = {}
    for text in given or ():
        key, value = split_pair(what, text)
        if key in found:
            raise UsageError(f"cannot use {what} {key!r} twice")
        found[key] = value
    return found
