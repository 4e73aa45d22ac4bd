"""`perles list` as a whole process, beside `supervisorctl status` where that is installed."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.bench import PERLES, Row, bench, fill, process_ms

SUPERVISOR = """
[unix_http_server]
file={root}/s.sock
[supervisord]
logfile={root}/s.log
pidfile={root}/s.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{root}/s.sock
[program:sleeper]
command=/bin/sleep 1000
"""


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        fill(home.database(), 1000, 1000)
        value = process_ms([PERLES, "list", "--state", "running"], home.environ)
        yield Row("list --state running, 1,000 workflows", value, "ms", "<= 100")
        with _supervisor(home.root) as status:
            if status is not None:
                theirs = process_ms(status, home.environ)
                ratio = value / theirs
                yield Row("the same over supervisorctl status", ratio, "ratio", "<= 0.45")
    with bench() as home:
        fill(home.database(), 100_000, 50)
        value = process_ms([PERLES, "list"], home.environ)
        yield Row("list, 100,000 workflows of which 50 run", value, "ms", "<= 130")


@contextmanager
def _supervisor(root: Path) -> Iterator[list[str] | None]:
    bin_dir = Path(sys.executable).parent
    if not (bin_dir / "supervisord").exists():
        yield None
        return
    config = root / "s.conf"
    config.write_text(SUPERVISOR.format(root=root))
    daemon = subprocess.Popen([bin_dir / "supervisord", "-n", "-c", config], stdout=-3, stderr=-3)
    try:
        while not (root / "s.sock").exists():
            time.sleep(0.05)
        yield [str(bin_dir / "supervisorctl"), "-c", str(config), "status"]
    finally:
        daemon.terminate()
        daemon.wait()
