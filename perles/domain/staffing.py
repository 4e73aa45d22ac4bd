"""Who works on what: a provider and its model as one word, and which one a task needs."""

BUILTIN = "builtin"


def label(provider: str, model: str | None) -> str:
    """`claude:opus`, or `claude` where no model is named."""
    return f"{provider}:{model}" if model else provider


def worker_for(
    *, run: str | None, worker: str | None, coordinator: str, default: str | None
) -> str:
    """The kind of worker that a task needs, as a label.

    Where the builtin coordinator leads, a task with a command needs no AI.
    """
    if coordinator == BUILTIN and run:
        return BUILTIN
    return worker or default or coordinator
