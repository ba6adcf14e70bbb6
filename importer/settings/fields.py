"""One setting: its default, what it means, what it must be, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from importer.settings.value_types import PREFIX, Kind, domains, secret, text
from providers.endpoint import Secret

Seen = Mapping[str, Any]
"""The settings above one, by name, as far as they could be read."""

Validator = Callable[[Any, Seen], Any]
"""Gives the value back, perhaps in another form; raises ValueError when it cannot be used."""


class Setting:
    """What stands in a class in the place of a value. Made by `setting`, read by `Settings.load`."""

    def __init__(
        self,
        default: Any,
        meaning: str,
        rule: str,
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
        """The value of what was given. Raises ValueError."""
        value = self._kind(given)
        return self._check(value, seen) if self._check else value

    def left_out(self, seen: Seen) -> Any:
        """The value where nothing was given. Raises ValueError."""
        value = self.default(seen)
        return self._check(value, seen) if self._check and self._always_checked else value


def setting(
    default: Any,
    meaning: str,
    rule: str,
    kind: Kind = text,
    check: Validator | None = None,
    *,
    shown: str | None = None,
    hidden: bool = False,
    always_checked: bool = False,
) -> Any:
    """One setting. `default` may be calculated from those above it. `rule` ends the sentence "must be …";
    `shown` stands for the default in the table. What is `hidden` shows in no `repr` and no error.
    `always_checked`: the default too."""
    return Setting(
        default, meaning, rule, kind, check, shown=shown, hidden=hidden, always_checked=always_checked
    )


def settings_of(group: type) -> Iterator[tuple[str, Setting]]:
    """Name and setting, those of the classes below first, in the order in which they are written."""
    for one in reversed(group.__mro__):
        for name, what in vars(one).items():
            if isinstance(what, Setting):
                yield name, what


def comes_with(other: str) -> Validator:
    """It and that other setting are both set, or neither."""

    def check(value: Any, seen: Seen) -> Any:
        is_set = bool(value.reveal() if isinstance(value, Secret) else value)
        if bool(seen.get(other)) != is_set:
            raise ValueError
        return value

    return check


def client_secret(provider: str) -> Any:
    client_id = f"{provider}_client_id"
    return setting(
        None,
        "Client secret of that application.",
        f"the client secret of {PREFIX}{client_id.upper()}, and set with it",
        secret,
        comes_with(client_id),
        shown="none",
        hidden=True,
        always_checked=True,
    )


def organisation_domains(needed_by: str) -> Any:
    return setting(
        frozenset(),
        "Domains whose mailboxes that permission opens, separated by commas; no others are opened with it.",
        f"domains such as example.org,example.com, and set with {PREFIX}{needed_by.upper()}",
        domains,
        comes_with(needed_by),
        shown="none",
        always_checked=True,
    )
