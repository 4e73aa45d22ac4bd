"""Requests with an Idempotency-Key: the key is taken in the transaction of what is changed.

So a request that is asked again, after a lost connection or a crash, finds what became of the
first one, and nothing is done twice.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from perles.domain.clock import to_text
from perles.http.idempotency_key import Keyed
from perles.http.wire import Refused, Response
from perles.store.database import Database
from perles.store.events import journal
from perles.store.expressions import bindparam, delete, select, update
from perles.store.schema.access import KeyedRequest
from perles.store.schema.engine import Command
from perles.store.sql import Sql
from perles.store.transaction import Tx

T = TypeVar("T")
KEPT: Final = timedelta(days=1)
"""How long a key is known."""
_OLD: Final = Sql(delete(KeyedRequest).where(KeyedRequest.created_at < bindparam("before")))
_ONE: Final = Sql(
    select(KeyedRequest.__table__).where(
        KeyedRequest.token_id == bindparam("token_id"), KeyedRequest.key == bindparam("key")
    )
)
_ANSWERED: Final = Sql(
    update(KeyedRequest)
    .where(KeyedRequest.token_id == bindparam("token"), KeyedRequest.key == bindparam("named"))
    .values(status=bindparam("told"), answer=bindparam("text"), updated_at=bindparam("at"))
)
_COMMAND: Final = Sql(
    select(Command.workflow_id, Command.kind).where(Command.id == bindparam("id"))
)


class Before(NamedTuple):
    """What became of the request that had this key first.

    `done` is what its transaction gave: a command's number, a workflow's id, a count.
    """

    done: Any
    answer: Response | None


class Repeated(Exception):
    """Another request took the key in the meantime."""


class KeyedDatabase(Database):
    """A database whose first transaction takes a key. Its other ones are those of `shared`."""

    def __init__(self, shared: Database, keyed: Keyed) -> None:
        self.path, self.clock = shared.path, shared.clock
        self.secrets = shared.secrets
        self.is_file = shared.is_file
        self._shared, self._asked = shared, keyed
        self._is_taken = False

    def write(self, work: Callable[[Tx], T]) -> T:
        """As `Database.write`. Raises `Repeated` where the key is taken already."""
        if self._is_taken:
            return self._shared.write(work)
        result = self._shared.write(lambda tx: self._take(tx, work))
        self._is_taken = True
        return result

    def _take(self, tx: Tx, work: Callable[[Tx], T]) -> T:
        if tx.row(_ONE, token_id=self._asked.token_id, key=self._asked.key) is not None:
            raise Repeated
        tx.run(_OLD, before=to_text(datetime.fromisoformat(tx.now) - KEPT))
        result = work(tx)
        tx.insert(
            KeyedRequest,
            token_id=self._asked.token_id,
            key=self._asked.key,
            request=self._asked.digest,
            done=journal.encode(result),
        )
        return result


def before(database: Database, keyed: Keyed) -> Before | None:
    """The request that had this key before; None for a new key. Raises `Refused`."""
    with database.reader() as reader:
        row = reader.row(_ONE, token_id=keyed.token_id, key=keyed.key)
    if row is None:
        return None
    if row["request"] != keyed.digest:
        raise Refused(422, "this Idempotency-Key belongs to another request")
    answer = None
    if row["status"] is not None:
        answer = Response(row["status"], row["answer"].encode())
    return Before(json.loads(row["done"]), answer)


def keep_answer(database: Database, keyed: Keyed, answer: Response) -> None:
    """Keep what the client is told, for when it asks again."""

    def keep(tx: Tx) -> None:
        text = answer.body.decode()
        about = {"token": keyed.token_id, "named": keyed.key}
        tx.run(_ANSWERED, told=answer.status, text=text, at=tx.now, **about)

    database.write(keep)


def command_of(database: Database, command_id: int) -> tuple[str, str]:
    """The workflow and the kind of a command that was asked before."""
    with database.reader() as reader:
        row = reader.row(_COMMAND, id=command_id)
    return str(row[0]), str(row[1])
