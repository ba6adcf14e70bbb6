"""One setting: its default, what it means, and what it must be."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from importer.settings.kinds import PREFIX


def setting(default: Any, meaning: str, rule: str, *, shown: str | None = None, **rest: Any) -> Any:
    """One field. `rule` ends the sentence "must be …"; `shown` stands for a default that is computed."""
    extra: dict[str, Any] = {"rule": rule, "shown": shown}
    if callable(default):
        return Field(default_factory=default, description=meaning, json_schema_extra=extra, **rest)
    return Field(default=default, description=meaning, json_schema_extra=extra, **rest)


def client_secret(provider: str) -> Any:
    return setting(
        None,
        "Client secret of that application.",
        f"the client secret of {PREFIX}{provider}_CLIENT_ID, and set with it",
        shown="none",
        repr=False,
        validate_default=True,
    )


def organisation_domains(needed_by: str) -> Any:
    return setting(
        frozenset(),
        "Domains whose mailboxes that permission opens, separated by commas; no others are opened with it.",
        f"domains such as example.org,example.com, and set with {PREFIX}{needed_by}",
        shown="none",
        validate_default=True,
    )
