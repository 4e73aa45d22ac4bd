"""`make test` ends with this: the share of lines and branches that the tests reach, by package.

What counts is what runs in the process of a test, and in the engines and commands that tests
marked `measured` start. The others are not measured: it slows them.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

FLOORS = {"domain": 96, "engine": 89, "tasks": 93, "workflows": 94}
"""Per cent of each package below which the gate fails. Raise them to just below what the whole
suite reaches, which varies by half a per cent with the load of the machine."""
WORST = 12
"""Files that are named, those with most that is not reached."""


def main() -> int:
    """Print the shares; 1 where one is below its floor."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        report = [sys.executable, "-m", "coverage", "json", "-q", "-o", file.name]
        subprocess.run(report, check=True)
        files = json.load(file)["files"]
    reached: Counter[str] = Counter()
    there: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for name, found in files.items():
        if not name.startswith("perles/"):
            continue
        summary, package = found["summary"], Path(name).parts[1]
        there[package] += summary["num_statements"] + summary["num_branches"]
        reached[package] += summary["covered_lines"] + summary["covered_branches"]
        left[name] = summary["missing_lines"] + summary["missing_branches"]
    print("coverage of lines and branches, as far as it is measured:")
    shares = {name: 100 * reached[name] / there[name] for name in sorted(there)}
    for name, share in shares.items():
        print(f"  perles/{name:10} {share:5.1f} %   (floor {FLOORS[name]} %)")
    print("most is left in:")
    for name, lines in left.most_common(WORST):
        print(f"  {name} {lines}")
    below = [name for name, share in shares.items() if share < FLOORS[name]]
    if below:
        print(f"coverage fell below its floor: {', '.join(below)}", file=sys.stderr)
    return int(bool(below))


if __name__ == "__main__":
    sys.exit(main())
