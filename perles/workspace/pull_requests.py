"""Pull requests by `gh`, merge requests by `glab`: looked for, and opened where there is none."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.domain.errors import UsageError
from perles.domain.patterns import lazy_pattern
from perles.workspace.git import without_git
from perles.workspace.hosting import Remote, RemoteError
from perles.workspace.program import Bounds, run_program

SECONDS: Final = 120.0
MAX_BYTES: Final = 1024 * 1024
_AUTH: Final = lazy_pattern(r"auth login|not logged in|401|authenticat", re.IGNORECASE)
_LINK: Final = lazy_pattern(r"https?://\S+")
_QUIET: Final = {
    "GH_PROMPT_DISABLED": "1",
    "GH_NO_UPDATE_NOTIFIER": "1",
    "NO_COLOR": "1",
    "NO_PROMPT": "1",
    "GIT_TERMINAL_PROMPT": "0",
    # git, which these tools ask, starts nothing that an agent wrote into the configuration.
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "core.fsmonitor",
    "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "core.hooksPath",
    "GIT_CONFIG_VALUE_1": "/dev/null",
}


class PullRequest(NamedTuple):
    """One that is open: `number` is None where the tool did not tell it."""

    url: str
    number: int | None
    title: str
    base: str
    draft: bool


class Proposal(NamedTuple):
    """What is to be proposed: a branch, into which base, and in which words."""

    branch: str
    base: str
    title: str
    body: str
    draft: bool


class Tool(NamedTuple):
    """`gh` or `glab`, where it is, and for which repository."""

    name: str
    path: str
    repository: Path
    remote: Remote

    @property
    def calls_it(self) -> str:
        """How the host calls it."""
        return "pull request" if self.name == "gh" else "merge request"

    def words(self, proposal: Proposal) -> list[str]:
        """The command line that opens it; gh reads the text from its input."""
        if self.name == "gh":
            words = ["pr", "create", "--head", proposal.branch, "--base", proposal.base]
            words += ["--title", proposal.title, "--body-file", "-"]
        else:
            words = ["mr", "create", "--source-branch", proposal.branch]
            words += ["--target-branch", proposal.base, "--title", proposal.title]
            words += ["--description", proposal.body, "--yes"]
        return words + (["--draft"] if proposal.draft else []) + self._where()

    def looking(self, branch: str) -> list[str]:
        """The command line that lists open ones of a branch, as JSON."""
        if self.name == "gh":
            fields = "url,number,title,baseRefName,isDraft"
            words = ["pr", "list", "--head", branch, "--state", "open", "--json", fields]
        else:
            words = ["mr", "list", "--source-branch", branch, "--output", "json"]
        return words + self._where()

    def _where(self) -> list[str]:
        if not self.remote.host:
            return []
        start = "" if self.name == "gh" else "https://"
        return ["--repo", f"{start}{self.remote.host}/{self.remote.path}"]


def tool_for(repository: Path, remote: Remote, environ: Mapping[str, str] = os.environ) -> Tool:
    """The tool of the remote's host: the one whose name it bears, else the one that is there.

    Raises `UsageError` where it is not installed.
    """
    search = environ.get("PATH", os.defpath)
    there = {name: shutil.which(name, path=search) for name in ("gh", "glab")}
    by_name = {"github": "gh", "gitlab": "glab"}
    named = next((tool for word, tool in by_name.items() if word in remote.host), None)
    choice = named or next((name for name, path in there.items() if path), None)
    path = there[choice] if choice else None
    if choice is None or path is None:
        what = {"gh": "gh (https://cli.github.com)", "glab": "glab (https://docs.gitlab.com/cli)"}
        wanted = what[named] if named else " or ".join(what.values())
        raise UsageError(f"cannot open a pull request: install {wanted}, and log in with it")
    return Tool(choice, path, repository, remote)


def existing(tool: Tool, branch: str) -> PullRequest | None:
    """The open one of a branch; None where there is none. Blocks. Raises `RemoteError`."""
    told = _run(tool, tool.looking(branch))
    try:
        found = json.loads(told or "[]")
        return _read(found[0]) if found else None
    except (ValueError, LookupError, TypeError) as error:
        raise RemoteError(
            f"cannot look for a {tool.calls_it} of {branch}: {tool.name} did not print what was "
            "expected; upgrade it"
        ) from error


def open_one(tool: Tool, proposal: Proposal) -> PullRequest:
    """Open one. Blocks. Raises `RemoteError`."""
    given = proposal.body.encode(errors="replace") if tool.name == "gh" else None
    told = _run(tool, tool.words(proposal), given)
    links = _LINK.findall(told)
    if not links:
        found = existing(tool, proposal.branch)
        if found is None:
            raise RemoteError(
                f"cannot tell whether {tool.name} opened a {tool.calls_it}: look there"
            )
        return found
    last = links[-1].rstrip("/")
    number = last.rpartition("/")[2]
    known = int(number) if number.isdecimal() else None
    return PullRequest(last, known, proposal.title, proposal.base, proposal.draft)


def _read(one: Mapping[str, Any]) -> PullRequest:
    if "web_url" in one:
        keys = ("web_url", "iid", "title", "target_branch", "draft")
    else:
        keys = ("url", "number", "title", "baseRefName", "isDraft")
    url, number, title, base, draft = (one.get(key) for key in keys)
    return PullRequest(str(url), int(number or 0) or None, str(title), str(base), bool(draft))


def _run(tool: Tool, words: Sequence[str], given: bytes | None = None) -> str:
    try:
        ended = run_program(
            [tool.path, *words],
            cwd=tool.repository,
            env={**without_git(os.environ), **_QUIET},
            bounds=Bounds(SECONDS, MAX_BYTES),
            given=given,
        )
    except OSError as error:
        raise RemoteError(f"cannot run {tool.path}: {error.strerror}") from error
    if ended.code == 0:
        return ended.out.decode(errors="replace")
    raise RemoteError(
        _why(tool, words, ended.code, (ended.err or ended.out).decode(errors="replace"))
    )


def _why(tool: Tool, words: Sequence[str], code: int | None, said: str) -> str:
    what = f"cannot ask {tool.name} ({' '.join(words[:2])})"
    if code is None:
        return f"{what}: it did not end within {SECONDS:g}s"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if code == 4 or any(_AUTH.search(line) for line in lines):
        return f"{what}: it is not logged in; run {tool.name} auth login"
    return f"{what}: {' '.join(lines[:3])[:500] or f'it ended with exit {code}'}"
