"""service and ready: commands that run on while other tasks need them."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.domain.line_pattern import LinePattern
from perles.domain.services import KINDS, MAX_READY_SECONDS, READY_SECONDS, Ready, split_address
from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import DURATION, TEXT, WORDS, YES_OR_NO, parts
from perles.templates.keys.texts import command

MAX_VALUE: Final = 2_000
"""Characters of what is asked for."""


def service(entries: Entries) -> Ready | None:
    """When a service is ready; None for a task that is none. Raises `UsageError`."""
    is_one = "service" in entries and entries["service"].boolean()
    if not is_one:
        if "ready" in entries:
            raise entries["ready"].error("is for a task with service: true")
        return None
    if "run" not in entries:
        raise entries["service"].error("is for commands; this task has no run")
    timeout = entries.get("timeout")
    if timeout is not None and (not isinstance(timeout.value, dict) or "run" in timeout.value):
        raise timeout.error("is not for a service, which runs on; ready has a timeout of its own")
    return _ready(entries["ready"]) if "ready" in entries else Ready()


def _ready(node: Node) -> Ready:
    given = node.mapping((*KINDS, "timeout"))
    kinds = [kind for kind in KINDS if kind in given]
    if len(kinds) != 1:
        raise node.error(f"needs one of {', '.join(KINDS)}")
    kind = kinds[0]
    value = command(given[kind]) if kind == "command" else given[kind].text().strip()
    if len(value) > MAX_VALUE:
        raise given[kind].error(f"has over {MAX_VALUE} characters")
    value = _CHECKS[kind](value, given[kind])
    seconds = given["timeout"].duration() if "timeout" in given else READY_SECONDS
    if not 0 < seconds <= MAX_READY_SECONDS:
        raise given["timeout"].error("must be above 0 and at most 1 day")
    return Ready(kind=kind, value=value, timeout=seconds)


def _address(value: str, node: Node) -> str:
    try:
        host, port = split_address(value)
    except ValueError:
        raise node.error(f"{value[:60]!r} is no port; write 8080, or host:8080") from None
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _url(value: str, node: Node) -> str:
    try:
        parts_of = urlsplit(value)
        is_url = parts_of.scheme in ("http", "https") and parts_of.hostname and parts_of.port != 0
    except ValueError:
        is_url = False
    if (
        not is_url
        or not value.isascii()
        or any(not one.isprintable() or one == " " for one in value)
    ):
        raise node.error(f"{value[:60]!r} is no URL that begins with http:// or https://")
    return value


def _pattern(value: str, node: Node) -> str:
    try:
        LinePattern(value)
    except UsageError as error:
        raise node.error(f"{value[:60]!r} cannot be looked for: it {error}") from None
    return value


_CHECKS: Final = {
    "tcp": _address,
    "http": _url,
    "command": lambda value, _node: value,
    "line": _pattern,
}


def _execution(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    return {"service": service(entries)}


FAMILY: Final = Family(
    title="Services",
    text="""\
A task with `service: true` is a command that keeps running while other tasks need it: a database,
a web server. Tasks that name it in `after` start when it is ready. When the last of them has ended
(done, failed or skipped), Perles ends the service with TERM, and after the grace period with KILL.
The task is then done.

- A service takes no worker: neither one of the file's `workers` nor a slot of the machine, so it
  does not block a pipeline with `workers: 1`. `perles show` lists it as `service-KEY`.
- If it exits while it is needed, with any exit code, the attempt has failed. It is restarted as its
  `retries` allow, and tasks that have not started wait until it is ready again. Without retries
  left it fails, and the tasks that wait for it are skipped; running tasks continue.
- If it is not ready in time, the attempt fails with the reason. The attempt also fails if another
  process already listens on its port; the message names the process.
- Its output is stored like that of any task: `perles logs ID --agent service-KEY`. A service keeps
  running when the engine is killed. The next engine adopts it, with its readiness.
- A pause ends it, too. A resume starts it first.
- A service without dependent tasks is done as soon as it is ready.
""",
    execution=_execution,
    keys=(
        Key(
            name="service",
            at=TASKS,
            commands_only=True,
            schema=YES_OR_NO,
            doc="`true`: the command keeps running until the last task that depends on it has "
            "ended.",
            example="- {key: web, run: python -m http.server 8000, service: true, "
            "ready: {tcp: 8000}}\n- {key: e2e, run: curl -f localhost:8000, after: web}",
        ),
        Key(
            name="ready",
            at=TASKS,
            commands_only=True,
            schema=parts(
                {"tcp": TEXT, "http": WORDS, "command": WORDS, "line": WORDS, "timeout": DURATION}
            ),
            doc="When the service is ready. `tcp`: a port or host:port accepts connections. "
            "`http`: a URL answers with a status below 400. `command`: a command passes (10 "
            "seconds for each try). `line`: a line of the output matches a regular "
            "expression, without back-references and lookaround; only the first 2,000 "
            "characters of a line count. `timeout` is 1m by default. Without `ready`, the "
            "service is ready when its process runs.",
            example="- key: db\n  run: postgres -D data\n  service: true\n"
            "  ready: {line: ready to accept connections, timeout: 30s}\n"
            "- {key: migrate, run: ./migrate.sh, after: [db]}",
        ),
    ),
)
