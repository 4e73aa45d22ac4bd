"""Options that several commands have: written once, given to each."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON; docs/json.md describes it.")]
NAMESAKES: Final = "If several have the name, the one that is not archived or retried counts."
WorkflowIds = Annotated[
    list[str], typer.Argument(metavar="ID…", help=f"Ids, unique prefixes, or names. {NAMESAKES}")
]
WorkflowId = Annotated[str, typer.Argument(help=f"Id, unique prefix of it, or name. {NAMESAKES}")]


def options(
    read: Callable[..., T], words: Mapping[str, Any] | None = None
) -> Callable[[Callable[Concatenate[T, P], None]], Callable[..., None]]:
    """Give a command the options of `read`, and as its first argument what `read` makes of them.

    `words` are Typer's options by the name of the parameter, where `read` does not say them.
    The command's own options come after those; what they are called is seen by Typer alone.
    """
    shared = dict(inspect.signature(read).parameters)
    tuples = [name for name, option in shared.items() if option.annotation == tuple[str, ...]]
    for name, option in (words or {}).items():
        kind = shared[name].annotation
        if kind in (Sequence[str] | None, tuple[str, ...]):
            kind = list[str] | None  # Typer knows lists alone
        shared[name] = shared[name].replace(annotation=Annotated[kind, option])

    def give(verb: Callable[Concatenate[T, P], None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            values = {name: given.pop(name) for name in shared}
            made = read(**values | {name: tuple(values[name] or ()) for name in tuples})
            verb(made, **given)  # type: ignore[call-arg]

        _, *own = inspect.signature(verb).parameters.values()
        both = [
            option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for option in (*shared.values(), *own)
        ]
        command.__name__, command.__doc__ = verb.__name__, verb.__doc__
        command.__module__ = verb.__module__
        command.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
        command.__annotations__ = {option.name: option.annotation for option in both}
        return command

    return give
