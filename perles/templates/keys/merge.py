"""merge: what must pass before a workflow's branch is merged."""

from typing import Final

from perles.domain.execution import Execution
from perles.templates.keys.checks import COMMANDS, commands_that_pass
from perles.templates.keys.key import TOPS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import DURATION, parts
from perles.templates.keys.shell import best

_KEYS: Final = ("checks", "timeout")


def merge(top: Entries, above: Defaults) -> Execution | None:
    """The checks of a merge, and what reads them; None for none. Raises `UsageError`."""
    node = top.get("merge")
    if node is None:
        return None
    entries = node.mapping(_KEYS)
    if "checks" not in entries:
        raise node.error("checks are missing; give commands that must pass before a merge")
    check = commands_that_pass(entries["checks"], entries.get("timeout"))
    return Execution(program=above.shell or best(), check=check)


FAMILY: Final = Family(
    title="Checks before a merge",
    text="`perles merge` prepares the merge in a separate checkout. The checks run there, on the "
    "content that the target branch would have. If one fails, nothing is merged.",
    keys=(
        Key(
            name="merge",
            at=TOPS,
            schema=parts({"checks": COMMANDS, "timeout": DURATION}, ("checks",)),
            doc="`checks` are commands that must pass before `perles merge` moves the target "
            "branch. `timeout` is the limit for all of them together (default 10m). The "
            "checkout has the files that `worktree` copies and links; `setup` does not run "
            "there.",
            example="merge: {checks: [make lint, make test], timeout: 15m}",
        ),
    ),
)
