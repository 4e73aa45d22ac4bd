"""Agents in a sandbox of bubblewrap: they can write to their work dir, and hardly elsewhere.

What is mounted later is over what was mounted before, so what must not be seen comes
last: a work dir that is the home folder shows no keys. The network stays, since the model
is there, and with it what listens on loopback or on an abstract socket.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from perles.agents import cli_homes
from perles.agents.provider import Launch
from perles.domain.errors import UsageError

PROGRAM: Final = "bwrap"
SECRETS: Final = (
    *(".ssh", ".gnupg", ".aws", ".kube", ".docker", ".azure", ".password-store", ".netrc"),
    *(".git-credentials", ".pypirc", ".config/gh", ".config/gcloud", ".config/perles"),
    ".local/share/keyrings",
)
"""What no agent needs to read, below the home folder."""
SOCKETS: Final = (
    *("SSH_AUTH_SOCK", "SSH_AGENT_PID", "GPG_AGENT_INFO", "DBUS_SESSION_BUS_ADDRESS"),
    *("DOCKER_HOST", "XDG_RUNTIME_DIR", "WAYLAND_DISPLAY"),
)
"""Variables that lead to programs which act outside of the sandbox."""
SCRATCH: Final = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - its own
"""Empty folders of the agent's own: sockets of others lie there, too."""
OF_RUN: Final = (
    *("/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf"),
    *("/run/current-system", "/run/opengl-driver", "/run/wrappers"),
)
"""What of /run programs need: how names are resolved, and the programs of NixOS."""


def bubblewrap(environ: Mapping[str, str]) -> str | None:
    """The program, None where it is not installed."""
    from shutil import which

    return which(PROGRAM, path=environ.get("PATH"))


def check(kind: str, environ: Mapping[str, str]) -> None:
    """Raise `UsageError` where this sandbox cannot be had here."""
    if kind != "none" and bubblewrap(environ) is None:
        raise UsageError(
            "cannot use sandbox: bubblewrap: bwrap is not installed; install it "
            "(apt install bubblewrap), or take sandbox out of the configuration"
        )


def wrapped(
    launch: Launch,
    kind: str,
    *,
    work_dir: Path,
    session: Path,
    state: Path,
    environ: Mapping[str, str],
    repository: Path | None = None,
) -> Launch:
    """The launch inside the sandbox, or as it is for `none`. Raises `UsageError`.

    `session` is the agent's own folder, of which it sees no more than it may read; `state`
    is the home folder of Perles, of which it sees nothing else. In a worktree of `repository`
    it can commit, for which it needs that one's `.git`.
    """
    if kind == "none":
        return launch
    check(kind, environ)
    seen = {**environ, **launch.env}
    argv = [bubblewrap(environ) or PROGRAM, *_mounts(seen, work_dir, session, state, repository)]
    if launch.command is not None and launch.command.folder:
        argv += ["--chdir", launch.command.folder]
    return replace(launch, argv=[*argv, "--", *launch.argv])


def _mounts(
    environ: Mapping[str, str], work_dir: Path, session: Path, state: Path, repository: Path | None
) -> Sequence[str]:
    home = Path(environ.get("HOME") or "/root")
    secrets = [home / name for name in SECRETS]
    _refuse_hidden(work_dir, secrets, state)
    own = session / "cli"
    own.mkdir(mode=0o700, exist_ok=True)
    work = [*_worktree(work_dir, state, repository), *_unchangeable(work_dir / ".perles", own)]
    argv = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    argv += ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    argv += ["--cap-drop", "ALL"]  # root keeps the right to unmount what hides things, else
    for folder in filter(os.path.isdir, SCRATCH):
        argv += ["--tmpfs", folder]
    for needed in OF_RUN:
        argv += ["--ro-bind-try", needed, needed]
    argv += [*work, *cli_homes.mounts(environ, home, own)]
    for path in secrets:
        argv += _masked(path)
    argv += ["--tmpfs", str(state)]
    if work_dir.is_relative_to(state):
        argv += work  # a worktree of ours
    argv += ["--ro-bind", str(session), str(session), *_without_sockets(environ)]
    return [*argv, "--chdir", str(work_dir)]


def _worktree(work_dir: Path, state: Path, repository: Path | None) -> list[str]:
    """Where it works: the folder, or the whole worktree and what that shares with others."""
    if repository is None:
        return ["--bind", str(work_dir), str(work_dir)]
    name = work_dir.relative_to(state / "worktrees").parts[0]
    top, shared = str(state / "worktrees" / name), str(repository / ".git")
    return ["--bind", top, top, "--bind", shared, shared]


def _refuse_hidden(work_dir: Path, secrets: Sequence[Path], state: Path) -> None:
    ours = work_dir.is_relative_to(state) and not work_dir.is_relative_to(state / "worktrees")
    if ours or any(work_dir.is_relative_to(path) for path in secrets):
        raise UsageError(
            f"cannot work in {work_dir} in a sandbox: it hides that folder; use another work dir"
        )


def _masked(path: Path) -> list[str]:
    if path.is_dir():
        return ["--tmpfs", str(path)]
    return ["--ro-bind", os.devnull, str(path)] if path.exists() else []


def _unchangeable(settings: Path, own: Path) -> list[str]:
    """The work dir's settings for Perles: an agent neither changes nor makes them."""
    if settings.exists():
        return ["--ro-bind", str(settings.resolve()), str(settings.resolve())]
    nothing = own / "nothing"
    nothing.mkdir(mode=0o700, exist_ok=True)
    return ["--ro-bind", str(nothing), str(settings)]


def _without_sockets(environ: Mapping[str, str]) -> list[str]:
    argv: list[str] = []
    for name in SOCKETS:
        argv += ["--unsetenv", name]
    agent = environ.get("SSH_AUTH_SOCK", "")
    if os.path.exists(agent) and not agent.startswith(tuple(f"{one}/" for one in SCRATCH)):
        argv += _masked(Path(agent))
    return argv
