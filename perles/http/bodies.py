"""What a request that changes something carries: its JSON body, a type for each."""

from __future__ import annotations

from typing import Literal

import msgspec

from perles.domain.duration import GRACE
from perles.domain.specs import PRIORITY_NORMAL


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys that are left out are the defaults here; others are refused."""


class NewWorkflow(_Body, frozen=True):
    """What to create; `work_dir` is a folder of the server's machine. `start` starts it."""

    work_dir: str
    template_id: str = ""
    goal: str | None = None
    name: str | None = None
    args: dict[str, str] = {}
    labels: dict[str, str] = {}
    priority: Literal["low", "normal", "high"] = PRIORITY_NORMAL
    token_budget: int = 0
    cost_budget: float = 0.0
    workers: int | None = None
    worktree: bool | None = None
    git_branch: str | None = None
    base_branch: str | None = None
    coordinator: str | None = None
    worker: str | None = None
    on: list[str] = []
    start: bool = False


class Reason(_Body, frozen=True):
    """Why, for the record."""

    reason: str | None = None


class NeededReason(_Body, frozen=True):
    """Why it cannot be done."""

    reason: str


class Stopping(_Body, frozen=True):
    """`grace`: seconds that agents have to end; none with `force`."""

    reason: str | None = None
    force: bool = False
    grace: float = GRACE


class Retrying(_Body, frozen=True):
    """`reconfigure`: agent CLIs are set up as the configuration says now.

    With a corrected pipeline `file`, by its whole path, what is as before stays done; it may have
    `args`, and `from_tasks` are done again.
    """

    reconfigure: bool = False
    file: str | None = None
    args: dict[str, str] = {}
    from_tasks: list[str] = []


class NewName(_Body, frozen=True):
    """What it is called from now on."""

    name: str


class Labels(_Body, frozen=True):
    """Labels to set, and keys of those to take away."""

    add: dict[str, str] = {}
    remove: list[str] = []


class PullRequest(_Body, frozen=True):
    """`dry_run` only tells title and text; `force` replaces the branch there."""

    base: str | None = None
    title: str | None = None
    draft: bool = False
    force: bool = False
    dry_run: bool = False


class Setting(_Body, frozen=True):
    """What is left out stays; a budget of 0 means no limit."""

    priority: Literal["low", "normal", "high"] | None = None
    token_budget: int | None = None
    cost_budget: float | None = None


class Message(_Body, frozen=True):
    """For the next turn of an agent."""

    text: str
    to: str = "coordinator"


class NewPost(_Body, frozen=True):
    """In a channel, or with `reply` in the thread of that post."""

    text: str
    channel: str | None = None
    reply: int | None = None


class ReadUpTo(_Body, frozen=True):
    """The id of the last post that was read."""

    post: int


class Approval(_Body, frozen=True):
    """`message` goes to the agents that go on."""

    message: str | None = None


class Denial(_Body, frozen=True):
    """Why not."""

    message: str


class Reply(_Body, frozen=True):
    """ "" is the default answer, a number one of the options."""

    text: str


class Spawning(_Body, frozen=True):
    """A worker more, of this provider where one is named."""

    provider: str | None = None
    reason: str = ""


class OnAgent(_Body, frozen=True):
    """`force` leaves its turn no time to end."""

    reason: str = ""
    force: bool = False


class Acknowledging(_Body, frozen=True):
    """The `seq` of entries, or all that need no answer."""

    seqs: list[int] = []
    everything: bool = False


class Merging(_Body, frozen=True):
    """`into`: a branch, by default the one that it began at."""

    into: str | None = None
    squash: bool = False
    message: str | None = None


class Rebasing(_Body, frozen=True):
    """`onto`: by default its base."""

    onto: str | None = None
