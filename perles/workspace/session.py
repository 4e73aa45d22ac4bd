"""The session folder of a workflow: what its agents were given and printed, and their secrets.

`sessions/<app>/<date>/<workflow id>/<agent>/`: one folder an agent, private to
the user. A turn's files are `turn-NNN.prompt.md`, `.stdout.jsonl`, `.stderr.log` and `.status`.
"""

import hashlib
import re
from pathlib import Path

from perles.workspace import door

TOKEN_BYTES = 32


def session_folder(sessions: Path, work_dir: Path, created_at: str, workflow_id: str) -> Path:
    """Where the session of this workflow lies. Nothing is made."""
    app = re.sub(r"[^A-Za-z0-9._-]+", "-", work_dir.name).strip("-.") or "root"
    return sessions / app[:64] / created_at[:10] / workflow_id


def agent_folder(session: Path, agent: str) -> Path:
    """The agent's own folder, made private where it is missing."""
    folder = session / agent
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for level in reversed(missing):
        # Each level by itself: some CLIs refuse files below a folder that others may write to.
        level.mkdir(mode=0o700, exist_ok=True)
    return folder


def turn_output(session: Path, agent: str, number: int) -> Path:
    """Where the output of an agent's turn goes; its other files lie beside it."""
    return session / agent / f"turn-{number:03}.stdout.jsonl"


def turn_values(output: Path) -> Path:
    """Where the command of a turn writes its values, by the file that has its output."""
    return output.with_name(f"{output.name.partition('.')[0]}.values")


def turn_fingerprint(output: Path) -> Path:
    """Where it stands of which files the command of a turn is made, by the file with its output."""
    return output.with_name(f"{output.name.partition('.')[0]}.fingerprint")


def new_token(session: Path, agent: str) -> str:
    """Make the agent's bearer token, keep it in a private file, and return its hash."""
    import secrets  # it loads OpenSSL: commands that make no token need not wait for it

    token = secrets.token_urlsafe(TOKEN_BYTES)
    door.write(agent_folder(session, agent) / "token", token.encode())
    return token_hash(token)


def read_token(session: Path, agent: str) -> str:
    """The agent's token. Raises `OSError` where its file is gone, or is not ours any more."""
    return door.read_small(session / agent / "token").decode(errors="replace")


def token_hash(token: str) -> str:
    """How a token is stored."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
