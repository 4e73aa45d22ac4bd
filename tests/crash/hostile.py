"""The hostile crew: `python -m tests.crash.hostile N [SEED]`.

Runs N workflows whose agents print, write, link, call and fork whatever may do harm,
beside innocent ones, and kills the engine now and then. After each round: the innocents
have completed, every hostile workflow has ended or can be stopped, the engine is the one
that was started, its descriptors and memory are flat, and the person's home is untouched.
"""

import hashlib
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import psutil
import yaml

from perles import WorkflowSpec
from perles.domain.errors import CommandFailedError
from perles.store import migrate
from perles.workspace.removal import remove_tree
from tests.crash.hostile_acts import ACTS, PRELUDE
from tests.crash.world import World, world
from tests.integration import cli
from tests.integration.cli import Home

ROOT: Final = Path(__file__).resolve().parents[2]
CREW: Final = 4
"""Hostile workflows in one round."""
INNOCENTS: Final = 2
TASKS: Final = 3
"""Tasks of an innocent workflow, one after the other."""
MOST_DESCRIPTORS: Final = 30
"""How many more than at the beginning the engine may have open between rounds."""
MOST_MEMORY: Final = 64 * 1024 * 1024
"""How many bytes more it may hold after hundreds of rounds."""
PATIENCE: Final = 20.0
"""Seconds that a hostile workflow has before a person stops it."""
SOAK_DEADLINE: Final = 900.0
"""Seconds that a soak waits for an innocent: on a busy machine its time as such says nothing, the
ratio to its quiet time does."""
KILL_EVERY: Final = 7
"""The engine is killed in each round of this number."""


@dataclass
class Crew:
    """One engine, its person's home, and what was seen so far."""

    made: World
    rng: Random
    outside: Path
    quiet: float = 0.0
    ratios: list[float] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    descriptors: list[int] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    kills: int = 0

    def begin(self) -> None:
        """Start the engine, and take the time that an innocent workflow needs alone."""
        self.made.serve()
        self.made.wait_for_engine()
        for _ in range(2):  # the first one waits for what the engine loads when it is needed
            begun = time.monotonic()
            self._need_completed([self._innocent(0)])
            self.quiet = time.monotonic() - begun
        self._measure()

    def round(self, number: int, crew: int = CREW, acts: tuple[str, ...] = ()) -> None:
        """Hostile workflows beside innocent ones. Raises `AssertionError`, naming the acts."""
        chosen = acts or tuple(self.rng.choices(sorted(ACTS), k=crew))
        before = _snapshot(self.outside)
        try:
            hostile = [self._hostile(place, act) for place, act in enumerate(chosen)]
            begun = time.monotonic()
            innocents = [self._innocent(place) for place in range(INNOCENTS)]
            if number % KILL_EVERY == KILL_EVERY - 1:
                self._kill()
            self._need_completed(innocents)
            self.ratios.append((time.monotonic() - begun) / self.quiet)
            for id in hostile:
                self._see_ended(id)
            self._check(hostile, before)
        except AssertionError as error:
            raise AssertionError(f"acts {chosen}: {error}") from None

    def _innocent(self, place: int) -> str:
        tasks: list[dict[str, Any]] = [
            {"key": f"t{n}", "run": "echo fine", **({"after": [f"t{n - 1}"]} if n else {})}
            for n in range(TASKS)
        ]
        return self._create(f"innocent-{place}", tasks)

    def _hostile(self, place: int, act: str) -> str:
        task = {"key": "act", "prompt": f"act: {act}", "worker": "hostile"}
        return self._create(f"hostile-{place}", [task])

    def _create(self, name: str, tasks: list[dict[str, Any]]) -> str:
        work = self.made.home.work / name
        work.mkdir(exist_ok=True)
        file = self.made.home.work / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"name": name, "workers": 1, "tasks": tasks}))
        spec = WorkflowSpec(template_id="pipeline", work_dir=str(work), args={"file": str(file)})
        id = self.made.plane.create(spec)
        self.made.plane.request(id, "start", {})
        return id

    def _kill(self) -> None:
        time.sleep(self.rng.uniform(0.0, 1.0))  # the instant is what is tried
        self.made.kill_engine()
        self.made.serve()
        self.made.wait_for_engine()
        self.kills += 1
        self.descriptors.clear()
        self.memory.clear()

    def _need_completed(self, ids: list[str]) -> None:
        for id in ids:
            self.made.wait_for_end(id)

    def _see_ended(self, id: str) -> None:
        """Wait for its end; a person stops what takes too long."""
        deadline = time.monotonic() + PATIENCE
        while self._is_open(id) and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._is_open(id):
            self._stop(id)
        state = self.made.state(id)
        self.ends[state] = self.ends.get(state, 0) + 1

    def _stop(self, id: str) -> None:
        try:
            self.made.plane.stop(id, force=True)
        except CommandFailedError:
            if self._is_open(id):
                raise  # else it ended by itself in that moment

    def _is_open(self, id: str) -> bool:
        return self.made.state(id) in ("pending", "running", "paused")

    def _check(self, hostile: list[str], before: dict[str, str]) -> None:
        engine = self.made.engine
        assert engine is not None
        assert engine.poll() is None, f"the engine ended: {self.made.log.read_text()[-3000:]}"
        assert _snapshot(self.outside) == before, "the person's home was touched"
        assert self.made.query("SELECT * FROM leases") == []
        for id in hostile:
            assert self.made.family(id) == [], f"{id} left processes"
        assert _hidden(self.made.home.root) == [], "a process that hid is left"
        self._measure()
        grown = self.descriptors[-1] - self.descriptors[0]
        assert grown <= MOST_DESCRIPTORS, f"{grown} more descriptors: {self.descriptors}"
        more = self.memory[-1] - self.memory[0]
        assert more <= MOST_MEMORY, f"{more >> 20} MiB more memory"

    def _measure(self) -> None:
        assert self.made.engine is not None
        process = psutil.Process(self.made.engine.pid)
        self.descriptors.append(process.num_fds())
        self.memory.append(process.memory_info().rss)


def settle(home: Home) -> Path:
    """A person's home that must stay as it is, and the hostile CLI; the home's folder."""
    outside = home.root.parent / "person"
    (outside / ".ssh").mkdir(parents=True)
    (outside / ".ssh" / "id_ed25519").write_text("a key\n")
    for name in (".bashrc", ".profile", ".gitconfig"):
        (outside / name).write_text(f"# {name}\n")
    cli = home.root.parent / "hostile-cli"
    cli.write_text(
        f"#!{sys.executable}\nROOT = {str(ROOT)!r}\n{PRELUDE}\nACTS = {ACTS!r}\n"
        "prompt = sys.stdin.read()\n"
        "for name, source in ACTS.items():\n"
        "    if f'act: {name}' in prompt.splitlines() or f'act: {name}' in prompt:\n"
        "        exec(source)\n"
        "        break\n"
    )
    cli.chmod(0o700)
    hostile = {
        "type": "command",
        "argv": [str(cli), "{mcp_config}"],
        "mcp": "json-file",
        "output": "jsonl",
        "paths": {
            "session_id": "id",
            "text": "text",
            "tokens_in": "usage.in",
            "tokens_out": "usage.out",
            "error": "error.message",
        },
    }
    config = home.root.parent / "perles.yaml"
    policy = {"max_workflows_running": 20, "max_workers": 40, "max_ai_calls": 20}
    config.write_text(
        yaml.safe_dump(
            {
                "orchestration": {
                    "providers": {"hostile": hostile},
                    "control_plane": {"resource_policy": policy},
                }
            }
        )
    )
    home.environ |= {"PERLES_CONFIG": str(config), "HOME": str(outside)}
    return outside


def _hidden(root: Path) -> list[str]:
    """Shells that an agent started without its environment and in a session of their own."""
    shells = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    return [" ".join(argv) for argv in shells if argv and f": {root}" in argv[-1]]


def _snapshot(folder: Path) -> dict[str, str]:
    """Every file below a folder, by path, with what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and ".perles" not in path.parts
    }


def main(wanted: int, seed: int) -> int:
    """Run until `wanted` hostile workflows have ended; the exit status."""
    cli.DEADLINE = SOAK_DEADLINE
    folder = Path(tempfile.mkdtemp(prefix="perles-hostile-"))
    home = Home(folder)
    home.root.mkdir(mode=0o700)
    outside = settle(home)
    migrate.ensure(home.database)
    begun = time.monotonic()
    with world(home) as made:
        crew = Crew(made, Random(seed), outside)
        try:
            crew.begin()
            for number in range((wanted + CREW - 1) // CREW):
                crew.round(number)
                if number % 10 == 9:
                    print(f"{(number + 1) * CREW} of {wanted}: {crew.ends}", flush=True)
        except AssertionError as error:
            print(f"seed {seed} failed; its home: {home.root}\n{error}")
            return 1
    minutes = (time.monotonic() - begun) / 60
    print(f"{sum(crew.ends.values())} hostile workflows in {minutes:.1f} min: {crew.ends}")
    print(f"{crew.kills} kills of the engine, which else stayed the one it was")
    print(f"innocents took {statistics.median(crew.ratios):.2f} x their quiet time (median)")
    print(f"descriptors {crew.descriptors[0]} -> {crew.descriptors[-1]}")
    print(f"memory {crew.memory[0] >> 20} -> {crew.memory[-1] >> 20} MiB")
    remove_tree(folder)  # which gets past a folder of 1,600 levels
    return 0


if __name__ == "__main__":
    first = int(sys.argv[2]) if len(sys.argv) > 2 else int.from_bytes(os.urandom(3), "big")
    sys.exit(main(int(sys.argv[1]), first))
