"""Repositories of git for tests of worktrees, and workflows that commit in them."""

import subprocess
from pathlib import Path
from typing import Any

from tests.integration.cli import Home


def git(folder: Path, *args: str, fails: bool = False) -> str:
    """What git prints."""
    who = ("-c", "user.name=A Person", "-c", "user.email=person@example.invalid")
    done = subprocess.run(
        ["git", *who, *args], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert fails or done.returncode == 0, done.stderr
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    """A repository with one commit on `main`, and a name for those who commit."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "A Person")
    git(folder, "config", "user.email", "person@example.invalid")
    (folder / "shared.txt").write_text("".join(f"line {n}\n" for n in range(20)))
    (folder / ".gitignore").write_text("*.yaml\nlocal\n")
    return commit(folder, "first")


def commit(folder: Path, message: str) -> Path:
    """Commit all there is; the folder."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return folder


def commits(name: str, run: str = "true") -> dict[str, Any]:
    """A task that makes a file of its name and commits it."""
    script = f"{run}; echo {name} > {name}.txt && git add -A && git commit -q -m 'add {name}'"
    return {"key": name, "run": script}


def in_worktree(home: Home, *options: str, run: list[dict[str, Any]] | None = None) -> str:
    """The id of a workflow that was run to its end in a worktree."""
    file = home.pipeline(f"p{len(list(home.work.glob('*.yaml')))}", run or [commits("one")])
    done = home.perles("run", file, "--worktree", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(home.json("list", "--json")[0]["id"])
