"""A simple command of a shell script as far as it was read: does it read a word as code?"""

import re
from typing import Final, NamedTuple

from perles.domain.patterns import lazy_pattern

SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"})
_BY_FLAG: Final = SHELLS | {"su", "flock", "script", "runuser"}
"""Programs that read the word after `-c` as a script of a shell."""
_JOINING: Final = frozenset({"eval", "trap", "ssh", "parallel", "watch"})
"""Programs that read all their words, together, as a script of a shell."""
_LANGUAGES: Final = {
    **dict.fromkeys(("python", "python3", "python2", "pypy3"), lazy_pattern(r"-\w*c")),
    **dict.fromkeys(("perl", "ruby"), lazy_pattern(r"-\w*[eE]")),
    **dict.fromkeys(("node", "bun", "lua", "Rscript"), lazy_pattern(r"-\w*[ep]|--eval|--print")),
    "php": lazy_pattern(r"-r"),
    "deno": lazy_pattern(r"eval"),
}
"""Programs that read the word after such a flag as code of their own language."""
_SCRIPT_FIRST: Final = frozenset({"awk", "gawk", "mawk", "nawk", "sed", "gsed"})
"""Programs whose first word is a program of theirs, which can start others."""
_WITH_VALUE: Final = frozenset({"-v", "-F", "-f", "-l", "-o", "-p", "-i", "-J", "-O", "+o"})
_PASSING: Final = frozenset(
    {"env", "nohup", "timeout", "nice", "ionice", "time", "exec", "command", "builtin", "setsid"}
    | {"stdbuf", "xargs", "find", "strace"}
)
"""Programs that start the rest of their words, with the same variables."""
_APART: Final = frozenset(
    {"sudo", "doas", "docker", "podman", "kubectl", "chroot", "nsenter", "ssh", "busybox"}
)
"""Programs that start some of their words where our variables may be unknown."""
_RESERVED: Final = frozenset(
    {"if", "then", "else", "elif", "while", "until", "do", "!", "{", "}", "in", "case", "esac"}
    | {"fi", "done"}
)
_ASSIGNMENT: Final = lazy_pattern(r"[A-Za-z_]\w*\+?=")
_COMPARISON: Final = lazy_pattern(r"-(?:eq|ne|lt|le|gt|ge)")
_COMPARED: Final = lazy_pattern(r"[\"']?\s+-(?:eq|ne|lt|le|gt|ge)\b")


class Code(NamedTuple):
    """A word that a program reads as code: of a shell, and whether that knows our variables.

    `begins_here` tells that a command would begin with what comes next.
    """

    program: str
    is_shell: bool
    keeps_variables: bool
    begins_here: bool


class Command:
    """The words of one simple command up to where the script was read."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.cases = 0
        """How many `case` are open: their patterns end with a `)` that closes nothing."""
        self._word: str | None = None

    @property
    def at_word_start(self) -> bool:
        """Whether the next letter begins a word."""
        return self._word is None

    def add(self, letters: str | None) -> None:
        """More of the word; "" for a quote, which begins one, too; None is nothing at all."""
        if letters is not None:
            self._word = (self._word or "") + letters

    def end_word(self) -> None:
        """A blank: what comes next is another word."""
        word, self._word = self._word, None
        if word is None:
            return
        if not self.words and word in _RESERVED:
            self.cases = max(0, self.cases + (word == "case") - (word == "esac"))
        elif self.words or not _ASSIGNMENT.match(word):
            self.words.append(word)

    def ends(self) -> None:
        """What comes next is another command."""
        self.end_word()
        self.words = []

    def computes(self, following: str) -> bool:
        """Whether bash reads the word as a sum, in which a text can hold commands."""
        if self.words[:1] == ["[["]:
            compared = _COMPARISON.fullmatch(self.words[-1]) is not None
            return compared or _COMPARED.match(following) is not None
        return self.words[:1] == ["let"]

    def code(self) -> Code | None:
        """What reads the word that one is in, or that begins here, as code; None where nothing."""
        found = self._program()
        if found is None:
            return None
        program, rest, known = found
        current = self._word or ""
        if program in _JOINING:
            return _joined(program, rest, current, known)
        if program in _BY_FLAG:
            is_code = _is_after_flag(rest)
            known = known and program in SHELLS
            return _code(program, True, known, current) if is_code else None
        if program in _LANGUAGES:
            is_code = bool(rest) and _LANGUAGES[program].fullmatch(rest[-1]) is not None
            return _code(program, False, False, current) if is_code else None
        if program in _SCRIPT_FIRST:
            return _code(program, False, False, current) if _is_script(rest, current) else None
        return None

    def reads_code(self) -> Code | None:
        """What reads the standard input as code; None where it is data."""
        self.end_word()
        found = self._program()
        if found is None:
            return None
        program, rest, known = found
        if program == "ssh":
            remote = _after_host(rest)
            if remote is not None and (not remote or _base(remote[0]) in SHELLS):
                return Code(program, True, False, False)
        named = [word for word in rest if not word.startswith("-") or word == "-"]
        if any(word != "-" for word in named) or (program in SHELLS and _is_after_flag(rest)):
            return None
        if program in SHELLS or program in _LANGUAGES:
            return Code(program, program in SHELLS, known and program in SHELLS, False)
        return None

    def _program(self) -> tuple[str, list[str], bool] | None:
        """The program that may read code, the words after it, and whether it has our variables."""
        if not self.words:
            return None
        first = _base(self.words[0])
        if first in ("[[", "let"):
            return None
        known, last = True, 0
        if first in _PASSING or (first in _APART and first != "ssh"):
            known = first in _PASSING and "-i" not in self.words
            last = len(self.words) - 1
        for index in range(last + 1):
            program = _base(self.words[index])
            if program in _BY_FLAG or program in _JOINING or program in _SCRIPT_FIRST:
                return program, self.words[index + 1 :], known
            if program in _LANGUAGES:
                return program, self.words[index + 1 :], known
        return None


def _base(word: str) -> str:
    name = word.rpartition("/")[2]
    return re.sub(r"^(python3|python2)\.\d+$", r"\1", name)


def _code(program: str, is_shell: bool, known: bool, before: str) -> Code:
    text = before.rstrip()
    begins = not text or (is_shell and text[-1] in ";&|({`!")
    return Code(program, is_shell, known, begins)


def _joined(program: str, rest: list[str], current: str, known: bool) -> Code | None:
    words: list[str] | None = rest
    if program == "ssh":
        words = _after_host(rest)
    if words is None:
        return None
    known = known and program in ("eval", "trap")
    return _code(program, True, known, " ".join([*words, current]))


def _after_host(words: list[str]) -> list[str] | None:
    """The words after ssh's host; None where that has not come yet."""
    skip = False
    for index, word in enumerate(words):
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _WITH_VALUE
        else:
            return words[index + 1 :]
    return None


def _is_after_flag(words: list[str]) -> bool:
    """Whether the next word is the script of `-c`."""
    flags = [i for i, word in enumerate(words) if re.fullmatch(r"-\w*c\w*|--command", word)]
    if not flags:
        return False
    later = words[flags[0] + 1 :]
    while later and later[0][:1] in ("-", "+"):
        later = later[2 if later[0] in _WITH_VALUE else 1 :]
    return not later


def _is_script(words: list[str], current: str) -> bool:
    """Whether the next word is the program of awk or sed."""
    if words and words[-1] in ("-e", "--expression"):
        return True
    if current.startswith("-"):
        return current.startswith("-e")
    if words and words[-1] in ("-v", "-F", "-f", "-l"):
        return False
    named = [
        word
        for index, word in enumerate(words)
        if not word.startswith("-") and (index == 0 or words[index - 1] not in ("-v", "-F", "-l"))
    ]
    return not named and not any(word in ("-f", "--file", "-e") for word in words)
