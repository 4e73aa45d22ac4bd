"""dir, dotenv and unset on their whole way, and `perles show --env`."""

from typing import Any

from tests.integration.cli import Home


def test_a_command_runs_where_and_with_what_its_file_says(home: Home) -> None:
    for name in ("web/app", "other"):
        (home.work / name).mkdir(parents=True)
    (home.work / ".env").write_text("PORT=8080\nAPI_KEY=very-secret-text\nWHO=dotenv\n")
    (home.work / "out").symlink_to("/")
    (home.work / "in").symlink_to("web")
    show = 'pwd; echo "$PORT ${#API_KEY} $WHO [${GONE-unset}]"; echo "$API_KEY"'
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": show, "dir": "web/app", "dotenv": [".env"], "env": {"WHO": "own"}},
        {"key": "b", "run": "pwd", "dir": "in"},
        {"key": "c", "run": "pwd", "dir": "out"},
        {"key": "d", "run": "pwd", "dir": "missing"},
        {"key": "e", "run": "rm .env", "after": ["a"]},
        {"key": "f", "run": "echo x", "after": ["e"], "dotenv": ".env"},
    ]
    home.environ["GONE"] = "here"
    path = home.pipeline("p", tasks, unset=["GONE"])
    assert home.perles("templates", "check", path).returncode == 0
    assert home.perles("run", path).returncode == 1
    shown = home.json("show", home.only(), "--json")
    found = {task["key"]: task for task in shown["tasks"]}
    assert found["a"]["output_tail"] == [
        str(home.work / "web/app"),
        "8080 16 own [unset]",
        "***",
    ]
    assert found["b"]["output_tail"] == [str(home.work / "web")]
    assert found["c"]["failure"] == "cannot run it: dir out is a link out of the work dir"
    assert "dir missing is no folder" in found["d"]["failure"]
    assert "there is no file" in found["f"]["failure"]
    assert "very-secret-text" not in home.perles("events", home.only(), "--json").stdout


def test_show_env_tells_all_but_secrets(home: Home) -> None:
    (home.work / ".env").write_text("A=1\n")
    env = {"PLAIN": "text", "DB_PASSWORD": "very-secret-text"}
    task = {"key": "a", "run": "x", "dir": "web", "dotenv": [".env"], "unset": ["B"], "env": env}
    id = home.perles("create", home.pipeline("p", [task])).stdout.strip()
    told = home.perles("show", id, "--env").stdout
    assert told.splitlines() == [
        "a",
        "  dir web",
        "  dotenv .env",
        "  unset B",
        "  DB_PASSWORD=***",
        "  PLAIN=text",
    ]
    surroundings = home.json("show", id, "--env", "--json")["tasks"][0]["surroundings"]
    assert surroundings["env"] == {"PLAIN": "text", "DB_PASSWORD": "***"}
