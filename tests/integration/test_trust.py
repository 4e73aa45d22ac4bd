"""A repository's configuration starts nothing, and loosens nothing, before the user trusts it."""

import json
import os
import pty
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from perles.config.provider_settings import Providers
from perles.config.providers import restored
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import Home
from tests.integration.scripted_cli import program
from tests.postgres.homes import kept_in


def _repository(home: Home, config: dict[str, Any], name: str = "repo") -> Path:
    """A repository with this configuration; its folder."""
    folder = home.work / name
    (folder / ".git").mkdir(parents=True)
    (folder / ".perles").mkdir()
    (folder / ".perles" / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def _in(home: Home, folder: Path, *args: str | Path) -> Any:
    """Run perles in a folder."""
    return home.run(["sh", "-c", 'cd "$0" && exec "$@"', str(folder), *home.argv(*args)])


def _evil(home: Home) -> tuple[Path, Path]:
    """A repository whose every program leaves a mark; and the mark."""
    mark = home.work / "mark"
    touch = program(home, "evil", f"open({str(mark)!r}, 'w')\n")
    config = {
        "notify": {"command": [touch], "events": ["*"]},
        "orchestration": {
            "claude": {"executable": touch, "model": "opus", "env": {"X": "y"}},
            "providers": {"mycli": {"type": "command", "argv": [touch]}},
            "sandbox": "none",
        },
    }
    return _repository(home, config), mark


def test_nothing_of_it_runs_unasked(home: Home) -> None:
    folder, mark = _evil(home)
    path = home.pipeline("p", [{"key": "a", "run": "true"}])
    for args in (["doctor"], ["providers"], ["run", path], ["config", "check"]):
        done = _in(home, folder, *args)
        assert done.returncode in (0, 1), done.stderr
    assert not mark.exists()


def test_doctor_and_config_tell_what_is_not_used_and_why(home: Home) -> None:
    folder, _ = _evil(home)
    shown = _in(home, folder, "config", "show", "--origin").stderr
    for key in ("orchestration.claude.executable", "orchestration.providers"):
        assert f"{key} is not used: not trusted; perles trust {folder}" in shown
    assert "notify.command is not used: it belongs to the engine" in shown
    assert "orchestration.claude.executable is not used" in _in(home, folder, "doctor").stdout
    assert "claude.model" not in shown


def test_trust_is_refused_in_a_pipe_and_lasts_until_the_file_changes(home: Home) -> None:
    folder, mark = _evil(home)
    refused = _in(home, folder, "trust", folder)
    assert refused.returncode == 2
    assert f"perles trust --yes {folder}" in refused.stderr
    assert _in(home, folder, "trust", "--yes", folder).returncode == 0
    assert "not trusted" not in _in(home, folder, "config", "show", "--origin").stderr
    _in(home, folder, "doctor")
    assert mark.exists()
    mark.unlink()
    file = folder / ".perles" / "config.yaml"
    file.write_text(file.read_text() + "# changed\n")
    assert "not trusted" in _in(home, folder, "config", "show", "--origin").stderr
    _in(home, folder, "doctor")
    assert not mark.exists()


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 2)])
def test_on_a_terminal_it_is_asked(home: Home, answer: bytes, code: int) -> None:
    folder, _ = _evil(home)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(home.argv()[0], home.argv("trust", folder), home.environ)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, answer)
    try:
        while os.read(terminal, 1000):
            pass
    except OSError:
        pass  # the other side is closed: it has ended
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code


def test_what_only_an_untrusted_file_describes_is_not_there(home: Home) -> None:
    folder, _ = _evil(home)
    path = home.pipeline("p", [{"key": "a", "prompt": "x", "worker": "mycli"}])
    done = _in(home, folder, "create", path)
    assert done.returncode == 2
    assert "mycli" in done.stderr
    assert "perles trust" in done.stderr


def test_a_workflow_has_the_providers_of_the_folder_where_it_was_created(home: Home) -> None:
    said = "print('done by mine')\n"
    mine = {"type": "command", "argv": [program(home, "mine", said)]}
    folder = _repository(home, {"orchestration": {"providers": {"mine": mine}}})
    assert _in(home, folder, "trust", "--yes").returncode == 0
    assert home.perles("serve", "--detach").returncode == 0
    path = home.pipeline("p", [{"key": "a", "prompt": "Say it.", "worker": "mine"}])
    done = _in(home, folder, "run", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "done by mine" in home.perles("logs", home.only(), "--raw").stdout


def test_a_retry_sets_up_agents_as_before_and_only_where_it_is_asked_as_now(home: Home) -> None:
    def set_up(exit_code: int) -> None:
        said = f"print('told {exit_code}')\nraise SystemExit({exit_code})\n"
        argv = [program(home, f"mine-{exit_code}", said)]
        providers = {"mine": {"type": "command", "argv": argv}}
        text = yaml.safe_dump({"orchestration": {"providers": providers}})
        home.config_file.write_text(text)

    set_up(1)
    path = home.pipeline("p", [{"key": "a", "prompt": "Say it.", "worker": "mine"}])
    assert home.perles("run", path).returncode == 1
    set_up(0)
    plain = home.perles("retry", home.only(), "--json")
    (new,) = [row["id"] for row in home.json("list", "--json") if row["state"] == "pending"]
    assert plain.returncode == 0
    assert home.perles("run", new).returncode == 1  # as it was

    assert home.perles("retry", new, "--reconfigure").returncode == 0

    (newest,) = [row["id"] for row in home.json("list", "--json") if row["state"] == "pending"]
    assert home.perles("run", newest).returncode == 0


def test_limits_of_a_repository_are_nobodys(home: Home) -> None:
    limits = {"control_plane": {"resource_policy": {"max_workers": 1, "max_workflows_running": 1}}}
    folder = _repository(home, {"orchestration": limits})
    assert _in(home, folder, "serve", "--detach").returncode == 0
    used = {one["resource"]: one["limit"] for one in home.json("resources", "--json")}
    assert used["workflows"] == 5


def test_secrets_of_providers_are_not_kept_with_a_workflow(home: Home) -> None:
    argv = [program(home, "mine", "import os; print(os.environ['MY_API_KEY'])\n")]
    mine = {"type": "command", "argv": argv, "env": {"MY_API_KEY": "sk-own-word", "A": "b"}}
    home.config_file.write_text(yaml.safe_dump({"orchestration": {"providers": {"mine": mine}}}))
    path = home.pipeline("p", [{"key": "a", "prompt": "Say it.", "worker": "mine"}])
    assert home.perles("create", path).returncode == 0
    kept = kept_in(home.root)
    assert b"sk-own-word" not in kept
    assert home.perles("run", home.only()).returncode == 0
    assert "sk-own-word" in home.perles("logs", home.only(), "--raw").stdout


def test_a_secret_in_a_trusted_repository_is_refused(home: Home) -> None:
    claude = {"env": {"ANTHROPIC_API_KEY": "sk-x"}}
    folder = _repository(home, {"orchestration": {"claude": claude}})
    assert _in(home, folder, "trust", "--yes").returncode == 0
    done = _in(home, folder, "config", "check")
    assert done.returncode == 2
    assert "a secret does not belong into a repository" in done.stderr


def test_providers_are_the_same_after_they_were_kept() -> None:
    assert restored('{"orchestration": {}}', Providers()) == Providers()


def test_a_task_whose_worker_can_never_be_had_fails_with_the_reason(home: Home) -> None:
    mine = {"type": "command", "argv": [program(home, "mine", "print(1)\n")]}
    home.config_file.write_text(yaml.safe_dump({"orchestration": {"providers": {"mine": mine}}}))
    tasks = [
        {"key": "a", "prompt": "Say it.", "worker": "mine"},
        {"key": "b", "run": "echo b > done"},
    ]
    id = home.perles("create", home.pipeline("p", tasks)).stdout.strip()
    with closing(dbapi.connect(home.database)) as connection, connection:
        (text,) = connection.execute("SELECT surroundings FROM workflows").fetchone()
        without = json.loads(text) | {"providers": json.dumps({"orchestration": {}})}
        connection.execute("UPDATE workflows SET surroundings = ?", (json.dumps(without),))
    done = home.perles("run", id)
    assert done.returncode == 1
    assert (
        "cannot ever spawn a worker of mine: cannot find provider 'mine'"
        in done.stdout + done.stderr
    )
    assert (home.work / "done").exists()
