"""The files of docs/examples do what they say, as their users run them."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perles.templates.pipeline import read_pipeline
from tests.integration.cli import DEADLINE, Home

pytestmark = pytest.mark.measured

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
FILES = sorted(EXAMPLES.glob("*.yaml"))


@pytest.fixture
def there(home: Home) -> Home:
    """A home whose work dir has the examples, and a small project beside them."""
    for file in FILES:
        shutil.copy(file, home.work)
    for name, text in {
        "src/app.py": "def two() -> int:\n    return 2\n",
        "tests/test_app.py": (
            "import unittest\nfrom app import two\n\n\nclass Test(unittest.TestCase):\n"
            "    def test_two(self):\n        self.assertEqual(two(), 2)\n"
        ),
        "tests/unit/test_one.py": (
            "import os\nimport unittest\n\n\nclass Test(unittest.TestCase):\n"
            "    def test_ci(self):\n        self.assertEqual(os.environ['CI'], '1')\n"
        ),
        "pages/a & b.txt": "Tom & <Jerry>\n",
        "pages/news.txt": "$(touch pwned) `id` one two\n",
        "assets/site.css": "p { margin: 0 }\n",
    }.items():
        path = home.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return home


def _run(home: Home, *args: str) -> dict[str, dict[str, Any]]:
    """The tasks of a workflow that completed, by key."""
    result = home.perles("run", *args, "--json")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    ended = json.loads(result.stdout.splitlines()[-1])
    shown = home.json("show", ended["id"], "--json")
    return {task["key"]: task for task in shown["tasks"]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_is_a_plan(file: Path) -> None:
    assert read_pipeline(file).tasks


def test_the_demo_of_the_repository_completes(home: Home) -> None:
    programs = str(Path(sys.executable).parent)
    home.environ |= {"TMPDIR": str(home.work), "PATH": f"{programs}:{home.environ['PATH']}"}
    demo = EXAMPLES.parents[1] / "examples" / "demo.sh"
    done = subprocess.run(
        ["sh", str(demo)],
        cwd=demo.parents[1],
        env=home.environ,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "completed" in done.stdout


def test_everyday_commands_run_in_part_and_as_a_whole(there: Home) -> None:
    assert set(_run(there, "dev.yaml", "test")) == {"test"}

    found = _run(there, "dev.yaml", "--arg", "version=1.4.0")
    assert found["publish"]["status"] == "skipped"
    assert (there.work / "dist" / "app-1.4.0.tar.gz").exists()
    assert (there.work / "NOTES.md").read_text().startswith("# 1.4.0 (")

    (there.work / "src" / "app.py").write_text("def two() -> int:\n\treturn 3\n")
    result = there.perles("run", "dev.yaml", "--arg", "publish=yes")
    assert result.returncode == 1
    assert not (there.work / "releases").exists()


def test_a_site_has_its_pages_whatever_they_are_called(there: Home) -> None:
    (there.work / ".env").write_text("LANG=C\n")

    found = _run(there, "site.yaml", "--arg", "title=It's <new>", "--arg", "out=my site")

    site = there.work / "my site"
    names = {path.name for path in site.iterdir()}
    assert names == {"a & b.html", "news.html", "index.html", "site.css"}
    assert "<title>It&#x27;s &lt;new&gt;</title>" in (site / "news.html").read_text()
    assert "$(touch pwned)" in (site / "news.html").read_text()
    assert not (there.work / "pwned").exists()
    assert '<a href="a & b.html">' in (site / "index.html").read_text()
    assert found["check"]["output_tail"] == ["words: 8"]
    assert found["render"]["summary"] == "2 tasks done"


def test_a_matrix_runs_its_cells_and_the_report_comes_last(there: Home) -> None:
    found = _run(there, "ci.yaml")

    cells = {key: task for key, task in found.items() if key.startswith("test-")}
    assert set(cells) == {"test-python3-unit", "test-python3-slow", "test-python3-experimental"}
    assert found["style"]["status"] == "failed"
    assert found["wheel"]["status"] == "done"
    assert "passed-python3-unit" in found["report"]["output_tail"]
    assert (there.work / "build" / "package.tar").exists()


def test_a_scan_looks_at_each_address_once_and_goes_past_a_name_that_there_is_not(
    there: Home,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = _run(
            there,
            *("recon.yaml", "--arg", "hosts=localhost,127.0.0.1,no.such.host.invalid"),
            *("--arg", f"ports={port},1"),
        )

    assert found["resolve-no-such-host-invalid"]["status"] == "failed"
    made = [key for key in found if key.startswith("ports-")]
    assert len(made) == 1
    assert found["report"]["output_tail"] == ["1 open of 2 looked at"]
    lines = (there.work / "ports.txt").read_text().splitlines()
    assert {tuple(line.split()[1:]) for line in lines} == {
        ("127.0.0.1", "1", "closed"),
        ("127.0.0.1", str(port), "open"),
    }
