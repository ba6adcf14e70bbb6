"""Settings for Mailhaul's own mails."""

from __future__ import annotations

import re
import socket
from datetime import UTC, tzinfo
from typing import Literal
from urllib.parse import urlsplit

from importer.settings.branding import BrandSettings
from importer.settings.fields import Seen, setting
from importer.settings.value_types import one_of, text, time_zone
from providers.text import Text


def _smtp(value: str, _seen: Seen) -> str:
    parts = urlsplit(value)
    known = parts.scheme in ("smtp", "smtp+starttls", "smtps")
    if value and not (known and parts.hostname and parts.port != 0 and parts.path in ("", "/")):
        raise ValueError
    if parts.query or parts.fragment or bool(parts.username) != bool(parts.password):
        raise ValueError
    return value


def _language(value: str, _seen: Seen) -> str:
    if not re.fullmatch(r"(?:en|de|fr|it|es)(?:-[A-Z]{2})?", value):
        raise ValueError
    return value


def _address(value: str, _seen: Seen) -> str:
    if value and not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+", value):
        raise ValueError
    return value


class MailSettings(BrandSettings):
    """Mailhaul's own mails."""

    smtp_url: str = setting(
        "",
        "Server for completion mails: smtps://, smtp+starttls:// or smtp:// and [USER:PASSWORD@]HOST[:PORT].",
        Text("setting_rule.smtp_url"),
        text,
        _smtp,
        shown="none; no mails are sent",
        hidden=True,
    )
    mail_from: str = setting(
        lambda _: f"mailhaul@{socket.gethostname()}",
        "Sender of completion mails.",
        Text("setting_rule.address"),
        text,
        _address,
        shown="mailhaul@ and the name of this host",
    )
    invitations: Literal["batch-right", "everyone"] = setting(
        "batch-right",
        "Who can have owners asked by mail to sign in: holders of the batch right, API clients and operators,"
        " or everyone. Others pass the link on themselves.",
        Text("setting_rule.one_of", words="batch-right, everyone"),
        one_of("batch-right", "everyone"),
    )
    language: str = setting(
        "en",
        "Language of mails to recipients who did not choose one, and of the sentences at the console; with a"
        " region, such as de-CH, fr-CH or en-GB, numbers and dates as written there. If unset, the sentences"
        " at the console are in the language of the shell (LANGUAGE, LC_ALL, LC_MESSAGES, LANG); not in"
        " JSON.",
        Text("setting_rule.language"),
        text,
        _language,
    )
    time_zone: tzinfo = setting(
        UTC,
        "Time zone of the times in mails, at the console and in the sentences of pages.",
        Text("setting_rule.time_zone"),
        time_zone,
        shown="UTC",
    )
    submitter: str = setting(
        "",
        "Recipient of completion mails and batch summaries if the submitter gave no address.",
        Text("setting_rule.address"),
        text,
        _address,
        shown="none",
    )
