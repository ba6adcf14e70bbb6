"""Alerts of the servers for their users, in the servers' words."""

from __future__ import annotations

from collections.abc import Iterable

from importer.domain.model import Account, Alert
from importer.i18n.code_texts import render
from importer.i18n.translations import CatalogTranslator
from providers.errors import Side
from providers.text import Text


def alert_texts(
    texts: CatalogTranslator, alerts: Iterable[Alert], source: Account, destination: Account
) -> list[str]:
    """One sentence for each alert. The words are foreign text."""
    return [
        render(Text("server_alert", host=_host(alert, source, destination), words=alert.text), texts)
        for alert in alerts
    ]


def alerts_json(alerts: Iterable[Alert], source: Account, destination: Account) -> list[dict[str, str]]:
    """`{side, server, text}` for each alert."""
    return [
        {"side": alert.side.value, "server": _host(alert, source, destination), "text": alert.text}
        for alert in alerts
    ]


def _host(alert: Alert, source: Account, destination: Account) -> str:
    return (source if alert.side is Side.SOURCE else destination).endpoint.host
