"""Agents that follow the templates which come with Perles: small programs over our tools.

The coordinator goes by the rules that it is given; workers make the files that they are told to
make; each task that is reviewed is denied once.
"""

from typing import Any

from tests.integration.cli import Home
from tests.integration.review_agents import git
from tests.integration.scripted_cli import with_tools

AGENTS = '''
import re, subprocess

TEXT = "\\n".join(re.sub("^(?:> ?)+", "", line) for line in prompt.splitlines())

def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout.strip()

def said(name):
    with open(f"{KEPT}/{os.environ['PERLES_AGENT']}-{name}", "a") as kept:
        kept.write(TEXT + "\\n")

def attempt(tool, **arguments):
    try:
        return tools.call(tool, **arguments)
    except CallFailed as error:
        print(error, flush=True)
        return None

def spawned(role):
    return attempt("spawn_worker", **({"agent_type": role} if role else {}))

def state_of(provider):
    workers = tools.call("query_worker_state")["workers"]
    return [one["worker_id"] for one in workers if one["provider"] == provider]

def settle(task, free):
    """One call that brings a task on; whether there was one."""
    key, worker = task["key"], task["assignee"]
    about = {"task_id": key, "implementer_id": worker}
    if task["status"] == "denied":
        return attempt("assign_review_feedback", feedback="do as it says", **about)
    if task["status"] == "approved":
        return attempt("mark_task_complete", task_id=key) or attempt(
            "approve_commit", commit_message=f"{key}: done\\n\\nTask: {key}", **about
        )
    if task["status"] == "committing" and task["reported"]:
        return attempt("mark_task_complete", task_id=key)
    if task["status"] != "in_progress" or not task["reported"]:
        return None
    if task["review"] is None:
        return attempt("mark_task_complete", task_id=key)
    others = [name for name in free if name != worker and name not in state_of("builtin")]
    if not others:
        added = spawned("reviewer")
        others = [added["worker_id"]] if added else []
    if not others:
        return None
    review = {"reviewer_id": others[0], "summary": "is it right?", "review_type": task["review"]}
    return attempt("assign_task_review", **review, **about)

def give_out(task, state):
    if task["worker"] == "builtin":
        return give_command(task, state)
    names = [worker["worker_id"] for worker in state["workers"]]
    wanted = task["assignee"]
    if wanted and wanted not in names:
        added = spawned(task["role"])
        return added
    free = state["ready_workers"]
    if wanted and wanted in free:
        free = [wanted]
    if not free:
        return spawned(task["role"])
    return attempt("assign_task", task_id=task["key"], worker_id=free[0])

def give_command(task, state):
    kinds = {one["worker_id"]: one["provider"] for one in state["workers"]}
    free = [name for name in state["ready_workers"] if kinds[name] == "builtin"]
    if not free:
        return attempt("spawn_worker", provider="builtin")
    return attempt("assign_task", task_id=task["key"], worker_id=free[0])

def plan():
    for number, (key, after) in enumerate(PLAN):
        tools.call(
            "create_task", key=key, title=f"Do {key}", body=f"Write {key}.", after=after,
            review="simple",
        )

def lead():
    said("lead")
    if not tools.call("list_tasks")["tasks"]:
        plan()
    for _ in range(200):
        tasks = tools.call("list_tasks")["tasks"]
        state = tools.call("query_worker_state")
        if all(task["status"] == "done" for task in tasks):
            tools.call("signal_workflow_complete", status="success", summary="all is done")
            return
        if any(settle(task, state["ready_workers"]) for task in tasks):
            continue
        at_work = [t for t in tasks if t["status"] in ("in_progress", "in_review", "committing")]
        ready = [t for t in tasks if t["status"] == "ready" and t["assignee"] != "human"]
        if ONE_AT_A_TIME and at_work:
            return
        if not any(give_out(task, state) for task in ready):
            return

def key_of():
    for form in (r"Your task: (\\S+)", r"Review task (\\S+),", r"Task (\\S+) was"):
        found = re.search(form, TEXT)
        if found:
            return found.group(1)

def review(key):
    said(f"review-{key}")
    first = "(review 1)" in TEXT
    tools.call(
        "report_review_verdict",
        verdict="DENIED" if first else "APPROVED",
        comments="say more" if first else "it is right",
    )

def commit():
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", re.search(r"^(\\S+: done)", TEXT, re.M).group(1))
    tools.call(
        "report_implementation_complete", summary="committed", exit_code=0,
        commits=[run("git", "rev-parse", "HEAD")],
    )

def work(key):
    said(f"task-{key}")
    made = TEXT.partition("must make; your report is refused until they are there:")[2]
    paths = re.findall(r"^- (\\S+)$", made.partition("\\n\\n")[0], re.M)
    for path in paths or [f"done-{key}"] * MAKES:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "a") as file:
            file.write(f"{key}\\n")
    tools.call("report_implementation_complete", summary=SAYS.get(key, f"{key} it is"), exit_code=0)

if os.environ["PERLES_AGENT"].startswith("coordinator"):
    lead()
elif "Review task" in TEXT:
    review(key_of())
elif "Commit your work now" in TEXT:
    commit()
elif key_of():
    work(key_of())
'''


def crew(
    home: Home,
    *,
    one_at_a_time: bool = False,
    makes: bool = False,
    says: dict[str, str] | None = None,
    plan: tuple[tuple[str, list[str]], ...] = (),
) -> None:
    """A provider `mycli` that is such agents, and leads and works where nobody else is named.

    What each is told is kept in `home.root.parent / "told"`. `plan` is what the coordinator makes
    of a goal; `makes` has tasks without files write one.
    """
    told = home.root.parent / "told"
    told.mkdir()
    top = f"KEPT, ONE_AT_A_TIME, MAKES = {str(told)!r}, {one_at_a_time}, {makes}\n"
    top += f"SAYS, PLAN = {says or {}!r}, {plan!r}\n"
    clients: dict[str, Any] = {"coordinator_client": "mycli", "worker_client": "mycli"}
    with_tools(home, top + AGENTS, **clients)


def told(home: Home, agent: str, what: str) -> str:
    """What an agent was told."""
    return (home.root.parent / "told" / f"{agent}-{what}").read_text()


def repository(home: Home) -> None:
    """The work dir becomes a repository with a commit."""
    git(home.work, "init", "-q", "-b", "main")
    git(home.work, "config", "user.email", "a@example.org")
    git(home.work, "config", "user.name", "A")
    git(home.work, "commit", "-q", "--allow-empty", "-m", "first")
