"""Pull requests of workflows' branches. A part of the façade."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perles.controlplane.branches import Json
from perles.controlplane.merging import Merging, need_committed
from perles.domain.errors import PerlesError, UsageError

if TYPE_CHECKING:
    from perles.workspace.hosting import Remote
    from perles.workspace.pull_requests import Proposal


class PullRequests(Merging):
    """Proposes the work of workflows where others review it."""

    def pull_request(
        self,
        ref: str,
        *,
        base: str | None = None,
        title: str | None = None,
        draft: bool = False,
        force: bool = False,
        dry_run: bool = False,
    ) -> Json:
        """Push a workflow's branch, and open a pull request with `gh` or `glab`, once.

        One that is open is shown: `already`; what was committed since is pushed. `force` replaces
        other commits of the branch there. Nothing is done with `dry_run`, and nobody is asked.
        In the shape of `pr --json`. Raises `UsageError` where no tool is installed,
        `RemoteError` with what is in the way, `PersonNeededError`.
        """
        from perles.workspace import hosting, pull_requests
        from perles.workspace.merging import locked

        by = self.need_person("open a pull request")
        one = self.worktree(ref)
        proposal = self._proposal(one, base, title, draft=draft)
        repository = Path(one["repository"])
        remote = hosting.remote_of(repository, one["branch"], one["base_branch"])
        need_committed(one, "propose")
        found: Json = {"id": one["id"], **_shown(remote, proposal)}
        if dry_run:
            return {**found, "body": proposal.body, "url": None, "pushed": False, "already": False}
        tool = pull_requests.tool_for(repository, remote)
        with locked(self.paths.worktrees_dir(), repository):
            pushed = hosting.push(repository, remote, one["branch"], force=force)
            there = pull_requests.existing(tool, one["branch"])
            done = there or pull_requests.open_one(tool, proposal)
        record = {**done._asdict(), "branch": one["branch"], "tool": tool.name}
        if (one["pull_request"] or {}).get("url") != done.url:
            self._record(one["id"], record, by.payload())
        return {**found, **record, "pushed": pushed, "already": there is not None}

    def _record(self, workflow_id: str, record: Json, by: Json) -> None:
        from perles.workflows.merging import record_pull_request

        self._database.write(lambda tx: record_pull_request(tx, workflow_id, record, by))

    def _proposal(self, one: Json, base: str | None, title: str | None, *, draft: bool) -> Proposal:
        from perles.domain.pull_request_text import body_of, title_of
        from perles.domain.secrecy import longest_first, masked
        from perles.store.reads.connection import reading
        from perles.store.reads.turns import secrets_of
        from perles.workspace.pull_requests import Proposal

        into = base or _plain_base(one["base_branch"])
        if not into or into == one["branch"]:
            raise UsageError(
                f"cannot tell the target branch of {one['branch']}: give --base BRANCH"
            )
        with reading(self.database_path) as connection:
            assert connection is not None
            secrets = longest_first(secrets_of(connection, one["id"]))
        found = masked(self.summary(one["id"]), secrets)
        if not found["commits"]:
            raise PerlesError(
                f"cannot open a pull request of {one['id']}: {one['branch']} has no commit beyond "
                "where it began; perles diff shows what is not committed"
            )
        return Proposal(one["branch"], into, title or title_of(found), body_of(found), draft)


def _plain_base(base: str | None) -> str | None:
    """A branch as its host calls it."""
    return base.removeprefix("refs/heads/").removeprefix("origin/") if base else None


def _shown(remote: Remote, proposal: Proposal) -> Json:
    where = f"{remote.host}/{remote.path}" if remote.host else None
    shown = {"branch": proposal.branch, "base": proposal.base, "title": proposal.title}
    return {"remote": remote.name, "repository": where, **shown, "draft": proposal.draft}
