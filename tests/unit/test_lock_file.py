"""Locked files: who holds one keeps others out, who only looks keeps nobody out."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from perles.controlplane.http_address import NAME, Announcement
from perles.node import guard
from perles.store import lock_file


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def test_a_file_that_is_held_is_locked_for_others_until_it_is_released(tmp_path: Path) -> None:
    held, other = _opened(tmp_path / "lock"), _opened(tmp_path / "lock")

    assert lock_file.lock(held)
    assert lock_file.is_locked(other)
    assert not lock_file.lock(other)
    lock_file.release(held)
    assert not lock_file.is_locked(other)
    assert lock_file.lock(other)
    os.close(other)


def test_two_that_look_at_a_file_do_not_take_each_other_for_its_holder(tmp_path: Path) -> None:
    one, other = _opened(tmp_path / "lock"), _opened(tmp_path / "lock")

    fcntl.flock(one, fcntl.LOCK_SH)

    assert not lock_file.is_locked(other)
    assert not guard.is_held(tmp_path / "lock")
    os.close(one)
    os.close(other)


def _node(home: Path) -> bool:
    return guard.hold(home / NAME) is not None


def _http(home: Path) -> bool:
    return Announcement(home).take()


@pytest.mark.parametrize("take", [_node, _http])
def test_who_looks_at_a_lock_keeps_nobody_from_taking_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take: Callable[[Path], bool]
) -> None:
    looker = _opened(tmp_path / NAME)
    fcntl.flock(looker, fcntl.LOCK_SH)
    monkeypatch.setattr("perles.store.lock_file.time.sleep", lambda _: os.close(looker))

    assert take(tmp_path)
