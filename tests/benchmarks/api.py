"""Python in process, as a program uses it, and what a shell asks behind Tab."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

from perles import ControlPlane, WorkflowSpec
from perles.store.events import journal
from tests.benchmarks.bench import PERLES, Bench, Row, bench, percentile

CREATED = 400
SUBSCRIBERS = 100
EVENTS = 300


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        (home.root / "p.yaml").write_text('name: p\ntasks: [{key: a, run: "true"}]\n')
        with ControlPlane(home.root) as plane:
            args = {"file": str(home.root / "p.yaml")}
            spec = WorkflowSpec(template_id="pipeline", args=args, work_dir=str(home.root))
            id = plane.create(spec)
            each, cpu = _each(lambda: plane.create(spec), CREATED)
            yield Row("create, in process", each * 1000, "ms", "<= 2")
            yield Row("the same, CPU", cpu * 1000, "ms", "<= 2")
            yield Row("creates", 1 / each, "1/s", ">= 400")
            yield Row(
                "get, in process", _each(lambda: plane.get(id), 500)[0] * 1000, "ms", "<= 0.3"
            )
            yield Row(
                "list of 100", _each(lambda: plane.list(limit=100), 50)[0] * 1000, "ms", "<= 3"
            )
            delays = _delays(plane)
            yield Row("event to a subscriber here, p50", percentile(delays, 0.5), "ms", "<= 2")
            yield Row("the same, p99", percentile(delays, 0.99), "ms", "<= 5")
            yield Row("100 subscribers, all of them, p99", _crowd(plane), "ms", "<= 50")
        yield Row("perles create, CPU", _process(home, "create", "p.yaml"), "ms", "<= 150")
        yield Row("perles run, CPU of the command", _process(home, "run", "p.yaml"), "ms", "<= 250")
        yield Row(
            "completing an id, CPU", _process(home, "__complete", "show", "wf"), "ms", "<= 100"
        )


def _each(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Seconds of one call, and of its CPU."""
    begun, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times, (time.process_time() - cpu) / times


def _tell(plane: ControlPlane, number: int) -> float:
    """Commit one event; when that was."""
    plane._database.write(lambda tx: journal.append(tx, "worker.output", {"n": number}))
    return time.perf_counter()


def _delays(plane: ControlPlane) -> list[float]:
    """Milliseconds from commit to a waiting subscriber, at a pace."""
    got: dict[int, float] = {}
    with plane.subscribe(types="worker.output") as following:

        def read() -> None:
            for event in following:
                got[event.payload["n"]] = time.perf_counter()

        reader = threading.Thread(target=read)
        reader.start()
        sent = {}
        for number in range(EVENTS):
            sent[number] = _tell(plane, number)
            time.sleep(0.01)
        _until(lambda: len(got) == EVENTS)
        following.close()
        reader.join()
    return [max(0.0, got[number] - sent[number]) * 1000 for number in sent]


def _crowd(plane: ControlPlane) -> float:
    """Milliseconds until the last of many subscribers has an event; the 99th percentile."""
    seen = [0] * SUBSCRIBERS
    subscriptions = [plane.subscribe(types="worker.output") for _ in range(SUBSCRIBERS)]

    def read(place: int) -> None:
        for _ in subscriptions[place]:
            seen[place] += 1

    threads = [threading.Thread(target=read, args=(place,)) for place in range(SUBSCRIBERS)]
    for thread in threads:
        thread.start()
    delays = []
    for number in range(50):
        sent = _tell(plane, number)
        _until(lambda number=number: min(seen) > number)  # type: ignore[misc]
        delays.append((time.perf_counter() - sent) * 1000)
    for subscription in subscriptions:
        subscription.close()
    for thread in threads:
        thread.join()
    return percentile(delays, 0.99)


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.0002)


def _process(home: Bench, *words: str) -> float:
    """Milliseconds of CPU of a whole process; the best of some."""
    best = float("inf")
    for _ in range(5):
        before = os.times()
        subprocess.run(
            [PERLES, *words], env=home.environ, cwd=home.root, check=True, stdout=subprocess.DEVNULL
        )
        after = os.times()
        used = after.children_user + after.children_system
        best = min(best, used - before.children_user - before.children_system)
    return best * 1000
