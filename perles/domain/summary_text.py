"""A workflow's summary as Markdown: what stands in its session folder, and on a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from perles.domain.duration import format_duration
from perles.domain.money import in_words
from perles.domain.provider_choice import label
from perles.domain.text import clean

_LISTS: Final = {
    "commits": "Commits",
    "verification_points": "Verified",
    "issues_discovered": "Found beside it",
    "issues_closed": "Closed",
}
_RETRO: Final = {
    "went_well": "Went well",
    "friction": "Was hard",
    "patterns": "Came again",
    "takeaways": "To take along",
}
MAX_COMMITS: Final = 200


def summary_text(found: Mapping[str, Any]) -> str:
    """The summary, as `perles.store.reads.summary` has it, in Markdown, cleaned."""
    lines = [f"# {_line(found['name'])}", ""]
    lines += _facts(found)
    lines += ["", "## Agents", ""]
    for agent in found["agents"]:
        lines += _agent(agent)
    if found["tasks"]:
        lines += ["", "## Tasks", ""]
    for task in found["tasks"]:
        lines += _task(task)
    if found["commits"]:
        lines += ["", "## Commits", ""]
        lines += [_commit(commit) for commit in found["commits"][:MAX_COMMITS]]
    if found["questions"]:
        lines += ["", "## Asked of the user", ""]
    for one in found["questions"]:
        answer = _line(one["answer"]) if one["answer"] else f"({one['status']})"
        lines.append(f"- {one['asked_by']}: {_line(one['text'])} — {answer}")
    if found["accounts"]:
        lines += ["", "## In the agents' own words", ""]
    for account in found["accounts"]:
        lines += account_text(account)
    return "\n".join(lines).rstrip() + "\n"


FILES: Final = """\
## The files here

- `summary.md`: the facts, by agent and task, then what the agents told themselves
- `workflow.json`: the workflow, its tasks with their texts, its agents, how its state changed
- `messages.jsonl`: what agents were told, by whom; `posts.jsonl`: what they posted in channels
- `AGENT/turn-NNN.prompt.md`: what an agent was given in a turn; `.stdout.jsonl` is what its
  program printed, `.stderr.log` its errors, `.status` its exit status
- `AGENT/accountability_summary.md`: what it did, in its own words
"""


def readme_text(found: Mapping[str, Any]) -> str:
    """What a run was, in Markdown, for one who knows nothing of it."""
    lines = [f"# {_line(found['name'])}", "", *_facts(found), "", "## Who took part", ""]
    for agent in found["agents"]:
        lines += _agent(agent)
    if found["tasks"]:
        lines += ["", "## What became of the tasks", ""]
    for task in found["tasks"]:
        lines += _task(task)
    return "\n".join(lines) + f"\n\n{FILES}"


def _facts(found: Mapping[str, Any]) -> Iterator[str]:
    reason = f": {_line(found['reason'])}" if found["reason"] else ""
    yield f"{found['id']} {found['state']}{reason}"
    if found["goal"]:
        yield ""
        yield from (f"> {line}" for line in clean(found["goal"], lines=True).splitlines())
        yield ""
    states = dict(found["task_counts"])
    total = _count(states.pop("total"), "task")
    yield f"- {total}" + "".join(f", {n} {status}" for status, n in states.items())
    took = found["duration_s"]
    if took is not None:
        begun = found["started_at"][:19].replace("T", " ")
        yield f"- started {begun} UTC, took {format_duration(round(took))}"
    cost = in_words(found["cost_usd"], found["tokens_used"], found["agents"])
    yield f"- {_count(found['turns'], 'turn')}, {found['tokens_used']} tokens, {cost}"
    yield f"- {_reviews(found['review_rounds'], found['denied'])}"
    if found["commits"] or found["commits_known"]:
        yield f"- {_commits(found)}"
    yield f"- {_folder(found)}"


def _commits(found: Mapping[str, Any]) -> str:
    told = [task["branch"] for task in found["tasks"] if task["commits"]]
    branches = list(filter(None, dict.fromkeys([found["branch"], *told])))
    on = f" on {_line(', '.join(branches))}" if branches else ""
    return f"{_count(len(found['commits']), 'commit')}{on}, {_count(len(found['files']), 'file')}"


def _folder(found: Mapping[str, Any]) -> str:
    folder, branch = _line(found["work_dir"]), found["branch"]
    if branch is None:
        return f"folder: {folder}" + ("" if found["work_dir_exists"] else " (gone)")
    where = f"branch {_line(branch)} of {_line(found['repository'])}"
    return f"{where}; " + (
        f"its worktree: {folder}" if found["work_dir_exists"] else "its worktree was removed"
    )


def _reviews(reviews: int, denied: int) -> str:
    return _count(reviews, "review") + (f", {denied} of them denied" if denied else "")


def _agent(agent: Mapping[str, Any]) -> Iterator[str]:
    who = label(agent["provider"], agent["model"])
    kind = agent["agent_type"] or agent["role"]
    failed = f" ({agent['failed_turns']} failed)" if agent["failed_turns"] else ""
    left = f", {agent['status']}" if agent["status"] in ("failed", "retired") else ""
    tokens = agent["tokens_in"] + agent["tokens_out"]
    yield (
        f"- **{agent['name']}** ({kind}, {_line(who)}{left}): {_count(agent['turns'], 'turn')}"
        f"{failed}, {format_duration(round(agent['busy_s']))}, {tokens} tokens, "
        f"{in_words(agent['cost_usd'], tokens)}"
    )
    done = [f"tasks: {', '.join(agent['tasks'])}"] if agent["tasks"] else []
    done += [_count(agent["reviews"], "review")] if agent["reviews"] else []
    done += [_count(len(agent["commits"]), "commit")] if agent["commits"] else []
    done += [f"{key}: exit {code}" for key, code in agent["exit_codes"].items() if code]
    if done:
        yield f"  {'; '.join(done)}"


def _task(task: Mapping[str, Any]) -> Iterator[str]:
    reviewed = f", {_reviews(task['reviews'], task['denied'])}" if task["reviews"] else ""
    tries = f", attempt {task['attempt']}" if task["attempt"] > 1 else ""
    who = f" by {task['assignee']}" if task["assignee"] else ""
    yield f"- **{task['key']}** {_line(task['name'])}: {task['status']}{who}{tries}{reviewed}"
    said = task["failure"] or task["report"]
    if said:
        yield f"  {_line(said)[:2000]}"


def _commit(commit: Mapping[str, Any]) -> str:
    subject = _line(str(commit.get("subject", "")))
    return f"- {str(commit.get('id', ''))[:12]} {subject}"


def account_text(account: Mapping[str, Any]) -> Iterator[str]:
    """What one agent told, in Markdown."""
    of = "all of it" if account["task_id"] == "workflow" else f"task {account['task_id']}"
    yield f"### {account['worker']} of {of}"
    yield ""
    yield from clean(account["summary"], lines=True).splitlines()
    for name, title in _LISTS.items():
        if account.get(name):
            yield from ("", f"{title}:")
            yield from (f"- {_line(one)}" for one in account[name])
    for name, title in _RETRO.items():
        said = (account.get("retro") or {}).get(name)
        if said:
            yield from ("", f"{title}: {_line(said)}")
    if account.get("next_steps"):
        yield from ("", f"Next: {_line(account['next_steps'])}")
    yield ""


def _count(number: int, what: str) -> str:
    """`1 turn`, `2 turns`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _line(text: str) -> str:
    """A text of others, on one line."""
    return " ".join(clean(text).split())
