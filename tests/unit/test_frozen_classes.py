"""`frozen` makes the classes that `dataclass(frozen=True, slots=True)` makes, and their methods later."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest

from providers.frozen import frozen


@dataclass(frozen=True, slots=True)
class Usual:
    """The model."""

    name: str
    size: int = 0
    parts: list[int] = field(default_factory=list)
    note: str = field(default="", compare=False)
    secret: str = field(default="x", repr=False)

    @property
    def doubled(self) -> int:
        return 2 * self.size


@frozen
class Lazy:
    """The same."""

    name: str
    size: int = 0
    parts: list[int] = field(default_factory=list)
    note: str = field(default="", compare=False)
    secret: str = field(default="x", repr=False)

    @property
    def doubled(self) -> int:
        return 2 * self.size


@frozen
class Hashed:
    """All of its fields can be hashed."""

    name: str
    note: str = field(default="", compare=False)


def test_instances_have_the_same_values() -> None:
    for arguments, named in ((("a",), {}), (("a", 3), {"note": "n"}), ((), {"name": "a", "parts": [1]})):
        usual, lazy = Usual(*arguments, **named), Lazy(*arguments, **named)
        assert asdict(lazy) == asdict(usual)
        assert lazy.doubled == usual.doubled
        assert repr(lazy) == repr(usual).replace("Usual", "Lazy")
        assert asdict(replace(lazy, size=7)) == asdict(replace(usual, size=7))
    assert Lazy("a").parts is not Lazy("a").parts


def test_classes_have_the_same_fields() -> None:
    assert [each.name for each in fields(Lazy)] == [each.name for each in fields(Usual)]
    assert Lazy.__match_args__ == Usual.__match_args__
    assert Lazy.__slots__ == Usual.__slots__  # type: ignore[attr-defined]  # mypy does not know them
    match Lazy("a", 5):
        case Lazy(name, size):
            assert (name, size) == ("a", 5)


def test_equality_and_hash_leave_out_the_same_fields() -> None:
    assert Lazy("a", note="one") == Lazy("a", note="two")
    assert Lazy("a") != Lazy("b")
    assert Lazy("a") != Usual("a")  # type: ignore[comparison-overlap]
    assert {Hashed("a", "one"), Hashed("a", "two"), Hashed("b")} == {Hashed("a"), Hashed("b")}
    with pytest.raises(TypeError, match="unhashable"):
        hash(Lazy("a"))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: setattr(one, "name", "b"),
        lambda one: setattr(one, "other", "b"),
        lambda one: delattr(one, "name"),
    ],
)
def test_nothing_can_be_changed(change: Callable[[Any], None]) -> None:
    one = Lazy("a")
    with pytest.raises(FrozenInstanceError):
        change(one)
    assert one == Lazy("a")


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(TypeError, match=r"Lazy\.__init__\(\) missing .*'name'"):
        Lazy()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"Lazy\.__init__\(\) got an unexpected .*'other'"):
        Lazy("a", other=1)  # type: ignore[call-arg]


def test_copies_are_equal() -> None:
    one = Lazy("a", 3, [1], "n")
    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301 - our own
        assert (asdict(other), type(other)) == (asdict(one), Lazy)


def test_methods_are_made_when_they_are_called() -> None:
    @frozen
    class New:
        name: str

    placeholder = vars(New)["__init__"]
    New("a")
    made = vars(New)["__init__"]
    New("b")
    assert made is not placeholder
    assert vars(New)["__init__"] is made
    assert vars(New)["__eq__"].__name__ == placeholder.__name__  # still a placeholder


def test_what_needs_a_dataclass_is_refused() -> None:
    class Checked:
        name: str

        def __post_init__(self) -> None: ...

    class Derived(Checked):
        pass

    for cls in (Checked, Derived):
        with pytest.raises(TypeError, match="needs `dataclass`"):
            frozen(cls)
