"""Whoever attacks HTTP gets nothing, stops nothing, and breaks nothing."""

import json
import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from perles import ControlPlane
from perles.http.guard import Address
from perles.http.limits import Limits
from perles.store import migrate
from tests.integration.http_server import Served, serving
from tests.postgres.homes import another

PLENTY = Limits(rate=1e6, burst=10**6, stranger_rate=1e6, stranger_burst=10**6)
SECRET = b"wf-secret"
SEED = 20261126
FUZZED = int(os.environ.get("PERLES_TEST_FUZZED", "2000"))
"""Requests with wrong bytes; 10,000 of them take a minute."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all attacks: the last of them must find it whole."""
    home = tmp_path_factory.mktemp("attacked") / "home"
    home.mkdir(mode=0o700)
    migrate.ensure(home / "perles.db")
    (home / "secret").write_bytes(SECRET)
    limits = PLENTY._replace(head_seconds=0.5, body_seconds=0.5, idle_seconds=5, strangers=64)
    with serving(ControlPlane(home), limits) as found:
        yield found


@pytest.fixture(autouse=True)
def _is_whole(served: Served) -> Iterator[None]:
    """After each attack those who may ask are answered."""
    yield
    assert served.get("/workflows", role="read") == []


def _head(served: Served, *lines: str, first: str = "GET /api/v1/workflows HTTP/1.1") -> bytes:
    host = f"Host: 127.0.0.1:{served.port}"
    return "\r\n".join((first, host, *lines, "", "")).encode("latin-1")


def _token(served: Served, role: str = "admin") -> str:
    return f"Authorization: Bearer {served.tokens[role]}"


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    "line",
    [
        "X: y",
        "Authorization: Bearer",
        "Authorization: Bearer perles_" + "x" * 43,
        "Authorization: Bearer ' OR 1=1 --",
        "Authorization: Basic YWRtaW46YWRtaW4=",
        "Authorization: Bearer " + "é" * 2000,
        "Cookie: token=perles_x",
    ],
)
def test_without_a_token_that_holds_nothing_is_served(served: Served, line: str) -> None:
    for path in ("/api/v1/workflows", "/api/v1/stream", "/api/v1/nothing", "/api", "/metrics"):
        found = served.raw(_head(served, line, first=f"GET {path} HTTP/1.1"))
        assert _status(found) == 401, (path, found)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:1", "localhost.", "", "[::1]", "@"],
)
def test_another_name_that_leads_here_is_refused(served: Served, host: str) -> None:
    head = f"GET / HTTP/1.1\r\nHost: {host}\r\n{_token(served)}\r\n\r\n".encode()

    assert _status(served.raw(head)) == 421
    assert _status(served.raw(b"GET / HTTP/1.1\r\n\r\n")) == 421


@pytest.mark.parametrize(
    ("line", "is_post"),
    [
        ("Origin: http://evil.example", True),
        ("Origin: null", True),
        ("Origin: https://127.0.0.1:{port}", True),
        ("Origin: http://127.0.0.1", True),
        ("Sec-Fetch-Site: cross-site", True),
        ("Sec-Fetch-Site: same-site", False),
    ],
)
def test_a_page_of_another_site_cannot_ask(served: Served, line: str, is_post: bool) -> None:
    first = f"{'POST' if is_post else 'GET'} /api/v1/workflows HTTP/1.1"
    given = line.format(port=served.port)

    assert _status(served.raw(_head(served, _token(served), given, first=first))) == 403


def test_a_form_of_another_site_cannot_post(served: Served) -> None:
    body = b'{"everything": true}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        found = served.ask("POST", "/api/v1/inbox/ack", body, headers={"Content-Type": kind})
        assert found.status == 415, kind
    assert served.ask("OPTIONS", "/api/v1/inbox/ack").status in (404, 405)


SMUGGLED = b"GET /api/v1/tokens HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLING = {
    "both lengths": ("Content-Length: 4", "Transfer-Encoding: chunked"),
    "two lengths": ("Content-Length: 0", "Content-Length: 41"),
    "same length twice": ("Content-Length: 41", "Content-Length: 41"),
    "list of lengths": ("Content-Length: 0, 41",),
    "signed length": ("Content-Length: +41",),
    "hexadecimal length": ("Content-Length: 0x29",),
    "arabic digits": ("Content-Length: \u00b2",),
    "chunked": ("Transfer-Encoding: chunked",),
    "hidden chunked": ("Transfer-Encoding:\tchunked",),
    "odd chunked": ("Transfer-Encoding: xchunked",),
    "blank before the colon": ("Content-Length : 41",),
    "folded line": ("X: a", " Content-Length: 41"),
    "bare line feed": ("X: a\nContent-Length: 41",),
    "carriage return": ("X: a\rContent-Length: 41",),
    "nul": ("X: a\0",),
    "no colon": ("Content-Length",),
    "two hosts": ("Host: evil.example",),
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_what_can_be_read_in_two_ways_is_refused_with_all_that_follows(
    served: Served, name: str
) -> None:
    head = _head(served, _token(served), *SMUGGLING[name], first="POST /api/v1/inbox/ack HTTP/1.1")

    found = served.raw(head + SMUGGLED + SMUGGLED)

    assert _status(found) in (400, 411), found
    assert found.count(b"HTTP/1.1 ") == 1  # what came behind it was not taken for a request


@pytest.mark.parametrize(
    "first",
    [
        "GET http://evil.example/api/v1/workflows HTTP/1.1",
        "GET //evil.example/ HTTP/1.1",
        "CONNECT 127.0.0.1:22 HTTP/1.1",
        "GET /api/v1/workflows HTTP/1.0",
        "GET /api/v1/workflows HTTP/2.0",
        "GET /api/v1/workflows",
        "GET  /api/v1/workflows HTTP/1.1",
        "PRI * HTTP/2.0",
        "get /api/v1/workflows HTTP/1.1",
        "GET /api/v1/workflows#x HTTP/1.1",
        "GET /api/v1/workflows?limit=1&limit=2 HTTP/1.1",
        "GET /api/v1/workflows?%ff=1 HTTP/1.1",
        "GET /api/v1/workflows/%ff HTTP/1.1",
        "GET /api/v1/workflows/%00 HTTP/1.1",
        "GET /api/v1/workflows/a%2fb HTTP/1.1",
    ],
)
def test_an_odd_first_line_gets_an_error(served: Served, first: str) -> None:
    assert (
        400
        <= _status(served.raw(_head(served, _token(served), "Connection: close", first=first)))
        < 600
    )


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/..%2fsecret",
        "/%2e%2e/%2e%2e/secret",
        "/....//secret",
        "/index.html/../../secret",
        "//secret",
        "/secret",
        "/perles.db",
        "/__init__.py",
        "/../server.py",
        "/api/v1/../../secret",
        "/api/v1/workflows/..%5c..%5csecret",
        "/etc/passwd",
    ],
)
def test_no_file_but_those_of_the_page_is_served(served: Served, path: str) -> None:
    for line in (_token(served), "X: y"):
        head = _head(served, line, "Connection: close", first=f"GET {path} HTTP/1.1")
        found = served.raw(head)
        assert 400 <= _status(found) < 500
        assert SECRET not in found


def test_a_body_that_is_too_long_is_not_read(served: Served) -> None:
    started = time.monotonic()
    for size in (10_000_000, 10**18):
        for line in (_token(served), "X: y"):
            first = "POST /api/v1/inbox/ack HTTP/1.1"
            head = _head(served, line, f"Content-Length: {size}", first=first)
            assert _status(served.raw(head)) == 413
    assert time.monotonic() - started < 30
    with suppress(ConnectionError):  # it hung up while this still sends
        head = _head(served, _token(served), "Content-Length: 10000000", first="POST / HTTP/1.1")
        assert _status(served.raw(head + b"x" * 10_000_000)) == 413


def test_a_head_that_is_too_long_is_cut_off(served: Served) -> None:
    assert _status(served.raw(_head(served, "X: " + "y" * 40_000))) == 431
    assert _status(served.raw(_head(served, *(f"X{number}: y" for number in range(200))))) == 431


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"{", b"null", b'{"seqs": "x"}', b"\xff", b'{"a": 1}']
)
def test_a_body_that_is_not_what_is_wanted_is_refused(served: Served, body: bytes) -> None:
    found = served.ask("POST", "/api/v1/inbox/ack", body)

    assert found.status == 400
    assert found.error["kind"] == "bad_request"


def test_who_sends_slowly_holds_nobody_up(served: Served) -> None:
    """300 connections that never end their head, or their body: more than there may be."""
    body = _head(
        served, _token(served), "Content-Length: 50", first="POST /api/v1/inbox/ack HTTP/1.1"
    )
    slow = []
    for number in range(300):
        one = socket.create_connection(("127.0.0.1", served.port), 30)
        one.sendall(body if number % 3 == 0 else b"GET / HTTP/1.1\r\nX: y")
        slow.append(one)

    assert served.get("/workflows") == []

    for one in slow:
        with closing(one):
            found = b"start"
            with suppress(ConnectionResetError):
                while found and not found.startswith(b"HTTP/1.1 408"):
                    found = one.recv(4096)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home beside the one that the tests share."""
    with another(monkeypatch):
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        migrate.ensure(home / "perles.db")
        yield home


def test_many_who_are_refused_stop_nobody_with_a_token(own_home: Path) -> None:
    with serving(
        ControlPlane(own_home), Limits(stranger_rate=0, stranger_burst=20, burst=30, rate=0)
    ) as served:
        found = [served.ask("GET", "/api/v1/overview", role=None).status for _ in range(40)]
        allowed = [served.ask("GET", "/api/v1/overview", role="read").status for _ in range(40)]

        assert (found.count(401), found.count(429)) == (20, 20)
        assert (allowed.count(200), allowed.count(429)) == (30, 10)


def test_names_that_were_configured_are_served_and_others_are_not(own_home: Path) -> None:

    def address(port: int) -> Address:
        return Address("0.0.0.0", port, False, ("perles.example",))

    with serving(ControlPlane(own_home), PLENTY, address) as served:
        for name, status in (("perles.example", 404), ("evil.example", 421), ("192.0.2.1", 404)):
            host = {"Host": f"{name}:{served.port}"}
            assert served.ask("GET", "/api/v1/x", headers=host).status == status, name


def _fuzzed(served: Served, chance: random.Random) -> bytes:
    """A request in which some bytes are others, are missing, or stand twice."""
    words = ("workflows", "workflows/x", "stream", "inbox/ack", "events?since=0", "tokens/x")
    method = chance.choice(("GET", "POST", "DELETE", "PUT", "PATCH", "TRACE"))
    body = json.dumps(chance.choice(({}, {"seqs": [1]}, {"text": "\ud800"}, [], None))).encode()
    data = bytearray(
        _head(
            served,
            chance.choice((_token(served, "read"), "Authorization: Bearer x")),
            f"Content-Length: {len(body)}",
            "Content-Type: application/json",
            "Connection: close",
            first=f"{method} /api/v1/{chance.choice(words)} HTTP/1.1",
        )
        + body
    )
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[place] = chance.randrange(256)
        elif kind == 1:
            del data[place : place + chance.randrange(1, 20)]
        elif kind == 2:
            data[place:place] = data[place : place + chance.randrange(1, 40)]
        else:
            data[place:place] = chance.choice((b"\r\n", b"\0", b"\r\n\r\n", b"%", b"\xff", b": "))
    return bytes(data)


def test_requests_with_wrong_bytes_change_and_stop_nothing(served: Served) -> None:
    chance = random.Random(SEED)
    before = served.get("/overview")["seq"]

    for start in range(0, FUZZED, 50):
        group = []
        for _ in range(50):
            one = socket.create_connection(("127.0.0.1", served.port), 30)
            with suppress(ConnectionError):
                one.sendall(_fuzzed(served, chance))
                one.shutdown(socket.SHUT_WR)
            group.append(one)
        for one in group:
            with closing(one), suppress(ConnectionError):
                head = one.recv(4096)
                assert not head.startswith(b"HTTP/1.1 500"), (SEED, start, head)

    assert served.get("/overview")["seq"] == before
