"""What is a secret, by its name or by its form, and texts with known secrets masked."""

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from perles.domain.patterns import lazy_pattern

MASK: Final = "***"
"""What stands in the place of a secret."""
LEAST: Final = 6
"""Characters of a secret that is looked for in texts; a shorter one is a part of many words."""
_LEAST_DIGITS: Final = 8
_LEAST_LINE: Final = 16
_NAME: Final = lazy_pattern(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|PRIVATE|COOKIE|SESSION|AUTH(?!OR)"
    r"|API_?KEY|(?:^|_)(?:KEYS?|PAT|PWD|DSN|PIN)(?:_|$)",
    re.IGNORECASE,
)
_OF_A_DESKTOP: Final = lazy_pattern(r"XDG_|DBUS_|SSH_AUTH_SOCK$|.*SESSION(?:_TYPE|_MANAGER|_ID)?$")
_PASSWORD: Final = lazy_pattern(r"://[^/\s:@]*:([^/\s@]+)@")
_VALUE: Final = lazy_pattern(r"://[^/\s:@]*:[^/\s@]+@|-----BEGIN")
_REFERENCE: Final = lazy_pattern(r"\$\{[A-Za-z_]\w*\}")
_ENVIRONMENTS: Final = frozenset({"env", "environ", "environment", "headers", "variables"})
"""Keys below which each name tells whether its value is a secret."""


def is_secret(name: str, value: str) -> bool:
    """Whether a variable's value must not be stored. One of mere `${VAR}` holds none."""
    told = _REFERENCE.sub("", value)
    if not told and value:
        return False
    return _NAME.search(name) is not None or _VALUE.search(told) is not None


def texts_of(environ: Mapping[str, str]) -> set[str]:
    """The texts to look for, so that no secret among these variables is written down.

    What is short, a number of few digits, a path that is there or a desktop's word for a
    session stands in many texts and tells nothing: it is not looked for.
    """
    found = {
        text
        for name, value in environ.items()
        if is_secret(name, value) and not _tells_nothing(name, value)
        for text in _forms(value)
    }
    return {text for text in found if _can_be_found(text)}


def _tells_nothing(name: str, value: str) -> bool:
    return _OF_A_DESKTOP.match(name) is not None or (
        value.startswith("/") and os.path.lexists(value[:4096])
    )


def _forms(value: str) -> Iterator[str]:
    """A secret as texts may have it: whole, as JSON has it, a password alone, line by line."""
    yield value.strip()
    yield json.dumps(value)[1:-1]
    yield from _PASSWORD.findall(value)
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _LEAST_LINE)


def _can_be_found(text: str) -> bool:
    return len(text) >= (_LEAST_DIGITS if text.isdigit() else LEAST)


def longest_first(texts: Collection[str]) -> tuple[str, ...]:
    """Secrets in the order to look for them, so that none is left over of another one."""
    return tuple(sorted(texts, key=lambda text: (-len(text), text)))


def masked(value: Any, secrets: Collection[str]) -> Any:
    """`value`, a text or what JSON can hold, with `***` for each secret and each variable.

    `secrets` are those of `longest_first`.
    """
    if isinstance(value, str):
        for secret in secrets:
            if secret in value:
                value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {
            key: without_values(item)
            if key in _ENVIRONMENTS and isinstance(item, Mapping)
            else masked(item, secrets)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [masked(item, secrets) for item in value]
    return value


def without_values(environ: Mapping[str, Any]) -> dict[str, str]:
    """The names of variables, with a mask for what each holds."""
    return dict.fromkeys(environ, MASK)
