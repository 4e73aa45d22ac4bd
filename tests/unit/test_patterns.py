"""Patterns that are compiled at first use: each can be, and behaves as that of `re.compile`."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import perles
from perles.domain.patterns import LazyPattern, lazy_pattern


def _all() -> list[LazyPattern]:
    """The patterns of all modules."""
    root = Path(perles.__file__).parent
    found = []
    for file in root.rglob("*.py"):
        if "lazy_pattern(" not in file.read_text():
            continue
        module = ".".join(("perles", *file.relative_to(root).with_suffix("").parts))
        for value in vars(import_module(module)).values():
            several = value.values() if isinstance(value, dict) else [value]
            found += [one for one in several if isinstance(one, LazyPattern)]
    return found


def test_each_pattern_can_be_compiled() -> None:
    patterns = _all()
    assert len(patterns) > 100
    for one in patterns:
        assert one.groups >= 0


def test_a_pattern_behaves_as_that_of_the_standard_library() -> None:
    lazy, plain = lazy_pattern(r"(?P<a>x+)|y", re.IGNORECASE), re.compile(r"(?P<a>x+)|y", re.I)
    text = "aXxby"
    assert lazy.pattern == plain.pattern
    assert lazy.flags == plain.flags
    assert dict(lazy.groupindex) == dict(plain.groupindex)
    assert lazy.sub("-", text) == plain.sub("-", text)
    assert lazy.findall(text) == plain.findall(text)
    assert lazy.split(text) == plain.split(text)
    assert lazy.match(text) is None
    found = lazy.search(text, 1)
    assert found is not None
    assert found.span() == (1, 3)
    assert lazy_pattern(rb"\d").sub(b"n", b"1") == b"n"


def test_a_command_that_makes_a_pattern_compiles_it_when_it_is_asked() -> None:
    code = (
        "import re; made = []; real = re.compile\n"
        "re.compile = lambda *a: (made.append(a), real(*a))[1]\n"
        "from perles.domain.patterns import lazy_pattern\n"
        "one = lazy_pattern('a'); assert not made\n"
        "assert one.match('a') and one.search('ba'); assert len(made) == 1, made\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
