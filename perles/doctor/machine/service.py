"""Whether an engine that systemd starts would find the CLIs and keys that a shell has."""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from perles.agents.discovery import names
from perles.doctor.finding import NOTE, OK, Finding, named
from perles.doctor.machine.surroundings import Surroundings

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
"""What a unit has that says nothing else."""
KEYS: Final = (
    *("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "OPENAI_API_KEY", "GEMINI_API_KEY"),
    *("GOOGLE_API_KEY", "AMP_API_KEY", "OPENROUTER_API_KEY"),
)
_MAX_BYTES: Final = 64 * 1024


def check(surroundings: Surroundings) -> Iterator[Finding]:
    """The user's unit, where there is one, against the environment of this shell."""
    environ = surroundings.environ
    home = environ.get("HOME", "")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    unit = Path(config) / "systemd" / "user" / "perles.service"
    if not unit.is_file():
        return
    given = environment_of(_text(unit), home)
    clis = names(surroundings.config.providers)
    missing = [
        name
        for name in clis
        if _found(name, environ) and not shutil.which(name, path=given.get("PATH", DEFAULT_PATH))
    ]
    keys = [key for key in KEYS if environ.get(key) and not given.get(key)]
    if missing:
        where = {str(Path(_found(name, environ)).parent) for name in missing}
        text = f"the service would not find {named(missing)}"
        advice = f"add to PATH in {unit}: {':'.join(sorted(where))}"
        yield Finding("service", NOTE, text, f"{advice}; then systemctl --user daemon-reload")
    if keys:
        text = f"the service does not have {named(keys)}, which this shell has"
        advice = f"write them to {config}/perles/environment (mode 0600), as EnvironmentFile= says"
        yield Finding("service", NOTE, text, advice)
    if not missing and not keys:
        yield Finding("service", OK, f"{unit} finds what this shell finds")


def _found(name: str, environ: Mapping[str, str]) -> str:
    return shutil.which(name, path=environ.get("PATH", "")) or ""


def environment_of(unit: str, home: str) -> Mapping[str, str]:
    """The variables that a unit's text gives, those of its environment files included."""
    found: dict[str, str] = {}
    files: list[str] = []
    for line in unit.replace("%h", home).splitlines():
        key, _, value = line.strip().partition("=")
        if key == "Environment":
            found |= _assignments(value)
        elif key == "EnvironmentFile":
            files.append(value.removeprefix("-"))
    for name in files:
        for line in _text(Path(name)).splitlines():
            if not line.lstrip().startswith(("#", ";")):
                found |= _assignments(line)
    return found


def _assignments(text: str) -> dict[str, str]:
    try:
        words = shlex.split(text)
    except ValueError:
        return {}  # systemd does not take it either
    return dict(word.split("=", 1) for word in words if "=" in word)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode(errors="replace")
    except OSError:
        return ""  # a file that is not there gives nothing
