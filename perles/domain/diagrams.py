"""Diagrams of the state machines, drawn from their rules."""

from typing import Any

from perles.domain.states import Rules


def mermaid(rules: Rules[Any]) -> str:
    """A Mermaid state diagram of one machine: a line for each edge, in the order of the table."""
    lines = ["stateDiagram-v2", f"    [*] --> {rules.states[0]}"]
    for edge in rules.edges:
        lines += [f"    {source} --> {edge.dest}: {edge.trigger}" for source in edge.sources]
    lines += [f"    {state} --> [*]" for state in rules.states if state in rules.terminal]
    return "\n".join(lines)
