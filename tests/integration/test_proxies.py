"""Loopback is never asked of a proxy, whatever the variables say."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from perles.agents.environment import proxied_loopback, without_proxied_loopback
from tests.integration.cli import Home

DEAD = "http://127.0.0.1:9"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer anything."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"reached")

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[int]:
    """The port of a server on loopback."""
    made = HTTPServer(("127.0.0.1", 0), _Answer)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made.server_port
    made.shutdown()
    thread.join()
    made.server_close()


def test_what_a_worker_starts_reaches_loopback_past_a_proxy(home: Home, server: int) -> None:
    code = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{server}').read())"
    path = home.pipeline("p", [{"key": "a", "run": f'{sys.executable} -c "{code}"'}])
    _clear(home)
    home.environ |= {"http_proxy": DEAD, "HTTP_PROXY": DEAD, "NO_PROXY": "corp.example"}
    result = home.perles("run", path)
    assert result.returncode == 0, result.stdout
    assert "reached" in home.perles("logs", home.only()).stdout


@pytest.mark.parametrize(
    ("given", "no_proxy"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": " a.example , localhost"}, "a.example,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "*"}, "*"),
        ({"NO_PROXY": "a", "no_proxy": "b"}, "b,127.0.0.1,localhost,::1"),
        ({"no_proxy": ""}, "127.0.0.1,localhost,::1"),
    ],
)
def test_what_was_exempt_stays_exempt(given: dict[str, str], no_proxy: str) -> None:
    found = without_proxied_loopback(given)
    assert found["no_proxy"] == no_proxy
    assert found["NO_PROXY"] == (no_proxy if given.get("no_proxy") is None else found["NO_PROXY"])
    assert proxied_loopback(found) == []


def test_doctor_tells_of_a_proxy_that_loopback_would_be_asked_of(home: Home) -> None:
    def told() -> list[str]:
        lines = home.perles("doctor").stdout.splitlines()
        return [line for line in lines if "proxy" in line.lower()]

    _clear(home)
    home.environ["HTTPS_PROXY"] = DEAD
    assert any("127.0.0.1" in line for line in told())
    home.environ["NO_PROXY"] = "*"
    assert any("exempt" in line for line in told())


def _clear(home: Home) -> None:
    for name in [name for name in home.environ if name.lower().endswith("_proxy")]:
        del home.environ[name]
