"""One file a command kind; here they are found by name.

Actions take effect outside the database too and are safe to repeat; tools change
rows only, in the one transaction that also records their command.
"""

from typing import Final

from perles.engine.commands.actions import (
    agents,
    answer,
    archive,
    lifecycle,
    question,
    reload,
    send,
    set,
    stay,
)
from perles.engine.commands.base import Action, Tool
from perles.engine.commands.tools import (
    ask_user,
    assign_task,
    create_task,
    fabric_ack,
    fabric_attach,
    fabric_reply,
    fabric_send,
    fabric_subscribe,
    mark_task,
    notify_user,
    reopen_task,
    report,
    send_to_worker,
    signal_complete,
    signal_ready,
    spawn_worker,
    team,
    update_task,
)

ACTIONS: Final[dict[str, Action]] = {
    "start": lifecycle.start,
    "pause": lifecycle.pause,
    "resume": lifecycle.resume,
    "stop": lifecycle.stop,
    "complete": lifecycle.complete,
    "fail": lifecycle.fail,
    "archive": archive.archive,
    "approve": answer.approve,
    "deny": answer.deny,
    "answer": question.answer,
    "set": set.set_,
    "reload": reload.reload,
    "stay": stay.stay,
    "send": send.send,
    "agent.spawn": agents.spawn,
    "agent.stop": agents.stop,
    "agent.resume": agents.resume,
    "agent.retire": agents.retire,
    "agent.replace": agents.replace,
}
TOOLS: Final[dict[str, Tool]] = {
    "spawn_worker": spawn_worker.handle,
    "replace_worker": team.replace,
    "retire_worker": team.retire,
    "stop_worker": team.stop,
    "send_to_worker": send_to_worker.handle,
    "assign_task": assign_task.handle,
    "create_task": create_task.handle,
    "update_task": update_task.handle,
    "mark_task_complete": mark_task.complete,
    "mark_task_failed": mark_task.fail,
    "reopen_task": reopen_task.handle,
    "notify_user": notify_user.handle,
    "ask_user": ask_user.handle,
    "signal_workflow_complete": signal_complete.handle,
    "signal_ready": signal_ready.handle,
    "report_implementation_complete": report.handle,
    "fabric_send": fabric_send.handle,
    "fabric_reply": fabric_reply.handle,
    "fabric_ack": fabric_ack.handle,
    "fabric_subscribe": fabric_subscribe.subscribe,
    "fabric_unsubscribe": fabric_subscribe.unsubscribe,
    "fabric_attach": fabric_attach.handle,
}
