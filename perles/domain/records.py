"""`dataclass` as the standard library has it, in a tenth of the time that making a class takes.

That compiles up to eight methods for each class, a millisecond; a command has a hundred such
classes, and makes instances of few. Here a method is compiled when it is called first. To a type
checker it is the standard one.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        cls: Any = None,
        /,
        *,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        eq: bool = True,
    ) -> Any:
        """Make a dataclass, as `dataclasses.dataclass` does with the same options."""

        def make(bare: Any) -> Any:
            if bare.__doc__ is None:
                bare.__doc__ = bare.__name__  # else the signature is looked up, at length
            plain = dataclasses.dataclass(
                init=False, repr=False, eq=False, slots=slots, kw_only=kw_only
            )
            made = plain(bare)
            _dress(made, frozen=frozen, slots=slots, eq=eq)
            return made

        return make if cls is None else make(cls)


def _dress(cls: Any, *, frozen: bool, slots: bool, eq: bool) -> None:
    """Give a class the methods of a dataclass, where it does not say them itself."""
    own = cls.__dict__
    methods: dict[str, Any] = {"__repr__": _repr}
    methods["__init__"] = _at_first_use(cls, "__init__", lambda: _init(cls, frozen=frozen))
    if eq:
        methods["__eq__"] = _at_first_use(cls, "__eq__", lambda: _eq(cls))
        methods["__hash__"] = None
        if frozen:
            methods["__hash__"] = _at_first_use(cls, "__hash__", lambda: _hash(cls))
    if frozen:
        names = frozenset(field.name for field in dataclasses.fields(cls))
        methods |= _guards(cls, names)
    if frozen and slots:
        methods |= {"__getstate__": _getstate, "__setstate__": _setstate}
    for name, method in methods.items():
        hashless = name == "__hash__" and own.get(name) is None  # Python says so beside an __eq__
        if name not in own or hashless:
            setattr(cls, name, method)


def _at_first_use(cls: Any, name: str, compiled: Callable[[], Any]) -> Any:
    """A method that has itself compiled when it is called first."""

    def method(self: Any, *args: Any, **named: Any) -> Any:
        made = compiled()
        made.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, made)
        return made(self, *args, **named)

    method.__name__ = name
    return method


def _compiled(text: str, known: dict[str, Any]) -> Any:
    exec(text, known)  # noqa: S102 - of the names of fields alone, as the standard library does
    return known["method"]


def _init(cls: Any, *, frozen: bool) -> Any:
    """`__init__` of a class, as a function of its fields."""
    known: dict[str, Any] = {"_missing": MISSING, "_set": object.__setattr__}
    ordered: list[str] = []
    named: list[str] = []
    body: list[str] = []
    for field in dataclasses.fields(cls):
        if not field.init and field.default is MISSING and field.default_factory is MISSING:
            continue  # it is set later
        name, parameter, value = field.name, field.name, field.name
        if field.default is not MISSING:
            known[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
        elif field.default_factory is not MISSING:
            known[f"_make_{name}"] = field.default_factory
            parameter = f"{name}=_missing"
            value = f"_make_{name}() if {name} is _missing else {name}"
        if not field.init:
            value = f"_default_{name}" if f"_default_{name}" in known else f"_make_{name}()"
        elif field.kw_only:
            named.append(parameter)
        else:
            ordered.append(parameter)
        body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(["self", *ordered, *(["*", *named] if named else [])])
    return _compiled(f"def method({parameters}):\n  " + "\n  ".join(body or ["pass"]), known)


def _eq(cls: Any) -> Any:
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    return _compiled(
        "def method(self, other):\n"
        "  if other.__class__ is not self.__class__:\n"
        "    return NotImplemented\n"
        f"  return {_tuple('self', names)} == {_tuple('other', names)}",
        {},
    )


def _hash(cls: Any) -> Any:
    fields = dataclasses.fields(cls)
    names = [one.name for one in fields if (one.compare if one.hash is None else one.hash)]
    return _compiled(f"def method(self):\n  return hash({_tuple('self', names)})", {})


def _tuple(of: str, names: list[str]) -> str:
    return f"({''.join(f'{of}.{name}, ' for name in names)})"


def _repr(self: Any) -> str:
    shown = [f"{one.name}={getattr(self, one.name)!r}" for one in dataclasses.fields(self)]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _guards(cls: Any, names: frozenset[str]) -> dict[str, Any]:
    """What refuses to change a frozen instance."""

    def __setattr__(self: Any, name: str, value: Any) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        object.__delattr__(self, name)

    return {"__setattr__": __setattr__, "__delattr__": __delattr__}


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
