"""A service that listens on the loopback of its machine is asked there whether it is ready."""

from __future__ import annotations

from typing import Any

import pytest

from perles.executor import listening
from tests import ports
from tests.machines.site import Site

pytest.importorskip("distributed")
PORT = ports.HOME + 94
SERVE = f"exec python3 -m http.server --bind 127.0.0.1 {PORT}"
ASK = f"python3 -c \"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/README')\""


def test_a_port_is_asked_where_the_service_listens(site: Site) -> None:
    home = site.home
    for kind, value in (("tcp", f"127.0.0.1:{PORT}"), ("http", f"http://127.0.0.1:{PORT}/README")):
        ready = {kind: value, "timeout": "30s"}
        web: dict[str, Any] = {"key": "web", "run": SERVE, "service": True, "ready": ready}
        file = home.pipeline(kind, [web, {"key": "user", "run": ASK, "after": ["web"]}])

        done = home.perles("run", file)

        assert done.returncode == 0, done.stdout + done.stderr
        assert listening.holder_of(PORT) is None, "it listened on the engine's machine"
    ended = [one["payload"]["text"] for one in home.events("--type", "task.service_ended")]
    assert ended == ["ended by TERM"] * 2
