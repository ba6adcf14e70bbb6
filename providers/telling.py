"""What was found for an address, as facts for programs and for forms: the console's --json and the API."""

from __future__ import annotations

from dataclasses import asdict

from providers.discovery import Discovery
from providers.model import server_url
from providers.provider import MEANINGS, Way


def facts(
    found: Discovery, address: str, language: str = "en", *, way: Way = Way.PASSWORD
) -> dict[str, object]:
    """Plain values only. Texts for owners are in `language` and for that way in; evidence is in English.
    `server` is where the mail is read, None when nobody knows or nobody can."""
    provider = found.provider
    told: dict[str, object] = {
        "address": address,
        "domain": found.domain,
        "found_by": found.how.value,
        "evidence": list(found.evidence),
        "offline": found.offline,
        "guess": str(found.guess) if found.guess else None,
        "provider": None,
    }
    if provider is None:
        return told
    endpoint = provider.source_endpoint
    login = provider.login_name(address)
    return told | {
        "provider": {"id": provider.id, "name": provider.name},
        "server": str(endpoint) if endpoint else None,
        "login": login,
        "url": server_url(endpoint, login) if endpoint else None,
        "password": provider.password.value,
        "sign_in": provider.sign_in,
        "first": [
            {"step": step.texts.in_language(language), "page": step.page or None}
            for step in provider.first(way)
        ],
        "way": way.value,
        "unavailable": provider.closed_in(language, way) or None,
        "limits": {name: value for name, value in asdict(provider.limits).items() if value is not None},
        "quirks": {quirk.value: MEANINGS[quirk] for quirk in sorted(provider.quirks)},
    }
