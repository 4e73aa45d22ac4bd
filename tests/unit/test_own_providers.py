"""The providers that come with Perles are found without a look at all that is installed."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from perles.agents.provider import ENTRY_POINTS, OWN, find, installed
from perles.domain.errors import UsageError


def test_ours_are_those_that_the_package_declares() -> None:
    points = entry_points(group=ENTRY_POINTS)
    declared = {one.name: one.value for one in points if one.value.startswith("perles.")}
    assert dict(OWN) == declared
    assert set(OWN) <= set(installed())
    for name in set(OWN) - {"command"}:  # which is none by itself
        assert type(find(name)) is points[name].load()


def test_one_of_ours_needs_no_look_at_what_is_installed() -> None:
    code = (
        "import sys; from perles.agents.provider import find\n"
        "find('builtin'); assert 'importlib.metadata' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_one_is_told_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match=r"'claud'.*claude.*known are amp, builtin, claude"):
        find("claud")
