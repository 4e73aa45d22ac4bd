"""Values in Python scripts: each place gets an expression that reads a variable, a text.

What the text says is never read as code: it does not stand in the script. A place within a
string, or where no expression can stand, is refused.
"""

import io
import token
import tokenize
from collections.abc import Sequence
from typing import Final

from perles.templates.shell_reader import OUTPUT, Place, UnsafeError

_F_BEGINS: Final = getattr(token, "FSTRING_START", -1)
_F_ENDS: Final = getattr(token, "FSTRING_END", -1)


def splice(script: str, places: Sequence[Place]) -> str:
    """The script with an expression at each place. Raises `UnsafeError`."""
    if not places:
        return script
    stem = "perles_place"
    while stem in script:
        stem += "_"
    names = {f"{stem}{number}n": place for number, place in enumerate(places)}
    pieces, at = [], 0
    for name, place in names.items():
        pieces += [script[at : place.start], name]
        at = place.end
    text = "".join((*pieces, script[at:]))
    standing, in_comments = _found(text, stem)
    for name, place in names.items():
        if name not in standing and name not in in_comments:
            raise UnsafeError("it stands within a word; put spaces around it")
        value = f'__import__("os").environ["{OUTPUT}{place.name}"]' if name in standing else ""
        text = text.replace(name, value)
    return text


def _found(text: str, stem: str) -> tuple[set[str], str]:
    """The names that stand as such in a script, and its comments.

    Raises `UnsafeError` for a place in a string.
    """
    names: set[str] = set()
    comments, depth = [], 0
    try:
        for one in tokenize.generate_tokens(io.StringIO(text).readline):
            depth += (one.type == _F_BEGINS) - (one.type == _F_ENDS)
            in_string = depth or one.type == token.STRING or "FSTRING" in token.tok_name[one.type]
            if in_string and stem in one.string:
                raise UnsafeError("it stands in a string; write it alone, it is a str already")
            if one.type == token.NAME:
                names.add(one.string)
            elif one.type == token.COMMENT:
                comments.append(one.string)
    except (tokenize.TokenError, SyntaxError) as error:
        raise UnsafeError(f"python cannot read the script: {error.args[0]}") from error
    return names, "\n".join(comments)
