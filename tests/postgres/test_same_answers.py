"""Every statement that Perles runs is understood by PostgreSQL, and every read gives the same."""

import gc
import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

import perles
from perles.domain.workflow_filter import WorkflowFilter
from perles.store import migrate, reads
from perles.store.database import Database
from perles.store.events import reads as event_reads
from perles.store.place import open_readonly
from perles.store.reads import fabric
from perles.store.reads.connection import reading
from perles.store.schema.access import AccessToken
from perles.store.schema.engine import Command
from perles.store.schema.fabric import Ack, Artifact, Channel, InboxItem, Post, PostMention
from perles.store.schema.questions import Question
from perles.store.schema.resources import Lease, NamedLease, ResourceLimit
from perles.store.schema.tables import METADATA
from perles.store.schema.tasks import TaskComment, TaskDependency
from perles.store.schema.workflows import WorkflowLabel
from perles.store.sql import Sql
from perles.store.sqlite.driver import dbapi
from tests.integration.crew import Crew
from tests.postgres.server import Server

ID: Final = "wf-aaaaaaaa"
OTHER: Final = "wf-bbbbbbbb"
NOW: Final = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
FILTERS: Final = (
    *("", "rel", "state:running,failed", "-state:running", "agent:worker-1", "label:team=Red"),
    *("name:R*", "age>1h", "age<1h", "cost>=1", "tokens>1k", "is:waiting", "is:archived"),
    *("priority:high", "health:stuck", "id:aaa", "template:pipe", "label:team"),
)
GIVEN: Final[dict[str, tuple[Any, ...]]] = {
    "workflow_id": (ID, OTHER),
    "agent_id": (1, 2),
    "agent": ("worker-1", None),
    "ids": ((ID, OTHER),),
    "post_id": (2,),
    "post_ids": ([1, 2, 3],),
    "slug": ("tasks",),
    "limit": (1, 50),
    "until": (None, 3),
    "after": (0, 2),
    "at": (0, 4),
    "count": (2,),
    "step": (1, -1),
    "between": ((1, 9),),
    "word": ("", "OUT"),
    "seq": (2,),
    "most": (50,),
    "text": FILTERS,
    "today": ("2020-01-01",),
    "moment": ("2029-01-01T00:00:00.000Z",),
    "now": (NOW,),
    "since": (NOW - timedelta(days=9),),
    "command_id": (1,),
    "key": ("build",),
    "start": ("", "rel", "wf-"),
    "states": ((), ("running", "paused")),
    "ref": ("release", "aaaa", ID),
    "hash": ("h",),
    "questions": (None,),
    "keep": (0,),
    "like": ("%rel%", "%wor%"),
    "here": (None, ID),
}
"""What is given for a parameter of that name: each in its turn."""
OF_ONE: Final[dict[tuple[str, str], dict[str, tuple[Any, ...]]]] = {
    ("agents", "provider_limits"): {"now": ("2029-01-01T00:00:00.000Z",)},
    ("diagnosis", "body_of"): {"workflow_id": (ID,)},
    ("fabric", "post"): {"workflow_id": (ID,)},
    ("fabric", "thread"): {"workflow_id": (ID,)},
    ("tokens", "holder"): {"now": ("2029-01-01T00:00:00.000Z",)},
    ("tokens", "any_holds"): {"now": ("2029-01-01T00:00:00.000Z",)},
    ("fabric", "shown"): {
        "workflow_id": (ID,),
        "wanted": (fabric.Wanted(), fabric.Wanted(thread=1), fabric.Wanted("tasks", after=1)),
    },
    ("completion", "words"): {
        "kind": ("label", "agent", "channel", "node", "task", "branch"),
        "workflow": ("", ID, "release"),
    },
    ("dashboard", "order"): {
        "sort": (
            *("created", "attention", "name", "state"),
            *("priority", "tokens", "cost", "started"),
        )
    },
    ("overviews", "list_workflows"): {
        "wanted": (
            *(WorkflowFilter(filter=text) for text in FILTERS),
            *(WorkflowFilter(sort="name"), WorkflowFilter(everything=True, limit=1)),
            WorkflowFilter(name="re[l]*", priority="high", labels=(("team", "red"),)),
        )
    },
}
ELSEWHERE: Final = {
    ("overviews", "overviews"): "called by `list_workflows`",
    ("tasks", "details_of"): "called by `details`",
    ("artifacts", "kept_files"): "takes the folders of a home",
    ("resources", "history"): "called below, with many events",
    ("ended", "contents_of"): "differs: a server tells its size there",
    ("engine", "trouble"): "asks the lock, not the rows",
}
OPTIONS: Final[dict[tuple[str, str], tuple[dict[str, Any], ...]]] = {
    ("inbox", "inbox"): ({"everything": True},),
    ("inbox", "tasks"): ({"waiting": True},),
    ("questions", "questions"): ({"everything": True},),
    ("fabric", "history"): ({"unacked_by": 1}, {"before": 3}),
    ("turns", "turns_of"): ({"agent": "worker-1", "number": 1},),
    ("reads", "read_events"): (
        {"wanted": event_reads.EventFilter(types=("worker.*,task.*",), exclude=("*.output",))},
        {"wanted": event_reads.EventFilter(labels=(("team", "red"),), workflows=(ID, OTHER))},
        {"before": 5, "agent": "worker-1", "limit": 2, "newest": True},
    ),
}


def _fill(path: Path) -> None:
    crew = Crew(path)
    crew.now = NOW
    crew.workflow(
        ID, name="release", priority=2, token_budget=100, tokens_used=2000, cost_usd=1.5,
        started_at=crew.at(minutes=9), waiting_for_user=1, health="stuck", branch="b",
        worktree_path="/tmp/w", roles='{"observer":"claude"}', session_dir="/tmp/s",
        last_recovery_at=crew.at(minutes=1), worker_requested_at=crew.at(minutes=2),
        merged='{"into":"main"}', worktree_files='{"copy":["a"]}',
    )  # fmt: skip
    crew.workflow(OTHER, "pending", name="Other", start_requested_at=crew.at(minutes=3))
    crew.workflow("wf-cccccccc", "failed", name="old", retried_from=OTHER, ended_at=crew.at(days=1))
    crew.insert(WorkflowLabel, workflow_id=ID, key="team", value="red")
    boss = crew.agent(ID, "coordinator", "ready", held_until=crew.at(minutes=-9))
    hand = crew.agent(ID, "worker-1", "working", tokens_in=2**40)
    task = crew.task(
        *(ID, "build", "waiting_for_user"), question="Good?", run="make", implementer_id=hand,
        outputs='{"summary":"done","tail":[]}', started_at=crew.at(minutes=5), env='{"A":"b"}',
        receipt='{"branch":"b","base":"0","commits":[]}',
    )  # fmt: skip
    crew.task(ID, "bad", "failed", tolerated=1)
    later = crew.task(ID, "later", "pending", held_until=crew.at(minutes=-5), assignee="human")
    crew.insert(TaskDependency, task_id=later, depends_on_id=task)
    for kind in ("approved", "denied", "note"):
        crew.insert(TaskComment, task_id=task, author="worker-1", body="x", kind=kind)
    turn = crew.turn(ID, hand, started_at=crew.at(minutes=4), cost_usd=0.25)
    crew.turn(ID, boss, "failed", started_at=crew.at(minutes=8), ended_at=crew.at(minutes=7),
              error="broke", error_class="offline", exit_code=1)  # fmt: skip
    crew.message(boss, kind="reminder", turn_id=turn)
    crew.message(boss, body="it's \\ 50% _done_")
    _events(crew, boss, hand, task, turn)
    _talk(crew, boss, hand)
    for kind, value in (("workflow", None), ("port", 7000), ("worker", None)):
        agent = hand if kind == "worker" else None
        crew.insert(Lease, kind=kind, value=value, workflow_id=ID, agent_id=agent,
                    acquired_at=crew.at(minutes=1))  # fmt: skip
    named = {"name": "deploy", "size": 1, "workflow_id": ID, "asked_at": crew.at(minutes=2)}
    crew.insert(NamedLease, task_id=task, acquired_at=crew.at(minutes=1), **named)
    crew.insert(NamedLease, task_id=later, **named)
    crew.insert(Command, workflow_id=ID, kind="start", source="user", result='{"a":1}')
    crew.insert(AccessToken, name="n", role="read", hash="h")
    crew.insert(ResourceLimit, resource="tokens", value=10.0)
    crew.close()


def _events(crew: Crew, boss: int, hand: int, task: int, turn: int) -> None:
    about: dict[str, Any] = {"workflow_id": ID}
    told: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("workflow.started", {"from": "pending", "to": "running", "trigger": "start"}, {}),
        ("worker.output", {"kind": "text", "text": "output"}, {"agent_id": hand}),
        ("turn.succeeded", {"n": [1, 2]}, {"agent_id": hand, "turn_id": turn}),
        ("task.reported", {"text": "no", "exit_code": 3}, {"agent_id": hand, "task_id": task}),
        ("user.notification", {"text": "hear", "phase": None}, {"agent_id": boss}),
        ("health.stuck", {"silent_s": 9, "agent": "worker-1"}, {"agent_id": hand, "turn_id": turn}),
        ("question.asked", {"question": 1}, {"agent_id": hand}),
        ("recovery.attempted", {"step": 1}, {}),
        ("task.waiting_for_user", {}, {"task_id": task}),
        ("resource.lease_granted", {"kind": "worker"}, {}),
    )
    for minutes, (type, payload, more) in enumerate(told):
        crew.event(type, payload, at=NOW - timedelta(minutes=30 - minutes), **about, **more)


def _talk(crew: Crew, boss: int, hand: int) -> None:
    channel = crew.insert(Channel, workflow_id=ID, slug="tasks", threads=1)
    first = crew.insert(Post, channel_id=channel, author="worker-1", body="one", replies=1)
    reply = crew.insert(Post, channel_id=channel, parent_id=first, author="user", body="two")
    crew.insert(Post, channel_id=channel, author="user", body="three")
    for agent in (boss, hand):
        crew.insert(PostMention, post_id=first, agent_id=agent)
        crew.insert(InboxItem, agent_id=agent, post_id=reply)
    crew.insert(Ack, post_id=first, agent_id=boss)
    crew.insert(Artifact, post_id=first, name="a", path="a", author="worker-1", size_bytes=2**33)
    asked = {"workflow_id": ID, "agent_id": hand, "asked_by": "worker-1"}
    crew.insert(Question, text="Which?", options='["a","b"]', **asked)


_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def both(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """Connections that read: to a file, and to a server that has the same rows."""
    path = tmp_path_factory.mktemp("both") / "perles.db"
    file = path.with_name("file.db")  # a name that stands for no server
    migrate.ensure(file)
    _fill(file)
    sqlite = dbapi.connect(file)
    sqlite.row_factory = dbapi.Row
    name = f"same_answers_{next(_NUMBERS)}"  # worksteal may set this fixture up more than once
    server.run(f"CREATE DATABASE {name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERLES_DATABASE", server.url(name))
        migrate.ensure(path)
        there = Database(path)
        there.write(lambda tx: _copy(sqlite, tx))
        connection = open_readonly(path)
        yield sqlite, connection
        connection.close()
        there.dispose()
    sqlite.close()


def _copy(source: Any, tx: Any) -> None:
    for table in METADATA.sorted_tables:
        names = [column.name for column in table.columns if column.computed is None]
        listed = ", ".join(f'"{name}"' for name in names)
        tx.execute(f"DELETE FROM {table.name}")
        for row in source.execute(f"SELECT {listed} FROM {table.name} ORDER BY 1"):
            marks = ", ".join("?" * len(names))
            tx.execute(f"INSERT INTO {table.name} ({listed}) VALUES ({marks})", tuple(row))


def _functions() -> Iterator[tuple[tuple[str, str], Callable[..., Any]]]:
    names = [f"{reads.__name__}.{one.name}" for one in pkgutil.iter_modules(reads.__path__)]
    modules: list[ModuleType] = [*map(importlib.import_module, names), event_reads]
    for module in modules:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            takes = list(inspect.signature(function).parameters)
            is_its_own = function.__module__ == module.__name__ and not name.startswith("_")
            if is_its_own and takes[:1] == ["connection"]:
                yield (module.__name__.rpartition(".")[2], name), function


FUNCTIONS: Final = dict(_functions())


@pytest.mark.parametrize("place", [p for p in FUNCTIONS if p not in ELSEWHERE], ids=".".join)
def test_every_read_gives_the_same(place: tuple[str, str], both: tuple[Any, Any]) -> None:
    function = FUNCTIONS[place]
    for args, options in _calls(place, function):
        ours, theirs = (_plain(_said(function, one, args, options)) for one in both)
        assert theirs == ours, f"{'.'.join(place)}{args}{options}"


def _calls(
    place: tuple[str, str], function: Callable[..., Any]
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    given = {**GIVEN, **OF_ONE.get(place, {})}
    parameters = list(inspect.signature(function).parameters.values())[1:]
    positional = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    unknown = [one.name for one in positional if one.name not in given]
    assert not unknown, f"say in GIVEN what to give {'.'.join(place)} as {unknown}"
    first: tuple[Any, ...] = tuple(given[one.name][0] for one in positional)
    yield first, {}
    for at, one in enumerate(positional):
        for value in given[one.name][1:]:
            yield (*first[:at], value, *first[at + 1 :]), {}
    more: tuple[dict[str, Any], ...] = OPTIONS.get(place, ())
    for options in more:
        yield first, options


def _said(function: Callable[..., Any], connection: Any, args: Any, options: Any) -> Any:
    try:
        found = function(connection, *args, **options)
        return list(found) if isinstance(found, Iterator) or hasattr(found, "fetchall") else found
    except LookupError as error:  # as `NotFoundError`: both are to say so
        return str(error)


def _plain(value: Any) -> Any:
    """A value without what differs by nature: rows are dicts, paths are below no folder."""
    if hasattr(value, "keys"):
        return {key: _plain(one) for key, one in dict(value).items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def test_every_statement_of_the_models_is_understood(path: Path) -> None:
    """Run with nothing for its parameters, and taken back: what is not understood is told."""
    for module in pkgutil.walk_packages(perles.__path__, "perles."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    statements = [one for one in gc.get_objects() if isinstance(one, Sql)]
    migrate.ensure(path)
    wrong = []
    with reading(path) as connection:
        assert connection is not None
        connection.execute("SET default_transaction_read_only = off")
        for one in statements:
            text, constants = one.bind({})
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute(text, _Nothing(constants))
            except dbapi.IntegrityError:
                pass  # nothing is no value for a column that needs one
            except dbapi.Error as error:
                wrong.append(f"{error}: {text}")
            connection.execute("ROLLBACK")
    assert len(statements) > 150
    assert wrong == []


class _Nothing(dict[str, Any]):
    def __missing__(self, key: str) -> None:
        return None
