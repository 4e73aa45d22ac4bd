"""A home with workflows in all states, one that asks, one that waits, and hostile texts."""

from typing import Any, NamedTuple

from tests.integration.cli import Home
from tests.integration.repositories import repository
from tests.integration.scripted_cli import with_tools

HOSTILE = "<img src=x onerror=alert(1)><script>document.title='owned'</script>\u202etxt.exe"
ASKS = f"""\
if "Say it." in prompt:
    tools.call("fabric_send", channel="general", content={HOSTILE!r})
    tools.call("report_implementation_complete", summary="it is said", exit_code=0)
elif "The answer:" in prompt:
    open("told", "w").write(prompt)
    tools.call("report_implementation_complete", summary="it is done", exit_code=0)
elif not os.path.exists("asked"):
    print({HOSTILE!r})
    tools.call("fabric_send", channel="general", content={HOSTILE!r})
    tools.call("ask_user", question="Tabs or spaces?", options=["tabs", "spaces"])
    open("asked", "w").write("x")
"""
GRAPH: list[dict[str, Any]] = [
    {"key": "fetch", "run": "echo fetched"},
    {"key": "lint", "run": "echo clean", "after": ["fetch"]},
    {"key": "build", "run": "for n in $(seq 300); do echo line $n; done", "after": ["fetch"]},
    {"key": "test", "run": "sleep 600", "after": ["build", "lint"]},
    {"key": "ship", "run": "echo shipped", "after": ["test"]},
]
WAITS: list[dict[str, Any]] = [
    {"key": "ok", "assignee": "human", "question": "Deploy to production?"},
    {"key": "deploy", "run": "echo deployed", "after": ["ok"]},
]
LASTS: list[dict[str, Any]] = [
    {"key": "never", "assignee": "human", "question": "Is it spring yet?"},
]
WRITES = f"echo '{HOSTILE}' > new.txt; seq 3000 > many.txt"


class Stage(NamedTuple):
    """The home, and where its page is."""

    home: Home
    url: str
    token: str


def prepared(home: Home, port: int) -> Stage:
    """The home with its engine at work."""
    with_tools(home, ASKS)
    assert home.perles("serve", "--detach", "--http", str(port)).returncode == 0
    token = home.json("token", "create", "phone", "--role", "operate", "--json")["token"]
    repository(home.work)
    home.perles("run", home.pipeline("changes", [{"key": "a", "run": WRITES}]), "--worktree")
    home.perles("run", home.pipeline("done", [{"key": "a", "run": "echo hello"}]))
    home.perles("run", home.pipeline("broken", [{"key": "a", "run": f"echo '{HOSTILE}'; false"}]))
    home.perles("create", home.pipeline("later", [{"key": "a", "run": "true"}]), "--name", HOSTILE)
    for name, tasks in (
        ("waits", WAITS),
        ("lasts", LASTS),
        ("graph", GRAPH),
        ("asks", [{"key": "style", "prompt": "Indent it.", "worker": "mycli"}]),
    ):
        home.perles("start", home.perles("create", home.pipeline(name, tasks)).stdout.strip())
    home.wait_for("all to wait", lambda: len(_waiting(home)) == 3)
    home.wait_for("the graph", lambda: _status(home, "test") == "in_progress")
    return Stage(home, f"http://127.0.0.1:{port}", token)


def _waiting(home: Home) -> list[Any]:
    return [one for one in home.json("inbox", "--json") if one["kind"] in ("approval", "question")]


def _status(home: Home, key: str) -> str:
    tasks = home.json("show", "graph", "--json")["tasks"]
    return str(next(task["status"] for task in tasks if task["key"] == key))
