"""Stand-ins for agent CLIs that spend: they print and write down calls as the real ones do.

Each call costs 1000 and 20 tokens and stands in the file `bill`. After `calls` of them the
program waits to be ended. As of the real ones, only some tell on their output what a call used.
"""

from pathlib import Path

import yaml

from tests.integration.cli import Home
from tests.integration.scripted_cli import program

CALL = 1020
"""Tokens of one call."""
SOURCE = """\
import json, os, sys, time
kind, calls, pause = {kind!r}, {calls!r}, {pause!r}
home, bill = {home!r}, {bill!r}
argv = sys.argv[1:]
words = ("--resume", "resume")
before = next((argv[n + 1] for n, word in enumerate(argv) if word in words), None)
session = before or "0123abcd-0000-4000-8000-000000000000"
sys.stdin.read()

def say(line):
    print(json.dumps(line), flush=True)

def write(place, line):
    path = os.path.join(home, place)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a") as file:
        file.write(json.dumps(line, separators=(",", ":")) + "\\n")

def spent(out):
    return {{"input_tokens": 1000, "output_tokens": out}}

count = len(open(bill).readlines()) if os.path.exists(bill) else 0
if kind == "claude":
    say({{"type": "system", "subtype": "init", "session_id": session}})
else:
    say({{"type": "thread.started", "thread_id": session}})
for _ in range(calls):
    count += 1
    name = f"m{{count}}"
    if kind == "claude":
        model = "claude-sonnet-5-5"
        said = {{"id": name, "model": model, "content": []}}
        say({{"type": "assistant", "message": {{**said, "usage": spent(1)}}}})
        place = f".claude/projects/-work/{{session}}.jsonl"
        write(place, {{"type": "assistant", "message": {{**said, "usage": spent(20)}}}})
    else:
        total = {{"input_tokens": 1000 * count, "output_tokens": 20 * count}}
        info = {{"total_token_usage": total}}
        line = {{"type": "event_msg", "payload": {{"type": "token_count", "info": info}}}}
        write(f".codex/sessions/2026/11/26/rollout-x-{{session}}.jsonl", line)
    with open(bill, "a") as file:
        file.write("1020\\n")
    time.sleep(pause)
time.sleep(600)
"""


def set_up(home: Home, kind: str, *, calls: int, pause: float = 0.0) -> Path:
    """Make `kind` be such a program; the file of its bill."""
    bill = home.work / "bill"
    own = home.work.parent / "cli-home"
    own.mkdir(exist_ok=True)
    values = {"kind": kind, "calls": calls, "pause": pause, "home": str(own), "bill": str(bill)}
    path = program(home, f"{kind}-stand-in", SOURCE.format(**values))
    settings = {"executable": path, "env": {"HOME": str(own)}}
    home.config_file.write_text(yaml.safe_dump({"orchestration": {kind: settings}}))
    return bill


def billed(bill: Path) -> int:
    """Tokens that were billed so far."""
    return sum(map(int, bill.read_text().split())) if bill.exists() else 0
