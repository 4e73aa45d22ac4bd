"""The form for a new workflow. Pure: fields made from a template, keys, a checked spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final, NamedTuple

from perles.dashboard.model import editor
from perles.dashboard.model.editor import Editor
from perles.dashboard.terminal.keys import Key
from perles.domain.nearest import nearest
from perles.domain.records import dataclass

GOAL_KEY: Final = "goal"
"""The key of what takes the template's place where a goal is told in words."""
LISTS: Final = ("select", "multi-select")
_NO_LIMIT: Final = "0 or nothing: no limit"
_PROVIDER: Final = "provider or provider:model, such as claude:opus; nothing: as configured"
_MOST_WORKERS: Final = 99
_OF_TASKS: Final = ("name", "coordinator", "worker", "work_dir")
"""Fields of every workflow that its tasks, or who does them, depend on."""


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the form. A list's options are chosen by place; `at` is the one looked at."""

    key: str
    label: str
    kind: str = "text"
    required: bool = False
    help: str = ""
    options: tuple[str, ...] = ()
    editor: Editor = field(default_factory=Editor)
    chosen: frozenset[int] = frozenset()
    at: int = 0
    own: bool = False

    @property
    def value(self) -> str:
        """What is filled in, as the command line would have it."""
        if self.kind in LISTS:
            return ",".join(self.options[index] for index in sorted(self.chosen))
        return self.editor.text.strip()


class Preview(NamedTuple):
    """The tasks that a form would make, or why none: `of` is the sketch they were asked for."""

    of: Mapping[str, Any] | None = None
    tasks: Sequence[Mapping[str, Any]] | None = None
    error: str = ""
    asking: bool = False


NOT_ASKED: Final = Preview()


@dataclass(frozen=True, slots=True)
class Form:
    """The form: first a template is searched and chosen, then its fields are filled."""

    start: bool = False
    wanted: str = ""
    """The template that is chosen as soon as the templates are known."""
    templates: Sequence[Mapping[str, Any]] | None = None
    search: Editor = field(default_factory=Editor)
    cursor: int = 0
    template: Mapping[str, Any] | None = None
    fields: tuple[Field, ...] = ()
    focus: int = 0
    error: str = ""
    busy: bool = False
    providers: Mapping[str, str | None] = field(default_factory=dict)
    """What can lead and work, by name, with what keeps it from that; empty while not known."""
    preview: Preview = NOT_ASKED


def fits(form: Form) -> list[Mapping[str, Any]]:
    """The templates that the search leaves."""
    words = form.search.text.lower().split()
    return [
        template
        for template in form.templates or ()
        if all(word in f"{template['key']} {template['name']}".lower() for word in words)
    ]


def choose(form: Form, template: Mapping[str, Any], work_dir: str) -> Form:
    """The form of a template: its arguments, then what every workflow has."""
    if template.get("error"):
        return replace(form, error=str(template["error"]))
    fields = [_field(argument) for argument in template["arguments"]]
    fields += [
        Field("name", "Name", help="what to call it; the template knows one", own=True),
        _list("priority", "Priority", ("low", "normal", "high"), "normal"),
        Field("labels", "Labels", help="key=value, more after a comma", own=True),
        Field("token_budget", "Token budget", "number", help=_NO_LIMIT, own=True),
        Field("cost_budget", "Cost budget", "amount", help=f"in USD; {_NO_LIMIT}", own=True),
        Field("coordinator", "Coordinator", "provider", help=_PROVIDER, own=True),
        Field("worker", "Workers are", "provider", help=_PROVIDER, own=True),
        Field("workers", "Most workers", "number", help="at once; the template knows", own=True),
        Field("work_dir", "Work folder", editor=editor.of(work_dir), own=True),
        _list("worktree", "Worktree", tuple(_WORKTREE), _AS_TEMPLATE),
        Field("base_branch", "Base branch", help=_BASE, own=True),
        Field("git_branch", "Its branch", help=_BRANCH, own=True),
    ]
    return replace(
        form, template=template, fields=tuple(fields), focus=0, error="", preview=NOT_ASKED
    )


_AS_TEMPLATE: Final = "as the template says"
_WORKTREE: Final = {_AS_TEMPLATE: None, "yes": True, "no": False}
_BASE: Final = "where a worktree begins; else what is checked out"
_BRANCH: Final = "a new one, or one that exists; means a worktree, too"


def _list(key: str, label: str, options: tuple[str, ...], chosen: str) -> Field:
    at = options.index(chosen)
    return Field(key, label, "select", options=options, chosen=frozenset({at}), at=at, own=True)


def _field(argument: Mapping[str, Any]) -> Field:
    options = tuple(argument["options"])
    default = str(argument["default"])
    words = [word.strip() for word in default.split(",")]
    chosen = frozenset(index for index, option in enumerate(options) if option in words)
    if argument["type"] == "select" and not chosen and argument["required"]:
        chosen = frozenset({0})
    return Field(
        argument["key"],
        argument["label"],
        argument["type"],
        bool(argument["required"]),
        argument["description"],
        options,
        editor.of("" if options else default),
        chosen,
        min(chosen, default=0),
    )


def edit(form: Form, key: Key) -> Form:
    """The form after a key that edits the field in focus, or moves to another."""
    count = len(form.fields)
    if key.name in ("tab", "ctrl-n"):
        return replace(form, focus=(form.focus + 1) % count)
    if key.name in ("shift-tab", "ctrl-p"):
        return replace(form, focus=(form.focus - 1) % count)
    current = form.fields[form.focus]
    if current.kind in LISTS:
        changed = _choose_option(current, key)
    else:
        edited = editor.edit(current.editor, key, lines=current.kind == "textarea")
        changed = None if edited is None else replace(current, editor=edited)
    if changed is not None:
        fields = (*form.fields[: form.focus], changed, *form.fields[form.focus + 1 :])
        return replace(form, fields=fields, error="")
    if key.name in ("down", "enter"):
        return replace(form, focus=min(count - 1, form.focus + 1))
    if key.name == "up":
        return replace(form, focus=max(0, form.focus - 1))
    return form


def _choose_option(current: Field, key: Key) -> Field | None:
    step = {"left": -1, "h": -1, "right": 1, "l": 1}.get(key.name)
    if step is not None:
        at = (current.at + step) % len(current.options)
        if current.kind == "select":
            return replace(current, at=at, chosen=frozenset({at}))
        return replace(current, at=at)
    if key.name == " ":
        one = frozenset({current.at})
        if current.kind == "select":
            return replace(current, chosen=one)
        return replace(current, chosen=current.chosen ^ one)
    return None


def check(form: Form) -> tuple[int, str] | None:
    """The first field that is wrong, and why; None when all are right."""
    for index, given in enumerate(form.fields):
        why = f"{given.label} is needed" if given.required and not given.value else None
        why = why or wrong(given, form.providers)
        if why:
            return index, why
    return None


def wrong(given: Field, providers: Mapping[str, str | None]) -> str | None:
    """What is wrong with what is filled in; nothing is wrong with an empty field."""
    value = given.value
    if not value:
        return None
    if given.kind == "provider":
        return _wrong_provider(value, providers)
    if given.kind == "amount":
        return None if _is_amount(value) else f"{given.label} must be a number, 0 or more"
    if given.kind == "number" and not _is_number(value, whole=given.own):
        return f"{given.label} must be a {'whole ' if given.own else ''}number"
    if given.key == "workers" and given.own and not 1 <= int(value) <= _MOST_WORKERS:
        return f"{given.label} must be 1 to {_MOST_WORKERS}"
    if given.key == "labels" and given.own:
        for pair in filter(None, (part.strip() for part in value.split(","))):
            name, equals, text = pair.partition("=")
            if not (name and equals and text):
                return f"a label is written key=value, not {pair}"
    return None


def _wrong_provider(value: str, providers: Mapping[str, str | None]) -> str | None:
    name = value.partition(":")[0]
    if not providers or name in providers:
        return providers.get(name)
    return f"no provider {name}{nearest(name, providers)}; there are {', '.join(providers)}"


def _is_number(text: str, *, whole: bool) -> bool:
    if whole:
        return text.isascii() and text.isdigit() and len(text) < 16
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_amount(text: str) -> bool:
    try:
        return 0 <= float(text) < float("inf")
    except ValueError:
        return False


def spec(form: Form) -> dict[str, Any]:
    """The checked form as the arguments of a `WorkflowSpec`."""
    assert form.template is not None
    own = {given.key: given.value for given in form.fields if given.own}
    pairs = (part.strip().partition("=") for part in own["labels"].split(",") if part.strip())
    return {
        "template_id": "" if form.template.get("goal") else form.template["key"],
        "name": own["name"] or None,
        "priority": own["priority"],
        "labels": {key: value for key, _, value in pairs},
        "token_budget": int(own["token_budget"] or 0),
        "cost_budget": float(own["cost_budget"] or 0),
        "coordinator": own["coordinator"] or None,
        "worker": own["worker"] or None,
        "workers": int(own["workers"]) if own["workers"] else None,
        "work_dir": own["work_dir"] or None,
        "worktree": _WORKTREE[own["worktree"]],
        "base_branch": own["base_branch"] or None,
        "git_branch": own["git_branch"] or None,
        **_asked(form),
    }


def sketch(form: Form) -> dict[str, Any] | None:
    """What the tasks depend on, as arguments of a `WorkflowSpec`; None while something is amiss."""
    if form.template is None or missing(form):
        return None
    own = {given.key: given for given in form.fields if given.own}
    depend = [*(given for given in form.fields if not given.own), *map(own.get, _OF_TASKS)]
    if any(given is None or wrong(given, form.providers) for given in depend):
        return None
    return {
        "template_id": "" if form.template.get("goal") else form.template["key"],
        **{key: own[key].value or None for key in _OF_TASKS},
        **_asked(form),
    }


def missing(form: Form) -> str | None:
    """The first field that is needed and empty."""
    empty = (given.label for given in form.fields if given.required and not given.value)
    return next(empty, None)


def _asked(form: Form) -> dict[str, Any]:
    """The arguments of the template; of the one without tasks, the goal."""
    assert form.template is not None
    given = {one.key: one.value for one in form.fields if not one.own and one.value}
    return {"goal": given["goal"]} if form.template.get("goal") else {"args": given}
