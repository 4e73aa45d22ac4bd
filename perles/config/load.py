"""One typed configuration out of files and the environment.

The file is `--config FILE` or `PERLES_CONFIG`, else `<repo>/.perles/config.yaml`
over `~/.config/perles/config.yaml`; variables `PERLES_…` are over the files. Each
setting knows where it came from. What is wrong in any of them is a `UsageError`
that names file, line and the nearest key.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.config import cluster, providers, rendering, theme, yamlfile
from perles.config.database import VARIABLE
from perles.config.files import own_files, repo_file
from perles.config.home import home as home_of
from perles.config.keys import IGNORED, OPTIONS, RESOURCE, TABLE, Option
from perles.config.model import (
    Config,
    DatabaseChoice,
    Environment,
    HealthPolicy,
    Http,
    Limits,
    Notify,
    ResourcePolicy,
    Retention,
    Team,
    TemplateSettings,
    Timeouts,
    Worktrees,
    WorktreeSpace,
)
from perles.config.provider_settings import Providers
from perles.config.theme import Theme
from perles.config.trust import Repository, Unused
from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest


class Setting(NamedTuple):
    """One setting: its dotted key, its value as one writes it, and where it came from."""

    key: str
    value: str
    origin: str


_PREFIX: Final = "PERLES_"


class _Found(NamedTuple):
    option: Option | None
    node: Node
    origin: str


def load(
    *,
    config_file: Path | None = None,
    work_dir: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> Config:
    """The configuration that holds for somebody in `work_dir`. Raises `UsageError`.

    `home` is the home folder that keeps which repositories' files are trusted.
    """
    repository = _repository(config_file, work_dir, environ, home)
    return _build(_collect(config_file, environ, repository), repository)


def load_for_engine(
    *, config_file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Config:
    """The configuration without that of any repository. Raises `UsageError`."""
    return _build(_collect(config_file, environ, None))


def unused(
    *,
    config_file: Path | None = None,
    work_dir: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> list[Unused]:
    """What of the repository's file does not count there. Raises `UsageError`."""
    repository = _repository(config_file, work_dir, environ, home)
    _collect(config_file, environ, repository)
    return repository.unused if repository is not None else []


def explain(
    *,
    config_file: Path | None = None,
    work_dir: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> list[Setting]:
    """Every setting with its value and where it came from. Raises `UsageError`."""
    repository = _repository(config_file, work_dir, environ, None)
    found = _collect(config_file, environ, repository)
    config = _build(found)
    who = [
        Setting(
            key,
            rendering.shown(found[key].node.plain()) if key in found else "-",
            found[key].origin if key in found else "default",
        )
        for key in _who(found)
    ]
    return who + [
        Setting(
            key,
            rendering.written(getattr(getattr(config, option.section), option.field)),
            found[key].origin if key in found else "default",
        )
        for key, option in OPTIONS.items()
    ]


def _who(found: Mapping[str, _Found]) -> list[str]:
    """The keys that say who runs agents: those of a file to start with, and what is set."""
    first = [f"orchestration.{name}" for name in rendering.WHO]
    return first + sorted(key for key in found if key in providers.KEYS and key not in first)


def ignored_keys(paths: list[Path]) -> list[str]:
    """`file:line: key` of every key that is accepted and has no effect."""
    found = []
    for path in paths:
        for key, node in _leaves(yamlfile.read(path), ""):
            if key in IGNORED:
                found.append(f"{node.where}: {key}")
            elif key == "theme.colors":
                found += [f"{one.where}: {key}.{name}" for name, one in theme.unused(node)]
    return found


def render_default(*, for_repository: bool) -> str:
    """A configuration file with every key, commented out, its default and its meaning.

    A repository's file sets only the keys that count there.
    """
    default = Config()
    return rendering.render(
        {
            key: rendering.written(getattr(getattr(default, option.section), option.field))
            for key, option in OPTIONS.items()
        },
        for_repository=for_repository,
    )


def _repository(
    config_file: Path | None, work_dir: Path | None, environ: Mapping[str, str], home: Path | None
) -> Repository | None:
    file = repo_file(config_file=config_file, work_dir=work_dir, environ=environ)
    if file is None:
        return None
    text = yamlfile.read_text(file)
    return Repository(file, text, home or home_of(environ), _default_of)


def _default_of(option: Option) -> object:
    return getattr(getattr(Config(), option.section), option.field)


def _collect(
    config_file: Path | None, environ: Mapping[str, str], repository: Repository | None
) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for path in own_files(config_file=config_file, environ=environ):
        for key, node in _leaves(yamlfile.read(path), ""):
            _take(found, key, node)
    if repository is not None:
        _take_repository(found, repository)
    for name, key in _variables(environ).items():
        node = Node(environ[name], f"environment variable {name}", 0, key)
        origin = _origin(f"environment {name}", found.get(key))
        found[key] = _Found(OPTIONS[key], node, origin)
    return found


def _take(found: dict[str, _Found], key: str, node: Node) -> None:
    """Put a setting over what was found before."""
    if key in IGNORED:
        return
    before = found.get(key)
    origin = _origin(node.where, before)
    if before is not None and key in providers.SECTIONS:
        node = providers.over(node, before.node)
    found[key] = _Found(OPTIONS.get(key), node, origin)


def _take_repository(found: dict[str, _Found], repository: Repository) -> None:
    before = dict(found)
    for key, node in _leaves(yamlfile.parse(repository.text, str(repository.file)), ""):
        admitted = repository.admit(key, node) if key not in IGNORED else None
        if admitted is not None:
            _take(found, key, admitted)
    nodes = {key: one.node for key, one in found.items()}
    for key in list(repository.spare_unknown_clients(nodes)):
        found.pop(key)
        if key in before:
            found[key] = before[key]


def _origin(winner: str, loser: _Found | None) -> str:
    """Where a value came from, and over which others it won."""
    return winner if loser is None else f"{winner} over {loser.origin}"


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that set something, each with its key. `PERLES_` without `__` is no setting."""
    known = _keys_of_variables()
    found = {VARIABLE: "database"} if VARIABLE in environ else {}
    for name in environ:
        if name.startswith(_PREFIX) and "__" in name:
            if name not in known:
                raise UsageError(
                    f"cannot use environment variable {name}: unknown key{nearest(name, known)}"
                )
            found[name] = known[name]
    return found


@cache
def _keys_of_variables() -> dict[str, str]:
    """The key of each variable that sets one."""
    return {
        _PREFIX + key.removeprefix("orchestration.").replace(".", "__").upper(): key
        for key in OPTIONS
    }


def _leaves(node: Node, prefix: str) -> Iterator[tuple[str, Node]]:
    """Every setting below a node with its dotted key; an ignored branch is one leaf."""
    for name, child in node.mapping().items():
        key = f"{prefix}{name}"
        if key in IGNORED or key in OPTIONS or key in providers.KEYS:
            yield key, child
        elif any(option.startswith(f"{key}.") for option in OPTIONS):
            if child.value is not None:
                yield from _leaves(child, f"{key}.")
        else:
            raise child.error(f"unknown key{nearest(name, _names_below(prefix))}")


def _names_below(prefix: str) -> set[str]:
    """The names that may stand below a prefix."""
    return {
        key[len(prefix) :].partition(".")[0]
        for key in (*OPTIONS, *IGNORED, *providers.KEYS)
        if key.startswith(prefix)
    }


def _providers(found: Mapping[str, _Found], repository: Repository | None) -> Providers:
    nodes = {key: item.node for key, item in found.items() if item.option is None}
    file = None if repository is None else str(repository.file)
    return replace(providers.build(nodes), text=providers.kept(nodes, file))


def _build(found: Mapping[str, _Found], repository: Repository | None = None) -> Config:
    if not found and repository is None:
        return _default()
    return _built(found, repository)


@cache
def _default() -> Config:
    """The configuration where nothing is set: a program that creates many workflows asks often."""
    return _built({}, None)


def _built(found: Mapping[str, _Found], repository: Repository | None) -> Config:
    values: dict[str, dict[str, Any]] = {section: {} for section in TABLE}
    for option, node, _ in found.values():
        if option is not None:
            values[option.section][option.field] = option.read(node)
    config = Config(
        ResourcePolicy(**values["resource_policy"]),
        HealthPolicy(**values["health_policy"]),
        timeouts=Timeouts(**values["timeouts"]),
        limits=Limits(**values["limits"]),
        environment=Environment(**values["environment"]),
        team=Team(**values["team"]),
        templates=TemplateSettings(**values["templates"]),
        notify=Notify(**values["notify"]),
        retention=Retention(**values["retention"]),
        worktrees=Worktrees(**values["worktrees"]),
        worktree_space=WorktreeSpace(**values["worktree_space"]),
        http=Http(**values["http"]),
        cluster=cluster.Cluster(**values["cluster"]),
        database=DatabaseChoice(**values["database"]),
        theme=Theme(**values["theme"]),
        providers=_providers(found, repository),
    )
    policy = config.resource_policy
    if policy.port_range_start > policy.port_range_end:
        culprit = found.get(f"{RESOURCE}.port_range_end") or found[f"{RESOURCE}.port_range_start"]
        raise culprit.node.error(
            f"the port range {policy.port_range_start}-{policy.port_range_end} is empty; "
            "port_range_start must not be above port_range_end"
        )
    problem = cluster.problem_of(config.cluster)
    if problem:
        raise found[f"cluster.{config.cluster.kind}"].node.error(problem)
    return config


assert all(
    {one.name for one in fields(getattr(Config(), section))} == set(entries)
    for section, (_, entries) in TABLE.items()
)
