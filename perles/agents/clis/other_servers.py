"""MCP servers that a person has set up for a CLI of theirs, and that our agents do not load.

codex and opencode have no switch for that: each server is turned off by its name,
over whatever file it stands in; amp gets a copy of its settings without
them. What cannot be read is left to the CLI to complain of.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from perles.domain.patterns import lazy_pattern
from perles.workspace import door

MAX_BYTES: Final = 4 * 1024 * 1024
_STRING: Final = r'"(?:\\.|[^"\\])*"'
_COMMENTS: Final = lazy_pattern(rf"({_STRING})|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING: Final = lazy_pattern(rf"({_STRING})|,(?=\s*[}}\]])")
_OPENCODE: Final = ("config.json", "opencode.json", "opencode.jsonc")


def codex_servers(environ: Mapping[str, str], work_dir: Path) -> dict[str, str]:
    """The servers of codex's configurations: name → `command` or `url`, as it is reached."""
    home = Path(environ.get("CODEX_HOME") or Path(environ.get("HOME", "/root"), ".codex"))
    files = [Path("/etc/codex/config.toml"), *sorted(home.glob("*.toml"))]
    files += [folder / ".codex" / "config.toml" for folder in _upwards(work_dir)]
    found: dict[str, str] = {}
    for file in files:
        try:
            servers = tomllib.loads(_read(file)).get("mcp_servers")
        except (ValueError, RecursionError):
            continue  # no TOML, nested too deep, or with a number that Python does not take
        for name, server in _entries(servers):
            found[name] = "url" if "url" in server else "command"
    return found


def opencode_servers(environ: Mapping[str, str], work_dir: Path) -> list[str]:
    """The names of the servers of opencode's configurations."""
    home = Path(environ.get("HOME", "/root"))
    folders = [Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "opencode")]
    folders += [home / ".opencode", Path("/etc/opencode")]
    if own := environ.get("OPENCODE_CONFIG_DIR"):
        folders.append(Path(own))
    for folder in _upwards(work_dir):
        folders += [folder, folder / ".opencode"]
    texts = [_read(folder / name) for folder in folders for name in _OPENCODE]
    texts += [environ.get("OPENCODE_CONFIG_CONTENT", ""), opencode_file(environ)]
    names = [name for text in texts for name, _ in _entries(_json(text).get("mcp"))]
    return sorted(set(names))


def opencode_file(environ: Mapping[str, str]) -> str:
    """The text of the configuration that the environment names, "" where it names none."""
    named = environ.get("OPENCODE_CONFIG")
    return _read(Path(named)) if named else ""


def amp_settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """The person's settings of amp, {} where there are none that can be read."""
    folder = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/root"), ".config")
    named = environ.get("AMP_SETTINGS_FILE")
    return _json(_read(Path(named) if named else Path(folder, "amp", "settings.json")))


def merged(text: str, over: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration in JSON with `over` laid over it, table by table."""
    return _laid_over(_json(text), over)


def _laid_over(below: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(below)
    for name, value in over.items():
        there = found.get(name)
        if isinstance(there, dict) and isinstance(value, dict):
            found[name] = _laid_over(there, value)
        else:
            found[name] = value
    return found


def _upwards(folder: Path) -> Iterator[Path]:
    """The folder and those above it, up to the root of its repository, else all."""
    for one in (folder, *folder.parents):
        yield one
        if (one / ".git").exists():
            return


def _read(file: Path) -> str:
    """The text of a file; "" where there is none to read."""
    try:
        return door.read_small(file, MAX_BYTES, foreign=True).decode(errors="replace")
    except OSError:
        return ""


def _json(text: str) -> dict[str, Any]:
    """A JSON object that may have comments and commas too many; {} for anything else."""
    plain = _COMMENTS.sub(lambda match: match.group(1) or " ", text)
    plain = _TRAILING.sub(lambda match: match.group(1) or "", plain)
    try:
        found = json.loads(plain)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _entries(servers: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(servers, dict):
        return []
    return [(name, server) for name, server in servers.items() if isinstance(server, dict)]
