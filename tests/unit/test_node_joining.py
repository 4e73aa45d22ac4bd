"""Who starts a node by hand is told whether an engine finds it."""

import asyncio
from pathlib import Path

import pytest

from perles.node import joining


async def test_a_node_that_no_engine_finds_says_so_and_where_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joining, "PATIENCE", 0.01)
    said, spoke, found = list[str](), asyncio.Event(), asyncio.Event()

    def tell(text: str) -> None:
        said.append(text)
        spoke.set()

    telling = asyncio.create_task(joining.follow_engine(found, "tcp://a:1", Path("/f"), tell))
    await spoke.wait()
    assert said[0].startswith("no engine has found this node in 0.01s: one must run with tcp://a:1")
    assert "/f/worker.log" in said[0]

    found.set()
    await telling
    assert said[1:] == ["an engine has found this node"]


async def test_a_node_that_is_found_at_once_says_only_that() -> None:
    said, found = list[str](), asyncio.Event()
    found.set()
    await joining.follow_engine(found, "tcp://a:1", Path("/f"), said.append)
    assert said == ["an engine has found this node"]
