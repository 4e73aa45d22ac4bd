"""HTTP: what the command line can do, another program can; who may do what; each event once."""

import inspect
import json
import re
import signal
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perles import ControlPlane
from perles.config.model import Http
from perles.domain.errors import UsageError
from perles.domain.tokens import ROLES
from perles.http import idempotent_requests
from perles.http.limits import Limits
from perles.http.routes.table import MODULES, ROUTES
from perles.http.settings import address_of, refuse_open
from perles.store.database import Database
from perles.store.events import journal
from perles.store.transaction import Tx
from tests.integration.cli import Home, signal_all
from tests.integration.http_server import Served, free_port, serving

PLENTY = Limits(rate=1e6, burst=10**6, stranger_rate=1e6, stranger_burst=10**6)


@pytest.fixture
def served(plane: ControlPlane) -> Iterator[Served]:
    """A server for the test's home, where no engine runs."""
    with serving(plane, PLENTY) as found:
        yield found


def _file(home: Home, *commands: str) -> dict[str, Any]:
    tasks = [{"key": f"t{number}", "run": one} for number, one in enumerate(commands)]
    home.pipeline("p", tasks)
    return {"template_id": "pipeline", "work_dir": str(home.work), "args": {"file": "p.yaml"}}


def test_what_http_reads_is_what_the_command_line_prints(home: Home, served: Served) -> None:
    made = served.post("/workflows", _file(home, "true"))
    workflow_id = made.json["id"]

    assert made.status == 201
    assert made.headers["Location"] == f"/api/v1/workflows/{workflow_id}"
    for path, *words in (
        ("/workflows", "list"),
        ("/workflows/p", "show", "p"),
        ("/workflows/p/summary", "show", "p", "--summary"),
        ("/workflows/p/tasks", "tasks", "p"),
        ("/workflows/p/agents", "agents", "p"),
        ("/workflows/p/posts", "posts", "p"),
        ("/workflows/p/doctor", "doctor", "p"),
        ("/inbox", "inbox"),
        ("/resources", "resources"),
        ("/worktrees", "worktrees", "list"),
        ("/sessions", "sessions", "list"),
        ("/tokens", "token", "list"),
    ):
        printed = json.loads(home.perles(*words, "--json").stdout)
        assert served.get(path) == printed, path
    events = [json.loads(line) for line in home.perles("events", "--json").stdout.splitlines()]
    assert served.get("/events?since=0") == events


def test_a_list_is_narrowed_by_the_same_words_as_on_the_command_line(
    home: Home, served: Served
) -> None:
    ids = [
        served.post("/workflows", _file(home, "true") | more).json["id"]
        for more in (
            {"name": "one", "labels": {"team": "red"}},
            {"name": "two", "priority": "high"},
        )
    ]

    def found(query: str) -> list[str]:
        return [row["id"] for row in served.get(f"/workflows?{query}")]

    assert found("filter=label:team=red%20state:pending") == [ids[0]]
    assert found("filter=-label:team") == [ids[1]]
    assert found("filter=two&sort=name") == ids[1:]  # an id may hold any letter
    assert served.ask("GET", "/api/v1/workflows?filter=state:runing").status == 400
    assert found("filter=state:run%20one&typing=true") == [ids[0]]


def test_the_verbs_of_the_command_line_work_over_http_while_an_engine_runs(home: Home) -> None:
    port = free_port()
    assert home.perles("serve", "--detach", "--http", str(port)).returncode == 0
    token = home.json("token", "create", "me", "--role", "operate", "--json")["token"]
    served = Served(ControlPlane(home.root), port, {"admin": token, "read": token})
    asked = _file(home, "true", "sleep 60") | {"start": True}

    workflow_id = served.post("/workflows", asked).json["id"]

    def state() -> str:
        return str(served.get(f"/workflows/{workflow_id}")["state"])

    home.wait_for("it to run", lambda: state() == "running")
    paused = served.post("/workflows/p/pause", {"reason": "lunch"})
    assert (paused.status, paused.json["status"], state()) == (200, "succeeded", "paused")
    assert served.post("/workflows/p/pause", {}).error["kind"] == "wrong_state"
    assert served.post("/workflows/p/resume").json["status"] in ("succeeded", "waiting")
    assert served.post("/workflows/p/set", {"priority": "high"}).status == 200
    assert served.post("/workflows/p/rename", {"name": "q"}).status == 200
    assert served.post("/workflows/q/labels", {"add": {"team": "red"}}).status == 200
    assert [one["name"] for one in served.get("/workflows?label=team=red")] == ["q"]
    assert served.post("/workflows/q/rename", {"name": "p"}).status == 200
    assert served.post("/workflows/p/messages", {"text": "go on"}).status == 200
    assert served.post("/workflows/p/posts", {"text": "hello"}).status == 200
    assert [one["text"] for one in served.get("/workflows/p/posts")] == ["hello"]
    assert served.post("/workflows/p/stop", {"force": True}).status == 200
    assert state() == "stopped"
    again = served.post("/workflows/p/retry").json["id"]
    assert served.get(f"/workflows/{again}")["state"] == "pending"
    assert served.post("/workflows/wf-none/stop").error["exit_code"] == 3
    assert served.get("/engine")["http"] == f"http://127.0.0.1:{port}"
    assert {
        event["payload"]["by"]["token"] for event in home.events("--type", "workflow.created")
    } == {"me"}


def test_a_person_answers_what_waits_over_http(home: Home, served: Served) -> None:
    ask = {"key": "a", "name": "May I?", "assignee": "human", "question": "May I?"}
    file = home.work / "p.yaml"
    file.write_text(json.dumps({"name": "p", "tasks": [ask]}))
    home.perles("serve", "--detach")
    served.post(
        "/workflows",
        {
            "template_id": "pipeline",
            "work_dir": str(home.work),
            "args": {"file": str(file)},
            "start": True,
        },
    )
    home.wait_for("the question", lambda: served.get("/inbox"))

    answer = served.post("/workflows/p/tasks/a/approve", {"message": "yes"})

    assert answer.status == 200, answer
    home.wait_for("the end", lambda: served.get("/workflows/p")["state"] == "completed")
    assert served.post("/workflows/p/tasks/a/deny", {"message": "no"}).status == 409


def test_a_request_with_a_key_is_carried_out_once_whoever_asks_at_the_same_time(
    home: Home, served: Served
) -> None:
    asked, key = _file(home, "true"), {"Idempotency-Key": "k"}
    answers: list[Any] = []

    def ask() -> None:
        answers.append(served.post("/workflows", asked, headers=key))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {one.status for one in answers} == {201}
    assert len({one.json["id"] for one in answers}) == 1 == len(served.get("/workflows"))
    again = served.post("/workflows", asked, headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == f"/api/v1/workflows/{again.json['id']}"
    other = served.post("/workflows", asked | {"name": "other"}, headers=key)
    assert other.status == 422
    assert served.post("/workflows", asked, headers=key, role="operate").status == 201
    assert len(served.get("/workflows")) == 2


def test_a_command_with_a_key_whose_answer_was_lost_is_not_given_again(
    home: Home, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:

    served.post("/workflows", _file(home, "true"))
    monkeypatch.setattr(idempotent_requests, "keep_answer", lambda *_: None)  # as if it died before
    body, key = {"text": "once"}, {"Idempotency-Key": "k"}

    first = served.post("/workflows/p/posts", body, headers=key)
    second = served.post("/workflows/p/posts", body, headers=key)

    assert (first.status, second.status) == (200, 200)
    assert [one["text"] for one in served.get("/workflows/p/posts")] == ["once"]


def test_each_route_needs_its_role_and_no_less(served: Served) -> None:
    for route in ROUTES:
        path = "/" + "/".join("x" if part.startswith("{") else part for part in route.segments)
        assert served.ask(route.method, path, role=None).status == 401, path
        for role in ROLES[: ROLES.index(route.role)]:
            found = served.ask(route.method, path, role=role)
            assert found.status == 403, (path, role)
            assert route.role in found.error["message"]
    assert len({(one.method, one.segments) for one in ROUTES}) == len(ROUTES)


def test_each_verb_of_the_facade_for_a_workflow_has_a_route() -> None:
    verbs = {
        name
        for name, one in inspect.getmembers(ControlPlane, inspect.isfunction)
        if one.__annotations__.get("return") == "Outcome" and not name.startswith("_")
    } - {"outcome"}
    sources = "".join(inspect.getsource(module) for module in MODULES)
    served = set(re.findall(r"asking\.(\w+)\(", sources))

    assert len(verbs) > 10
    assert verbs <= served, verbs - served


def test_the_document_describes_each_route(served: Served) -> None:
    document = served.ask("GET", "/openapi.json", role=None).json

    described = {
        (method.upper(), path) for path, one in document["paths"].items() for method in one
    }
    assert described == {
        *((route.method, "/" + "/".join(route.segments)) for route in ROUTES),
        ("GET", "/api/v1/stream"),
    }
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert name == "Error" or f"#/components/schemas/{name}" in text
    ids = [
        one["operationId"]
        for path in document["paths"].values()
        for one in path.values()
        if "operationId" in one
    ]
    assert len(ids) == len(set(ids))


def test_events_come_once_and_in_order_over_reconnects(home: Home, served: Served) -> None:
    served.post("/workflows", _file(home, "true"))
    last = served.get("/overview")["seq"]

    with served.stream("?since=0") as stream:
        first = stream.take(3)
    with served.stream(last=first[-1]) as stream:
        assert first + stream.take(last - 3) == list(range(1, last + 1))
        served.post("/workflows/p/archive")  # refused: it writes nothing
        served.post("/workflows/p/set", {"priority": "low"})
        rest = stream.take(1)
    assert rest == [last + 1]


def test_a_stream_of_one_workflow_or_of_types_has_only_these(home: Home, served: Served) -> None:
    asked = _file(home, "true")
    ids = [served.post("/workflows", asked | {"name": name}).json["id"] for name in "ab"]
    of_a = [event["seq"] for event in served.get("/workflows/a/events?since=0&types=workflow.*")]

    with (
        served.stream("?since=0&workflow=a&types=workflow.*") as one,
        served.stream("?since=0&types=workflow.cr*") as typed,
    ):
        assert one.take(len(of_a)) == of_a
        assert [(typed.next() or {})["workflow_id"] for _ in ids] == ids
        served.post("/workflows/b/set", {"priority": "low"})
        served.post("/workflows/a/set", {"priority": "low"})
        third = served.post("/workflows", asked | {"name": "c"}).json["id"]
        event, created = one.next(), typed.next()
    assert event is not None
    assert created is not None
    assert (event["type"], event["workflow_id"]) == ("workflow.changed", ids[0])
    assert created["workflow_id"] == third


def test_a_client_that_does_not_read_is_cut_off_and_misses_nothing_when_it_comes_again(
    home: Home, plane: ControlPlane
) -> None:
    database = Database(home.database)

    def say(tx: Tx) -> None:
        for _ in range(10):
            journal.append(tx, "user.notification", {"text": "x" * 15_000})

    with serving(plane, PLENTY) as served:
        before = served.get("/overview")["seq"]
        with served.stream(last=before) as slow, served.stream(last=before) as quick:
            seqs = []
            for _ in range(120):
                database.write(say)
                seqs += quick.take(10)
            got = slow.take(10**6)  # until it was cut off
        with served.stream(last=slow.id) as again:
            rest = again.take(len(seqs) - len(got))
    database.dispose()
    assert rest
    assert got + rest == seqs == list(range(before + 1, before + 1201))


def test_a_revoked_token_is_refused_and_its_streams_end(served: Served) -> None:
    with served.stream() as stream:
        assert stream.status == 200
        assert served.ask("DELETE", "/api/v1/tokens/read-1").status == 200

        while stream.next() is not None:
            pass
    assert served.ask("GET", "/api/v1/overview", role="read").status == 401
    assert served.ask("DELETE", "/api/v1/tokens/read-1").status == 404


def test_a_token_holds_until_it_expires_and_is_not_kept(home: Home, served: Served) -> None:
    made = home.json("token", "create", "short", "--expires", "1ms", "--json")

    assert served.ask("GET", "/api/v1/overview", headers=_bearer(made["token"])).status == 401
    assert made["token"].encode() not in home.database.read_bytes()
    assert home.perles("token", "create", "x", "--role", "amdin").returncode == 2
    assert home.perles("token", "create", "short").returncode == 2
    assert home.perles("token", "revoke", "nobody").returncode == 3
    assert home.perles("token", "revoke", "short").returncode == 0


def test_an_agent_makes_no_token(home: Home) -> None:
    tasks = [
        {"key": "a", "run": f"{sys.executable} -m perles token create mine --role admin || true"}
    ]
    home.perles("run", home.pipeline("p", tasks))

    assert not any(one["name"] == "mine" for one in home.json("token", "list", "--json"))
    assert home.events("--type", "security.rejected")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_others_reach_it_only_with_a_token_and_tls(tmp_path: Path) -> None:
    open_to_all = address_of(Http(listen="0.0.0.0:8443"))
    assert open_to_all is not None
    secure = open_to_all._replace(secure=True)

    for address, has_token in ((open_to_all, True), (open_to_all, False), (secure, False)):
        with pytest.raises(UsageError, match="other machines can reach"):
            refuse_open(address, has_token=has_token)
    refuse_open(secure, has_token=True)
    for host in ("127.0.0.1", "localhost", "[::1]", ""):
        loopback = address_of(Http(listen=f"{host}:80"))
        assert loopback is not None
        refuse_open(loopback, has_token=False)
    for wrong in ("x", "host:", ":0", "1:99999", "-1"):
        with pytest.raises(UsageError):
            address_of(Http(listen=wrong))
    assert address_of(Http()) is None


def test_serve_says_at_once_that_an_open_address_is_refused(home: Home) -> None:
    found = home.perles("serve", "--http", "0.0.0.0:9")

    assert found.returncode == 2
    assert "without TLS" in found.stderr
    assert home.engine_pid() is None


def test_tls_with_the_users_certificate(home: Home, tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no openssl here that makes a certificate")
    port = free_port()
    words = ("--http-certificate", certificate, "--http-key", key)
    assert home.perles("serve", "--detach", "--http", str(port), *words).returncode == 0
    token = home.json("token", "create", "me", "--json")["token"]

    context = ssl.create_default_context(cafile=str(certificate))
    asked = urllib.request.Request(
        f"https://localhost:{port}/api/v1/overview", headers=_bearer(token)
    )
    with urllib.request.urlopen(asked, context=context, timeout=30) as found:
        assert json.load(found)["engine"]["http"] == f"https://127.0.0.1:{port}"


def test_http_comes_again_when_it_was_killed_and_ends_with_its_engine(home: Home) -> None:
    port = free_port()
    home.perles("serve", "--detach", "--http", str(port))
    token = home.json("token", "create", "me", "--json")["token"]
    served = Served(ControlPlane(home.root), port, {"admin": token, "read": token})
    before = _server_of(home)

    signal_all([before], signal.SIGKILL)

    again = home.wait_for("another server", lambda: _server_of(home, but=before))
    home.wait_for("it to answer", lambda: _answers(served))
    home.kill_engine()
    home.wait_for("it to end, too", lambda: not _is_alive(again))
    assert not _answers(served)


def _answers(served: Served) -> bool:
    try:
        return served.ask("GET", "/api/v1/overview").status == 200
    except OSError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        return b"perles.http.main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _server_of(home: Home, but: int = 0) -> int:
    """The pid of the server of this home, once it has announced itself."""
    mark = f"PERLES_HOME={home.root}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = mark in (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if is_ours and int(folder.name) != but and _is_alive(int(folder.name)):
            return int(folder.name)
    return 0


def test_the_engine_imports_nothing_of_http_where_it_is_off(home: Home) -> None:
    code = (
        "import sys; import perles.cli.serve, perles.engine.process\n"
        "print(*(name for name in sys.modules if name.startswith('perles.http')))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=home.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == []
