"""The fabric tools: posts in channels, for every role; an observer writes in #observer only."""

from typing import Annotated, Final, Literal

import msgspec

from perles.mcp.tools import fabric_reads
from perles.mcp.tools.tool import Arguments, Tool, Word

PostId = (
    Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    | Annotated[str, msgspec.Meta(pattern="^[0-9]{1,18}$")]
)
"""The id of a post, as an answer has it; as a text, too."""
Text = Annotated[str, msgspec.Meta(min_length=1)]
"""A text for a post: how long it may be is told with the refusal."""
Kind = Literal["info", "request", "response", "completion", "error"]


class FabricSend(Arguments):
    """`content` may name agents, as in @worker-1, or all of them: @here."""

    channel: Literal["tasks", "planning", "general", "system", "observer"]
    content: Text
    kind: Kind = "info"


class ObserverSend(Arguments):
    """`content` goes to the person."""

    channel: Literal["observer"]
    content: Text
    kind: Kind = "info"


class FabricReply(Arguments):
    """`message_id` is a post of the thread that is answered in."""

    message_id: PostId
    content: Text
    kind: Kind = "response"


class FabricAck(Arguments):
    """`message_ids` are the ids of posts that you have dealt with."""

    message_ids: Annotated[list[PostId], msgspec.Meta(min_length=1, max_length=1000)]


class FabricSubscribe(Arguments):
    """`mode` all: you are told of every post; mentions: of posts that name you; none: of nothing
    but your own name."""

    channel: Word
    mode: Literal["all", "mentions", "none"] = "all"


class FabricUnsubscribe(Arguments):
    """As it is without a subscription: you are told of posts that name you, and of your threads."""

    channel: Word


class FabricAttach(Arguments):
    """`target_id` is the post that refers to the file at `path`, which lies in the work dir."""

    target_id: PostId
    path: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    name: Word | None = None


class FabricHistory(Arguments):
    """`before` is the id of a post: only older ones come. `limit` is their number."""

    channel: Word
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    before: PostId | None = None
    include_acked: bool = True


class FabricReadThread(Arguments):
    """`message_id` is any post of the thread."""

    message_id: PostId
    include_artifacts: bool = True


_INBOX: Final = Tool(
    "fabric_inbox",
    "Read the posts that concern you and that you have not acknowledged. You are told when "
    "there are new ones: do not poll.",
    read=fabric_reads.read_inbox,
    shows=fabric_reads.ids_of_inbox,
)
_SEND: Final = Tool(
    "fabric_send",
    "Post in a channel, as the start of a thread. Who is named with @ is told of it; @here names "
    "all. To answer a post use fabric_reply.",
    FabricSend,
)
_REPLY: Final = Tool(
    "fabric_reply",
    "Answer a post in its thread. All who take part in the thread are told.",
    FabricReply,
)
_ACK: Final = Tool(
    "fabric_ack",
    "Take posts out of your inbox once you have dealt with them.",
    FabricAck,
)
_SUBSCRIBE: Final = Tool(
    "fabric_subscribe",
    "Choose what you are told of a channel: all, mentions or none.",
    FabricSubscribe,
)
_UNSUBSCRIBE: Final = Tool(
    "fabric_unsubscribe",
    "End a subscription. You are still told of posts that name you, and of your threads.",
    FabricUnsubscribe,
)
_ATTACH: Final = Tool(
    "fabric_attach",
    "Refer to a file from a post: in the work dir or the session folder, at most 1 GiB. It is "
    "not copied.",
    FabricAttach,
)
_HISTORY: Final = Tool(
    "fabric_history",
    "Read the threads of a channel, the newest first.",
    FabricHistory,
    fabric_reads.read_history,
    fabric_reads.ids_of_history,
)
_READ_THREAD: Final = Tool(
    "fabric_read_thread",
    "Read a thread as a whole, with the files that it refers to.",
    FabricReadThread,
    fabric_reads.read_thread,
    fabric_reads.ids_of_thread,
)

FABRIC_TOOLS: Final = (
    _INBOX,
    _SEND,
    _REPLY,
    _ACK,
    _SUBSCRIBE,
    _UNSUBSCRIBE,
    _ATTACH,
    _HISTORY,
    _READ_THREAD,
)
"""Those of the coordinator and of workers."""
OBSERVER_TOOLS: Final = (
    _INBOX,
    Tool("fabric_send", "Write to the person, in #observer.", ObserverSend),
    Tool("fabric_reply", "Answer a post in #observer, in its thread.", FabricReply),
    _ACK,
    _SUBSCRIBE,
    _ATTACH,
    _HISTORY,
    _READ_THREAD,
)
"""Those of an observer, which changes nothing."""
