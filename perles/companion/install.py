"""The configuration by which an agent's CLI finds `perles mcp`, shown or written."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.config.database import VARIABLE, server_url
from perles.config.home import home, user_config
from perles.domain.errors import UsageError

_PASSWORD: Final = re.compile(r"//[^/@?]*:[^/@?]*@|[?&]password=", re.IGNORECASE)
NAME: Final = "perles-control"
"""Not "perles": that is the server that Perles gives to its own agents."""
Json = dict[str, Any]


class Server(NamedTuple):
    """The command that serves, and the variables that it needs."""

    command: list[str]
    env: dict[str, str]


class Client(NamedTuple):
    """Where a CLI keeps its servers: the file, the key of all of them, and the form of one."""

    file: Callable[[Mapping[str, str]], Path]
    key: str
    form: Callable[[Server], Json]


def _plain(server: Server) -> Json:
    first, *rest = server.command
    return {"command": first, "args": rest, **({"env": server.env} if server.env else {})}


def _opencode(server: Server) -> Json:
    form: Json = {"type": "local", "command": server.command, "enabled": True}
    return form | ({"environment": server.env} if server.env else {})


def _under(variable: str, usual: str, name: str) -> Callable[[Mapping[str, str]], Path]:
    def place(environ: Mapping[str, str]) -> Path:
        home = Path(environ.get("HOME") or Path.home())
        return Path(environ.get(variable) or home / usual) / name

    return place


def _of_opencode(environ: Mapping[str, str]) -> Path:
    """opencode follows XDG_CONFIG_HOME, as Perles does; a variable of its own comes first."""
    base = environ.get("XDG_CONFIG_HOME", "")
    usual = f"{base}/opencode" if base.startswith("/") else ".config/opencode"
    return _under("OPENCODE_CONFIG_DIR", usual, "opencode.json")(environ)


CLIENTS: Final[dict[str, Client]] = {
    "claude": Client(
        _under("CLAUDE_CONFIG_DIR", "", ".claude.json"),
        "mcpServers",
        lambda server: {"type": "stdio", **_plain(server)},
    ),
    "codex": Client(_under("CODEX_HOME", ".codex", "config.toml"), "mcp_servers", _plain),
    "gemini": Client(_under("", ".gemini", "settings.json"), "mcpServers", _plain),
    "opencode": Client(_of_opencode, "mcp", _opencode),
}


def server_here(environ: Mapping[str, str], role: str) -> Server:
    """The command that starts this very perles, for this very home, configuration and database.

    A client may start it with none of the variables that are set here. Raises `UsageError`.
    """
    called = shutil.which(sys.argv[0]) if sys.argv and sys.argv[0] else None
    is_ours = called is not None and Path(called).name == "perles"
    start = [os.path.abspath(str(called))] if is_ours else [sys.executable, "-m", "perles"]
    return Server([*start, "mcp", "--role", role], _places(environ) | _database(environ))


def _places(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that say which home, and whose configuration, is meant: as we read them."""
    found = {}
    if environ.get("PERLES_HOME"):
        found["PERLES_HOME"] = str(home(environ))
    if environ.get("PERLES_CONFIG"):
        found["PERLES_CONFIG"] = os.path.abspath(environ["PERLES_CONFIG"])
    if environ.get("XDG_CONFIG_HOME", "").startswith("/"):  # else it counts as not set
        found["XDG_CONFIG_HOME"] = environ["XDG_CONFIG_HOME"]
    return found


def _database(environ: Mapping[str, str]) -> dict[str, str]:
    """The variable with the database, where it is set; a password is not written to a client."""
    given = environ.get(VARIABLE)
    if given is None:
        return {}
    url = server_url(environ)
    if url is not None and _PASSWORD.search(url):
        raise UsageError(
            f"cannot install: {VARIABLE} holds a password; write the address as `database:` into "
            f"{user_config(environ)}, and unset {VARIABLE}"
        )
    return {VARIABLE: given}


def lines(client: str, server: Server) -> str:
    """What is to stand in the client's configuration. Raises `UsageError`."""
    one = _client(client)
    if client == "codex":
        return _toml(one.form(server))
    return json.dumps({one.key: {NAME: one.form(server)}}, indent=2)


def path_of(client: str, environ: Mapping[str, str]) -> Path:
    """The client's configuration file. Raises `UsageError`."""
    return _client(client).file(environ)


def write(client: str, server: Server, environ: Mapping[str, str]) -> bool:
    """Put it into the client's configuration; whether anything was to do.

    What else stands there stays. Raises `UsageError` for a file that cannot be read, or
    that has another server of this name.
    """
    one, path = _client(client), path_of(client, environ)
    text = path.read_text() if path.exists() else ""
    found = _parsed(client, path, text)
    there = (found.get(one.key) or {}).get(NAME)
    wanted = one.form(server)
    if there == wanted:
        return False
    if client == "codex":
        if there is not None:
            raise UsageError(f"cannot change {path}: it has another {NAME}; remove it first")
        new = f"{text.rstrip()}\n\n" if text.strip() else ""
        new += _toml(wanted)
    else:
        found[one.key] = {**(found.get(one.key) or {}), NAME: wanted}
        new = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    _replace(path, new)
    return True


def _client(name: str) -> Client:
    if name not in CLIENTS:
        from perles.domain.nearest import nearest

        raise UsageError(
            f"cannot install for {name!r}{nearest(name, CLIENTS)}; known are {', '.join(CLIENTS)}"
        )
    return CLIENTS[name]


def _parsed(client: str, path: Path, text: str) -> Json:
    try:
        found = tomllib.loads(text) if client == "codex" else json.loads(text or "{}")
    except ValueError as error:
        raise UsageError(
            f"cannot change {path}: {error}; put the lines there by hand: "
            f"perles mcp install {client}"
        ) from error
    if not isinstance(found, dict):
        raise UsageError(f"cannot change {path}: it holds no object")
    return found


def _toml(form: Json) -> str:
    """A table of TOML; texts of JSON are texts of TOML, too."""
    env = form.get("env", {})
    rows = [f"[mcp_servers.{NAME}]"]
    rows += [f"{key} = {json.dumps(form[key], ensure_ascii=False)}" for key in ("command", "args")]
    if env:
        pairs = ", ".join(f"{name} = {json.dumps(value)}" for name, value in env.items())
        rows.append(f"env = {{ {pairs} }}")
    return "\n".join(rows) + "\n"


def _replace(path: Path, text: str) -> None:
    """Write the file in one step, with the mode it had, behind a link where it is one."""
    real = Path(os.path.realpath(path))
    real.parent.mkdir(parents=True, exist_ok=True)
    mode = real.stat().st_mode & 0o777 if real.exists() else 0o600
    with tempfile.NamedTemporaryFile("w", dir=real.parent, delete=False) as file:
        file.write(text)
    Path(file.name).chmod(mode)
    Path(file.name).replace(real)
