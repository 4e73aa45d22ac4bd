"""Posts: texts in channels, in flat threads, each with the agents that it concerns.

Which agents a post concerns is decided when it is written, and kept as rows of `inbox_items`: an
inbox is then one look into an index, and what an agent was not told yet outlives an engine.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from perles.domain.channels import MAX_POST
from perles.domain.errors import NotFoundError, UsageError
from perles.domain.text import clean
from perles.fabric import audience, channels
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import bindparam, select, update
from perles.store.schema.agents import Agent
from perles.store.schema.fabric import Channel, InboxItem, Post, PostMention
from perles.store.schema.tasks import Task
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx

POST_OF: Final = Sql(
    select(Post)
    .join(Channel, Channel.id == Post.channel_id)
    .where(Post.id == bindparam("post_id_"), Channel.workflow_id == WORKFLOW_ID)
)
ONE_REPLY_MORE: Final = Sql(
    update(Post)
    .where(Post.id == bindparam("post_id_"))
    .values(replies=Post.replies + 1, updated_at=bindparam("now_"))
)
ONE_THREAD_MORE: Final = Sql(
    update(Channel)
    .where(Channel.id == bindparam("channel_id_"))
    .values(threads=Channel.threads + 1, updated_at=bindparam("now_"))
)


class Author(NamedTuple):
    """Who posts: an agent, or, without an id, the person or Perles."""

    name: str
    agent_id: int | None = None

    @classmethod
    def of(cls, agent: Agent) -> "Author":
        """An agent, as author."""
        return cls(agent.name, agent.id)


USER: Final = Author(audience.USER)
PERLES: Final = Author("perles")


class Posted(NamedTuple):
    """A post as it was written; `concerns` are the names of agents that are told of it."""

    id: int
    channel_id: int
    channel: str
    thread: int
    mentions: list[str]
    concerns: list[str]
    notes: list[str]


def post(
    tx: Tx,
    workflow_id: str,
    slug: str,
    author: Author,
    text: str,
    *,
    kind: str = "info",
    told: Collection[int] = (),
    members: Iterable[int] = (),
) -> Posted:
    """Begin a thread in a channel.

    `told` are ids of agents that hear of it in another way: it does not wait in their
    inboxes. `members` take part in the thread from the start. Raises `NotFoundError` for an
    unknown channel, `UsageError` for a text that cannot be posted.
    """
    channel = channels.postable(tx, workflow_id, slug)
    tx.run(ONE_THREAD_MORE, channel_id_=channel.id, now_=tx.now)
    return _write(tx, channel, author, text, kind, thread=None, told=told, members=members)


def reply(
    tx: Tx,
    workflow_id: str,
    post_id: int,
    author: Author,
    text: str,
    *,
    kind: str = "response",
    told: Collection[int] = (),
    members: Iterable[int] = (),
) -> Posted:
    """Answer in the thread that a post of this workflow is in; as `post`.

    A reply to a reply stands beside it, under the thread's first post.
    """
    parent = post_of(tx, workflow_id, post_id)
    thread = parent.parent_id or parent.id
    channel = tx.need(Channel, parent.channel_id)
    tx.run(ONE_REPLY_MORE, post_id_=thread, now_=tx.now)
    return _write(tx, channel, author, text, kind, thread=thread, told=told, members=members)


def in_task_thread(tx: Tx, task: Task, author: Author, text: str, kind: str = "info") -> Posted:
    """Post in the thread of a task in #tasks; the first such post begins it.

    For what Perles does for its agents: an assignment, a report, a verdict. The coordinator,
    the implementer and the reviewer take part in the thread, but hear of these posts by
    messages of their own, so that none of them is told twice. An agent that follows #tasks, and
    whom the text mentions beside them, is told. `text` is cut to what a post may hold.
    """
    coordinator = tx.first(Agent, statements.COORDINATOR_OF, workflow_id=task.workflow_id)
    lead = None if coordinator is None else coordinator.id
    members = sorted({id for id in (task.implementer_id, task.reviewer_id, lead) if id})
    text = text if len(text) <= MAX_POST else f"{text[: MAX_POST - 20]}… [cut]"
    with_crew: dict[str, Any] = {"kind": kind, "told": members, "members": members}
    thread = tx.need(Task, task.id).thread_post_id  # the caller's may be older than an assignment
    if thread is None or tx.get(Post, thread) is None:
        posted = post(tx, task.workflow_id, "tasks", author, text, **with_crew)
        tx.update(Task, task.id, thread_post_id=posted.id)
        return posted
    return reply(tx, task.workflow_id, thread, author, text, **with_crew)


def post_of(tx: Tx, workflow_id: str, post_id: int) -> Post:
    """A post of this workflow. Raises `NotFoundError`."""
    found = tx.first(Post, POST_OF, post_id_=post_id, workflow_id=workflow_id)
    if found is None:
        raise NotFoundError("post", str(post_id), "fabric_history shows the ids of a channel")
    return found


def checked(text: str) -> str:
    """A text that can be posted, without what controls terminals. Raises `UsageError`."""
    if len(text) > MAX_POST:
        raise UsageError(
            f"cannot post {len(text)} characters: a post has at most {MAX_POST}; write the "
            "rest to a file and attach that to the post"
        )
    text = clean(text, lines=True).rstrip()
    if not text.strip():
        raise UsageError("cannot post nothing: the text has no character that can be read")
    return text


def _write(
    tx: Tx,
    channel: Channel,
    author: Author,
    text: str,
    kind: str,
    *,
    thread: int | None,
    told: Collection[int],
    members: Iterable[int],
) -> Posted:
    """The rows of one post, and its event."""
    text = tx.secrets.mask(tx, channel.workflow_id, checked(text))
    found = audience.of(tx, channel, text, author_id=author.agent_id, thread=thread)
    values = {"channel_id": channel.id, "parent_id": thread, "author": author.name, "kind": kind}
    post_id = tx.insert(Post, body=text, **values)
    root = thread or post_id
    for agent_id in found.named:
        tx.insert(PostMention, post_id=post_id, agent_id=agent_id)
    author_ids = () if author.agent_id is None else (author.agent_id,)
    audience.join(tx, root, (*author_ids, *found.named, *members))
    readers = [reader for reader in found.readers if reader.id not in told]
    for reader in readers:
        tx.insert(InboxItem, agent_id=reader.id, post_id=post_id)
    concerns = [reader.name for reader in readers]
    payload = {
        "post": post_id,
        "channel": channel.slug,
        "thread": root,
        "from": author.name,
        "kind": kind,
        "text": text,
        "mentions": found.mentions,
        "concerns": concerns,
    }
    journal.append(
        tx, "fabric.posted", payload, workflow_id=channel.workflow_id, agent_id=author.agent_id
    )
    return Posted(post_id, channel.id, channel.slug, root, found.mentions, concerns, found.notes)
