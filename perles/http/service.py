"""What answers a request that was let through: the façade, the page, the document."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from perles.controlplane.outcomes import Outcome
from perles.domain.errors import PerlesError, PersonNeededError
from perles.domain.patterns import lazy_pattern
from perles.domain.tokens import allows
from perles.http import openapi, page_files
from perles.http.idempotency_key import Keyed, keyed_of
from perles.http.limits import Limits
from perles.http.route import Call, Found, Parameter, Table
from perles.http.routes.table import ROUTES
from perles.http.routes.workflow_verbs import created, placed
from perles.http.token_facade import Asking, Base
from perles.http.wire import Refused, Request, Response, as_json, refusal, told
from perles.store.reads.tokens import Holder

log = logging.getLogger("perles.http")

WAIT_SECONDS: Final = 10
_STATUS: Final = {1: 409, 2: 400, 3: 404, 4: 409, 5: 503, 6: 409, 7: 503}
"""By the exit code of an error."""
_WORDS: Final = lazy_pattern(r"(?<=[a-z])(?=[A-Z])")
STREAM: Final = (
    Parameter("workflow", "Only events of this workflow."),
    Parameter("types", "Globs of types, separated by commas."),
    Parameter("since", "Begin after this seq.", "integer"),
)


class Service:
    """Carries out requests, in threads: reads have some of their own, as verbs may wait."""

    def __init__(self, base: Base, limits: Limits) -> None:
        self.base = base
        self._limits = limits
        self._table = Table(ROUTES)
        self._reads = ThreadPoolExecutor(6, "read")
        self._verbs = ThreadPoolExecutor(16, "verb")
        self._waiting = 0
        self._page = page_files.load()
        self.document = as_json(openapi.document(ROUTES, STREAM))

    def public(self, request: Request) -> Response | None:
        """What anybody is shown: the page's files and the document; None for all else."""
        if request.method != "GET":
            return None
        if request.segments == ("openapi.json",):
            return self.document
        return self._page.answer(request)

    def find(self, request: Request, holder: Holder) -> Found:
        """The route, where the holder may use it. Raises `Refused`."""
        found = self._table.find(request.method, request.segments)
        if not allows(holder.role, found.route.role):
            why = f"this needs a token with role {found.route.role}; yours is {holder.role}"
            raise Refused(403, why)
        return found

    async def answer(self, request: Request, found: Found, holder: Holder, body: bytes) -> Response:
        """Carry out a request. What is wrong with it is an answer, too."""
        try:
            return await self._answer(request, found, holder, body)
        except Refused as refused:
            return refusal(refused)
        except PerlesError as error:
            return _error(error)
        except Exception:  # a bug must not end the server; the client is told, we log it
            log.exception("%s %s failed", request.method, "/".join(request.segments))
            return as_json(told("internal", "cannot answer: an internal error", 1), 500)

    async def _answer(
        self, request: Request, found: Found, holder: Holder, body: bytes
    ) -> Response:
        route = found.route
        query = route.read_query(request.query)
        call = Call(found.path, query, route.read_body(body))
        if route.method == "GET":
            return await self._in_thread(self._reads, lambda: self._read(call, found, holder))
        path = json.dumps([request.segments, request.query])
        key = request.headers.get("idempotency-key")
        keyed = keyed_of(holder, key, request.method, path, body)
        deadline = time.monotonic() + query.get("wait", WAIT_SECONDS)
        asking = Asking(self.base, holder, deadline=deadline, keyed=keyed)
        answer = await self._in_thread(self._verbs, lambda: self._change(asking, call, found))
        log.info("%s: %s %s: %d", holder.name, request.method, path[:200], answer.status)
        return answer

    async def _in_thread(self, pool: ThreadPoolExecutor, work: Any) -> Response:
        if self._waiting >= self._limits.waiting:
            raise Refused(503, "too many requests wait; try again")
        self._waiting += 1
        try:
            answer: Response = await asyncio.get_running_loop().run_in_executor(pool, work)
        finally:
            self._waiting -= 1
        return answer

    def _read(self, call: Call, found: Found, holder: Holder) -> Response:
        return _answer_of(found.route.run(Asking(self.base, holder), call))

    def _change(self, asking: Asking, call: Call, found: Found) -> Response:
        keyed = asking.keyed
        if keyed is None:
            return _answer_of(found.route.run(asking, call))
        return self._change_once(asking, keyed, call, found)

    def _change_once(self, asking: Asking, keyed: Keyed, call: Call, found: Found) -> Response:
        """Carry out what has a key, or find out what became of it before."""
        from perles.http import idempotent_requests

        database = self.base.database()
        before = idempotent_requests.before(database, keyed)
        if before is None:
            try:
                answer = _told(lambda: found.route.run(asking, call))
            except idempotent_requests.Repeated:
                before = idempotent_requests.before(database, keyed)
        if before is not None:
            done = before.done
            if before.answer is not None:
                replayed = ("Idempotent-Replayed", "true")
                again = before.answer._replace(headers=(*before.answer.headers, replayed))
                return placed(again, done) if again.status == 201 else again
            answer = _told(lambda: self._go_on(asking, done, call))
        if idempotent_requests.before(database, keyed) is not None and answer.status != 202:
            idempotent_requests.keep_answer(database, keyed, answer)
        return answer

    def _go_on(self, asking: Asking, done: Any, call: Call) -> Any:
        """What became of a request whose answer nobody heard, by what its transaction gave."""
        from perles.controlplane.outcomes import Request as Asked
        from perles.http import idempotent_requests

        if isinstance(done, str) and done.startswith("wf-"):
            return created(asking, done, starts=getattr(call.body, "start", False))
        if isinstance(done, int) and not hasattr(call.body, "seqs"):
            workflow_id, kind = idempotent_requests.command_of(self.base.database(), done)
            return asking.outcome(Asked(workflow_id, done, kind), give_up=asking.is_late)
        return {"status": "succeeded", "done": done}

    def close(self) -> None:
        """Take no more requests."""
        for pool in (self._reads, self._verbs):
            pool.shutdown(wait=False, cancel_futures=True)


def _answer_of(found: Any) -> Response:
    if isinstance(found, Response):
        return found
    if isinstance(found, Outcome):
        status = 200 if found.status == "succeeded" else 202
        told = {"id": found.workflow_id, "status": found.status, "text": found.text}
        return as_json(told, status)
    return as_json(found)


def _told(work: Any) -> Response:
    """The answer; an error of the façade is one, too."""
    try:
        return _answer_of(work())
    except PerlesError as error:
        return _error(error)


def _error(error: PerlesError) -> Response:
    kind = _WORDS.sub("_", type(error).__name__.removesuffix("Error")).lower()
    status = 403 if isinstance(error, PersonNeededError) else _STATUS.get(error.exit_code, 409)
    return as_json(told(kind or "error", str(error), error.exit_code), status)
