"""Values in shell scripts: each place gets a reference to a variable, quoted as it must be there.

A variable's text is never read as code by the shell that fills it in, whatever it holds. What
another program would read as code (`sh -c`, `eval`, `ssh`, `awk` …) gets the text only where it is
one plain word: the script stops there with a message where it is not.
"""

import re
from collections.abc import Sequence
from typing import Final

from perles.domain.patterns import lazy_pattern
from perles.domain.records import dataclass
from perles.templates.shell_commands import Code, Command
from perles.templates.shell_reader import OUTPUT, PLAIN, WORD, Place, Reader, UnsafeError, guarded

_DELIMITER: Final = lazy_pattern(r"-?[ \t]*((?:\\.|'[^'\n]*'|\"[^\"\n]*\"|[^\s;&|()<>'\"\\])+)")
_OPERATOR: Final = lazy_pattern(r"!?\w+(?:\[[^]]*\])?(?::?[-=?+]|[#%]{1,2}|//?)")
_SEPARATORS: Final = ";&|()\n"


def splice(script: str, places: Sequence[Place]) -> str:
    """The script with a reference at each place. Raises `UnsafeError`."""
    scanner = _Scanner(script, {place.start: place for place in places})
    scanner.code()
    return "".join(scanner.out)


@dataclass(slots=True)
class _Here:
    """A here-document that begins at the next line; `at` is where its word stands in the output."""

    word: str
    strips: bool
    quoted: bool
    at: int
    read_by: Code | None


class _Scanner(Reader):
    def __init__(self, text: str, places: dict[int, Place]) -> None:
        super().__init__(text, places)
        self._within: Code | None = None
        """What reads the result of the substitution that one is in."""
        self._in_single = False
        """Whether all of this stands within single quotes of an outer script."""
        self._heres: list[_Here] = []

    # What can stand where commands stand.

    def code(self, closing: str = "") -> None:
        """Commands, up to the end or to what closes a substitution."""
        command, depth, escaped = Command(), 0, False
        while self.pos < self.end:
            letter = self.text[self.pos]
            if self._place(command, "bare", refuse=escaped):
                continue
            if letter in _SEPARATORS:
                command.end_word()
            if letter == closing and (letter == "`" or not depth + command.cases):
                self.copy(1)
                return
            if letter == "\\":
                escaped = escaped or closing == "`"
                pair = self.copy(2)
                command.add(pair if pair != "\\\n" else None)
            elif letter in _SEPARATORS and not self._duplicates():
                depth = max(0, depth + (letter == "(") - (letter == ")"))
                self._separator(command)
            else:
                self._piece(command, letter)

    def _piece(self, command: Command, letter: str) -> None:
        """One piece of a word, or what stands between words."""
        if letter in "'\"`$":
            self._quoted_or_substitution(command)
        elif letter == "#" and command.at_word_start:
            self._comment()
        elif self.sees("<<") and not self.sees("<<<"):
            self._here_begins(command)
        elif letter in " \t":
            self.copy(1)
            command.end_word()
        else:
            command.add(self.copy(3 if self.sees("<<<") else 1))

    def _duplicates(self) -> bool:
        """Whether a `&` belongs to a redirection such as `2>&1`."""
        return self.sees("&") and self.text[self.pos - 1 : self.pos] in ("<", ">")

    def _separator(self, command: Command) -> None:
        if self.sees("((") and not command.words:
            self.copy(2)
            self._arithmetic()
            return
        letter = self.copy(1)
        command.ends()
        if letter == "\n":
            self._here_bodies()

    def _quoted_or_substitution(self, command: Command) -> None:
        letter = self.text[self.pos]
        if letter == "'":
            self._single(command)
        elif letter == '"':
            self.copy(1)
            command.add("")
            self._double(command)
        elif not self._substitution(command, quoted=False):
            if self.text.startswith("$'", self.pos):
                self._ansi()
                command.add("")
            else:
                command.add(self.copy(1))

    def _substitution(self, command: Command, *, quoted: bool) -> bool:
        """A `$…` or a backquote with all that it holds; whether there was one."""
        text, pos = self.text, self.pos
        outer, self._within = self._within, command.code() or self._within
        found = True
        if text.startswith("$((", pos):
            self.copy(3)
            self._arithmetic()
        elif text.startswith("$(", pos):
            self.copy(2)
            self.code(")")
        elif text.startswith("${", pos):
            self.copy(2)
            self._parameter(command, quoted=quoted)
        elif text.startswith("`", pos):
            self.copy(1)
            self.code("`")
        else:
            found = False
        self._within = outer
        if found:
            command.add("$")
        return found

    def _comment(self) -> None:
        while self.pos < self.end and self.text[self.pos] != "\n":
            place = self.places.get(self.pos)
            if place is None:
                self.copy(1)
            else:
                self.pos = place.end

    # Quotes.

    def _single(self, command: Command) -> None:
        self.copy(1)
        closing = self.find("'")
        code = command.code() or self._within
        if code is not None and code.keeps_variables and self.has_place(closing):
            self._inner(closing, in_single=True)
            command.add("x")
        while self.pos < closing:
            if not self._place(command, "single"):
                command.add(self.copy(1))
        self.copy(1)
        command.add("")

    def _double(self, command: Command) -> None:
        while self.pos < self.end and self.text[self.pos] != '"':
            if self._place(command, "double") or self._substitution(command, quoted=True):
                continue
            command.add(self.copy(2 if self.text[self.pos] == "\\" else 1))
        self.copy(1)

    def _ansi(self) -> None:
        self.copy(2)
        while self.pos < self.end and self.text[self.pos] != "'":
            if self.pos in self.places:
                raise UnsafeError("it stands in $'…'; write \"…\" instead")
            self.copy(2 if self.text[self.pos] == "\\" else 1)
        self.copy(1)

    def _arithmetic(self) -> None:
        depth = 2
        while self.pos < self.end and depth:
            place = self.places.get(self.pos)
            if place is not None:
                self.out.append(guarded(PLAIN, place.name))
                self.pos = place.end
            elif not self._substitution(Command(), quoted=True):
                letter = self.copy(1)
                depth += (letter == "(") - (letter == ")")

    def _parameter(self, command: Command, *, quoted: bool) -> None:
        """What stands in `${…}`; a value only where a word can stand."""
        start = self.pos
        while self.pos < self.end and self.text[self.pos] != "}":
            if self.pos in self.places and not _OPERATOR.match(self.text[start : self.pos]):
                raise UnsafeError("it stands in the name of a ${…}")
            if self._place(command, "double" if quoted else "bare"):
                continue
            letter = self.text[self.pos]
            if letter == '"' and not quoted:
                self.copy(1)
                self._double(command)
            elif letter == "'" and not quoted:
                self._single(Command())
            elif not self._substitution(command, quoted=quoted):
                self.copy(2 if letter == "\\" else 1)
        self.copy(1)

    # Here-documents.

    def _here_begins(self, command: Command) -> None:
        code = command.reads_code()
        self.copy(2)
        match = _DELIMITER.match(self.text, self.pos)
        if match is None or match.end() > self.end:
            return
        raw = match.group(1)
        self.copy(match.start(1) - self.pos)
        word = re.sub(r"[\\'\"]", "", raw)
        strips = match.group(0).startswith("-")
        self._heres.append(_Here(word, strips, word != raw, len(self.out), code))
        self.out.append(raw)
        self.pos = match.end()

    def _here_bodies(self) -> None:
        heres, self._heres = self._heres, []
        for here in heres:
            closing = self._here_end(here)
            if here.quoted and self.has_place(closing):
                self._literal_body(here, closing)
            elif not here.quoted:
                self._body(here, closing)
            self.copy(closing - self.pos)

    def _here_end(self, here: _Here) -> int:
        """Where the line that ends a here-document begins."""
        start = self.pos
        while start < self.end:
            stop = self.text.find("\n", start, self.end)
            line = self.text[start : self.end if stop < 0 else stop]
            if (line.lstrip("\t") if here.strips else line) == here.word:
                return start
            if stop < 0:
                break
            start = stop + 1
        return self.end

    def _body(self, here: _Here, closing: int) -> None:
        end, self.end = self.end, closing
        reader, self._within = self._within, here.read_by or self._within
        while self.pos < closing:
            if not self._place(Command(), "double") and not self._substitution(
                Command(), quoted=True
            ):
                self.copy(2 if self.text[self.pos] == "\\" else 1)
        self.end, self._within = end, reader

    def _literal_body(self, here: _Here, closing: int) -> None:
        """A quoted one: its word loses the quotes, and its text is escaped instead."""
        if here.read_by is not None and here.read_by.keeps_variables:
            self._inner(closing, in_single=False)
            return
        if not re.fullmatch(r"[\w.-]+", here.word):
            raise UnsafeError(
                f"it stands in a here-document up to {here.word!r}; use one plain word"
            )
        self.out[here.at] = here.word
        reader, self._within = self._within, here.read_by or self._within
        while self.pos < closing:
            if not self._place(Command(), "double"):
                letter = self.copy(1)
                if letter in "\\$`":
                    self.out[-1] = "\\" + letter
        self._within = reader

    # The pieces.

    def _inner(self, closing: int, *, in_single: bool) -> None:
        """A script in this one, which another shell with the same variables reads."""
        inner = _Scanner(self.text, self.places)
        inner.out, inner.pos, inner.end = self.out, self.pos, closing
        inner._in_single = in_single or self._in_single
        inner.code()
        self.pos = closing

    def _place(self, command: Command, quoting: str, *, refuse: bool = False) -> bool:
        """Put the reference of a place, where there is one; whether there was."""
        place = self.places.get(self.pos)
        if place is None:
            return False
        if refuse:
            raise UnsafeError("it stands in `…` after a backslash; use $(…)")
        code = command.code() or self._within
        if command.computes(self.text[place.end : place.end + 20]):
            reference = guarded(PLAIN, place.name)
        elif code is None:
            reference = f"${{{OUTPUT}{place.name}}}"
        elif code.begins_here:
            raise UnsafeError(f"it would be a command for {code.program}")
        else:
            reference = guarded(WORD if code.is_shell else PLAIN, place.name)
        if quoting == "single" and self._in_single:
            raise UnsafeError("it stands in quotes within quotes")
        around = {"bare": '"{}"', "single": "'\"{}\"'", "double": "{}"}[quoting]
        self.out.append(around.format(reference))
        self.pos = place.end
        command.add("x")
        return True
