"""Where the configuration stands: found without reading it, which keeps starting quick."""

import os
from collections.abc import Mapping
from pathlib import Path

from perles.config.home import own_config, user_home
from perles.domain.errors import UsageError


def is_default(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether neither a file nor a variable sets anything here."""
    if any(name.startswith("PERLES_") and "__" in name for name in environ):
        return False
    return not files(environ=environ)


def files(
    *,
    config_file: Path | None = None,
    work_dir: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> list[Path]:
    """The files that are read, the weakest first. One that was named must exist."""
    own = own_files(config_file=config_file, environ=environ)
    repo = repo_file(config_file=config_file, work_dir=work_dir, environ=environ)
    return own if repo is None else [*own, repo]


def own_files(
    *, config_file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> list[Path]:
    """The file that was named, else the user's own where it is there."""
    named = config_file or _named_file(environ)
    candidates = [user_file(environ)]
    return [named] if named is not None else [path for path in candidates if path.is_file()]


def repo_file(
    *,
    config_file: Path | None = None,
    work_dir: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Path | None:
    """The repository's file, where it has one, and none was named instead."""
    if config_file or _named_file(environ):
        return None
    repo = repo_of(work_dir or current_folder())
    found = None if repo is None else repo / ".perles" / "config.yaml"
    return found if found is not None and found.is_file() else None


def current_folder() -> Path:
    """The current folder. Raises `UsageError` where it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "cannot work here: the current folder was deleted; cd to an existing one"
        ) from None


def _named_file(environ: Mapping[str, str]) -> Path | None:
    name = environ.get("PERLES_CONFIG")
    return Path(name) if name else None


def user_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's own configuration file."""
    return Path(own_config(environ))


def repo_of(work_dir: Path) -> Path | None:
    """The nearest folder from `work_dir` up with `.git` or `.perles`; never the user's home."""
    own, start = str(user_home(os.environ)), str(work_dir.absolute())
    folder, above = start, ""
    while folder not in (own, above):
        # As texts: a path object for each place would take five times as long.
        if os.path.exists(f"{folder}/.git") or os.path.isdir(f"{folder}/.perles"):  # noqa: PTH112
            return Path(folder)
        folder, above = os.path.dirname(folder), folder  # noqa: PTH120
    return None
