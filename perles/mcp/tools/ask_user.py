"""The tool of coordinators and workers that asks the person."""

from typing import Annotated, Final

import msgspec

from perles.mcp.tools.tool import Arguments, Tool, Word

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=8_000)]
ALIAS: Final = "ask_person"
"""Its name for CLIs with a tool `ask_user` of their own, which asks the person at its terminal."""
Option = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class AskUser(Arguments):
    """`options` are answers to choose from, `default` what you would do yourself."""

    question: Text
    options: Annotated[list[Option], msgspec.Meta(max_length=20)] | None = None
    default: Text | None = None
    task_id: Word | None = None


ASK_USER: Final = Tool(
    "ask_user",
    "Ask the user what only they can decide. Does not wait: the answer comes as a message, perhaps "
    "days later. Go on with what needs no answer, then end your turn.",
    AskUser,
    alias=ALIAS,
)
