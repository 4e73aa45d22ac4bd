"""Who works on what: a provider and its model as one word, and which one a task needs."""

from typing import Final

from perles.domain.errors import UsageError
from perles.domain.patterns import lazy_pattern

BUILTIN = "builtin"
ROLES: Final = ("coordinator", "worker", "observer")
AGENT_TYPES: Final = ("implementer", "reviewer", "researcher")
"""What a worker can be good at."""
SEATS: Final = (*ROLES, *AGENT_TYPES)
"""Each can have a provider, a model and settings of its own."""

NAME: Final = lazy_pattern(r"[a-z0-9][a-z0-9_-]*")


def label(provider: str, model: str | None) -> str:
    """`claude:opus`, or `claude` where no model is named."""
    return f"{provider}:{model}" if model else provider


def layers(seat: str) -> tuple[str, ...]:
    """The seats whose settings hold for one, the general one first: a reviewer is a worker."""
    return ("worker", seat) if seat in AGENT_TYPES else (seat,)


def worker_for(
    *, run: str | None, worker: str | None, coordinator: str, default: str | None
) -> str:
    """The kind of worker that a task needs, as a label.

    A task with a command needs no AI under any coordinator, unless it names its worker.
    """
    if run:
        return worker or BUILTIN
    return worker or default or coordinator


def split_choice(text: str) -> tuple[str, str | None]:
    """`claude:opus` as provider and model; the model is None where there is none."""
    name, _, model = text.partition(":")
    if not NAME.fullmatch(name):
        raise UsageError(f"cannot use {text!r}: write a provider, or provider:model")
    return name, model or None
