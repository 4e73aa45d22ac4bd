"""The workers' side that the screen sees: hand over a request, collect answers, never wait."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.controlplane import isolated

MAX_WORKERS: Final = 3


class Answer(NamedTuple):
    """What became of a request: its kind, its arguments, and the value or the error."""

    kind: str
    args: Mapping[str, Any]
    value: Any
    error: str | None


class _Worker:
    def __init__(self, home: Path) -> None:
        self.request: tuple[str, Mapping[str, Any]] | None = None
        self._buffer = b""
        self._process = subprocess.Popen(
            isolated.command("perles.dashboard.jobs.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=isolated.environment(os.environ) | {"PERLES_HOME": str(home)},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def ask(self, number: int, kind: str, args: Mapping[str, Any]) -> None:
        self.request = (kind, args)
        text = json.dumps({"id": number, "kind": kind, "args": dict(args)})
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it is gone: `collect` meets the end of its output and tells

    def collect(self) -> Answer | None:
        """The answer, where there is one by now. Raises `EOFError` when the worker is gone."""
        try:
            data = os.read(self.fileno(), 1 << 20)
        except BlockingIOError:
            return None
        if not data:
            raise EOFError
        self._buffer += data
        line, newline, self._buffer = self._buffer.partition(b"\n")
        if not newline or self.request is None:
            self._buffer = line + self._buffer
            return None
        kind, args = self.request
        self.request = None
        answer = json.loads(line)
        return Answer(kind, args, answer.get("value"), answer.get("error"))

    def close(self) -> None:
        """Let it finish what it does, and end."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.returncode = 0  # it outlives us by a moment: nothing to wait for


class Jobs:
    """Requests to a few worker processes, which are started when they are needed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._workers: list[_Worker] = []
        self._waiting: list[tuple[str, Mapping[str, Any]]] = []
        self._number = 0

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._waiting) or any(worker.request is not None for worker in self._workers)

    def files(self) -> list[int]:
        """The descriptors that become readable when an answer comes."""
        return [worker.fileno() for worker in self._workers]

    def submit(self, kind: str, args: Mapping[str, Any]) -> None:
        """Have something done; the answer comes from `collect`."""
        self._waiting.append((kind, args))
        self._hand_over()

    def collect(self) -> list[Answer]:
        """The answers that came; a worker that died answers with an error."""
        found = []
        for worker in list(self._workers):
            try:
                answer = worker.collect()
            except EOFError:
                self._workers.remove(worker)
                worker.close()
                if worker.request is not None:
                    found.append(Answer(*worker.request, None, "internal error: a worker died"))
                continue
            if answer is not None:
                found.append(answer)
        self._hand_over()
        return found

    def close(self) -> None:
        """End the workers, each after what it does now."""
        for worker in self._workers:
            worker.close()
        self._workers = []

    def _hand_over(self) -> None:
        while self._waiting:
            idle = next((w for w in self._workers if w.request is None), None)
            if idle is None:
                if len(self._workers) >= MAX_WORKERS:
                    return
                idle = _Worker(self._home)
                self._workers.append(idle)
            self._number += 1
            idle.ask(self._number, *self._waiting.pop(0))
