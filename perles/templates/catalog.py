"""The catalog: the templates that are there, and the plans they make.

Three roots, each over the ones before it: the templates of Perles, the
user's, the repository's. A template that cannot be read is listed as broken.
"""

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.domain.slug import slug
from perles.domain.specs import Plan
from perles.templates.pipeline import read_pipeline
from perles.templates.template import DOCUMENTS, Template

BUILTIN: Final = Path(__file__).with_name("builtin")
PIPELINE: Final = "pipeline"
NAME: Final = "template.yaml"
MAX_FOLDERS: Final = 10_000
"""Folders of a root that are looked into."""


def _of(source: str, root: Path) -> dict[str, Template]:
    """The templates below a root, by key."""
    found: dict[str, Template] = {}
    for path in sorted(_files(root)):
        for template in _read(path, source, root):
            if source == "builtin" or template.error is not None:
                found.setdefault(template.key, template)
            else:
                found[template.key] = template
    return found


def _is_folder(root: Path, key: str) -> bool:
    return key.replace("-", "_").isidentifier() and (root / key / NAME).is_file()


def _read(path: Path, source: str, root: Path) -> tuple[Template, ...]:
    """The templates of a file, read anew when it changed: a program creates many workflows."""
    try:
        there = path.stat()
    except OSError:
        return _as_it_is.__wrapped__(path, source, root, 0, 0)
    return _as_it_is(path, source, root, there.st_mtime_ns, there.st_size)


@lru_cache(maxsize=256)
def _as_it_is(
    path: Path, source: str, root: Path, _changed: int, _size: int
) -> tuple[Template, ...]:
    from perles.templates.template_file import read_what_can_be

    return tuple(read_what_can_be(path, source, root))


class Catalog:
    """Finds templates. `user` and `project` need not exist; `documents` is where documents lie."""

    def __init__(
        self,
        *,
        user: Path,
        project: Path | None,
        builtin: Path | None = None,
        documents: str = DOCUMENTS,
    ) -> None:
        self._roots = [("builtin", builtin or BUILTIN), ("user", user)]
        self._documents = documents
        if project is not None:
            self._roots.append(("project", project))

    def list(self) -> list[Template]:
        """All templates by key; one of a later root stands for one of an earlier, in its place."""
        found: dict[str, Template] = {}
        for source, root in self._roots:
            found |= _of(source, root)
        return list(found.values())

    def _known(self, key: str) -> Template | None:
        """The template of this key, where that is told without reading all that come with us."""
        for source, root in reversed(self._roots):
            if source != "builtin":
                found = _of(source, root).get(key)
            else:
                of_folder = _read(root / key / NAME, source, root) if _is_folder(root, key) else ()
                found = next((one for one in of_folder if one.key == key), None)
            if found is not None:
                return found
        return None

    def get(self, key: str) -> Template:
        """The template with this key. Raises `UsageError`."""
        template = self._known(key)
        if template is None:
            found = {template.key: template for template in self.list()}
            template = found.get(key) or found.get(slug(key))
        if template is None:
            raise UsageError(
                f"cannot find template {key!r}{nearest(key, found)}; "
                "perles templates list shows all"
            )
        if template.error is not None:
            raise UsageError(template.error)
        return template

    def _has_our_pipeline(self) -> bool:
        """Whether nobody put a template of their own in the place of ours."""
        (_, builtin), *others = self._roots
        return builtin == BUILTIN and not any(PIPELINE in _of(*other) for other in others)

    def plan(self, key: str, args: Mapping[str, str], *, name: str | None) -> Plan:
        """What the template makes of arguments. Raises `UsageError` that names the wrong one."""
        if key == PIPELINE and args.get("file", "").strip() and self._has_our_pipeline():
            file = Path(args["file"]).expanduser()
            return read_pipeline(file, {name: args[name] for name in args if name != "file"})
        from perles.templates.instantiate import plan_of

        template = self.get(key)
        return plan_of(template, args, name=name, documents=self._documents)


def _files(root: Path) -> Iterator[Path]:
    """Every template.yaml below a folder; links to folders are not followed."""
    for number, (folder, below, names) in enumerate(os.walk(root)):
        if number > MAX_FOLDERS:
            return
        below.sort()
        if NAME in names:
            yield Path(folder, NAME)
