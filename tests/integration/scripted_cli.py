"""Agents of other CLIs, as small programs that behave like them."""

import stat
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.integration.cli import Home

ROOT = Path(__file__).resolve().parents[2]
TOOLS = f"""\
import json, os, sys
sys.path.insert(0, {str(ROOT)!r})
from perles.agents.builtin.client import CallFailed, Client

def client(config):
    server = json.load(open(config))["mcpServers"]["perles"]
    return Client(server["url"], server["headers"]["Authorization"].split()[-1])

"""
"""The beginning of a program that calls our tools with what its MCP configuration says."""


def program(home: Home, name: str, source: str) -> str:
    """A program in Python; its path."""
    path = home.work / name
    path.write_text(f"#!{sys.executable}\n{source}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def configure(home: Home, **orchestration: Any) -> Path:
    """The user's own configuration; its path."""
    file = home.config_file
    file.write_text(yaml.safe_dump({"orchestration": orchestration}))
    return file


def cli(home: Home, source: str, **more: Any) -> None:
    """A provider `mycli` that is this program in Python."""
    path = program(home, "mycli", source)
    configure(home, providers={"mycli": {"type": "command", "argv": [path], **more}})


def with_tools(home: Home, source: str, **orchestration: Any) -> None:
    """A provider `mycli` that has `tools`, a client of our MCP server, and its `prompt`."""
    path = program(
        home, "mycli", f"{TOOLS}tools = client(sys.argv[1])\nprompt = sys.stdin.read()\n{source}"
    )
    mycli = {"type": "command", "argv": [path, "{mcp_config}"], "mcp": "json-file"}
    configure(home, providers={"mycli": mycli}, **orchestration)


def prompted(home: Home, prompt: str = "Answer.", worker: str = "mycli", **more: Any) -> Path:
    """A pipeline of one task, which `mycli` is to do."""
    return home.pipeline("p", [{"key": "ask", "prompt": prompt, "worker": worker, **more}])


def task_of(home: Home, key: str = "ask") -> dict[str, Any]:
    """A task of the only workflow."""
    tasks: list[dict[str, Any]] = home.json("show", home.only(), "--json")["tasks"]
    return next(task for task in tasks if task["key"] == key)
