"""What the checks of the machine look at."""

from collections.abc import Mapping

from perles.config.home import Paths
from perles.config.model import Config
from perles.domain.records import dataclass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A home, an environment, and the configuration, or what is wrong with it."""

    paths: Paths
    environ: Mapping[str, str]
    config: Config
    config_error: str | None = None
    ignored_keys: tuple[str, ...] = ()
