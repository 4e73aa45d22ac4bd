"""A node ends its agents, whatever its disk says of it."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from perles.executor.local.identity import identify
from perles.executor.remote.messages import TurnRef
from perles.node.records import Record
from perles.node.service import About, Service


def test_a_full_disk_keeps_no_agent_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(About("box", tmp_path, 1, []))
    marks = {"PERLES_WORKFLOW": "wf-1", "PERLES_TURN": "wf-1/7"}
    agent = subprocess.Popen(["sleep", "60"], env=os.environ | marks, start_new_session=True)
    try:
        found = identify(agent.pid)
        assert found is not None
        turn = service.turns._made(
            Record(
                turn=TurnRef("wf-1", 7),
                folder="wf-1/worker",
                output="turn-7.stdout.jsonl",
                pid=found.pid,
                start_ticks=found.start_ticks,
                boot_id=found.boot_id,
            )
        )
        turn.lives = True

        def full(_record: Record) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(service.turns._records, "keep", full)
        assert service.turns.fence(parts=True) == 1

        assert agent.wait(timeout=60) == -9
        assert (turn.record.fenced, turn.record.parted) == (True, True)
    finally:
        agent.kill()
        agent.wait()
        service.executor.close()
