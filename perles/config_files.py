"""Where the configuration stands: found without reading it, which keeps starting quick."""

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs


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
    named = config_file or _named_file(environ)
    if named is not None:
        return [named]
    repo = repo_of(work_dir or Path.cwd())
    candidates = [user_file(environ)]
    if repo is not None:
        candidates.append(repo / ".perles" / "config.yaml")
    return [path for path in candidates if path.is_file()]


def _named_file(environ: Mapping[str, str]) -> Path | None:
    name = environ.get("PERLES_CONFIG")
    return Path(name) if name else None


def user_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's own configuration file."""
    base = environ.get("XDG_CONFIG_HOME")
    root = Path(base) / "perles" if base else platformdirs.user_config_path("perles")
    return root / "config.yaml"


def repo_of(work_dir: Path) -> Path | None:
    """The nearest folder from `work_dir` up with `.git` or `.perles`; never the user's home."""
    for folder in (work_dir.absolute(), *work_dir.absolute().parents):
        if folder == Path.home():
            return None
        if (folder / ".git").exists() or (folder / ".perles").is_dir():
            return folder
    return None
