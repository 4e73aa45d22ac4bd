"""Killed at random instants, several times: nothing lost, nothing doubled, nothing left behind."""

import pytest

from tests.crash.storm import Storm
from tests.crash.world import World


@pytest.mark.afresh
@pytest.mark.parametrize("seed", range(3))
def test_engines_that_are_killed_again_and_again(storm: World, seed: int) -> None:
    assert Storm(storm, seed, kills=5, modes=("engine",)).run()


@pytest.mark.parametrize("seed", range(10, 17))
def test_engines_agents_and_launchers_that_are_killed(storm: World, seed: int) -> None:
    assert Storm(storm, seed, kills=6).run()
