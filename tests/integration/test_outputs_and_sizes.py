"""Outputs and scripts on their whole way: from one task's process into the next one's."""

from typing import Any

from tests.integration.cli import Home


def test_an_output_stays_text_in_the_next_command(home: Home) -> None:
    said = "$(touch one) `touch two` '; touch three; ' \"; touch four; \" \\ 5"
    (home.work / "said").write_text(said)
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "cat said"},
        {"key": "b", "run": 'printf %s "{{ tasks.a.output }}" > double', "after": ["a"]},
        {"key": "c", "run": "printf %s '{{ tasks.a.output }}' > single", "after": ["a"]},
        {"key": "d", "run": "cat > here <<EOF\n{{ tasks.a.output }}\nEOF\n", "after": ["a"]},
        {"key": "e", "run": "sh -c 'printf %s \"{{ tasks.a.output }}\"' > inner", "after": ["a"]},
        {"key": "f", "run": 'printf %s "$PERLES_OUTPUT_a" > named', "after": ["a"]},
    ]
    result = home.perles("run", home.pipeline("p", tasks))
    assert result.returncode == 0, result.stdout
    for name in ("double", "single", "here", "inner", "named"):
        assert (home.work / name).read_text().rstrip("\n") == said
    assert not [name for name in ("one", "two", "three", "four") if (home.work / name).exists()]


def test_a_nul_in_an_output_does_not_fail_the_next_task(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "printf 'a\\000b'"},
        {"key": "b", "run": 'printf %s "{{ tasks.a.output }}" > said', "after": ["a"]},
    ]
    result = home.perles("run", home.pipeline("p", tasks))
    assert result.returncode == 0, result.stdout
    assert (home.work / "said").read_text().startswith("a")


def test_a_place_where_no_text_is_safe_is_refused_with_its_line(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "echo x"},
        {"key": "b", "run": "eval {{ tasks.a.output }}", "after": ["a"]},
    ]
    path = home.pipeline("p", tasks)
    refused = home.perles("create", path)
    assert refused.returncode == 2
    assert "cannot fill in an output safely" in refused.stderr
    assert f"{path}:" in refused.stderr


def test_a_script_of_a_mebibyte_and_a_value_beyond_the_limits_run(home: Home) -> None:
    script = "echo begin\n" + ": of no use\n" * 90_000 + "echo ${#LARGE} $SMALL; ls /proc/self/fd\n"
    assert len(script) > 1024 * 1024
    env = {"LARGE": "it's " * 28_000, "SMALL": "small"}
    for shell in ("bash", "sh"):
        task = {"key": "a", "run": script, "env": env, "shell": shell}
        result = home.perles("run", home.pipeline(shell, [task]))
        assert result.returncode == 0, result.stdout
        (id,) = [one["id"] for one in home.json("list", "--all", "--json") if one["name"] == shell]
        lines = home.perles("logs", id, "--agent", "worker-1").stdout.splitlines()
        assert "140000 small" in [line.strip() for line in lines]
        assert {"0", "1", "2", "3"} >= {line.strip() for line in lines if line.strip().isdigit()}


def test_a_large_script_tells_how_it_ended(home: Home) -> None:
    path = home.pipeline("p", [{"key": "a", "run": "# no\n" * 40_000 + "exit 7\n"}])
    assert home.perles("run", path).returncode == 1
    assert "7" in home.perles("show", home.only()).stdout


def test_a_nul_in_a_file_is_refused(home: Home) -> None:
    path = home.work / "p.yaml"
    path.write_text('name: p\ntasks: [{key: a, run: "echo \\0"}]\n')
    refused = home.perles("create", path)
    assert refused.returncode == 2
    assert "NUL" in refused.stderr
