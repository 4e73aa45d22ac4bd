"""service and ready: what a file may say."""

from pathlib import Path

import pytest

from perles.domain.errors import UsageError
from perles.domain.services import Ready
from perles.templates.pipeline import read_pipeline


def _ready(tmp_path: Path, task: str) -> Ready | None:
    path = tmp_path / "p.yaml"
    path.write_text(f"name: x\ntasks:\n- {{key: a, {task}}}\n")
    return read_pipeline(path).tasks[0].execution.service


def test_a_service_says_when_it_is_ready(tmp_path: Path) -> None:
    one = "run: x, service: true"
    assert _ready(tmp_path, "run: x") is None
    assert _ready(tmp_path, "run: x, service: false") is None
    assert _ready(tmp_path, one) == Ready()
    assert _ready(tmp_path, f"{one}, ready: {{tcp: 80}}") == Ready(kind="tcp", value="127.0.0.1:80")
    assert _ready(tmp_path, f"{one}, ready: {{tcp: 'db:5432', timeout: 30s}}") == Ready(
        kind="tcp", value="db:5432", timeout=30.0
    )
    assert _ready(tmp_path, f"{one}, ready: {{tcp: '[::1]:80'}}") == Ready(
        kind="tcp", value="[::1]:80"
    )
    assert _ready(tmp_path, f"{one}, ready: {{line: ready$}}") == Ready(kind="line", value="ready$")


def test_its_port_is_known_where_it_is_of_this_machine() -> None:
    assert Ready(kind="tcp", value="127.0.0.1:80").local_port() == 80
    assert Ready(kind="http", value="http://localhost:8080/x").local_port() == 8080
    assert Ready(kind="http", value="https://localhost/").local_port() == 443
    assert Ready(kind="tcp", value="db:80").local_port() is None
    assert Ready(kind="line", value="80").local_port() is None


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("run: x, service: maybe", "true or false"),
        ("run: x, ready: {tcp: 80}", "is for a task with service: true"),
        ("prompt: x, service: true", "is for commands"),
        ("run: x, service: true, timeout: 5m", "is not for a service"),
        ("run: x, service: true, timeout: {run: 5m}", "is not for a service"),
        ("run: x, service: true, ready: 80", "expected keys and values"),
        ("run: x, service: true, ready: {}", "needs one of"),
        ("run: x, service: true, ready: {tcp: 80, line: x}", "needs one of"),
        ("run: x, service: true, ready: {udp: 80}", "unknown key"),
        ("run: x, service: true, ready: {tcp: 0}", "is no port"),
        ("run: x, service: true, ready: {tcp: 65536}", "is no port"),
        ("run: x, service: true, ready: {tcp: db}", "is no port"),
        ("run: x, service: true, ready: {http: 'ftp://x'}", "is no URL"),
        ("run: x, service: true, ready: {http: 'http://x y/'}", "is no URL"),
        ('run: x, service: true, ready: {http: "http://x/\\r\\nY: z"}', "is no URL"),
        ("run: x, service: true, ready: {http: 'http://x:99999/'}", "is no URL"),
        ("run: x, service: true, ready: {command: ' '}", "is empty"),
        ("run: x, service: true, ready: {line: '(a'}", "( without )"),
        ("run: x, service: true, ready: {line: '(a)\\1'}", "means nothing here"),
        ("run: x, service: true, ready: {tcp: 80, timeout: 0s}", "above 0"),
        ("run: x, service: true, ready: {tcp: 80, timeout: 2d}", "1 day"),
        ("run: x, service: true, ready: {tcp: 80, timeout: soon}", "duration"),
    ],
)
def test_what_is_no_service_is_refused_with_its_line(tmp_path: Path, task: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"p\.yaml:3: ") as error:
        _ready(tmp_path, task)
    assert said in str(error.value)
