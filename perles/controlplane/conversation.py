"""What people and agents tell each other: messages, posts, answers, approvals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from perles.controlplane.outcomes import Outcome
from perles.controlplane.requests import Requests
from perles.domain.errors import UsageError
from perles.store.reads.connection import reading
from perles.store.reads.references import resolve

MAX_MESSAGE: Final = 1024 * 1024
"""Characters of a message to an agent."""
MAX_REASON: Final = 1000
"""Characters of a reason that agents are told."""


class Conversation(Requests):
    """Messages to agents, and decisions that wait for a person."""

    def send(self, ref: str, text: str, *, to: str = "coordinator", wait: bool = True) -> Outcome:
        """Queue a message for an agent; it reads it at its next turn.

        Raises `UsageError` for an empty or too long text, `NotFoundError` for an agent
        that is not there, `WrongStateError` for a workflow that has ended.
        """
        from perles.domain.commands import Send

        _need_text("send", text, MAX_MESSAGE)
        return self._request(ref, Send(text=text, to=to), wait=wait)

    def post(
        self,
        ref: str,
        text: str,
        *,
        channel: str = "general",
        reply: int | None = None,
        wait: bool = True,
    ) -> Outcome:
        """Post in a channel as the user, or with `reply` in the thread that this post is in.

        It starts idle agents that it concerns: agents that it names (`@worker-1`,
        `@here`), followers of the channel, authors in the thread. Raises `UsageError` for an
        empty or too long text, `NotFoundError` for a channel or post that is not there,
        `WrongStateError` for a workflow that has ended.
        """
        from perles.domain.channels import MAX_POST
        from perles.domain.commands import Post

        _need_text("post", text, MAX_POST)
        return self._request(ref, Post(text=text, channel=channel, reply=reply), wait=wait)

    def mark_read(self, ref: str, channel: str, up_to: int) -> None:
        """Mark a channel as read up to this post. Raises `NotFoundError`."""
        from perles.fabric.channels import mark_read

        if not isinstance(channel, str) or isinstance(up_to, bool) or not isinstance(up_to, int):
            raise UsageError(f"cannot mark {channel!r} as read up to {up_to!r}: give a post's id")
        self.need_person("mark a channel as read")
        workflow_id = self.registry.resolve(ref)
        self._database.write(lambda tx: mark_read(tx, workflow_id, channel, up_to))

    def agent(
        self,
        ref: str,
        verb: str,
        name: str = "",
        *,
        reason: str = "",
        provider: str | None = None,
        force: bool = False,
    ) -> Outcome:
        """Add a worker (`spawn`), or `stop`, `resume`, `retire` or `replace` the agent `name`.

        Needs a running workflow and an engine. `force` leaves a turn no time; a worker
        may be of another `provider` where a task asks for one. Raises `UsageError`,
        `NotFoundError`, `WrongStateError`, and `CommandFailedError` beyond a limit.
        """
        from perles.domain.commands import ON_AGENTS

        if verb not in ON_AGENTS:
            raise UsageError(f"cannot {verb} an agent: it is one of {', '.join(ON_AGENTS)}")
        if verb != "spawn" and not name:
            raise UsageError(f"cannot {verb} an agent without its name; perles agents shows them")
        asked = ON_AGENTS[verb](
            agent=name, reason=reason[:MAX_REASON], provider=provider, force=force
        )
        return self._request(ref, asked)

    def tasks(self, ref: str | None = None, *, waiting: bool = False) -> Sequence[dict[str, Any]]:
        """Tasks, as `tasks --json` has them, of one workflow or of all; only waiting ones."""
        from perles.store.reads import inbox

        with reading(self.database_path) as connection:
            workflow_id = None if ref is None else resolve(connection, ref)
            return inbox.tasks(connection, workflow_id, waiting=waiting)

    def artifacts(self, ref: str, *, task: str | None = None) -> Sequence[dict[str, Any]]:
        """The files that tasks left, as `artifacts --json` has them; only those of one `task`.

        Raises `NotFoundError` for a workflow, or a task of it, that is not there.
        """
        from perles.domain.errors import NotFoundError
        from perles.store.reads.artifacts import kept_files
        from perles.store.reads.workflow import show_tasks

        with reading(self.database_path) as connection:
            workflow_id = resolve(connection, ref)
            assert connection is not None
            found = kept_files(connection, self.paths, workflow_id)
            keys = {one["key"] for one in show_tasks(connection, workflow_id)}
        if task is not None and task not in keys:
            raise NotFoundError("task", task, f"perles tasks {ref} shows the keys")
        return [one for one in found if task in (None, one["task"])]

    def approve(self, ref: str, task: str, message: str | None = None) -> Outcome:
        """Approve a task that waits for a person. Raises `NotFoundError`, `WrongStateError`."""
        from perles.domain.commands import Approve

        return self._request(ref, Approve(task=task, message=message))

    def deny(self, ref: str, task: str, message: str) -> Outcome:
        """Deny it, with the reason. Raises `NotFoundError`, `UsageError`, `WrongStateError`."""
        from perles.domain.commands import Deny

        if isinstance(message, str) and not message.strip():
            raise UsageError("cannot deny a task without a reason")
        return self._request(ref, Deny(task=task, message=message))

    def answer(self, ref: str, text: str, question: int | None = None) -> Outcome:
        """Answer an agent's question by its number, or the only one that waits in the workflow.

        The agent gets the answer as a message. "" is the question's default answer, a number one
        of its options. Raises `NotFoundError`, `UsageError`, and `WrongStateError` for one that
        was answered before.
        """
        from perles.domain.commands import AnswerQuestion

        if question is None:
            waiting = [found["question"] for found in self.questions(ref)]
            if len(waiting) != 1:
                numbers = ", ".join(str(number) for number in waiting) or "none"
                raise UsageError(
                    f"cannot tell which question of {ref} is answered: {numbers} wait; "
                    "give a number"
                )
            (question,) = waiting
        return self._request(ref, AnswerQuestion(question=question, text=text))

    def inbox(self, *, everything: bool = False) -> Sequence[dict[str, Any]]:
        """What waits for a person, newest first, as `inbox --json` has it."""
        from perles.store.reads import inbox

        with reading(self.database_path) as connection:
            return inbox.inbox(connection, everything=everything)

    def ack(self, numbers: Sequence[int] = (), *, everything: bool = False) -> int:
        """Acknowledge inbox entries by their seq; return the number. Raises `NotFoundError`."""
        from perles.workflows.inbox import insert_acks

        if not isinstance(numbers, Sequence):
            raise UsageError(f"cannot acknowledge {numbers!r}: give the seqs of entries")
        origin = self.need_person("acknowledge inbox entries")
        if everything:
            numbers = [
                item["seq"] for item in self.inbox() if item["kind"] not in ("approval", "question")
            ]
        return self._database.write(lambda tx: insert_acks(tx, numbers, origin))


def _need_text(verb: str, text: object, most: int) -> None:
    """Raise `UsageError` for what is no text, an empty one, or one over `most` characters."""
    if not isinstance(text, str):
        raise UsageError(f"cannot {verb} {text!r}: give a text")
    if not text.strip():
        raise UsageError(f"cannot {verb} nothing: give a text")
    if len(text) > most:
        raise UsageError(f"cannot {verb} this: it is over {most} characters; use a file")
