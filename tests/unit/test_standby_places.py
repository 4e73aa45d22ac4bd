"""What an engine that stands by has ready: no engine that led leaves it behind, used up."""

from pathlib import Path
from typing import Any

import pytest

from perles.config.model import Config
from perles.controlplane.engine_host import EngineHost
from perles.domain.errors import EngineRunsError
from perles.engine import process
from perles.engine.process import Places


class _Executor:
    """Leads to no node."""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        """Let go."""
        self.is_closed = True


def test_who_stands_by_again_connects_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, served = list[_Executor](), list[_Executor]()

    def places(config: Config) -> Places:
        made.append(_Executor())
        return Places(config.cluster, made[-1], None)  # type: ignore[arg-type] # it is closed only

    def serve(*_: Any, places: Any, **__: Any) -> None:
        assert not places.executor.is_closed
        served.append(places.executor)
        raise EngineRunsError(None)

    monkeypatch.setattr(process, "_places", places)
    monkeypatch.setattr(process, "serve", serve)
    config = tmp_path / "config.yaml"
    config.write_text("cluster: {scheduler: 'tcp://127.0.0.1:1'}\n")
    host = EngineHost(tmp_path / "home", config_file=config)
    host.paths.ensure_home()

    for _ in range(2):
        host.stand_by(lambda _text: None)
        with pytest.raises(EngineRunsError):
            host.serve()

    assert served == made
    assert [one.is_closed for one in made] == [True, True]
