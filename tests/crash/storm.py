"""A storm: a workflow during which engine, agents and launchers are killed at random instants."""

import time
from dataclasses import dataclass, field
from random import Random

from tests.crash.world import World, agent_of, kill, tasks

TASKS = 10
RETRIES = 9
MODES = ("engine", "agent", "launcher", "engine and agent", "engine and launcher")


@dataclass
class Storm:
    """One seeded run. `killed` counts what was hit, by what it was."""

    world: World
    seed: int
    kills: int
    modes: tuple[str, ...] = MODES
    killed: dict[str, int] = field(default_factory=dict)

    def run(self) -> int:
        """Run it to its end and check everything; how many kills hit something."""
        rng = Random(self.seed)
        id = self.world.create(tasks(TASKS, seconds=0.2, retries=RETRIES), workers=3)
        self.world.serve()
        self.world.wait_for_engine()
        for _ in range(self.kills):
            time.sleep(rng.uniform(0.0, 0.7))  # the instant is what is tried, not waited for
            if self.world.state(id) not in ("pending", "running"):
                break
            self._strike(rng, rng.choice(self.modes))
        self.world.finish(
            id, killed_agents=self.killed.get("agent", 0) + self.killed.get("launcher", 0)
        )
        return sum(self.killed.values())

    def _strike(self, rng: Random, mode: str) -> None:
        if "agent" in mode or "launcher" in mode:
            self._strike_turn(rng, "agent" if "agent" in mode else "launcher")
        if "engine" in mode:
            self.world.kill_engine()
            self._count("engine")
            self.world.serve()
            if rng.random() < 0.5:
                self.world.wait_for_engine()

    def _strike_turn(self, rng: Random, what: str) -> None:
        launchers = self.world.launchers()
        if not launchers:
            return
        launcher = rng.choice(launchers)
        pid = launcher.pid if what == "launcher" else agent_of(launcher)
        if pid is not None and kill(pid):
            self._count(what)

    def _count(self, what: str) -> None:
        self.killed[what] = self.killed.get(what, 0) + 1
