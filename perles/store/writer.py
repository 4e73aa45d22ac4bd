"""The engine's writer: one thread, one connection, and commits shared by all who wait.

FULL durability costs one disk flush a commit. Work that arrives while a commit
runs goes into the next one together. A piece that fails is taken back alone, to
its savepoint where it has written. A full disk or a lock that stays is waited
out: the same work is tried again, so it must be fit to run twice.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from perles.domain.errors import DatabaseError, LostLeadError
from perles.store import place
from perles.store.database import Database
from perles.store.sqlite.driver import dbapi
from perles.store.sqlite.errors import database_error, is_unusable
from perles.store.sqlite.transactions import begin, roll_back
from perles.store.transaction import SpoiledError, Tx

T = TypeVar("T")

log = logging.getLogger(__name__)

MAX_BATCH = 512
"""Pieces of work in one commit: bounds how long the first waits for the last."""
RETRY_SECONDS = 0.5
"""How often a patient writer tries again while the disk is full or the database locked."""


class _Job(NamedTuple):
    """`future` is None where nobody waits."""

    work: Callable[[Tx], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any] | None


class _Done(NamedTuple):
    job: _Job
    result: Any
    error: BaseException | None


class Writer:
    """Runs writes for one event loop or several. Start it, `await write(work)`, close it.

    It is born impatient: a commit that fails is raised to its caller. `be_patient`
    makes it try again for as long as the disk is full or another process holds on.
    """

    def __init__(
        self, database: Database, on_lost_lead: Callable[[LostLeadError], None] | None = None
    ) -> None:
        """`on_lost_lead` is called, in the writer's thread, where another engine leads."""
        self._database = database
        self._on_lost_lead = on_lost_lead
        self._hurry = threading.Event()
        self._hurry.set()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="perles-writer", daemon=True)

    def start(self) -> None:
        """Start the thread. Raises `DatabaseError`."""
        self._connection = self._database.connect()
        place.ask_often(self._connection)
        self._thread.start()

    def close(self) -> None:
        """Commit what waits and end the thread."""
        self.be_impatient()
        self._jobs.put(None)
        self._thread.join()

    def be_patient(self) -> None:
        """From now on wait out what can pass by itself."""
        self._hurry.clear()

    def be_impatient(self) -> None:
        """From now on, and for what waits already, a failed commit is told at once."""
        self._hurry.set()

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction; returns its result once that is durable.

        `work` runs in the writer's thread. Raises what `work` raises (nothing of
        it is written then), and `DatabaseError` when the commit fails.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(work, loop, future))
        return await future

    def post(self, work: Callable[[Tx], object]) -> None:
        """`write` for callers that do not wait: a failure is logged."""
        self._jobs.put(_Job(work, asyncio.get_running_loop(), None))

    def _run(self) -> None:
        connection, ended = self._connection, False
        while not ended:
            batch, ended = self._gather()
            if batch:
                _answer(self._commit(connection, batch))
        connection.close()

    def _gather(self) -> tuple[list[_Job], bool]:
        job = self._jobs.get()
        batch: list[_Job] = []
        while job is not None:
            batch.append(job)
            if len(batch) >= MAX_BATCH:
                return batch, False
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _commit(self, connection: Any, batch: list[_Job]) -> list[_Done]:
        """Run and commit a batch. Whatever goes wrong with the commit, each waiter hears of it."""
        told: DatabaseError | None = None
        while True:
            try:
                done = self._try(connection, batch)
            except (dbapi.IntegrityError, SpoiledError) as error:  # whose it is, each alone tells
                roll_back(connection)
                if len(batch) == 1:
                    return [_Done(batch[0], None, error)]
                return [done for job in batch for done in self._commit(connection, [job])]
            except (DatabaseError, dbapi.Error) as error:
                roll_back(connection)
                before, told = told, _told(error, self._database.path)
                if type(told) is not type(before):  # the same trouble is told once
                    log.error("%s", told)
                if isinstance(told, LostLeadError) and self._on_lost_lead is not None:
                    self._on_lost_lead(told)
                if not _may_pass(error) or self._hurry.wait(RETRY_SECONDS):
                    return [_Done(job, None, told) for job in batch]
                continue
            if told is not None:
                log.info("the database can be written again")
            return done

    def _try(self, connection: Any, batch: list[_Job]) -> list[_Done]:
        tx = self._begin(connection)
        first = _attempt(connection, tx, batch[0])
        if first.error is not None:  # there is nothing else yet that would be lost with it
            roll_back(connection)
            tx = self._begin(connection)
        done = [first]
        for job in batch[1:]:
            tx.begin_piece()
            done.append(_attempt(connection, tx, job))
            if done[-1].error is None:
                tx.keep_piece()
            else:
                tx.undo_piece()
        tx.settle()
        connection.execute("COMMIT")
        return done

    def _begin(self, connection: Any) -> Tx:
        begin(connection, self._database.path)
        return Tx(connection, self._database.now(), self._database.secrets)


def _told(error: BaseException, path: Path) -> DatabaseError:
    return error if isinstance(error, DatabaseError) else database_error(path, error)


def _may_pass(error: BaseException) -> bool:
    """Whether it may work later: SQLite calls a lock, a full or a sick disk operational."""
    cause = error.__cause__ if isinstance(error, DatabaseError) else error
    return isinstance(cause, dbapi.OperationalError)


def _attempt(connection: Any, tx: Tx, job: _Job) -> _Done:
    """Run one piece. Raises the driver's error when the transaction is lost."""
    try:
        return _Done(job, job.work(tx), None)
    except Exception as error:  # whatever it is, it belongs to the caller of this piece
        if _takes_all_with_it(connection, error):
            raise
        return _Done(job, None, error)


def _takes_all_with_it(connection: Any, error: Exception) -> bool:
    """Whether the transaction is lost, as with a full disk, and not only the piece that failed."""
    return is_unusable(error) or not connection.in_transaction


def _answer(done: list[_Done]) -> None:
    """Wake the waiters: one call into each loop, however many wait there."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Done]] = {}
    for item in done:
        by_loop.setdefault(item.job.loop, []).append(item)
    for loop, items in by_loop.items():
        loop.call_soon_threadsafe(_resolve, items)


def _resolve(items: list[_Done]) -> None:
    for job, result, error in items:
        if job.future is None or job.future.done():
            if error is not None:
                log.error("a write that nobody waits for failed: %s", error)
        elif error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)
