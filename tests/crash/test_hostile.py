"""One short round of the hostile crew; `make soak-hostile` runs as many as one likes."""

from random import Random

from tests.crash.hostile import Crew, settle
from tests.crash.world import world
from tests.integration.cli import Home

ACTS = (
    "fifo for its errors",
    "victim for its next output",
    "zero for its token",
    "usage beyond any number",
    "half a surrogate pair",
    "a process that hides",
)


def test_hostile_agents_harm_nobody_but_their_own_workflow(home: Home) -> None:
    outside = settle(home)
    with world(home) as made:
        crew = Crew(made, Random(1), outside)
        crew.begin()

        crew.round(0, acts=ACTS)

        assert sum(crew.ends.values()) == len(ACTS)
