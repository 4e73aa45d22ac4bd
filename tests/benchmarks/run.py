"""Prints the table. `python -m tests.benchmarks.run [PART]…`, by the names in `PARTS`."""

import sys

from tests.benchmarks import (
    agents,
    dashboard,
    health,
    reading,
    resources,
    running,
    supervising,
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
    "health": health,
}


def main(chosen: list[str]) -> None:
    """Measure what was chosen, or everything, one row at a time."""
    print(f"{'name':<46} {'value':>10}  {'unit':<12} goal")
    for name in chosen or PARTS:
        for row in PARTS[name].rows():
            missed = "" if row.met() else "   missed"
            print(
                f"{row.name:<46} {row.value:>10.4g}  {row.unit:<12} {row.goal}{missed}", flush=True
            )


if __name__ == "__main__":
    main(sys.argv[1:])
