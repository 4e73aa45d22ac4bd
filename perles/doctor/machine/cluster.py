"""The cluster: whether what reaches it is installed, and what its nodes told."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

from perles.cluster.libraries import INSTALL
from perles.doctor.finding import NOTE, OK, PROBLEM, Finding, named
from perles.doctor.machine.surroundings import Surroundings
from perles.domain.cluster_words import standing
from perles.domain.explanations import NO_ENGINE, advice
from perles.domain.placement import none_is_there
from perles.store.place import engine_lock
from perles.store.reads.connection import reading
from perles.store.reads.nodes import cluster as cluster_of
from perles.store.reads.nodes import nodes

_LIBRARIES: Final = {
    "ssh": "cryptography",
    "slurm": "dask_jobqueue",
    "kubernetes": "dask_kubernetes",
}


def check(surroundings: Surroundings) -> Iterator[Finding]:
    """Only where the configuration has a cluster."""
    cluster = surroundings.config.cluster
    if not cluster:
        return
    needed = ["distributed", *filter(None, [_LIBRARIES.get(cluster.kind)])]
    missing = [name for name in needed if find_spec(name) is None]
    for name in missing:
        yield Finding("cluster", PROBLEM, f"{name} is not installed", INSTALL[name])
    if missing:
        return
    path = surroundings.paths.database_path()
    with reading(path) as connection:
        found, link = nodes(connection), cluster_of(connection)
    if not engine_lock(path).is_held():
        text = "no engine runs: what is told of nodes is what the last one knew"
        yield Finding("cluster", NOTE, text, advice(NO_ENGINE))
    elif link is None:
        text = f"the engine was started without the cluster {cluster.place}"
        yield Finding("cluster", PROBLEM, text, "start it again: perles engine stop, perles serve")
    elif link["state"] != "connected":
        level = NOTE if link["state"] == "connecting" else PROBLEM
        text = f"the cluster {link['place']} is {standing(link)}"
        yield Finding("cluster", level, text, "look at the scheduler; perles engine logs")
    yield from judge(found)


def judge(found: list[dict[str, Any]]) -> Iterator[Finding]:
    """What nodes, as `nodes --json` has them, tell of themselves."""
    there = [node for node in found if node["state"] != "gone"]
    if not there:
        yield _none_is_there(found)
        return
    for node in there:
        problems = "; ".join(node["problems"])
        if node["state"] == "unreachable":
            text = f"node {node['name']} is out of reach: {problems}"
            yield Finding("cluster", PROBLEM, text, "look at its machine, its worker and its log")
        elif problems:
            text = f"node {node['name']}: {problems}"
            yield Finding("cluster", PROBLEM, text, _advice(problems))
        elif node["state"] == "draining":
            text = f"node {node['name']} gets no turns"
            yield Finding("cluster", NOTE, text, f"perles nodes resume {node['name']}")
    good = [node["name"] for node in there if node["state"] == "ready" and not node["problems"]]
    if good:
        many = "1 node is" if len(good) == 1 else f"{len(good)} nodes are"
        yield Finding("cluster", OK, f"{many} ready: {named(good)}")


def _none_is_there(gone: list[dict[str, Any]]) -> Finding:
    text = none_is_there([node["name"] for node in gone])
    if not gone:
        return Finding("cluster", PROBLEM, text, "start the engine; perles engine logs tells why")
    reasons = list(dict.fromkeys("; ".join(node["problems"]) for node in gone))
    why = f": {reasons[0]}" if len(reasons) == 1 and reasons[0] else "; perles nodes tells why"
    return Finding("cluster", PROBLEM, text + why, "start a node, or a Dask worker, on a machine")


def _advice(problems: str) -> str:
    if "Perles" in problems or "Python" in problems:
        return "install the same versions on all machines"
    if "slots" in problems:
        return "set cluster.max_workers, or start it with --slots"
    if "relay" in problems:
        return "look at node.log on it; end the node there, and another one starts"
    if "shared" in problems:
        return "share that folder with the node, or use workspace: git"
    if "clock" in problems:
        return "let all machines set their clocks by the network"
    if "git" in problems:
        return "install git there, or use workspace: shared"
    return "make room there, or drain the node" if "disk" in problems else "look at its machine"
