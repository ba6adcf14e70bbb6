"""Frozen dataclasses that cost little to define.

`dataclass` compiles six methods for each frozen class, which took a quarter of the CPU time of starting a
copy. Half of the classes of a process are never instantiated, and few are ever compared, hashed or shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, dataclass, field, fields, make_dataclass
from typing import Any, Final, Never, TypeVar, dataclass_transform

T = TypeVar("T")

_NONE: Final[dict[str, Any]] = {"init": False, "repr": False, "eq": False}
_METHODS: Final[Mapping[str, dict[str, Any]]] = {
    "__init__": {**_NONE, "init": True, "frozen": True},
    "__repr__": {**_NONE, "repr": True},
    "__eq__": {**_NONE, "eq": True},
    "__hash__": {**_NONE, "unsafe_hash": True},
}
"""Each method with the options of a dataclass that has it."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """The same as `dataclass(frozen=True, slots=True)`, but each method is made when it is first called.

    The class has neither bases nor `__post_init__` (TypeError) and no subclasses: those use `dataclass`, and
    so do classes whose signature a framework reads.
    """
    if hasattr(cls, "__post_init__") or cls.__bases__ != (object,):
        raise TypeError(f"{cls.__name__} needs `dataclass`")
    made = dataclass(slots=True, **_NONE)(cls)
    for name in _METHODS:
        if name not in vars(cls):
            setattr(made, name, _made_later(made, name))
    for name in ("__setattr__", "__delattr__"):
        setattr(made, name, _refuse)
    setattr(made, "__setstate__", _restore)  # noqa: B010 - mypy knows of no such attribute
    return made


def _made_later(cls: type, name: str) -> Callable[..., Any]:
    def first_call(*args: Any, **named: Any) -> Any:
        specified = [(each.name, each.type, each) for each in fields(cls)]
        options = {"namespace": {"__doc__": cls.__doc__}, **_METHODS[name]}
        method = vars(make_dataclass(cls.__qualname__, specified, **options))[name]
        setattr(cls, name, method)
        return method(*args, **named)

    return first_call


def _refuse(_self: object, name: str, *_value: object) -> Never:
    raise FrozenInstanceError(f"cannot change field {name!r}")


def _restore(self: object, state: tuple[None, Mapping[str, Any]]) -> None:
    """For `copy` and `pickle`, which got `state` from `object.__getstate__`."""
    for name, value in state[1].items():
        object.__setattr__(self, name, value)
