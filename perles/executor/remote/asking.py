"""The way to the parts of nodes, over the links that carry all else."""

from __future__ import annotations

from collections.abc import Callable

from perles.executor.remote import messages as m
from perles.executor.remote.errors import NodeError
from perles.executor.remote.links import Links
from perles.executor.remote.part import Ask


def asks(links: Links) -> Callable[[str], Ask]:
    """How a node's parts are asked, by the node's name: in any event loop."""

    def of(node: str) -> Ask:
        async def ask(part: str, op: str, body: bytes, wait: float) -> bytes:
            request = m.Part(part=part, op=op, body=body, wait=wait)
            answer = await links.wait(links.of(node).ask(request))
            if not isinstance(answer, m.PartTold):
                raise NodeError("failed", f"node {node} answers what was not asked")
            return answer.body

        return ask

    return of
