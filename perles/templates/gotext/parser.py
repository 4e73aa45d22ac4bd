"""Reading texts in the syntax of Go's text/template: tokens become a tree."""

from collections.abc import Sequence
from typing import Final

from perles.templates.gotext.functions import NAMES
from perles.templates.gotext.lexer import Action, GoTextError, Token, split
from perles.templates.gotext.tree import (
    Block,
    Branch,
    Chain,
    Dot,
    Function,
    Insert,
    Jump,
    Literal,
    Node,
    Operand,
    Pipeline,
    Print,
    Text,
    Tree,
    Variable,
)

MAX_DEPTH: Final = 50
"""Blocks in blocks, and parentheses in parentheses."""
KEYWORDS: Final = frozenset(
    {"if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"}
)
_BRANCHES: Final = ("if", "with", "range")


def parse(text: str) -> Tree:
    """The tree of a text. Raises `GoTextError`."""
    return _Parser(list(split(text))).tree()


class _Parser:
    def __init__(self, parts: Sequence[Text | Action]) -> None:
        self._parts = parts
        self._at = 0
        self._defined: dict[str, Block] = {}
        self._scopes: list[set[str]] = [{"$"}]
        self._loops = 0

    def tree(self) -> Tree:
        body, end = self._block(0)
        if end is not None:
            raise GoTextError(end.line, f"unexpected {end.source}")
        return Tree(body, self._defined)

    def _block(self, depth: int, opened: Action | None = None) -> tuple[Block, Action | None]:
        """Nodes up to an `end` or `else`, which is given back; None at the end of the text."""
        if depth > MAX_DEPTH:
            raise GoTextError(opened.line if opened else 1, "blocks are nested too deep")
        found: list[Node] = []
        while self._at < len(self._parts):
            part = self._parts[self._at]
            self._at += 1
            if isinstance(part, Text):
                found += [part] if part.text else []
                continue
            if not part.tokens:
                raise GoTextError(part.line, "missing value for command", "remove the empty {{ }}")
            word = _keyword(part.tokens[0])
            if word in ("end", "else"):
                return tuple(found), part
            node = self._node(part, word, depth)
            found += [] if node is None else [node]
        if opened is not None:
            raise GoTextError(opened.line, f"no {{{{end}}}} for {opened.source}", "add {{end}}")
        return tuple(found), None

    def _node(self, action: Action, word: str, depth: int) -> Node | None:
        rest = action.tokens[1:]
        if word in _BRANCHES:
            return self._branch(action, word, rest, depth)
        if word in ("break", "continue"):
            if rest or not self._loops:
                raise GoTextError(action.line, f"{{{{{word}}}}} is for the body of a range")
            return Jump(word)
        if word == "template":
            name, given = _named(action, rest)
            return Insert(name, self._pipeline(given, action.line) if given else None, action.line)
        if word in ("define", "block"):
            return self._definition(action, word, rest, depth)
        return Print(self._pipeline(action.tokens, action.line))

    def _branch(self, action: Action, word: str, tokens: Sequence[Token], depth: int) -> Branch:
        self._scopes.append(set(self._scopes[-1]))
        pipeline = self._pipeline(tokens, action.line, most=2 if word == "range" else 1)
        self._loops += word == "range"
        body, end = self._block(depth + 1, action)
        self._loops -= word == "range"
        otherwise: Block = ()
        if end is not None and _keyword(end.tokens[0]) == "else":
            following = end.tokens[1:]
            if following and _keyword(following[0]) in ("if", "with"):
                kind = _keyword(following[0])
                otherwise = (self._branch(end, kind, following[1:], depth + 1),)
                self._scopes.pop()
                return Branch(word, pipeline, body, otherwise)
            if following:
                raise GoTextError(end.line, f"unexpected {following[0].text!r} after else")
            otherwise, end = self._block(depth + 1, action)
        if end is None or _keyword(end.tokens[0]) != "end" or len(end.tokens) > 1:
            raise GoTextError((end or action).line, f"expected {{{{end}}}} of {action.source}")
        self._scopes.pop()
        return Branch(word, pipeline, body, otherwise)

    def _definition(
        self, action: Action, word: str, tokens: Sequence[Token], depth: int
    ) -> Node | None:
        name, given = _named(action, tokens)
        if word == "define" and (given or depth):
            raise GoTextError(action.line, "define takes a name, and stands in no other block")
        pipeline = self._pipeline(given, action.line) if word == "block" else None
        scopes, self._scopes, loops, self._loops = self._scopes, [{"$"}], self._loops, 0
        body, end = self._block(depth + 1, action)
        self._scopes, self._loops = scopes, loops
        if end is None or _keyword(end.tokens[0]) != "end":
            raise GoTextError(action.line, f"expected {{{{end}}}} of {action.source}")
        self._defined[name] = body
        return Insert(name, pipeline, action.line) if word == "block" else None

    def _pipeline(self, tokens: Sequence[Token], line: int, most: int = 1) -> Pipeline:
        names, declares, rest = _variables(tokens, most)
        for name in names:
            if not declares and name not in self._scopes[-1]:
                raise GoTextError(line, f'undefined variable "{name}"')
        reader = _Commands(list(rest), line, self._scopes[-1])
        commands = reader.commands()
        if reader.rest():
            raise GoTextError(line, f"unexpected {reader.rest()[0].text!r}")
        if declares:
            self._scopes[-1].update(names)
        return Pipeline(commands, line, names, declares)


class _Commands:
    """Reads a pipeline's commands."""

    def __init__(self, tokens: list[Token], line: int, known: set[str], depth: int = 0) -> None:
        self._tokens = tokens
        self._line = line
        self._known = known
        self._depth = depth
        if depth > MAX_DEPTH:
            raise GoTextError(line, "parentheses are nested too deep")

    def rest(self) -> list[Token]:
        return self._tokens

    def commands(self) -> tuple[tuple[Operand, ...], ...]:
        found = [self._command()]
        while self._next_is("|"):
            self._tokens.pop(0)
            found.append(self._command())
        for command in found[1:]:
            if isinstance(command[0], Literal):
                raise GoTextError(self._line, "non executable command in pipeline")
        return tuple(found)

    def _next_is(self, sign: str) -> bool:
        return bool(self._tokens) and self._tokens[0][:2] == ("sign", sign)

    def _command(self) -> tuple[Operand, ...]:
        found: list[Operand] = []
        while self._tokens and not self._next_is("|") and not self._next_is(")"):
            if found and not self._tokens[0].spaced and not self._next_is("("):
                raise GoTextError(self._line, f"unexpected {self._tokens[0].text!r} in operand")
            found.append(self._operand())
        if not found:
            raise GoTextError(self._line, "missing value for command")
        return tuple(found)

    def _operand(self) -> Operand:
        token = self._tokens.pop(0)
        kind, text = token.kind, token.text
        if kind in ("text", "raw"):
            return Literal(text)
        if kind == "character":
            return Literal(ord(text))
        if kind == "number":
            return Literal(_number(token))
        if kind == "field":
            return Dot((text[1:], *self._fields()), token.line)
        if kind == "variable":
            if text not in self._known:
                raise GoTextError(token.line, f'undefined variable "{text}"')
            return Variable(text, self._fields(), token.line)
        if kind == "word":
            return self._word(token)
        if text == ".":
            return Dot((), token.line)
        if text == "(":
            return self._chain(token)
        raise GoTextError(token.line, f"unexpected {text!r} in command")

    def _word(self, token: Token) -> Operand:
        constants = {"true": True, "false": False, "nil": None}
        if token.text in constants:
            return Literal(constants[token.text])
        if token.text not in NAMES:
            raise GoTextError(
                token.line,
                f'function "{token.text}" not defined',
                f"there are only {', '.join(sorted(NAMES))}; filters such as upper are there in "
                "Jinja2: {{ Name | upper }}",
            )
        return Function(token.text, token.line)

    def _chain(self, opened: Token) -> Chain:
        inner = _Commands(self._tokens, opened.line, self._known, self._depth + 1)
        commands = inner.commands()
        if not self._next_is(")"):
            raise GoTextError(opened.line, "unclosed left paren", "close it with )")
        self._tokens.pop(0)
        return Chain(Pipeline(commands, opened.line), self._fields(), opened.line)

    def _fields(self) -> tuple[str, ...]:
        found = []
        while self._tokens and self._tokens[0].kind == "field" and not self._tokens[0].spaced:
            found.append(self._tokens.pop(0).text[1:])
        return tuple(found)


def _keyword(token: Token) -> str:
    return token.text if token.kind == "word" and token.text in KEYWORDS else ""


def _variables(tokens: Sequence[Token], most: int) -> tuple[tuple[str, ...], bool, Sequence[Token]]:
    """The names before `:=` or `=`, whether they are declared there, and what comes after."""
    names: list[str] = []
    at = 0
    while len(names) < most and at < len(tokens) and tokens[at].kind == "variable":
        names.append(tokens[at].text)
        at += 1
        if at < len(tokens) and tokens[at].text in (":=", "=") and tokens[at].kind == "sign":
            return tuple(names), tokens[at].text == ":=", tokens[at + 1 :]
        if at >= len(tokens) or tokens[at][:2] != ("sign", ","):
            break
        at += 1
    return (), False, tokens


def _named(action: Action, tokens: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    if not tokens or tokens[0].kind not in ("text", "raw"):
        raise GoTextError(action.line, f"{action.source} needs a name in quotes")
    return tokens[0].text, tokens[1:]


def _number(token: Token) -> int | float:
    try:
        return int(token.text, 0) if token.text.lstrip("+-").isdigit() else _other(token.text)
    except ValueError:
        raise GoTextError(token.line, f"bad number {token.text[:40]!r}") from None


def _other(text: str) -> int | float:
    if text.lstrip("+-")[:2].lower() == "0x":
        return int(text, 16)
    plain = text.replace("_", "")
    return int(plain) if plain.lstrip("+-").isdigit() else float(plain)
