"""What is a secret, by its name or by its form."""

import re
from typing import Final

_NAME: Final = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|PRIVATE|COOKIE|SESSION|AUTH(?!OR)"
    r"|API_?KEY|(?:^|_)(?:KEYS?|PAT|PWD|DSN|PIN)(?:_|$)",
    re.IGNORECASE,
)
_VALUE: Final = re.compile(r"://[^/\s:@]*:[^/\s@]+@|-----BEGIN")
_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_]\w*\}")


def is_secret(name: str, value: str) -> bool:
    """Whether a variable's value must not be stored. One of mere `${VAR}` holds none."""
    told = _REFERENCE.sub("", value)
    if not told and value:
        return False
    return _NAME.search(name) is not None or _VALUE.search(told) is not None
