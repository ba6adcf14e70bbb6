"""Settings of the providers at which owners of mailboxes sign in: each `SignInProvider` declares its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from importer.settings.fields import Seen, Setting, SettingGroup, Validator, comes_with, setting
from importer.settings.transfers import TransferSettings
from importer.settings.value_types import Kind, domains, file, secret, text
from providers.sign_in_provider import ProviderConfig, ProviderSetting, SettingKind
from providers.sign_in_providers import SIGN_IN_PROVIDERS


def _is_https(value: str) -> bool:
    parts = urlsplit(value)
    return parts.scheme == "https" and bool(parts.hostname) and not (parts.query or parts.fragment)


def _url(value: object) -> str:
    url = text(value)
    if url and not _is_https(url):
        raise ValueError
    return url.rstrip("/")


def _existing_file(value: object) -> Path:
    path = file(value)
    if not path.is_file():
        raise ValueError
    return path


_KINDS: Final[Mapping[SettingKind, tuple[Kind, Any]]] = {
    SettingKind.TEXT: (text, ""),
    SettingKind.URL: (_url, ""),
    SettingKind.SECRET: (secret, None),
    SettingKind.FILE: (_existing_file, None),
    SettingKind.DOMAINS: (domains, frozenset()),
}
"""The type of each kind, and its default."""


def _validator(provider_id: str, declared: ProviderSetting) -> Validator | None:
    if declared.comes_with:
        return comes_with(f"{provider_id}_{declared.comes_with}")
    accepts = declared.accepts
    if accepts is None:
        return None

    def check(value: Any, seen: Seen) -> Any:
        if not accepts(value, _of_provider(provider_id, seen)):
            raise ValueError
        return value

    return check


def _provider_settings() -> Iterator[tuple[str, Setting]]:
    for provider in SIGN_IN_PROVIDERS.values():
        for declared in provider.settings:
            kind, default = _KINDS[declared.kind]
            yield (
                f"{provider.id}_{declared.name}",
                setting(
                    declared.default or default,
                    declared.meaning,
                    declared.rule,
                    kind,
                    _validator(provider.id, declared),
                    shown=declared.shown,
                    hidden=declared.kind is SettingKind.SECRET,
                    always_checked=True,
                ),
            )


def _of_provider(provider_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A provider's settings among `values`, without the prefix of their names."""
    prefix = f"{provider_id}_"
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


class SignInSettings(TransferSettings):
    """The settings of all `SIGN_IN_PROVIDERS`, read on demand: `<provider>_<name>`."""

    sign_in_providers = SettingGroup(_provider_settings)

    def of_provider(self, provider_id: str) -> ProviderConfig:
        """The settings of that provider."""
        return ProviderConfig(_of_provider(provider_id, vars(self)))

    @property
    def has_sign_in(self) -> bool:
        """Whether a provider is configured, for sign-in of owners or with an organisation's permission."""
        return any(
            provider.signs_in_with(config) or provider.has_organisation(config)
            for provider in SIGN_IN_PROVIDERS.values()
            for config in (self.of_provider(provider.id),)
        )
