"""`perles events`: the journal, as it was or as it comes."""

import json
from typing import NamedTuple

from perles.cli.output import print_json, print_line, warn
from perles.config.home import Paths
from perles.controlplane.quick import Json, Reads
from perles.domain.errors import UsageError
from perles.domain.plain import LARGEST
from perles.domain.text import clean, cut

DEFAULT_LIMIT = 1000
MAX_LINE = 200
_HIDDEN = ("v", "from", "to", "trigger", "text")


class EventOptions(NamedTuple):
    """What was asked for on the command line."""

    id: str | None = None
    type: tuple[str, ...] = ()
    since: str | None = None
    limit: int | None = None
    follow: bool = False
    json: bool = False


def run(options: EventOptions, paths: Paths) -> None:
    """Print events: the newest, those after `since`, or for ever with `follow`."""
    least = 1 if options.limit is None else options.limit
    reads = Reads(paths)
    since = None if options.since is None else _seq(options.since, reads)
    if not (0 <= (since or 0) <= LARGEST and 1 <= least <= LARGEST):
        raise UsageError(
            "cannot use these bounds: --since is 0 or more, --limit 1 or more, at most 2^63 - 1"
        )
    _check_types(options.type)
    limit = options.limit or (None if since is not None else DEFAULT_LIMIT)
    page = reads.read_events(
        options.id,
        types=options.type,
        since=since or 0,
        limit=limit,
        newest=since is None,
    )
    for event in page.events:
        _print(event, options.json)
    if not (page.events or options.json or options.follow):
        warn("no events fit" if page.last else "no events yet: perles run FILE")
    if options.follow:
        since = page.events[-1]["seq"] if page.events else max(since or 0, page.last)
        workflows = () if page.workflow_id is None else (page.workflow_id,)
        following = reads.events.subscribe_filtered(
            types=options.type, workflows=workflows, since=since
        )
        for event in following:
            _print(event, options.json)


def _check_types(given: tuple[str, ...]) -> None:
    """Raise `UsageError` for a type that no event has: following it would wait for ever."""
    if given:
        from perles.domain.events import misses

        globs = [one.strip() for text in given for one in text.split(",")]
        for glob in filter(None, globs) if any(globs) else globs:
            if why := misses(glob):
                raise UsageError(f"cannot filter by type: {why}")


def _seq(given: str, reads: Reads) -> int:
    """The seq after which events are wanted: the number, or the last before that time."""
    if given.isascii() and given.isdigit():
        return int(given[:30])
    from datetime import UTC, datetime

    from perles.domain.clock import to_text
    from perles.domain.moments import parse_moment

    return reads.seq_before(to_text(parse_moment(given, datetime.now(UTC))))


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
        f"{key}={_plain(value)}"
        for key, value in payload.items()
        if key not in _HIDDEN and value not in (None, [], {}) and (key, value) != ("kind", "text")
    ]
    if "text" in payload:
        says.append(str(payload["text"]))
    where = event["workflow_id"] or "-"
    moment = event["at"][11:19]
    line = f"{event['seq']:>6}  {moment}  {where}  {event['type']:<22} {about:<14} {' '.join(says)}"
    return cut(clean(line), MAX_LINE).rstrip()


def _plain(value: object) -> str:
    """A value as people write it: words with commas, and what has names as JSON."""
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return ",".join(value)
    return (
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, list | dict | bool)
        else str(value)
    )
