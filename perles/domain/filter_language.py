"""The filter language of workflows: `state:running label:team=red agent:codex cost:>2 "text"`.

Words are joined by "and", values with commas by "or", and `-` before a word means "not".

| word | fits a workflow |
|---|---|
| `state:running,paused` | in one of these states; `running` alone does, too |
| `label:team=red`, `label:team` | with this label; with a label of this key |
| `agent:codex` | with an agent of this name or provider |
| `template:cook` `priority:high` `health:stuck` `name:nightly` `id:wf-cc` | as it says |
| `cost:>2` `tokens:>=1000` `age:<2h` | USD, tokens, age; `>` `>=` `<` `<=` `=` |
| `is:waiting` `is:archived` | that waits for a person; that was archived |
| `"two words"`, `word` | with this text in its name, id, template or goal |
"""

from __future__ import annotations

from typing import Final, NamedTuple

from perles.domain.duration import parse_duration
from perles.domain.errors import UsageError
from perles.domain.patterns import lazy_pattern
from perles.domain.states import PRIORITIES, WORKFLOW

TEXT: Final = "text"
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "state": tuple(WORKFLOW.states),
    "priority": PRIORITIES,
    "health": ("unknown", "healthy", "degraded", "stuck"),
    "is": ("waiting", "archived"),
}
NUMBERS: Final = ("cost", "tokens", "age")
WORDS: Final = ("label", "agent", "template", "name", "id")
KEYS: Final = (*CHOICES, *WORDS, *NUMBERS)
_TOKEN: Final = lazy_pattern(r'(-?)(?:(\w+):)?("(?:[^"]*)"?|\S+)')
_NUMBER: Final = lazy_pattern(r"(>=|<=|>|<|=)?(.+)")


class Term(NamedTuple):
    """One condition: `key` is of one of `values`, or `op` holds for `number`; `negated` or not."""

    key: str
    values: tuple[str, ...] = ()
    op: str = "="
    number: float = 0.0
    negated: bool = False


def parse_query(text: str, *, lenient: bool = False) -> tuple[Term, ...]:
    """The conditions of a text, all of which have to hold.

    Raises `UsageError` for a word that cannot be; `lenient` leaves out such a word, as one that is
    still being typed.
    """
    found = []
    for sign, key, value in _TOKEN.findall(text):
        try:
            found.append(_term(key, value, negated=bool(sign)))
        except UsageError:
            if not lenient:
                raise
    return tuple(found)


def _term(key: str, value: str, *, negated: bool) -> Term:
    quoted = value.startswith('"')
    plain = value.strip('"') if quoted else value
    if not key:
        return _bare(plain, quoted, negated)
    if key not in KEYS:
        from perles.domain.nearest import nearest

        hint = nearest(key, KEYS)
        raise UsageError(
            f"cannot filter by {key!r}{hint}; known are {', '.join(KEYS)}, and a text in quotes"
        )
    if not plain:
        raise UsageError(f"cannot filter by {key}: without a value; write {key}:VALUE")
    if key in NUMBERS:
        return _number(key, plain, negated)
    values = (plain,) if quoted else tuple(filter(None, plain.split(",")))
    if key in CHOICES:
        values = tuple(_choice(key, word.lower()) for word in values)
    return Term(key, values, negated=negated)


def _bare(word: str, quoted: bool, negated: bool) -> Term:
    if not quoted and word.lower() in CHOICES["state"]:
        return Term("state", (word.lower(),), negated=negated)
    if not quoted and "=" in word.strip("="):
        return Term("label", (word,), negated=negated)
    return Term(TEXT, (word,), negated=negated)


def _choice(key: str, word: str) -> str:
    known = CHOICES[key]
    if word not in known:
        from perles.domain.nearest import nearest

        raise UsageError(
            f"cannot filter by {key} {word!r}{nearest(word, known)}; it is one of "
            f"{', '.join(known)}"
        )
    return word


def _number(key: str, text: str, negated: bool) -> Term:
    found = _NUMBER.fullmatch(text)
    assert found is not None
    op, rest = found[1] or "=", found[2]
    try:
        number = parse_duration(rest) if key == "age" else float(rest.replace("_", ""))
    except ValueError:
        raise UsageError(f"cannot filter by {key}:{text}: write it as {key}:>2") from None
    except UsageError as error:
        raise UsageError(f"cannot filter by {key}:{text}: {error}") from None
    if not abs(number) < float("inf"):
        raise UsageError(f"cannot filter by {key}:{text}: it is no number")
    return Term(key, (), op, number, negated)
