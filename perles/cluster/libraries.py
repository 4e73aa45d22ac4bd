"""Libraries that are imported only where the configuration asks for what they do."""

from __future__ import annotations

import importlib
from typing import Any, Final

from perles.domain.errors import ClusterError

INSTALL: Final = {
    "distributed": "pip install 'perles[cluster]'",
    "cryptography": "pip install cryptography",
    "dask_jobqueue": "pip install dask-jobqueue",
    "dask_kubernetes": "pip install dask-kubernetes",
}


def module(name: str) -> Any:
    """A library, or a part of one. Raises `ClusterError` that says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        whole = name.partition(".")[0]
        raise ClusterError(f"cannot use cluster: {whole} is missing: {INSTALL[whole]}") from error
