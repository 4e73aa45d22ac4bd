"""HTTP: how soon an event reaches a client, what many clients cost, and how soon the page shows.

The figures of the page are left out where there is no playwright, or no chromium.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perles.store.database import Database
from perles.store.events import journal
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from tests.benchmarks.bench import Bench, Row, bench, fill, percentile
from tests.integration.http_server import free_port

CLIENTS = 500
A_SECOND = 100
SECONDS = 20
BREAKS = 1000
WORKFLOWS = 10_000
UPDATES = 20


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        port, token = _served(home)
        database = Database(home.root / "perles.db")
        one = _followed(home, database, port, token, 1, 0)
        yield Row("event to a client of the stream, p50", one["p50"], "ms", "<= 10")
        yield Row("event to a client of the stream, p99", one["p99"], "ms", "<= 30")
        many = _followed(home, database, port, token, CLIENTS, BREAKS)
        extra = many["engine"] - one["engine"]
        yield Row("engine's extra CPU, 500 clients, 100 events/s", extra, "% of a core", "<= 25")
        yield Row("CPU of what serves HTTP, the same", many["server"], "% of a core", "<= 100")
        wrong = many["lost"] + many["doubled"]
        yield Row("lost or doubled after 1,000 disconnects", wrong, "events", "<= 0")
        database.dispose()
        home.run("engine", "stop")
    yield from _page_rows()


def _served(home: Bench) -> tuple[int, str]:
    port = free_port()
    home.database().dispose()
    home.run("serve", "--detach", "--http", str(port))
    told = json.loads(home.run("token", "create", "bench", "--role", "operate", "--json"))
    return port, str(told["token"])


def _followed(
    home: Bench, database: Database, port: int, token: str, clients: int, breaks: int
) -> dict[str, float]:
    """What so many clients got of a hundred events a second, and what that cost."""
    last = _last(database)
    words = [str(port), token, str(clients), str(breaks), str(last)]
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.sse_clients", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready"
    engine, server = _pids(home)
    before = _cpu(engine), _cpu(server)
    began = time.monotonic()
    for number in range(A_SECOND * SECONDS):
        database.write(_say)
        time.sleep(max(0, began + (number + 1) / A_SECOND - time.monotonic()))
    took = time.monotonic() - began
    after = _cpu(engine), _cpu(server)
    told, _ = child.communicate(str(_last(database)), timeout=300)
    found: dict[str, float] = json.loads(told)
    shares = [100 * (now - then) / took for now, then in zip(after, before, strict=True)]
    return found | {"engine": shares[0], "server": shares[1]}


def _say(tx: Tx) -> None:
    journal.append(tx, "notify.failed", {"text": "x" * 200})


def _last(database: Database) -> int:
    with database.reader() as reader:
        return int(reader.execute("SELECT max(seq) FROM events")[0][0])


def _pids(home: Bench) -> tuple[int, int]:
    """The engine, and the process that it has for HTTP."""
    engine = int(json.loads(home.run("engine", "status", "--json"))["pid"])
    children = Path(f"/proc/{engine}/task/{engine}/children").read_text().split()
    threads = Path(f"/proc/{engine}/task").iterdir()
    children += [pid for one in threads for pid in (one / "children").read_text().split()]
    (server,) = {
        int(pid)
        for pid in children
        if b"perles.http.main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    }
    return engine, server


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _page_rows() -> Iterator[Row]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return
    chromium = shutil.which("chromium")
    if chromium is None:
        return
    with bench() as home, sync_playwright() as running:
        database = home.database()
        fill(database, WORKFLOWS, 0)
        port, token = _served(home)
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        url = f"http://127.0.0.1:{port}/"
        page.goto(f"{url}#token={token}")
        page.wait_for_selector("ul.cards > li")
        paints = sorted(_paint(page, url) for _ in range(10))
        yield Row("page to its list, 10,000 workflows, p50", paints[5], "ms", "<= 300")
        updates = [_update(page, database, number) for number in range(UPDATES)]
        yield Row("event to the page, p50", percentile(updates, 0.5), "ms", "<= 100")
        yield Row("event to the page, p90", percentile(updates, 0.9), "ms", "<= 100")
        browser.close()
        database.dispose()
        home.run("engine", "stop")


def _paint(page: Any, url: str) -> float:
    """Milliseconds from the begin of loading until the list is there."""
    page.goto("about:blank")
    page.goto(url, wait_until="commit")
    page.wait_for_selector("ul.cards > li")
    return float(page.evaluate("window.perlesPainted"))


def _update(page: Any, database: Database, number: int) -> float:
    """Milliseconds from a commit until the page shows it."""
    name = f"updated-{number}"
    time.sleep(1)
    page.evaluate(
        """name => new Promise((there) => {
          window.shown = new Promise((done) => {
            const look = new MutationObserver(() => {
              if (document.body.innerText.includes(name)) { look.disconnect(); done(Date.now()); }
            });
            look.observe(document.body, {childList: true, subtree: true, characterData: true});
          });
          there();
        })""",
        name,
    )

    def rename(tx: Tx) -> None:
        newest = tx.execute("SELECT id FROM workflows ORDER BY created_at DESC, id DESC LIMIT 1")
        tx.update(Workflow, newest[0][0], name=name)
        journal.append(tx, "workflow.changed", {}, workflow_id=newest[0][0])

    database.write(rename)
    committed = time.time()
    return float(page.evaluate("window.shown")) - 1000 * committed
