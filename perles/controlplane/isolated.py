"""Starts modules of Perles as processes that run no code of the current folder.

`python -m perles …` would look there first: a `signal.py` or `mcp.py` in it would run in place of
the real one. A process is started as `python -P isolated.py MODULE ARGUMENT…` instead, and finds
this very package, also where it is not installed.
"""

import os
import sys
from collections.abc import Mapping


def command(module: str, *arguments: str) -> list[str]:
    """The command line of a process that runs a module as `python -m` does."""
    return [sys.executable, "-P", os.path.abspath(__file__), module, *arguments]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for such a process: `PYTHONPATH` without what depends on the folder.

    An empty part, as in `PYTHONPATH=:/opt/lib`, means the current folder, too.
    """
    parts = environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = os.pathsep.join(part for part in parts if os.path.isabs(part))
    others = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    return others | ({"PYTHONPATH": kept} if kept else {})


def _start() -> None:
    import runpy
    from importlib.util import module_from_spec, spec_from_file_location

    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    spec = spec_from_file_location(
        "perles", f"{folder}/__init__.py", submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["perles"] = package = module_from_spec(spec)
    spec.loader.exec_module(package)
    del sys.argv[0]
    module = sys.argv[0]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _start()
