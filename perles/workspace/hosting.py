"""Where a repository is hosted: its remote, what opens pull requests there, and pushing to it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.errors import PerlesError
from perles.domain.patterns import lazy_pattern
from perles.domain.quoting import in_line
from perles.workspace.git import GitError, ask, git
from perles.workspace.repository import commit_of

PUSH_SECONDS: Final = 120.0
_PROTOCOLS: Final = {"GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh"}
_PROGRAMS: Final = lazy_pattern(
    r"core\.(sshcommand|askpass|gitproxy)|credential\.(.*\.)?helper|"
    r"remote\..*\.(uploadpack|receivepack|vcs)|diff\.external|gpg\.(.*\.)?program",
    re.DOTALL,
)
"""Keys that name programs which a push starts."""
_URL: Final = lazy_pattern(
    r"(?:https?|ssh|git)://(?:[^/@]*@)?(?P<host>[^/:]+)(?::\d+)?/(?P<path>.+)"
    r"|(?:[^/@:]+@)?(?P<scp_host>[^/:@]+):(?P<scp_path>[^/].*)"
)


class RemoteError(PerlesError):
    """A branch cannot be pushed, or no pull request be opened."""


class Remote(NamedTuple):
    """A remote: `host` and `path` (owner/name) are "" where its URL is that of a folder."""

    name: str
    host: str = ""
    path: str = ""


def remote_of(repository: Path, branch: str, base: str | None) -> Remote:
    """The remote of a branch: what is set for it or its base, the only one, or origin.

    Raises `RemoteError` where there is none, or several. Blocks.
    """
    try:
        names = git(repository, "remote").splitlines()
        if not names:
            raise RemoteError(
                f"cannot push {branch}: {repository} has no remote; git remote add origin URL"
            )
        wanted = [_configured(repository, one) for one in (branch, base) if one]
        choice = next((one for one in wanted if one in names), None)
        if choice is None and len(names) > 1 and "origin" not in names:
            raise RemoteError(
                f"cannot tell where to push {branch}: there are {', '.join(names)}; "
                f"git config branch.{branch}.remote NAME"
            )
        choice = choice or ("origin" if "origin" in names else names[0])
        return _remote(choice, git(repository, "remote", "get-url", choice))
    except GitError as error:
        raise RemoteError(f"cannot push {branch}: {error}") from error


def _configured(repository: Path, branch: str) -> str | None:
    for key in (f"branch.{branch}.pushRemote", f"branch.{branch}.remote"):
        answer = ask(repository, "config", "--get", key)
        if answer.code == 0:
            return answer.out.strip()
    return None


def _remote(name: str, url: str) -> Remote:
    found = _URL.fullmatch(url.strip())
    if found is None:
        return Remote(name)
    host = found["host"] or found["scp_host"]
    path = (found["path"] or found["scp_path"]).rstrip("/").removesuffix(".git")
    return Remote(name, host.lower(), path)


def push(repository: Path, remote: Remote, branch: str, *, force: bool = False) -> bool:
    """Push the branch; False where the remote has it already, as far as it is known here. Blocks.

    `force` replaces what is there, unless somebody else pushed since. Raises `RemoteError`. A
    program that the repository's own configuration names is not started: an agent may have
    written it.
    """
    try:
        tip = commit_of(repository, f"refs/heads/{branch}")
        known = commit_of(repository, f"refs/remotes/{remote.name}/{branch}")
        if tip is None:
            raise RemoteError(f"cannot push {branch}: there is no such branch in {repository}")
        if tip == known:
            return False
        programs = _own_programs(repository)
        if programs:
            named = ", ".join(in_line(key) for key in programs)
            raise GitError(f"the repository's own configuration names a program ({named})")
        answer = ask(
            repository,
            *("-c", "push.gpgSign=false", "-c", "push.recurseSubmodules=no"),
            *("push", "--porcelain", *_lease(branch, known, force=force), "--", remote.name),
            f"refs/heads/{branch}:refs/heads/{branch}",
            seconds=PUSH_SECONDS,
            env=_PROTOCOLS,
        )
    except GitError as error:
        raise RemoteError(_cannot(repository, remote, branch, str(error))) from error
    if answer.code:
        rejected = next((line for line in answer.out.splitlines() if line.startswith("!")), "")
        raise RemoteError(_refused(repository, remote, branch, rejected, answer.said))
    return True


def _lease(branch: str, known: str | None, *, force: bool) -> Sequence[str]:
    return [f"--force-with-lease=refs/heads/{branch}:{known or ''}"] if force else []


def _own_programs(repository: Path) -> list[str]:
    """Keys of the repository's own configuration that name programs."""
    listed = git(repository, "config", "--null", "--show-scope", "--name-only", "--list")
    words = listed.split("\0")
    scopes = zip(words[::2], words[1::2], strict=False)
    own = dict.fromkeys(key for scope, key in scopes if scope in ("local", "worktree"))
    return [key for key in own if _PROGRAMS.fullmatch(key)]


def _refused(repository: Path, remote: Remote, branch: str, rejected: str, said: str) -> str:
    if "non-fast-forward" in rejected or "fetch first" in rejected:
        return (
            f"cannot push {branch} to {remote.name}: it has other commits there; --force replaces "
            "them, unless somebody else pushed since"
        )
    if "stale info" in rejected:
        return (
            f"cannot push {branch} to {remote.name}: somebody else pushed there; git fetch, and "
            "look at it first"
        )
    why = rejected.split("\t")[-1] if rejected else said.removeprefix("fatal: ")
    return _cannot(repository, remote, branch, why)


def _cannot(repository: Path, remote: Remote, branch: str, why: str) -> str:
    by_hand = f"git -C {repository} push {remote.name} {branch}"
    return f"cannot push {branch}: {why}; push it by hand ({by_hand}), perles pr then goes on"
