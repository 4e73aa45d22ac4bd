"""What agent CLIs keep below the home folder, and what of it a sandboxed agent may change.

It gets a folder of its own in place of each; from the person's there are the login and the
sessions, which it may write, and settings, hooks, extensions and programs, which it may not:
those run without a sandbox the next time.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.workspace import door


class CliFolder(NamedTuple):
    """A folder below the home: what is shared with the person's, and what may only be read.

    `variable` moves it. `sessions` are folders, made where they are missing.
    """

    name: str
    variable: str = ""
    login: Sequence[str] = ()
    sessions: Sequence[str] = ()
    settings: Sequence[str] = ()


_WORDS: Final = ("commands", "agents", "skills", "plugins", "hooks")
FOLDERS: Final = (
    CliFolder(
        ".claude",
        "CLAUDE_CONFIG_DIR",
        login=(".credentials.json",),
        sessions=("projects",),
        settings=(
            *("settings.json", "settings.local.json", "CLAUDE.md", "local", "output-styles"),
            *_WORDS,
        ),
    ),
    CliFolder(
        ".codex",
        "CODEX_HOME",
        login=("auth.json",),
        sessions=("sessions",),
        settings=("config.toml", "hooks.json", "AGENTS.md", "prompts", "rules", *_WORDS),
    ),
    CliFolder(
        ".gemini",
        login=("oauth_creds.json", "google_accounts.json", "gemini-credentials.json"),
        sessions=("tmp",),
        settings=("settings.json", ".env", "GEMINI.md", "extensions", "policies", *_WORDS),
    ),
    CliFolder(
        ".config/opencode",
        settings=(
            *("opencode.json", "opencode.jsonc", "config.json", "AGENTS.md", "agent", "command"),
            *("plugin", "themes", *_WORDS),
        ),
    ),
    CliFolder(".cache/opencode", settings=("models.json", "bin", "node_modules")),
    CliFolder(".config/amp", settings=("settings.json", "AGENTS.md", "tools", *_WORDS)),
    CliFolder(".cache/amp"),
)
SHARED: Final = (".local/share/opencode", ".local/state/opencode", ".local/share/amp")
"""Logins and sessions, with databases that go with their folder: they are the person's own."""
PROGRAMS: Final = (".local/share/opencode/bin",)
"""What of these may only be read."""
OWN_FILES: Final = (".claude.json",)
"""Files that CLIs write at each run: the agent has a copy."""
MAX_COPY: Final = 16 * 1024 * 1024


def mounts(environ: Mapping[str, str], home: Path, own: Path) -> list[str]:
    """Arguments of bwrap for one agent, whose own copies lie in the folder `own`.

    What is not there in the person's home is not there for the agent.
    """
    argv: list[str] = []
    for folder in FOLDERS:
        argv += _folder(folder, Path(environ.get(folder.variable) or home / folder.name), own)
    for name in SHARED:
        argv += ["--bind-try", str(home / name), str(home / name)]
    for name in PROGRAMS:
        argv += ["--ro-bind-try", str(home / name), str(home / name)]
    for name in OWN_FILES:
        theirs = home / name
        if theirs.is_file():
            argv += ["--bind", str(_copied(theirs, own / name)), str(theirs)]
    return argv


def _folder(folder: CliFolder, theirs: Path, own: Path) -> list[str]:
    if not theirs.is_dir():
        return []
    mine = own / folder.name.replace("/", "-")
    mine.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv = ["--bind", str(mine), str(theirs)]
    for name in folder.sessions:
        (theirs / name).mkdir(mode=0o700, exist_ok=True)
    for how, names in (
        ("--bind", (*folder.login, *folder.sessions)),
        ("--ro-bind", folder.settings),
    ):
        for name in names:
            if (theirs / name).exists():
                _no_link(mine / name)
                argv += [how, str(theirs / name), str(theirs / name)]
    return argv


def _no_link(place: Path) -> None:
    """An agent may have put a link where a mount is to be made, which would be followed."""
    if place.is_symlink():
        place.unlink()


def _copied(theirs: Path, mine: Path) -> Path:
    """The agent's copy, made once. It cannot replace it: only what is in it is its own."""
    if not mine.exists():
        content = door.read_small(theirs, MAX_COPY, foreign=True)
        mine.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    return mine
