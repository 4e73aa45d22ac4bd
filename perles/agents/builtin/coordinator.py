"""The builtin coordinator: walks the task graph through the tools, one pass a turn.

Everything it knows it reads anew at each turn, so a turn that was cut off does no harm.
"""

import sys

from perles.agents.builtin import reviewing, worker_affinity
from perles.agents.builtin.client import CallFailed, Client
from perles.agents.builtin.lean_stdlib import signal
from perles.agents.builtin.refusals import NEVER

TYPE_CHECKING = False  # `typing` costs more than all else here; type checkers know the name
if TYPE_CHECKING:
    from perles.agents.builtin.client import Json

MAX_ROUNDS = 1000
OPEN = ("pending", "ready", "in_progress", "waiting_for_user", *reviewing.IN_REVIEW)


def run() -> int:
    """One turn; the exit status."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stdin.buffer.read()  # what woke us does not matter: the state tells what to do
    try:
        return _Pass(Client.from_environment()).run()
    except CallFailed as error:
        print(error, file=sys.stderr)
        return 1


class _Pass:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._failed: list[str] = []
        self._done = 0

    def run(self) -> int:
        """Settle, assign, again while that changes something; end the workflow when all is done."""
        for _ in range(MAX_ROUNDS):
            listed = self._client.call("list_tasks")
            tasks = listed["tasks"]
            workers = self._client.call("query_worker_state")
            if self._settle(tasks, workers):
                continue
            if not any(task["status"] in OPEN for task in tasks):
                return self._finish(tasks)
            if not self._assign(tasks, workers, listed["workflow"]["max_workers"]):
                break
        return 1 if self._failed and not self._done else 0

    def _settle(self, tasks: "list[Json]", workers: "Json") -> bool:
        """Close the attempts that ended; whether there was one."""
        gone = {
            worker["worker_id"]: worker.get("error")
            for worker in workers["workers"]
            if worker["status"] in worker_affinity.GONE
        }
        before = self._done
        for task in tasks:
            if task["service"]:
                continue  # the engine begins and ends it
            if task["status"] in reviewing.IN_REVIEW and task["assignee"] in gone:
                reason = f"{task['assignee']} ended: {gone[task['assignee']] or 'no report'}"
                self._try("mark_task_failed", task_id=task["key"], reason=reason)
            elif task["status"] in reviewing.IN_REVIEW:
                self._bring_on(task)
            elif reviewing.needs_reviewer(task):
                continue
            elif task["reported"] and task["exit_code"] in (0, None):
                self._try("mark_task_complete", task_id=task["key"])
            elif task["reported"]:
                self._try("mark_task_failed", task_id=task["key"], reason=_why(task))
            elif task["status"] == "in_progress" and task["assignee"] in gone:
                why = gone[task["assignee"]] or "no report"
                reason = f"{task['assignee']} ended: {why}"
                self._try("mark_task_failed", task_id=task["key"], reason=reason)
        return self._done > before

    def _bring_on(self, task: "Json") -> None:
        """The next step of a review."""
        if task["status"] == "approved":
            if self._try("mark_task_complete", task_id=task["key"]) is None:
                about = {"task_id": task["key"], "commit_message": task["name"]}
                self._try("approve_commit", implementer_id=task["assignee"], **about)
            return
        found = reviewing.step(task)
        if found is not None:
            self._try(found[0], **found[1])

    def _review(self, task: "Json", free: "list[tuple[str, str]]", room: int) -> bool:
        """Give the review of a task to a worker that did not do it; whether one was added."""
        others = [one for one in free if one[1] != "builtin" and one[0] != task["assignee"]]
        chosen = others[0] if others else None
        spawned = False
        if chosen is None and (room > 0 or any(kind != task["worker"] for _, kind in free)):
            chosen, _ = self._spawn(task["worker"], list(free), room)
            spawned = chosen is not None
        if chosen is not None:
            if chosen in free:
                free.remove(chosen)
            tool, arguments = reviewing.assignment(task, chosen[0])
            self._try(tool, **arguments)
        return spawned

    def _assign(self, tasks: "list[Json]", workers: "Json", limit: int) -> bool:
        """Give ready tasks to free workers, and to new ones as far as the limits allow.

        Whether a task failed, because no worker can ever do it.
        """
        kinds = {w["worker_id"]: w["provider"] for w in workers["workers"]}
        free = [(name, kinds[name]) for name in workers["ready_workers"]]
        room = limit - sum(
            worker["status"] not in ("failed", "retired") and worker["agent_type"] != "service"
            for worker in workers["workers"]
        )
        for task in tasks:
            if reviewing.needs_reviewer(task):
                room -= self._review(task, free, room)
        ready = [
            task
            for task in tasks
            if task["status"] == "ready" and task["assignee"] != "human" and not task["service"]
        ]
        held = sum(reviewing.holds_worker(task) for task in tasks)
        taken: set[str] = set()  # names that an earlier task waits for
        for task in ready:
            if not taken.isdisjoint(task["limits"]):
                continue
            meant = worker_affinity.meant_for(task, workers["workers"])
            if meant.is_busy or (task["review"] is not None and held >= limit - 1):
                continue  # somebody must be left who can review
            held += task["review"] is not None
            chosen = worker_affinity.chosen(task, meant, free, room)
            if chosen is None and (room > 0 or any(kind != task["worker"] for _, kind in free)):
                chosen, why = self._spawn(task["worker"], free, room)
                if why:
                    self._try("mark_task_failed", task_id=task["key"], reason=why)
                    return True
                room = room - 1 if chosen is not None else 0
            if chosen is None:
                continue
            found = self._try("assign_task", task_id=task["key"], worker_id=chosen[0])
            if found is not None and found["status"] == "waiting":
                taken.update(task["limits"])
                if chosen not in free:
                    free.append(chosen)
            elif chosen in free:
                free.remove(chosen)
        return False

    def _spawn(
        self, kind: str, free: "list[tuple[str, str]]", room: int
    ) -> "tuple[tuple[str, str] | None, str]":
        """One more worker, or why there never will be one.

        With no room left the engine retires an idle one of another kind.
        """
        if room <= 0:
            idle = next(one for one in free if one[1] != kind)
            free.remove(idle)
        try:
            return (self._client.call("spawn_worker", provider=kind)["worker_id"], kind), ""
        except CallFailed as error:
            print(error, flush=True)  # a slot that gets free wakes us again
            said = str(error).removeprefix("spawn_worker: ")
            return None, said if said.startswith(NEVER) else ""

    def _finish(self, tasks: "list[Json]") -> int:
        failed = [task["key"] for task in tasks if _has_failed(task)]
        if failed:
            summary = f"{len(failed)} of {len(tasks)} tasks failed: {', '.join(failed)}"
            self._client.call("signal_workflow_complete", status="partial", summary=summary)
        else:
            summary = "1 task done" if len(tasks) == 1 else f"{len(tasks)} tasks done"
            self._client.call("signal_workflow_complete", status="success", summary=summary)
        print(summary)
        return 0

    def _try(self, tool: str, **arguments: object) -> "Json | None":
        """Call a tool; a refusal is printed, and the others go on."""
        try:
            result = self._client.call(tool, **arguments)
        except CallFailed as error:
            self._failed.append(tool)
            print(error, file=sys.stderr)
            return None
        self._done += 1
        print(tool, *arguments.values(), flush=True)
        return result


def _has_failed(task: "Json") -> bool:
    return task["status"] == "failed" and not task["tolerated"]


def _why(task: "Json") -> str:
    """How a task failed: our own workers say it in a few words, others at length."""
    if task["worker"] == "builtin" and task["summary"]:
        return str(task["summary"])
    return f"exit {task['exit_code']}"
