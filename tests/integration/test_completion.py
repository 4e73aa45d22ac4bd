"""What shells offer behind Tab, the man page, and --config wherever it stands."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from perles.cli import shells
from perles.cli.completing import VERB
from perles.cli.manual import manual
from perles.cli.root import ENTRIES
from tests.integration.cli import Home


def _offers(home: Home, *words: str) -> list[str]:
    done = home.perles(VERB, *words)
    assert done.returncode == 0, done.stderr
    return [line.partition("\t")[0] or line for line in done.stdout.splitlines()]


@pytest.fixture
def two(home: Home) -> tuple[str, str]:
    """A pending workflow with a label, and a stopped one."""
    file = home.pipeline("p", [{"key": "unit", "run": "true"}])
    one = home.perles("create", file, "--name", "nightly", "--label", "team=red").stdout.strip()
    other = home.perles("create", file, "--name", "old").stdout.strip()
    home.perles("stop", other)
    return one, other


def test_words_of_the_command_line(home: Home) -> None:
    assert _offers(home, "sta") == ["start"]
    assert set(_offers(home, "")) == ENTRIES.keys()
    assert _offers(home, "worktrees", "cl") == ["clean"]
    assert "--state" in _offers(home, "list", "--")
    assert _offers(home, "--config", "x.yaml", "rena") == ["rename"]
    assert _offers(home, "list", "--state", "run") == ["running"]
    assert _offers(home, "list", "--state", "running,pa") == ["running,paused"]
    assert _offers(home, "list", "--state=pa") == ["--state=paused"]
    assert "claude" in _offers(home, "providers", "test", "")
    assert _offers(home, "run", "--priority", "h") == ["high"]
    assert _offers(home, "list", "--columns", "id,sta") == ["id,state", "id,started"]
    assert _offers(home, "run", "pip") == ["\tfiles", "pipeline"]
    assert _offers(home, "nonsense", "") == _offers(home, "")


def test_providers_are_those_that_can_be_used(home: Home) -> None:
    home.config_file.write_text(
        "orchestration: {providers: {mycli: {type: command, argv: [mycli]}}}"
    )
    for words in (("run", "--worker"), ("providers", "test"), ("agent", "spawn", "--provider")):
        assert {"builtin", "claude", "mycli"} < set(_offers(home, *words, ""))
    assert _offers(home, "run", "--coordinator", "my") == ["mycli"]
    assert "command" not in _offers(home, "run", "--coordinator", "")

    home.config_file.write_text("orchestration: [")
    assert "claude" in _offers(home, "run", "--worker", "")


def test_the_value_of_an_option_that_stands_before_a_command(home: Home) -> None:
    assert _offers(home, "--config", "") == ["\tfiles"]
    assert _offers(home, "node", "--key", "") == ["\tfiles"]
    assert _offers(home, "node", "--slots", "") == []
    assert _offers(home, "node", "--slots", "2", "") == ["drain", "resume"]
    assert _offers(home, "nodes", "--watch", "") == ["drain", "resume"]


def test_tasks_and_agents_are_those_of_the_workflow_that_was_named(home: Home) -> None:
    ids = {}
    for key in ("unit", "lint"):
        file = home.pipeline(key, [{"key": key, "run": "true"}])
        ids[key] = home.perles("create", file).stdout.strip()
    home.perles("start", ids["unit"], "--with-engine")
    home.perles("wait", ids["unit"])

    assert _offers(home, "approve", ids["unit"], "") == ["unit"]
    assert _offers(home, "approve", "-m", "why", ids["lint"], "") == ["lint"]
    assert _offers(home, "logs", ids["unit"], "--agent", "w") == ["worker-1"]
    assert set(_offers(home, "agent", "stop", ids["unit"], "")) == {"coordinator", "worker-1"}
    assert _offers(home, "agent", "stop", ids["lint"], "") == []
    assert set(_offers(home, "approve", "nonsense", "")) == {"unit", "lint"}


def test_what_is_in_the_database(home: Home, two: tuple[str, str]) -> None:
    one, other = two

    assert set(_offers(home, "show", "wf-")) == {one, other}
    assert _offers(home, "show", "nig") == ["nightly"]
    assert _offers(home, "start", "wf-") == [one]
    assert _offers(home, "rm", one, "wf-") == [other]
    assert _offers(home, "list", "--label", "te") == ["team=red"]
    assert _offers(home, "approve", one, "un") == ["unit"]


def test_nothing_heavy_is_loaded_for_it(home: Home, two: tuple[str, str]) -> None:
    code = (
        "import sys; from perles.cli.main import _dispatch; "
        f"_dispatch(['{VERB}', 'logs', 'wf-']); print(*sys.modules, file=sys.stderr)"
    )
    done = home.run([sys.executable, "-c", code])

    assert two[0] in done.stdout
    heavy = {"typer", "click", "rich", "sqlalchemy", "yaml", "asyncio", "msgspec"}
    assert not heavy & set(done.stderr.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_one_of_its_shell(home: Home, shell: str) -> None:
    script = home.perles("--show-completion", shell).stdout
    home.environ["HOME"] = str(home.work)
    assert "wrote" in home.perles("--install-completion", shell).stdout
    assert script in [path.read_text() for path in home.work.rglob("*perles*") if path.is_file()]
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    checked = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("is_there", [True, False])
def test_the_package_that_bash_needs_is_named_where_it_lacks(
    is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = tmp_path if is_there else tmp_path / "nowhere"
    monkeypatch.setattr(shells, "BASH_COMPLETION", (str(place),))

    told = shells.install("bash")

    assert "wrote" in told
    assert ("package bash-completion" in told) != is_there


def test_bash_asks_and_quotes(home: Home, two: tuple[str, str]) -> None:
    home.perles("rename", two[0], "a b's")
    script = home.perles("--show-completion", "bash").stdout
    perles = " ".join(str(word) for word in home.argv())
    asked = (
        f'perles() {{ {perles} "$@"; }}\n{script}\n'
        "COMP_WORDS=(perles show a); COMP_CWORD=2; _perles; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
        'COMP_WORDS=(perles list --state p); COMP_CWORD=3; _perles; echo "${COMPREPLY[@]}"\n'
        'COMP_WORDS=(perles create p.y); COMP_CWORD=2; _perles; echo "${COMPREPLY[@]}"\n'
    )
    done = home.run(["bash", "-c", asked])

    assert done.stdout.splitlines() == ["a\\ b\\'s", "pending paused", "p.yaml"], done.stderr


def test_a_shell_that_is_not_known_is_told(home: Home) -> None:
    done = home.perles("--show-completion", "csh")

    assert (done.returncode, "name one of bash, zsh, fish" in done.stderr) == (2, True)


def test_the_man_page_has_every_command(tmp_path: Path) -> None:
    page = manual()

    for name in ENTRIES:
        assert f".SS perles {name}" in page
    assert ".SH EXIT STATUS" in page
    assert "<str>" not in page
    assert "…" not in page  # troff warns of it on a terminal without it
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    (tmp_path / "perles.1").write_text(page)
    shown = subprocess.run(
        ["man", "--warnings", "-l", str(tmp_path / "perles.1")], capture_output=True, text=True
    )
    assert "perles wait" in shown.stdout
    assert shown.stderr == ""


def test_config_may_stand_anywhere(home: Home) -> None:
    file = home.work / "own.yaml"
    file.write_text("orchestration: {limits: {max_review_rounds: 3}}\n")
    key = "orchestration.limits.max_review_rounds"

    for words in (
        ["--config", file, "config", "show", "--json"],
        ["config", "show", "--json", "--config", file],
        ["config", "show", f"--config={file}", "--json"],
    ):
        values = {one["key"]: one["value"] for one in home.json(*words)}
        assert values[key] == "3"
    assert home.perles("list", "--config").returncode == 2
