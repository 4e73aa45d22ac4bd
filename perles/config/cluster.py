"""The configuration of a cluster: which machines run turns beside this one, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from perles.domain.node_words import is_node_name
from perles.domain.records import dataclass

if TYPE_CHECKING:
    from perles.config.yamlfile import Node

WORKSPACES: Final = ("shared", "git")
ON_PARTITION: Final = ("repeat", "wait")
KINDS: Final = ("scheduler", "ssh", "slurm", "kubernetes")
"""The keys that say where the machines come from: one of them is set, or none."""
SHORTEST_TTL: Final = 2.0
"""Seconds: with less, a busy network ends agents that nothing is wrong with."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where turns run beside this machine. `node_ttl` is in seconds, `max_workers` of one node.

    At most one of `scheduler`, `ssh`, `slurm` and `kubernetes` is set. `labels` are by node.
    """

    scheduler: str = ""
    ssh: tuple[str, ...] = ()
    slurm: Mapping[str, Any] = field(default_factory=dict)
    kubernetes: Mapping[str, Any] = field(default_factory=dict)
    ca: str = ""
    certificate: str = ""
    key: str = ""
    workspace: str = "shared"
    node_ttl: float = 30.0
    on_partition: str = "repeat"
    max_workers: int = 0
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    python: str = ""
    folder: str = ""
    keep: bool = False

    def __bool__(self) -> bool:
        """Whether there is a cluster at all."""
        return bool(self.kind)

    @property
    def place(self) -> str:
        """Where the machines come from, in words that hold no secret."""
        many = "1 machine" if len(self.ssh) == 1 else f"{len(self.ssh)} machines"
        machines = f"{many} over SSH"
        words = {"ssh": machines, "slurm": "Slurm", "kubernetes": "Kubernetes"}
        return self.scheduler or words.get(self.kind, "")

    @property
    def kind(self) -> str:
        """Which of `KINDS` is set; "" for none."""
        return next((kind for kind in KINDS if getattr(self, kind)), "")


def _address(node: Node) -> str:
    text = node.text()
    if not text:
        return text
    parts = urlsplit(text)
    try:
        usable = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port
    except ValueError:
        usable = None
    if not usable or parts.path or parts.query:
        raise node.error("must be the address of a Dask scheduler: tcp://HOST:PORT or tls://…")
    return text


def _hosts(node: Node) -> tuple[str, ...]:
    hosts = tuple(item.text() for item in node.items())
    for item, host in zip(node.items(), hosts, strict=True):
        if not host or host.startswith("-") or any(one.isspace() for one in host):
            raise item.error("must be a host, or USER@HOST, as ssh takes it")
    return hosts


def _settings(node: Node) -> dict[str, Any]:
    """Arguments of a class of Dask: numbers, words, lists and mappings, as they are written."""
    return {name: _value(child.plain()) for name, child in node.mapping().items()}


def _value(plain: Any) -> Any:
    """Every scalar of a file is text here: numbers and truths are made of it again."""
    if isinstance(plain, dict):
        return {name: _value(value) for name, value in plain.items()}
    if isinstance(plain, list):
        return [_value(value) for value in plain]
    if not isinstance(plain, str):
        return plain
    if plain in ("true", "false"):
        return plain == "true"
    try:
        return int(plain)
    except ValueError:
        return plain


def _labels(node: Node) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, child in node.mapping().items():
        words = tuple(item.text() for item in child.items())
        if not all(is_node_name(word) for word in (name, *words)):
            raise child.error("nodes and labels are letters, digits, and . _ - between them")
        found[name] = words
    return found


def _ttl(node: Node) -> float:
    seconds = node.positive_duration()
    if seconds < SHORTEST_TTL:
        raise node.error(f"must be at least {SHORTEST_TTL:g}s")
    return seconds


Reader = Callable[["Node"], Any]
ENTRIES: Final[dict[str, tuple[Reader, str]]] = {
    "scheduler": (
        _address,
        "a Dask scheduler that runs already: tcp://HOST:8786 or tls://HOST:8786",
    ),
    "ssh": (_hosts, "machines on which Perles starts Dask over SSH: [me@box1, me@box2]"),
    "slurm": (
        _settings,
        "Slurm jobs: {jobs: 4, queue: batch, cores: 8, memory: 16GB}, as dask_jobqueue has it",
    ),
    "kubernetes": (
        _settings,
        "pods: {name: perles, image: IMAGE, n_workers: 4}, as KubeCluster of dask_kubernetes",
    ),
    "ca": (lambda node: node.text(), "file with the certificate authority, for tls://"),
    "certificate": (lambda node: node.text(), "file with the certificate, for tls://"),
    "key": (lambda node: node.text(), "file with its private key, for tls://"),
    "workspace": (
        lambda node: node.word(WORKSPACES),
        "shared: all machines see the same files; git: work travels as commits",
    ),
    "node_ttl": (_ttl, "a node that hears nothing for this time ends its agents"),
    "on_partition": (
        lambda node: node.word(ON_PARTITION),
        "repeat or wait, when a node with agents stays out of reach",
    ),
    "max_workers": (
        lambda node: node.integer(0),
        "turns at once on one node; 0: as many as it has CPUs",
    ),
    "labels": (_labels, "labels by node: {box2: [gpu, big]}"),
    "python": (lambda node: node.text(), "Python on the machines of ssh; empty: the same path"),
    "folder": (lambda node: node.text(), "folder of a node's files there; empty: ~/.perles/nodes"),
    "keep": (
        lambda node: node.boolean(),
        "leave the cluster of slurm or kubernetes when the engine ends",
    ),
}
"""Each key with how it is read, and what it means."""

assert {one.name for one in fields(Cluster)} == set(ENTRIES)


def problem_of(cluster: Cluster) -> str:
    """What is wrong with these settings together, "" for nothing."""
    chosen = [kind for kind in KINDS if getattr(cluster, kind)]
    if len(chosen) > 1:
        return f"cluster.{chosen[0]} and cluster.{chosen[1]} exclude each other; keep one of them"
    files = (cluster.ca, cluster.certificate, cluster.key)
    if cluster.scheduler.startswith("tls:") and not all(files):
        return "tls:// needs cluster.ca, cluster.certificate and cluster.key"
    return ""
