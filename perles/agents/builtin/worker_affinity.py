"""Who is meant for a task: a plan can name worker-2, so that one worker does what belongs together.

Workers are numbered in the order in which they are spawned.
"""

TYPE_CHECKING = False  # `typing` costs more than all else here; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Sequence

    from perles.agents.builtin.client import Json

GONE = ("failed", "stopped", "retired")


class Meant:
    """The worker that a plan names for a task; `name` is None where it names none, or it is gone.

    `is_new` where it is yet to be spawned.
    """

    def __init__(self, name: "str | None" = None, *, is_busy: bool = False, is_new: bool = False):
        self.name = name
        self.is_busy = is_busy
        self.is_new = is_new


def meant_for(task: "Json", workers: "Sequence[Json]") -> Meant:
    """Who is meant. At a second attempt anybody is."""
    name = task["assignee"]
    if not name or not name.startswith("worker-") or task["attempt"]:
        return Meant()
    for worker in workers:
        if worker["worker_id"] == name:
            if worker["status"] in GONE or worker["provider"] != task["worker"]:
                return Meant()
            return Meant(name, is_busy=worker["phase"] != "idle")
    return Meant(name, is_new=True)


def chosen(
    task: "Json", meant: Meant, free: "Sequence[tuple[str, str]]", room: int
) -> "tuple[str, str] | None":
    """A free worker for the task; None where a new one is better, or nobody is free."""
    fitting = [one for one in free if one[1] == task["worker"]]
    if meant.is_new and room > 0:
        return None
    named = [one for one in fitting if one[0] == meant.name]
    return next(iter(named or fitting), None)
