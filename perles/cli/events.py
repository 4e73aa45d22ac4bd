"""`perles events`: the journal, as it was or as it comes."""

from typing import NamedTuple

from perles.cli.output import print_json, print_line, warn
from perles.config.home import Paths
from perles.domain.errors import UsageError
from perles.domain.plain import LARGEST
from perles.domain.text import clean, cut
from perles.store.events.reads import EventFilter, last_seq, read_events
from perles.store.reads.connection import Json, reading
from perles.store.reads.references import resolve

DEFAULT_LIMIT = 1000
MAX_LINE = 200
_HIDDEN = ("v", "from", "to", "trigger", "text")


class EventOptions(NamedTuple):
    """What was asked for on the command line."""

    id: str | None = None
    type: tuple[str, ...] = ()
    since: int | None = None
    limit: int | None = None
    follow: bool = False
    json: bool = False


def run(options: EventOptions, paths: Paths) -> None:
    """Print events: the newest, those after `since`, or for ever with `follow`."""
    least = 1 if options.limit is None else options.limit
    if not (0 <= (options.since or 0) <= LARGEST and 1 <= least <= LARGEST):
        raise UsageError(
            "cannot use these bounds: --since is 0 or more, --limit 1 or more, at most 2^63 - 1"
        )
    limit = options.limit or (None if options.since is not None else DEFAULT_LIMIT)
    with reading(paths.database_path()) as connection:
        id = None if options.id is None else resolve(connection, options.id)
        found = read_events(
            connection,
            since=options.since or 0,
            wanted=EventFilter(types=options.type, workflows=() if id is None else (id,)),
            limit=limit,
            newest=options.since is None,
        )
        last = last_seq(connection)
    for event in found:
        _print(event, options.json)
    if not (found or options.json or options.follow):
        warn("no events fit" if last else "no events yet: perles run FILE")
    if options.follow:
        since = found[-1]["seq"] if found else max(options.since or 0, last)
        _follow(options, paths, id, since)


def _follow(options: EventOptions, paths: Paths, id: str | None, since: int) -> None:
    from perles.store.events.bus import CrossWorkflowEventBus

    bus = CrossWorkflowEventBus(paths.database_path())
    workflows = () if id is None else (id,)
    for event in bus.subscribe_filtered(types=options.type, workflows=workflows, since=since):
        _print(event, options.json)


def _print(event: Json, as_json: bool) -> None:
    if as_json:
        print_json(event, line=True)
    else:
        print_line(line_of(event))


def line_of(event: Json) -> str:
    """One event as one line: seq, time, workflow, who or what, type, and what it says."""
    payload = event["payload"]
    about = " ".join(str(event[field]) for field in ("agent", "task") if event[field] is not None)
    says = []
    if "from" in payload and "to" in payload:
        says.append(f"{payload['from']} → {payload['to']}")
    says += [
        f"{key}={value}"
        for key, value in payload.items()
        if key not in _HIDDEN and value is not None and (key, value) != ("kind", "text")
    ]
    if "text" in payload:
        says.append(str(payload["text"]))
    where = event["workflow_id"] or "-"
    moment = event["at"][11:19]
    line = f"{event['seq']:>6}  {moment}  {where}  {event['type']:<22} {about:<14} {' '.join(says)}"
    return cut(clean(line), MAX_LINE).rstrip()
