"""One engine per database: the kernel frees the lock when its holder dies, however it dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perles.domain.errors import EngineRunsError
from perles.engine import single_instance
from perles.executor.local.identity import identify
from perles.store.schema.engine import Engine
from perles.store.sqlite.engine_lock import EngineLock
from tests.integration.crew import Crew
from tests.postgres.homes import is_on

_HOLD = (
    "import sys, time; from pathlib import Path\n"
    "from perles.store.sqlite.engine_lock import EngineLock\n"
    "EngineLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(60)"
)


def test_a_second_holder_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "perles.db"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()

    with pytest.raises(EngineRunsError, match=f"pid {holder.pid}") as refused:
        EngineLock(path).acquire()
    assert refused.value.exit_code == 4
    assert EngineLock(path).is_held()

    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with EngineLock(path):
        assert EngineLock(path).is_held()
    assert not EngineLock(path).is_held()


def test_who_only_looks_keeps_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "perles.db"
    with EngineLock(path):
        pass
    script = (
        "import sys; from pathlib import Path\n"
        "from perles.store.sqlite.engine_lock import EngineLock\n"
        "lock = EngineLock(Path(sys.argv[1]))\nwhile True: lock.is_held()"
    )
    looker = subprocess.Popen([sys.executable, "-c", script, str(path)])
    try:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            with EngineLock(path):
                pass
    finally:
        looker.kill()
        looker.wait()


@pytest.mark.parametrize("number", [os.getpid(), os.getppid()], ids=["own", "other"])
def test_a_program_that_outlives_its_engine_is_no_engine_that_comes_back(
    crew: Crew, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does whose own engine failed before it could say that it ends."""
    process = identify(number)
    assert process is not None
    at = {"started_at": crew.at(minutes=1), "heartbeat_at": crew.at(minutes=1)}
    told = {"host": os.uname().nodename, "boot_id": process.boot_id, "version": "1"}
    crew.insert(Engine, id=1, pid=number, start_ticks=process.start_ticks, **told, **at)

    lead = single_instance.Lead(crew.path)
    assert lead.comes_back()
    monkeypatch.setattr(single_instance, "RETURN_SECONDS", 0.0)
    is_looked_for = number != os.getpid() and is_on()
    assert lead.comes_back() == is_looked_for
