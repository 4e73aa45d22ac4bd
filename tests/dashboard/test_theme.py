"""Colours: of the configuration, of the command line, and none."""

import pytest

from perles.config.theme import DARK, PRESETS, Theme
from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.state import State
from perles.dashboard.terminal.paint import Painter
from tests.dashboard.views import table
from tests.integration.cli import Home


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_every_colour(preset: str) -> None:
    assert PRESETS[preset].keys() == DARK.keys()
    _, frame = Composer().compose(State(), table(6, (120, 12)))
    assert Painter("256", Theme(preset)).text(frame).count("\x1b[") > 20


def test_a_colour_stands_in_for_that_of_the_preset() -> None:
    _, frame = Composer().compose(State(), table(6, (120, 12)))

    written = Painter("true", Theme("dark", {"state.pending": "#010203"})).text(frame)

    assert "38;2;1;2;3m○ pending" in written


def test_the_configuration_colours_the_dashboard_and_an_option_goes_before_it(home: Home) -> None:
    path = home.work / ".perles" / "config.yaml"
    path.parent.mkdir()
    path.write_text('theme: {colors: {border.highlight: "#010203"}}\n')
    home.environ |= {"FORCE_COLOR": "1", "COLORTERM": "truecolor"}

    configured = home.perles("dashboard", "--once").stdout
    light = home.perles("dashboard", "--once", "--theme", "light").stdout
    wrong = home.perles("dashboard", "--once", "--theme", "drak")

    assert "38;2;1;2;3m" in configured
    assert "38;2;1;2;3m" not in light
    assert (wrong.returncode, "did you mean 'dark'?" in wrong.stderr) == (2, True)
