"""Prints the table. `python -m tests.benchmarks.run [PART]…`, by their names below."""

import signal
import sys

from tests.benchmarks import (
    agents,
    api,
    branches,
    dashboard,
    fabric,
    fleet,
    health,
    http,
    nodes,
    pipelines,
    postgres,
    reading,
    real_agents,
    resources,
    running,
    supervising,
    templates,
    upkeep,
    writing,
)

PARTS = {
    "agents": agents,
    "reading": reading,
    "writing": writing,
    "running": running,
    "resources": resources,
    "supervising": supervising,
    "dashboard": dashboard,
    "upkeep": upkeep,
    "health": health,
    "fabric": fabric,
    "branches": branches,
    "http": http,
    "nodes": nodes,
    "fleet": fleet,
    "api": api,
    "templates": templates,
}
ON_DEMAND = {"real-agents": real_agents, "pipelines": pipelines, "postgres": postgres}
"""What is measured only when it is named."""


def main(chosen: list[str]) -> None:
    """Measure what was chosen, or everything, one row at a time."""
    # Who ends it wants nothing left behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"{'name':<46} {'value':>10}  {'unit':<12} goal")
    for name in chosen or PARTS:
        for row in {**PARTS, **ON_DEMAND}[name].rows():
            missed = "" if row.met() else "   missed"
            print(
                f"{row.name:<46} {row.value:>10.4g}  {row.unit:<12} {row.goal}{missed}", flush=True
            )


if __name__ == "__main__":
    main(sys.argv[1:])
