"""What the configuration's `retention:` asks for: the commands' own code, when it is due."""

from datetime import timedelta
from typing import Any

from perles.config.home import Paths
from perles.config.model import Retention
from perles.domain.clock import Clock
from perles.domain.errors import MaintenanceRunsError
from perles.maintenance.backup import backup_in_home, backups, time_of
from perles.maintenance.lock import alone
from perles.maintenance.prune import prune
from perles.store.place import url_of


def keep_up(paths: Paths, wanted: Retention, clock: Clock) -> dict[str, Any]:
    """Back up and prune as far as it is due; what was done. Nothing while other upkeep runs."""
    done: dict[str, Any] = {"backup": None, "pruned": [], "spared": [], "stamps": 0}
    try:
        with alone(paths.database_path()):
            if backup_due(paths, wanted, clock):
                done["backup"] = str(backup_in_home(paths, keep=wanted.backup_keep, clock=clock))
            if wanted.older_than > 0:
                limits = {"older_than": wanted.older_than, "keep": wanted.keep}
                done |= prune(paths, **limits, clock=clock)  # type: ignore[arg-type]
    except MaintenanceRunsError:
        pass  # the next sweep looks again
    return done


def backup_due(paths: Paths, wanted: Retention, clock: Clock) -> bool:
    """Whether the newest backup is older than it may be. A server's are its own business."""
    if wanted.backup_every <= 0 or url_of(paths.database_path()) is not None:
        return False
    made = [when for path in backups(paths) if (when := time_of(path)) is not None]
    now = clock.now()
    past = [when for when in made if when <= now]  # the others are of a clock that was wrong
    return not past or now - max(past) >= timedelta(seconds=wanted.backup_every)
