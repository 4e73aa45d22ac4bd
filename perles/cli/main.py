"""The console entry point, its fast path, and the one place where errors become exit codes.

Commands that are used often are parsed without Typer where their flags are plain and known
(`quick_options.py`): importing it alone costs as much as answering. Whatever is not understood
there (help, mistakes, everything else) goes the ordinary way.
"""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from perles.cli import streams
from perles.cli.quick_options import parse
from perles.domain.errors import PerlesError, UsageError
from perles.domain.plain import is_text
from perles.domain.text import clean

_DRIVERS: Final = ("sqlite3", "_sqlite3", "pysqlite3")
_FIRST_COLLECTION: Final = 100_000
"""Objects from which on cycles are looked for: twice of what creating a workflow makes."""


def main() -> None:
    """Run the command line and exit with its code."""
    collect_late()
    streams.settle()
    code = guarded(lambda: _dispatch(sys.argv[1:]))
    # Looking for cycles in what goes away with the process would take as long as most commands.
    gc.freeze()
    sys.exit(code)


def collect_late() -> None:
    """Look for cycles first when a command turns out to be a long one, then as Python does.

    What modules make as they are imported stays: looking through it again and again would be a
    twelfth of what a short command costs.
    """
    usual = gc.get_threshold()

    def settle(phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            gc.set_threshold(*usual)
            gc.callbacks.remove(settle)

    gc.callbacks.append(settle)
    gc.set_threshold(_FIRST_COLLECTION, *usual[1:])


def guarded(work: Callable[[], int]) -> int:
    """`work`'s exit code, or that of the error it ends with, which is told in a line or two."""
    try:
        code = work()
        sys.stdout.flush()
        return code
    except PerlesError as error:
        print(f"perles: {clean(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if not streams.cannot_print(error):
            return _without_folder() or _internal_error(error)
        if isinstance(error, BrokenPipeError):
            return 0  # the reader went away, as `head` does
        print(f"perles: cannot write: {error.strerror}; make room there", file=sys.stderr)
        return 1
    except OverflowError as error:
        if not any(word in str(error) for word in ("SQLite", "for the database")):
            return _internal_error(error)
        print("perles: cannot use so large a number; the largest is 2^63 - 1", file=sys.stderr)
        return UsageError.exit_code
    except Exception as error:  # noqa: BLE001 - the last boundary: the trace is kept in a file
        return _database_failed(error) or _internal_error(error)


def _dispatch(argv: Sequence[str]) -> int:
    _refuse_bytes(argv)
    if argv and argv[0] == "__complete":
        from perles.cli.completing import run

        return run(argv[1:])
    if argv and argv[0] in ("--show-completion", "--install-completion"):
        return _completion(argv)
    argv = _configured(argv)
    options = parse(argv)
    if options is not None and argv[0] == "dashboard":
        return _dashboard(options)
    if options is not None:
        return _run(argv[0], options)
    if not argv or list(argv) in (["--help"], ["-h"]):
        from perles.cli.root import root_help, short_help

        sys.stdout.write(root_help() if argv else short_help())
        return 0 if argv else UsageError.exit_code
    from perles.cli.app import run_app

    return run_app(list(argv))


def _completion(argv: Sequence[str]) -> int:
    """Print, or install, what completes in a shell: the one that is named, or the person's."""
    from perles.cli import shells

    if len(argv) > 2:
        raise UsageError(f"cannot use {argv[2]!r} here: perles {argv[0]} [SHELL]")
    shell = argv[1] if len(argv) == 2 else shells.shell_here()
    if argv[0] == "--install-completion":
        print(shells.install(shell))
    else:
        print(shells.script(shell), end="")
    return 0


def _configured(argv: Sequence[str]) -> list[str]:
    """The command line without `--config FILE`, which may stand anywhere before a `--`."""
    end = argv.index("--") if "--" in argv else len(argv)
    for place, word in enumerate(argv[:end]):
        name, equals, file = word.partition("=")
        if name == "--config":
            if not equals and place + 1 >= end:
                raise UsageError("cannot use --config without a file: --config FILE")
            os.environ["PERLES_CONFIG"] = os.path.abspath(file if equals else argv[place + 1])
            return [*argv[:place], *argv[place + (1 if equals else 2) :]]
    return list(argv)


def _refuse_bytes(argv: Sequence[str]) -> None:
    """Neither the database nor JSON takes what is no text. Raises `UsageError`."""
    for word in argv:
        if not is_text(word):
            raise UsageError(f"cannot use argument {word!r}: it is not UTF-8; write it in UTF-8")


def _run(verb: str, options: dict[str, Any]) -> int:
    if verb == "create":
        from perles.cli import create

        create.run(create.CreateOptions.of(**options))
        return 0
    if verb == "run":
        from perles.cli import run

        return run.run(run.RunOptions.of(**options))
    _read(verb, options)
    return 0


def _read(verb: str, options: dict[str, Any]) -> None:
    from perles.config.home import Paths, home

    paths = Paths(home(os.environ))
    if verb == "list":
        from perles.cli import list as listing

        listing.run(listing.ListOptions(**options), paths)
    elif verb == "show":
        from perles.cli import show

        show.run(show.ShowOptions(**options), paths)
    elif verb == "resources":
        from perles.cli import resources

        resources.run(resources.ResourceOptions(**options), paths)
    else:
        from perles.cli import events

        events.run(events.EventOptions(**options), paths)


def _dashboard(given: dict[str, Any]) -> int:
    from perles.dashboard.start import Options, start

    engine = not given.pop("no_engine", False)
    return start(Options(**given, engine=engine))


def _database_failed(error: Exception) -> int:
    """Tell what the database's driver raised, and give the exit code; 0 for all else."""
    cause = getattr(error, "orig", None) or error  # SQLAlchemy wraps it
    if type(cause).__module__.partition(".")[0] not in _DRIVERS:
        return 0
    from perles.config.home import Paths, home
    from perles.controlplane.quick import Reads

    told = Reads(Paths(home(os.environ))).database_error(cause)
    print(f"perles: {clean(str(told))}", file=sys.stderr)
    return told.exit_code


def _without_folder() -> int:
    """The exit code where the current folder was deleted, which is told; 0 where it is there."""
    try:
        os.getcwd()
    except OSError:
        print(
            "perles: cannot work here: the current folder was deleted; cd to an existing one",
            file=sys.stderr,
        )
        return UsageError.exit_code
    return 0


def _internal_error(error: Exception) -> int:
    import traceback

    from perles.config.home import Paths, home

    note = ""
    try:
        path = Paths(home(os.environ)).crash_log()
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(fd, "w") as file:
            traceback.print_exception(error, file=file)
        note = f"; the details are in {path}"
    except OSError as failure:
        note = f"; the details could not be kept in {path}: {failure.strerror}"
    print(f"perles: internal error: {clean(repr(error))[:300]}{note}", file=sys.stderr)
    return 1
