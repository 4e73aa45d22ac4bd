"""The channels of a workflow, and what is asked of a post."""

from typing import Final

CHANNELS: Final = {
    "root": "Holds the other channels; nobody posts in it.",
    "system": "Workers that are ready, and what Perles tells.",
    "tasks": "One thread for each task.",
    "planning": "How to go about the work.",
    "general": "Everything else.",
    "observer": "Between the person and the observer.",
}
"""What each is for, by its name."""
POSTABLE: Final = tuple(slug for slug in CHANNELS if slug != "root")
KINDS: Final = ("info", "request", "response", "completion", "error")
MODES: Final = ("all", "mentions", "none")
MAX_POST: Final = 16 * 1024
"""Characters of a post, which its event holds as a whole. What is longer belongs into a file."""
