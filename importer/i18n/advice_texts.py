"""What a user can do about a problem, by its code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from importer.domain.model import Import
from importer.i18n.translations import CatalogTranslator


def problem_advice(texts: CatalogTranslator, import_: Import) -> str:
    """What to do about the problem of `import_`."""
    code = import_.problem.code if import_.problem is not None else ""
    return texts.gettext(_ADVICE.get(code, _OTHER_ADVICE))


_OTHER_ADVICE: Final = "Fix the problem described above, then run it again: it resumes where it stopped."
_AUTOMATIC: Final = "Nothing: it continues automatically."
_TEMPORARY: Final = "Nothing at first. If it persists, show the server's response to the host's support."
_ADVICE: Final[Mapping[str, str]] = {
    "connection_lost": _AUTOMATIC,
    "folder_changed": _AUTOMATIC,
    "destination_busy": "Nothing: imports into the same mailbox run one after the other.",
    "connections_in_use": "Nothing: imports at the same host share its connections.",
    "daily_limit": "Nothing: it continues automatically as soon as the host's daily limit permits.",
    "disk_full": "Nothing: it continues automatically once the service's operator has freed disk space.",
    "consent_needed": "Make sure that the mailbox's owner opens the link and signs in.",
    "consent_expired": "Run it again: the mailbox's owner gets a new link.",
    "protocol_violation": _TEMPORARY,
    "server_unavailable": "Nothing at first. If it persists, check the server's name and port.",
    "server_too_slow": "Nothing at first. If it persists, contact the host's support.",
    "beyond_limit": "Delete or merge what is too much in that mailbox, or contact the host's support.",
    "throttled": "Nothing: the host limits the transfer rate, and it continues when the host permits.",
    "host_unknown": "Correct the server's name, then run it again.",
    "host_forbidden": "Correct the server's name; if it is right, ask the service's operator to allow it.",
    "certificate_refused": "Check the server's name; if it is right, its operator must fix the certificate.",
    "not_an_imap_server": "Correct the port or the kind of encryption, then run it again.",
    "encryption_unavailable": "Use another port of that host, one with encryption, then run it again.",
    "endpoint_wrong": "Correct the server, then run it again.",
    "login_rejected": "Correct the password, or create an app password at that host, then run it again.",
    "master_refused": "Check that the mailbox exists and the master user's settings, or use its password.",
    "grant_expired": "Sign in at that provider once more, then run it again.",
    "destination_full": "Free space in the new mailbox or raise its quota, then run it again.",
    "passwords_missing": "Run it again with both passwords.",
    "interrupted": "Run it again: it resumes where it stopped.",
    "folder_unusable": _TEMPORARY,
    "folder_left_out": "Nothing: the report names the folder and what is missing.",
    "mail_hidden": "Change the setting that the sentence names, then run it again.",
    "pause_forgotten": "Run it again with both passwords.",
    "mail_error": _TEMPORARY,
    "internal": "Run it again. If it fails once more, report the import's id to the service's operator.",
}
