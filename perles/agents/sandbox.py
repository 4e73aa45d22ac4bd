"""Agents in a sandbox of bubblewrap: they can write to their work dir and session, not elsewhere.

The home folder is read-only, save for what the CLI keeps of its own (its logins
and sessions); the network stays, since the model is there.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from perles.agents.provider import Launch
from perles.domain.errors import UsageError

PROGRAM: Final = "bwrap"
OWN_FOLDERS: Final = (
    *(".claude", ".claude.json", ".codex", ".gemini", ".opencode", ".amp"),
    *(".config/opencode", ".local/share/opencode", ".local/state/opencode", ".cache/opencode"),
    *(".config/amp", ".local/share/amp", ".cache/amp"),
)
"""What agent CLIs keep below the home folder."""
SECRET_FOLDERS: Final = (".ssh", ".gnupg", ".aws", ".kube", ".netrc", ".config/gh")
"""What no agent needs to read."""


def bubblewrap(environ: Mapping[str, str]) -> str | None:
    """The program, None where it is not installed."""
    return shutil.which(PROGRAM, path=environ.get("PATH"))


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
    environ: Mapping[str, str],
) -> Launch:
    """The launch inside the sandbox, or as it is for `none`. Raises `UsageError`."""
    if kind == "none":
        return launch
    check(kind, environ)
    seen = {**environ, **launch.env}
    argv = [bubblewrap(environ) or PROGRAM, *_mounts(seen, work_dir, session)]
    return replace(launch, argv=[*argv, "--", *launch.argv])


def _mounts(environ: Mapping[str, str], work_dir: Path, session: Path) -> Sequence[str]:
    home = environ.get("HOME", "/root")
    argv = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]  # noqa: S108 - its own
    argv += ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    for name in SECRET_FOLDERS:
        hidden = Path(home, name)
        if hidden.is_dir():
            argv += ["--tmpfs", str(hidden)]
        elif hidden.exists():
            argv += ["--ro-bind", os.devnull, str(hidden)]
    own = [str(Path(home, name)) for name in OWN_FOLDERS]
    own += [environ[name] for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR") if name in environ]
    for path in own:
        argv += ["--bind-try", path, path]
    for folder in (work_dir, session):
        argv += ["--bind", str(folder), str(folder)]
    return [*argv, "--chdir", str(work_dir)]
