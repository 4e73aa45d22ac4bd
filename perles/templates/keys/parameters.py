"""parameters: what a pipeline file asks for."""

from collections.abc import Mapping
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.domain.plain import is_text
from perles.templates.arguments import Argument, check_arguments, checked, sample
from perles.templates.keys.key import At, Entries, Family, Key
from perles.templates.keys.shapes import TEXT, WORDS, YES_OR_NO, either, items, parts
from perles.templates.keys.texts import NAME, check_name
from perles.templates.values import variable

TYPES: Final = ("text", "number", "boolean", "textarea", "select", "multi-select")
MAX_PARAMETERS: Final = 100
MAX_VALUE: Final = 64 * 1024
"""Characters of one value."""
_TAKEN: Final = "file"
"""What `--arg` calls the file itself."""
_KEYS: Final = ("type", "label", "description", "required", "default", "choices", "options")


def parameters(entries: Entries) -> tuple[Argument, ...]:
    """What the file asks for. Raises `UsageError` that names file, line and key."""
    node = entries.get("parameters")
    if node is None or node.value is None:
        return ()
    if isinstance(node.value, list):
        named = [_named(item) for item in node.items()]
    else:
        named = list(node.mapping().items())
    if len(named) > MAX_PARAMETERS:
        raise node.error(f"{len(named)} parameters are too many; {MAX_PARAMETERS} at most")
    found: dict[str, Argument] = {}
    variables: dict[str, str] = {}
    for name, one in named:
        check_name(name, one)
        if name == _TAKEN:
            raise one.error("a parameter cannot be called 'file': --arg file=… names the file")
        if name in found:
            raise one.error(f"two parameters have the name {name!r}; rename one")
        same = variables.setdefault(variable(f"args.{name}"), name)
        if same != name:
            raise one.error(f"{name} and {same} have the same variable; rename one")
        found[name] = _parameter(name, one)
    return tuple(found.values())


def _named(item: Node) -> tuple[str, Node]:
    entries = item.mapping(("key", *_KEYS))
    if "key" not in entries:
        raise item.error("key is missing; a parameter in a list needs one")
    rest = {name: node for name, node in entries.items() if name != "key"}
    return entries["key"].text(), item.having(rest)


def _parameter(name: str, node: Node) -> Argument:
    if not isinstance(node.value, dict):
        default = "" if node.value is None else node.text()
        return Argument(
            key=name, label=name, type="text", required=node.value is None, default=default
        )
    entries = node.mapping(_KEYS)
    if "choices" in entries and "options" in entries:
        raise entries["options"].error("means the same as choices; leave one out")
    choices = entries.get("choices", entries.get("options"))
    options = () if choices is None else tuple(one.text() for one in choices.items())
    kind = entries["type"].word(TYPES) if "type" in entries else "select" if options else "text"
    if kind in ("select", "multi-select") and not options:
        raise node.error(f"choices are missing; a {kind} parameter needs some")
    given = entries.get("default")
    default = "" if given is None or given.value is None else given.text()
    has_default = given is not None and given.value is not None
    argument = Argument(
        key=name,
        label=entries["label"].text() if "label" in entries else name,
        type=kind,
        description=entries["description"].text() if "description" in entries else "",
        required=entries["required"].boolean() if "required" in entries else not has_default,
        default=default,
        options=options,
    )
    if given is not None and default.strip():
        try:
            checked(argument, default, "")
        except UsageError as error:
            raise given.error(str(error).removeprefix("cannot use ")) from None
    return argument


def given_to(
    known: tuple[Argument, ...],
    given: Mapping[str, str],
    source: str,
    *,
    sampled: bool = False,
) -> dict[str, str]:
    """The values of a file's parameters. Raises `UsageError` for one that is unknown or wrong.

    Where it is but looked at, one that is missing is `sampled`.
    """
    if sampled:
        given = {**{one.key: sample(one) for one in known if one.required}, **given}
    for name, text in given.items():
        if len(text) > MAX_VALUE or "\0" in text or not is_text(text):
            raise UsageError(
                f"cannot use argument {name}: it must be UTF-8 without NUL, "
                f"at most {MAX_VALUE // 1024} KiB"
            )
    return check_arguments(known, given, source)


_PARAMETER: Final = parts(
    {
        "type": {"enum": list(TYPES)},
        "label": TEXT,
        "description": TEXT,
        "required": YES_OR_NO,
        "default": either(TEXT, {"type": "null"}),
        "choices": items(TEXT, 1),
        "options": items(TEXT, 1),
    }
)
FAMILY: Final = Family(
    title="Parameters",
    text="""\
`perles run FILE --arg version=1.2` sets a value. `{{ args.version }}` refers to it in `run`,
`prompt`, `question` and every other value that is not code: names, `dir`, `env`, `worker`,
`timeout`, `matrix` and so on. In a script of sh, bash or Python the reference becomes a variable,
quoted as its position requires, so a value is never code. The variable is `PERLES_ARG_version` (`-`
becomes `_`). A command gets the variables that its script names; scripts in any language can read
them. Pass values to other programs as arguments or with `env:`.

A parameter is a default, or a mapping with `type` (`text`, `number`, `boolean`, `textarea`,
`select`, or `multi-select` for several choices separated by commas), `description`, `required`,
`default` and `choices`. A parameter without a default is required, unless it has `required: false`.
An unknown argument is refused, and the message suggests the nearest name. `perles templates check
FILE` lists the parameters of a file.
""",
    keys=(
        Key(
            name="parameters",
            at=At.FILE,
            schema=either(
                {
                    "type": "object",
                    "propertyNames": {"pattern": f"^{NAME.pattern}$"},
                    "additionalProperties": either(TEXT, {"type": "null"}, _PARAMETER),
                },
                items(
                    {
                        **_PARAMETER,
                        "properties": {**_PARAMETER["properties"], "key": WORDS},
                        "required": ["key"],
                    }
                ),
            ),
            doc="The values that `--arg NAME=VALUE` sets: names with a default, or with `type`, "
            "`choices` and other options.",
            example="parameters:\n"
            "  version: {description: What to build, required: true, default: 1.0.0}\n"
            "  channel: {choices: [stable, beta], default: stable}\n"
            "  dry_run: {type: boolean, default: false}",
        ),
    ),
)
