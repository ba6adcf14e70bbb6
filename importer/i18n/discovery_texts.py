"""The discovery of the mail server of an address, in the reader's language and as plain values."""

from __future__ import annotations

from dataclasses import asdict

from importer.i18n.code_texts import render
from importer.i18n.translations import CatalogTranslator
from providers.discovery import Discovery
from providers.endpoint import server_url
from providers.provider import LoginKind, Quirk


def discovery_json(
    texts: CatalogTranslator, discovery: Discovery, address: str, *, login: LoginKind = LoginKind.PASSWORD
) -> dict[str, object]:
    """The discovery as plain values, for the console's --json and the API. Keys are stable.

    The owner's steps apply to that kind of login. `server` is the server to read mail from, None if it is
    unknown or if IMAP is unavailable.
    """
    language = texts.language
    facts: dict[str, object] = {
        "address": address,
        "domain": discovery.domain,
        "found_by": discovery.found_by.value,
        "evidence": [render(text, texts) for text in discovery.evidence],
        "offline": discovery.offline,
        "guess": str(discovery.guess) if discovery.guess else None,
        "provider": None,
    }
    provider = discovery.provider
    if provider is None:
        return facts
    endpoint = provider.source_endpoint
    login_name = provider.login_name(address)
    return facts | {
        "provider": {"id": provider.id, "name": provider.name},
        "server": str(endpoint) if endpoint else None,
        "login": login_name,
        "url": server_url(endpoint, login_name) if endpoint else None,
        "password": provider.password.value,
        "sign_in": provider.sign_in,
        "first": [
            {"step": texts.typeset(step.texts.in_language(language)), "page": step.page_in(language) or None}
            for step in provider.steps_for(login)
        ],
        "way": login.value,
        "unavailable": texts.typeset(provider.login_unavailable_in(language, login)) or None,
        "limits": {name: value for name, value in asdict(provider.limits).items() if value is not None},
        "quirks": {quirk.value: quirk_text(texts, quirk) for quirk in sorted(provider.quirks)},
    }


def quirk_text(texts: CatalogTranslator, quirk: Quirk) -> str:
    """A quirk of a host, in a sentence."""
    return render(quirk.text, texts)
