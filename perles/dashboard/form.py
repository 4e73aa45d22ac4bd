"""The form for a new workflow. Pure: fields made from a template, keys, a checked spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from perles.dashboard import editor
from perles.dashboard.editor import Editor
from perles.dashboard.keys import Key

LISTS: Final = ("select", "multi-select")


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


@dataclass(frozen=True, slots=True)
class Form:
    """The form: first a template is searched and chosen, then its fields are filled."""

    start: bool = False
    templates: Sequence[Mapping[str, Any]] | None = None
    search: Editor = field(default_factory=Editor)
    cursor: int = 0
    template: Mapping[str, Any] | None = None
    fields: tuple[Field, ...] = ()
    focus: int = 0
    error: str = ""
    busy: bool = False


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
        Field("token_budget", "Token budget", "number", help="0 or nothing: no limit", own=True),
        Field("workers", "Workers", "number", help="live at once; the template knows", own=True),
        Field("work_dir", "Work folder", editor=editor.of(work_dir), own=True),
    ]
    return replace(form, template=template, fields=tuple(fields), focus=0, error="")


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
        value = given.value
        if given.required and not value:
            return index, f"{given.label} is needed"
        if given.kind == "number" and value and not _is_number(value, whole=given.own):
            return index, f"{given.label} must be a number"
        if given.key == "labels" and given.own:
            for pair in filter(None, (part.strip() for part in value.split(","))):
                name, equals, _ = pair.partition("=")
                if not equals or not name:
                    return index, f"a label is written key=value, not {pair}"
    return None


def _is_number(text: str, *, whole: bool) -> bool:
    if whole:
        return text.isascii() and text.isdigit() and len(text) < 16
    try:
        float(text)
    except ValueError:
        return False
    return True


def spec(form: Form) -> dict[str, Any]:
    """The checked form as the arguments of a `WorkflowSpec`."""
    assert form.template is not None
    own = {given.key: given.value for given in form.fields if given.own}
    pairs = (part.strip().partition("=") for part in own["labels"].split(",") if part.strip())
    return {
        "template_id": form.template["key"],
        "name": own["name"] or None,
        "priority": own["priority"],
        "labels": {key: value for key, _, value in pairs},
        "token_budget": int(own["token_budget"] or 0),
        "workers": int(own["workers"]) if own["workers"] else None,
        "work_dir": own["work_dir"] or None,
        "args": {g.key: g.value for g in form.fields if not g.own and g.value},
    }
