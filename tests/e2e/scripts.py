"""What the scripted model answers: a coordinator with a goal, and workers that report."""

import json
import re

from tests.e2e.model import Asked, Reply

SUMMARY = "the work is done, says the model"


def coordinator(asked: Asked) -> Reply:
    """One task, one worker, one report, the end."""
    steps = {
        "create_task": Reply(call="spawn_worker"),
        "assign_task": Reply(say="assigned"),
        "mark_task_complete": Reply(
            call="signal_workflow_complete", arguments={"status": "success", "summary": SUMMARY}
        ),
        "signal_workflow_complete": Reply(say="that was all"),
    }
    for tool, reply in steps.items():
        if asked.after.endswith(tool):
            return reply
    if asked.after.endswith("spawn_worker"):
        found = re.search(r"worker-\d+", asked.last)
        arguments = {"worker_id": found.group(0) if found else "", "task_id": "one"}
        return Reply(call="assign_task", arguments=arguments)
    if "reports on task" in asked.last:
        return Reply(call="mark_task_complete", arguments={"task_id": "one"})
    if "goal" in asked.last:
        task = {"key": "one", "title": "One", "body": "Do the one thing."}
        return Reply(call="create_task", arguments=task)
    return Reply(say="nothing to do")


def worker(asked: Asked) -> Reply:
    """Ready at once, and done."""
    if asked.after.endswith("report_implementation_complete"):
        return Reply(say="reported")
    if asked.after.endswith("signal_ready"):
        return report()
    if "Your task" in asked.last:
        return Reply(call="signal_ready")
    return Reply(say="nothing to do")


def report(summary: str = SUMMARY) -> Reply:
    """A worker's report."""
    arguments = {"summary": summary, "exit_code": 0}
    return Reply(call="report_implementation_complete", arguments=arguments)


def everybody(asked: Asked) -> Reply:
    """Whoever asks, by the tools that are offered."""
    if asked.has("assign_task"):
        return coordinator(asked)
    if asked.has("report_implementation_complete"):
        return worker(asked)
    return Reply(say=json.dumps({"title": "untitled"}), tokens_in=0, tokens_out=0)
