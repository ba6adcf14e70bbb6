"""Convert rows of catalog.toml into providers; errors name the row and the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from enum import StrEnum
from typing import Any, Final, TypeVar

from providers.endpoint import Endpoint, LoginForm
from providers.provider import (
    LANGUAGES,
    LocalizedText,
    LoginKind,
    PasswordKind,
    Provider,
    ProviderLimits,
    Quirk,
    Source,
    Step,
)
from providers.text import PRODUCT_NAME

_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_DATED: Final = re.compile(r".* \d{4}-\d{2}(-\d{2})?")
_LIMITS: Final = tuple(field.name for field in fields(ProviderLimits))
_FIELDS: Final = frozenset(
    {
        *("id", "name", "domains", "server", "read_server", "other_hosts", "mx", "login_form", "password"),
        *(
            "sign_in",
            "steps",
            "password_steps",
            "sign_in_steps",
            "pages",
            "unavailable",
            "limits",
            "quirks",
            "source",
        ),
    }
)

E = TypeVar("E", bound=StrEnum)


class CatalogError(ValueError):
    """A row of the catalog is invalid; the message names the row and the field."""


def read_texts(tables: Mapping[str, object]) -> dict[str, LocalizedText]:
    """Read the `[text.NAME]` tables: one text in each language. Raises CatalogError."""
    texts: dict[str, LocalizedText] = {}
    for name, table in tables.items():
        if not isinstance(table, Mapping) or set(table) != set(LANGUAGES):
            raise CatalogError(f"catalog text “{name}”: needs {', '.join(LANGUAGES)} and nothing else")
        for language, text in table.items():
            if not isinstance(text, str) or not re.fullmatch(r"[^\n]+[.]", text):
                raise CatalogError(
                    f"catalog text “{name}”: “{language}” is not one line that ends with a dot"
                )
        texts[name] = LocalizedText(**table)
    return texts


def read_provider(row: object, number: int, texts: Mapping[str, LocalizedText]) -> Provider:
    """Read the `number`-th row, counted from 1. `texts` are the texts of its steps by name. Raises
    CatalogError."""
    if not isinstance(row, Mapping):
        raise CatalogError(f"catalog row {number} is not a table")
    reader = _Row(row, f"“{row['id']}”" if isinstance(row.get("id"), str) else str(number), texts)
    return reader.provider()


class _Row:
    """One row and its label for error messages."""

    def __init__(self, row: Mapping[str, Any], label: str, texts: Mapping[str, LocalizedText]) -> None:
        self._row = row
        self._label = label
        self._texts = texts

    def provider(self) -> Provider:
        for field in self._row:
            if field not in _FIELDS:
                raise self._error(field, f"is unknown; the fields are {', '.join(sorted(_FIELDS))}")
        if not _ID.fullmatch(self._text("id", required=True)):
            raise self._error("id", "holds something other than small letters, digits and single hyphens")
        name = self._text("name", required=True)
        unavailable = self._text("unavailable")
        provider = Provider(
            id=self._text("id"),
            name=name,
            domains=self._domains("domains", required=True),
            endpoint=self._endpoint("server", required=not unavailable),
            read_endpoint=self._endpoint("read_server", required=False),
            other_hosts=self._domains("other_hosts"),
            mx=self._domains("mx"),
            login_form=self._choice("login_form", LoginForm, LoginForm.ADDRESS),
            password=self._choice("password", PasswordKind, PasswordKind.MAILBOX),
            sign_in=self._text("sign_in") or None,
            steps=self._steps(name, required=not unavailable),
            unavailable_text=self._localized("unavailable", unavailable, name) if unavailable else None,
            limits=self._limits(),
            quirks=self._quirks(),
        )
        if provider.password is PasswordKind.NONE and not (provider.sign_in or unavailable):
            raise self._error("password", "is none, but there is neither sign_in nor unavailable")
        return replace(provider, sources=self._sources(provider))

    def _error(self, field: str, what: str) -> CatalogError:
        return CatalogError(f"catalog row {self._label}: field “{field}” {what}")

    def _text(self, field: str, *, required: bool = False) -> str:
        value = self._row.get(field, "")
        if not isinstance(value, str):
            raise self._error(field, "is not a text")
        if required and not value.strip():
            raise self._error(field, "is missing or empty")
        return value.strip()

    def _domains(self, field: str, *, required: bool = False) -> tuple[str, ...]:
        value = self._row.get(field, None if required else [])
        if not isinstance(value, list):
            raise self._error(field, "is not a list of domains")
        for domain in value:
            if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain):
                raise self._error(field, f"holds {domain!r}, which is not a domain in small letters")
        return tuple(value)

    def _endpoint(self, field: str, *, required: bool) -> Endpoint | None:
        server = self._text(field, required=required)
        try:
            return Endpoint.parse(server) if server else None
        except ValueError as error:
            raise self._error(field, f"is wrong: {error}") from None

    def _choice(self, field: str, kind: type[E], default: E) -> E:
        try:
            return kind(self._text(field) or default)
        except ValueError:
            raise self._error(field, f"is none of {', '.join(kind)}") from None

    def _localized(self, field: str, text_id: str, name: str) -> LocalizedText:
        """The text with that id, with the provider's name and the place of the product's."""
        if text_id not in self._texts:
            raise self._error(field, f"names “{text_id}”, but there is no [text.{text_id}]")
        text = self._texts[text_id]
        filled = {
            code: getattr(text, code).replace("{product}", PRODUCT_NAME).replace("{name}", name)
            for code in LANGUAGES
        }
        return LocalizedText(**filled)

    def _steps(self, name: str, *, required: bool) -> tuple[Step, ...]:
        """The steps of one login kind first, then those of both."""
        steps: list[tuple[str, LocalizedText, LoginKind | None]] = []
        for field, kind in (
            ("sign_in_steps", LoginKind.SIGN_IN),
            ("password_steps", LoginKind.PASSWORD),
            ("steps", None),
        ):
            ids = self._row.get(field, [])
            if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids):
                raise self._error(field, "is not a list of names of texts")
            steps += [(id_, self._localized(field, id_, name), kind) for id_ in ids]
        if required and not steps:
            raise self._error("steps", "is missing or empty")
        pages = self._row.get("pages", {})
        if not isinstance(pages, Mapping) or not set(pages) <= {id_ for id_, _, _ in steps}:
            raise self._error("pages", "is not a table from steps of this row to addresses")
        by_language = {
            id_: page if isinstance(page, Mapping) else {"en": page} for id_, page in pages.items()
        }
        for page in by_language.values():
            if "en" not in page or not set(page) <= set(LANGUAGES):
                raise self._error("pages", "holds a table without en, or with an unknown language")
            if not all(isinstance(url, str) and url.startswith("https://") for url in page.values()):
                raise self._error("pages", "holds something that does not start with https://")

        def step(id_: str, texts: LocalizedText, kind: LoginKind | None) -> Step:
            others = dict(by_language.get(id_, {"en": ""}))
            return Step(id_, texts, others.pop("en"), kind, others)

        return tuple(step(*told) for told in steps)

    def _limits(self) -> ProviderLimits:
        value = self._row.get("limits", {})
        if not isinstance(value, Mapping) or not set(value) <= set(_LIMITS):
            raise self._error("limits", f"is not a table of {', '.join(_LIMITS)}")
        if any(type(number) is not int or number < 1 for number in value.values()):
            raise self._error("limits", "holds something other than whole numbers from 1")
        return ProviderLimits(**value)

    def _quirks(self) -> frozenset[Quirk]:
        value = self._row.get("quirks", [])
        try:
            return frozenset(Quirk(quirk) for quirk in value)
        except (TypeError, ValueError):
            raise self._error("quirks", f"holds something other than {', '.join(Quirk)}") from None

    def _sources(self, provider: Provider) -> tuple[Source, ...]:
        """The sources of the row: exactly one for each kind of facts that it has."""
        has: dict[str, Callable[[], object]] = {
            "server": lambda: provider.endpoint,
            "steps": lambda: provider.steps or provider.unavailable_text,
            "limits": lambda: provider.limits != ProviderLimits(),
            "quirks": lambda: provider.quirks,
            "mx": lambda: provider.mx,
        }
        value = self._row.get("source")
        required = [facts for facts, present in has.items() if present()]
        if not isinstance(value, Mapping) or set(value) != set(required):
            raise self._error("source", f"must name where {', '.join(required)} come from, and nothing else")
        for facts, page in value.items():
            if not isinstance(page, str) or not _DATED.fullmatch(page):
                raise self._error(
                    "source", f"of {facts} does not end with a date such as 2026-03 or 2026-03-12"
                )
        return tuple(Source(facts, value[facts]) for facts in required)
