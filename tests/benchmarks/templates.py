"""Templates: how long it takes to read a catalog, and to create a workflow of many nodes.

What is measured is the processor's time, which other programs do not lengthen.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from perles.controlplane.plane import ControlPlane
from perles.domain.specs import WorkflowSpec
from perles.templates.catalog import Catalog
from tests.benchmarks.bench import Bench, Row, bench

TEMPLATES = 200
NODES = 100
TIMES = 5


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        root = home.root / "workflows"
        for number in range(TEMPLATES):
            _write(root / f"t{number}", f"t{number}", 5)
        catalog = Catalog(user=root, project=None)
        yield Row("catalog of 200 templates, loaded", _least(catalog.list), "ms", "<= 150")
    with bench() as home:
        _write(home.root / "workflows" / "large", "large", NODES)
        yield Row("create with 100 nodes, rendered and stored", _create(home), "ms", "<= 100")


def _write(folder: Path, key: str, nodes: int) -> None:
    """A template of that many nodes, each with a text of its own."""
    folder.mkdir(parents=True)
    lines = [
        "registry:",
        f"  - {{namespace: workflow, key: {key}, version: v1, name: {key}, workers: 4,",
        "     arguments: [{key: goal, label: Goal, type: text, required: true}],",
        "     nodes: [",
    ]
    for number in range(nodes):
        after = f", after: [n{number - 1}]" if number else ""
        text = f"n{number}.md"
        lines.append(f"       {{key: n{number}, name: Node {number}, template: {text}{after}}},")
        (folder / text).write_text("For {{.Args.goal}}:\n" + "Do it well.\n" * 20)
    (folder / "template.yaml").write_text("\n".join([*lines, "     ]}"]) + "\n")


def _least(work: Callable[[], object]) -> float:
    """The least of several times, in ms."""
    found = []
    for _ in range(TIMES):
        begun = time.process_time()
        work()
        found.append((time.process_time() - begun) * 1000)
    return min(found)


def _create(home: Bench) -> float:
    home.database()
    config = home.root / "config.yaml"
    config.write_text(
        "orchestration: {providers: {scripted: {type: command, argv: [cat], prompt: stdin}}}\n"
    )
    plane = ControlPlane(home.root, config_file=config)
    spec = WorkflowSpec(
        template_id="large",
        args={"goal": "speed"},
        coordinator="builtin",
        worker="scripted",
        work_dir=str(home.root),
    )
    plane.create(spec)
    return _least(lambda: plane.create(spec))
