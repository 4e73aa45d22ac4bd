"""Starting the dashboard: on this terminal, or as one frame on standard output."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from perles.config import files
from perles.config.home import Paths, home
from perles.config.theme import PRESETS, Theme
from perles.controlplane import held_reads
from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.state import Detail, State, View
from perles.dashboard.reading.source import Source
from perles.dashboard.terminal.paint import Painter, colours_of
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.domain.text import clean

MAX_SIDE: Final = 1000


class Options(NamedTuple):
    """What was asked for on the command line."""

    once: bool = False
    width: int = 0
    height: int = 0
    no_color: bool = False
    svg: str | Path | None = None
    show: str | None = None
    engine: bool = True
    theme: str | None = None


def start(options: Options) -> int:
    """Run the dashboard; its exit code. Raises `UsageError` where there is no terminal for it."""
    theme = _theme(options.theme)
    paths = Paths(home(os.environ))
    state = _opened(State(), options.show, paths)
    if options.once or options.svg is not None:
        return _once(options, paths, theme, state)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "cannot show the dashboard: this is no terminal; "
            "perles dashboard --once prints one frame, perles list --watch --plain a list"
        )
    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError(
            "cannot show the dashboard on a dumb terminal: set TERM, "
            "or use perles list --watch --plain"
        )
    from perles.dashboard.app import App

    painter = Painter("none" if options.no_color else colours_of(os.environ), theme)
    return App(paths.root, paths.database_path(), painter, engine=options.engine, state=state).run()


def _theme(named: str | None) -> Theme:
    """The theme of the command line, else of the configuration. Raises `UsageError`."""
    if named is not None:
        if named not in PRESETS:
            raise UsageError(
                f"cannot use theme {named!r}{nearest(named, PRESETS)}; "
                f"it is one of {', '.join(PRESETS)}"
            )
        return Theme(named)
    if files.is_default():
        return Theme()  # reading it would cost a tenth of the time that starting may take
    from perles.config import load

    return load.load().theme


def _opened(state: State, ref: str | None, paths: Paths) -> State:
    """The state on one workflow's inside, where one is named. Raises `NotFoundError`."""
    if ref is None:
        return state
    workflow_id = held_reads.workflow_id(paths.database_path(), ref)
    return replace(state, screen="detail", detail=Detail(workflow_id))


def _once(options: Options, paths: Paths, theme: Theme, state: State) -> int:
    terminal = shutil.get_terminal_size()
    size = (options.width or terminal.columns, options.height or terminal.lines)
    for side in size:
        if not 1 <= side <= MAX_SIDE:
            raise UsageError(f"cannot draw a frame of {size[0]}x{size[1]}: 1 to {MAX_SIDE} a side")
    source = Source(paths.database_path())
    source.changed()
    view = source.view(state, View(), size)
    source.close()
    if source.error is not None:
        raise source.error
    _, frame = Composer().compose(state, view)
    if options.svg is not None:
        from perles.dashboard.terminal.picture import svg

        return _write(svg(frame, size, theme), Path(options.svg))
    plain = options.no_color or bool(os.environ.get("NO_COLOR"))
    if plain or not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        for given in frame.lines:
            print("".join(clean(segment.text) for segment in given).rstrip())
    else:
        print(Painter(colours_of(os.environ), theme).text(frame), end="")
    return 0


def _write(picture: str, path: Path) -> int:
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    return 0
