"""Attempts to leave the sandbox, from inside: each is a shell command in a real bubblewrap."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.agents import sandbox
from perles.agents.provider import Launch
from perles.domain.errors import UsageError

KEY = "the private key"


def no_sandbox() -> str | None:
    """Why bubblewrap cannot be tried here; None where it can."""
    program = shutil.which(sandbox.PROGRAM)
    if program is None:
        return "bwrap is not installed"
    tried = subprocess.run([program, "--ro-bind", "/", "/", "true"], capture_output=True)
    return None if tried.returncode == 0 else f"bwrap cannot be used: {tried.stderr.decode()}"


class Person:
    """A home folder with keys, CLIs and workflows in it, and a work dir."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / "work"
        self.state = root / ".perles"
        self.session = self.state / "sessions" / "work" / "day" / "wf-a" / "worker-1"
        self.other = self.session.with_name("coordinator")
        for file, text in {
            ".bashrc": "mine",
            ".ssh/id": KEY,
            ".docker/config.json": KEY,
            ".git-credentials": KEY,
            ".config/perles/config.yaml": KEY,
            ".claude.json": "{}",
            ".claude/settings.json": "mine",
            ".claude/.credentials.json": "login",
            ".claude/commands/x.md": "mine",
            ".codex/config.toml": "mine",
            ".codex/auth.json": "login",
            ".gemini/settings.json": "mine",
            ".gemini/oauth_creds.json": "login",
            ".config/opencode/opencode.json": "mine",
            ".local/share/opencode/auth.json": "login",
            ".local/share/opencode/bin/rg": "mine",
            ".config/amp/settings.json": "mine",
            ".perles/perles.db": "mine",
            "work/.perles/config.yaml": "mine",
        }.items():
            self.write(root / file, text)
        for folder in (self.session, self.other):
            self.write(folder / "token", f"token of {folder.name}")
            self.write(folder / "turn-1.err", "")
        self.files = self.snapshot()

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def snapshot(self) -> dict[str, str]:
        """What every file holds, but for what the agent may change."""
        free = (self.session / "cli", self.root / ".claude" / "projects")
        return {
            str(path): str(path.readlink()) if path.is_symlink() else path.read_text()
            for path in sorted(self.root.rglob("*"))
            if path.is_symlink() or path.is_file()
            if not any(path.is_relative_to(folder) for folder in free)
        }

    def inside(
        self, command: str, work_dir: Path | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the sandboxed agent would."""
        known = {"PATH": os.environ["PATH"], "HOME": str(self.root), **environ}
        launch = sandbox.wrapped(
            Launch(argv=["/bin/sh", "-c", command]),
            "bubblewrap",
            work_dir=work_dir or self.work,
            session=self.session,
            state=self.state,
            environ=known,
        )
        return subprocess.run(
            launch.argv,
            env={**known, "S": str(self.session), "O": str(self.other), "P": str(self.state)},
            cwd=work_dir or self.work,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def person() -> Iterator[Person]:
    """FileLookups of /tmp, which the sandbox hides as a whole."""
    if why := no_sandbox():
        pytest.skip(f"the sandbox is not tested here: {why}")
    folder = tempfile.mkdtemp(prefix=".perles-test-", dir=Path.home())
    try:
        yield Person(Path(folder))
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "attempt",
    [
        "echo x >> ~/.bashrc",
        "cat ~/.ssh/id ~/.docker/config.json ~/.git-credentials ~/.config/perles/* | grep .",
        "ls $P/perles.db",
        "cat $O/token",
        "echo x > $S/token",
        "rm $S/turn-1.err",
        "ln -s ~/.ssh/id $S/turn-2.err",
        "ln -s ~/.bashrc $S/turn-2.out && echo x >> $S/turn-2.out",
        "mkfifo $S/turn-2.in",
        "echo x > .perles/config.yaml",
        "mv .perles old",
        "rm -rf .perles/config.yaml",
        "kill -0 $PPID && test $PPID -gt 2",
        "umount ~/.ssh && cat ~/.ssh/id",
        "unshare -Urm sh -c 'umount ~/.ssh && cat ~/.ssh/id'",
        "echo x > ~/.claude/settings.json",
        "mv ~/.claude/settings.json ~/.claude/old",
        "echo x > ~/.claude/commands/y.md",
        "echo x > ~/.codex/config.toml",
        "echo x > ~/.gemini/settings.json",
        "echo x > ~/.config/opencode/opencode.json",
        "echo x > ~/.local/share/opencode/bin/rg",
        "echo x > ~/.config/amp/settings.json",
    ],
)
def test_an_attempt_fails_and_leaves_all_as_it_was(person: Person, attempt: str) -> None:
    result = person.inside(attempt)
    assert result.returncode != 0, result.stdout
    assert person.snapshot() == person.files


@pytest.mark.parametrize(
    "attempt",
    [
        "echo '{\"hooks\": 1}' > ~/.claude/settings.local.json",
        "mkdir -p ~/.codex/hooks && echo x > ~/.codex/hooks.json",
        "echo x > ~/.claude.json",
        "echo x > ~/.gemini/.env",
        "ln -s ~/.bashrc ~/.claude/hooks",
    ],
)
def test_what_an_agent_sets_for_its_cli_holds_for_itself_alone(
    person: Person, attempt: str
) -> None:
    assert person.inside(attempt).returncode == 0
    assert person.snapshot() == person.files
    assert person.inside("true").returncode == 0
    assert person.snapshot() == person.files


def test_an_agent_has_its_work_dir_its_login_and_its_sessions(person: Person) -> None:
    result = person.inside(
        "echo done > here && cat ~/.claude/.credentials.json ~/.codex/auth.json $S/token "
        "&& echo new > ~/.claude/.credentials.json && echo said > ~/.claude/projects/one.jsonl "
        "&& cat ~/.claude/settings.json && echo x > /tmp/x"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["loginlogintoken of worker-1mine"]
    assert (person.work / "here").read_text() == "done\n"
    assert (person.root / ".claude/.credentials.json").read_text() == "new\n"
    assert (person.root / ".claude/projects/one.jsonl").read_text() == "said\n"


def test_a_work_dir_without_settings_gets_none(person: Person) -> None:
    shutil.rmtree(person.work / ".perles")
    result = person.inside("mkdir -p .perles && echo x > .perles/config.yaml")
    assert result.returncode != 0
    assert not (person.work / ".perles" / "config.yaml").exists()


def test_a_work_dir_that_is_the_home_shows_no_keys(person: Person) -> None:
    attempts = "cat ~/.ssh/id; cat ~/.perles/perles.db; cat $O/token; echo x > $S/token"
    result = person.inside(f"{attempts}; echo x > ~/.claude/settings.json", person.root)
    assert result.stdout == ""
    assert person.snapshot() == person.files
    with pytest.raises(UsageError, match="it hides that folder"):
        person.inside("true", person.root / ".ssh")


def test_no_socket_leads_out(person: Person) -> None:
    with socket.socket(socket.AF_UNIX) as agent:
        path = person.root / "agent.sock"
        agent.bind(str(path))
        agent.listen()
        script = f'test -z "$SSH_AUTH_SOCK$DOCKER_HOST" && test ! -S {path} && ls -A /run /var/run'
        result = person.inside(
            script, SSH_AUTH_SOCK=str(path), DOCKER_HOST="unix:///run/docker.sock"
        )
    assert result.returncode == 0, result.stderr
    assert "docker" not in result.stdout
    assert "user" not in result.stdout.split()
