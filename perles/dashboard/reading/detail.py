"""Reading one workflow's inside: only the tab that is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from perles.controlplane.held_reads import (
    dashboard,
    details,
    foremost_tasks,
    homes,
    last_seq,
    secrets_of,
)
from perles.dashboard.model.state import Detail, Inside
from perles.dashboard.reading import channels
from perles.dashboard.reading.record import Record as Record
from perles.domain.secrecy import longest_first, masked
from perles.workspace import door

if TYPE_CHECKING:
    from perles.controlplane.held_reads import Connection, Row

LOG_BYTES: Final = 64 * 1024
"""How much of the end of an agent's output file is shown."""
LOG_TURNS: Final = 4
MAX_TEXT: Final = 2 * 1024 * 1024
"""Characters of what agents said that are held at once, however far one scrolls back."""
MOST_TASKS: Final = 1000
SIDE_TASKS: Final = 200
"""Tasks that are read for their tab, and for what stands beside the others."""
JOINED: Final = 8 * 1024
_RECORD: Final = 200
"""What a record takes besides its text."""
_WHOLE: Final = ("tasks", "timeline", "log")
_READS_ON: Final = "… older than this is not held: k reads on, g goes to the beginning"


def read_inside(
    connection: Connection, detail: Detail, row: Mapping[str, Any] | None
) -> Inside | None:
    """What the detail shows of its workflow; None where it is gone."""
    if row is None:
        return None
    workflow_id = detail.workflow_id
    agents = agents_of(connection, workflow_id)
    most = MOST_TASKS if detail.tab == "tasks" else SIDE_TASKS
    tasks = foremost_tasks(connection, workflow_id, most, detail.task)
    if detail.tab == "tasks" and detail.opened:
        whole = details(connection, workflow_id, detail.task)
        tasks = [task | whole.get(task["key"], {}) for task in tasks]
    read = _body(connection, detail, agents)
    body = joined(read) if detail.tab in (agent["name"] for agent in agents) else read
    more = detail.tab not in _WHOLE and (
        len(read) >= detail.limit or (bool(read) and read[0].kind == "more")
    )
    return Inside(
        row,
        agents,
        tasks,
        detail.tab,
        body,
        last_seq(connection),
        more,
        channels.channels(connection, workflow_id),
        max(0, row["tasks_total"] - len(tasks)),
        _below(connection, detail, agents),
    )


def agents_of(connection: Connection, workflow_id: str) -> list[dict[str, Any]]:
    """The agents of a workflow, each with since when its turn runs (`turn_since`), if one does."""
    since = dashboard.turns_in_hand(connection, workflow_id)
    found = dashboard.agents(connection, workflow_id)
    where = homes(connection, workflow_id)
    return [
        {**dict(agent), "turn_since": since.get(agent["id"]), **where.get(agent["name"], {})}
        for agent in found
    ]


def _below(connection: Connection, detail: Detail, agents: Sequence[Mapping[str, Any]]) -> int:
    """How much came since one scrolled back."""
    ids = {agent["name"]: agent["id"] for agent in agents}
    if detail.until is None or detail.slid or detail.tab not in (*ids, "events"):
        return 0
    return dashboard.fresh(connection, detail.workflow_id, ids.get(detail.tab), detail.until)


def _body(connection: Connection, detail: Detail, agents: Sequence[Mapping[str, Any]]) -> list[Any]:
    workflow_id = detail.workflow_id
    if detail.tab == "tasks":
        return []
    if detail.tab == "messages":
        return _messages(connection, workflow_id, detail.limit)
    if detail.tab == "channels":
        found = channels.posts(connection, workflow_id, detail.channel, detail.limit)
        return _within(reversed(found), "… older than this: perles posts has it")
    if detail.tab == "events":
        rows = dashboard.events(connection, workflow_id, detail.limit, detail.until)
        return _within(event(row) for row in rows)
    if detail.tab == "timeline":
        return dashboard.turns(connection, workflow_id)
    if detail.tab == "log":
        turns = dashboard.turns(connection, workflow_id, LOG_TURNS)
        secrets = longest_first(secrets_of(connection, workflow_id))
        records = [record for turn in turns for record in _log(dict(turn))]
        return [record._replace(text=masked(record.text, secrets)) for record in records]
    agent = next((one for one in agents if one["name"] == detail.tab), None)
    if agent is None:
        return []
    rows = dashboard.output(connection, workflow_id, agent["id"], detail.limit, detail.until)
    return _within(said(dict(found), str(agent["name"])) for found in rows)


def _within(newest_first: Iterable[Record], note: str = _READS_ON) -> list[Record]:
    """As many records as `MAX_TEXT` allows, in their order; the first tells of those before."""
    found: list[Record] = []
    room = MAX_TEXT
    for record in newest_first:
        if room <= 0:
            found.append(Record(0, record.at, "more", "", note))
            break
        room -= len(record.text) + _RECORD
        found.append(record)
    return found[::-1]


def joined(records: Sequence[Record]) -> list[Record]:
    """What one agent printed line after line as one text, of a bounded length."""
    found: list[Record] = []
    for record in records:
        last = found[-1] if found else None
        if (
            last is not None
            and record.kind == last.kind == "text"
            and record.who == last.who
            and len(last.text) + len(record.text) < JOINED
        ):
            found[-1] = last._replace(text=f"{last.text}\n{record.text}")
        else:
            found.append(record)
    return found


def said(row: Mapping[str, Any], agent: str) -> Record:
    """What stands in an agent's transcript for one of its events."""
    payload = json.loads(row["payload"])
    at, kind = str(row["created_at"]), str(row["type"])
    text = str(payload.get("text") or "")
    if kind.endswith(".incoming"):
        return Record(row["seq"], at, "incoming", str(payload.get("from", "")), _order(text))
    if kind == "user.notification":
        return Record(row["seq"], at, "notice", agent, text)
    if kind.startswith("turn."):
        note = str(payload.get("reason") or payload.get("error") or "")
        return Record(row["seq"], at, "turn", agent, kind.removeprefix("turn."), note)
    note = ""
    what = str(payload.get("kind") or "text")
    if what == "tool":
        note = str(payload.get("name") or "tool")
        if payload.get("done"):
            what = "result-of-tool"
        elif payload.get("input"):
            given = payload["input"]
            text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        if payload.get("told"):  # a tool of ours: in words first, and as it was
            what = "told-result" if payload.get("done") else "told-tool"
            text = f"{' '.join(str(payload['told']).split())}\n{text}"
    elif what == "usage":
        text = ", ".join(
            f"{payload[key]} {word}"
            for key, word in (("tokens_in", "in"), ("tokens_out", "out"), ("cost_usd", "USD"))
            if payload.get(key)
        )
    return Record(row["seq"], at, what, agent, text, note)


def _order(text: str) -> str:
    """A message in words: one that has a worker run a command is told as that."""
    if not text.startswith('{"task"'):
        return text
    try:
        order = json.loads(text)
        return f"run {order['task']}, attempt {order['attempt']}:\n```\n{order['run']}\n```"
    except (ValueError, KeyError, TypeError):
        return text


def _messages(connection: Connection, workflow_id: str, limit: int) -> list[Record]:
    found = [
        Record(
            row["id"],
            row["created_at"],
            "message",
            f"{row['sender']} → {row['agent']}",
            _order(row["body"]),
            row["status"],
        )
        for row in dashboard.messages(connection, workflow_id, limit)
    ]
    found += [
        Record(
            -row["id"],
            row["created_at"],
            "message",
            f"{row['author']} → #{row['slug']}",
            row["body"],
            row["kind"],
        )
        for row in dashboard.posts(connection, workflow_id, limit)
    ]
    newest_first = sorted(found, key=lambda record: record.at)[::-1]
    return _within(newest_first, "… older than this is not shown here; perles events has it")


def event(row: Row) -> Record:
    """What stands for an event in the list of them."""
    who = " ".join(str(row[key]) for key in ("agent", "task") if row[key])
    text = "" if row["text"] == "{}" else str(row["text"])
    return Record(row["seq"], str(row["created_at"]), "event", who, text, str(row["type"]))


def _log(turn: Mapping[str, Any]) -> list[Record]:
    head = Record(-turn["id"], turn["started_at"] or "", "file", turn["agent"], turn["stdout_path"])
    lines = [*_tail(turn["stdout_path"]), *(f"stderr: {x}" for x in _tail(turn["stderr_path"]))]
    return [head, *(Record(0, "", "raw", "", text) for text in lines[-500:])]


def _tail(path: str) -> list[str]:
    """The last lines of a file, however long it is; none where it is gone."""
    try:
        with door.reading(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - LOG_BYTES))
            data = file.read(LOG_BYTES)
    except OSError:
        return []
    lines = data.decode("utf-8", "replace").splitlines()
    return lines[1:] if size > LOG_BYTES and len(lines) > 1 else lines
