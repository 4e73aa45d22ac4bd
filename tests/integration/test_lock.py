"""One engine per database: the kernel frees the lock when its holder dies, however it dies."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perles.domain.errors import EngineRunsError
from perles.store.sqlite.engine_lock import EngineLock

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
