"""A setting: its default, description, rule, type and validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from importer.settings.value_types import Kind, text, whole
from providers.endpoint import Secret
from providers.text import Text

Seen = Mapping[str, Any]
"""The settings above a setting, by name, as far as they are valid."""

Validator = Callable[[Any, Seen], Any]
"""Returns the value, possibly normalised. Raises ValueError if it is invalid."""


class Setting:
    """A class attribute that describes a setting. Created by `setting`, read by `Settings.load`."""

    def __init__(
        self,
        default: Any,
        meaning: str,
        rule: Text,
        kind: Kind,
        check: Validator | None,
        *,
        shown: str | None,
        hidden: bool,
        always_checked: bool,
    ) -> None:
        self.meaning: Final = meaning
        self.rule: Final = rule
        self.shown: Final = str(default) if shown is None else shown
        self.hidden: Final = hidden
        self._default = default
        self._kind = kind
        self._check = check
        self._always_checked = always_checked

    def default(self, seen: Seen) -> Any:
        return self._default(seen) if callable(self._default) else self._default

    def read(self, given: object, seen: Seen) -> Any:
        """The value for the given text or object. Raises ValueError."""
        value = self._kind(given)
        return self._check(value, seen) if self._check else value

    def omitted(self, seen: Seen) -> Any:
        """The value if nothing was given. Raises ValueError."""
        value = self.default(seen)
        return self._check(value, seen) if self._check and self._always_checked else value


def setting(
    default: Any,
    meaning: str,
    rule: Text,
    kind: Kind = text,
    check: Validator | None = None,
    *,
    shown: str | None = None,
    hidden: bool = False,
    always_checked: bool = False,
) -> Any:
    """Declares a setting. `default` may be a function of the settings above it. The sentence of
    `rule` completes "must be …". `shown` replaces the default in the table. `hidden` values appear in no
    `repr` and no error. With `always_checked`, `check` also validates the default."""
    return Setting(
        default, meaning, rule, kind, check, shown=shown, hidden=hidden, always_checked=always_checked
    )


def whole_number(
    default: int, meaning: str, least: int, most: int | None = None, *, zero: Text | None = None
) -> Any:
    """Declares a setting that is a whole number from `least` to `most`, both included. `zero` is the meaning
    of 0."""
    rule = Text("setting_rule.at_least", least=str(least))
    if most is not None:
        rule = Text("setting_rule.range", least=str(least), most=str(most))
    if zero is not None:
        rule = Text("setting_rule.or_zero", rule=rule, zero=zero)
    return setting(default, meaning, rule, whole(least, most))


class SettingGroup:
    """A class attribute that includes settings declared elsewhere, at its position in the order."""

    def __init__(self, settings: Callable[[], Iterable[tuple[str, Setting]]]) -> None:
        self.settings: Final = settings


def settings_of(group: type) -> Iterator[tuple[str, Setting]]:
    """Names and settings in the order of declaration, those of base classes first."""
    for cls in reversed(group.__mro__):
        for name, attribute in vars(cls).items():
            if isinstance(attribute, Setting):
                yield name, attribute
            elif isinstance(attribute, SettingGroup):
                yield from attribute.settings()


def comes_with(other: str) -> Validator:
    """A validator: this setting and `other` must both be set, or neither."""

    def check(value: Any, seen: Seen) -> Any:
        is_set = bool(value.reveal() if isinstance(value, Secret) else value)
        if bool(seen.get(other)) != is_set:
            raise ValueError
        return value

    return check
