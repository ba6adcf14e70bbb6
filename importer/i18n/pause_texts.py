"""Pauses of hosts and accounts."""

from __future__ import annotations

from typing import Any

from importer.domain.planning.host_allowance import Backoff, without_connecting
from importer.i18n.code_texts import render
from importer.i18n.translations import CatalogTranslator


def pause_json(texts: CatalogTranslator, pause: Backoff) -> dict[str, Any]:
    """The fields of a pause. Its message is about the server."""
    name = without_connecting(pause.name)
    return {
        "name": name,
        "connecting": name != pause.name,
        "until": pause.until,
        "reason": pause.text.public_code,
        "message": render(pause.text, texts),
    }
