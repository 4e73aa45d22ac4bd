"""`perles dashboard` is started without Typer, and understood as Typer would."""

from pathlib import Path
from typing import Any

import pytest

from perles.cli import main, quick_options
from perles.cli.app import run_app
from perles.dashboard import start


@pytest.mark.parametrize(
    "line",
    [
        "dashboard",
        "dashboard --once --width 100 --height=30 --no-color",
        "dashboard --once --svg x.svg --theme light",
        "dashboard --show wf-abc --no-engine",
    ],
)
def test_both_ways_read_a_line_alike(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[start.Options] = []

    def begin(options: start.Options) -> int:
        seen.append(options)
        return 0

    monkeypatch.setattr(start, "start", begin)

    assert quick_options.parse(line.split()) is not None
    main._dispatch(line.split())
    run_app(line.split())

    short, long = (_plain(options) for options in seen)
    assert short == long


def _plain(options: start.Options) -> dict[str, Any]:
    return options._asdict() | {"svg": options.svg and Path(options.svg)}


@pytest.mark.parametrize("line", ["dashboard x", "dashboard --help", "dashboard --width x"])
def test_what_is_not_plain_goes_the_ordinary_way(line: str) -> None:
    assert quick_options.parse(line.split()) is None
