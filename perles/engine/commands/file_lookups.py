"""What a tool call needs to know of files: looked up before its transaction, which waits for none.

What an agent can reach may be slow, gone or a trap: it is opened here, in a thread of its own.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.agents.clis.json_lines import REPORT
from perles.domain.errors import PerlesError
from perles.engine.commands import evidence
from perles.engine.context import Context
from perles.engine.turns import command_results
from perles.fabric import artifacts
from perles.mcp.host import Caller
from perles.store.schema.workflows import Workflow
from perles.tasks import products
from perles.tasks.checking import Checked
from perles.tasks.reports import Printed, printed_by
from perles.workspace.artifacts import Collected
from perles.workspace.commits import Look

ATTACH: Final = "fabric_attach"


class FileLookups(NamedTuple):
    """`printed` is what the agent's turn printed, for a report; `file` the one to attach; `look`
    what git shows of the task that the call is about, None where its folder is in no repository;
    `check` how the check of the task ended; `missing` the files that the task must make and that
    are not there; `left` the files that its command left, to be kept.
    """

    printed: Printed | None = None
    file: artifacts.File | None = None
    look: Look | None = None
    check: Checked | None = None
    missing: Sequence[str] = ()
    left: Collected | None = None


NOTHING: Final = FileLookups()


class Seen(NamedTuple):
    """What git was asked before a call had its turn, and what it showed."""

    asked: evidence.Asked | None
    look: Look | None


async def seen_by_git(
    context: Context, caller: Caller, kind: str, args: dict[str, Any]
) -> Seen | None:
    """What git shows of the call's task, asked outside the workflow's lane: it may take seconds,
    in which a pause or a stop need not wait. None where that cannot be told yet."""
    try:
        wanted = evidence.asked(context.reader, caller, kind, args)
    except PerlesError:
        return None  # told when the call has its turn
    return Seen(wanted, await evidence.gathered(wanted))


async def look(
    context: Context, caller: Caller, kind: str, args: dict[str, Any], seen: Seen | None = None
) -> FileLookups:
    """What there is for this call. Raises `ToolError` where it cannot be done because of it.

    Git is asked again where the task has changed since it was `seen`.
    """
    if kind in evidence.ABOUT_WORK:
        printed = None
        if kind == REPORT and args.get("exit_code") is not None:
            printed = printed_by(context.reader, context.paths, caller.agent_id)
        wanted = evidence.asked(context.reader, caller, kind, args)
        is_current = seen is not None and seen.asked == wanted
        found = seen.look if seen and is_current else await evidence.gathered(wanted)
        missing = await _missing(context, caller, kind, args)
        left = None
        if kind == REPORT and args.get("exit_code") == 0:
            left = await command_results.gather(context.reader, context.paths, caller.agent_id)
        return FileLookups(printed=printed, look=found, missing=missing, left=left)
    if kind == ATTACH:
        folders = _folders(context, context.reader.need(Workflow, caller.workflow_id))
        path = args["path"]
        if context.remote is not None:
            path = await context.remote.here(caller, path)
        return FileLookups(file=await asyncio.to_thread(artifacts.look, path, folders))
    return NOTHING


async def _missing(
    context: Context, caller: Caller, kind: str, args: dict[str, Any]
) -> Sequence[str]:
    """The files that the task must make and has not; none where it is not said to be done."""
    if kind not in (REPORT, evidence.COMPLETE) or args.get("exit_code") not in (None, 0):
        return ()
    task = evidence.task_of(context.reader, caller, args)
    wanted = {} if task is None else products.wanted(task)
    if not wanted:
        return ()
    folder = context.reader.need(Workflow, caller.workflow_id).work_dir
    return await asyncio.to_thread(products.missing, folder, wanted)


def _folders(context: Context, workflow: Workflow) -> list[Path]:
    """Where a workflow's files may lie, as it knows the folders and as they really are."""
    given = [Path(workflow.work_dir)]
    if workflow.session_dir is not None:
        given.append(context.paths.found(workflow.session_dir))
    return list(dict.fromkeys([*given, *(folder.resolve() for folder in given)]))
